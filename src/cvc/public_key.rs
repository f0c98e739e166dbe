//! Public keys in CV certificates (BSI TR-03110-3 §D.3).

use cancuoc_primitives::curve::{Curve, ExplicitParameters, Point};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPublicKey;
use const_oid::ObjectIdentifier;

use super::{CvcError, HolderReference, OBJECT_IDENTIFIER, PUBLIC_KEY};
use crate::apdu::tlv::{Reader, Tag, Tlv, encode};
use crate::lds::{PublicKey, SignatureAlgorithm};

/// id-TA-RSA.
const TA_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.1");
/// id-TA-ECDSA.
const TA_ECDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.2.2.2.2");

/// A signature algorithm of Terminal Authentication (BSI TR-03110-3 §A.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaAlgorithm {
    /// ECDSA, signatures in plain format.
    Ecdsa(HashAlgorithm),
    /// RSASSA-PKCS1-v1_5 with SHA-1, SHA-256 or SHA-512.
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS with SHA-1, SHA-256 or SHA-512; the salt is as long as the hash.
    RsaPss(HashAlgorithm),
}

const ALGORITHMS: [(ObjectIdentifier, u32, TaAlgorithm); 11] = {
    use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
    [
        (TA_RSA, 1, TaAlgorithm::RsaPkcs1(Sha1)),
        (TA_RSA, 2, TaAlgorithm::RsaPkcs1(Sha256)),
        (TA_RSA, 3, TaAlgorithm::RsaPss(Sha1)),
        (TA_RSA, 4, TaAlgorithm::RsaPss(Sha256)),
        (TA_RSA, 5, TaAlgorithm::RsaPkcs1(Sha512)),
        (TA_RSA, 6, TaAlgorithm::RsaPss(Sha512)),
        (TA_ECDSA, 1, TaAlgorithm::Ecdsa(Sha1)),
        (TA_ECDSA, 2, TaAlgorithm::Ecdsa(Sha224)),
        (TA_ECDSA, 3, TaAlgorithm::Ecdsa(Sha256)),
        (TA_ECDSA, 4, TaAlgorithm::Ecdsa(Sha384)),
        (TA_ECDSA, 5, TaAlgorithm::Ecdsa(Sha512)),
    ]
};

impl TaAlgorithm {
    /// Every algorithm.
    pub fn all() -> impl Iterator<Item = Self> {
        ALGORITHMS.iter().map(|(.., algorithm)| *algorithm)
    }

    /// The algorithm of an object identifier.
    #[must_use]
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        let same = |(base, arc, _): &&(ObjectIdentifier, u32, Self)| {
            base.push_arc(*arc).is_ok_and(|known| known == *oid)
        };
        ALGORITHMS.iter().find(same).map(|(.., algorithm)| *algorithm)
    }

    /// Its object identifier; none for RSA with a hash that is not defined.
    #[must_use]
    pub fn oid(self) -> Option<ObjectIdentifier> {
        let (base, arc, _) = ALGORITHMS.iter().find(|(.., known)| *known == self)?;
        base.push_arc(*arc).ok()
    }

    /// The algorithm that makes and verifies such signatures.
    #[must_use]
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Ecdsa(hash) => SignatureAlgorithm::EcdsaPlain(hash),
            Self::RsaPkcs1(hash) => SignatureAlgorithm::RsaPkcs1(hash),
            Self::RsaPss(hash) => SignatureAlgorithm::RsaPss { hash, salt_len: hash.output_len() },
        }
    }

    /// The algorithm in certificates for a key that signs so; none where none is defined.
    #[must_use]
    pub fn from_signature_algorithm(algorithm: SignatureAlgorithm) -> Option<Self> {
        let found = match algorithm {
            SignatureAlgorithm::Ecdsa(hash) | SignatureAlgorithm::EcdsaPlain(hash) => {
                Self::Ecdsa(hash)
            }
            SignatureAlgorithm::RsaPkcs1(hash) => Self::RsaPkcs1(hash),
            SignatureAlgorithm::RsaPss { hash, salt_len } if salt_len == hash.output_len() => {
                Self::RsaPss(hash)
            }
            SignatureAlgorithm::RsaPss { .. } => return None,
        };
        found.oid().map(|_| found)
    }

    const fn is_rsa(self) -> bool {
        !matches!(self, Self::Ecdsa(_))
    }

    /// Name in BSI TR-03110-3: `id-TA-ECDSA-SHA-256`.
    #[must_use]
    pub fn name(self) -> String {
        let (scheme, hash) = match self {
            Self::Ecdsa(hash) => ("ECDSA", hash),
            Self::RsaPkcs1(hash) => ("RSA-v1-5", hash),
            Self::RsaPss(hash) => ("RSA-PSS", hash),
        };
        format!("id-TA-{scheme}-{}", hash.name())
    }
}

/// The numbers of a public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CvKey {
    /// RSA.
    Rsa(RsaPublicKey),
    /// On a curve.
    Ec {
        /// Domain parameters, where the certificate has them; otherwise the issuer's count.
        curve: Option<Curve>,
        /// The point as it stands: `04 || X || Y`.
        point: Vec<u8>,
    },
}

/// A public key of a CV certificate or request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvPublicKey {
    /// What it verifies.
    pub algorithm: TaAlgorithm,
    /// Its numbers.
    pub key: CvKey,
}

/// Longest number of domain parameters or key, in bytes.
const MAX_NUMBER: usize = 512;

fn number<'a>(children: &mut Reader<'a>, tag: u32) -> Result<&'a [u8], CvcError> {
    let value = children.read_tag(Tag(tag))?.value;
    if value.is_empty() || value.len() > MAX_NUMBER {
        return Err(CvcError::field("public key", "a number is empty or too long"));
    }
    Ok(value)
}

impl CvPublicKey {
    pub(super) fn decode(template: &Tlv<'_>) -> Result<Self, CvcError> {
        let mut children = template.children();
        let oid = children.read_tag(OBJECT_IDENTIFIER)?.value;
        let oid = ObjectIdentifier::from_bytes(oid).map_err(|_| CvcError::Algorithm)?;
        let algorithm = TaAlgorithm::from_oid(&oid).ok_or(CvcError::Algorithm)?;
        let key = if algorithm.is_rsa() {
            let (n, e) = (number(&mut children, 0x81)?, number(&mut children, 0x82)?);
            CvKey::Rsa(RsaPublicKey::new(n, e).map_err(|_| CvcError::PublicKey)?)
        } else {
            Self::decode_ec(&mut children)?
        };
        children.finish()?;
        Ok(Self { algorithm, key })
    }

    fn decode_ec(children: &mut Reader<'_>) -> Result<CvKey, CvcError> {
        // Domain parameters come all or not at all; the cofactor may be missing (ICAO 9303-11 §9.4.4).
        let Some(p) = children.read_if(Tag(0x81))? else {
            let point = number(children, 0x86)?.to_vec();
            return Ok(CvKey::Ec { curve: None, point });
        };
        let (a, b) = (number(children, 0x82)?, number(children, 0x83)?);
        let (generator, n) = (number(children, 0x84)?, number(children, 0x85)?);
        let point = number(children, 0x86)?.to_vec();
        let cofactor = children.read_if(Tag(0x87))?.map(|cofactor| cofactor.value);
        let explicit = ExplicitParameters { p: p.value, a, b, generator, n, cofactor };
        let curve = Curve::from_explicit(&explicit).ok_or(CvcError::DomainParameters)?;
        Point::from_uncompressed(curve, &point).map_err(|_| CvcError::PublicKey)?;
        Ok(CvKey::Ec { curve: Some(curve), point })
    }

    /// The key that a certificate is made for; none where the key cannot have the algorithm.
    #[must_use]
    pub fn new(algorithm: TaAlgorithm, key: &PublicKey, with_parameters: bool) -> Option<Self> {
        let key = match key {
            PublicKey::Rsa(key) if algorithm.is_rsa() => CvKey::Rsa(key.clone()),
            PublicKey::Ec(point) if !algorithm.is_rsa() => CvKey::Ec {
                curve: with_parameters.then(|| point.curve()),
                point: point.to_uncompressed(),
            },
            _ => return None,
        };
        algorithm.oid().map(|_| Self { algorithm, key })
    }

    /// The same key without domain parameters: as certificates of document verifiers and
    /// terminals have it.
    #[must_use]
    pub fn without_parameters(&self) -> Self {
        let key = match &self.key {
            CvKey::Ec { point, .. } => CvKey::Ec { curve: None, point: point.clone() },
            CvKey::Rsa(key) => CvKey::Rsa(key.clone()),
        };
        Self { algorithm: self.algorithm, key }
    }

    /// The curve that the certificate itself names.
    #[must_use]
    pub const fn curve(&self) -> Option<Curve> {
        match &self.key {
            CvKey::Ec { curve, .. } => *curve,
            CvKey::Rsa(_) => None,
        }
    }

    /// The key ready for use; `inherited` is the curve of the issuer, used where the certificate has
    /// no domain parameters of its own.
    ///
    /// # Errors
    /// [`CvcError::NoDomainParameters`], [`CvcError::PublicKey`] for a point that is not on the curve.
    pub fn resolve(
        &self,
        inherited: Option<Curve>,
        holder: &HolderReference,
    ) -> Result<PublicKey, CvcError> {
        match &self.key {
            CvKey::Rsa(key) => Ok(PublicKey::Rsa(key.clone())),
            CvKey::Ec { curve, point } => {
                let missing = || CvcError::NoDomainParameters { holder: holder.clone() };
                let curve = curve.or(inherited).ok_or_else(missing)?;
                let point = Point::from_uncompressed(curve, point);
                point.map(PublicKey::Ec).map_err(|_| CvcError::PublicKey)
            }
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let oid = self.algorithm.oid();
        let oid = oid.as_ref().map(ObjectIdentifier::as_bytes).unwrap_or_default();
        let mut value = encode(OBJECT_IDENTIFIER, oid);
        let mut put = |tag, bytes: &[u8]| value.extend(encode(Tag(tag), bytes));
        match &self.key {
            CvKey::Rsa(key) => {
                put(0x81, strip_zeros(&key.modulus()));
                put(0x82, strip_zeros(&key.exponent()));
            }
            CvKey::Ec { curve, point } => {
                let parameters = curve.map(Curve::parameters);
                if let Some(p) = parameters {
                    put(0x81, strip_zeros(p.p));
                    put(0x82, strip_zeros(p.a));
                    put(0x83, strip_zeros(p.b));
                    put(0x84, &[&[4], p.gx, p.gy].concat());
                    put(0x85, strip_zeros(p.n));
                }
                put(0x86, point);
                if parameters.is_some() {
                    put(0x87, &[1]);
                }
            }
        }
        encode(PUBLIC_KEY, &value)
    }
}

/// An unsigned integer has no zeros in front (BSI TR-03110-3 §D.2.1.1).
fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}
