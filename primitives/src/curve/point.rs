//! Points of a curve.

use alloc::vec::Vec;
use core::fmt;

use elliptic_curve::group::Curve as _;
use elliptic_curve::sec1::{FromSec1Point, Sec1Point, ToSec1Point};
use elliptic_curve::{Group, ProjectivePoint};
use zeroize::Zeroize;

use super::{Backend, Curve, CurveError, SecretScalar, scalar, with_backend};

/// A point on a curve that is not the point at infinity.
///
/// Kept as its uncompressed encoding; every constructor has checked that it lies on the curve. Wiped
/// when dropped, for the result of a key agreement and a mapped generator are points too.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Point {
    curve: Curve,
    encoded: Vec<u8>,
}

impl Point {
    pub(super) const fn from_trusted(curve: Curve, encoded: Vec<u8>) -> Self {
        Self { curve, encoded }
    }

    /// The generator.
    #[must_use]
    pub fn generator(curve: Curve) -> Self {
        let p = curve.parameters();
        let mut encoded = alloc::vec![4];
        encoded.extend_from_slice(p.gx);
        encoded.extend_from_slice(p.gy);
        Self { curve, encoded }
    }

    /// Reads `04 || X || Y` (BSI TR-03111 §3.2.1).
    ///
    /// # Errors
    /// [`CurveError::PointEncoding`] for any other form or length (compressed points and the point
    /// at infinity included), [`CurveError::NotOnCurve`].
    pub fn from_uncompressed(curve: Curve, bytes: &[u8]) -> Result<Self, CurveError> {
        if bytes.first() != Some(&4) || bytes.len() != 1 + 2 * curve.field_len() {
            return Err(CurveError::PointEncoding);
        }
        let on_curve = with_backend!(curve, C => decode::<C>(bytes).is_some());
        if !on_curve {
            return Err(CurveError::NotOnCurve(curve.name()));
        }
        Ok(Self { curve, encoded: bytes.to_vec() })
    }

    /// `04 || X || Y`.
    #[must_use]
    pub fn to_uncompressed(&self) -> Vec<u8> {
        self.encoded.clone()
    }

    /// `04 || X || Y`, borrowed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// Abscissa, as many bytes as the field has.
    #[must_use]
    pub fn x_coordinate(&self) -> Vec<u8> {
        self.encoded.get(1..=self.curve.field_len()).unwrap_or_default().to_vec()
    }

    /// The curve it lies on.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// This point times a scalar, in constant time.
    ///
    /// # Errors
    /// [`CurveError::Mixed`] for a scalar of another curve.
    pub fn multiply(&self, scalar: &SecretScalar) -> Result<Self, CurveError> {
        fn run<C: Backend>(point: &[u8], scalar: &[u8]) -> Option<Vec<u8>> {
            let product = decode::<C>(point)? * scalar::parse::<C>(scalar)?.as_ref();
            encode::<C>(&product)
        }
        if self.curve != scalar.curve() {
            return Err(CurveError::Mixed);
        }
        with_backend!(self.curve, C => run::<C>(&self.encoded, scalar.bytes()))
            .map(|encoded| Self { curve: self.curve, encoded })
            .ok_or(CurveError::Identity)
    }

    /// The sum of two points.
    ///
    /// # Errors
    /// [`CurveError::Identity`] when they cancel out, [`CurveError::Mixed`] for points of
    /// different curves.
    pub fn add(&self, other: &Self) -> Result<Self, CurveError> {
        fn run<C: Backend>(a: &[u8], b: &[u8]) -> Option<Vec<u8>> {
            encode::<C>(&(decode::<C>(a)? + decode::<C>(b)?))
        }
        if self.curve != other.curve {
            return Err(CurveError::Mixed);
        }
        with_backend!(self.curve, C => run::<C>(&self.encoded, &other.encoded))
            .map(|encoded| Self { curve: self.curve, encoded })
            .ok_or(CurveError::Identity)
    }
}

impl Drop for Point {
    fn drop(&mut self) {
        self.encoded.zeroize();
    }
}

impl fmt::Debug for Point {
    // A public key identifies a card, so only the curve is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Point({})", self.curve.name())
    }
}

pub(crate) fn decode<C: Backend>(bytes: &[u8]) -> Option<ProjectivePoint<C>> {
    let encoded = Sec1Point::<C>::from_bytes(bytes).ok()?;
    let affine: Option<C::AffinePoint> = C::AffinePoint::from_sec1_point(&encoded).into();
    affine.map(Into::into)
}

/// `04 || X || Y`, or nothing for the point at infinity.
pub(crate) fn encode<C: Backend>(point: &ProjectivePoint<C>) -> Option<Vec<u8>> {
    if bool::from(point.is_identity()) {
        return None;
    }
    Some(point.to_affine().to_sec1_point(false).as_bytes().to_vec())
}
