//! Passive Authentication (ICAO 9303-11 §5.1): security object, signature, document signer, chain to
//! an anchor, revocation, hashes of the data groups.

mod broken;
mod chain;
mod signature;
mod signers;
mod states;

use std::collections::BTreeSet;
use std::sync::Arc;

use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use signers::SignerCache;

use super::{Check, CheckId, DocumentFiles, Evidence, Inspection, Material};
use crate::lds::sod::{LDS_SECURITY_OBJECT_TYPES, LdsSecurityObject, Sod};
use crate::lds::{
    CardSecurity, CheckedSigner, DgNumber, FileId, LdsError, SECURITY_OBJECT, SignedData,
    SignedDataFault,
};
use crate::trust::DefectKind;

/// The checks, and which data groups a trusted security object binds.
pub(super) struct PassiveAuthentication {
    pub(super) checks: Vec<Check>,
    pub(super) material: Arc<Material>,
    /// The LDS security object, wherever it can be decoded, however wrong EF.SOD is otherwise.
    pub(super) object: Option<LdsSecurityObject>,
    bound: BTreeSet<u8>,
    /// What lists of defects say of documents like this one.
    defects: Vec<DefectKind>,
}

impl PassiveAuthentication {
    /// The check of a chip's proof; one by keys that are known to be compromised proves nothing.
    pub(super) fn doubt(&self, check: Check) -> Check {
        let compromised = match check.id {
            CheckId::ChipAa => DefectKind::ActiveAuthenticationKeyCompromised,
            CheckId::ChipCa | CheckId::ChipPaceCam => DefectKind::ChipAuthenticationKeyCompromised,
            _ => return check,
        };
        if check.has_passed() && self.defects.contains(&compromised) {
            Check::skipped(check.id, "chip_key_compromised")
        } else {
            check
        }
    }

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
pub(super) fn check(
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
    signers: &SignerCache<'_>,
) -> PassiveAuthentication {
    let sod = match read(files) {
        Ok(sod) => sod,
        Err(failed) => return unusable(failed, None),
    };
    let (decoded, found) = (sod.security_object(), sod.checked_signer(&LDS_SECURITY_OBJECT_TYPES));
    let (object, hash) = match examine(decoded.as_ref(), found.as_ref().err()) {
        Ok(parts) => parts,
        Err(failed) => return unusable(failed, decoded.ok()),
    };
    let structure = Evidence::new("version", object.version)
        .and("hash_algorithm", hash.name())
        .and("data_groups", object.hashes.iter().map(|(n, _)| *n).collect::<Vec<_>>());
    let trailing = files.trailing_of([FileId::SOD]);
    let mut checks = vec![passed_unless_trailing(CheckId::PaSodStructure, structure, trailing)];
    let (id, signed) = (CheckId::PaSodSignature, Signed::new(&sod, &found));
    let (verified, signer) = signature::check(id, found, signers, inspection.policy);
    checks.push(verified);
    let defects = chain::known_defects(signed, signer.as_deref(), files, inspection);
    checks.extend(chain::check(signed, signer.as_deref(), &defects, files, inspection, signers));
    let (hashes, bound) = check_hashes(files, object, hash);
    checks.push(hashes.under(inspection.policy.data_group_hash(hash)));
    let material = signer.map(|signer| signer.material.clone()).unwrap_or_default();
    let defects = defects.iter().map(|defect| defect.kind).collect();
    PassiveAuthentication { checks, material, object: decoded.ok(), bound, defects }
}

/// What there is to say where the security object cannot be used.
fn unusable(failed: Check, object: Option<LdsSecurityObject>) -> PassiveAuthentication {
    let mut checks = vec![failed];
    checks.extend(AFTER_STRUCTURE.map(|id| Check::skipped(id, "sod_unusable")));
    let (material, bound) = (Arc::default(), BTreeSet::new());
    PassiveAuthentication { checks, material, object, bound, defects: Vec::new() }
}

/// A signed object with the time that it was signed at, where it says so.
#[derive(Clone, Copy)]
struct Signed<'a> {
    data: &'a SignedData,
    at: Option<Timestamp>,
}

impl<'a> Signed<'a> {
    fn new(data: &'a SignedData, signer: &Result<CheckedSigner<'_>, SignedDataFault>) -> Self {
        let at = signer.as_ref().ok().and_then(|signer| signer.attributes.signing_timestamp());
        Self { data, at }
    }
}

/// `pa.card_security`: the signature of EF.CardSecurity, by the rules and up to the anchors of
/// EF.SOD (ICAO 9303-11 §9.2.11); gives the file where it can be read. The infos in it are the
/// issuer's only where the check has passed.
pub(super) fn check_card_security(
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
    signers: &SignerCache<'_>,
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
    let found = file.signed_data.checked_signer(&[SECURITY_OBJECT]);
    let signed = Signed::new(&file.signed_data, &found);
    let (verified, signer) = signature::check(id, found, signers, inspection.policy);
    let mut steps = vec![verified];
    if signer.is_some() {
        let signer = signer.as_deref();
        let defects = chain::known_defects(signed, signer, files, inspection);
        let chain = chain::check(signed, signer, &defects, files, inspection, signers);
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

/// What is wrong with the structure of the security object.
fn fail(code: &'static str, detail: String) -> Check {
    Check::failed(CheckId::PaSodStructure, code, Evidence::new("error", detail))
}

/// Reads the security object.
fn read(files: &DocumentFiles) -> Result<Sod, Check> {
    let Some(bytes) = files.files.get(&FileId::SOD) else {
        return Err(match files.unreadable.get(&FileId::SOD) {
            Some(error) => fail("sod_malformed", error.clone()),
            None => fail("sod_missing", "EF.SOD could not be read".to_owned()),
        });
    };
    Sod::decode(bytes).map_err(|e| fail("sod_malformed", e.to_string()))
}

/// All that must be right about the structure of the security object; gives its hash function too.
fn examine<'a>(
    decoded: Result<&'a LdsSecurityObject, &LdsError>,
    fault: Option<&SignedDataFault>,
) -> Result<(&'a LdsSecurityObject, HashAlgorithm), Check> {
    let id = CheckId::PaSodStructure;
    if let Some(fault) = fault.filter(|fault| signature::is_structural(fault)) {
        return Err(fail(signature::reason(fault), fault.to_string()));
    }
    let object = decoded.map_err(|e| fail("lds_object_malformed", e.to_string()))?;
    let versions_fit = match object.version {
        0 => object.lds_version.is_none(),
        1 => object.lds_version.is_some(),
        _ => false,
    };
    if !versions_fit {
        return Err(fail("lds_object_version", format!("version {}", object.version)));
    }
    let Some(hash) = HashAlgorithm::from_oid(&object.hash_algorithm) else {
        let oid = object.hash_algorithm;
        let evidence = Evidence::new("error", format!("hash algorithm {oid}"));
        return Err(if broken::is_broken(&oid) {
            Check::failed(id, "algorithm_broken", evidence)
        } else {
            Check::unsupported(id, "hash_algorithm_unsupported", evidence)
        });
    };
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
    if !seen.contains(&1) {
        return Err(fail("dg1_not_signed", "no hash of data group 1".to_owned()));
    }
    Ok((object, hash))
}

/// Compares the hashes with those of the files as they were read.
fn check_hashes(
    files: &DocumentFiles,
    object: &LdsSecurityObject,
    hash: HashAlgorithm,
) -> (Check, BTreeSet<u8>) {
    let id = CheckId::PaHashes;
    let mut right = BTreeSet::new();
    // What is wrong with which data groups, the gravest reason first.
    let mut faults =
        ["dg_hash_mismatch", "dg_not_in_sod", "dg_unreadable", "dg_denied", "dg_missing"]
            .map(|code| (code, Vec::new()));
    let [wrong, unsigned, unreadable, denied, missing] = &mut faults;
    let (mut protected, mut recorded) = (Vec::new(), Vec::new());
    for number in DgNumber::all() {
        let file = number.file();
        let Some(expected) = object.hash_of(number) else {
            if files.files.contains_key(&file) {
                unsigned.1.push(number.to_string());
            }
            continue;
        };
        if let Some(left_out) = files.left_out.get(&file) {
            let list = if left_out.hash == expected { &mut recorded } else { &mut wrong.1 };
            list.push(number.to_string());
            continue;
        }
        match files.files.get(&file) {
            Some(bytes) if hash.digest(bytes) == expected => {
                right.insert(number.get());
            }
            Some(_) => wrong.1.push(number.to_string()),
            None if files.unreadable.contains_key(&file) => unreadable.1.push(number.to_string()),
            // Fingerprints and irises are for terminals with a right to them; nothing else is.
            None if files.protected.contains(&file) && matches!(number.get(), 3 | 4) => {
                protected.push(number.to_string());
            }
            None if files.protected.contains(&file) => denied.1.push(number.to_string()),
            None => missing.1.push(number.to_string()),
        }
    }
    let check = match faults.into_iter().find(|(_, groups)| !groups.is_empty()) {
        Some((code, groups)) => Check::failed(id, code, Evidence::new("data_groups", groups)),
        None => {
            let evidence = Evidence::new("matching", right.iter().copied().collect::<Vec<u8>>())
                .and("algorithm", hash.name())
                .and("weak", hash == HashAlgorithm::Sha1)
                .and("not_read", protected);
            let trailing = files.trailing_of(DgNumber::all().map(DgNumber::file));
            if recorded.is_empty() {
                passed_unless_trailing(id, evidence, trailing)
            } else {
                Check::warned(id, "recorded_hashes", evidence.and("recorded", recorded))
            }
        }
    };
    (check, right)
}

/// A check that holds, with a warning where bytes stand after the files that it is about: they are
/// not hashed, nobody signed them.
fn passed_unless_trailing(id: CheckId, evidence: Evidence, trailing: Map<String, Value>) -> Check {
    if trailing.is_empty() {
        Check::passed(id, evidence)
    } else {
        Check::warned(id, "trailing_bytes", evidence.and("trailing", trailing))
    }
}
