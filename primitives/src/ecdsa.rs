//! ECDSA (FIPS 186-4 §6, BSI TR-03111 §4.2.1) over prehashed messages.

use alloc::vec::Vec;

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};
use elliptic_curve::{Generate, NonZeroScalar};
use rand_core::CryptoRng;
use thiserror::Error;

use crate::curve::{Backend, Curve, Point, SecretScalar, left_pad, point, scalar, with_backend};

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// Not DER `SEQUENCE { INTEGER r, INTEGER s }`, or `r || s` of the wrong length.
    #[error("signature is malformed")]
    Malformed,
    /// r or s is zero or not below the group's order.
    #[error("signature value out of range")]
    OutOfRange,
    /// The signature does not fit message and key.
    #[error("signature does not verify")]
    Wrong,
    /// The key cannot be used like this.
    #[error("key cannot be used for this signature")]
    Key,
}

/// The numbers r and s, big-endian without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcdsaSignature {
    /// r.
    pub r: Vec<u8>,
    /// s.
    pub s: Vec<u8>,
}

#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

impl EcdsaSignature {
    /// Reads `Ecdsa-Sig-Value` in strict DER (RFC 3279 §2.2.3).
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for negative or non-minimal numbers and trailing bytes too.
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureError> {
        let value = EcdsaSigValue::from_der(bytes).map_err(|_| SignatureError::Malformed)?;
        Ok(Self { r: value.r.as_bytes().to_vec(), s: value.s.as_bytes().to_vec() })
    }

    /// `Ecdsa-Sig-Value` in DER.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for numbers that no DER INTEGER holds.
    pub fn to_der(&self) -> Result<Vec<u8>, SignatureError> {
        let number = |bytes| UintRef::new(bytes).map_err(|_| SignatureError::Malformed);
        EcdsaSigValue { r: number(&self.r)?, s: number(&self.s)? }
            .to_der()
            .map_err(|_| SignatureError::Malformed)
    }

    /// Reads the plain form `r || s` (BSI TR-03111 §5.2.1), each as long as the order.
    ///
    /// # Errors
    /// [`SignatureError::Malformed`] for another length.
    pub fn from_plain(curve: Curve, bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() != 2 * curve.order_len() {
            return Err(SignatureError::Malformed);
        }
        let (r, s) = bytes.split_at(curve.order_len());
        Ok(Self { r: r.to_vec(), s: s.to_vec() })
    }

    /// The plain form `r || s`.
    ///
    /// # Errors
    /// [`SignatureError::OutOfRange`] when a number is longer than the order.
    pub fn to_plain(&self, curve: Curve) -> Result<Vec<u8>, SignatureError> {
        let pad = |n| left_pad(n, curve.order_len()).ok_or(SignatureError::OutOfRange);
        Ok([pad(&self.r)?, pad(&self.s)?].concat())
    }
}

/// Verifies a signature over a hash of any length; its leftmost bits count, as many as the order
/// has.
///
/// # Errors
/// [`SignatureError::OutOfRange`] for r or s out of 1 to n-1, [`SignatureError::Wrong`].
pub fn verify_prehashed(
    public: &Point,
    prehash: &[u8],
    signature: &EcdsaSignature,
) -> Result<(), SignatureError> {
    fn run<C: Backend>(
        public: &[u8],
        prehash: &[u8],
        r: &[u8],
        s: &[u8],
    ) -> Result<(), SignatureError> {
        let range = SignatureError::OutOfRange;
        let r = scalar::parse::<C>(r).ok_or(range)?;
        let s = scalar::parse::<C>(s).ok_or(range)?;
        let signature = ::ecdsa::Signature::<C>::from_scalars(
            elliptic_curve::ff::PrimeField::to_repr(r.as_ref()),
            elliptic_curve::ff::PrimeField::to_repr(s.as_ref()),
        )
        .map_err(|_| range)?;
        let public = point::decode::<C>(public).ok_or(SignatureError::Key)?;
        ::ecdsa::hazmat::verify_prehashed::<C>(&public, prehash, &signature)
            .map_err(|_| SignatureError::Wrong)
    }
    let curve = public.curve();
    let pad = |n| left_pad(n, curve.order_len()).ok_or(SignatureError::OutOfRange);
    let (r, s) = (pad(&signature.r)?, pad(&signature.s)?);
    with_backend!(curve, C => run::<C>(public.as_bytes(), prehash, &r, &s))
}

/// Signs a hash with a random nonce.
///
/// # Errors
/// [`SignatureError::Key`] when the key is out of range.
pub fn sign_prehashed(
    secret: &SecretScalar,
    prehash: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<EcdsaSignature, SignatureError> {
    fn run<C: Backend>(
        secret: &[u8],
        prehash: &[u8],
        mut random: &mut dyn CryptoRng,
    ) -> Option<EcdsaSignature> {
        let secret = scalar::parse::<C>(secret)?;
        loop {
            let nonce = NonZeroScalar::<C>::generate_from_rng(&mut random);
            // Fails only for r or s zero, which calls for another nonce (FIPS 186-4 §4.6).
            if let Ok((signature, _)) =
                ::ecdsa::hazmat::sign_prehashed::<C>(&secret, &nonce, prehash)
            {
                let (r, s) = signature.split_bytes();
                return Some(EcdsaSignature { r: r.to_vec(), s: s.to_vec() });
            }
        }
    }
    with_backend!(secret.curve(), C => run::<C>(secret.bytes(), prehash, random))
        .ok_or(SignatureError::Key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashAlgorithm;
    use hex_literal::hex;

    struct Fixed(u8);
    impl rand_core::TryRng for Fixed {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from(self.0))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::from(self.0))
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            for b in out {
                self.0 = self.0.wrapping_mul(5).wrapping_add(1);
                *b = self.0 & 0x7F;
            }
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Fixed {}

    #[test]
    fn verifies_the_published_signature() {
        // RFC 6979 appendix A.2.5: P-256 with SHA-256, message "sample".
        let mut public = alloc::vec![4];
        public.extend(hex!("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"));
        public.extend(hex!("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"));
        let public = Point::from_uncompressed(Curve::P256, &public).unwrap();
        let signature = EcdsaSignature {
            r: hex!("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716").to_vec(),
            s: hex!("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8").to_vec(),
        };
        let hash = HashAlgorithm::Sha256.digest(b"sample");
        assert_eq!(verify_prehashed(&public, &hash, &signature), Ok(()));
        let other = HashAlgorithm::Sha256.digest(b"simple");
        assert_eq!(verify_prehashed(&public, &other, &signature), Err(SignatureError::Wrong));
    }

    #[test]
    fn signs_and_verifies_on_every_curve_with_every_hash() {
        for curve in Curve::ALL {
            let secret = SecretScalar::random(curve, &mut Fixed(3));
            for hash in HashAlgorithm::ALL {
                let digest = hash.digest(b"message");
                let signature = sign_prehashed(&secret, &digest, &mut Fixed(9)).unwrap();
                let public = secret.public_point();
                assert_eq!(verify_prehashed(&public, &digest, &signature), Ok(()));
                let der = EcdsaSignature::from_der(&signature.to_der().unwrap()).unwrap();
                assert_eq!(verify_prehashed(&public, &digest, &der), Ok(()));
                let plain = der.to_plain(curve).unwrap();
                let plain = EcdsaSignature::from_plain(curve, &plain).unwrap();
                assert_eq!(verify_prehashed(&public, &digest, &plain), Ok(()));
            }
        }
    }

    #[test]
    fn refuses_numbers_out_of_range() {
        let secret = SecretScalar::random(Curve::P256, &mut Fixed(3));
        let public = secret.public_point();
        let n = Curve::P256.parameters().n.to_vec();
        for (r, s) in [
            (alloc::vec![0], alloc::vec![1]),
            (alloc::vec![1], alloc::vec![0]),
            (n.clone(), alloc::vec![1]),
            (alloc::vec![1], n),
        ] {
            let signature = EcdsaSignature { r, s };
            assert_eq!(
                verify_prehashed(&public, &[7; 32], &signature),
                Err(SignatureError::OutOfRange)
            );
        }
    }

    #[test]
    fn refuses_signatures_that_are_not_strict_der() {
        for bad in [
            &hex!("3006020101020101 00")[..], // trailing byte
            &hex!("3006 0201FF 020101"),      // negative
            &hex!("3007 02020001 020101"),    // not minimal
            &hex!("3003020101"),              // s missing
            &hex!("308006020101020101"),      // indefinite length
        ] {
            assert_eq!(EcdsaSignature::from_der(bad), Err(SignatureError::Malformed));
        }
    }
}
