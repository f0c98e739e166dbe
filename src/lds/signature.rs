//! Signature algorithms of security objects and certificates (ICAO 9303-12 §4.4, RFC 3279, RFC
//! 4055, RFC 5758, BSI TR-03111 §5.2).

use cancuoc_primitives::ecdsa::{EcdsaSignature, SignatureError, verify_prehashed};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use thiserror::Error;

use super::{Element, LdsError, PublicKey, tag, write};
use crate::apdu::tlv::Tag;
use crate::error::ErrorCode;

const FILE: &str = "AlgorithmIdentifier";
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");

/// A signature algorithm with its hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ECDSA, the signature in DER.
    Ecdsa(HashAlgorithm),
    /// ECDSA, the signature as `r || s` (ecdsa-plain, BSI TR-03111).
    EcdsaPlain(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS with the mask generation function over the same hash.
    RsaPss {
        /// Hash function.
        hash: HashAlgorithm,
        /// Bytes of salt.
        salt_len: usize,
    },
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureFault {
    /// The algorithm identifier is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// An algorithm that is unknown, or not acceptable (MD5).
    #[error("signature algorithm {0} is not supported")]
    Algorithm(ObjectIdentifier),
    /// RSASSA-PSS with another mask generation function, hash or trailer than foreseen.
    #[error("RSASSA-PSS parameters are not supported")]
    PssParameters,
    /// The key is of another kind than the algorithm asks for.
    #[error("the key does not fit the signature algorithm")]
    KeyMismatch,
    /// The signature is malformed, out of range, or does not fit.
    #[error("{0}")]
    Signature(#[from] SignatureError),
}

impl ErrorCode for SignatureFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "algorithm_malformed",
            Self::Algorithm(_) => "signature_algorithm_unsupported",
            Self::PssParameters => "pss_parameters_unsupported",
            Self::KeyMismatch => "signature_key_mismatch",
            Self::Signature(SignatureError::Malformed) => "signature_malformed",
            Self::Signature(SignatureError::OutOfRange) => "signature_out_of_range",
            Self::Signature(_) => "signature_invalid",
        }
    }
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Object identifiers with a fixed hash function.
const FIXED: [(ObjectIdentifier, SignatureAlgorithm); 15] = [
    (oid("1.2.840.10045.4.1"), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha1)),
    (oid("1.2.840.10045.4.3.1"), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha224)),
    (oid("1.2.840.10045.4.3.2"), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256)),
    (oid("1.2.840.10045.4.3.3"), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha384)),
    (oid("1.2.840.10045.4.3.4"), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha512)),
    (oid("0.4.0.127.0.7.1.1.4.1.1"), SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha1)),
    (oid("0.4.0.127.0.7.1.1.4.1.2"), SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha224)),
    (oid("0.4.0.127.0.7.1.1.4.1.3"), SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256)),
    (oid("0.4.0.127.0.7.1.1.4.1.4"), SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha384)),
    (oid("0.4.0.127.0.7.1.1.4.1.5"), SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha512)),
    (oid("1.2.840.113549.1.1.5"), SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha1)),
    (oid("1.2.840.113549.1.1.14"), SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha224)),
    (oid("1.2.840.113549.1.1.11"), SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256)),
    (oid("1.2.840.113549.1.1.12"), SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384)),
    (oid("1.2.840.113549.1.1.13"), SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512)),
];

impl SignatureAlgorithm {
    /// The algorithm of an object identifier that fixes the hash function too.
    #[must_use]
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        FIXED.iter().find(|(fixed, _)| fixed == oid).map(|(_, algorithm)| *algorithm)
    }

    /// Reads an AlgorithmIdentifier. CMS allows `rsaEncryption`, where the digest algorithm beside
    /// it says the hash (RFC 3370 §3.2): give it as `digest`.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn from_der(bytes: &[u8], digest: Option<HashAlgorithm>) -> Result<Self, SignatureFault> {
        let mut children = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
        let oid = children.any()?.oid()?;
        if oid == RSASSA_PSS {
            return read_pss(children.next_element()?.as_ref());
        }
        if let (RSA_ENCRYPTION, Some(hash)) = (oid, digest) {
            return Ok(Self::RsaPkcs1(hash));
        }
        Self::from_oid(&oid).ok_or(SignatureFault::Algorithm(oid))
    }

    /// AlgorithmIdentifier in DER.
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        if let Self::RsaPss { hash, salt_len } = self {
            return write_pss(hash, salt_len);
        }
        let fixed = FIXED.iter().find(|(_, algorithm)| *algorithm == self);
        let oid = fixed.map_or(RSA_ENCRYPTION, |(oid, _)| *oid);
        let parameters: &[u8] = if matches!(self, Self::RsaPkcs1(_)) { &[5, 0] } else { &[] };
        write::sequence(&[&write::oid(&oid), parameters])
    }

    /// Its hash function.
    #[must_use]
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::Ecdsa(hash)
            | Self::EcdsaPlain(hash)
            | Self::RsaPkcs1(hash)
            | Self::RsaPss { hash, .. } => hash,
        }
    }

    /// What it is, for people: `ECDSA with SHA-256`.
    #[must_use]
    pub fn description(self) -> String {
        let scheme = match self {
            Self::Ecdsa(_) | Self::EcdsaPlain(_) => "ECDSA",
            Self::RsaPkcs1(_) => "RSA PKCS#1 v1.5",
            Self::RsaPss { .. } => "RSASSA-PSS",
        };
        format!("{scheme} with {}", self.hash().name())
    }

    /// Whether the key is of the kind that the algorithm asks for.
    #[must_use]
    pub const fn fits(self, key: &PublicKey) -> bool {
        match self {
            Self::Ecdsa(_) | Self::EcdsaPlain(_) => matches!(key, PublicKey::Ec(_)),
            Self::RsaPkcs1(_) | Self::RsaPss { .. } => matches!(key, PublicKey::Rsa(_)),
        }
    }

    /// Verifies a signature over a message.
    ///
    /// # Errors
    /// [`SignatureFault::KeyMismatch`], [`SignatureFault::Signature`].
    pub fn verify(
        self,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureFault> {
        let digest = self.hash().digest(message);
        match (self, key) {
            (Self::Ecdsa(_), PublicKey::Ec(point)) => {
                verify_prehashed(point, &digest, &EcdsaSignature::from_der(signature)?)?;
            }
            (Self::EcdsaPlain(_), PublicKey::Ec(point)) => {
                let signature = EcdsaSignature::from_plain(point.curve(), signature)?;
                verify_prehashed(point, &digest, &signature)?;
            }
            (Self::RsaPkcs1(hash), PublicKey::Rsa(key)) => {
                key.verify_pkcs1v15(hash, &digest, signature)?;
            }
            (Self::RsaPss { hash, salt_len }, PublicKey::Rsa(key)) => {
                key.verify_pss(hash, salt_len, &digest, signature)?;
            }
            _ => return Err(SignatureFault::KeyMismatch),
        }
        Ok(())
    }
}

/// `RSASSA-PSS-params` (RFC 4055 §3.1): absent fields mean SHA-1, MGF1 with SHA-1, 20 bytes of salt.
fn read_pss(parameters: Option<&Element<'_>>) -> Result<SignatureAlgorithm, SignatureFault> {
    let parameters = parameters.ok_or(SignatureFault::PssParameters)?;
    let mut fields = parameters.expect(tag::SEQUENCE)?.children();
    let hash = match fields.optional(Tag(0xA0))? {
        Some(field) => read_hash(&field.children().any()?)?,
        None => HashAlgorithm::Sha1,
    };
    let mask_hash = match fields.optional(Tag(0xA1))? {
        Some(field) => {
            let mut mask = field.children().tagged(tag::SEQUENCE)?.children();
            if mask.any()?.oid()? != MGF1 {
                return Err(SignatureFault::PssParameters);
            }
            read_hash(&mask.any()?)?
        }
        None => HashAlgorithm::Sha1,
    };
    let salt_len = match fields.optional(Tag(0xA2))? {
        Some(field) => field.children().any()?.small_integer()?,
        None => 20,
    };
    let trailer = match fields.optional(Tag(0xA3))? {
        Some(field) => field.children().any()?.small_integer()?,
        None => 1,
    };
    if mask_hash != hash || trailer != 1 || salt_len > 512 {
        return Err(SignatureFault::PssParameters);
    }
    Ok(SignatureAlgorithm::RsaPss { hash, salt_len: salt_len as usize })
}

fn read_hash(element: &Element<'_>) -> Result<HashAlgorithm, SignatureFault> {
    let oid = element.expect(tag::SEQUENCE)?.children().any()?.oid()?;
    HashAlgorithm::from_oid(&oid).ok_or(SignatureFault::Algorithm(oid))
}

fn write_pss(hash: HashAlgorithm, salt_len: usize) -> Vec<u8> {
    let hash_id = write::sequence(&[&write::oid(&hash.oid()), &[5, 0]]);
    let mask = write::sequence(&[&write::oid(&MGF1), &hash_id]);
    let parameters = write::sequence(&[
        &write::constructed(Tag(0xA0), &[&hash_id]),
        &write::constructed(Tag(0xA1), &[&mask]),
        &write::constructed(Tag(0xA2), &[&write::integer(salt_len as u32)]),
    ]);
    write::sequence(&[&write::oid(&RSASSA_PSS), &parameters])
}
