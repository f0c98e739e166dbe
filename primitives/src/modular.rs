//! Arithmetic modulo an odd number that is known only at run time: the prime field of
//! Diffie-Hellman, and the field that Integrated Mapping encodes a point in.
//!
//! All of it is crypto-bigint's boxed Montgomery form: constant time in the values, and in an
//! exponent of given length.

use alloc::vec::Vec;
use core::fmt;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, NonZero, Odd, Resize};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// Fewest bits of a modulus.
const MIN_BITS: u32 = 64;
/// Most bits of a modulus.
const MAX_BITS: u32 = 4096;
/// Longest number that is reduced, in bytes.
const MAX_REDUCED: usize = 1024;

/// Why a modulus is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ModularError {
    /// Fewer than 64 or more than 4096 bits.
    #[error("modulus has fewer than 64 or more than 4096 bits")]
    Size,
    /// The modulus is even.
    #[error("modulus is even")]
    Even,
    /// The number to be reduced is longer than 1024 bytes.
    #[error("number is too long to be reduced")]
    TooLong,
}

/// An odd modulus of 64 to 4096 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct Modulus {
    parameters: BoxedMontyParams,
    bits: u32,
}

/// A number below a modulus, wiped when dropped.
///
/// Two numbers that meet in an operation must have the same modulus.
#[derive(Clone)]
pub struct Residue {
    form: BoxedMontyForm,
    len: usize,
}

impl Modulus {
    /// Takes big-endian bytes; leading zeros do not matter.
    ///
    /// # Errors
    /// [`ModularError::Size`], [`ModularError::Even`].
    pub fn new(bytes: &[u8]) -> Result<Self, ModularError> {
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let number = bytes.get(zeros..).unwrap_or_default();
        if number.len() > (MAX_BITS / 8) as usize {
            return Err(ModularError::Size);
        }
        let value = BoxedUint::from_be_slice_vartime(number);
        let bits = value.bit_width_vartime();
        if bits < MIN_BITS {
            return Err(ModularError::Size);
        }
        let odd = Odd::new(value).into_option().ok_or(ModularError::Even)?;
        Ok(Self { parameters: BoxedMontyParams::new(odd), bits })
    }

    /// Bits of the modulus.
    #[must_use]
    pub const fn bits(&self) -> usize {
        self.bits as usize
    }

    /// Bytes of the modulus, and of every [`Residue::to_bytes`].
    #[must_use]
    pub const fn byte_len(&self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    fn precision(&self) -> u32 {
        self.parameters.bits_precision()
    }

    fn residue(&self, value: BoxedUint) -> Residue {
        let form = BoxedMontyForm::new(value, &self.parameters);
        Residue { form, len: self.byte_len() }
    }

    /// The number modulo this, in constant time for a length.
    ///
    /// # Errors
    /// [`ModularError::TooLong`] over 1024 bytes.
    pub fn reduce(&self, bytes: &[u8]) -> Result<Residue, ModularError> {
        if bytes.len() > MAX_REDUCED {
            return Err(ModularError::TooLong);
        }
        let precision = (bytes.len() as u32 * 8).max(self.precision());
        let mut wide = BoxedUint::from_be_slice_truncated(bytes, precision);
        let modulus = self.parameters.modulus().as_ref().clone();
        let reduced = NonZero::new(modulus).into_option().map(|m| wide.rem(&m));
        wide.zeroize();
        let reduced = reduced.ok_or(ModularError::Even)?;
        Ok(self.residue(reduced.resize(self.precision())))
    }

    /// The number as it is, where it is below the modulus; leading zeros do not matter.
    #[must_use]
    pub fn element(&self, bytes: &[u8]) -> Option<Residue> {
        let residue = self.reduce(bytes).ok()?;
        let number = residue.to_bytes();
        let padding = bytes.len().saturating_sub(number.len());
        let (zeros, rest) = bytes.split_at(padding);
        let skipped = number.len() - rest.len();
        let same = number.get(skipped..)?.ct_eq(rest)
            & !zeros.iter().fold(0, |all, byte| all | byte).ct_ne(&0)
            & !number.iter().take(skipped).fold(0, |all, byte| all | byte).ct_ne(&0);
        bool::from(same).then_some(residue)
    }

    /// A small number.
    #[must_use]
    pub fn small(&self, number: u32) -> Residue {
        // Every modulus has at least 64 bits, so a small number is below it.
        let mut bytes = Vec::from(number.to_be_bytes());
        let value = BoxedUint::from_be_slice_truncated(&bytes, self.precision());
        bytes.zeroize();
        self.residue(value)
    }
}

impl Residue {
    fn with(&self, form: BoxedMontyForm) -> Self {
        Self { form, len: self.len }
    }

    /// Sum.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.with(self.form.add(&other.form))
    }

    /// Difference.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        self.with(self.form.sub(&other.form))
    }

    /// Product.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        self.with(self.form.mul(&other.form))
    }

    /// Square.
    #[must_use]
    pub fn square(&self) -> Self {
        self.with(self.form.square())
    }

    /// The number that gives zero with this.
    #[must_use]
    pub fn neg(&self) -> Self {
        self.with(self.form.neg())
    }

    /// Power with a big-endian exponent; time depends on its length in bytes alone.
    #[must_use]
    pub fn pow(&self, exponent: &[u8]) -> Self {
        let bits = exponent.len() as u32 * 8;
        let mut number = BoxedUint::from_be_slice_truncated(exponent, bits.max(8));
        let power = self.form.pow_bounded_exp(&number, bits.max(8));
        number.zeroize();
        self.with(power)
    }

    /// The number that gives one with this; none for zero.
    #[must_use]
    pub fn invert(&self) -> Option<Self> {
        self.form.invert().into_option().map(|form| self.with(form))
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        bool::from(self.form.is_zero())
    }

    /// Big-endian bytes, as many as the modulus has.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut number = self.form.retrieve();
        let bytes = Zeroizing::new(number.to_be_bytes().into_vec());
        number.zeroize();
        let start = bytes.len().saturating_sub(self.len);
        Zeroizing::new(bytes.get(start..).unwrap_or_default().to_vec())
    }
}

impl PartialEq for Residue {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.to_bytes().ct_eq(&other.to_bytes()))
    }
}

impl Eq for Residue {}

impl Drop for Residue {
    fn drop(&mut self) {
        self.form.zeroize();
    }
}

impl fmt::Debug for Modulus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modulus({} bits)", self.bits)
    }
}

impl fmt::Debug for Residue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Residue(***)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    /// 2^64 - 59, the largest prime of 64 bits.
    const P: u64 = 0xFFFF_FFFF_FFFF_FFC5;

    fn modulus() -> Modulus {
        Modulus::new(&P.to_be_bytes()).unwrap()
    }

    fn number(residue: &Residue) -> u64 {
        u64::from_be_bytes(residue.to_bytes().as_slice().try_into().unwrap())
    }

    #[test]
    fn refuses_an_even_modulus() {
        assert_eq!(Modulus::new(&[0xFF; 9].map(|b| b & 0xFE)).unwrap_err(), ModularError::Even);
    }

    #[test]
    fn refuses_a_modulus_that_is_too_small_or_too_large() {
        assert_eq!(Modulus::new(&[]).unwrap_err(), ModularError::Size);
        assert_eq!(Modulus::new(&[0x7F; 7]).unwrap_err(), ModularError::Size);
        assert_eq!(Modulus::new(&[0xFF; 513]).unwrap_err(), ModularError::Size);
        assert!(Modulus::new(&[0xFF; 512]).is_ok());
    }

    #[test]
    fn takes_only_numbers_below_the_modulus_as_elements() {
        let m = modulus();
        assert!(m.element(&P.to_be_bytes()).is_none());
        assert_eq!(number(&m.element(&(P - 1).to_be_bytes()).unwrap()), P - 1);
        assert_eq!(number(&m.element(&[5]).unwrap()), 5);
        assert_eq!(number(&m.element(&hex!("0000000000000000000005")).unwrap()), 5);
        assert!(m.element(&hex!("010000000000000005")).is_none());
        assert!(m.element(&[]).unwrap().is_zero());
    }

    #[test]
    fn gives_no_inverse_of_zero() {
        assert!(modulus().small(0).invert().is_none());
    }

    #[test]
    fn works_with_a_modulus_of_521_bits() {
        let mut p = [0xFF; 66];
        p[0] = 1;
        let m = Modulus::new(&p).unwrap();
        assert_eq!((m.bits(), m.byte_len()), (521, 66));
        let three = m.small(3);
        assert_eq!(three.mul(&three.invert().unwrap()), m.small(1));
        assert_eq!(three.to_bytes().len(), 66);
    }

    proptest! {
        #[test]
        fn computes_as_plain_integers_do(a in 0..P, b in 0..P, e in any::<u16>()) {
            let m = modulus();
            let (x, y) = (m.element(&a.to_be_bytes()).unwrap(), m.element(&b.to_be_bytes()).unwrap());
            let p = u128::from(P);
            let (a, b) = (u128::from(a), u128::from(b));
            prop_assert_eq!(u128::from(number(&x.add(&y))), (a + b) % p);
            prop_assert_eq!(u128::from(number(&x.sub(&y))), (a + p - b) % p);
            prop_assert_eq!(u128::from(number(&x.mul(&y))), a * b % p);
            prop_assert_eq!(u128::from(number(&x.square())), a * a % p);
            prop_assert_eq!(u128::from(number(&x.neg())), (p - a) % p);
            let power = (0..e).fold(1, |power, _| power * a % p);
            prop_assert_eq!(u128::from(number(&x.pow(&e.to_be_bytes()))), power);
            if a != 0 {
                prop_assert_eq!(number(&x.mul(&x.invert().unwrap())), 1);
            }
        }

        #[test]
        fn reduces_numbers_of_any_length(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
            let expected = bytes.iter().fold(0, |n, b| (n * 256 + u128::from(*b)) % u128::from(P));
            match modulus().reduce(&bytes) {
                Ok(residue) => prop_assert_eq!(u128::from(number(&residue)), expected),
                Err(error) => {
                    prop_assert_eq!(error, ModularError::TooLong);
                    prop_assert!(bytes.len() > 1024);
                }
            }
        }
    }
}
