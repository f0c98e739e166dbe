//! RSA keys that are known to be weak, by what their public key shows.

use alloc::vec;
use alloc::vec::Vec;

use super::RsaPublicKey;

/// Bound of the factors that are looked for.
const SMALL: u32 = 1 << 14;
/// The primes of the fingerprint of CVE-2017-15361.
const LARGEST_MARKER: u32 = 167;

impl RsaPublicKey {
    /// Why the key must not be used, where its modulus shows it: a small factor, or the fingerprint
    /// of the generator of CVE-2017-15361 (M. Nemec et al., "The Return of Coppersmith's Attack",
    /// 2017, §4): its primes are a power of 65 537 modulo all small primes, and so is their product.
    #[must_use]
    pub fn weakness(&self) -> Option<&'static str> {
        weakness(&self.modulus())
    }
}

fn weakness(modulus: &[u8]) -> Option<&'static str> {
    let mut marked = true;
    for prime in primes(SMALL) {
        let rest = remainder(modulus, prime);
        if rest == 0 {
            return Some("the modulus has a small factor");
        }
        if prime <= LARGEST_MARKER && marked {
            marked = is_power(rest, prime);
        }
    }
    marked.then_some("the modulus has the fingerprint of CVE-2017-15361 (ROCA)")
}

/// The primes below a bound.
fn primes(bound: u32) -> impl Iterator<Item = u32> {
    let mut composite = vec![false; bound as usize];
    for factor in 2..bound as usize {
        if factor * factor < composite.len() && composite.get(factor) == Some(&false) {
            composite.iter_mut().skip(factor * factor).step_by(factor).for_each(|c| *c = true);
        }
    }
    let found: Vec<u32> =
        (2..bound).filter(|n| composite.get(*n as usize) == Some(&false)).collect();
    found.into_iter()
}

/// A big-endian number modulo a small one.
fn remainder(number: &[u8], divisor: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest << 8 | u32::from(*byte)) % divisor)
}

/// Whether a number is a power of 65 537 modulo a prime.
fn is_power(number: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    let mut power = 1;
    for _ in 0..prime {
        if power == number {
            return true;
        }
        power = power * generator % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa::RsaPrivateKey;
    use crate::test_random::Counter;

    /// A number times a small one, big-endian.
    fn times(number: &[u8], factor: u64) -> Vec<u8> {
        let mut carry = 0u64;
        let mut out: Vec<u8> = number
            .iter()
            .rev()
            .map(|byte| {
                carry += u64::from(*byte) * factor;
                let low = carry as u8;
                carry >>= 8;
                low
            })
            .collect();
        while carry > 0 {
            out.push(carry as u8);
            carry >>= 8;
        }
        out.reverse();
        out
    }

    /// A power of 65 537 is one modulo every prime, as the product of two such primes is.
    fn marked() -> Vec<u8> {
        (0..70).fold(vec![1], |number, _| times(&number, 65_537))
    }

    #[test]
    fn finds_the_fingerprint_of_the_weak_generator() {
        let found = weakness(&marked()).unwrap();
        assert!(found.contains("ROCA"), "{found}");
        assert_eq!(weakness(&times(&marked(), 1_000_003)), None);
    }

    #[test]
    fn finds_a_small_factor() {
        let with_factor = times(&marked(), 16_381);
        assert_eq!(weakness(&with_factor), Some("the modulus has a small factor"));
    }

    #[test]
    fn takes_a_good_key() {
        let key = RsaPrivateKey::generate(1024, &mut Counter(5)).unwrap();
        assert_eq!(key.public_key().weakness(), None);
    }
}
