//! `chip.pace_cam`: PACE with Chip Authentication Mapping (ICAO 9303-11 §4.4.3.5).
//!
//! The static key is taken from EF.CardSecurity, whose signature must lead to an anchor. By ICAO
//! 9303-11 §4.4.3.5.2 that is enough. But it says that the issuer made the key, not whose document it
//! belongs to: with a key taken out of one chip every document of the issuer could be copied, and
//! what one chip answered could be put beside the files of another. So the key must be one of DG14,
//! which the security object binds, or one of DG14 must have been proved besides, as every chip can
//! that has Chip Authentication in its application; otherwise the proof is left open, not failed.

use cancuoc_primitives::group::PublicElement;

use super::ChipEvidence;
use super::chip_authentication::static_keys;
use crate::error::ErrorCode;
use crate::lds::{CardSecurity, Mapping, PublicKey, SecurityInfos};
use crate::terminal::pace::{ChipAuthenticationMappingError, verify_cam};
use crate::verify::{Check, CheckId, DocumentFiles, Evidence, Policy};

/// Where static keys of the chip may stand.
pub(super) struct StaticKeys<'a> {
    pub card_security: Option<&'a CardSecurity>,
    /// Whether the signature of EF.CardSecurity leads to an anchor.
    pub trusted: bool,
    pub dg14: Option<&'a SecurityInfos>,
    /// Whether the chip has proved a key of DG14 that the security object binds.
    pub chip_authentication_passed: bool,
}

pub(super) fn check(
    chip: &ChipEvidence,
    files: &DocumentFiles,
    known: &StaticKeys<'_>,
    policy: &Policy,
) -> Check {
    let id = CheckId::ChipPaceCam;
    let Some(evidence) = &chip.chip_authentication_mapping else {
        return Check::skipped(id, reason_for_none(chip, files));
    };
    let Some(card_security) = known.card_security else {
        return Check::skipped(id, "card_security_not_read");
    };
    let keys = match static_keys(&card_security.infos) {
        Ok(keys) => keys,
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string()).and("file", "EF.CardSecurity");
            return Check::failed(id, error.code(), evidence);
        }
    };
    let mut fault = ChipAuthenticationMappingError::Domain;
    let mut proven = None;
    for key in keys {
        // Chip Authentication Mapping is defined over curves only.
        let PublicElement::Ec(point) = &key else { continue };
        match verify_cam(evidence, &PublicKey::Ec(point.clone())) {
            Ok(()) => proven = proven.or(Some(key)),
            Err(ChipAuthenticationMappingError::Domain) => {}
            Err(error) => fault = error,
        }
    }
    let Some(key) = proven else {
        return Check::failed(id, fault.code(), Evidence::new("error", fault.to_string()));
    };
    let document_keys = known.dg14.and_then(|dg14| static_keys(dg14).ok()).unwrap_or_default();
    let in_dg14 = document_keys.contains(&key);
    let parameters = key.domain_parameters();
    let facts = Evidence::new("curve", parameters.name())
        .and("bound_by_card_security", known.trusted)
        .and("key_in_dg14", in_dg14);
    if !known.trusted {
        return Check::skipped_with(id, "key_not_bound", facts);
    }
    if !in_dg14 && !known.chip_authentication_passed {
        return Check::skipped_with(id, "cam_key_of_no_document", facts);
    }
    Check::passed(id, facts).under(policy.static_key(&parameters))
}

/// Why there is no evidence.
fn reason_for_none(chip: &ChipEvidence, files: &DocumentFiles) -> &'static str {
    let infos = files.card_access.as_deref();
    let infos = infos.and_then(|bytes| SecurityInfos::decode("EF.CardAccess", bytes).ok());
    let offered = infos.is_some_and(|infos| {
        infos.pace().any(|info| info.protocol.mapping == Mapping::ChipAuthentication)
    });
    match (offered, &chip.access) {
        (false, _) => "not_offered",
        (true, None) => "no_chip",
        (true, Some(_)) => "not_used",
    }
}
