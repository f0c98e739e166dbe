//! What signs: a key in a file today, one in an HSM tomorrow.

use cancuoc_primitives::CryptoRng;
use thiserror::Error;

use crate::error::ErrorCode;
use crate::lds::{PublicKey, SignatureAlgorithm};

/// A private key that signs with one algorithm.
pub trait Signer {
    /// The algorithm of its signatures.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Its public key.
    fn public_key(&self) -> PublicKey;

    /// Signs a message.
    ///
    /// # Errors
    /// [`SignerError`]. A caller verifies each signature before it goes out.
    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError>;
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignerError {
    /// The key cannot make such a signature.
    #[error("the key cannot sign with this algorithm")]
    Key,
    /// The key store does not answer.
    #[error("the key store is not available: {0}")]
    Unavailable(String),
}

impl ErrorCode for SignerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key => "signer_key_unusable",
            Self::Unavailable(_) => "key_store_unavailable",
        }
    }
}
