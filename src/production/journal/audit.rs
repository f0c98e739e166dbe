//! Where the audit record joins the journal: an entry is written in the same transaction as what it
//! tells of, or neither is.

use jiff::Timestamp;

use super::{ChipSerial, Digest, Facts, RecordId, RunName, StationId};

/// What happened, for the audit record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFact {
    /// When.
    pub at: Timestamp,
    /// The station.
    pub station: StationId,
    /// What, in `snake_case`: `run_opened`, `card_advanced`, `key_imported` …
    pub event: &'static str,
    /// The run.
    pub run: Option<RunName>,
    /// The record.
    pub record: Option<RecordId>,
    /// The chip.
    pub chip: Option<ChipSerial>,
    /// More of it.
    pub detail: Facts,
}

impl AuditFact {
    /// A fact about nothing in particular.
    #[must_use]
    pub fn new(act: super::Act<'_>, event: &'static str) -> Self {
        Self {
            at: act.at,
            station: act.station.clone(),
            event,
            run: None,
            record: None,
            chip: None,
            detail: Facts::new(),
        }
    }

    /// The same about a run.
    #[must_use]
    pub fn of_run(mut self, run: &RunName) -> Self {
        self.run = Some(run.clone());
        self
    }

    /// The same about a record.
    #[must_use]
    pub fn of_record(mut self, record: &RecordId) -> Self {
        self.record = Some(record.clone());
        self
    }

    /// The same about a chip.
    #[must_use]
    pub fn of_chip(mut self, chip: &ChipSerial) -> Self {
        self.chip = Some(chip.clone());
        self
    }

    /// The same with more details.
    #[must_use]
    pub fn detail(mut self, detail: Facts) -> Self {
        self.detail = detail;
        self
    }
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the last entry, from 1.
    pub sequence: u64,
    /// Its hash.
    pub hash: Digest,
}

/// A sealed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEntry {
    /// The entry as it is hashed and signed, number and hash of the one before included.
    pub entry: Vec<u8>,
    /// Hash over the entry; the next one names it.
    pub hash: Digest,
    /// Signature of the station over it.
    pub signature: Vec<u8>,
}

/// An entry as it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number in the chain, from 1.
    pub sequence: u64,
    /// Hash of the entry before, all zero for the first.
    pub previous: Digest,
    /// The sealed entry.
    pub sealed: SealedEntry,
}

/// Seals entries.
pub trait Audit: Send {
    /// The chain that the entries belong to: one for each signing key.
    fn chain(&self) -> &StationId;

    /// Makes the entry that follows `head`. It may be asked again for the same fact, when a
    /// transaction is tried again: what it returned before did not happen then.
    ///
    /// # Errors
    /// A sentence that says why not; the transaction is given up.
    fn seal(&mut self, fact: &AuditFact, head: Option<AuditHead>) -> Result<SealedEntry, String>;
}
