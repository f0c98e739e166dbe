//! The evidence file: everything that a verdict rests on, so that it can be reached again later and
//! elsewhere, without the card.
//!
//! The file is a line of JSON, `cancuoc.evidence/1`, and where it is signed a second one,
//! `cancuoc.evidence-signature/1`, over the bytes of the first ([`signature`]).
//!
//! # What is in it, and what it proves
//!
//! Files as read; what the chip answered; the policy, the time and what was typed or scanned; the
//! certificates and revocation lists that were used; the verdict. It brings no trust: anchors come
//! from whoever verifies it again, and a revocation list in it counts only where an anchor signed it.
//!
//! *Active Authentication* is a signature of the chip: anybody can check it. *Chip Authentication*
//! is not: with the terminal's ephemeral private key, which is needed to check it again, the same
//! response can be made up without any chip; and the data of *PACE with Chip Authentication Mapping*
//! can be too. These prove something to whoever trusts the terminal that recorded them, which is
//! what its signature is for.
//!
//! Keeping the ephemeral key is safe for the card: it was used once, opens no chip, and is no part of
//! any other session. But who has it, the static key in DG14 and a recording of the radio link can
//! read what went over it after Chip Authentication. So it is kept only beside the same data in
//! plain, and left out where they are ([`InspectionRecord::redacted`]). Fingerprints and irises are
//! never kept, only their hashes.

mod decode;
mod encode;
mod error;
mod format;
mod passive;
mod replay;
pub mod signature;

use std::borrow::Cow;

use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;

pub use error::EvidenceError;
pub use passive::PassiveEvidence;
pub use replay::{Replay, ReplayOptions, replay};

use super::{
    Check, ChipEvidence, ChipOutcome, DocumentFiles, Expected, Inspection, LeftOut, Material,
    Policy, Report, Verdict,
};
use crate::lds::sod::Sod;
use crate::lds::{DgNumber, FileId, decode_dg1};

/// The schema of the file.
pub const SCHEMA: &str = "cancuoc.evidence/1";
/// The largest file read, in bytes: far more than all that a card can hold.
pub const MAX_LENGTH: usize = 24 << 20;

/// All that an inspection rests on, and what it found.
#[derive(Debug, Clone)]
pub struct InspectionRecord {
    /// Program and version that recorded it.
    pub program: String,
    /// The time it judged at.
    pub time: Timestamp,
    /// What was accepted.
    pub policy: Cow<'static, Policy>,
    /// What was known of the document from outside its chip.
    pub expected: Expected,
    /// The files.
    pub files: DocumentFiles,
    /// What the chip answered.
    pub chip: ChipEvidence,
    /// Certificates and revocation lists that were used.
    pub material: Material,
    /// What reading the card cost.
    pub session: Option<SessionFacts>,
    /// Whether personal data are left out.
    pub redacted: bool,
    /// The verdict.
    pub verdict: Verdict,
    /// The checks.
    pub checks: Vec<Check>,
}

/// What reading the card cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFacts {
    /// Command APDUs.
    pub apdus: u64,
    /// Bytes of command APDUs.
    pub sent_bytes: u64,
    /// Bytes of response APDUs.
    pub received_bytes: u64,
    /// Microseconds until the application was selected.
    pub access_micros: u64,
    /// Microseconds from then to the end.
    pub read_micros: u64,
}

/// What is left out always: fingerprints and irises.
const BIOMETRICS: [u8; 2] = [3, 4];
/// The data groups that hold nothing personal, and are needed to check the proofs of the chip.
const OF_THE_CHIP: [u8; 2] = [14, 15];

impl InspectionRecord {
    /// Records an inspection that was just made.
    #[must_use]
    pub fn new(
        files: &DocumentFiles,
        chip: &ChipEvidence,
        inspection: &Inspection<'_>,
        report: &Report,
    ) -> Self {
        let policy = match Policy::builtin_of(inspection.policy.to_toml()) {
            Some(policy) => Cow::Borrowed(policy),
            None => Cow::Owned(inspection.policy.clone()),
        };
        let mut record = Self {
            program: concat!("cancuoc ", env!("CARGO_PKG_VERSION")).to_owned(),
            time: inspection.now,
            policy,
            expected: inspection.expected.clone(),
            files: files.clone(),
            chip: chip.clone(),
            material: (*report.material).clone(),
            session: None,
            redacted: false,
            verdict: report.verdict(),
            checks: report.checks.clone(),
        };
        for number in BIOMETRICS {
            record.leave_out(number);
        }
        record
    }

    /// The same without personal data: of the data groups but DG14 and DG15 only the hashes, nothing
    /// that was typed or scanned, and not the exchange that proved Chip Authentication, for it can
    /// be decrypted with what is needed to check it.
    ///
    /// The hashes stay, and with them anybody can check a guess of the data.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        let state = self.files.data_group(1).and_then(|bytes| decode_dg1(bytes).ok());
        let state = state.and_then(|mrz| mrz.get(2..5)?.try_into().ok());
        self.files.issuing_state = state.or(self.files.issuing_state);
        for number in DgNumber::all().map(DgNumber::get).filter(|n| !OF_THE_CHIP.contains(n)) {
            self.leave_out(number);
        }
        self.expected = Expected { profile: self.expected.profile, ..Expected::default() };
        if matches!(self.chip.chip_authentication, ChipOutcome::Answered(_)) {
            self.chip.chip_authentication = ChipOutcome::LeftOut;
        }
        for check in &mut self.checks {
            check.forget(&PERSONAL_FACTS);
        }
        self.redacted = true;
        self
    }

    fn leave_out(&mut self, number: u8) {
        let Some(file) = DgNumber::new(number).map(DgNumber::file) else { return };
        let algorithm = self.hash_algorithm();
        if let Some(content) = self.files.files.remove(&file) {
            let left_out =
                LeftOut { length: content.len(), algorithm, hash: algorithm.digest(&content) };
            self.files.left_out.insert(file, left_out);
        }
    }

    /// The hash function of the security object.
    fn hash_algorithm(&self) -> HashAlgorithm {
        let sod = self.files.files.get(&FileId::SOD).and_then(|bytes| Sod::decode(bytes).ok());
        let object = sod.and_then(|sod| sod.security_object().ok());
        let found = object.and_then(|object| HashAlgorithm::from_oid(&object.hash_algorithm));
        found.unwrap_or(HashAlgorithm::Sha256)
    }
}

/// Facts of checks that tell something of the holder.
const PERSONAL_FACTS: [&str; 2] = ["expires", "expired_on"];
