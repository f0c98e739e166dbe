//! The inspection procedure: from the bytes of a document to checks with evidence, and from those
//! to a verdict (ICAO 9303-11, BSI TR-03135).

mod check;
mod chip;
mod consistency;
mod passive_authentication;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use check::{Check, CheckId, Evidence, Status, Verdict};
pub use chip::{AccessOutcome, ChipEvidence, ChipOutcome};
pub use consistency::Expected;

use crate::lds::FileId;
use crate::trust::TrustStore;

/// What was read of a document, as bytes.
#[derive(Debug, Clone, Default)]
pub struct DocumentFiles {
    /// Files of the LDS1 application.
    pub files: BTreeMap<FileId, Vec<u8>>,
    /// EF.CardAccess.
    pub card_access: Option<Vec<u8>>,
    /// Files that are there but protected: DG3 and DG4 without Terminal Authentication.
    pub protected: Vec<FileId>,
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
}

/// The result: all checks, and the verdict that follows from them.
#[derive(Debug, Clone)]
pub struct Report {
    /// The checks in the order of the procedure.
    pub checks: Vec<Check>,
}

impl Report {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.checks)
    }
}

/// Inspects a document: its files, and what its chip answered.
#[must_use]
pub fn inspect(files: &DocumentFiles, chip: &ChipEvidence, inspection: &Inspection<'_>) -> Report {
    let mut checks = chip::access_checks(chip);
    let passive = passive_authentication::check(files, inspection);
    // Keys of the chip count only where the security object binds them.
    checks.extend(chip::authentication_checks(files, chip, &passive));
    checks.extend(passive.checks);
    checks.extend(consistency::check(files, chip, inspection));
    Report { checks }
}

#[cfg(test)]
mod tests;
