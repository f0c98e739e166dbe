//! Active Authentication, terminal side (ICAO 9303-11 §6.1).
//!
//! Running it and judging it are two things: the session gives a challenge and a response, which
//! prove nothing until they are checked with a key that Passive Authentication has bound to the
//! document.

mod message_recovery;

use cancuoc_primitives::ecdsa::{EcdsaSignature, verify_prehashed};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use rand_core::CryptoRng;
use thiserror::Error;

use super::session::{Session, max_protected_data};
use super::{TerminalError, commands};
use crate::apdu::Ne;
use crate::error::ErrorCode;
use crate::lds::PublicKey;
use crate::transport::CardTransport;

pub use message_recovery::{MIN_RSA_BITS, recover};

const STEP: &str = "INTERNAL AUTHENTICATE of Active Authentication";

/// Why a response to Active Authentication proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ActiveAuthenticationError {
    /// The signature has another length than the key asks for.
    #[error("the signature has {found} bytes, the key asks for {expected}")]
    Length {
        /// Bytes received.
        found: usize,
        /// Bytes of a signature with this key.
        expected: usize,
    },
    /// The signature does not belong to challenge and key.
    #[error("the signature does not verify")]
    Signature,
    /// The RSA key is too short or its length is no whole number of bytes.
    #[error("an RSA key of {bits} bits is not accepted for Active Authentication")]
    KeyLength {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The message recovered from an RSA signature does not start with 6A.
    #[error("the recovered message does not start with 6A")]
    Header,
    /// The trailer of the message recovered from an RSA signature is unknown.
    #[error("the recovered message has an unknown trailer")]
    Trailer,
    /// An ECDSA key without the ActiveAuthenticationInfo in DG14 that names the hash.
    #[error("DG14 does not say which hash goes with the ECDSA key")]
    HashNotAnnounced,
    /// A key that agrees on secrets and cannot sign.
    #[error("the key of DG15 cannot sign")]
    KeyAlgorithm,
    /// The ActiveAuthenticationInfo names an algorithm that is none of BSI TR-03111.
    #[error("DG14 announces an unknown signature algorithm")]
    UnknownAlgorithm,
}

impl ErrorCode for ActiveAuthenticationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "aa_signature_length",
            Self::Signature => "aa_signature_invalid",
            Self::KeyLength { .. } => "aa_key_length",
            Self::Header => "aa_recovered_header",
            Self::Trailer => "aa_recovered_trailer",
            Self::HashNotAnnounced => "aa_hash_not_announced",
            Self::KeyAlgorithm => "aa_key_algorithm",
            Self::UnknownAlgorithm => "aa_algorithm_unknown",
        }
    }
}

/// A challenge of the terminal and the card's response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveAuthenticationEvidence {
    /// RND.IFD, drawn by the terminal for this one run.
    pub challenge: [u8; 8],
    /// The signature as received.
    pub response: Vec<u8>,
}

impl ActiveAuthenticationEvidence {
    /// Checks the response with the key of DG15 and, for ECDSA, the algorithm of the
    /// ActiveAuthenticationInfo in DG14. Gives the hash that was used, which a policy may find weak.
    ///
    /// # Errors
    /// [`ActiveAuthenticationError`].
    pub fn verify(
        &self,
        key: &PublicKey,
        algorithm: Option<ObjectIdentifier>,
    ) -> Result<HashAlgorithm, ActiveAuthenticationError> {
        match key {
            PublicKey::Rsa(key) => recover(key, &self.response, &self.challenge),
            PublicKey::Ec(point) => {
                let algorithm = algorithm.ok_or(ActiveAuthenticationError::HashNotAnnounced)?;
                let hash = plain_ecdsa_hash(&algorithm)
                    .ok_or(ActiveAuthenticationError::UnknownAlgorithm)?;
                let expected = 2 * point.curve().order_len();
                let found = self.response.len();
                let signature = EcdsaSignature::from_plain(point.curve(), &self.response)
                    .map_err(|_| ActiveAuthenticationError::Length { found, expected })?;
                verify_prehashed(point, &hash.digest(&self.challenge), &signature)
                    .map_err(|_| ActiveAuthenticationError::Signature)?;
                Ok(hash)
            }
            PublicKey::Dh(_) => Err(ActiveAuthenticationError::KeyAlgorithm),
        }
    }
}

/// ecdsa-plain-signatures (BSI TR-03111 §5.2.1.1).
const ECDSA_PLAIN: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1");

/// The hash of ecdsa-plain-SHA1 to ecdsa-plain-SHA512.
#[must_use]
pub fn plain_ecdsa_hash(algorithm: &ObjectIdentifier) -> Option<HashAlgorithm> {
    match algorithm.as_bytes().strip_prefix(ECDSA_PLAIN.as_bytes())? {
        [1] => Some(HashAlgorithm::Sha1),
        [2] => Some(HashAlgorithm::Sha224),
        [3] => Some(HashAlgorithm::Sha256),
        [4] => Some(HashAlgorithm::Sha384),
        [5] => Some(HashAlgorithm::Sha512),
        _ => None,
    }
}

/// Sends a fresh challenge and takes the signature. `key` tells how long the signature will be;
/// one that does not fit into a short response asks for extended length where that is allowed.
///
/// # Errors
/// [`TerminalError::Refused`] and those of the session.
pub fn authenticate_actively<T: CardTransport>(
    session: &mut Session<T>,
    key: &PublicKey,
    random: &mut dyn CryptoRng,
) -> Result<ActiveAuthenticationEvidence, TerminalError> {
    let mut challenge = [0; 8];
    random.fill_bytes(&mut challenge);
    let length = match key {
        PublicKey::Ec(point) => 2 * point.curve().order_len(),
        PublicKey::Rsa(key) => key.modulus().len(),
        PublicKey::Dh(_) => {
            let what = "Active Authentication with a key that cannot sign".to_owned();
            return Err(TerminalError::Unsupported { what });
        }
    };
    let room = match session.secure_messaging() {
        Some(sm) => max_protected_data(sm.cipher().block_len()),
        None => 256,
    };
    let long = length > room && session.extended_length();
    let ne = if long { Ne::MAX_EXTENDED } else { Ne::MAX_SHORT };
    let response = session.transmit(&commands::internal_authenticate(challenge, ne))?;
    if !response.status.is_ok() {
        return Err(TerminalError::Refused { step: STEP, status: response.status });
    }
    Ok(ActiveAuthenticationEvidence { challenge, response: response.data })
}

#[cfg(test)]
mod tests;
