//! What signs: a key in a file, or one in a key store.

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

    /// Signs a message. The signature is not verified: see [`Signer::sign_verified`].
    ///
    /// # Errors
    /// [`SignerError`].
    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError>;

    /// Signs a message and verifies the signature with the public key before anybody sees it. Key
    /// stores have given well-formed signatures that were wrong: such a one is thrown away and
    /// reported, and after a few the key signs no more.
    ///
    /// # Errors
    /// [`SignerError`].
    fn sign_verified(
        &self,
        message: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SignerError> {
        let key = self.public_key();
        for count in 1..=MOST_WRONG {
            let signature = self.sign(message, random)?;
            if self.algorithm().verify(&key, message, &signature).is_ok() {
                return Ok(signature);
            }
            tracing::error!(count, "a signature does not verify");
        }
        Err(SignerError::WrongSignatures { count: MOST_WRONG })
    }
}

/// Wrong signatures after which a key is not asked again.
pub(crate) const MOST_WRONG: u32 = 3;

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignerError {
    /// The key cannot make such a signature.
    #[error("the key cannot sign with this algorithm")]
    Key,
    /// The key store does not answer.
    #[error("the key store is not available: {0}")]
    Unavailable(String),
    /// Signatures came that do not verify.
    #[error("{count} signatures did not verify")]
    WrongSignatures {
        /// How many.
        count: u32,
    },
}

impl ErrorCode for SignerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key => "signer_key_unusable",
            Self::Unavailable(_) => "key_store_unavailable",
            Self::WrongSignatures { .. } => "signature_wrong",
        }
    }
}
