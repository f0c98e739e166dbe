//! SubjectPublicKeyInfo: RSA and elliptic curve keys, the curve by name or by explicit parameters
//! (RFC 3279 §2.3, RFC 5480, ICAO 9303-12 §4.4).

use cancuoc_primitives::curve::{Curve, CurveError, ExplicitParameters, Point};
use cancuoc_primitives::rsa::RsaPublicKey;
use const_oid::ObjectIdentifier;
use thiserror::Error;

use super::{Element, LdsError, tag, write};
use crate::error::ErrorCode;

const FILE: &str = "SubjectPublicKeyInfo";
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point on a curve.
    Ec(Point),
    /// An RSA key.
    Rsa(RsaPublicKey),
}

/// How a key tells its curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterForm {
    /// By an object identifier.
    Named,
    /// By all its numbers.
    Explicit,
}

/// Why a public key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PublicKeyError {
    /// The structure is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// Neither RSA nor elliptic curve.
    #[error("public key algorithm {0} is not supported")]
    Algorithm(ObjectIdentifier),
    /// A named curve that is not supported.
    #[error("curve {0} is not supported")]
    Curve(ObjectIdentifier),
    /// Explicit parameters that equal no standardised curve in all their numbers.
    #[error("explicit curve parameters equal no standardised curve")]
    ExplicitParameters,
    /// The point is not one of the curve.
    #[error("public key: {0}")]
    Point(#[from] CurveError),
    /// An RSA key with an absurd modulus or exponent.
    #[error("RSA key is not acceptable: modulus or exponent out of range")]
    Rsa,
}

impl ErrorCode for PublicKeyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "public_key_malformed",
            Self::Algorithm(_) => "public_key_algorithm_unsupported",
            Self::Curve(_) => "curve_unsupported",
            Self::ExplicitParameters => "explicit_parameters_unknown",
            Self::Point(_) => "public_key_point_invalid",
            Self::Rsa => "rsa_key_invalid",
        }
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo and says how it told its curve (named for RSA keys).
    ///
    /// # Errors
    /// [`PublicKeyError`]. Explicit parameters are taken only where every one of them, generator
    /// and cofactor included, equals a standardised curve's (CVE-2020-0601).
    pub fn from_spki_der(bytes: &[u8]) -> Result<(Self, ParameterForm), PublicKeyError> {
        let mut children = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
        let mut algorithm = children.tagged(tag::SEQUENCE)?.children();
        let key = children.tagged(tag::BIT_STRING)?;
        children.finish()?;
        let oid = algorithm.any()?.oid()?;
        match oid {
            RSA_ENCRYPTION | RSASSA_PSS => {
                Ok((Self::Rsa(read_rsa(key.bits()?)?), ParameterForm::Named))
            }
            EC_PUBLIC_KEY => {
                let (curve, form) = read_curve(&algorithm.any()?)?;
                Ok((Self::Ec(Point::from_uncompressed(curve, key.bits()?)?), form))
            }
            other => Err(PublicKeyError::Algorithm(other)),
        }
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_spki_der(&self, form: ParameterForm) -> Vec<u8> {
        match self {
            Self::Ec(point) => {
                let parameters = match form {
                    ParameterForm::Named => write::oid(&point.curve().oid()),
                    ParameterForm::Explicit => write_parameters(point.curve()),
                };
                let algorithm = write::sequence(&[&write::oid(&EC_PUBLIC_KEY), &parameters]);
                write::sequence(&[&algorithm, &write::bits(point.as_bytes())])
            }
            Self::Rsa(key) => {
                let algorithm = write::sequence(&[&write::oid(&RSA_ENCRYPTION), &[5, 0]]);
                let numbers = write::sequence(&[
                    &write::positive_integer(&key.modulus()),
                    &write::positive_integer(&key.exponent()),
                ]);
                write::sequence(&[&algorithm, &write::bits(&numbers)])
            }
        }
    }

    /// The bytes of the BIT STRING: what a subject key identifier is the hash of (RFC 5280
    /// §4.2.1.2).
    #[must_use]
    pub fn key_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(point) => point.to_uncompressed(),
            Self::Rsa(key) => write::sequence(&[
                &write::positive_integer(&key.modulus()),
                &write::positive_integer(&key.exponent()),
            ]),
        }
    }

    /// What it is, for people: `RSA-2048`, `brainpoolP256r1`.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Ec(point) => point.curve().name().to_owned(),
            Self::Rsa(key) => format!("RSA-{}", key.bits()),
        }
    }
}

fn read_rsa(bytes: &[u8]) -> Result<RsaPublicKey, PublicKeyError> {
    let mut numbers = Element::parse("RSAPublicKey", bytes)?.expect(tag::SEQUENCE)?.children();
    let n = numbers.any()?.positive_integer()?;
    let e = numbers.any()?.positive_integer()?;
    numbers.finish()?;
    RsaPublicKey::new(n, e).map_err(|_| PublicKeyError::Rsa)
}

fn read_curve(parameters: &Element<'_>) -> Result<(Curve, ParameterForm), PublicKeyError> {
    if parameters.tag() == tag::OID {
        let oid = parameters.oid()?;
        let curve = Curve::from_oid(&oid).ok_or(PublicKeyError::Curve(oid))?;
        return Ok((curve, ParameterForm::Named));
    }
    let mut children = parameters.expect(tag::SEQUENCE)?.children();
    children.any()?.small_integer()?;
    let mut field = children.tagged(tag::SEQUENCE)?.children();
    if field.any()?.oid()? != PRIME_FIELD {
        return Err(PublicKeyError::ExplicitParameters);
    }
    let p = field.any()?.positive_integer()?;
    let mut curve = children.tagged(tag::SEQUENCE)?.children();
    let a = curve.any()?.octets()?;
    let b = curve.any()?.octets()?;
    let generator = children.any()?.octets()?;
    let n = children.any()?.positive_integer()?;
    let cofactor = children.next_element()?.map(|h| h.positive_integer()).transpose()?;
    let explicit = ExplicitParameters { p, a, b, generator, n, cofactor };
    let curve = Curve::from_explicit(&explicit).ok_or(PublicKeyError::ExplicitParameters)?;
    Ok((curve, ParameterForm::Explicit))
}

/// `ECParameters` of a curve (RFC 3279 §2.3.5).
fn write_parameters(curve: Curve) -> Vec<u8> {
    let p = curve.parameters();
    let field = write::sequence(&[&write::oid(&PRIME_FIELD), &write::positive_integer(p.p)]);
    let equation = write::sequence(&[&write::octets(p.a), &write::octets(p.b)]);
    let generator = Point::generator(curve);
    write::sequence(&[
        &write::integer(1),
        &field,
        &equation,
        &write::octets(generator.as_bytes()),
        &write::positive_integer(p.n),
        &write::integer(1),
    ])
}
