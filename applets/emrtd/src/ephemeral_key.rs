//! How public keys of PACE and Chip Authentication are written (ICAO 9303-11 §9.4).

use alloc::vec::Vec;

use cancuoc_primitives::group::PublicElement;
use cancuoc_primitives::hash::HashAlgorithm;

/// Uncompressed point, or unsigned integer without leading zeros (ICAO 9303-11 §9.4.5, 9303-12
/// §7.2.3.1).
pub fn encode(key: &PublicElement) -> Vec<u8> {
    let bytes = key.to_bytes();
    match key {
        PublicElement::Ec(_) => bytes,
        PublicElement::Dh(_) => bytes.into_iter().skip_while(|byte| *byte == 0).collect(),
    }
}

/// Tag of the public value in a public key data object (ICAO 9303-11 §9.4.3, §9.4.4).
pub const fn tag(key: &PublicElement) -> u16 {
    match key {
        PublicElement::Ec(_) => 0x86,
        PublicElement::Dh(_) => 0x84,
    }
}

/// Comp(PK): the x coordinate, or the SHA-1 hash of the public value (ICAO 9303-11 §7.1.4.1.3,
/// §7.1.4.2.3).
pub fn compress(key: &PublicElement) -> Vec<u8> {
    match key {
        PublicElement::Ec(point) => point.x_coordinate(),
        PublicElement::Dh(_) => HashAlgorithm::Sha1.digest(&encode(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cancuoc_primitives::group::{DomainParameters, GroupSecret};

    /// A secret of the smallest group whose public value starts with a zero byte.
    fn short_value() -> PublicElement {
        let group = DomainParameters::standardised(0).unwrap();
        (1u16..)
            .map(|n| GroupSecret::from_bytes(&group, &n.to_be_bytes()).unwrap().public_element())
            .find(|key| key.to_bytes()[0] == 0)
            .unwrap()
    }

    #[test]
    fn an_unsigned_integer_has_no_leading_zeros() {
        let key = short_value();
        assert_eq!(key.to_bytes().len(), 128);
        assert!(encode(&key).len() < 128 && encode(&key)[0] != 0);
    }

    #[test]
    fn compresses_a_public_value_to_the_hash_of_the_unsigned_integer() {
        let key = short_value();
        assert_eq!(compress(&key), HashAlgorithm::Sha1.digest(&encode(&key)));
    }

    #[test]
    fn compresses_a_point_to_its_x_coordinate() {
        let key = DomainParameters::standardised(18).unwrap().generator();
        assert_eq!(compress(&key), key.to_bytes()[1..67]);
    }
}
