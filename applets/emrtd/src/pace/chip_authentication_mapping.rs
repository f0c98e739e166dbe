//! Chip Authentication Mapping: Generic Mapping, and the proof that the chip has the static key
//! that its signed files name (ICAO 9303-11 §4.4.3.5).

use alloc::vec::Vec;

use cancuoc_primitives::cipher::{self, BlockCipher};
use cancuoc_primitives::curve::SecretScalar;
use cancuoc_primitives::modular::Modulus;
use zeroize::Zeroizing;

/// Chip Authentication Data: the secret of the mapping divided by the static one, modulo the group's
/// order, with the order's length.
pub fn chip_authentication_data(
    static_key: &SecretScalar,
    mapping: &SecretScalar,
) -> Option<Zeroizing<Vec<u8>>> {
    if static_key.curve() != mapping.curve() {
        return None;
    }
    let order = Modulus::new(static_key.curve().parameters().n).ok()?;
    let inverse = order.element(&static_key.to_bytes())?.invert()?;
    Some(inverse.mul(&order.element(&mapping.to_bytes())?).to_bytes())
}

/// Encrypted Chip Authentication Data: padded by method 2, CBC with IV = E(KSEnc, -1).
pub fn encrypt(cipher: BlockCipher, key: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let iv = cipher::encrypt_block(cipher, key, &[0xFF; 16]).ok()?;
    let padded = Zeroizing::new(cipher::pad(data, cipher.block_len()));
    cipher::cbc_encrypt(cipher, key, &iv, &padded).ok()
}
