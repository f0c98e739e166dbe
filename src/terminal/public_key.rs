//! Ephemeral public keys as they are sent and compressed (ICAO 9303-11 §9.4.5, §7.1.4).

use cancuoc_primitives::curve::CurveError;
use cancuoc_primitives::dh::DhError;
use cancuoc_primitives::group::{DomainParameters, GroupError, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;

use super::KeyFault;
use crate::lds::PublicKey;

/// An ephemeral public key as it is sent: `04 || X || Y`, or the number in as few bytes as it
/// takes (ICAO 9303-11 §9.4.1, §9.4.5).
#[must_use]
pub fn encode_public_key(key: &PublicElement) -> Vec<u8> {
    let bytes = key.to_bytes();
    if key.domain_parameters().is_ec() { bytes } else { strip_zeros(&bytes).to_vec() }
}

/// The compressed ephemeral public key, `Comp(PK)`, which Terminal Authentication signs: the x
/// coordinate of a point, as long as the field; the SHA-1 hash of a number as it is sent (ICAO
/// 9303-11 §7.1.4.1.3, §7.1.4.2.3).
#[must_use]
pub fn compress_public_key(key: &PublicElement) -> Vec<u8> {
    match key {
        PublicElement::Ec(point) => point.x_coordinate(),
        PublicElement::Dh(_) => HashAlgorithm::Sha1.digest(&encode_public_key(key)),
    }
}

/// A public key as an element of the group in which it agrees on secrets; none for RSA.
#[must_use]
pub fn group_element(key: &PublicKey) -> Option<PublicElement> {
    match key {
        PublicKey::Ec(point) => Some(PublicElement::Ec(point.clone())),
        PublicKey::Dh(value) => Some(PublicElement::Dh(value.clone())),
        PublicKey::Rsa(_) => None,
    }
}

/// Reads a public key of the card: validated, never neutral.
pub(super) fn decode_card_key(
    parameters: &DomainParameters,
    bytes: &[u8],
) -> Result<PublicElement, KeyFault> {
    PublicElement::decode(parameters, bytes).map_err(|error| match (error, parameters) {
        // The one-byte encoding of the point at infinity (BSI TR-03111 §3.2).
        (GroupError::Curve(CurveError::PointEncoding), _) if bytes == [0] => KeyFault::Identity,
        (GroupError::Curve(CurveError::NotOnCurve(_)), _) => KeyFault::NotOnCurve,
        (GroupError::Curve(CurveError::Identity), _) => KeyFault::Identity,
        (GroupError::Dh(DhError::PublicRange), DomainParameters::Dh(group)) => {
            match strip_zeros(bytes) {
                [1] => KeyFault::Identity,
                // Zero, and p-1, which is of order two.
                value if value.is_empty() || is_less_one(value, group.p()) => {
                    KeyFault::SmallSubgroup
                }
                _ => KeyFault::Malformed,
            }
        }
        (GroupError::Dh(DhError::Subgroup), _) => KeyFault::SmallSubgroup,
        _ => KeyFault::Malformed,
    })
}

/// Whether it is the odd number less one.
fn is_less_one(value: &[u8], odd: &[u8]) -> bool {
    match (value.split_last(), odd.split_last()) {
        (Some((low, high)), Some((odd_low, odd_high))) => {
            high == odd_high && *low == odd_low.wrapping_sub(1)
        }
        _ => false,
    }
}

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use cancuoc_primitives::group::GroupSecret;
    use hex_literal::hex;

    use super::*;

    fn parameters(id: u8) -> DomainParameters {
        DomainParameters::standardised(id).unwrap()
    }

    fn fault(id: u8, bytes: &[u8]) -> KeyFault {
        decode_card_key(&parameters(id), bytes).unwrap_err()
    }

    #[test]
    fn names_what_is_wrong_with_a_point() {
        let good = parameters(13).generator().to_bytes();
        let mut off = good.clone();
        off[64] ^= 1;
        assert_eq!(fault(13, &off), KeyFault::NotOnCurve);
        assert_eq!(fault(13, &[0]), KeyFault::Identity);
        assert_eq!(fault(13, &good[..64]), KeyFault::Malformed);
        assert_eq!(fault(13, &[&[2], &good[1..33]].concat()), KeyFault::Malformed);
        assert_eq!(fault(13, &[]), KeyFault::Malformed);
    }

    #[test]
    fn names_what_is_wrong_with_a_number() {
        let DomainParameters::Dh(group) = parameters(0) else { panic!() };
        let p = group.p().to_vec();
        let mut less = p.clone();
        *less.last_mut().unwrap() -= 1;
        assert_eq!(fault(0, &[1]), KeyFault::Identity);
        assert_eq!(fault(0, &[]), KeyFault::SmallSubgroup);
        assert_eq!(fault(0, &[0, 0]), KeyFault::SmallSubgroup);
        assert_eq!(fault(0, &less), KeyFault::SmallSubgroup);
        assert_eq!(fault(0, &[2]), KeyFault::SmallSubgroup);
        assert_eq!(fault(0, &p), KeyFault::Malformed);
        assert_eq!(fault(0, &[1; 200]), KeyFault::Malformed);
    }

    #[test]
    fn sends_a_number_without_leading_zeros() {
        let group = parameters(0);
        let mut exponent = 0u16;
        let short = loop {
            exponent += 1;
            let secret = GroupSecret::from_bytes(&group, &exponent.to_be_bytes()).unwrap();
            let element = secret.public_element();
            if element.to_bytes()[0] == 0 {
                break element;
            }
        };
        let sent = encode_public_key(&short);
        assert!(sent.len() < 128 && sent[0] != 0);
        assert_eq!(decode_card_key(&group, &sent), Ok(short.clone()));
        assert_eq!(compress_public_key(&short), HashAlgorithm::Sha1.digest(&sent));
    }

    #[test]
    fn compresses_a_point_to_its_abscissa() {
        let generator = parameters(12).generator();
        let x = hex!("6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296");
        assert_eq!(compress_public_key(&generator), x);
        assert_eq!(encode_public_key(&generator).len(), 65);
    }
}
