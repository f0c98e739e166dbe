//! Key files as others make them, and as nobody honest does.

use pkcs8::EncryptedPrivateKeyInfoOwned;
use pkcs8::der::Encode;
use pkcs8::der::asn1::OctetString;
use pkcs8::pkcs5::pbes2::{EncryptionScheme, Kdf, Parameters, Pbkdf2Params, ScryptParams};
use proptest::prelude::*;

use super::*;

const PASSWORD: &str = "right";

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// A file whose derivation is as told; what is in it decrypts only where `plain` is given.
fn file(kdf: Kdf, plain: Option<&[u8]>) -> Vec<u8> {
    let scheme = Parameters { kdf, encryption: EncryptionScheme::Aes256Cbc { iv: [9; 16] } };
    let data = match plain {
        Some(plain) => scheme.encrypt(PASSWORD, plain).unwrap(),
        None => vec![0; 32],
    };
    let encrypted_data = OctetString::new(data).unwrap();
    let info = EncryptedPrivateKeyInfoOwned { encryption_algorithm: scheme.into(), encrypted_data };
    info.to_der().unwrap()
}

fn pbkdf2(iterations: u32) -> Kdf {
    let mut parameters = Pbkdf2Params::hmac_sha256(1, &[7; 8]).unwrap();
    parameters.iteration_count = iterations;
    parameters.into()
}

fn scrypt(cost: u64, block_size: u16, passes: u16) -> Kdf {
    let parameters = ScryptParams {
        salt: [7; 8][..].try_into().unwrap(),
        cost_parameter: cost,
        block_size,
        parallelization: passes,
        key_length: None,
    };
    parameters.into()
}

fn error(kdf: Kdf) -> KeyError {
    SoftwareKey::decrypt(&file(kdf, None), PASSWORD).unwrap_err()
}

#[test]
fn opens_files_of_pbkdf2_and_of_scrypt() {
    let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let plain = key.to_private_key_info().unwrap();
    for kdf in [pbkdf2(2_048), scrypt(16_384, 8, 1)] {
        let opened = SoftwareKey::decrypt(&file(kdf, Some(&plain)), PASSWORD).unwrap();
        assert_eq!(opened.public_key(), key.public_key());
    }
}

#[test]
fn refuses_a_derivation_that_takes_too_much_memory() {
    for kdf in [scrypt(1 << 20, 8, 1), scrypt(1 << 40, 8, 1), scrypt(1 << 63, u16::MAX, 1)] {
        assert_eq!(error(kdf), KeyError::Derivation { what: "too much memory" });
    }
}

#[test]
fn refuses_a_derivation_that_takes_too_long() {
    assert_eq!(error(pbkdf2(u32::MAX)), KeyError::Derivation { what: "too many iterations" });
    assert_eq!(error(scrypt(1024, 8, 500)), KeyError::Derivation { what: "too many passes" });
}

#[test]
fn refuses_a_derivation_that_is_none() {
    for kdf in [scrypt(0, 8, 1), scrypt(1, 8, 1), scrypt(1024, 0, 1), scrypt(1024, 8, 0)] {
        assert_eq!(error(kdf), KeyError::Derivation { what: "no work at all" });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_no_key_file(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SoftwareKey::decrypt(&bytes, PASSWORD).is_err());
    }

    #[test]
    fn any_scrypt_that_is_not_refused_is_cheap(
        cost in 0u32..64, block_size in any::<u16>(), passes in any::<u16>(),
    ) {
        // Only what is refused before any work can be tried in numbers.
        prop_assume!((128u64 << cost).saturating_mul(block_size.into()) > MAX_MEMORY || cost == 0);
        let refused = matches!(error(scrypt(1 << cost, block_size, passes)), KeyError::Derivation { .. });
        prop_assert!(refused);
    }

    #[test]
    fn whatever_a_password_uncovers_is_a_key_that_signs_or_none(
        rsa in any::<bool>(), place in any::<prop::sample::Index>(), bits in 1u8..=255,
    ) {
        static PLAIN: std::sync::LazyLock<[Vec<u8>; 2]> = std::sync::LazyLock::new(|| {
            [KeyKind::Ec(Curve::P256), KeyKind::Rsa(2048)].map(|kind| {
                let key = SoftwareKey::generate(kind, true, &mut random()).unwrap();
                key.to_private_key_info().unwrap().to_vec()
            })
        });
        let mut plain = PLAIN[usize::from(rsa)].clone();
        let place = place.index(plain.len());
        plain[place] ^= bits;
        if let Ok(key) = SoftwareKey::decrypt(&file(pbkdf2(1), Some(&plain)), PASSWORD) {
            let signature = key.sign(b"message", &mut random()).unwrap();
            prop_assert!(key.algorithm().verify(&key.public_key(), b"message", &signature).is_ok());
        }
    }
}
