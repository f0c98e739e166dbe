//! Why a software card cannot be made or opened.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::ErrorCode;

/// A fault of the file that a software card lives in.
#[derive(Debug, Error)]
pub enum SoftCardError {
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has the card.
    #[error("{path}: in use by another process", path = .0.display())]
    InUse(PathBuf),
    /// The file is no software card, or damaged in the middle.
    #[error("{path}: {what} at byte {offset}", path = path.display())]
    Malformed {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// The card's application refuses the image.
    #[error("the image cannot go onto a card: {0}")]
    Image(String),
    /// The memory took no more.
    #[error("the card's memory cannot be written")]
    Memory,
}

impl ErrorCode for SoftCardError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "softcard_file_access",
            Self::InUse(_) => "softcard_in_use",
            Self::Malformed { .. } => "softcard_malformed",
            Self::Image(_) => "softcard_image_refused",
            Self::Memory => "softcard_memory_failed",
        }
    }
}
