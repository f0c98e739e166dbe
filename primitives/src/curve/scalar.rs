//! Secret scalars.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use elliptic_curve::{Generate, NonZeroScalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{Backend, Curve, CurveError, Point, with_backend};

/// A private key or ephemeral secret: a number from 1 to the group's order less one.
///
/// It is wiped from memory when dropped.
#[derive(Clone)]
pub struct SecretScalar {
    curve: Curve,
    bytes: Zeroizing<Vec<u8>>,
}

impl SecretScalar {
    /// A uniformly random scalar.
    #[must_use]
    pub fn random(curve: Curve, random: &mut dyn CryptoRng) -> Self {
        fn run<C: Backend>(mut random: &mut dyn CryptoRng) -> Zeroizing<Vec<u8>> {
            let scalar = NonZeroScalar::<C>::generate_from_rng(&mut random);
            Zeroizing::new(elliptic_curve::ff::PrimeField::to_repr(scalar.as_ref()).to_vec())
        }
        Self { curve, bytes: with_backend!(curve, C => run::<C>(random)) }
    }

    /// Takes big-endian bytes; leading zeros may be missing or extra.
    ///
    /// # Errors
    /// [`CurveError::ScalarRange`] for zero, or a number that is not below the group's order.
    pub fn from_bytes(curve: Curve, bytes: &[u8]) -> Result<Self, CurveError> {
        let padded = super::left_pad(bytes, curve.order_len()).ok_or(CurveError::ScalarRange)?;
        let bytes = Zeroizing::new(padded);
        with_backend!(curve, C => parse::<C>(&bytes).map(drop)).ok_or(CurveError::ScalarRange)?;
        Ok(Self { curve, bytes })
    }

    /// Big-endian bytes, as many as the group's order has.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.bytes.clone()
    }

    /// The curve it belongs to.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The public key: generator times this.
    #[must_use]
    pub fn public_point(&self) -> Point {
        fn run<C: Backend>(bytes: &[u8]) -> Option<Vec<u8>> {
            let scalar = parse::<C>(bytes)?;
            let point = <C::ProjectivePoint as elliptic_curve::Group>::mul_by_generator(&scalar);
            super::point::encode::<C>(&point)
        }
        let encoded = with_backend!(self.curve, C => run::<C>(&self.bytes));
        // A scalar from 1 to n-1 times the generator is never the point at infinity.
        Point::from_trusted(self.curve, encoded.unwrap_or_else(|| vec![0]))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SecretScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretScalar({}, ***)", self.curve.name())
    }
}

/// The scalar of exactly as many bytes as the order has, unless it is zero or too large.
pub(crate) fn parse<C: Backend>(bytes: &[u8]) -> Option<NonZeroScalar<C>> {
    let repr = elliptic_curve::FieldBytes::<C>::try_from(bytes).ok()?;
    Option::from(NonZeroScalar::<C>::from_repr(repr))
}
