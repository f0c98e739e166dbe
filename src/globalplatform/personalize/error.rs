//! Why a card was not personalised.

use thiserror::Error;

use super::Step;
use crate::error::ErrorCode;
use crate::globalplatform::GlobalPlatformError;
use crate::globalplatform::image::ImageError;
use crate::globalplatform::perso::PersoError;
use crate::issue::Location;

/// Why a card was not personalised.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PersonalizeError {
    /// The exchange with the security domain failed.
    #[error(transparent)]
    GlobalPlatform(#[from] GlobalPlatformError),
    /// The image cannot go onto a card.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The image and the perso profile do not fit.
    #[error(transparent)]
    Perso(#[from] PersoError),
    /// The card is not of a kind that can be personalised; no authentication was tried.
    #[error("not a card to personalise: {reason}")]
    WrongCard {
        /// Why.
        reason: &'static str,
    },
    /// The card carries another document, or one that cannot be opened with this one's keys.
    #[error("the card is personalised already with another document")]
    AlreadyPersonalised,
    /// The card is issued: its life cycle allows no personalisation.
    #[error("the card is issued already: its life cycle is {state}")]
    AlreadyIssued {
        /// Life cycle state of the card.
        state: &'static str,
    },
    /// The card was locked with other data than those of this image.
    #[error("the card is locked and its data cannot be changed")]
    Locked,
    /// What the card holds was not shown to be what was written. The card was not locked.
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    /// The observer of the run did not let a step begin: nothing of it was sent.
    #[error("stopped before {step}: {message}", step = step.name())]
    Stopped {
        /// The step that did not begin.
        step: Step,
        /// Code of the reason.
        code: &'static str,
        /// The reason.
        message: String,
    },
    /// The card did not reach its final state.
    #[error("the card stays in life cycle {state}")]
    NotSecured {
        /// Life cycle state of the card.
        state: &'static str,
    },
}

/// Why reading back failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadBackError {
    /// The card could not be read.
    #[error("reading back: {message}")]
    Failed {
        /// Code of the error below.
        code: &'static str,
        /// What it said.
        message: String,
    },
    /// A file differs from what was written.
    #[error("file {fid:04X} differs from what was written at offset {offset}")]
    Differs {
        /// Where it stands.
        location: Location,
        /// File identifier.
        fid: u16,
        /// First byte that differs.
        offset: usize,
    },
    /// A key of the card does not belong to the public key in its files.
    #[error("{protocol} with the card failed: {message}")]
    Key {
        /// `Chip Authentication` or `Active Authentication`.
        protocol: &'static str,
        /// What was wrong.
        message: String,
    },
}

impl ErrorCode for ReadBackError {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed { code, .. } => code,
            Self::Differs { .. } => "read_back_differs",
            Self::Key { .. } => "read_back_key",
        }
    }
}

impl ErrorCode for PersonalizeError {
    fn code(&self) -> &'static str {
        match self {
            Self::GlobalPlatform(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::Perso(error) => error.code(),
            Self::WrongCard { .. } => "personalize_wrong_card",
            Self::AlreadyPersonalised => "card_already_personalised",
            Self::AlreadyIssued { .. } => "card_already_issued",
            Self::Locked => "card_locked",
            Self::ReadBack(error) => error.code(),
            Self::Stopped { code, .. } => code,
            Self::NotSecured { .. } => "card_not_secured",
        }
    }
}
