//! Bits of security, by which the stronger of two variants of a protocol is picked.

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::DomainParameters;

/// Bits of security of a group: half the bits of a curve; 80 for a prime of 1024 bits, 112 of
/// 2048, 128 of 3072 and more.
#[must_use]
pub fn group_strength(domain: &DomainParameters) -> usize {
    match domain {
        DomainParameters::Ec(_) => domain.bits() / 2,
        DomainParameters::Dh(_) => match domain.bits() {
            0..2048 => 80,
            2048..3072 => 112,
            _ => 128,
        },
    }
}

/// Bits of security of a cipher: 112 for 3DES, else the bits of the key.
#[must_use]
pub const fn cipher_strength(cipher: BlockCipher) -> usize {
    match cipher {
        BlockCipher::Tdes => 112,
        aes => aes.key_len() * 8,
    }
}
