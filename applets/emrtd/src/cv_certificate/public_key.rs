//! Public keys of CV certificates and the signatures made with them (BSI TR-03110-3 §A.6.3, §A.6.4,
//! §D.3).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Malformed, Objects};
use cancuoc_primitives::curve::{Curve, ExplicitParameters, Point};
use cancuoc_primitives::ecdsa::{self, EcdsaSignature, SignatureError};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPublicKey;

use super::{OBJECT_IDENTIFIER, end, take};

/// id-TA, 0.4.0.127.0.7.2.2.2.
const TERMINAL_AUTHENTICATION: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02];
/// Most bits of an RSA modulus (the specification ends at 3072).
const MAX_RSA_BITS: usize = 4096;
/// Most bytes of an RSA exponent (BSI TR-03110-3 §A.6.3.2).
const MAX_EXPONENT: usize = 4;

/// Signature algorithm of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    RsaPkcs1v15(HashAlgorithm),
    RsaPss(HashAlgorithm),
    Ecdsa(HashAlgorithm),
}

impl Algorithm {
    const ALL: [Self; 11] = {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        [
            Self::RsaPkcs1v15(Sha1),
            Self::RsaPkcs1v15(Sha256),
            Self::RsaPkcs1v15(Sha512),
            Self::RsaPss(Sha1),
            Self::RsaPss(Sha256),
            Self::RsaPss(Sha512),
            Self::Ecdsa(Sha1),
            Self::Ecdsa(Sha224),
            Self::Ecdsa(Sha256),
            Self::Ecdsa(Sha384),
            Self::Ecdsa(Sha512),
        ]
    };

    /// The two arcs after id-TA (BSI TR-03110-3 §A.1.1.3).
    const fn arcs(self) -> [u8; 2] {
        use HashAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        match self {
            Self::RsaPkcs1v15(Sha1) => [1, 1],
            Self::RsaPkcs1v15(Sha256) => [1, 2],
            Self::RsaPss(Sha1) => [1, 3],
            Self::RsaPss(Sha256) => [1, 4],
            Self::RsaPkcs1v15(_) => [1, 5],
            Self::RsaPss(_) => [1, 6],
            Self::Ecdsa(Sha1) => [2, 1],
            Self::Ecdsa(Sha224) => [2, 2],
            Self::Ecdsa(Sha256) => [2, 3],
            Self::Ecdsa(Sha384) => [2, 4],
            Self::Ecdsa(Sha512) => [2, 5],
        }
    }

    fn from_oid(oid: &[u8]) -> Result<Self, Malformed> {
        let arcs = oid.strip_prefix(&TERMINAL_AUTHENTICATION).ok_or(Malformed)?;
        Self::ALL.into_iter().find(|algorithm| algorithm.arcs() == arcs).ok_or(Malformed)
    }

    fn oid(self) -> [u8; 10] {
        let mut oid = [0; 10];
        let (base, arcs) = oid.split_at_mut(TERMINAL_AUTHENTICATION.len());
        base.copy_from_slice(&TERMINAL_AUTHENTICATION);
        arcs.copy_from_slice(&self.arcs());
        oid
    }
}

/// A public key as the certificate has it: an elliptic curve may be missing.
#[derive(Debug, Clone)]
pub struct PublicKeyObject<'a> {
    algorithm: Algorithm,
    numbers: Numbers<'a>,
}

#[derive(Debug, Clone)]
enum Numbers<'a> {
    Rsa { modulus: &'a [u8], exponent: &'a [u8] },
    Ec { parameters: Option<ExplicitParameters<'a>>, point: &'a [u8] },
}

impl<'a> PublicKeyObject<'a> {
    /// Reads the value of `7F49`.
    pub fn read(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut objects = Objects::new(value);
        let algorithm = Algorithm::from_oid(take(&mut objects, OBJECT_IDENTIFIER)?.value)?;
        let numbers = match algorithm {
            Algorithm::Ecdsa(_) => elliptic_curve(&mut objects)?,
            Algorithm::RsaPkcs1v15(_) | Algorithm::RsaPss(_) => Numbers::Rsa {
                modulus: unsigned(take(&mut objects, 0x81)?.value)?,
                exponent: unsigned(take(&mut objects, 0x82)?.value)?,
            },
        };
        end(&objects)?;
        Ok(Self { algorithm, numbers })
    }

    /// Whether domain parameters are given.
    pub const fn has_domain_parameters(&self) -> bool {
        matches!(self.numbers, Numbers::Ec { parameters: Some(_), .. })
    }

    /// The key, checked; a curve that is not given is inherited.
    ///
    /// Given domain parameters must be those of a known curve in every value.
    pub fn resolve(&self, inherited: Option<Curve>) -> Result<PublicKey, Malformed> {
        let key = match &self.numbers {
            Numbers::Rsa { modulus, exponent } => rsa_key(modulus, exponent)?,
            Numbers::Ec { parameters, point } => {
                let curve = match parameters {
                    Some(parameters) => Curve::from_explicit(parameters),
                    None => inherited,
                };
                let curve = curve.ok_or(Malformed)?;
                Key::Ec(Point::from_uncompressed(curve, point).map_err(|_| Malformed)?)
            }
        };
        Ok(PublicKey { algorithm: self.algorithm, key })
    }
}

/// `81` to `85` all or none, `86` the point, `87` the cofactor where there are parameters.
fn elliptic_curve<'a>(objects: &mut Objects<'a>) -> Result<Numbers<'a>, Malformed> {
    let mut ahead = objects.clone();
    if ahead.take()?.tag == 0x86 {
        let point = take(objects, 0x86)?.value;
        return Ok(Numbers::Ec { parameters: None, point });
    }
    let mut next = |tag| take(objects, tag).map(|object| object.value);
    let (p, a, b) = (next(0x81)?, next(0x82)?, next(0x83)?);
    let (generator, n, point) = (next(0x84)?, next(0x85)?, next(0x86)?);
    let cofactor = if objects.is_empty() { None } else { Some(take(objects, 0x87)?.value) };
    // Elliptic curve points stand uncompressed (BSI TR-03110-3 §D.2.1.2).
    if generator.first() != Some(&4) {
        return Err(Malformed);
    }
    let parameters = Some(ExplicitParameters { p, a, b, generator, n, cofactor });
    Ok(Numbers::Ec { parameters, point })
}

/// An unsigned integer without leading zeros (BSI TR-03110-3 §D.2.1.1).
fn unsigned(value: &[u8]) -> Result<&[u8], Malformed> {
    if matches!(value, [] | [0, ..]) { Err(Malformed) } else { Ok(value) }
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Result<Key, Malformed> {
    if modulus.len() > MAX_RSA_BITS / 8 || exponent.len() > MAX_EXPONENT {
        return Err(Malformed);
    }
    RsaPublicKey::new(modulus, exponent).map(Key::Rsa).map_err(|_| Malformed)
}

/// A public key that verifies signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Rsa(RsaPublicKey),
    Ec(Point),
}

impl PublicKey {
    /// The curve that certificates below inherit.
    pub const fn curve(&self) -> Option<Curve> {
        match &self.key {
            Key::Ec(point) => Some(point.curve()),
            Key::Rsa(_) => None,
        }
    }

    /// Verifies a signature over the parts one after another: ECDSA in the plain form r || s
    /// (BSI TR-03111), PSS with a salt as long as the hash.
    pub fn verify(&self, message: &[&[u8]], signature: &[u8]) -> Result<(), SignatureError> {
        match (self.algorithm, &self.key) {
            (Algorithm::Ecdsa(hash), Key::Ec(point)) => {
                let signature = EcdsaSignature::from_plain(point.curve(), signature)?;
                ecdsa::verify_prehashed(point, &hash.digest_parts(message), &signature)
            }
            (Algorithm::RsaPkcs1v15(hash), Key::Rsa(key)) => {
                key.verify_pkcs1v15(hash, &hash.digest_parts(message), signature)
            }
            (Algorithm::RsaPss(hash), Key::Rsa(key)) => {
                key.verify_pss(hash, hash.output_len(), &hash.digest_parts(message), signature)
            }
            _ => Err(SignatureError::Key),
        }
    }

    /// Writes the key for the card's own memory: `06` algorithm, then `80` curve and `86` point, or
    /// `81` modulus and `82` exponent.
    pub fn store(&self, out: &mut Vec<u8>) {
        tlv::put(out, 0x06, &self.algorithm.oid());
        match &self.key {
            Key::Ec(point) => {
                tlv::put(out, 0x80, &[point.curve().domain_parameter_id()]);
                tlv::put(out, 0x86, point.as_bytes());
            }
            Key::Rsa(key) => {
                tlv::put(out, 0x81, &key.modulus());
                tlv::put(out, 0x82, &key.exponent());
            }
        }
    }

    /// Reads what [`Self::store`] wrote.
    pub fn load(record: &[u8]) -> Option<Self> {
        let algorithm = Algorithm::from_oid(tlv::find(record, 0x06)?).ok()?;
        let key = match algorithm {
            Algorithm::Ecdsa(_) => {
                let [curve] = *tlv::find(record, 0x80)? else { return None };
                let curve = Curve::from_domain_parameter_id(curve)?;
                Key::Ec(Point::from_uncompressed(curve, tlv::find(record, 0x86)?).ok()?)
            }
            _ => rsa_key(tlv::find(record, 0x81)?, tlv::find(record, 0x82)?).ok()?,
        };
        Some(Self { algorithm, key })
    }
}
