//! Why a key store did not do what it was asked for.

use std::path::PathBuf;

use thiserror::Error;

use super::UriError;
use crate::error::ErrorCode;
use crate::pki::{DirectoryError, SignerError};

/// Why a key store did not do what it was asked for. No text carries a PIN or a key.
#[derive(Debug, Error)]
pub enum KeyStoreError {
    /// The name of a key is malformed.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// A file beside the certificates cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file with the name of a key holds none.
    #[error("{path}: {source}", path = path.display())]
    UriFile {
        /// File.
        path: PathBuf,
        /// What is wrong.
        source: UriError,
    },
    /// Nothing says which module the key store has.
    #[error("no module: neither module-path in the URI nor another")]
    NoModule,
    /// The module cannot be loaded.
    #[error("{path}: {reason}", path = path.display())]
    Module {
        /// Shared library.
        path: PathBuf,
        /// What the system or the module said.
        reason: String,
    },
    /// No token fits.
    #[error("no token fits {0}")]
    TokenAbsent(String),
    /// More than one token fits.
    #[error("{count} tokens fit {uri}")]
    TokenAmbiguous {
        /// What was asked for.
        uri: String,
        /// How many fit.
        count: usize,
    },
    /// The token holds no such key.
    #[error("no key fits {0}")]
    KeyAbsent(String),
    /// More than one key fits.
    #[error("{count} keys fit {uri}")]
    KeyAmbiguous {
        /// What was asked for.
        uri: String,
        /// How many fit.
        count: usize,
    },
    /// A key of that name is there already.
    #[error("{0} is there already")]
    KeyExists(String),
    /// The token is in use already.
    #[error("{0} is in use")]
    TokenInitialized(String),
    /// The key cannot be used for this.
    #[error("the key cannot be used: {0}")]
    KeyUnsuitable(String),
    /// The token refused the PIN. It is not tried again: tokens count.
    #[error("the token refused the PIN")]
    PinWrong,
    /// The token takes no PIN any more.
    #[error("the PIN is locked")]
    PinLocked,
    /// One more wrong PIN would lock the token.
    #[error("one more wrong PIN would lock the token")]
    PinFinalTry,
    /// The token wants a PIN.
    #[error("the token wants a PIN")]
    PinMissing,
    /// The token does not answer, or not in time, after as many tries as there are.
    #[error("{operation}: {reason}, after {tries} tries")]
    Unavailable {
        /// What was asked for.
        operation: &'static str,
        /// What the module said.
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
    /// The token refuses for good.
    #[error("{operation}: {reason}")]
    Refused {
        /// What was asked for.
        operation: &'static str,
        /// What the module said.
        reason: String,
    },
    /// The key store gave signatures that do not verify; it signs no more.
    #[error("{count} signatures did not verify")]
    WrongSignatures {
        /// How many.
        count: u32,
    },
    /// A component of a key is no hexadecimal of the right length.
    #[error("component {number}: {what}")]
    Component {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// The assembled key must not be used.
    #[error("the assembled key {0}")]
    WeakKey(&'static str),
    /// A check value is another than the one told.
    #[error("the check value is {found}, not {expected}")]
    CheckValue {
        /// Of the key.
        found: String,
        /// As it was told.
        expected: String,
    },
    /// The token is tagged for another environment.
    #[error("the token is tagged {found}, not {wanted}")]
    Environment {
        /// As the token says.
        found: String,
        /// As it was asked for.
        wanted: &'static str,
    },
}

impl ErrorCode for KeyStoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Uri(error) => error.code(),
            Self::Directory(error) => error.code(),
            Self::UriFile { .. } => "key_uri_file_malformed",
            Self::NoModule => "key_store_module_missing",
            Self::Module { .. } => "key_store_module_unusable",
            Self::TokenAbsent(_) => "key_store_token_absent",
            Self::TokenAmbiguous { .. } => "key_store_token_ambiguous",
            Self::KeyAbsent(_) => "key_store_key_absent",
            Self::KeyAmbiguous { .. } => "key_store_key_ambiguous",
            Self::KeyExists(_) => "key_store_key_exists",
            Self::TokenInitialized(_) => "key_store_token_initialized",
            Self::KeyUnsuitable(_) => "key_store_key_unsuitable",
            Self::PinWrong => "key_store_pin_wrong",
            Self::PinLocked => "key_store_pin_locked",
            Self::PinFinalTry => "key_store_pin_final_try",
            Self::PinMissing => "key_store_pin_missing",
            Self::Unavailable { .. } => "key_store_unavailable",
            Self::Refused { .. } => "key_store_refused",
            Self::WrongSignatures { .. } => "signature_wrong",
            Self::Component { .. } => "key_component_malformed",
            Self::WeakKey(_) => "key_assembled_weak",
            Self::CheckValue { .. } => "key_check_value_other",
            Self::Environment { .. } => "key_store_environment_other",
        }
    }
}

impl KeyStoreError {
    /// Whether the store is not available, now or to this user, rather than the request wrong.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Module { .. }
                | Self::TokenAbsent(_)
                | Self::PinLocked
                | Self::PinFinalTry
                | Self::Unavailable { .. }
                | Self::WrongSignatures { .. }
        )
    }
}

impl From<KeyStoreError> for SignerError {
    fn from(error: KeyStoreError) -> Self {
        match error {
            KeyStoreError::KeyUnsuitable(_) => Self::Key,
            KeyStoreError::WrongSignatures { count } => Self::WrongSignatures { count },
            other => Self::Unavailable(other.to_string()),
        }
    }
}
