//! What goes wrong in a journal, and what it refuses.

use thiserror::Error;

use super::{Balance, ChipSerial, Digest, FactsError, InvalidIdentifier, RecordId, RunName};
use crate::error::ErrorCode;
use crate::production::state::{CardState, Environment, RecordState, RunState, StockState};

/// Why the journal did not do what was asked. Whatever it is, nothing was changed.
#[derive(Debug, Error)]
pub enum JournalError {
    /// Others held it for too long, or won a race again and again.
    #[error("the journal is busy: {0}")]
    Busy(String),
    /// The database cannot be reached.
    #[error("the journal cannot be reached: {0}")]
    Unavailable(String),
    /// The disk is full, or nearly: nothing new is begun.
    #[error("no room for the journal: {0}")]
    Full(String),
    /// A row was altered, torn or lost.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// The database belongs to something else.
    #[error("the database is not a journal of cancuoc: {0}")]
    Foreign(String),
    /// A later version of this program made it.
    #[error("the journal has schema {found}; this program knows up to {known}")]
    Newer {
        /// Its version.
        found: i64,
        /// The last that is known here.
        known: i64,
    },
    /// A test system meets a journal of production, or the other way round.
    #[error("the journal is for {found}, the site for {expected}")]
    Environment {
        /// What it was opened for.
        expected: Environment,
        /// What it was made for.
        found: Environment,
    },
    /// The clock of the station stepped back.
    #[error("the clock shows {now}, but the station already wrote at {last}")]
    ClockSteppedBack {
        /// What the clock shows.
        now: jiff::Timestamp,
        /// Time of the last entry of this station.
        last: jiff::Timestamp,
    },
    /// The audit record could not be written: no audit, no issue.
    #[error("the audit record cannot be written: {0}")]
    Audit(String),
    /// What was to be imported could not be read to its end.
    #[error("the records could not be read: {0}")]
    Source(String),
    /// A name that is none.
    #[error(transparent)]
    Identifier(#[from] InvalidIdentifier),
    /// Facts that cannot be kept.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A number that is out of range.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// What was asked contradicts what the journal says.
    #[error(transparent)]
    Conflict(#[from] Conflict),
}

/// A contradiction to what the journal says; it protects a card or a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Conflict {
    /// No such run.
    #[error("there is no run {0}")]
    RunUnknown(RunName),
    /// A run of that name exists and is another one.
    #[error("a run {0} exists with another profile")]
    RunDiffers(RunName),
    /// The run is in the wrong state.
    #[error("run {run} is {state}")]
    RunState {
        /// The run.
        run: RunName,
        /// Its state.
        state: RunState,
    },
    /// The run cannot be closed.
    #[error("run {run} cannot be closed: {balance}")]
    RunUnbalanced {
        /// The run.
        run: RunName,
        /// What was counted.
        balance: Box<Balance>,
    },
    /// Records of an import contradict others; nothing was imported.
    #[error("{} of the records contradict others, the first is {}", .0.len(), .0.first().map_or(String::new(), ToString::to_string))]
    Import(Vec<ImportConflict>),
    /// No such record.
    #[error("there is no record {0}")]
    RecordUnknown(RecordId),
    /// The record is in the wrong state.
    #[error("record {record} is {state}")]
    RecordState {
        /// The record.
        record: RecordId,
        /// Its state.
        state: RecordState,
    },
    /// Another living record has the same number.
    #[error("the number of record {record} is that of record {other}")]
    NumberLives {
        /// The record.
        record: RecordId,
        /// The other one.
        other: RecordId,
    },
    /// The job was given to somebody else, or is done.
    #[error("the station does not hold record {0} any more")]
    LeaseLost(RecordId),
    /// The chip is not in the stock.
    #[error("chip {0} is not in the stock")]
    ChipUnknown(ChipSerial),
    /// The chip of the stock is not blank, or of another kind.
    #[error("chip {chip} is {state} in the stock")]
    ChipState {
        /// The chip.
        chip: ChipSerial,
        /// Its state.
        state: StockState,
    },
    /// The chip is of another kind than the stock says.
    #[error("chip {chip} is of kind {found}, the stock says {expected}")]
    ChipKind {
        /// The chip.
        chip: ChipSerial,
        /// What the stock says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The record has another card that is not void.
    #[error("record {record} already has the card with chip {chip}")]
    RecordHasCard {
        /// The record.
        record: RecordId,
        /// The chip of that card.
        chip: ChipSerial,
    },
    /// The chip belongs to another record.
    #[error("chip {chip} belongs to record {record}")]
    ChipTaken {
        /// The chip.
        chip: ChipSerial,
        /// The record.
        record: RecordId,
    },
    /// The record has no such card.
    #[error("record {record} has no card with chip {chip}")]
    CardUnknown {
        /// The record.
        record: RecordId,
        /// The chip.
        chip: ChipSerial,
    },
    /// The card is in another state than the step begins with.
    #[error("the card with chip {chip} is {found}, not {expected}")]
    CardState {
        /// The chip.
        chip: ChipSerial,
        /// Where the step begins.
        expected: CardState,
        /// Its state.
        found: CardState,
    },
    /// No card goes that way.
    #[error("the card with chip {chip} cannot go from {from} to {to}")]
    IllegalStep {
        /// The chip.
        chip: ChipSerial,
        /// Where the step begins.
        from: CardState,
        /// Where it ends.
        to: CardState,
    },
    /// The step changes the chip and was not announced.
    #[error("the step of the card with chip {chip} to {to} was not announced")]
    NotAnnounced {
        /// The chip.
        chip: ChipSerial,
        /// Where the step ends.
        to: CardState,
    },
    /// A public key of the card is on another one.
    #[error("the public key {digest} of record {record} is on another card")]
    KeyReused {
        /// Digest of the key.
        digest: Digest,
        /// The record that brings it again.
        record: RecordId,
    },
}

/// One record that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{record} ({}, place {place} of the import)", .kind.code())]
pub struct ImportConflict {
    /// The record.
    pub record: RecordId,
    /// Its place in what is imported, from 0.
    pub place: u64,
    /// What it contradicts.
    pub kind: ImportConflictKind,
}

/// What a record of an import contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportConflictKind {
    /// A record of that name is there with another content.
    Changed,
    /// The same record is in another run.
    InOtherRun(RunName),
    /// Another living record has the same number: a duplicate, or a card that was not revoked.
    NumberLives(RecordId),
}

impl ImportConflictKind {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Changed => "record_changed",
            Self::InOtherRun(_) => "record_in_other_run",
            Self::NumberLives(_) => "number_lives",
        }
    }
}

/// What an error means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again later: nothing is wrong with what was asked (exit code 8).
    Later,
    /// Refused to protect a card or a record (exit code 7).
    Refused,
    /// What was asked is malformed (exit code 6).
    Input,
    /// Somebody must look at the journal first (exit code 8).
    Broken,
}

impl JournalError {
    /// What it means for whoever asked.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Busy(_) | Self::Unavailable(_) | Self::Full(_) | Self::Audit(_) => {
                ErrorClass::Later
            }
            Self::Damaged(_) | Self::Foreign(_) | Self::Newer { .. } => ErrorClass::Broken,
            Self::Environment { .. } | Self::ClockSteppedBack { .. } | Self::Conflict(_) => {
                ErrorClass::Refused
            }
            Self::Source(_) | Self::Identifier(_) | Self::Facts(_) | Self::OutOfRange(_) => {
                ErrorClass::Input
            }
        }
    }

    /// The contradiction, if it is one.
    #[must_use]
    pub fn conflict(&self) -> Option<&Conflict> {
        match self {
            Self::Conflict(conflict) => Some(conflict),
            _ => None,
        }
    }
}

impl ErrorCode for JournalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy(_) => "journal_busy",
            Self::Unavailable(_) => "journal_unavailable",
            Self::Full(_) => "journal_full",
            Self::Damaged(_) => "journal_damaged",
            Self::Foreign(_) => "journal_foreign",
            Self::Newer { .. } => "journal_newer",
            Self::Environment { .. } => "journal_environment",
            Self::ClockSteppedBack { .. } => "clock_stepped_back",
            Self::Audit(_) => "audit_unavailable",
            Self::Source(_) => "records_unreadable",
            Self::Identifier(_) => "identifier_invalid",
            Self::Facts(_) => "facts_invalid",
            Self::OutOfRange(_) => "number_out_of_range",
            Self::Conflict(conflict) => conflict.code(),
        }
    }
}

impl ErrorCode for Conflict {
    fn code(&self) -> &'static str {
        match self {
            Self::RunUnknown(_) => "run_unknown",
            Self::RunDiffers(_) => "run_differs",
            Self::RunState { .. } => "run_state",
            Self::RunUnbalanced { .. } => "run_unbalanced",
            Self::Import(_) => "import_conflict",
            Self::RecordUnknown(_) => "record_unknown",
            Self::RecordState { .. } => "record_state",
            Self::NumberLives { .. } => "number_lives",
            Self::LeaseLost(_) => "lease_lost",
            Self::ChipUnknown(_) => "chip_unknown",
            Self::ChipState { .. } => "chip_state",
            Self::ChipKind { .. } => "chip_kind",
            Self::RecordHasCard { .. } => "record_has_card",
            Self::ChipTaken { .. } => "chip_taken",
            Self::CardUnknown { .. } => "card_unknown",
            Self::CardState { .. } => "card_state",
            Self::IllegalStep { .. } => "card_step_illegal",
            Self::NotAnnounced { .. } => "card_step_not_announced",
            Self::KeyReused { .. } => "public_key_reused",
        }
    }
}
