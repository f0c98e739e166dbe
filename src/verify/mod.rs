//! The inspection procedure: from the bytes of a document to checks with evidence, and from those
//! to a verdict (ICAO 9303-11, BSI TR-03135).

mod check;
mod chip;
mod consistency;
mod passive_authentication;
mod policy;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use check::{Check, CheckId, Evidence, Requirements, Status, Verdict};
pub use chip::{AccessOutcome, ChipEvidence, ChipOutcome};
pub use consistency::Expected;
pub use policy::{
    AccessRules, ActiveAuthenticationAlgorithm, ActiveAuthenticationRules, ChipAuthenticationRules,
    ChipProof, ExpiredDocument, PassiveAuthenticationRules, Policy, PolicyError, Refusal, SCHEMA,
    TerminalAuthenticationRules, VerdictRules,
};

use crate::lds::FileId;
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
}

impl Report {
    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.checks, &self.requirements)
    }
}

/// Inspects a document: its files, and what its chip answered.
#[must_use]
pub fn inspect(files: &DocumentFiles, chip: &ChipEvidence, inspection: &Inspection<'_>) -> Report {
    let policy = inspection.policy;
    let mut checks = chip::access_checks(chip, policy);
    let passive = passive_authentication::check(files, inspection);
    let (card_security_check, card_security) =
        passive_authentication::check_card_security(files, inspection);
    // Keys of the chip count only where a trusted signature binds them.
    checks.extend(chip::authentication_checks(
        files,
        chip,
        &passive,
        card_security.as_ref(),
        card_security_check.has_passed(),
        policy,
    ));
    checks.extend(passive.checks);
    checks.push(card_security_check);
    checks.extend(consistency::check(files, chip, card_security.as_ref(), inspection));
    Report { checks, requirements: inspection.policy.requirements() }
}

#[cfg(test)]
mod tests;
