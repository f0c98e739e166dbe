//! Files of private keys: no panic, no endless derivation, and whatever a password uncovers is a key
//! that signs, or none.
#![no_main]

mod support;

use cancuoc::pki::{Signer, SoftwareKey, from_pem};
use pkcs8::EncryptedPrivateKeyInfoOwned;
use pkcs8::der::{Encode, asn1::OctetString};
use pkcs8::pkcs5::pbes2::{EncryptionScheme, Parameters, Pbkdf2Params};
use support::Counting;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let encrypted =
        std::str::from_utf8(data).ok().and_then(|text| from_pem(text, "ENCRYPTED PRIVATE KEY"));
    let _ = SoftwareKey::decrypt(encrypted.as_deref().unwrap_or(data), "password");
    // Behind a password that is cheap to check.
    let kdf = Pbkdf2Params::hmac_sha256(1, &[7; 8]).unwrap().into();
    let scheme = Parameters { kdf, encryption: EncryptionScheme::Aes256Cbc { iv: [9; 16] } };
    let encrypted_data = OctetString::new(scheme.encrypt("password", data).unwrap()).unwrap();
    let info = EncryptedPrivateKeyInfoOwned { encryption_algorithm: scheme.into(), encrypted_data };
    let Ok(key) = SoftwareKey::decrypt(&info.to_der().unwrap(), "password") else { return };
    let Ok(signature) = key.sign(b"message", &mut Counting::default()) else { return };
    assert!(key.algorithm().verify(&key.public_key(), b"message", &signature).is_ok());
});
