//! Ways to a card: PC/SC, a software card in-process, trace and replay.
//!
//! Everything above sends bytes through [`CardTransport`] and knows nothing of readers.

mod air_meter;
pub mod pcsc;
pub mod replay;
pub mod time_limit;
pub mod trace;

use thiserror::Error;

use crate::apdu::{CommandApdu, ResponseApdu};

use crate::error::ErrorCode;

pub use air_meter::AirMeter;

/// A powered card that takes command APDUs.
pub trait CardTransport {
    /// Sends the bytes of one command APDU and gives the bytes of its response, status word
    /// included (2 to 65 538 bytes).
    ///
    /// # Errors
    /// [`TransportError`] when no answer came; the card's state is then unknown.
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError>;

    /// Answer to reset of the card, empty if it has none.
    fn atr(&self) -> &[u8];

    /// The longest command APDU in bytes that the reader passes on; 261 for readers without
    /// extended length, 65 544 where there is no limit (PC/SC part 10, dwMaxAPDUDataSize).
    fn max_command_length(&self) -> usize {
        65_544
    }

    /// Tells a trace what the exchange just made said under secure messaging: only the layer that
    /// wraps and unwraps knows both forms. Transports that keep no trace ignore it.
    fn annotate(&mut self, _plain: &PlainExchange<'_>) {}

    /// Resets the card: all sessions end, the default application is selected.
    ///
    /// # Errors
    /// [`TransportError`] when the card does not come back.
    fn reset(&mut self) -> Result<(), TransportError>;

    /// What tells the time on the air, where the card stands behind a model of a link.
    fn air_meter(&self) -> Option<AirMeter> {
        None
    }
}

impl<T: CardTransport + ?Sized> CardTransport for Box<T> {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).transmit(command)
    }
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }
    fn max_command_length(&self) -> usize {
        (**self).max_command_length()
    }
    fn annotate(&mut self, plain: &PlainExchange<'_>) {
        (**self).annotate(plain);
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        (**self).reset()
    }
    fn air_meter(&self) -> Option<AirMeter> {
        (**self).air_meter()
    }
}

impl<T: CardTransport + ?Sized> CardTransport for &mut T {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        (**self).transmit(command)
    }
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }
    fn max_command_length(&self) -> usize {
        (**self).max_command_length()
    }
    fn annotate(&mut self, plain: &PlainExchange<'_>) {
        (**self).annotate(plain);
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        (**self).reset()
    }
    fn air_meter(&self) -> Option<AirMeter> {
        (**self).air_meter()
    }
}

/// What an exchange said before wrapping and after unwrapping.
#[derive(Debug, Clone, Copy)]
pub struct PlainExchange<'a> {
    /// The command before it was protected.
    pub command: &'a CommandApdu,
    /// The response after its protection was checked and removed; `None` when that failed.
    pub response: Option<&'a ResponseApdu>,
}

/// Why a command got no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransportError {
    /// The card left the reader.
    #[error("the card was removed")]
    CardRemoved,
    /// No card lies on the reader.
    #[error("no card in reader {reader}")]
    NoCard {
        /// Reader's name.
        reader: String,
    },
    /// No reader has this name or index, or none is there at all.
    #[error("no reader matches {selector:?}; there are: {available:?}")]
    NoReader {
        /// What was asked for.
        selector: String,
        /// Names of the readers there are.
        available: Vec<String>,
    },
    /// More than one reader could be meant.
    #[error("several readers match {selector:?}: {available:?}")]
    AmbiguousReader {
        /// What was asked for; empty when nothing was.
        selector: String,
        /// Names that match.
        available: Vec<String>,
    },
    /// Another program holds the card.
    #[error("reader {reader} is in use by another program")]
    Busy {
        /// Reader's name.
        reader: String,
    },
    /// The card did not answer in time.
    #[error("the card did not answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The PC/SC service does not run.
    #[error("the PC/SC service is not running")]
    NoService,
    /// A replayed trace holds another command here, or ends before it.
    #[error("the trace does not go on like this at exchange {position}: {detail}")]
    Replay {
        /// Number of the exchange, from 1.
        position: usize,
        /// What differs.
        detail: &'static str,
    },
    /// Anything else on the way to the card.
    #[error("transmission failed: {detail}")]
    Failed {
        /// What the layer below said.
        detail: String,
    },
}

impl ErrorCode for TransportError {
    fn code(&self) -> &'static str {
        match self {
            Self::CardRemoved => "card_removed",
            Self::NoCard { .. } => "no_card",
            Self::NoReader { .. } => "no_reader",
            Self::AmbiguousReader { .. } => "ambiguous_reader",
            Self::Busy { .. } => "reader_busy",
            Self::Timeout { .. } => "card_timeout",
            Self::NoService => "no_pcsc_service",
            Self::Replay { .. } => "trace_replay_mismatch",
            Self::Failed { .. } => "transmission_failed",
        }
    }
}
