//! Session keys from a shared secret (ICAO 9303-11 §9.7.1).

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::hash::HashAlgorithm;
use zeroize::Zeroizing;

/// What a derived key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPurpose {
    /// Encryption: counter 1.
    Encryption,
    /// Message authentication: counter 2.
    Mac,
    /// Encryption of the nonce of PACE: counter 3.
    Password,
}

/// `KDF(K, c)`: the hash of secret and counter, cut to the key's length.
///
/// 3DES and AES-128 take SHA-1, AES-192 and AES-256 SHA-256. The parity bits of DES keys are set,
/// as the worked examples show them.
#[must_use]
pub fn derive_key(cipher: BlockCipher, secret: &[u8], purpose: KeyPurpose) -> Zeroizing<Vec<u8>> {
    let counter = [
        0,
        0,
        0,
        match purpose {
            KeyPurpose::Encryption => 1,
            KeyPurpose::Mac => 2,
            KeyPurpose::Password => 3,
        },
    ];
    let hash = match cipher {
        BlockCipher::Tdes | BlockCipher::Aes128 => HashAlgorithm::Sha1,
        BlockCipher::Aes192 | BlockCipher::Aes256 => HashAlgorithm::Sha256,
    };
    let mut key = Zeroizing::new(hash.digest_parts(&[secret, &counter]));
    key.truncate(cipher.key_len());
    if cipher == BlockCipher::Tdes {
        for byte in key.iter_mut() {
            *byte = (*byte & 0xFE) | ((*byte >> 1).count_ones() as u8 & 1 ^ 1);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn derives_the_keys_of_the_published_bac_example() {
        // ICAO 9303-11 appendix D.1.
        let seed = hex!("239AB9CB282DAF66231DC5A4DF6BFBAE");
        let key = |purpose| derive_key(BlockCipher::Tdes, &seed, purpose).to_vec();
        assert_eq!(key(KeyPurpose::Encryption), hex!("AB94FDECF2674FDFB9B391F85D7F76F2"));
        assert_eq!(key(KeyPurpose::Mac), hex!("7962D9ECE03D1ACD4C76089DCE131543"));
    }

    #[test]
    fn derives_the_keys_of_the_published_pace_example() {
        // ICAO 9303-11 appendix G.1.
        let password = hex!("7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD");
        let k_pi = derive_key(BlockCipher::Aes128, &password, KeyPurpose::Password);
        assert_eq!(*k_pi, hex!("89DED1B26624EC1E634C1989302849DD"));
        let secret = hex!("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925");
        let key = |purpose| derive_key(BlockCipher::Aes128, &secret, purpose).to_vec();
        assert_eq!(key(KeyPurpose::Encryption), hex!("F5F0E35C0D7161EE6724EE513A0D9A7F"));
        assert_eq!(key(KeyPurpose::Mac), hex!("FE251C7858B356B24514B3BD5F4297D1"));
    }

    #[test]
    fn derives_keys_of_the_length_of_each_cipher() {
        use BlockCipher::{Aes128, Aes192, Aes256, Tdes};
        for cipher in [Tdes, Aes128, Aes192, Aes256] {
            let key = derive_key(cipher, b"secret", KeyPurpose::Mac);
            assert_eq!(key.len(), cipher.key_len());
        }
    }
}
