//! Failed authentications, counted by chip: after one of them a card is left alone until an
//! operator says otherwise, for cards count them too and block for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::ErrorCode;

/// The schema that the file names.
pub const SCHEMA: &str = "cancuoc.attempts/1";
/// The largest file read, in bytes.
pub const MAX_LENGTH: usize = 16 * 1024 * 1024;

/// The count of each chip that an authentication failed with since one succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    schema: String,
    failed: BTreeMap<String, u32>,
}

/// Why a count cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AttemptsError {
    /// The file is not what it should be.
    #[error("{message}")]
    Malformed {
        /// What is wrong.
        message: String,
    },
    /// This chip failed before.
    #[error("{failed} failed authentications with chip {serial}")]
    FailedBefore {
        /// Serial number of the chip.
        serial: String,
        /// How often.
        failed: u32,
    },
}

impl ErrorCode for AttemptsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "attempts_malformed",
            Self::FailedBefore { .. } => "attempts_failed_before",
        }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), failed: BTreeMap::new() }
    }
}

impl Attempts {
    /// Reads a file.
    ///
    /// # Errors
    /// [`AttemptsError::Malformed`].
    pub fn parse(source: &[u8]) -> Result<Self, AttemptsError> {
        let malformed = |message| AttemptsError::Malformed { message };
        if source.len() > MAX_LENGTH {
            return Err(malformed("the file is too large".to_owned()));
        }
        let found: Self =
            serde_json::from_slice(source).map_err(|error| malformed(error.to_string()))?;
        if found.schema != SCHEMA {
            return Err(malformed(format!("its schema is not {SCHEMA}")));
        }
        Ok(found)
    }

    /// Refuses a chip with which an authentication failed before.
    ///
    /// # Errors
    /// [`AttemptsError::FailedBefore`].
    pub fn check(&self, serial: &str) -> Result<(), AttemptsError> {
        match self.failed.get(serial) {
            None | Some(0) => Ok(()),
            Some(failed) => {
                Err(AttemptsError::FailedBefore { serial: serial.to_owned(), failed: *failed })
            }
        }
    }

    /// Counts a failure.
    pub fn failed(&mut self, serial: &str) {
        let count = self.failed.entry(serial.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Forgets the failures of a chip that was opened. Whether there were any.
    pub fn succeeded(&mut self, serial: &str) -> bool {
        self.failed.remove(serial).is_some()
    }

    /// The file's content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_a_chip_after_one_failure_until_it_was_opened() {
        let mut attempts = Attempts::default();
        attempts.check("A1").unwrap();
        attempts.failed("A1");
        let expected = AttemptsError::FailedBefore { serial: "A1".to_owned(), failed: 1 };
        assert_eq!(attempts.check("A1").unwrap_err(), expected);
        attempts.check("B2").unwrap();
        assert!(attempts.succeeded("A1") && !attempts.succeeded("A1"));
        attempts.check("A1").unwrap();
    }

    #[test]
    fn comes_back_from_its_file() {
        let mut attempts = Attempts::default();
        attempts.failed("A1");
        attempts.failed("A1");
        assert_eq!(Attempts::parse(&attempts.encode()).unwrap(), attempts);
        assert!(Attempts::parse(b"{\"schema\":\"other/1\",\"failed\":{}}").is_err());
    }

    proptest! {
        #[test]
        fn reads_any_bytes_without_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Attempts::parse(&data);
        }
    }
}
