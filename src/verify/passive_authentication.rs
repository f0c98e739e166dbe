//! Passive Authentication (ICAO 9303-11 §5.1): security object, signature, document signer, chain to
//! an anchor, revocation, hashes of the data groups.

mod chain;
mod signature;

use std::collections::BTreeSet;

use cancuoc_primitives::hash::HashAlgorithm;
use serde_json::Value;

use super::{Check, CheckId, DocumentFiles, Evidence, Inspection};
use crate::error::ErrorCode;
use crate::lds::sod::{LDS_SECURITY_OBJECT, LDS_SECURITY_OBJECT_LEGACY, LdsSecurityObject, Sod};
use crate::lds::{DgNumber, FileId};

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
    let (signed, certificate) = signature::check(&sod);
    checks.push(signed);
    checks.extend(chain::check(&sod, certificate.as_ref(), files, inspection));
    let (hashes, bound) = check_hashes(files, &object, hash);
    checks.push(hashes);
    PassiveAuthentication { checks, bound }
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
    if ![LDS_SECURITY_OBJECT, LDS_SECURITY_OBJECT_LEGACY].contains(&sod.content_type) {
        return Err(fail("sod_content_type", sod.content_type.to_string()));
    }
    match sod.signers.len() {
        0 => return Err(fail("sod_no_signer", "no SignerInfo".to_owned())),
        1 => {}
        n => return Err(fail("sod_several_signers", format!("{n} SignerInfos"))),
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
