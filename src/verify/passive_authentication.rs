//! Passive Authentication (ICAO 9303-11 §5.1): security object, signature, document signer, chain to
//! an anchor, revocation, hashes of the data groups.

mod chain;
mod signature;
mod states;

use std::collections::BTreeSet;

use cancuoc_primitives::hash::HashAlgorithm;
use serde_json::Value;

use super::{Check, CheckId, DocumentFiles, Evidence, Inspection};
use crate::error::ErrorCode;
use crate::lds::sod::{LDS_SECURITY_OBJECT_TYPES, LdsSecurityObject, Sod};
use crate::lds::{CardSecurity, DgNumber, FileId, SECURITY_OBJECT};

/// The checks, and which data groups a trusted security object binds.
pub(super) struct PassiveAuthentication {
    pub(super) checks: Vec<Check>,
    bound: BTreeSet<u8>,
}

impl PassiveAuthentication {
    /// Whether a trusted security object has the hash of this data group as it was read.
    pub(super) fn binds(&self, number: u8) -> bool {
        let trusted = [CheckId::PaSodSignature, CheckId::PaDsCertificate, CheckId::PaChain];
        let passed = |id: &CheckId| self.checks.iter().any(|c| c.id == *id && c.has_passed());
        trusted.iter().all(passed) && self.bound.contains(&number)
    }
}

const AFTER_STRUCTURE: [CheckId; 5] = [
    CheckId::PaSodSignature,
    CheckId::PaDsCertificate,
    CheckId::PaChain,
    CheckId::PaRevocation,
    CheckId::PaHashes,
];

/// Makes all checks.
pub(super) fn check(files: &DocumentFiles, inspection: &Inspection<'_>) -> PassiveAuthentication {
    let (sod, object, hash) = match read(files) {
        Ok(parts) => parts,
        Err(failed) => {
            let mut checks = vec![failed];
            checks.extend(AFTER_STRUCTURE.map(|id| Check::skipped(id, "sod_unusable")));
            return PassiveAuthentication { checks, bound: BTreeSet::new() };
        }
    };
    let structure = Evidence::new("version", object.version)
        .and("hash_algorithm", hash.name())
        .and("data_groups", object.hashes.iter().map(|(n, _)| *n).collect::<Vec<_>>());
    let mut checks = vec![Check::passed(CheckId::PaSodStructure, structure)];
    let (signed, certificate) = signature::check(
        CheckId::PaSodSignature,
        &sod,
        &LDS_SECURITY_OBJECT_TYPES,
        inspection.policy,
    );
    checks.push(signed);
    checks.extend(chain::check(&sod, certificate.as_ref(), files, inspection));
    let (hashes, bound) = check_hashes(files, &object, hash);
    checks.push(hashes.under(inspection.policy.data_group_hash(hash)));
    PassiveAuthentication { checks, bound }
}

/// `pa.card_security`: the signature of EF.CardSecurity, by the rules and up to the anchors of
/// EF.SOD (ICAO 9303-11 §9.2.11); gives the file where it can be read. The infos in it are the
/// issuer's only where the check has passed.
pub(super) fn check_card_security(
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
) -> (Check, Option<CardSecurity>) {
    let id = CheckId::PaCardSecurity;
    let Some(bytes) = &files.card_security else {
        return (Check::skipped(id, "not_offered"), None);
    };
    let file = match CardSecurity::decode(bytes) {
        Ok(file) => file,
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string());
            return (Check::failed(id, "card_security_malformed", evidence), None);
        }
    };
    let (signed, certificate) =
        signature::check(id, &file.signed_data, &[SECURITY_OBJECT], inspection.policy);
    let mut steps = vec![signed];
    if certificate.is_some() {
        let chain = chain::check(&file.signed_data, certificate.as_ref(), files, inspection);
        // Whether a revocation list is at hand is said once, beside EF.SOD.
        steps.extend(chain.into_iter().filter(|c| c.id != CheckId::PaRevocation || c.has_failed()));
    }
    (one_of(id, steps), Some(file))
}

/// The outcome of several steps as one check: the first that failed, else the first that could not
/// be made, else the first.
fn one_of(id: CheckId, steps: Vec<Check>) -> Check {
    let worst = steps
        .iter()
        .find(|step| step.has_failed())
        .or_else(|| steps.iter().find(|step| !step.has_passed()))
        .or_else(|| steps.first());
    match worst {
        Some(step) => Check { id, ..step.clone() },
        None => Check::skipped(id, "not_offered"),
    }
}

type Parts = (Sod, LdsSecurityObject, HashAlgorithm);

/// Reads the security object and all that must be right about its structure.
fn read(files: &DocumentFiles) -> Result<Parts, Check> {
    let id = CheckId::PaSodStructure;
    let fail = |code, detail: String| Check::failed(id, code, Evidence::new("error", detail));
    let Some(bytes) = files.files.get(&FileId::SOD) else {
        return Err(fail("sod_missing", "EF.SOD could not be read".to_owned()));
    };
    let sod = Sod::decode(bytes).map_err(|e| fail("sod_malformed", e.to_string()))?;
    if let Err(fault) = sod.checked_signer(&LDS_SECURITY_OBJECT_TYPES)
        && signature::is_structural(&fault)
    {
        return Err(fail(signature::reason(&fault), fault.to_string()));
    }
    let object = sod.security_object().map_err(|e| fail("lds_object_malformed", e.to_string()))?;
    let versions_fit = match object.version {
        0 => object.lds_version.is_none(),
        1 => object.lds_version.is_some(),
        _ => false,
    };
    if !versions_fit {
        return Err(fail("lds_object_version", format!("version {}", object.version)));
    }
    let hash = HashAlgorithm::from_oid(&object.hash_algorithm)
        .ok_or_else(|| fail("hash_algorithm_unsupported", object.hash_algorithm.to_string()))?;
    let mut seen = BTreeSet::new();
    for (number, value) in &object.hashes {
        if !(1..=16).contains(number) {
            return Err(fail("dg_number_invalid", format!("data group {number}")));
        }
        if !seen.insert(*number) {
            return Err(fail("dg_number_repeated", format!("data group {number}")));
        }
        if value.len() != hash.output_len() {
            return Err(fail("dg_hash_length", format!("data group {number}")));
        }
    }
    Ok((sod, object, hash))
}

/// Compares the hashes with those of the files as they were read.
fn check_hashes(
    files: &DocumentFiles,
    object: &LdsSecurityObject,
    hash: HashAlgorithm,
) -> (Check, BTreeSet<u8>) {
    let id = CheckId::PaHashes;
    let (mut right, mut wrong, mut missing) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut unread = Vec::new();
    for number in DgNumber::all() {
        let Some(expected) = object.hash_of(number) else { continue };
        match files.files.get(&number.file()) {
            Some(bytes) if hash.digest(bytes) == expected => {
                right.insert(number.get());
            }
            Some(_) => wrong.push(number.to_string()),
            None if files.protected.contains(&number.file()) => unread.push(number.to_string()),
            None => missing.push(number.to_string()),
        }
    }
    let read = files.files.keys().filter_map(|file| file.data_group());
    let unsigned: Vec<String> =
        read.filter(|n| object.hash_of(*n).is_none()).map(|n| n.to_string()).collect();
    let list = |names: &[String]| Value::from(names.to_vec());
    let check = if !wrong.is_empty() {
        Check::failed(id, "dg_hash_mismatch", Evidence::new("data_groups", list(&wrong)))
    } else if !unsigned.is_empty() {
        Check::failed(id, "dg_not_in_sod", Evidence::new("data_groups", list(&unsigned)))
    } else if !missing.is_empty() {
        Check::failed(id, "dg_missing", Evidence::new("data_groups", list(&missing)))
    } else {
        let evidence = Evidence::new("matching", right.iter().copied().collect::<Vec<u8>>())
            .and("algorithm", hash.name())
            .and("weak", hash == HashAlgorithm::Sha1)
            .and("not_read", list(&unread));
        Check::passed(id, evidence)
    };
    (check, right)
}

/// An error of the library as a failed check.
fn failed(id: CheckId, error: &dyn ErrorCode) -> Check {
    Check::failed(id, error.code(), Evidence::new("error", error.to_string()))
}
