//! What a chip told, as the inspection wants it.

use super::{AccessOutcome, ChipEvidence, ChipOutcome, DocumentFiles, TerminalOutcome};
use crate::error::ErrorCode;
use crate::terminal::terminal_authentication::TerminalAuthenticationOutcome;
use crate::terminal::{ChipReading, FileRead, Proof, TerminalError};

impl DocumentFiles {
    /// The files of a reading.
    #[must_use]
    pub fn of_reading(reading: &ChipReading) -> Self {
        let mut files = Self {
            card_access: reading.access.card_access.clone(),
            card_security: reading.card_security.clone(),
            ..Self::default()
        };
        for file in &reading.files {
            match &file.read {
                FileRead::Content { bytes, trailing } => {
                    files.files.insert(file.file, bytes.clone());
                    if *trailing > 0 {
                        files.trailing.insert(file.file, *trailing);
                    }
                }
                // Only what the application itself protects counts as protected.
                FileRead::Denied(_) => files.protected.push(file.file),
                FileRead::Malformed(error) => {
                    files.unreadable.insert(file.file, error.to_string());
                }
                FileRead::NotFound => {}
            }
        }
        files
    }
}

impl ChipEvidence {
    /// What the chip answered in a reading.
    #[must_use]
    pub fn of_reading(reading: &ChipReading) -> Self {
        let access = &reading.access;
        Self {
            access: Some(AccessOutcome {
                pace: access.pace.clone(),
                cipher: access.cipher.to_owned(),
                password: access.password.to_owned(),
                downgraded: access.downgraded,
            }),
            chip_authentication: (&reading.chip_authentication).into(),
            chip_authentication_mapping: access.chip_authentication_mapping.clone(),
            active_authentication: (&reading.active_authentication).into(),
            terminal_authentication: (&reading.terminal_authentication).into(),
        }
    }
}

impl<E: Clone> From<&Proof<E>> for ChipOutcome<E> {
    fn from(proof: &Proof<E>) -> Self {
        match proof {
            Proof::NotTried | Proof::NotOffered => Self::NotTried,
            Proof::Failed(TerminalError::Unsupported { what }) => Self::Unsupported(what.clone()),
            Proof::Failed(error) => Self::Refused(error.to_string()),
            Proof::Answered(evidence) => Self::Answered(evidence.clone()),
        }
    }
}

impl From<&Proof<TerminalAuthenticationOutcome>> for TerminalOutcome {
    fn from(proof: &Proof<TerminalAuthenticationOutcome>) -> Self {
        match proof {
            Proof::NotTried => Self::NotTried,
            Proof::NotOffered => Self::NotOffered,
            Proof::Failed(error) => {
                Self::Failed { code: error.code().to_owned(), message: error.to_string() }
            }
            Proof::Answered(outcome) => Self::Passed {
                trust_point: outcome.trust_point.to_string(),
                chain: outcome.chain.iter().map(ToString::to_string).collect(),
                dg3: outcome.rights.dg3,
                dg4: outcome.rights.dg4,
            },
        }
    }
}
