//! Why somebody may not do something, or a list of people cannot be used.

use jiff::Timestamp;
use thiserror::Error;

use super::Role;
use crate::error::ErrorCode;
use crate::pki::SignerError;

/// Why somebody may not do something, or a list of people cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RoleError {
    /// Not JSON, not the fields, or not the canonical bytes.
    #[error("{what}: {reason}")]
    Malformed {
        /// List of people, statement or approval.
        what: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// A list of people that breaks a rule of separation.
    #[error("list of people: {0}")]
    Separation(&'static str),
    /// A version of the list that does not follow the one before.
    #[error("list of people, version {version}: {reason}")]
    History {
        /// Which.
        version: u64,
        /// Why.
        reason: &'static str,
    },
    /// The first version of the list is not the one that is known from elsewhere.
    #[error("the list of people begins with another first version")]
    OtherBeginning,
    /// Nobody of that name is in the list.
    #[error("{0} is not in the list of people")]
    Unknown(String),
    /// A key that is not the one in the list.
    #[error("the key is not the one that the list has for {0}")]
    OtherKey(String),
    /// The approval is for something else.
    #[error("the approval is for another {0}")]
    Other(&'static str),
    /// The approval is worth nothing any more, or not yet, or for too long.
    #[error("the approval is {reason}: from {issued} to {expires}")]
    Time {
        /// Why.
        reason: &'static str,
        /// From.
        issued: Timestamp,
        /// To.
        expires: Timestamp,
    },
    /// The approval was used before.
    #[error("the approval was used before")]
    Used,
    /// The same person signed twice.
    #[error("{0} signed twice")]
    Twice(String),
    /// A signature that does not verify.
    #[error("the signature of {0} does not verify")]
    Signature(String),
    /// Signatures of people with the roles are missing.
    #[error("{have} of {need} approvals: {missing} is missing")]
    Missing {
        /// Approvals that count.
        have: usize,
        /// Approvals that it needs.
        need: usize,
        /// A role that nobody who signed fills.
        missing: Role,
    },
    /// Somebody approves what is to their own advantage.
    #[error("{0} approves a role or a key of their own")]
    Own(String),
    /// The key cannot sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

impl ErrorCode for RoleError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "approval_malformed",
            Self::Separation(_) => "people_separation",
            Self::History { .. } => "people_history",
            Self::OtherBeginning => "people_other_beginning",
            Self::Unknown(_) => "person_unknown",
            Self::OtherKey(_) => "person_other_key",
            Self::Other(_) => "approval_for_other",
            Self::Time { .. } => "approval_time",
            Self::Used => "approval_used",
            Self::Twice(_) => "approval_twice",
            Self::Signature(_) => "approval_signature_invalid",
            Self::Missing { .. } => "approval_missing",
            Self::Own(_) => "approval_own",
            Self::Signer(error) => error.code(),
        }
    }
}
