//! Key derivation function (ICAO 9303-11 §9.7.1).

use alloc::vec::Vec;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::hash::HashAlgorithm;
use zeroize::Zeroizing;

/// Counter of the key for encryption.
pub const ENCRYPTION: u32 = 1;
/// Counter of the key for message authentication.
pub const AUTHENTICATION: u32 = 2;
/// Counter of the key that encrypts the nonce of PACE.
pub const PASSWORD: u32 = 3;

/// The cipher that the last arc of a protocol's object identifier names, of PACE and of Chip
/// Authentication alike (ICAO 9303-11 §9.2.3, §9.2.7).
pub const fn cipher_of_arc(arc: u8) -> Option<BlockCipher> {
    match arc {
        1 => Some(BlockCipher::Tdes),
        2 => Some(BlockCipher::Aes128),
        3 => Some(BlockCipher::Aes192),
        4 => Some(BlockCipher::Aes256),
        _ => None,
    }
}

/// The key for a cipher and purpose from a shared secret.
pub fn derive(cipher: BlockCipher, secret: &[u8], counter: u32) -> Zeroizing<Vec<u8>> {
    let hash = match cipher {
        BlockCipher::Tdes | BlockCipher::Aes128 => HashAlgorithm::Sha1,
        BlockCipher::Aes192 | BlockCipher::Aes256 => HashAlgorithm::Sha256,
    };
    let mut key = Zeroizing::new(hash.digest_parts(&[secret, &counter.to_be_bytes()]));
    key.truncate(cipher.key_len());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    /// DES ignores the lowest bit of each byte, which the worked examples set to odd parity.
    fn without_parity(key: &[u8]) -> Vec<u8> {
        key.iter().map(|b| b & 0xFE).collect()
    }

    #[test]
    fn derives_the_keys_of_the_worked_example() {
        // ICAO 9303-11 appendix D.1.
        let seed = hex!("239AB9CB282DAF66231DC5A4DF6BFBAE");
        assert_eq!(
            without_parity(&derive(BlockCipher::Tdes, &seed, ENCRYPTION)),
            without_parity(&hex!("AB94FDECF2674FDFB9B391F85D7F76F2"))
        );
        assert_eq!(
            without_parity(&derive(BlockCipher::Tdes, &seed, AUTHENTICATION)),
            without_parity(&hex!("7962D9ECE03D1ACD4C76089DCE131543"))
        );
    }
}
