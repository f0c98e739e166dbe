//! The inspection procedure: from the bytes of a document to checks with evidence, and from those
//! to a verdict (ICAO 9303-11, BSI TR-03135).

mod check;
mod chip;
mod consistency;
pub mod evidence;
mod passive_authentication;
mod policy;
mod reading;
pub mod reasons;

use std::collections::BTreeMap;
use std::sync::Arc;

use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;
use serde_json::{Map, Value};

pub use check::{Check, CheckId, Evidence, Requirements, Status, Verdict};
pub use chip::{AccessOutcome, ChipEvidence, ChipOutcome, TerminalOutcome};
pub use consistency::Expected;
pub use passive_authentication::SignerCache;
pub use policy::{
    AccessRules, ActiveAuthenticationAlgorithm, ActiveAuthenticationRules, ChipAuthenticationRules,
    ChipProof, EvidenceRules, ExpiredDocument, PassiveAuthenticationRules, Policy, PolicyError,
    Refusal, SCHEMA, TerminalAuthenticationRules, VerdictRules,
};

use crate::apdu::tlv::Reader;
use crate::lds::{DgNumber, FileId};
use crate::trust::TrustStore;

/// What was read of a document, as bytes.
#[derive(Debug, Clone, Default)]
pub struct DocumentFiles {
    /// Files of the LDS1 application.
    pub files: BTreeMap<FileId, Vec<u8>>,
    /// EF.CardAccess.
    pub card_access: Option<Vec<u8>>,
    /// EF.CardSecurity.
    pub card_security: Option<Vec<u8>>,
    /// Files that are there but protected: DG3 and DG4 without Terminal Authentication.
    pub protected: Vec<FileId>,
    /// Files that are there but could not be read to their end, with what was wrong.
    pub unreadable: BTreeMap<FileId, String>,
    /// How many bytes stand after the data object of a file. They are no part of the file's
    /// content: nobody signed them.
    pub trailing: BTreeMap<FileId, usize>,
    /// Files that were read, but whose content an evidence file leaves out.
    pub left_out: BTreeMap<FileId, LeftOut>,
    /// Characters 3 to 5 of the MRZ, fillers included, where DG1 is left out.
    pub issuing_state: Option<[u8; 3]>,
    /// Revocation lists that came with the files. They count only where an anchor signed them.
    pub revocation_lists: Vec<Vec<u8>>,
}

/// What is kept of a file whose content is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Bytes of its content.
    pub length: usize,
    /// Hash function.
    pub algorithm: HashAlgorithm,
    /// Hash of its content.
    pub hash: Vec<u8>,
}

impl DocumentFiles {
    /// Takes a file of the LDS1 application as it stands on the card or in a folder: the data
    /// object that it starts with is its content, which is hashed as it is; bytes after that are
    /// counted.
    pub fn insert(&mut self, file: FileId, bytes: Vec<u8>) {
        let whole = bytes.len();
        let content = Self::content_of(bytes);
        if content.len() < whole {
            self.trailing.insert(file, whole - content.len());
        }
        self.files.insert(file, content);
    }

    /// The content of a file as it stands on a card: the data object that it starts with, or all of
    /// it where it starts with no whole one. A file may be longer than its content.
    #[must_use]
    pub fn content_of(mut bytes: Vec<u8>) -> Vec<u8> {
        if let Ok(object) = Reader::new(&bytes).read() {
            let length = object.raw.len();
            bytes.truncate(length);
        }
        bytes
    }

    /// The content of a data group.
    fn data_group(&self, number: u8) -> Option<&[u8]> {
        let number = DgNumber::new(number)?;
        self.files.get(&number.file()).map(Vec::as_slice)
    }

    /// Bytes after the content of these files, by the name of each.
    fn trailing_of(&self, files: impl IntoIterator<Item = FileId>) -> Map<String, Value> {
        let found =
            files.into_iter().filter_map(|f| Some((f.name(), (*self.trailing.get(&f)?).into())));
        found.collect()
    }
}

/// What a verifier brings along.
#[derive(Debug, Clone, Copy)]
pub struct Inspection<'a> {
    /// Anchors and revocation lists.
    pub trust: &'a TrustStore,
    /// The time to judge validity at.
    pub now: Timestamp,
    /// What is known of the document from outside the chip.
    pub expected: &'a Expected,
    /// What is accepted.
    pub policy: &'a Policy,
}

/// The result: all checks, and the verdict that follows from them.
#[derive(Debug, Clone)]
pub struct Report {
    /// The checks in the order of the procedure.
    pub checks: Vec<Check>,
    /// What the policy asks of a genuine document.
    pub requirements: Requirements,
    /// Certificates and revocation lists that the verdict rests on, besides those in the files.
    pub material: Arc<Material>,
}

/// What a verdict rests on besides the document's own files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Material {
    /// Certificates of country signing CAs in DER.
    pub certificates: Vec<Vec<u8>>,
    /// Their revocation lists in DER.
    pub revocation_lists: Vec<Vec<u8>>,
}

impl Report {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.checks, &self.requirements)
    }

    /// The checks that say something which whoever is told the verdict must be told too, whatever
    /// it is.
    pub fn warnings(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.warns())
    }

    /// What `genuine` still takes, where nothing failed: of each group one check must hold. An
    /// empty group cannot be met: the policy looks at integrity alone.
    #[must_use]
    pub fn wanting(&self) -> Vec<Vec<CheckId>> {
        check::wanting(&self.checks, &self.requirements)
    }
}

/// Inspects a document: its files, and what its chip answered.
#[must_use]
pub fn inspect(files: &DocumentFiles, chip: &ChipEvidence, inspection: &Inspection<'_>) -> Report {
    inspect_cached(files, chip, inspection, &SignerCache::new(inspection.trust))
}

/// The same for one of many documents: what the trust store says of a document signer is found out
/// once. A cache of another trust store than the inspection's is not used.
#[must_use]
pub fn inspect_cached(
    files: &DocumentFiles,
    chip: &ChipEvidence,
    inspection: &Inspection<'_>,
    signers: &SignerCache<'_>,
) -> Report {
    if !std::ptr::eq(signers.trust(), inspection.trust) {
        return inspect(files, chip, inspection);
    }
    let policy = inspection.policy;
    let mut checks = chip::access_checks(chip, policy);
    let passive = passive_authentication::check(files, inspection, signers);
    let material = passive.material.clone();
    let (card_security_check, card_security) =
        passive_authentication::check_card_security(files, inspection, signers);
    // Keys of the chip count only where a trusted signature binds them.
    let proofs = chip::authentication_checks(
        files,
        chip,
        &passive,
        card_security.as_ref(),
        card_security_check.has_passed(),
        policy,
    );
    checks.extend(proofs.into_iter().map(|proof| passive.doubt(proof)));
    checks.push(chip::terminal_check(chip));
    checks.extend(passive.checks);
    checks.push(card_security_check);
    checks.extend(consistency::check(
        files,
        chip,
        passive.object.as_ref(),
        card_security.as_ref(),
        inspection,
    ));
    Report { checks, requirements: inspection.policy.requirements(), material }
}

/// Passive Authentication alone, of one of many documents: neither the chip's answers nor what the
/// data say is looked at, so that no document is genuine by it.
#[must_use]
pub fn inspect_passively(
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
    signers: &SignerCache<'_>,
) -> Report {
    if !std::ptr::eq(signers.trust(), inspection.trust) {
        return inspect_passively(files, inspection, &SignerCache::new(inspection.trust));
    }
    let passive = passive_authentication::check(files, inspection, signers);
    let (card_security, _) =
        passive_authentication::check_card_security(files, inspection, signers);
    let mut made = passive.checks;
    made.push(card_security);
    made.push(consistency::com_sod(files, passive.object.as_ref()));
    let checks = CheckId::OF_A_DOCUMENT.iter().map(|id| {
        let place = made.iter().position(|check| check.id == *id);
        place.map_or_else(|| Check::skipped(*id, "not_asked"), |place| made.swap_remove(place))
    });
    let checks = checks.collect();
    Report { checks, requirements: inspection.policy.requirements(), material: passive.material }
}

#[cfg(test)]
mod tests;
