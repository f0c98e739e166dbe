//! What all heads of a line share.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::ErrorCode;
use crate::globalplatform::KeySet;
use crate::globalplatform::session::CardIdentity;
use crate::issue::Terms;
use crate::pki::Signer;
use crate::production::journal::{RecordId, RunName};
use crate::trust::TrustStore;
use crate::verify::Policy;

/// Gives the keys of cards.
pub trait CardKeySource: Sync {
    /// Keys that the card comes with.
    ///
    /// # Errors
    /// [`KeySourceError`].
    fn transport(&self, card: &CardIdentity) -> Result<KeySet, KeySourceError>;

    /// Keys that the card leaves with; `None` where it keeps those that it comes with.
    ///
    /// # Errors
    /// [`KeySourceError`].
    fn production(&self, card: &CardIdentity) -> Result<Option<KeySet>, KeySourceError>;
}

/// Why there are no keys for a card.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeySourceError {
    /// The key store does not answer.
    #[error("the key store is not available: {0}")]
    Unavailable(String),
    /// No keys can be derived for this card.
    #[error("no keys for this card: {0}")]
    NoKeys(String),
}

impl ErrorCode for KeySourceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "key_store_unavailable",
            Self::NoKeys(_) => "card_keys_not_derivable",
        }
    }
}

/// Opens what the journal keeps sealed.
pub trait Seal: Sync {
    /// The payload of a record.
    ///
    /// # Errors
    /// [`SealError`].
    fn open(
        &self,
        run: &RunName,
        record: &RecordId,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError>;
}

/// Why a payload could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// The key store does not answer.
    #[error("the key store is not available: {0}")]
    Unavailable(String),
    /// It was changed, belongs to another record, or its key is gone.
    #[error("the sealed record cannot be opened: {0}")]
    Unusable(String),
}

/// A production line: what is made, with which keys, under which rules.
pub struct Line<'a> {
    /// The run.
    pub run: &'a RunName,
    /// Kind of chip, as the stock names it.
    pub kind: &'a str,
    /// Keys of cards.
    pub keys: &'a dyn CardKeySource,
    /// Key of the document signer.
    pub signer: &'a (dyn Signer + Sync),
    /// Its certificate in DER.
    pub certificate: &'a [u8],
    /// Opens payloads.
    pub seal: &'a dyn Seal,
    /// What the site says of its cards besides the records.
    pub terms: &'a Terms,
    /// Anchors of the inspection.
    pub trust: &'a TrustStore,
    /// Rules of the inspection.
    pub policy: &'a Policy,
    /// Reads the clock.
    pub clock: &'a (dyn Fn() -> Timestamp + Sync),
    /// Every how many cards one is inspected whole by a verifier's rules, besides the read-back of
    /// every byte that no card goes without; 1 for all, 0 for none.
    pub inspect_every: u64,
    /// How long a head may hold a record.
    pub lease: Duration,
    /// Cards that one record may use up before a person looks at it, at least 1.
    pub most_attempts: u32,
    /// Whether chips that no list names are taken: for trials, never in production.
    pub open_stock: bool,
}

impl core::fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Line({})", self.run)
    }
}
