//! Passive Authentication of archives: what it needs of an evidence file, and no more.

use jiff::Timestamp;

use super::decode::{RecordedStatus, without_facts};
use super::replay::{Recorded, finish};
use super::signature::{KnownSigner, SignedBy, require_signer, signed_line};
use super::{EvidenceError, InspectionRecord, Replay, ReplayOptions};
use crate::verify::{Inspection, SignerCache, Verdict, inspect_passively};

/// An evidence file that was read for Passive Authentication alone. All of it is read and must be as in
/// any evidence file; only the facts of the recorded checks are not kept.
#[derive(Debug, Clone)]
pub struct PassiveEvidence {
    /// Without its checks, which is why nobody else sees it.
    record: InspectionRecord,
    recorded: Vec<RecordedStatus>,
    signed_by: Option<SignedBy>,
}

impl PassiveEvidence {
    /// Reads a file, and verifies its signature where it has one.
    ///
    /// # Errors
    /// Those of [`EvidenceFile::decode`](super::signature::EvidenceFile::decode).
    pub fn decode(bytes: &[u8]) -> Result<Self, EvidenceError> {
        let (line, signed_by) = signed_line(bytes)?;
        let (record, recorded) = without_facts(line)?;
        Ok(Self { record, recorded, signed_by })
    }

    /// The verdict that it records.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        self.record.verdict
    }

    /// Asks for a signature by one of these keys, at a time when it was valid.
    ///
    /// # Errors
    /// Those of [`EvidenceFile::require_signer`](super::signature::EvidenceFile::require_signer).
    pub fn require_signer(&self, known: &[KnownSigner]) -> Result<(), EvidenceError> {
        require_signer(self.signed_by.as_ref(), self.record.time, known)
    }

    /// Verifies it again by Passive Authentication alone, whatever the options say of that.
    #[must_use]
    pub fn replay(&self, options: &ReplayOptions<'_>, signers: &SignerCache<'_>) -> Replay {
        let status = |id| {
            let mut all = self.recorded.iter();
            all.find(|(recorded, _)| *recorded == id).map(|(_, status)| *status)
        };
        let recorded = Recorded { record: &self.record, signed_by: self.signed_by.as_ref() };
        replay_passively(&recorded, &status, options, signers)
    }
}

/// Passive Authentication of a recorded document; `status` is how each check ended.
pub(super) fn replay_passively(
    recorded: &Recorded<'_>,
    status: &dyn Fn(crate::verify::CheckId) -> Option<&'static str>,
    options: &ReplayOptions<'_>,
    signers: &SignerCache<'_>,
) -> Replay {
    let record = recorded.record;
    let now: Timestamp = options.now.unwrap_or(record.time);
    let policy = options.policy.unwrap_or(&record.policy);
    let inspection = Inspection { trust: signers.trust(), now, expected: &record.expected, policy };
    let report = inspect_passively(&record.files, &inspection, signers);
    finish(report, now, recorded, status, options)
}
