//! Opening a card: which protocol may be used with which password is a plan made beforehand.
//!
//! PACE is never replaced by BAC on the quiet. A plan that allows BAC for cards without PACE says
//! so, and the outcome records it.

mod master_file;

use cancuoc_primitives::group::PublicElement;
use rand_core::CryptoRng;
use serde::Serialize;

use super::bac::Bac;
use super::pace::{
    self, ChipAuthenticationMappingEvidence, Pace, PaceFilter, PaceParameters, PacePassword,
    PaceResult,
};
use super::session::Session;
use super::{FreshnessRegister, TerminalError, commands};
use crate::document::AccessKeys;
use crate::lds::SecurityInfos;
use crate::transport::CardTransport;

pub use master_file::read_card_access;
use master_file::read_card_security;
pub(super) use master_file::{CardSecurityReading, read_once};

/// Which protocols may open the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessPolicy {
    /// PACE and nothing else.
    #[default]
    Pace,
    /// PACE; BAC only where EF.CardAccess is absent or announces no PACE at all. A card whose
    /// PACE fails or is unknown here is not opened. The outcome records the downgrade.
    PaceOrBacWhenNotOffered,
    /// BAC, asked for explicitly.
    Bac,
}

/// How to open a card.
#[derive(Debug, Clone)]
pub struct AccessPlan {
    /// Passwords and keys, as far as they are known.
    pub keys: AccessKeys,
    /// Which protocols may be used.
    pub policy: AccessPolicy,
    /// Use the key of the MRZ for PACE even where the CAN is known.
    pub prefer_mrz: bool,
    /// How PACE is run.
    pub pace: PaceOptions,
}

/// How PACE is run.
#[derive(Debug, Clone, Default)]
pub struct PaceOptions {
    /// What cards have drawn before, shared between sessions; none for this session alone.
    pub register: Option<FreshnessRegister>,
    /// Which variants may be used; none for all that this terminal has.
    pub filter: Option<PaceFilter>,
    /// Ask the card for the certification authorities that it trusts for Terminal Authentication.
    /// A card that refuses the question is not asked again.
    pub request_certification_authorities: bool,
}

impl AccessPlan {
    /// PACE only, with the CAN where it is known, else with the MRZ.
    #[must_use]
    pub fn pace(keys: AccessKeys) -> Self {
        Self { keys, policy: AccessPolicy::Pace, prefer_mrz: false, pace: PaceOptions::default() }
    }

    /// The password of PACE: the PIN or PUK where one is known, for it is given on purpose.
    fn pace_password(&self) -> Result<PacePassword, TerminalError> {
        let AccessKeys { can, mrz, pin, puk } = self.keys.clone();
        let (can, mrz) = (can.map(PacePassword::Can), mrz.map(PacePassword::Mrz));
        let printed = if self.prefer_mrz { mrz.or(can) } else { can.or(mrz) };
        let chosen = pin.map(PacePassword::Pin).or(puk.map(PacePassword::Puk)).or(printed);
        chosen.ok_or(TerminalError::PasswordMissing { protocol: "PACE", password: "CAN or MRZ" })
    }
}

/// What had to be done before the PIN could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinRecovery {
    /// One try was left: PACE with the CAN ran first.
    Resumed,
    /// No try was left: PACE with the PUK ran first and gave the PIN its tries back.
    Unblocked,
}

/// How the card was opened, by the names of the command-line contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessOutcome {
    /// `PACE` or `BAC`.
    pub protocol: &'static str,
    /// `GM`, `IM` or `CAM`; none for BAC.
    pub mapping: Option<&'static str>,
    /// Name of the curve or prime field; none for BAC.
    pub domain: Option<&'static str>,
    /// Cipher of secure messaging.
    pub cipher: &'static str,
    /// `CAN`, `MRZ`, `PIN` or `PUK`.
    pub password: &'static str,
    /// Tries of the password that were left before this run, where the card told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries_left: Option<u8>,
    /// What had to be done before the PIN could be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<PinRecovery>,
    /// BAC was used because the card offered no PACE.
    pub downgraded: bool,
    /// The variant of PACE that ran, for a policy; none for BAC.
    #[serde(skip)]
    pub pace: Option<PaceParameters>,
    /// EF.CardAccess as read, for comparison with DG14; none where it was not read or is absent.
    #[serde(skip)]
    pub card_access: Option<Vec<u8>>,
    /// EF.CardSecurity as read after PACE; none where it was not read or is absent.
    #[serde(skip)]
    pub card_security: Option<Vec<u8>>,
    /// What the chip sent to prove itself in PACE with Chip Authentication Mapping; judged by
    /// [`verify_cam`](super::pace::verify_cam) with a key that Passive Authentication has bound.
    #[serde(skip)]
    pub chip_authentication_mapping: Option<ChipAuthenticationMappingEvidence>,
    /// What Terminal Authentication takes from PACE; none for BAC.
    #[serde(skip)]
    pub pace_keys: Option<PaceKeys>,
}

/// What Terminal Authentication takes from PACE (ICAO 9303-11 §7.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceKeys {
    /// The card's ephemeral public key, whose compression is the card's identifier.
    pub card: PublicElement,
    /// The terminal's ephemeral public key, to be signed where PACE with Chip Authentication
    /// Mapping ran and no Chip Authentication after it.
    pub terminal: PublicElement,
    /// References of the certification authorities that the card trusts, the newest first.
    pub certification_authorities: Vec<Vec<u8>>,
}

/// Opens the card and selects the LDS1 application, by the plan.
///
/// From power-on PACE takes seven APDUs: EF.CardAccess by its short identifier, MSE:Set AT, four
/// GENERAL AUTHENTICATE and SELECT under secure messaging; BAC takes three. Where the
/// card offers Chip Authentication Mapping, EF.CardSecurity is read before SELECT.
///
/// # Errors
/// [`TerminalError::PaceNotOffered`] where the policy allows PACE only,
/// [`TerminalError::WrongPassword`], [`TerminalError::PasswordMissing`] and those of the protocols.
pub fn open_card<T: CardTransport>(
    session: &mut Session<T>,
    plan: &AccessPlan,
    random: &mut dyn CryptoRng,
) -> Result<AccessOutcome, TerminalError> {
    open_card_reading(session, plan, CardSecurityReading::default(), random)
}

/// The same; says how EF.CardSecurity is read.
pub(super) fn open_card_reading<T: CardTransport>(
    session: &mut Session<T>,
    plan: &AccessPlan,
    reading: CardSecurityReading,
    random: &mut dyn CryptoRng,
) -> Result<AccessOutcome, TerminalError> {
    if let Some(register) = &plan.pace.register {
        session.share_register(register.clone());
    }
    if plan.policy == AccessPolicy::Bac {
        return open_with_bac(session, plan, None, false, random);
    }
    if plan.policy == AccessPolicy::Pace {
        plan.pace_password()?; // before anything is sent
    }
    let card_access = read_card_access(session)?;
    let infos = card_access
        .as_deref()
        .map(|bytes| SecurityInfos::decode("EF.CardAccess", bytes))
        .transpose()?;
    match infos {
        Some(infos) if infos.pace().next().is_some() => {
            let mut outcome = open_with_pace(session, plan, &infos, random)?;
            outcome.card_access = card_access;
            outcome.card_security = read_card_security(session, &infos, reading)?;
            select_application(session)?;
            Ok(outcome)
        }
        _ if plan.policy == AccessPolicy::PaceOrBacWhenNotOffered => {
            open_with_bac(session, plan, card_access, true, random)
        }
        Some(_) => Err(TerminalError::PaceNotOffered { detail: "EF.CardAccess announces no PACE" }),
        None => Err(TerminalError::PaceNotOffered { detail: "there is no EF.CardAccess" }),
    }
}

/// Runs PACE; the application is not selected yet.
fn open_with_pace<T: CardTransport>(
    session: &mut Session<T>,
    plan: &AccessPlan,
    infos: &SecurityInfos,
    random: &mut dyn CryptoRng,
) -> Result<AccessOutcome, TerminalError> {
    let parameters = match &plan.pace.filter {
        Some(filter) => {
            PaceParameters::select_with(infos, &|info, domain| filter.check(info, domain))
        }
        None => PaceParameters::select(infos),
    };
    let parameters = &parameters?;
    let password = plan.pace_password()?;
    let name = password.name();
    let mut recovery = None;
    let result = match run_pace(session, parameters, plan, password.clone(), false, random) {
        Err(fault) => {
            recovery = Some(recover(session, parameters, plan, fault, random)?);
            run_pace(session, parameters, plan, password, true, random)?
        }
        result => result?,
    };
    Ok(AccessOutcome {
        protocol: "PACE",
        mapping: Some(parameters.protocol.mapping.name()),
        domain: Some(parameters.domain.name()),
        cipher: parameters.protocol.cipher.name(),
        password: name,
        tries_left: result.tries_left,
        recovery,
        downgraded: false,
        pace: Some(parameters.clone()),
        card_access: None,
        card_security: None,
        chip_authentication_mapping: result.chip_authentication_mapping,
        pace_keys: Some(PaceKeys {
            card: result.card_public_key,
            terminal: result.terminal_public_key,
            certification_authorities: result.certification_authorities,
        }),
    })
}

/// Runs PACE and switches the session to its keys. A card that refuses to be asked for its trust
/// points, which costs no try of a password, is not asked.
fn run_pace<T: CardTransport>(
    session: &mut Session<T>,
    parameters: &PaceParameters,
    plan: &AccessPlan,
    password: PacePassword,
    resumed: bool,
    random: &mut dyn CryptoRng,
) -> Result<PaceResult, TerminalError> {
    let mut run = |password, asks| {
        let pace =
            Pace::new(parameters.clone(), password, random).remembering(session.register().clone());
        let pace = if asks { pace.requesting_certification_authorities() } else { pace };
        session.run(&mut if resumed { pace.resumed() } else { pace })
    };
    let asks = plan.pace.request_certification_authorities;
    let result = match run(password.clone(), asks) {
        Err(TerminalError::Refused { step: pace::MSE, .. }) if asks => run(password, false)?,
        result => result?,
    };
    session.start_secure_messaging(result.secure_messaging.clone());
    Ok(result)
}

/// Makes the PIN usable again where the plan has what that takes: a suspended one by PACE with
/// the CAN, a blocked one by PACE with the PUK and RESET RETRY COUNTER (BSI TR-03110-2 §3.3).
/// The PIN is then used in the same session. Any other fault stays.
fn recover<T: CardTransport>(
    session: &mut Session<T>,
    parameters: &PaceParameters,
    plan: &AccessPlan,
    fault: TerminalError,
    random: &mut dyn CryptoRng,
) -> Result<PinRecovery, TerminalError> {
    let AccessKeys { can, puk, .. } = plan.keys.clone();
    match (&fault, can, puk) {
        (TerminalError::PasswordSuspended { .. }, Some(can), _) => {
            run_pace(session, parameters, plan, PacePassword::Can(can), false, random)?;
            Ok(PinRecovery::Resumed)
        }
        (TerminalError::PasswordBlocked { password: "PIN" }, _, Some(puk)) => {
            run_pace(session, parameters, plan, PacePassword::Puk(puk), false, random)?;
            let status = session.transmit(&commands::reset_retry_counter_of_pin())?.status;
            let step = "RESET RETRY COUNTER of the PIN";
            if !status.is_ok() {
                return Err(TerminalError::Refused { step, status });
            }
            Ok(PinRecovery::Unblocked)
        }
        _ => Err(fault),
    }
}

fn open_with_bac<T: CardTransport>(
    session: &mut Session<T>,
    plan: &AccessPlan,
    card_access: Option<Vec<u8>>,
    downgraded: bool,
    random: &mut dyn CryptoRng,
) -> Result<AccessOutcome, TerminalError> {
    let missing = TerminalError::PasswordMissing { protocol: "BAC", password: "MRZ" };
    let key = plan.keys.mrz.as_ref().ok_or(missing)?;
    select_application(session)?;
    let mut bac = Bac::new(key, random).remembering(session.register().clone());
    let keys = session.run(&mut bac)?;
    let cipher = keys.cipher().name();
    session.start_secure_messaging(keys);
    Ok(AccessOutcome {
        protocol: "BAC",
        mapping: None,
        domain: None,
        cipher,
        password: "MRZ",
        tries_left: None,
        recovery: None,
        downgraded,
        pace: None,
        card_access,
        card_security: None,
        chip_authentication_mapping: None,
        pace_keys: None,
    })
}

fn select_application<T: CardTransport>(session: &mut Session<T>) -> Result<(), TerminalError> {
    let status = session.transmit(&commands::select_lds1())?.status;
    let step = "SELECT of the LDS1 application";
    if status.is_ok() { Ok(()) } else { Err(TerminalError::Refused { step, status }) }
}

#[cfg(test)]
mod tests;
