//! Integrated Mapping: a pseudo-random number from both nonces, encoded as a group element
//! (ICAO 9303-11 §4.4.3.3.2, appendix B).
//!
//! The chip's nonce is as secret as the password that encrypts it, so nothing here takes a time that
//! depends on it: both points that the encoding may give are computed, and one of them is selected.

use alloc::vec::Vec;

use cancuoc_primitives::cipher::{self, BlockCipher, CipherError};
use cancuoc_primitives::curve::{Curve, Point};
use cancuoc_primitives::dh::DhPublic;
use cancuoc_primitives::group::{DomainParameters, PublicElement};
use cancuoc_primitives::modular::{Modulus, Residue};
use hex_literal::hex;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bits of output beyond those of the prime, which make it nearly uniform.
const MARGIN: usize = 64;
const C0_128: [u8; 16] = hex!("a668892a7c41e3ca739f40b057d85904");
const C1_128: [u8; 16] = hex!("a4e136ac725f738b01c1f60217c188ad");
const C0_256: [u8; 32] = hex!("d463d65234124ef7897054986dca0a174e28df758cbaa03f240616414d5a1676");
const C1_256: [u8; 32] = hex!("54bd7255f0aaf831bec3423fcf39d69b6cbf066677d0faae5aadd99df8e53517");

/// Bytes of the chip's nonce: the smallest number of whole blocks that has a key's length.
pub const fn nonce_len(cipher: BlockCipher) -> usize {
    cipher.key_len().div_ceil(cipher.block_len()) * cipher.block_len()
}

/// The generator of the chip's nonce and the terminal's, which has a key's length.
///
/// Nothing comes out for a terminal's nonce of another length, and for numbers that have no image,
/// which come up with negligible probability.
pub fn map(
    parameters: &DomainParameters,
    cipher: BlockCipher,
    nonce: &[u8],
    terminal: &[u8],
) -> Option<PublicElement> {
    match parameters {
        DomainParameters::Ec(curve) => {
            let field = Modulus::new(curve.parameters().p).ok()?;
            let number = pseudo_random(cipher, nonce, terminal, field.bits()).ok()?;
            encode_point(*curve, &field, &field.reduce(&number).ok()?).map(PublicElement::Ec)
        }
        DomainParameters::Dh(group) => {
            let field = group.modulus();
            let number = pseudo_random(cipher, nonce, terminal, field.bits()).ok()?;
            let power = field.reduce(&number).ok()?.pow(&group.cofactor()?);
            // Refuses the neutral element among others.
            DhPublic::from_residue(group, power).ok().map(PublicElement::Dh)
        }
    }
}

/// x1 || … || xn of R(s,t): CBC encryption of constants under a chain of keys that starts with the
/// chip's nonce encrypted under the terminal's.
fn pseudo_random(
    cipher: BlockCipher,
    nonce: &[u8],
    terminal: &[u8],
    bits: usize,
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let (c0, c1): (&[u8], &[u8]) = match cipher {
        BlockCipher::Tdes | BlockCipher::Aes128 => (&C0_128, &C1_128),
        BlockCipher::Aes192 | BlockCipher::Aes256 => (&C0_256, &C1_256),
    };
    let wanted = (bits + MARGIN).div_ceil(8);
    let mut number = Zeroizing::new(Vec::with_capacity(wanted + c1.len()));
    let mut key = next_key(cipher, terminal, nonce)?;
    while number.len() < wanted {
        number.extend_from_slice(&encrypt(cipher, &key, c1)?);
        key = next_key(cipher, &key, c0)?;
    }
    Ok(number)
}

/// The output is truncated to a key, which only AES-192 needs.
fn next_key(
    cipher: BlockCipher,
    key: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let mut output = encrypt(cipher, key, data)?;
    output.truncate(cipher.key_len());
    Ok(output)
}

fn encrypt(
    cipher: BlockCipher,
    key: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    let zeros = [0; 16];
    let iv = zeros.get(..cipher.block_len()).unwrap_or_default();
    cipher::cbc_encrypt(cipher, key, iv, data).map(Zeroizing::new)
}

/// The point of a field element, by the steps of ICAO 9303-11 appendix B.2. All curves have the
/// cofactor 1.
fn encode_point(curve: Curve, field: &Modulus, t: &Residue) -> Option<Point> {
    let parameters = curve.parameters();
    let (a, b) = (field.element(parameters.a)?, field.element(parameters.b)?);
    let one = field.small(1);
    let alpha = t.square().neg();
    let inverse = alpha.add(&alpha.square()).invert()?;
    let x2 = b.neg().mul(&a.invert()?).mul(&one.add(&inverse));
    let x3 = alpha.mul(&x2);
    let h2 = x2.square().mul(&x2).add(&a.mul(&x2)).add(&b);
    let u = t.square().mul(t).mul(&h2);
    let root = inverse_root(&h2, parameters.p);
    let square = root.square().mul(&h2).to_bytes().ct_eq(&one.to_bytes());
    let x = select(&x3, &x2, square);
    let y = select(&root.mul(&u), &root.mul(&h2), square);
    let encoded = Zeroizing::new([&[4], x.as_slice(), y.as_slice()].concat());
    Point::from_uncompressed(curve, &encoded).ok()
}

/// The number to the power of p-1-(p+1)/4. With p = 4k+3 that is 3k+1.
fn inverse_root(number: &Residue, p: &[u8]) -> Residue {
    let mut carried = 0;
    let quarter: Vec<u8> = p
        .iter()
        .map(|byte| {
            let shifted = carried << 6 | byte >> 2;
            carried = *byte;
            shifted
        })
        .collect();
    let power = number.pow(&quarter);
    power.square().mul(&power).mul(number)
}

/// The second number if the choice says so, else the first.
fn select(first: &Residue, second: &Residue, choice: Choice) -> Zeroizing<Vec<u8>> {
    let (first, second) = (first.to_bytes(), second.to_bytes());
    let pairs = first.iter().zip(second.iter());
    Zeroizing::new(pairs.map(|(a, b)| u8::conditional_select(a, b, choice)).collect())
}

#[cfg(test)]
mod tests;
