//! What the chip itself answered: access control and the proofs that it is no copy.

mod active_authentication;
mod chip_authentication;
mod mapping;

use super::passive_authentication::PassiveAuthentication;
use super::{Check, CheckId, DocumentFiles, Evidence, Policy};
use crate::lds::{CardSecurity, DgNumber, security_infos_of_dg14};
use crate::terminal::active_authentication::ActiveAuthenticationEvidence;
use crate::terminal::chip_authentication::ChipAuthenticationEvidence;
use crate::terminal::pace::ChipAuthenticationMappingEvidence;
use crate::terminal::pace::PaceParameters;

/// How the chip was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessOutcome {
    /// The variant of PACE; `None` for BAC.
    pub pace: Option<PaceParameters>,
    /// Cipher of the session.
    pub cipher: String,
    /// `CAN`, `MRZ`, `PIN` or `PUK`.
    pub password: String,
    /// BAC was used because the card offered no PACE.
    pub downgraded: bool,
}

/// How an authentication of the chip went.
#[derive(Debug, Clone, Default)]
pub enum ChipOutcome<T> {
    /// Not tried: saved files, or the session was over.
    #[default]
    NotTried,
    /// The chip answered; whether that proves anything is for the verifier to find out.
    Answered(T),
    /// The chip refused or gave up: with what it said.
    Refused(String),
    /// The chip has only variants that the terminal does not know: which.
    Unsupported(String),
    /// The chip answered, but an evidence file leaves the answer out.
    LeftOut,
}

/// What came of Terminal Authentication: what the card said, which proves nothing to others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TerminalOutcome {
    /// Not tried: the terminal has no certificates.
    #[default]
    NotTried,
    /// The card does not know it, or trusts nobody for it.
    NotOffered,
    /// It failed, with the stable code and words of the error.
    Failed {
        /// Stable code.
        code: String,
        /// What was wrong.
        message: String,
    },
    /// The card accepted the terminal.
    Passed {
        /// The trust point of the card that the chain began at.
        trust_point: String,
        /// Holders of the certificates shown.
        chain: Vec<String>,
        /// The right to fingerprints.
        dg3: bool,
        /// The right to irises.
        dg4: bool,
    },
}

/// All that came from the chip besides its files.
#[derive(Debug, Clone, Default)]
pub struct ChipEvidence {
    /// How it was opened; `None` for saved files.
    pub access: Option<AccessOutcome>,
    /// Chip Authentication.
    pub chip_authentication: ChipOutcome<ChipAuthenticationEvidence>,
    /// PACE with Chip Authentication Mapping, where that was used.
    pub chip_authentication_mapping: Option<ChipAuthenticationMappingEvidence>,
    /// Active Authentication.
    pub active_authentication: ChipOutcome<ActiveAuthenticationEvidence>,
    /// Terminal Authentication.
    pub terminal_authentication: TerminalOutcome,
}

impl ChipEvidence {
    /// Whether the card was opened by BAC.
    pub(super) fn used_bac(&self) -> bool {
        self.access.as_ref().is_some_and(|access| access.pace.is_none())
    }
}

/// `access.pace` and `access.bac`.
pub(super) fn access_checks(chip: &ChipEvidence, policy: &Policy) -> Vec<Check> {
    let (pace_id, bac_id) = (CheckId::AccessPace, CheckId::AccessBac);
    let Some(access) = &chip.access else {
        return [pace_id, bac_id].map(|id| Check::skipped(id, "no_chip")).to_vec();
    };
    let evidence =
        Evidence::new("cipher", access.cipher.clone()).and("password", access.password.clone());
    match &access.pace {
        Some(pace) => {
            let evidence = evidence
                .and("mapping", pace.protocol.mapping.name())
                .and("domain", pace.domain.name());
            let accepted = policy.pace(pace.protocol, &pace.domain);
            let pace = Check::passed(pace_id, evidence).under(accepted);
            vec![pace, Check::skipped(bac_id, "not_used")]
        }
        None => {
            let unused = if access.downgraded { "pace_not_offered" } else { "not_used" };
            let bac = Check::passed(bac_id, evidence).under(policy.bac());
            vec![Check::skipped(pace_id, unused), bac]
        }
    }
}

/// `terminal.ta`. A card that does not accept the terminal is no worse for it.
pub(super) fn terminal_check(chip: &ChipEvidence) -> Check {
    let id = CheckId::TerminalTa;
    match &chip.terminal_authentication {
        TerminalOutcome::NotTried if chip.access.is_none() => Check::skipped(id, "no_chip"),
        TerminalOutcome::NotTried => Check::skipped(id, "not_used"),
        TerminalOutcome::NotOffered => Check::skipped(id, "not_offered"),
        TerminalOutcome::Failed { code, message } => {
            let evidence = Evidence::new("error", message.clone()).and("error_code", code.clone());
            Check::skipped_with(id, "terminal_not_accepted", evidence)
        }
        TerminalOutcome::Passed { trust_point, chain, dg3, dg4 } => {
            let evidence = Evidence::new("trust_point", trust_point.clone())
                .and("chain", chain.clone())
                .and("dg3", *dg3)
                .and("dg4", *dg4);
            Check::passed(id, evidence)
        }
    }
}

/// `chip.ca`, `chip.pace_cam` and `chip.aa`. Keys of the chip count only where a trusted signature
/// binds them: the security object those of DG14 and DG15, that of EF.CardSecurity its own.
pub(super) fn authentication_checks(
    files: &DocumentFiles,
    chip: &ChipEvidence,
    passive: &PassiveAuthentication,
    card_security: Option<&CardSecurity>,
    card_security_is_trusted: bool,
    policy: &Policy,
) -> Vec<Check> {
    let dg = |n| DgNumber::new(n).and_then(|n| files.files.get(&n.file()));
    let dg14 = dg(14).and_then(|bytes| security_infos_of_dg14(bytes).ok());
    let bound = |n| passive.binds(n);
    let ca = chip_authentication::check(chip, dg14.as_ref(), bound(14), policy);
    let security = mapping::StaticKeys {
        card_security,
        trusted: card_security_is_trusted,
        dg14: dg14.as_ref(),
        chip_authentication_passed: ca.has_passed(),
    };
    let cam = mapping::check(chip, files, &security, policy);
    let dg15 = dg(15).map(Vec::as_slice);
    let aa = active_authentication::check(chip, dg15, dg14.as_ref(), bound(15), policy);
    vec![ca, cam, aa]
}
