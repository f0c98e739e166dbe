//! Chip Authentication Mapping: what the chip adds to PACE to prove that it is no copy
//! (ICAO 9303-11 §4.4.3.5).
//!
//! Running it and judging it are two things. PACE gives evidence; [`verify_cam`] judges it, once
//! Passive Authentication has bound the chip's static key (in EF.CardSecurity, or in DG14) to the
//! document.

use cancuoc_primitives::cipher::{BlockCipher, cbc_decrypt, encrypt_block, unpad};
use cancuoc_primitives::curve::{Point, SecretScalar};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::ErrorCode;
use crate::lds::PublicKey;

/// What the chip sent in PACE with Chip Authentication Mapping, to be judged later.
#[derive(Clone, PartialEq, Eq)]
pub struct ChipAuthenticationMappingEvidence {
    /// The parameter identifier of the PACEInfo: the static key is the one whose
    /// ChipAuthenticationPublicKeyInfo has it as its key identifier (ICAO 9303-11 §9.2.1).
    pub parameter_id: Option<u32>,
    /// Encrypted Chip Authentication Data, DO'8A', as received.
    pub encrypted: Vec<u8>,
    /// Chip Authentication Data, decrypted and without padding; none where what was received
    /// cannot be decrypted.
    pub data: Option<Zeroizing<Vec<u8>>>,
    /// The chip's ephemeral public key of the mapping, DO'82'.
    pub mapping_key: Point,
}

impl std::fmt::Debug for ChipAuthenticationMappingEvidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChipAuthenticationMappingEvidence({:?}, ***)", self.mapping_key)
    }
}

/// Why the evidence of Chip Authentication Mapping proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChipAuthenticationMappingError {
    /// The static key is not on the curve on which PACE ran.
    #[error("the static key does not belong to the curve of the mapping key")]
    Domain,
    /// DO'8A' cannot be decrypted, or its content is no number from 1 to the group's order less
    /// one.
    #[error("the Chip Authentication Data cannot be used")]
    Data,
    /// The chip's mapping key does not follow from its static key.
    #[error("the mapping key does not belong to the static key")]
    Key,
}

impl ErrorCode for ChipAuthenticationMappingError {
    fn code(&self) -> &'static str {
        match self {
            Self::Domain => "cam_key_domain",
            Self::Data => "cam_data_invalid",
            Self::Key => "cam_key_mismatch",
        }
    }
}

/// Checks that the chip knows the private key that belongs to `static_key`: its mapping key must
/// be the static key times the Chip Authentication Data (ICAO 9303-11 §4.4.3.5.2).
///
/// That proves something only for a static key that Passive Authentication has bound to the
/// document.
///
/// # Errors
/// [`ChipAuthenticationMappingError`].
pub fn verify_cam(
    evidence: &ChipAuthenticationMappingEvidence,
    static_key: &PublicKey,
) -> Result<(), ChipAuthenticationMappingError> {
    use ChipAuthenticationMappingError::{Data, Domain, Key};
    let curve = evidence.mapping_key.curve();
    let static_key = match static_key {
        PublicKey::Ec(point) if point.curve() == curve => point,
        _ => return Err(Domain),
    };
    let data = evidence.data.as_ref().ok_or(Data)?;
    let factor = SecretScalar::from_bytes(curve, data).map_err(|_| Data)?;
    let product = static_key.multiply(&factor).map_err(|_| Key)?;
    if product == evidence.mapping_key { Ok(()) } else { Err(Key) }
}

/// Decrypts DO'8A' with the new session key: CBC, initialisation vector `E(KSEnc, -1)`, padding
/// method 2 (ICAO 9303-11 §4.4.3.5.3, §4.4.3.5.4).
pub(super) fn decrypt(
    cipher: BlockCipher,
    encryption_key: &[u8],
    encrypted: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let ones = vec![0xFF; cipher.block_len()];
    let iv = encrypt_block(cipher, encryption_key, &ones).ok()?;
    let padded = Zeroizing::new(cbc_decrypt(cipher, encryption_key, &iv, encrypted).ok()?);
    let data = unpad(&padded)?;
    // Method 2 adds at most one block.
    let fits = !data.is_empty() && padded.len() - data.len() <= cipher.block_len();
    fits.then(|| Zeroizing::new(data.to_vec()))
}

#[cfg(test)]
mod tests {
    use cancuoc_primitives::curve::Curve;

    use super::super::testing::vectors;
    use super::*;

    fn evidence() -> ChipAuthenticationMappingEvidence {
        let vector = vectors("pace-ecdh-cam");
        let encrypted = vector("encrypted_chip_authentication_data");
        let key = vector("session_encryption_key");
        ChipAuthenticationMappingEvidence {
            parameter_id: Some(13),
            data: decrypt(BlockCipher::Aes128, &key, &encrypted),
            encrypted,
            mapping_key: point("chip_mapping_public"),
        }
    }

    fn point(name: &str) -> Point {
        let bytes = vectors("pace-ecdh-cam")(name);
        Point::from_uncompressed(Curve::BrainpoolP256r1, &bytes).unwrap()
    }

    fn static_key() -> PublicKey {
        PublicKey::Ec(point("chip_static_public"))
    }

    #[test]
    fn decrypts_the_published_data() {
        let data = evidence().data.unwrap();
        assert_eq!(*data, vectors("pace-ecdh-cam")("chip_authentication_data"));
    }

    #[test]
    fn accepts_the_published_example() {
        assert_eq!(verify_cam(&evidence(), &static_key()), Ok(()));
    }

    #[test]
    fn refuses_another_static_key() {
        let other = PublicKey::Ec(point("chip_public"));
        let error = ChipAuthenticationMappingError::Key;
        assert_eq!(verify_cam(&evidence(), &other), Err(error));
    }

    #[test]
    fn refuses_another_mapping_key() {
        let evidence =
            ChipAuthenticationMappingEvidence { mapping_key: point("chip_public"), ..evidence() };
        let error = ChipAuthenticationMappingError::Key;
        assert_eq!(verify_cam(&evidence, &static_key()), Err(error));
    }

    #[test]
    fn refuses_a_static_key_of_another_curve() {
        let other = PublicKey::Ec(Point::generator(Curve::P256));
        let error = ChipAuthenticationMappingError::Domain;
        assert_eq!(verify_cam(&evidence(), &other), Err(error));
    }

    #[test]
    fn refuses_data_that_is_zero_too_large_or_missing() {
        let order = Curve::BrainpoolP256r1.parameters().n.to_vec();
        for data in [Some(vec![0; 32]), Some(order), None] {
            let evidence =
                ChipAuthenticationMappingEvidence { data: data.map(Zeroizing::new), ..evidence() };
            let error = ChipAuthenticationMappingError::Data;
            assert_eq!(verify_cam(&evidence, &static_key()), Err(error));
        }
    }

    #[test]
    fn decrypts_nothing_of_another_length_or_key() {
        let vector = vectors("pace-ecdh-cam");
        let encrypted = vector("encrypted_chip_authentication_data");
        let (key, other) = (vector("session_encryption_key"), vector("session_mac_key"));
        assert_eq!(decrypt(BlockCipher::Aes128, &key, &encrypted[..47]), None);
        assert_eq!(decrypt(BlockCipher::Aes128, &key, &[]), None);
        assert_eq!(decrypt(BlockCipher::Aes128, &other, &encrypted), None);
    }

    #[test]
    fn shows_no_data_in_debug_output() {
        let shown = format!("{:?}", evidence());
        assert!(shown.ends_with("***)") && !shown.contains("85"), "{shown}");
    }
}
