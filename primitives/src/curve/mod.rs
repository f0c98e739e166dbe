//! Elliptic curves: the standardised domain parameters 8 to 18 of BSI TR-03110-3 table 4
//! (ICAO 9303-11 §9.5.1).

mod parameters;
pub(crate) mod point;
pub(crate) mod scalar;

use alloc::vec::Vec;

use const_oid::ObjectIdentifier;
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use thiserror::Error;

pub use point::Point;
pub use scalar::SecretScalar;

/// A curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Curve {
    /// P-192.
    P192,
    /// P-224.
    P224,
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
    /// brainpoolP192r1.
    BrainpoolP192r1,
    /// brainpoolP224r1.
    BrainpoolP224r1,
    /// brainpoolP256r1.
    BrainpoolP256r1,
    /// brainpoolP320r1.
    BrainpoolP320r1,
    /// brainpoolP384r1.
    BrainpoolP384r1,
    /// brainpoolP512r1.
    BrainpoolP512r1,
}

/// Domain parameters of a curve y² = x³ + ax + b over the field of p elements; the cofactor is 1.
///
/// All numbers are big-endian; p, a, b and the coordinates have as many bytes as the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CurveParameters {
    /// Field prime.
    pub p: &'static [u8],
    /// Coefficient a.
    pub a: &'static [u8],
    /// Coefficient b.
    pub b: &'static [u8],
    /// Abscissa of the generator.
    pub gx: &'static [u8],
    /// Ordinate of the generator.
    pub gy: &'static [u8],
    /// Order of the group.
    pub n: &'static [u8],
}

/// Why a point or scalar is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CurveError {
    /// Not `04 || X || Y` with coordinates of the field's length.
    #[error("point is not uncompressed, or of the wrong length")]
    PointEncoding,
    /// The coordinates do not satisfy the curve's equation.
    #[error("point does not lie on {0}")]
    NotOnCurve(&'static str),
    /// The result is the point at infinity.
    #[error("point at infinity")]
    Identity,
    /// The scalar is zero, not below the group's order, or of the wrong length.
    #[error("scalar out of range")]
    ScalarRange,
    /// The operands belong to different curves.
    #[error("operands of different curves")]
    Mixed,
}

impl Curve {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::P192,
        Self::P224,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::BrainpoolP192r1,
        Self::BrainpoolP224r1,
        Self::BrainpoolP256r1,
        Self::BrainpoolP320r1,
        Self::BrainpoolP384r1,
        Self::BrainpoolP512r1,
    ];

    /// Name as NIST or RFC 5639 have it: `P-256`, `brainpoolP256r1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P192 => "P-192",
            Self::P224 => "P-224",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::BrainpoolP192r1 => "brainpoolP192r1",
            Self::BrainpoolP224r1 => "brainpoolP224r1",
            Self::BrainpoolP256r1 => "brainpoolP256r1",
            Self::BrainpoolP320r1 => "brainpoolP320r1",
            Self::BrainpoolP384r1 => "brainpoolP384r1",
            Self::BrainpoolP512r1 => "brainpoolP512r1",
        }
    }

    /// The curve of a name as [`Self::name`] gives it, upper or lower case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name().eq_ignore_ascii_case(name))
    }

    /// Object identifier of the named curve.
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::P192 => "1.2.840.10045.3.1.1",
            Self::P224 => "1.3.132.0.33",
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
            Self::BrainpoolP192r1 => "1.3.36.3.3.2.8.1.1.3",
            Self::BrainpoolP224r1 => "1.3.36.3.3.2.8.1.1.5",
            Self::BrainpoolP256r1 => "1.3.36.3.3.2.8.1.1.7",
            Self::BrainpoolP320r1 => "1.3.36.3.3.2.8.1.1.9",
            Self::BrainpoolP384r1 => "1.3.36.3.3.2.8.1.1.11",
            Self::BrainpoolP512r1 => "1.3.36.3.3.2.8.1.1.13",
        })
    }

    /// The curve with the object identifier.
    #[must_use]
    pub fn from_oid(oid: &ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.oid() == *oid)
    }

    /// Identifier among the standardised domain parameters, 8 to 18 (ICAO 9303-11 §9.5.1).
    #[must_use]
    pub const fn domain_parameter_id(self) -> u8 {
        match self {
            Self::P192 => 8,
            Self::P224 => 10,
            Self::P256 => 12,
            Self::P384 => 15,
            Self::P521 => 18,
            Self::BrainpoolP192r1 => 9,
            Self::BrainpoolP224r1 => 11,
            Self::BrainpoolP256r1 => 13,
            Self::BrainpoolP320r1 => 14,
            Self::BrainpoolP384r1 => 16,
            Self::BrainpoolP512r1 => 17,
        }
    }

    /// The curve of a standardised domain parameter identifier.
    #[must_use]
    pub fn from_domain_parameter_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.domain_parameter_id() == id)
    }

    /// Bytes of a coordinate.
    #[must_use]
    pub const fn field_len(self) -> usize {
        self.parameters().p.len()
    }

    /// Bytes of a scalar.
    #[must_use]
    pub const fn order_len(self) -> usize {
        self.parameters().n.len()
    }

    /// Bits of the field.
    #[must_use]
    pub const fn field_bits(self) -> usize {
        match self {
            Self::P521 => 521,
            _ => self.field_len() * 8,
        }
    }

    /// The curve with exactly these parameters, the cofactor included.
    ///
    /// Numbers are big-endian, leading zeros do not matter. A curve with one's own generator
    /// (CVE-2020-0601) or any other difference is no known curve.
    #[must_use]
    pub fn from_explicit(explicit: &ExplicitParameters<'_>) -> Option<Self> {
        let same = |a: &[u8], b: &[u8]| strip_zeros(a) == strip_zeros(b);
        let cofactor = explicit.cofactor.is_none_or(|h| strip_zeros(h) == [1]);
        Self::ALL.into_iter().filter(|_| cofactor).find(|curve| {
            let p = curve.parameters();
            same(p.p, explicit.p)
                && same(p.a, explicit.a)
                && same(p.b, explicit.b)
                && same(p.n, explicit.n)
                && curve.is_generator(explicit.generator)
        })
    }

    /// Whether an encoded point, compressed or not, is the generator.
    fn is_generator(self, encoded: &[u8]) -> bool {
        let p = self.parameters();
        match encoded {
            [4, rest @ ..] => rest.split_at_checked(p.gx.len()) == Some((p.gx, p.gy)),
            [tag @ (2 | 3), x @ ..] => x == p.gx && p.gy.last().is_some_and(|y| y & 1 == tag & 1),
            _ => false,
        }
    }
}

/// Explicit domain parameters as a key carries them (`ECParameters`, RFC 3279 §2.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplicitParameters<'a> {
    /// Field prime.
    pub p: &'a [u8],
    /// Coefficient a.
    pub a: &'a [u8],
    /// Coefficient b.
    pub b: &'a [u8],
    /// Encoded generator.
    pub generator: &'a [u8],
    /// Order of the generator.
    pub n: &'a [u8],
    /// Cofactor, where it is given.
    pub cofactor: Option<&'a [u8]>,
}

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// What the operations of this module need of a curve's crate.
pub(crate) trait Backend:
    elliptic_curve::CurveArithmetic<AffinePoint: FromSec1Point<Self> + ToSec1Point<Self>>
    + elliptic_curve::Curve<FieldBytesSize: ModulusSize>
    + ::ecdsa::EcdsaCurve
{
}

impl<C> Backend for C where
    C: elliptic_curve::CurveArithmetic<AffinePoint: FromSec1Point<C> + ToSec1Point<C>>
        + elliptic_curve::Curve<FieldBytesSize: ModulusSize>
        + ::ecdsa::EcdsaCurve
{
}

/// Runs an expression with the curve's crate type bound to a name.
macro_rules! with_backend {
    ($curve:expr, $backend:ident => $body:expr) => {{
        use $crate::curve::Curve;
        match $curve {
            Curve::P192 => {
                type $backend = p192::NistP192;
                $body
            }
            Curve::P224 => {
                type $backend = p224::NistP224;
                $body
            }
            Curve::P256 => {
                type $backend = p256::NistP256;
                $body
            }
            Curve::P384 => {
                type $backend = p384::NistP384;
                $body
            }
            Curve::P521 => {
                type $backend = p521::NistP521;
                $body
            }
            Curve::BrainpoolP192r1 => {
                type $backend = $crate::brainpool::p192r1::BrainpoolP192r1;
                $body
            }
            Curve::BrainpoolP224r1 => {
                type $backend = $crate::brainpool::p224r1::BrainpoolP224r1;
                $body
            }
            Curve::BrainpoolP256r1 => {
                type $backend = bp256::BrainpoolP256r1;
                $body
            }
            Curve::BrainpoolP320r1 => {
                type $backend = $crate::brainpool::p320r1::BrainpoolP320r1;
                $body
            }
            Curve::BrainpoolP384r1 => {
                type $backend = bp384::BrainpoolP384r1;
                $body
            }
            Curve::BrainpoolP512r1 => {
                type $backend = $crate::brainpool::p512r1::BrainpoolP512r1;
                $body
            }
        }
    }};
}
pub(crate) use with_backend;

/// `number` in exactly `length` bytes: zeros are put in front.
pub(crate) fn left_pad(number: &[u8], length: usize) -> Option<Vec<u8>> {
    let number = strip_zeros(number);
    let mut out = alloc::vec![0; length.checked_sub(number.len())?];
    out.extend_from_slice(number);
    Some(out)
}

#[cfg(test)]
mod tests;
