//! What the chip itself answered: access control and the proofs that it is no copy.

use super::passive_authentication::PassiveAuthentication;
use super::{Check, CheckId, DocumentFiles, Evidence};
use crate::error::ErrorCode;
use crate::lds::{DgNumber, PublicKey, SecurityInfos, decode_dg15, security_infos_of_dg14};
use crate::terminal::active_authentication::ActiveAuthenticationEvidence;
use crate::terminal::chip_authentication::ChipAuthenticationEvidence;
use crate::terminal::public_key::group_element;

/// How the chip was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessOutcome {
    /// `PACE` or `BAC`.
    pub protocol: String,
    /// `GM`, for PACE.
    pub mapping: Option<String>,
    /// Curve, for PACE.
    pub domain: Option<String>,
    /// Cipher of the session.
    pub cipher: String,
    /// `CAN` or `MRZ`.
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
}

/// All that came from the chip besides its files.
#[derive(Debug, Clone, Default)]
pub struct ChipEvidence {
    /// How it was opened; `None` for saved files.
    pub access: Option<AccessOutcome>,
    /// Chip Authentication.
    pub chip_authentication: ChipOutcome<ChipAuthenticationEvidence>,
    /// Active Authentication.
    pub active_authentication: ChipOutcome<ActiveAuthenticationEvidence>,
}

impl ChipEvidence {
    /// Whether the card offered no PACE and was opened by BAC.
    pub(super) fn is_downgraded(&self) -> bool {
        self.access.as_ref().is_some_and(|access| access.downgraded)
    }
}

/// `access.pace` and `access.bac`.
pub(super) fn access_checks(chip: &ChipEvidence) -> Vec<Check> {
    let check = |id, protocol: &str| match &chip.access {
        Some(access) if access.protocol == protocol => {
            let evidence = Evidence::new("cipher", access.cipher.clone())
                .and("password", access.password.clone());
            Check::passed(id, evidence)
        }
        Some(access) if access.downgraded => Check::skipped(id, "pace_not_offered"),
        Some(_) => Check::skipped(id, "not_used"),
        None => Check::skipped(id, "no_chip"),
    };
    vec![check(CheckId::AccessPace, "PACE"), check(CheckId::AccessBac, "BAC")]
}

/// `chip.ca` and `chip.aa`.
pub(super) fn authentication_checks(
    files: &DocumentFiles,
    chip: &ChipEvidence,
    passive: &PassiveAuthentication,
) -> Vec<Check> {
    let dg = |n| DgNumber::new(n).and_then(|n| files.files.get(&n.file()));
    let dg14 = dg(14).and_then(|bytes| security_infos_of_dg14(bytes).ok());
    let bound = |n| passive.binds(n);
    vec![
        chip_authentication(chip, dg14.as_ref(), bound(14)),
        active_authentication(chip, dg(15).map(Vec::as_slice), dg14.as_ref(), bound(15)),
    ]
}

fn chip_authentication(chip: &ChipEvidence, dg14: Option<&SecurityInfos>, bound: bool) -> Check {
    let id = CheckId::ChipCa;
    let Some(infos) = dg14 else { return Check::skipped(id, "not_offered") };
    if infos.chip_authentication_keys().next().is_none() {
        return Check::skipped(id, "not_offered");
    }
    let evidence = match &chip.chip_authentication {
        ChipOutcome::NotTried => return Check::skipped(id, "no_chip"),
        ChipOutcome::Refused(why) => {
            let evidence = Evidence::new("answer", why.clone());
            return Check::failed(id, "chip_authentication_failed", evidence);
        }
        ChipOutcome::Answered(evidence) => evidence,
    };
    // The key is taken from the file that the security object binds, not from the session.
    let proven = infos.chip_authentication_keys().find_map(|info| {
        let (key, _) = PublicKey::from_spki_der(&info.spki).ok()?;
        let element = group_element(&key)?;
        evidence.proves_possession_of(&element).then_some(element)
    });
    let Some(key) = proven else {
        let evidence = Evidence::new("key", "no key of DG14 fits the answer");
        return Check::failed(id, "chip_authentication_failed", evidence);
    };
    let facts = Evidence::new("curve", key.domain_parameters().name())
        .and("cipher", evidence.parameters.cipher.name());
    if bound {
        Check::passed(id, facts.and("bound_by_sod", true))
    } else {
        Check::skipped_with(id, "key_not_bound", facts.and("bound_by_sod", false))
    }
}

fn active_authentication(
    chip: &ChipEvidence,
    dg15: Option<&[u8]>,
    dg14: Option<&SecurityInfos>,
    bound: bool,
) -> Check {
    let id = CheckId::ChipAa;
    let Some(dg15) = dg15 else { return Check::skipped(id, "not_offered") };
    let key = match decode_dg15(dg15) {
        Ok(key) => key,
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string());
            return Check::failed(id, error.code(), evidence);
        }
    };
    let evidence = match &chip.active_authentication {
        ChipOutcome::NotTried => return Check::skipped(id, "no_chip"),
        ChipOutcome::Refused(why) => {
            let evidence = Evidence::new("answer", why.clone());
            return Check::failed(id, "active_authentication_failed", evidence);
        }
        ChipOutcome::Answered(evidence) => evidence,
    };
    let algorithm = dg14.and_then(SecurityInfos::active_authentication_algorithm);
    match evidence.verify(&key, algorithm) {
        Err(error) => Check::failed(id, error.code(), Evidence::new("error", error.to_string())),
        Ok(hash) => {
            let facts = Evidence::new("key", key.description()).and("hash", hash.name());
            if bound {
                Check::passed(id, facts.and("bound_by_sod", true))
            } else {
                Check::skipped_with(id, "key_not_bound", facts.and("bound_by_sod", false))
            }
        }
    }
}
