//! Diffie-Hellman in a subgroup of a prime field (RFC 2631, BSI TR-03111 does the same on curves).
//!
//! The exponentiation is crypto-bigint's, constant time in a secret of the group's secret length.

mod parameters;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, is_prime};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::modular::{Modulus, Residue};
use parameters::STANDARDISED;

/// Fewest bits of the prime.
pub const MIN_BITS: usize = 1024;
/// Most bits of the prime.
pub const MAX_BITS: usize = 4096;
/// Fewest bits of the subgroup's order, where it is known.
const MIN_ORDER_BITS: u32 = 160;

/// Why parameters or a key are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DhError {
    /// The prime has fewer than 1024 or more than 4096 bits.
    #[error("the prime has fewer than 1024 or more than 4096 bits")]
    Size,
    /// p is not prime.
    #[error("the modulus is not prime")]
    NotPrime,
    /// q is not a prime divisor of p-1 with at least 160 bits.
    #[error("the order is no prime divisor of p-1, or too small")]
    Order,
    /// The generator is 0, 1, p-1, over p, or not of order q.
    #[error("the generator does not generate the subgroup")]
    Generator,
    /// A public value is not above 1 and below p-1.
    #[error("public value out of range")]
    PublicRange,
    /// A public value is not in the subgroup of order q.
    #[error("public value is not in the subgroup")]
    Subgroup,
    /// A secret is zero or not below the group's order.
    #[error("secret out of range")]
    SecretRange,
    /// The operands belong to different groups.
    #[error("operands of different groups")]
    Mixed,
}

/// A prime p, a generator g and, where it is known, the prime order q of what g generates.
#[derive(Clone)]
pub struct DhGroup(Arc<Inner>);

struct Inner {
    modulus: Modulus,
    p: Vec<u8>,
    g: Vec<u8>,
    q: Option<Vec<u8>>,
    id: Option<u8>,
    name: &'static str,
}

impl DhGroup {
    /// The group of a standardised domain parameter identifier: 0, 1 or 2 (RFC 5114 §2.1 to 2.3,
    /// ICAO 9303-11 §9.5.1).
    #[must_use]
    pub fn standardised(id: u8) -> Option<Self> {
        let known = STANDARDISED.get(usize::from(id))?;
        let modulus = Modulus::new(known.p).ok()?;
        let (p, g, q) = (known.p.to_vec(), known.g.to_vec(), Some(known.q.to_vec()));
        Some(Self(Arc::new(Inner { modulus, p, g, q, id: Some(id), name: known.name })))
    }

    /// The standardised group with these numbers; big-endian, leading zeros do not matter. It costs
    /// next to nothing, whatever they are.
    #[must_use]
    pub fn recognised(p: &[u8], g: &[u8], q: Option<&[u8]>) -> Option<Self> {
        let (p, g, q) = (strip(p), strip(g), q.map(strip));
        let mut known = STANDARDISED.iter();
        let id = known.position(|k| k.p == p && k.g == g && q.is_none_or(|q| k.q == q))?;
        Self::standardised(u8::try_from(id).ok()?)
    }

    /// Takes parameters that a key or a file carries; big-endian, leading zeros do not matter.
    ///
    /// A standardised group is recognised by its values. Of any other everything is checked that
    /// can be: p is prime, g generates a subgroup of prime order q. Where q is not given and p is a
    /// safe prime, q is (p-1)/2.
    ///
    /// # Errors
    /// [`DhError`].
    pub fn explicit(p: &[u8], g: &[u8], q: Option<&[u8]>) -> Result<Self, DhError> {
        if let Some(known) = Self::recognised(p, g, q) {
            return Ok(known);
        }
        let (p, g, q) = (strip(p), strip(g), q.map(strip));
        let modulus = Modulus::new(p).map_err(|_| DhError::Size)?;
        if !(MIN_BITS..=MAX_BITS).contains(&modulus.bits()) {
            return Err(DhError::Size);
        }
        if !prime(p) {
            return Err(DhError::NotPrime);
        }
        let order = match q {
            Some(q) => Some(check_order(p, q)?),
            None => safe_prime_order(p),
        };
        let generator = modulus.element(g).ok_or(DhError::Generator)?;
        check_element(&modulus, &generator, order.as_deref()).map_err(|_| DhError::Generator)?;
        let (p, g) = (p.to_vec(), g.to_vec());
        Ok(Self(Arc::new(Inner { modulus, p, g, q: order, id: None, name: "DH" })))
    }

    /// The prime, big-endian.
    #[must_use]
    pub fn p(&self) -> &[u8] {
        &self.0.p
    }

    /// The generator, big-endian.
    #[must_use]
    pub fn g(&self) -> &[u8] {
        &self.0.g
    }

    /// The order of the generator, big-endian, where it is known.
    #[must_use]
    pub fn q(&self) -> Option<&[u8]> {
        self.0.q.as_deref()
    }

    /// The cofactor (p-1)/q, big-endian, where q is known: a number to its power is in the subgroup.
    #[must_use]
    pub fn cofactor(&self) -> Option<Vec<u8>> {
        let order = BoxedUint::from_be_slice_vartime(self.q()?);
        let order = crypto_bigint::NonZero::new(order).into_option()?;
        let (cofactor, _) =
            BoxedUint::from_be_slice_vartime(&less_one(self.p())).div_rem_vartime(&order);
        Some(cofactor.to_be_bytes_trimmed_vartime().into_vec())
    }

    /// Bits of the prime.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.modulus.bits()
    }

    /// Bytes of the prime, and of every public value.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.0.modulus.byte_len()
    }

    /// Identifier among the standardised domain parameters: 0 to 2.
    #[must_use]
    pub fn domain_parameter_id(&self) -> Option<u8> {
        self.0.id
    }

    /// `MODP-1024-160`, `MODP-2048-224`, `MODP-2048-256`, or `DH` for any other group.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// The field that the group is in.
    #[must_use]
    pub fn modulus(&self) -> &Modulus {
        &self.0.modulus
    }

    /// The generator as a public value.
    #[must_use]
    pub fn generator(&self) -> DhPublic {
        // The generator was found below p when the group was made.
        let value = self.modulus().element(self.g()).unwrap_or_else(|| self.modulus().small(1));
        DhPublic { group: self.clone(), value }
    }

    /// Bytes of a secret: those of q, or of p where q is not known.
    fn secret_len(&self) -> usize {
        self.q().map_or(self.byte_len(), <[u8]>::len)
    }
}

impl PartialEq for DhGroup {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.p() == other.p() && self.g() == other.g() && self.q() == other.q())
    }
}

impl Eq for DhGroup {}

impl fmt::Debug for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DhGroup({}, {} bits)", self.name(), self.bits())
    }
}

fn strip(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn prime(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
        && is_prime(Flavor::Any, &BoxedUint::from_be_slice_vartime(number))
}

/// p-1, for an odd p.
fn less_one(p: &[u8]) -> Vec<u8> {
    let mut less = p.to_vec();
    if let Some(last) = less.last_mut() {
        *last &= 0xFE;
    }
    less
}

/// q where it is a prime divisor of p-1, neither too small nor p-1 itself.
fn check_order(p: &[u8], q: &[u8]) -> Result<Vec<u8>, DhError> {
    let order = BoxedUint::from_be_slice_vartime(q);
    if q.len() > p.len() || order.bit_width_vartime() < MIN_ORDER_BITS || !prime(q) {
        return Err(DhError::Order);
    }
    let order = crypto_bigint::NonZero::new(order).into_option().ok_or(DhError::Order)?;
    let rest = BoxedUint::from_be_slice_vartime(&less_one(p)).rem_vartime(&order);
    if bool::from(rest.is_zero()) { Ok(q.to_vec()) } else { Err(DhError::Order) }
}

/// (p-1)/2 where that is prime.
fn safe_prime_order(p: &[u8]) -> Option<Vec<u8>> {
    let half = BoxedUint::from_be_slice_vartime(p).shr_vartime(1)?;
    let half = half.to_be_bytes_trimmed_vartime().into_vec();
    prime(&half).then_some(half)
}

/// Above 1, below p-1, and of order q where that is known.
fn check_element(modulus: &Modulus, value: &Residue, order: Option<&[u8]>) -> Result<(), DhError> {
    let one = modulus.small(1);
    if value.is_zero() || *value == one || *value == one.neg() {
        return Err(DhError::PublicRange);
    }
    if order.is_some_and(|q| value.pow(q) != one) {
        return Err(DhError::Subgroup);
    }
    Ok(())
}

/// A secret exponent, wiped when dropped.
#[derive(Clone)]
pub struct DhSecret {
    group: DhGroup,
    /// As many bytes as [`DhGroup::secret_len`], or as the prime for a longer one.
    bytes: Zeroizing<Vec<u8>>,
}

impl DhSecret {
    /// A random exponent: uniform below q, or below p where q is not known, and not zero.
    #[must_use]
    pub fn random(group: &DhGroup, random: &mut dyn CryptoRng) -> Self {
        let less = less_one(group.p());
        let bound = group.q().unwrap_or(&less);
        let mut bytes = Zeroizing::new(alloc::vec![0; group.secret_len()]);
        let mask = bound.first().map_or(0xFF, |first| 0xFF >> first.leading_zeros());
        loop {
            random.fill_bytes(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                *first &= mask;
            }
            // Which draws are thrown away tells nothing of the one that is kept.
            if bytes.iter().any(|b| *b != 0) && bytes.as_slice() < bound {
                return Self { group: group.clone(), bytes };
            }
        }
    }

    /// Takes big-endian bytes; leading zeros may be missing or extra.
    ///
    /// # Errors
    /// [`DhError::SecretRange`] for zero, or a number that is not below p.
    pub fn from_bytes(group: &DhGroup, bytes: &[u8]) -> Result<Self, DhError> {
        let number = group.modulus().element(bytes).ok_or(DhError::SecretRange)?;
        if number.is_zero() {
            return Err(DhError::SecretRange);
        }
        let number = number.to_bytes();
        // A secret below q keeps q's length, so that the time of a power tells nothing of it.
        let excess = number.len().saturating_sub(group.secret_len());
        let (high, low) = number.split_at(excess);
        let fits = high.iter().fold(0, |all, byte| all | byte).ct_eq(&0);
        let bytes = if bool::from(fits) { low.to_vec() } else { number.to_vec() };
        Ok(Self { group: group.clone(), bytes: Zeroizing::new(bytes) })
    }

    /// Big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.bytes.clone()
    }

    /// The group it belongs to.
    #[must_use]
    pub const fn group(&self) -> &DhGroup {
        &self.group
    }

    /// The public value: generator to the power of this.
    #[must_use]
    pub fn public_value(&self) -> DhPublic {
        let value = self.group.generator().value.pow(&self.bytes);
        DhPublic { group: self.group.clone(), value }
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DhSecret({}, ***)", self.group.name())
    }
}

/// A value of the group: a public key, or a generator.
#[derive(Clone, PartialEq, Eq)]
pub struct DhPublic {
    group: DhGroup,
    value: Residue,
}

impl DhPublic {
    /// Reads a big-endian number; leading zeros may be missing, down to none, or up to p's length.
    ///
    /// # Errors
    /// [`DhError::PublicRange`] unless 1 < y < p-1, [`DhError::Subgroup`] where the order is known
    /// and y does not have it.
    pub fn decode(group: &DhGroup, bytes: &[u8]) -> Result<Self, DhError> {
        if bytes.len() > group.byte_len() {
            return Err(DhError::PublicRange);
        }
        let value = group.modulus().element(bytes).ok_or(DhError::PublicRange)?;
        Self::from_residue(group, value)
    }

    /// Takes a number of the field.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub fn from_residue(group: &DhGroup, value: Residue) -> Result<Self, DhError> {
        check_element(group.modulus(), &value, group.q())?;
        Ok(Self { group: group.clone(), value })
    }

    /// Big-endian, as many bytes as the prime.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.value.to_bytes().to_vec()
    }

    /// The group it belongs to.
    #[must_use]
    pub const fn group(&self) -> &DhGroup {
        &self.group
    }

    /// The product of two values.
    ///
    /// # Errors
    /// [`DhError::PublicRange`] when it is 1 or p-1, [`DhError::Mixed`].
    pub fn multiply(&self, other: &Self) -> Result<Self, DhError> {
        if self.group != other.group {
            return Err(DhError::Mixed);
        }
        self.derived(self.value.mul(&other.value))
    }

    /// This to the power of a secret, in constant time.
    ///
    /// # Errors
    /// [`DhError::PublicRange`] when the result is 1 or p-1, [`DhError::Mixed`].
    pub fn raise(&self, secret: &DhSecret) -> Result<Self, DhError> {
        if self.group != secret.group {
            return Err(DhError::Mixed);
        }
        self.derived(self.value.pow(&secret.bytes))
    }

    /// What is computed from members of the subgroup is one.
    fn derived(&self, value: Residue) -> Result<Self, DhError> {
        check_element(self.group.modulus(), &value, None)?;
        Ok(Self { group: self.group.clone(), value })
    }
}

impl fmt::Debug for DhPublic {
    // A public key identifies a card, so only the group is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DhPublic({})", self.group.name())
    }
}

#[cfg(test)]
mod tests;
