//! What became of a card that was put into a reader.

use thiserror::Error;

use crate::error::ErrorCode;
use crate::globalplatform::GlobalPlatformError;
use crate::production::journal::{ChipSerial, ErrorClass, JournalError, RecordId};

/// What became of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Something was done for a record.
    Worked {
        /// The record.
        record: RecordId,
        /// The chip.
        chip: Option<ChipSerial>,
        /// What became of it.
        fate: Fate,
    },
    /// The card was not touched.
    Refused {
        /// The chip, where it could be read.
        chip: Option<ChipSerial>,
        /// Why.
        refusal: Refusal,
    },
    /// No record waits for a card.
    NoRecord,
}

/// What became of a record's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is good, and recorded.
    Issued {
        /// Whether it had been begun before.
        resumed: bool,
    },
    /// The work was interrupted: the same card can be put in again, and is gone on with.
    Interrupted {
        /// Stable code of what happened.
        reason: String,
    },
    /// It must be destroyed; the record waits for another card.
    Void {
        /// Stable code of the reason.
        reason: String,
    },
    /// Record and card wait for a decision.
    Quarantined {
        /// Stable code of the reason.
        reason: String,
    },
}

impl Outcome {
    pub(super) fn refused(chip: Option<ChipSerial>, refusal: Refusal) -> Self {
        Self::Refused { chip, refusal }
    }

    pub(super) fn quarantined(record: RecordId, chip: Option<ChipSerial>, reason: &str) -> Self {
        let fate = Fate::Quarantined { reason: reason.to_owned() };
        Self::Worked { record, chip, fate }
    }

    /// Whether a card was issued.
    #[must_use]
    pub fn is_issued(&self) -> bool {
        matches!(self, Self::Worked { fate: Fate::Issued { .. }, .. })
    }
}

/// Why a card was not touched.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It does not answer as a card with a security domain.
    #[error("not a card for this line: {detail}")]
    WrongCard {
        /// What it answered.
        detail: String,
    },
    /// It left before it was known.
    #[error("the card left before it was identified")]
    Gone,
    /// It does not tell its serial number.
    #[error("the card does not tell its serial number")]
    NoChipSerial,
    /// No list of the stock has it.
    #[error("no list of the stock has this chip")]
    ChipUnknown,
    /// Another card must come first: the record of this head was begun with it.
    #[error("the card with chip {chip} must be finished first")]
    OtherCardExpected {
        /// The chip.
        chip: ChipSerial,
    },
    /// Another head works on its record.
    #[error("another station works on the record of this card")]
    HeldElsewhere,
    /// It waits for a decision.
    #[error("the card is in quarantine")]
    InQuarantine,
    /// It is an issued card.
    #[error("the card is issued already")]
    Issued,
    /// It carries a document that the journal does not know.
    #[error("the card is personalised already")]
    Personalised,
    /// It should have been destroyed.
    #[error("the card is void and must be destroyed")]
    Destroyed,
    /// It was reported lost or stolen.
    #[error("the chip is on a list of lost chips")]
    Lost,
}

impl Refusal {
    pub(super) fn from_exchange(error: &GlobalPlatformError) -> Self {
        match error {
            GlobalPlatformError::Transport(_) => Self::Gone,
            other => Self::WrongCard { detail: other.to_string() },
        }
    }
}

impl ErrorCode for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::WrongCard { .. } => "personalize_wrong_card",
            Self::Gone => "card_removed",
            Self::NoChipSerial => "chip_serial_missing",
            Self::ChipUnknown => "chip_unknown",
            Self::OtherCardExpected { .. } => "other_card_expected",
            Self::HeldElsewhere => "record_held_elsewhere",
            Self::InQuarantine => "card_in_quarantine",
            Self::Issued => "card_already_issued",
            Self::Personalised => "card_already_personalised",
            Self::Destroyed => "card_void",
            Self::Lost => "chip_lost",
        }
    }
}

/// Why a head must stop: no card is to blame.
#[derive(Debug, Error)]
pub enum StationError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The key store.
    #[error("the key store is not available: {0}")]
    KeyStore(String),
    /// The signer gives signatures that do not verify, or its certificate does not allow them.
    #[error("signing: {message}")]
    Signer {
        /// Stable code.
        code: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl StationError {
    /// Whether waiting may help: nothing is wrong with what was asked.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Journal(error) => error.class() == ErrorClass::Later,
            Self::KeyStore(_) => true,
            Self::Signer { .. } => false,
        }
    }
}

impl ErrorCode for StationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Journal(error) => error.code(),
            Self::KeyStore(_) => "key_store_unavailable",
            Self::Signer { code, .. } => code,
        }
    }
}
