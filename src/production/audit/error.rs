//! Why an audit entry, an anchor or a list of keys cannot be used.

use thiserror::Error;

use crate::error::ErrorCode;
use crate::pki::SignerError;

/// Why an audit entry cannot be made or read. The data in it are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuditError {
    /// Longer than any entry.
    #[error("an audit entry of more than {most} bytes", most = super::MAX_ENTRY)]
    TooLong,
    /// Not JSON, or not the fields of an entry.
    #[error("not an audit entry: {what} at column {column}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, from 1; 0 where no place can be told.
        column: usize,
    },
    /// A field does not hold what it must.
    #[error("field {field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The same data, but not the bytes that the encoder writes: whitespace, order, repeated members.
    #[error("not the canonical form of an audit entry")]
    NotCanonical,
    /// The key cannot sign, or its store is not available: no audit, no issue.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// An anchor is no anchor.
    #[error("anchor: {0}")]
    Anchor(&'static str),
}

impl ErrorCode for AuditError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "audit_entry_too_long",
            Self::Malformed { .. } => "audit_entry_malformed",
            Self::Field { .. } => "audit_entry_field",
            Self::NotCanonical => "audit_entry_not_canonical",
            Self::Signer(error) => error.code(),
            Self::Anchor(_) => "audit_anchor_malformed",
        }
    }
}

impl AuditError {
    /// What the JSON reader found; its own words may repeat the data.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        let what = match error.classify() {
            serde_json::error::Category::Syntax => "no JSON",
            serde_json::error::Category::Eof => "cut off",
            serde_json::error::Category::Data => {
                "a field that is missing, unknown or of another type"
            }
            serde_json::error::Category::Io => "unreadable",
        };
        Self::Malformed { what, column: error.column() }
    }
}
