//! `chip.ca` (ICAO 9303-11 §6.2).

use cancuoc_primitives::group::PublicElement;

use super::{ChipEvidence, ChipOutcome};
use crate::error::ErrorCode;
use crate::lds::{PublicKey, PublicKeyError, SecurityInfos};
use crate::terminal::public_key::group_element;
use crate::verify::{Check, CheckId, Evidence, Policy};

pub(super) fn check(
    chip: &ChipEvidence,
    dg14: Option<&SecurityInfos>,
    bound: bool,
    policy: &Policy,
) -> Check {
    let id = CheckId::ChipCa;
    let Some(infos) = dg14 else { return Check::skipped(id, "not_offered") };
    if infos.chip_authentication_keys().next().is_none() {
        return Check::skipped(id, "not_offered");
    }
    // Whatever the session did: a key that is none is no issuer's.
    let keys = match static_keys(infos) {
        Ok(keys) => keys,
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string()).and("file", "EF.DG14");
            return Check::failed(id, error.code(), evidence);
        }
    };
    let evidence = match &chip.chip_authentication {
        ChipOutcome::NotTried => return Check::skipped(id, "no_chip"),
        ChipOutcome::LeftOut => return Check::skipped(id, "proof_left_out"),
        ChipOutcome::Unsupported(what) => {
            return Check::unsupported(
                id,
                "protocol_unsupported",
                Evidence::new("what", what.clone()),
            );
        }
        ChipOutcome::Refused(why) => {
            let evidence = Evidence::new("answer", why.clone());
            return Check::failed(id, "chip_authentication_failed", evidence);
        }
        ChipOutcome::Answered(evidence) => evidence,
    };
    // The key is taken from the file that the security object binds, not from the session.
    let Some(key) = keys.iter().find(|key| evidence.proves_possession_of(key)) else {
        let evidence = Evidence::new("key", "no key of DG14 fits the answer");
        return Check::failed(id, "chip_authentication_failed", evidence);
    };
    let parameters = key.domain_parameters();
    let cipher = evidence.parameters.cipher;
    let facts = Evidence::new("curve", parameters.name())
        .and("cipher", cipher.name())
        .and("bound_by_sod", bound);
    if bound {
        Check::passed(id, facts).under(policy.chip_authentication(cipher, &parameters))
    } else {
        Check::skipped_with(id, "key_not_bound", facts)
    }
}

/// The static keys that can be used here, each validated: in its group, not the identity. Keys of
/// unknown algorithms and curves are passed over; a malformed or invalid one is an error.
pub(super) fn static_keys(infos: &SecurityInfos) -> Result<Vec<PublicElement>, PublicKeyError> {
    let mut keys = Vec::new();
    for info in infos.chip_authentication_keys() {
        match PublicKey::from_spki_der(&info.spki) {
            Ok((key, _)) => keys.extend(group_element(&key)),
            Err(
                PublicKeyError::Algorithm(_)
                | PublicKeyError::Curve(_)
                | PublicKeyError::Standardised(_),
            ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(keys)
}
