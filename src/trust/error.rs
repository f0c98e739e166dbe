//! Why something in a trust folder does not count.

use thiserror::Error;

use super::{LdifError, ListFault, X509Error};
use crate::error::ErrorCode;
use crate::lds::{LdsError, SignatureFault};

/// Why a file of the folder, or a part of one, is not used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The file is larger than anything that belongs here.
    #[error("longer than {limit} bytes")]
    TooLarge {
        /// Most bytes that are read.
        limit: u64,
    },
    /// Neither certificate nor revocation list nor any other that is known here.
    #[error("neither a certificate nor a list of any known kind")]
    Unknown,
    /// A certificate that cannot be used.
    #[error(transparent)]
    Certificate(#[from] X509Error),
    /// A list that is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// A directory export that is malformed.
    #[error(transparent)]
    Ldif(#[from] LdifError),
    /// A list that is refused.
    #[error(transparent)]
    List(#[from] ListFault),
    /// An entry of a directory export that cannot be used.
    #[error("entry {number} ({name}): {problem}")]
    Entry {
        /// Number of the entry, from 1.
        number: usize,
        /// Its distinguished name.
        name: String,
        /// Why.
        problem: Box<Self>,
    },
    /// So many entries that cannot be used that the rest is only counted.
    #[error("{0} further entries")]
    FurtherEntries(usize),
    /// The file is not the one that was added: the index has another hash.
    #[error("added {added}, changed since")]
    Changed {
        /// When it was added.
        added: String,
    },
    /// The index of the folder is malformed.
    #[error("{0}")]
    Index(String),
}

impl ErrorCode for TrustError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "trust_file_unreadable",
            Self::TooLarge { .. } => "trust_file_too_large",
            Self::Unknown => "trust_file_unknown",
            Self::Certificate(error) => error.code(),
            Self::Malformed(_) => "trust_file_malformed",
            Self::Ldif(error) => error.code(),
            Self::List(fault) => fault.code(),
            Self::Entry { .. } | Self::FurtherEntries(_) => "ldif_entry_unusable",
            Self::Changed { .. } => "trust_file_changed",
            Self::Index(_) => "trust_index_malformed",
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::List(fault) => fault.facts(),
            _ => Vec::new(),
        }
    }
}

/// Why a certificate of a country signing CA is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Distrust {
    /// It cannot be decoded.
    #[error(transparent)]
    Certificate(#[from] X509Error),
    /// It is not as a CSCA's must be.
    #[error("{0}")]
    Profile(&'static str),
    /// Its CA revoked it.
    #[error("revoked by its CA")]
    Revoked,
    /// Its signature is by none of the keys at hand that could be its issuer's.
    #[error("no key at hand verifies it")]
    NoIssuer,
    /// It claims to sign itself, but its own key does not verify it.
    #[error("its own key does not verify it: {0}")]
    SelfSignature(SignatureFault),
    /// The master list that holds it is refused.
    #[error("the master list that holds it is refused: {0}")]
    List(ListFault),
    /// Nobody vouches for it: it came beside a list or in a directory.
    #[error("nobody that is trusted vouches for it")]
    NotVouched,
}

impl ErrorCode for Distrust {
    fn code(&self) -> &'static str {
        match self {
            Self::Certificate(error) => error.code(),
            Self::Profile(code) => code,
            Self::Revoked => "csca_revoked",
            Self::NoIssuer => "csca_issuer_unknown",
            Self::SelfSignature(_) => "csca_self_signature_invalid",
            Self::List(_) => "csca_list_refused",
            Self::NotVouched => "csca_not_vouched",
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::List(fault) => because(fault),
            Self::SelfSignature(fault) => because(fault),
            _ => Vec::new(),
        }
    }
}

/// The facts of an error that another is the reason of.
fn because(error: &dyn ErrorCode) -> Vec<(&'static str, String)> {
    let mut facts = vec![("reason", error.code().to_owned())];
    facts.extend(error.facts());
    facts
}
