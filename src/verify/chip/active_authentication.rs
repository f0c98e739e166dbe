//! `chip.aa` (ICAO 9303-11 §6.1).

use super::{ChipEvidence, ChipOutcome};
use crate::error::ErrorCode;
use crate::lds::{SecurityInfos, decode_dg15};
use crate::terminal::active_authentication::ActiveAuthenticationError;
use crate::verify::{Check, CheckId, Evidence, Policy};

pub(super) fn check(
    chip: &ChipEvidence,
    dg15: Option<&[u8]>,
    dg14: Option<&SecurityInfos>,
    bound: bool,
    policy: &Policy,
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
            return Check::failed(id, "active_authentication_failed", evidence);
        }
        ChipOutcome::Answered(evidence) => evidence,
    };
    let algorithm = dg14.and_then(SecurityInfos::active_authentication_algorithm);
    let hash = match evidence.verify(&key, algorithm) {
        Ok(hash) => hash,
        Err(error @ ActiveAuthenticationError::UnknownAlgorithm) => {
            let evidence = Evidence::new("error", error.to_string());
            return Check::unsupported(id, error.code(), evidence);
        }
        Err(error) => {
            return Check::failed(id, error.code(), Evidence::new("error", error.to_string()));
        }
    };
    let facts =
        Evidence::new("key", key.description()).and("hash", hash.name()).and("bound_by_sod", bound);
    if bound {
        Check::passed(id, facts).under(policy.active_authentication(&key, hash))
    } else {
        Check::skipped_with(id, "key_not_bound", facts)
    }
}
