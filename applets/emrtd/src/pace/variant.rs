//! The variants of PACE: mapping, cipher and domain parameters (ICAO 9303-11 §4.4.3, §9.2.3).

use cancuoc_card_runtime::tlv::Objects;
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::DomainParameters;

use crate::key_derivation::cipher_of_arc;

/// id-PACE, after which come an arc for key agreement and mapping and one for the cipher.
const ID_PACE: [u8; 8] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];
/// Identifiers below this are for standardised domain parameters (ICAO 9303-11 table 12).
const FIRST_EXPLICIT: u8 = 0x20;

/// How the nonce becomes a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mapping {
    /// Through a key agreement.
    Generic,
    /// By encoding a pseudo-random number.
    Integrated,
    /// As the generic one, and the chip proves that it has its static key.
    ChipAuthentication,
}

/// A variant of PACE that the card offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its object identifier, without tag and length.
    pub oid: [u8; 10],
    /// Mapping.
    pub mapping: Mapping,
    /// Cipher of nonce, token and secure messaging.
    pub cipher: BlockCipher,
    /// Domain parameters before the mapping.
    pub parameters: DomainParameters,
}

impl Variant {
    /// From a personalised value, object identifier and domain parameter identifier, among
    /// `protocols`, the whole personalised record, where explicit identifiers are explained.
    pub fn read(value: &[u8], protocols: &[u8]) -> Option<Self> {
        let (id, oid) = value.split_last()?;
        let oid = <[u8; 10]>::try_from(oid).ok()?;
        let [arc, cipher] = *oid.strip_prefix(&ID_PACE)? else { return None };
        let (elliptic, mapping) = match arc {
            1 => (false, Mapping::Generic),
            2 => (true, Mapping::Generic),
            3 => (false, Mapping::Integrated),
            4 => (true, Mapping::Integrated),
            6 => (true, Mapping::ChipAuthentication),
            _ => return None,
        };
        let cipher = cipher_of_arc(cipher)?;
        let parameters = DomainParameters::standardised(standardised_id(*id, protocols)?)?;
        // Chip Authentication Mapping has no 3DES (table 3). P-224 has p ≡ 1 mod 4, which the point
        // encoding cannot do with (table 12).
        let allowed = match mapping {
            Mapping::Generic => true,
            Mapping::Integrated => parameters != DomainParameters::Ec(Curve::P224),
            Mapping::ChipAuthentication => cipher != BlockCipher::Tdes,
        };
        let fits = parameters.is_ec() == elliptic && allowed;
        fits.then_some(Self { oid, mapping, cipher, parameters })
    }
}

/// The standardised identifier that an identifier stands for.
fn standardised_id(id: u8, protocols: &[u8]) -> Option<u8> {
    if id < FIRST_EXPLICIT {
        return Some(id);
    }
    let mut objects = Objects::new(protocols);
    while let Ok(object) = objects.take() {
        if let (0x85, [explicit, standardised]) = (object.tag, object.value)
            && *explicit == id
        {
            return Some(*standardised);
        }
    }
    None
}

/// Whether a value explains an identifier for explicit domain parameters.
pub fn explains_explicit(value: &[u8]) -> bool {
    matches!(value, [id, standardised]
        if *id >= FIRST_EXPLICIT && DomainParameters::standardised(*standardised).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn value(arc: u8, cipher: u8, id: u8) -> Vec<u8> {
        [&ID_PACE[..], &[arc, cipher, id]].concat()
    }

    #[test]
    fn knows_every_mapping_over_every_group_with_every_cipher() {
        let mut known = 0;
        for arc in 0..=255 {
            for cipher in 0..=255 {
                for id in DomainParameters::STANDARDISED {
                    known += u32::from(Variant::read(&value(arc, cipher, id), &[]).is_some());
                }
            }
        }
        // 4 ciphers over 14 groups, the same without P-224, 3 ciphers over 11 curves.
        assert_eq!(known, 4 * 14 + 4 * 13 + 3 * 11);
    }

    #[test]
    fn offers_no_integrated_mapping_on_p_224() {
        assert!(Variant::read(&value(4, 2, 10), &[]).is_none());
        assert!(Variant::read(&value(2, 2, 10), &[]).is_some());
    }

    #[test]
    fn offers_no_chip_authentication_mapping_with_3des() {
        assert!(Variant::read(&value(6, 1, 13), &[]).is_none());
    }

    #[test]
    fn refuses_groups_of_the_other_kind() {
        assert!(Variant::read(&value(1, 2, 13), &[]).is_none());
        assert!(Variant::read(&value(2, 2, 0), &[]).is_none());
    }

    #[test]
    fn an_explicit_identifier_needs_its_explanation() {
        let explained = [0x85, 2, 0x21, 13];
        let variant = Variant::read(&value(2, 2, 0x21), &explained).unwrap();
        assert_eq!(variant.parameters.id(), Some(13));
        assert!(Variant::read(&value(2, 2, 0x20), &explained).is_none());
        assert!(explains_explicit(&[0x20, 0]) && !explains_explicit(&[0x1F, 0]));
        assert!(!explains_explicit(&[0x20, 3]) && !explains_explicit(&[0x20]));
    }
}
