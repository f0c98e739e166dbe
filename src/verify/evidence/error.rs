//! Why an evidence file cannot be used.

use thiserror::Error;

use super::{MAX_LENGTH, SCHEMA};
use crate::error::ErrorCode;

/// Why an evidence file cannot be used. The data in it are never shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// Larger than any evidence file.
    #[error("more than {MAX_LENGTH} bytes")]
    TooLong,
    /// Not JSON, or not the fields of an evidence file.
    #[error("not an evidence file: {what} at line {line}, column {column}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// Of another schema, which a newer program may know.
    #[error("the schema is {found:?}, not {SCHEMA}")]
    Schema {
        /// What it says, cut short.
        found: String,
    },
    /// A field does not hold what it must.
    #[error("field {field}: {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// The signature does not belong to the file: it was altered, or signed by somebody else.
    #[error("the signature does not belong to the file: {reason}")]
    Signature {
        /// Why.
        reason: String,
    },
    /// Nobody signed it, where a signature is asked for.
    #[error("nobody signed the file")]
    NotSigned,
    /// Signed by a key that is none of those that are asked for.
    #[error("signed by the key {fingerprint}, which is none of the keys given")]
    Signer {
        /// SHA-256 of the key's SubjectPublicKeyInfo, hexadecimal.
        fingerprint: String,
    },
}

impl ErrorCode for EvidenceError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "evidence_too_long",
            Self::Malformed { .. } => "evidence_malformed",
            Self::Schema { .. } => "evidence_schema",
            Self::Field { .. } => "evidence_field",
            Self::Signature { .. } => "evidence_signature_invalid",
            Self::NotSigned => "evidence_not_signed",
            Self::Signer { .. } => "evidence_signer_unknown",
        }
    }
}

impl EvidenceError {
    /// A field that does not hold what it must.
    pub(super) fn field(field: &'static str, reason: impl ToString) -> Self {
        Self::Field { field, reason: reason.to_string() }
    }

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
        Self::Malformed { what, line: error.line(), column: error.column() }
    }
}
