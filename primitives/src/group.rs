//! Groups with domain parameters, on a curve or in a prime field: what PACE, Chip Authentication
//! and Terminal Authentication compute with (ICAO 9303-11 §9.5, BSI TR-03110-3 §A.2).

use alloc::vec::Vec;

use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::curve::{Curve, CurveError, Point, SecretScalar};
use crate::dh::{DhError, DhGroup, DhPublic, DhSecret};

/// Why an element or secret is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupError {
    /// On a curve.
    #[error(transparent)]
    Curve(#[from] CurveError),
    /// In a prime field.
    #[error(transparent)]
    Dh(#[from] DhError),
    /// The operands belong to different groups.
    #[error("operands of different groups")]
    Mixed,
}

/// Domain parameters of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DomainParameters {
    /// A curve.
    Ec(Curve),
    /// A subgroup of a prime field.
    Dh(DhGroup),
}

impl DomainParameters {
    /// Identifiers of the standardised domain parameters (ICAO 9303-11 §9.5.1).
    pub const STANDARDISED: [u8; 14] = [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

    /// The standardised domain parameters with an identifier.
    #[must_use]
    pub fn standardised(id: u8) -> Option<Self> {
        DhGroup::standardised(id)
            .map(Self::Dh)
            .or_else(|| Curve::from_domain_parameter_id(id).map(Self::Ec))
    }

    /// Identifier, where they are standardised.
    #[must_use]
    pub fn id(&self) -> Option<u8> {
        match self {
            Self::Ec(curve) => Some(curve.domain_parameter_id()),
            Self::Dh(group) => group.domain_parameter_id(),
        }
    }

    /// Name: `brainpoolP256r1`, `MODP-2048-256`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ec(curve) => curve.name(),
            Self::Dh(group) => group.name(),
        }
    }

    /// Bits of the field.
    #[must_use]
    pub fn bits(&self) -> usize {
        match self {
            Self::Ec(curve) => curve.field_bits(),
            Self::Dh(group) => group.bits(),
        }
    }

    /// Whether it is a curve.
    #[must_use]
    pub const fn is_ec(&self) -> bool {
        matches!(self, Self::Ec(_))
    }

    /// The generator.
    #[must_use]
    pub fn generator(&self) -> PublicElement {
        match self {
            Self::Ec(curve) => PublicElement::Ec(Point::generator(*curve)),
            Self::Dh(group) => PublicElement::Dh(group.generator()),
        }
    }
}

impl From<Curve> for DomainParameters {
    fn from(curve: Curve) -> Self {
        Self::Ec(curve)
    }
}

/// An element of a group that is not the neutral one: a public key, or a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicElement {
    /// A point.
    Ec(Point),
    /// A number of a prime field.
    Dh(DhPublic),
}

impl PublicElement {
    /// Reads an uncompressed point `04 || X || Y`, or a big-endian number.
    ///
    /// # Errors
    /// [`GroupError`]: malformed, not on the curve, not in the subgroup, or neutral.
    pub fn decode(parameters: &DomainParameters, bytes: &[u8]) -> Result<Self, GroupError> {
        Ok(match parameters {
            DomainParameters::Ec(curve) => Self::Ec(Point::from_uncompressed(*curve, bytes)?),
            DomainParameters::Dh(group) => Self::Dh(DhPublic::decode(group, bytes)?),
        })
    }

    /// `04 || X || Y`, or a big-endian number of p's length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Ec(point) => point.to_uncompressed(),
            Self::Dh(value) => value.to_bytes(),
        }
    }

    /// The group it belongs to.
    #[must_use]
    pub fn domain_parameters(&self) -> DomainParameters {
        match self {
            Self::Ec(point) => DomainParameters::Ec(point.curve()),
            Self::Dh(value) => DomainParameters::Dh(value.group().clone()),
        }
    }

    /// The sum of two points, or the product of two numbers.
    ///
    /// # Errors
    /// [`GroupError`] when the result is neutral, or the groups differ.
    pub fn combine(&self, other: &Self) -> Result<Self, GroupError> {
        Ok(match (self, other) {
            (Self::Ec(a), Self::Ec(b)) => Self::Ec(a.add(b)?),
            (Self::Dh(a), Self::Dh(b)) => Self::Dh(a.multiply(b)?),
            _ => return Err(GroupError::Mixed),
        })
    }

    /// This point times a scalar, or this number to a power; in constant time.
    ///
    /// # Errors
    /// [`GroupError`] when the result is neutral, or the groups differ.
    pub fn raise(&self, secret: &GroupSecret) -> Result<Self, GroupError> {
        Ok(match (self, secret) {
            (Self::Ec(point), GroupSecret::Ec(scalar)) => Self::Ec(point.multiply(scalar)?),
            (Self::Dh(value), GroupSecret::Dh(exponent)) => Self::Dh(value.raise(exponent)?),
            _ => return Err(GroupError::Mixed),
        })
    }

    /// The shared secret of a key agreement: the x coordinate of [`Self::raise`], or the number
    /// itself, as long as the field's prime.
    ///
    /// # Errors
    /// As [`Self::raise`].
    pub fn shared_secret(&self, secret: &GroupSecret) -> Result<Zeroizing<Vec<u8>>, GroupError> {
        Ok(Zeroizing::new(match self.raise(secret)? {
            Self::Ec(point) => point.x_coordinate(),
            Self::Dh(value) => value.to_bytes(),
        }))
    }
}

/// A private key or ephemeral secret of a group.
#[derive(Debug, Clone)]
pub enum GroupSecret {
    /// Of a curve.
    Ec(SecretScalar),
    /// Of a prime field.
    Dh(DhSecret),
}

impl GroupSecret {
    /// A random secret.
    #[must_use]
    pub fn random(parameters: &DomainParameters, random: &mut dyn CryptoRng) -> Self {
        match parameters {
            DomainParameters::Ec(curve) => Self::Ec(SecretScalar::random(*curve, random)),
            DomainParameters::Dh(group) => Self::Dh(DhSecret::random(group, random)),
        }
    }

    /// Takes a big-endian number.
    ///
    /// # Errors
    /// [`GroupError`] for zero and numbers out of range.
    pub fn from_bytes(parameters: &DomainParameters, bytes: &[u8]) -> Result<Self, GroupError> {
        Ok(match parameters {
            DomainParameters::Ec(curve) => Self::Ec(SecretScalar::from_bytes(*curve, bytes)?),
            DomainParameters::Dh(group) => Self::Dh(DhSecret::from_bytes(group, bytes)?),
        })
    }

    /// Big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Ec(scalar) => scalar.to_bytes(),
            Self::Dh(exponent) => exponent.to_bytes(),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public_element(&self) -> PublicElement {
        match self {
            Self::Ec(scalar) => PublicElement::Ec(scalar.public_point()),
            Self::Dh(exponent) => PublicElement::Dh(exponent.public_value()),
        }
    }

    /// The group it belongs to.
    #[must_use]
    pub fn domain_parameters(&self) -> DomainParameters {
        match self {
            Self::Ec(scalar) => DomainParameters::Ec(scalar.curve()),
            Self::Dh(exponent) => DomainParameters::Dh(exponent.group().clone()),
        }
    }
}

impl From<SecretScalar> for GroupSecret {
    fn from(scalar: SecretScalar) -> Self {
        Self::Ec(scalar)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::test_random::Counter;

    #[test]
    fn both_sides_agree_on_a_secret_in_every_standardised_group() {
        for id in DomainParameters::STANDARDISED {
            let parameters = DomainParameters::standardised(id).unwrap();
            assert_eq!(parameters.id(), Some(id));
            let random = &mut Counter::default();
            let a = GroupSecret::random(&parameters, random);
            let b = GroupSecret::random(&parameters, random);
            let public = |secret: &GroupSecret| {
                let bytes = secret.public_element().to_bytes();
                PublicElement::decode(&parameters, &bytes).unwrap()
            };
            let (ab, ba) = (public(&a).shared_secret(&b), public(&b).shared_secret(&a));
            let secret = ab.unwrap();
            assert_eq!(secret, ba.unwrap(), "{}", parameters.name());
            assert_eq!(secret.len(), parameters.bits().div_ceil(8));
        }
    }

    #[test]
    fn knows_no_other_identifiers() {
        let known = (0..=255).filter(|id| DomainParameters::standardised(*id).is_some());
        assert!(known.eq(DomainParameters::STANDARDISED));
    }

    #[test]
    fn does_not_mix_groups() {
        let random = &mut Counter::default();
        let [curve, field, other] =
            [13, 0, 1].map(|id| DomainParameters::standardised(id).unwrap());
        let secret = GroupSecret::random(&curve, random);
        assert_eq!(field.generator().raise(&secret).unwrap_err(), GroupError::Mixed);
        assert_eq!(field.generator().combine(&curve.generator()).unwrap_err(), GroupError::Mixed);
        let secret = GroupSecret::random(&other, random);
        let mixed = GroupError::Dh(DhError::Mixed);
        assert_eq!(field.generator().raise(&secret).unwrap_err(), mixed);
    }
}
