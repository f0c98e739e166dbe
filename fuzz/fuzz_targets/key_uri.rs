//! URIs of keys and components of keys: no panic, and a URI that is taken reads the same when it is
//! written.
#![no_main]

use cancuoc::keystore::{Component, KeyUri};
use cancuoc_primitives::cipher::BlockCipher;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = KeyUri::parse(text) {
        assert_eq!(KeyUri::parse(&uri.to_string()), Ok(uri));
    }
    for cipher in [BlockCipher::Tdes, BlockCipher::Aes192, BlockCipher::Aes256] {
        let _ = Component::parse(cipher, 1, text);
    }
});
