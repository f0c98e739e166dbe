//! Why a file cannot be read as what it should be.

use thiserror::Error;

use crate::apdu::tlv::TlvError;
use crate::error::ErrorCode;

/// A malformed file: which one, what is wrong, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LdsError {
    /// The data objects themselves are broken.
    #[error("{file}: {source}")]
    Tlv {
        /// File or structure.
        file: &'static str,
        /// What is wrong.
        source: TlvError,
    },
    /// The data objects are well formed, but do not say what they must.
    #[error("{file}: {what} at byte {offset}")]
    Invalid {
        /// File or structure.
        file: &'static str,
        /// What is wrong.
        what: &'static str,
        /// Byte offset.
        offset: usize,
    },
}

impl LdsError {
    /// Puts a file's name to faults of data objects.
    pub(crate) fn tlv(file: &'static str) -> impl Fn(TlvError) -> Self {
        move |source| Self::Tlv { file, source }
    }

    pub(crate) const fn invalid(file: &'static str, what: &'static str, offset: usize) -> Self {
        Self::Invalid { file, what, offset }
    }
}

impl ErrorCode for LdsError {
    fn code(&self) -> &'static str {
        match self {
            Self::Tlv { .. } => "file_malformed",
            Self::Invalid { .. } => "file_invalid",
        }
    }
}
