//! A card that answers from a recorded trace.

use std::collections::VecDeque;

use thiserror::Error;

use super::trace::{Exchange, Header, SCHEMA};
use super::{CardTransport, TransportError};
use crate::error::ErrorCode;

/// What is wrong with a trace.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TraceError {
    /// A line is not what it should be.
    #[error("line {line} of the trace: {detail}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        detail: String,
    },
    /// The trace leaves out the data of a command, so nothing can be compared with it.
    #[error("line {line} of the trace is redacted and cannot be replayed")]
    Redacted {
        /// Line, from 1.
        line: usize,
    },
}

impl ErrorCode for TraceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "trace_malformed",
            Self::Redacted { .. } => "trace_redacted",
        }
    }
}

/// A command, and its response or why none came.
type Recorded = (Vec<u8>, Result<Vec<u8>, String>);

/// Answers commands with the responses of a trace, strictly: each command must be, byte for byte,
/// the recorded one at its place.
#[derive(Debug, Clone)]
pub struct ReplayTransport {
    atr: Vec<u8>,
    max_command_length: usize,
    exchanges: VecDeque<Recorded>,
    position: usize,
}

impl ReplayTransport {
    /// Reads a trace (see [`super::trace`]).
    ///
    /// # Errors
    /// [`TraceError`] with the line.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        let malformed = |line: usize, detail: String| TraceError::Malformed { line, detail };
        let mut lines = text.lines().enumerate().map(|(index, text)| (index + 1, text));
        let (_, first) = lines.next().ok_or_else(|| malformed(1, "the trace is empty".into()))?;
        let header: Header =
            serde_json::from_str(first).map_err(|error| malformed(1, error.to_string()))?;
        if header.schema != SCHEMA {
            return Err(malformed(1, format!("schema is not {SCHEMA}")));
        }
        let mut exchanges = VecDeque::new();
        for (line, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
            let exchange: Exchange =
                serde_json::from_str(text).map_err(|error| malformed(line, error.to_string()))?;
            if exchange.redacted {
                return Err(TraceError::Redacted { line });
            }
            let bytes = |text: &str| hex::decode(text).map_err(|e| malformed(line, e.to_string()));
            let answer = match (&exchange.response, exchange.error) {
                (Some(response), _) => Ok(bytes(response)?),
                (None, error) => Err(error.unwrap_or_default()),
            };
            exchanges.push_back((bytes(&exchange.command)?, answer));
        }
        let atr = hex::decode(&header.atr).map_err(|e| malformed(1, e.to_string()))?;
        let max_command_length = header.max_command_length;
        Ok(Self { atr, max_command_length, exchanges, position: 0 })
    }

    /// Takes commands and responses directly.
    #[must_use]
    pub fn from_exchanges(exchanges: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        let exchanges = exchanges.into_iter().map(|(c, r)| (c, Ok(r))).collect();
        Self { atr: Vec::new(), max_command_length: 65_544, exchanges, position: 0 }
    }

    /// Whether every recorded exchange has been used.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.exchanges.is_empty()
    }
}

impl CardTransport for ReplayTransport {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.position += 1;
        let position = self.position;
        let end = TransportError::Replay { position, detail: "it has ended" };
        let (expected, _) = self.exchanges.front().ok_or(end.clone())?;
        if expected != command {
            return Err(TransportError::Replay { position, detail: "another command stands here" });
        }
        let (_, answer) = self.exchanges.pop_front().ok_or(end)?;
        answer.map_err(|detail| TransportError::Failed { detail })
    }

    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn max_command_length(&self) -> usize {
        self.max_command_length
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = r#"{"schema":"cancuoc.trace/1","atr":"3b80","max_command_length":261,"secrets":false}
{"n":1,"t_us":0,"duration_us":5,"command":"0084000008","response":"01020304050607089000"}
{"n":2,"t_us":9,"duration_us":5,"command":"00b09c0000","error":"the card was removed"}
"#;

    #[test]
    fn answers_as_recorded() {
        let mut card = ReplayTransport::parse(TRACE).unwrap();
        assert_eq!((card.atr(), card.max_command_length()), (&[0x3B, 0x80][..], 261));
        let answer = card.transmit(&[0, 0x84, 0, 0, 8]).unwrap();
        assert_eq!(answer, [1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0]);
        let error = card.transmit(&[0, 0xB0, 0x9C, 0, 0]).unwrap_err();
        assert_eq!(error, TransportError::Failed { detail: "the card was removed".into() });
        assert!(card.is_finished());
    }

    #[test]
    fn refuses_a_command_that_was_not_recorded_here() {
        let mut card = ReplayTransport::parse(TRACE).unwrap();
        let detail = "another command stands here";
        let error = TransportError::Replay { position: 1, detail };
        assert_eq!(card.transmit(&[0, 0x84, 0, 0, 9]), Err(error));
    }

    #[test]
    fn refuses_commands_after_the_end() {
        let mut card = ReplayTransport::from_exchanges([]);
        let error = TransportError::Replay { position: 1, detail: "it has ended" };
        assert_eq!(card.transmit(&[0]), Err(error));
    }

    #[test]
    fn names_the_line_that_is_malformed() {
        let error = ReplayTransport::parse(&TRACE.replace("0084000008", "008")).unwrap_err();
        assert!(matches!(error, TraceError::Malformed { line: 2, .. }), "{error}");
    }

    #[test]
    fn refuses_a_redacted_trace() {
        let text =
            TRACE.replace(r#""command":"0084000008""#, r#""redacted":true,"command":"84e2""#);
        assert_eq!(ReplayTransport::parse(&text).unwrap_err(), TraceError::Redacted { line: 2 });
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in "(.{0,60}\n){0,4}") {
            let _ = ReplayTransport::parse(&text);
            let _ = ReplayTransport::parse(&format!("{TRACE}{text}"));
        }
    }
}
