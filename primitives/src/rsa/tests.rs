use super::*;

struct Weak(u64);
impl rand_core::TryRng for Weak {
    type Error = core::convert::Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|v| (v >> 32) as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0 ^ self.0 >> 29)
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for byte in out {
            *byte = (self.try_next_u64()? >> 40) as u8;
        }
        Ok(())
    }
}
impl rand_core::TryCryptoRng for Weak {}

fn key() -> RsaPrivateKey {
    RsaPrivateKey::generate(1024, &mut Weak(1)).unwrap()
}

#[test]
fn signs_and_verifies_in_both_schemes() {
    let key = key();
    for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
        let digest = hash.digest(b"message");
        let pkcs = key.sign_pkcs1v15(hash, &digest, &mut Weak(2)).unwrap();
        assert_eq!(key.public_key().verify_pkcs1v15(hash, &digest, &pkcs), Ok(()));
        let pss = key.sign_pss(hash, &digest, &mut Weak(3)).unwrap();
        assert_eq!(key.public_key().verify_pss(hash, hash.output_len(), &digest, &pss), Ok(()));
        let other = hash.digest(b"other");
        assert!(key.public_key().verify_pkcs1v15(hash, &other, &pkcs).is_err());
        assert!(key.public_key().verify_pss(hash, hash.output_len(), &other, &pss).is_err());
    }
}

#[test]
fn the_raw_operations_undo_each_other() {
    let key = key();
    let mut message = key.public_key().modulus();
    message[0] = 0;
    let signature = key.raw(&message, &mut Weak(4)).unwrap();
    assert_eq!(key.public_key().raw(&signature).unwrap(), message);
}

#[test]
fn refuses_numbers_not_below_the_modulus() {
    let public = key().public_key();
    assert_eq!(public.raw(&public.modulus()), Err(SignatureError::OutOfRange));
    assert_eq!(public.raw(&[1]), Err(SignatureError::OutOfRange));
}

#[test]
fn refuses_weak_or_absurd_keys() {
    let n = key().public_key().modulus();
    assert!(RsaPublicKey::new(&n, &[1]).is_err(), "e = 1");
    assert!(RsaPublicKey::new(&n, &[4]).is_err(), "even e");
    assert!(RsaPublicKey::new(&n[..64], &[3]).is_err(), "512 bits");
    assert!(RsaPublicKey::new(&[0xFF; 5000], &[3]).is_err(), "40 000 bits");
}

#[test]
fn a_key_comes_back_from_its_components() {
    let key = key();
    let c = key.components().unwrap();
    let again = RsaPrivateKey::from_components(&c.n, &c.e, &c.d, &[&c.p, &c.q]).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    assert!(RsaPrivateKey::from_components(&c.n, &c.e, &c.p, &[&c.p, &c.q]).is_err());
}
