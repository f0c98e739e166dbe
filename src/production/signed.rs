//! What audit entries and approvals share: digests, and signatures that are checked before they go out.

use std::fmt;
use std::str::FromStr;

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::lds::{ParameterForm, PublicKey, SignatureAlgorithm};
use crate::pki::{Signer, SignerError};

/// A SHA-256 value; as text 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; Self::LENGTH]);

impl Digest {
    /// Bytes of a digest.
    pub const LENGTH: usize = 32;
    /// What stands before the first entry of a chain.
    pub const ZERO: Self = Self([0; Self::LENGTH]);

    /// SHA-256 of the data.
    #[must_use]
    pub fn of(data: &[u8]) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes.copy_from_slice(&HashAlgorithm::Sha256.digest(data));
        Self(bytes)
    }

    /// The digest of a public key: SHA-256 of its SubjectPublicKeyInfo with named parameters.
    #[must_use]
    pub fn of_key(key: &PublicKey) -> Self {
        Self::of(&key.to_spki_der(ParameterForm::Named))
    }

    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0; Self::LENGTH];
        let is_lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        hex::decode_to_slice(text, &mut bytes).ok().filter(|()| is_lower).ok_or(())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|()| de::Error::custom("not 64 hexadecimal digits"))
    }
}

/// Signs, and verifies the signature before anybody gets it: key stores are known to return wrong ones.
///
/// # Errors
/// [`SignerError`]; [`SignerError::Key`] for a signature that does not verify.
pub(super) fn sign(
    signer: &dyn Signer,
    message: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let signature = signer.sign(message, random)?;
    let verified = signer.algorithm().verify(&signer.public_key(), message, &signature);
    verified.map_err(|_| SignerError::Key)?;
    Ok(signature)
}

/// An algorithm as hexadecimal digits of its AlgorithmIdentifier.
pub(super) fn algorithm_text(algorithm: SignatureAlgorithm) -> String {
    hex::encode(algorithm.to_der())
}

/// Reads an algorithm; SHA-1 signs nothing here.
pub(super) fn algorithm_from(text: &str) -> Option<SignatureAlgorithm> {
    let algorithm = SignatureAlgorithm::from_der(&hex::decode(text).ok()?, None).ok()?;
    (algorithm.hash() != HashAlgorithm::Sha1).then_some(algorithm)
}

/// A time as RFC 3339 text.
pub(super) mod time_text {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::production) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(in crate::production) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("no time"))
    }
}

/// Bytes as base64 text.
pub(super) mod base64_text {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::production) fn serialize<S: Serializer>(
        bytes: &[u8],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(in crate::production) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map_err(|_| de::Error::custom("not base64"))
    }
}
