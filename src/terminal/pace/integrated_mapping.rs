//! Integrated Mapping: hashes both nonces to an element of the group (ICAO 9303-11 §4.4.3.3.2 and
//! appendix B).

use cancuoc_primitives::cipher::{BlockCipher, CipherError, cbc_encrypt};
use cancuoc_primitives::curve::{Curve, Point};
use cancuoc_primitives::dh::{DhGroup, DhPublic};
use cancuoc_primitives::group::{DomainParameters, PublicElement};
use cancuoc_primitives::modular::{Modulus, Residue};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// c0 and c1 for keys of 128 bits, in blocks.
const CONSTANTS_128: [&[u128]; 2] =
    [&[0xa668892a7c41e3ca739f40b057d85904], &[0xa4e136ac725f738b01c1f60217c188ad]];
/// c0 and c1 for longer keys.
const CONSTANTS_256: [&[u128]; 2] = [
    &[0xd463d65234124ef7897054986dca0a17, 0x4e28df758cbaa03f240616414d5a1676],
    &[0x54bd7255f0aaf831bec3423fcf39d69b, 0x6cbf066677d0faae5aadd99df8e53517],
];

/// Bits by which the pseudo-random number is longer than the prime, so that its remainder is
/// uniform.
const SURPLUS_BITS: usize = 64;

/// Bytes of the card's nonce: whole blocks, at least as many as the key has.
pub(super) const fn nonce_len(cipher: BlockCipher) -> usize {
    match cipher {
        BlockCipher::Tdes | BlockCipher::Aes128 => 16,
        BlockCipher::Aes192 | BlockCipher::Aes256 => 32,
    }
}

/// Bytes of the terminal's nonce: those of a key.
pub(super) const fn additional_nonce_len(cipher: BlockCipher) -> usize {
    cipher.key_len()
}

/// Whether the mapping is defined over the parameters: the encoding to a curve takes a prime that
/// is 3 modulo 4, which P-224 does not have; the one to a prime field takes the subgroup's order.
pub(super) fn is_defined(parameters: &DomainParameters) -> bool {
    match parameters {
        DomainParameters::Ec(curve) => curve.parameters().p.last().is_some_and(|b| b & 3 == 3),
        DomainParameters::Dh(group) => group.q().is_some(),
    }
}

/// The generator that both nonces map to; none where that would be the neutral element, or the
/// lengths are not those of the cipher.
pub(super) fn map(
    cipher: BlockCipher,
    parameters: &DomainParameters,
    nonce: &[u8],
    additional_nonce: &[u8],
) -> Option<PublicElement> {
    if !is_defined(parameters) {
        return None;
    }
    let random = pseudo_random(cipher, nonce, additional_nonce, parameters.bits()).ok()?;
    match parameters {
        DomainParameters::Ec(curve) => encode_to_curve(*curve, &random).map(PublicElement::Ec),
        DomainParameters::Dh(group) => encode_to_group(group, &random).map(PublicElement::Dh),
    }
}

/// `x1 || … || xn` of the pseudo-random function R, before it is taken modulo the prime.
fn pseudo_random(
    cipher: BlockCipher,
    nonce: &[u8],
    additional_nonce: &[u8],
    prime_bits: usize,
) -> Result<Zeroizing<Vec<u8>>, CipherError> {
    if nonce.len() != nonce_len(cipher) {
        return Err(CipherError::DataLength(nonce.len()));
    }
    let constants = if nonce.len() == 16 { CONSTANTS_128 } else { CONSTANTS_256 };
    let [c0, c1] = constants.map(|blocks| blocks.iter().flat_map(|b| b.to_be_bytes()).collect());
    let (c0, c1): (Vec<u8>, Vec<u8>) = (c0, c1);
    let iv = vec![0; cipher.block_len()];
    let encrypt = |key: &[u8], data: &[u8]| cbc_encrypt(cipher, key, &iv, data).map(Zeroizing::new);
    let cut = |mut key: Zeroizing<Vec<u8>>| {
        key.truncate(cipher.key_len());
        key
    };
    let mut key = cut(encrypt(additional_nonce, nonce)?);
    let rounds = (prime_bits + SURPLUS_BITS).div_ceil(8 * nonce.len());
    let mut out = Zeroizing::new(Vec::with_capacity(rounds * nonce.len()));
    for _ in 0..rounds {
        out.extend_from_slice(&encrypt(&key, &c1)?);
        key = cut(encrypt(&key, &c0)?);
    }
    Ok(out)
}

/// The point encoding of appendix B.2 for a curve whose prime is 3 modulo 4 and whose cofactor is
/// one. Which of the two candidates is the point is not shown by its time: it depends on the
/// password.
fn encode_to_curve(curve: Curve, random: &[u8]) -> Option<Point> {
    let domain = curve.parameters();
    let modulus = Modulus::new(domain.p).ok()?;
    let (a, b) = (modulus.element(domain.a)?, modulus.element(domain.b)?);
    let one = modulus.small(1);
    let cubic = |x: &Residue| x.square().mul(x).add(&a.mul(x)).add(&b);

    let t = modulus.reduce(random).ok()?;
    let alpha = t.square().neg();
    let sum = alpha.add(&alpha.square());
    // Zero only for t = 0 and t = ±1, which no pseudo-random number hits.
    let x2 = b.mul(&one.add(&sum)).mul(&a.mul(&sum).invert()?).neg();
    let x3 = alpha.mul(&x2);
    let h2 = cubic(&x2);
    let u = t.square().mul(&t).mul(&h2);
    // p-1-(p+1)/4 is 3m+1 where p is 4m+3.
    let root = h2.pow(&quarter(domain.p));
    let root = root.square().mul(&root).mul(&h2);
    let is_square = root.square().mul(&h2).to_bytes().ct_eq(&one.to_bytes());

    let x = select(&x3.to_bytes(), &x2.to_bytes(), is_square);
    let y = select(&root.mul(&u).to_bytes(), &root.mul(&h2).to_bytes(), is_square);
    let encoded = Zeroizing::new([&[4], &x[..], &y].concat());
    Point::from_uncompressed(curve, &encoded).ok()
}

/// `second` where the choice is true, else `first`; both have the same length.
fn select(first: &[u8], second: &[u8], choice: Choice) -> Zeroizing<Vec<u8>> {
    let pairs = first.iter().zip(second);
    Zeroizing::new(pairs.map(|(a, b)| u8::conditional_select(a, b, choice)).collect())
}

/// A quarter of a number, rounded down.
fn quarter(number: &[u8]) -> Vec<u8> {
    let mut high = 0;
    let shifted = number.iter().map(|byte| {
        let out = byte >> 2 | high << 6;
        high = byte & 3;
        out
    });
    shifted.collect()
}

/// The pseudo-random number to the power of the cofactor `(p-1)/q`; none where that is one.
fn encode_to_group(group: &DhGroup, random: &[u8]) -> Option<DhPublic> {
    let number = group.modulus().reduce(random).ok()?;
    let mapped = number.pow(&group.cofactor()?);
    DhPublic::decode(group, &mapped.to_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::vectors;
    use super::*;
    use BlockCipher::{Aes128, Aes192, Aes256, Tdes};

    fn published(example: &str, id: u8) {
        let vector = vectors(example);
        let parameters = DomainParameters::standardised(id).unwrap();
        let (s, t) = (vector("nonce"), vector("additional_nonce"));
        let random = pseudo_random(Aes128, &s, &t, parameters.bits()).unwrap();
        assert_eq!(*random, vector("pseudo_random"));
        let mapped = map(Aes128, &parameters, &s, &t).unwrap();
        assert_eq!(mapped.to_bytes(), vector("mapped_generator"));
    }

    #[test]
    fn maps_the_published_nonces_to_a_curve() {
        published("pace-ecdh-im", 13);
    }

    #[test]
    fn maps_the_published_nonces_to_a_prime_field() {
        published("pace-dh-im", 0);
    }

    #[test]
    fn maps_to_every_group_but_p224_with_every_cipher() {
        for id in DomainParameters::STANDARDISED {
            let parameters = DomainParameters::standardised(id).unwrap();
            for cipher in [Tdes, Aes128, Aes192, Aes256] {
                // The candidates of the point encoding are taken about as often as each other.
                for n in 0..4 {
                    let nonce = vec![n; nonce_len(cipher)];
                    let additional = vec![0xA5; additional_nonce_len(cipher)];
                    let mapped = map(cipher, &parameters, &nonce, &additional);
                    assert_eq!(mapped.is_some(), id != 10, "{} {n}", parameters.name());
                }
            }
        }
    }

    #[test]
    fn refuses_nonces_of_other_lengths() {
        let parameters = DomainParameters::standardised(13).unwrap();
        assert!(map(Aes128, &parameters, &[1; 32], &[1; 16]).is_none());
        assert!(map(Aes192, &parameters, &[1; 16], &[1; 24]).is_none());
        assert!(map(Aes256, &parameters, &[1; 32], &[1; 24]).is_none());
    }

    #[test]
    fn refuses_numbers_that_the_point_encoding_cannot_take() {
        for number in [0, 1] {
            assert!(encode_to_curve(Curve::P256, &[number]).is_none());
        }
    }

    #[test]
    fn refuses_numbers_that_map_to_one() {
        let DomainParameters::Dh(group) = DomainParameters::standardised(0).unwrap() else {
            panic!()
        };
        for number in [0, 1] {
            assert!(encode_to_group(&group, &[number]).is_none());
        }
    }

    proptest! {
        #[test]
        fn quarters_like_the_machine(number in any::<u128>()) {
            prop_assert_eq!(quarter(&number.to_be_bytes()), (number >> 2).to_be_bytes());
        }

        #[test]
        fn every_number_maps_to_a_point_of_the_curve(random in prop::collection::vec(any::<u8>(), 24..40)) {
            prop_assert!(encode_to_curve(Curve::BrainpoolP192r1, &random).is_some());
        }
    }
}
