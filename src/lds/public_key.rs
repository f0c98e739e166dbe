//! SubjectPublicKeyInfo: RSA, elliptic curve and Diffie-Hellman keys, the group by name or by
//! explicit parameters (RFC 3279 §2.3, RFC 5480, ICAO 9303-12 §4.4).

use cancuoc_primitives::curve::{CurveError, Point};
use cancuoc_primitives::dh::{DhError, DhPublic};
use cancuoc_primitives::group::DomainParameters;
use cancuoc_primitives::rsa::RsaPublicKey;
use const_oid::ObjectIdentifier;
use thiserror::Error;

use super::domain_parameters::{self, encode_domain_parameters};
use super::{Element, LdsError, tag, write};
use crate::error::ErrorCode;

const FILE: &str = "SubjectPublicKeyInfo";
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKey {
    /// A point on a curve.
    Ec(Point),
    /// An RSA key.
    Rsa(RsaPublicKey),
    /// A number of a prime field, for Diffie-Hellman.
    Dh(DhPublic),
}

/// How a key tells its group.
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
    /// Neither RSA nor elliptic curve nor Diffie-Hellman.
    #[error("public key algorithm {0} is not supported")]
    Algorithm(ObjectIdentifier),
    /// A named curve that is not supported.
    #[error("curve {0} is not supported")]
    Curve(ObjectIdentifier),
    /// Explicit parameters that equal no standardised ones in all their numbers.
    #[error("explicit domain parameters equal no standardised ones")]
    ExplicitParameters,
    /// A number that names no standardised domain parameters.
    #[error("there are no standardised domain parameters {0}")]
    Standardised(u32),
    /// A prime field or its generator is not acceptable.
    #[error("prime field: {0}")]
    PrimeField(DhError),
    /// The number is not one of the group.
    #[error("public key: {0}")]
    Number(DhError),
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
            Self::Standardised(_) => "domain_parameters_unknown",
            Self::PrimeField(_) => "prime_field_invalid",
            Self::Number(_) => "public_key_number_invalid",
            Self::Point(_) => "public_key_point_invalid",
            Self::Rsa => "rsa_key_invalid",
        }
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo and says how it told its group (named for RSA keys).
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
            other => {
                let (parameters, form) = domain_parameters::read(&other, &algorithm.any()?)?;
                let key = match &parameters {
                    DomainParameters::Ec(curve) => {
                        Self::Ec(Point::from_uncompressed(*curve, key.bits()?)?)
                    }
                    DomainParameters::Dh(group) => {
                        let number = Element::parse("DHPublicKey", key.bits()?)?;
                        let number = number.positive_integer()?;
                        Self::Dh(DhPublic::decode(group, number).map_err(PublicKeyError::Number)?)
                    }
                };
                Ok((key, form))
            }
        }
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn to_spki_der(&self, form: ParameterForm) -> Vec<u8> {
        match self {
            Self::Ec(point) => {
                let algorithm =
                    encode_domain_parameters(&DomainParameters::Ec(point.curve()), form);
                write::sequence(&[&algorithm, &write::bits(point.as_bytes())])
            }
            Self::Dh(value) => {
                let group = DomainParameters::Dh(value.group().clone());
                let algorithm = match form {
                    ParameterForm::Named => encode_domain_parameters(&group, form),
                    ParameterForm::Explicit => {
                        domain_parameters::write_dh_key_agreement(value.group())
                    }
                };
                write::sequence(&[&algorithm, &write::bits(&self.key_bytes())])
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
            Self::Dh(value) => write::positive_integer(&value.to_bytes()),
            Self::Rsa(key) => write::sequence(&[
                &write::positive_integer(&key.modulus()),
                &write::positive_integer(&key.exponent()),
            ]),
        }
    }

    /// What it is, for people: `RSA-2048`, `brainpoolP256r1`, `DH MODP-2048-256`.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::Ec(point) => point.curve().name().to_owned(),
            Self::Dh(value) => format!("DH {}", value.group().name()),
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

#[cfg(test)]
mod tests {
    use cancuoc_primitives::group::{GroupSecret, PublicElement};
    use proptest::prelude::*;

    use super::*;

    fn key(id: u8) -> PublicKey {
        let parameters = DomainParameters::standardised(id).unwrap();
        match GroupSecret::from_bytes(&parameters, &[0x12, 0x34]).unwrap().public_element() {
            PublicElement::Ec(point) => PublicKey::Ec(point),
            PublicElement::Dh(value) => PublicKey::Dh(value),
        }
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = PublicKey::from_spki_der(&bytes);
        }

        #[test]
        fn an_altered_key_is_refused_or_reads_back_as_it_was_read(
            id in prop::sample::select(&DomainParameters::STANDARDISED[..]),
            form in prop::sample::select(vec![ParameterForm::Named, ParameterForm::Explicit]),
            place in any::<prop::sample::Index>(),
            bits in 1..=255u8,
        ) {
            let mut bytes = key(id).to_spki_der(form);
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
            if let Ok((read, form)) = PublicKey::from_spki_der(&bytes) {
                prop_assert_eq!(PublicKey::from_spki_der(&read.to_spki_der(form)), Ok((read, form)));
            }
        }
    }
}
