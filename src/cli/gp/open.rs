//! Opens the issuer domain of a card: with keys as they are or derived, and not after a failure.

use super::super::attempts::Attempt;
use super::super::card_keys::CardKeys;
use super::super::{Context, ExitStatus, Failure, personalize};
use crate::globalplatform::diagnosis::InitializeAnswer;
use crate::globalplatform::diversification::{CardData, Diversification};
use crate::globalplatform::link::Link;
use crate::globalplatform::session::{self, CardIdentity, CardNumbers};
use crate::globalplatform::{GlobalPlatformError, KeySet};

/// Selects the issuer domain and asks what it gives to anybody.
pub(in super::super) fn identify(link: &mut Link<'_>) -> Result<CardIdentity, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    session::select_issuer_domain(link).map_err(fail)?;
    session::identify(link).map_err(fail)
}

/// Opens a session with the keys of the command line. One try, and none after a failed one.
pub(in super::super) fn authenticate(
    context: &Context,
    arguments: &CardKeys,
    link: &mut Link<'_>,
) -> Result<CardIdentity, Failure> {
    let identity = identify(link)?;
    let keys = card_keys(context, arguments, link, &identity)?;
    let attempt = Attempt::begin(context, arguments, &identity)?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let result = session::authenticate(link, &keys, None, &mut random);
    attempt.end(result.as_ref().err())?;
    result.map_err(|error| personalize::card_failure(&error))?;
    Ok(identity)
}

/// The keys of this card: those given, or derived from them where a derivation is named.
pub(in super::super) fn card_keys(
    context: &Context,
    arguments: &CardKeys,
    link: &mut Link<'_>,
    identity: &CardIdentity,
) -> Result<KeySet, Failure> {
    let keys = arguments.required(context)?;
    match arguments.derivation() {
        None => Ok(keys),
        Some(derivation) => derive(link, identity, &keys, derivation),
    }
}

/// Derives the keys of this card from master keys. The card is asked for its diversification data;
/// no key is tried.
pub(super) fn derive(
    link: &mut Link<'_>,
    identity: &CardIdentity,
    masters: &KeySet,
    derivation: &Diversification,
) -> Result<KeySet, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let numbers = session::card_numbers(link).map_err(fail)?;
    let begun = session::begin(link, 0, &mut random).map_err(fail)?;
    let status = begun.answer.status;
    if !status.is_ok() {
        return Err(fail(GlobalPlatformError::Refused { command: "INITIALIZE UPDATE", status }));
    }
    let answer = InitializeAnswer::parse(&begun.answer.data).map_err(fail)?;
    let card = card_data(identity, &numbers, &answer);
    derivation
        .derive_set(masters, &card)
        .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))
}

/// What tells this card from others.
pub(super) fn card_data<'a>(
    identity: &'a CardIdentity,
    numbers: &'a CardNumbers,
    answer: &'a InitializeAnswer,
) -> CardData<'a> {
    CardData {
        diversification: Some(answer.diversification()),
        production: identity.production.as_ref().map(|cplc| cplc.raw.as_slice()),
        issuer_number: numbers.issuer.as_deref(),
        card_number: numbers.card.as_deref(),
    }
}
