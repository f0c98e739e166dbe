//! Authentication token (ICAO 9303-11 §4.4.3.4).

use cancuoc_card_runtime::tlv;
use cancuoc_primitives::cipher::{self, BlockCipher, CipherError};
use cancuoc_primitives::group::PublicElement;

use super::variant::Variant;
use crate::ephemeral_key;

/// Bytes of a token.
pub const LEN: usize = 8;

/// MAC over the public key data object of the other side's ephemeral key.
pub fn compute(
    variant: &Variant,
    key: &[u8],
    public: &PublicElement,
) -> Result<[u8; LEN], CipherError> {
    let mut input = tlv::object(0x06, &variant.oid);
    tlv::put(&mut input, ephemeral_key::tag(public), &ephemeral_key::encode(public));
    let input = tlv::object(0x7F49, &input);
    match variant.cipher {
        BlockCipher::Tdes => cipher::retail_mac(key, &input),
        aes => cipher::cmac(aes, key, &input).map(|[first @ .., _, _, _, _, _, _, _, _]| first),
    }
}
