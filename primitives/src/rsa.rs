//! RSA: PKCS#1 v1.5 and PSS signatures, and the raw operation for ISO/IEC 9796-2.

use alloc::vec::Vec;
use core::fmt;

use ::rsa::pkcs1v15::Pkcs1v15Sign;
use ::rsa::pss::Pss;
use ::rsa::traits::{PrivateKeyParts, PublicKeyParts};
use crypto_bigint::{BoxedUint, Resize};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::curve::left_pad;
use crate::ecdsa::SignatureError;
use crate::hash::HashAlgorithm;

/// Fewest bits of a modulus that are read at all; what a verifier accepts is its policy.
pub const MIN_BITS: usize = 1024;
/// Most bits of a modulus: a bound on the work a hostile key can cause.
pub const MAX_BITS: usize = 8192;

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub struct RsaPublicKey(::rsa::PublicKey);

/// A private key, wiped from memory when dropped.
#[derive(Clone)]
pub struct RsaPrivateKey(::rsa::PrivateKey);

/// The numbers of a private key, big-endian.
pub struct RsaComponents {
    /// Modulus.
    pub n: Vec<u8>,
    /// Public exponent.
    pub e: Vec<u8>,
    /// Private exponent.
    pub d: Zeroizing<Vec<u8>>,
    /// First prime.
    pub p: Zeroizing<Vec<u8>>,
    /// Second prime.
    pub q: Zeroizing<Vec<u8>>,
}

/// d mod (p-1), d mod (q-1) and the inverse of q modulo p, big-endian.
pub struct RsaCrt {
    /// First exponent.
    pub dp: Zeroizing<Vec<u8>>,
    /// Second exponent.
    pub dq: Zeroizing<Vec<u8>>,
    /// Coefficient.
    pub qinv: Zeroizing<Vec<u8>>,
}

/// Runs an expression with the hash function's type bound to a name.
macro_rules! with_hash {
    ($hash:expr, $digest:ident => $body:expr) => {
        match $hash {
            HashAlgorithm::Sha1 => {
                type $digest = sha1::Sha1;
                $body
            }
            HashAlgorithm::Sha224 => {
                type $digest = sha2::Sha224;
                $body
            }
            HashAlgorithm::Sha256 => {
                type $digest = sha2::Sha256;
                $body
            }
            HashAlgorithm::Sha384 => {
                type $digest = sha2::Sha384;
                $body
            }
            HashAlgorithm::Sha512 => {
                type $digest = sha2::Sha512;
                $body
            }
        }
    };
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

impl RsaPublicKey {
    /// Takes big-endian modulus and exponent.
    ///
    /// # Errors
    /// [`SignatureError::Key`] for an even or too small exponent, an even modulus, or one outside
    /// [`MIN_BITS`] to [`MAX_BITS`].
    pub fn new(n: &[u8], e: &[u8]) -> Result<Self, SignatureError> {
        if n.len() > MAX_BITS / 8 + 1 || e.len() > 16 {
            return Err(SignatureError::Key);
        }
        let limits = MIN_BITS..=MAX_BITS;
        ::rsa::PublicKey::new_with_size_limits(number(n), number(e), limits)
            .map(Self)
            .map_err(|_| SignatureError::Key)
    }

    /// Modulus, big-endian without leading zeros.
    #[must_use]
    pub fn modulus(&self) -> Vec<u8> {
        self.0.n_bytes().to_vec()
    }

    /// Public exponent, big-endian without leading zeros.
    #[must_use]
    pub fn exponent(&self) -> Vec<u8> {
        self.0.e_bytes().to_vec()
    }

    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.0.n().as_ref().bit_width_vartime() as usize
    }

    /// Verifies RSASSA-PKCS1-v1_5 over a hash (RFC 8017 §8.2.2).
    ///
    /// # Errors
    /// [`SignatureError::Wrong`].
    pub fn verify_pkcs1v15(
        &self,
        hash: HashAlgorithm,
        prehash: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let scheme = with_hash!(hash, D => Pkcs1v15Sign::new::<D>());
        self.0.verify(scheme, prehash, signature).map_err(|_| SignatureError::Wrong)
    }

    /// Verifies RSASSA-PSS over a hash, with the mask generation function over the same hash
    /// (RFC 8017 §8.1.2).
    ///
    /// # Errors
    /// [`SignatureError::Wrong`].
    pub fn verify_pss(
        &self,
        hash: HashAlgorithm,
        salt_len: usize,
        prehash: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        with_hash!(hash, D => self.0.verify(Pss::<D>::new_with_salt(salt_len), prehash, signature))
            .map_err(|_| SignatureError::Wrong)
    }

    /// signature ^ e mod n, as many bytes as the modulus has: RSAVP1 (RFC 8017 §5.2.2).
    ///
    /// # Errors
    /// [`SignatureError::OutOfRange`] unless the number is below the modulus and has its length.
    pub fn raw(&self, signature: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let length = self.0.size();
        let value = number(signature);
        if signature.len() != length || value >= *self.0.n().as_ref() {
            return Err(SignatureError::OutOfRange);
        }
        let value = value.resize(self.0.n_bits_precision());
        let result =
            ::rsa::hazmat::rsa_encrypt(&self.0, &value).map_err(|_| SignatureError::Key)?;
        left_pad(&result.to_be_bytes(), length).ok_or(SignatureError::OutOfRange)
    }
}

impl fmt::Debug for RsaPublicKey {
    // A public key identifies a card, so only its size is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPublicKey({} bits)", self.bits())
    }
}

impl RsaPrivateKey {
    /// Makes a key with public exponent 65 537.
    ///
    /// # Errors
    /// [`SignatureError::Key`] for a size outside [`MIN_BITS`] to [`MAX_BITS`].
    pub fn generate(bits: usize, random: &mut dyn CryptoRng) -> Result<Self, SignatureError> {
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(SignatureError::Key);
        }
        // The crate's own minimum is above the 1024 bits that Active Authentication has known.
        ::rsa::PrivateKey::new_unchecked(random, bits).map(Self).map_err(|_| SignatureError::Key)
    }

    /// Takes the numbers of a key, big-endian, and checks that they belong together.
    ///
    /// # Errors
    /// [`SignatureError::Key`].
    pub fn from_components(
        n: &[u8],
        e: &[u8],
        d: &[u8],
        primes: &[&[u8]],
    ) -> Result<Self, SignatureError> {
        RsaPublicKey::new(n, e)?;
        if d.len() > n.len() || primes.len() != 2 || primes.iter().any(|p| p.len() > n.len()) {
            return Err(SignatureError::Key);
        }
        let primes = primes.iter().map(|p| number(p)).collect();
        ::rsa::PrivateKey::from_components(number(n), number(e), number(d), primes)
            .map(Self)
            .map_err(|_| SignatureError::Key)
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> RsaPublicKey {
        RsaPublicKey(self.0.to_public_key())
    }

    /// The numbers of the key.
    ///
    /// # Errors
    /// [`SignatureError::Key`] for a key with other than two primes.
    pub fn components(&self) -> Result<RsaComponents, SignatureError> {
        let [p, q] = self.0.primes() else { return Err(SignatureError::Key) };
        let bytes = |number: &BoxedUint| Zeroizing::new(strip(&number.to_be_bytes()));
        Ok(RsaComponents {
            n: self.0.n_bytes().to_vec(),
            e: self.0.e_bytes().to_vec(),
            d: bytes(self.0.d()),
            p: bytes(p),
            q: bytes(q),
        })
    }

    /// The numbers that speed up the private operation (RFC 8017 §3.2).
    ///
    /// # Errors
    /// [`SignatureError::Key`] for a key with other than two primes.
    pub fn crt(&self) -> Result<RsaCrt, SignatureError> {
        let bytes = |number: &BoxedUint| Zeroizing::new(strip(&number.to_be_bytes()));
        let number = |value: Option<&BoxedUint>| value.map(bytes).ok_or(SignatureError::Key);
        let qinv = self.0.crt_coefficient();
        Ok(RsaCrt {
            dp: number(self.0.dp())?,
            dq: number(self.0.dq())?,
            qinv: number(qinv.as_ref())?,
        })
    }

    /// Signs a hash by RSASSA-PKCS1-v1_5, blinded.
    ///
    /// # Errors
    /// [`SignatureError::Key`] when the key is too small for the hash.
    pub fn sign_pkcs1v15(
        &self,
        hash: HashAlgorithm,
        prehash: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SignatureError> {
        let scheme = with_hash!(hash, D => Pkcs1v15Sign::new::<D>());
        self.0.sign_with_rng(random, scheme, prehash).map_err(|_| SignatureError::Key)
    }

    /// Signs a hash by RSASSA-PSS with a salt as long as the hash, blinded.
    ///
    /// # Errors
    /// [`SignatureError::Key`] when the key is too small for the hash.
    pub fn sign_pss(
        &self,
        hash: HashAlgorithm,
        prehash: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SignatureError> {
        with_hash!(hash, D => self.0.sign_with_rng(random, Pss::<D>::new_blinded(), prehash))
            .map_err(|_| SignatureError::Key)
    }

    /// message ^ d mod n, blinded and checked: RSASP1 (RFC 8017 §5.2.1).
    ///
    /// # Errors
    /// [`SignatureError::OutOfRange`] unless the number is below the modulus and has its length.
    pub fn raw(
        &self,
        message: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SignatureError> {
        let length = self.0.size();
        let value = number(message);
        if message.len() != length || value >= *self.0.n().as_ref() {
            return Err(SignatureError::OutOfRange);
        }
        let value = value.resize(self.0.n_bits_precision());
        let result = ::rsa::hazmat::rsa_decrypt_and_check(&self.0, Some(random), &value)
            .map_err(|_| SignatureError::Key)?;
        left_pad(&result.to_be_bytes(), length).ok_or(SignatureError::OutOfRange)
    }
}

impl fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RsaPrivateKey({} bits, ***)", self.public_key().bits())
    }
}

fn strip(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    bytes.get(zeros..).unwrap_or_default().to_vec()
}

mod weakness;

#[cfg(test)]
mod tests;
