//! Personalisation: data groupings that the issuer security domain passes on.
//!
//! The format is this project's own; see docs/en/personalisation.md.

use cancuoc_card_runtime::tlv;
use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};
use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::rsa::RsaPrivateKey;

use crate::chip_authentication::{self, Protocol};
use crate::pace::{Mapping, Variant, explains_explicit};
use crate::passwords::{self, Password};
use crate::store::{self, Access, FileHeader, LifeCycle, Location, protocol};
use crate::{chip_keys, trust_points};

/// Largest file in bytes: what an offset of three bytes and the memory of a real chip leave.
const MAX_FILE_SIZE: usize = 0x2_0000;

/// Kinds of Active Authentication keys, as stored in front of the key.
pub const ECDSA: u8 = 2;
/// An RSA key.
pub const RSA: u8 = 3;

/// Carries out one data grouping.
///
/// # Errors
/// 6985 once the application is locked, 6A88 for an unknown grouping, 6A80 for a malformed one.
pub fn data_grouping(
    memory: &mut dyn NonVolatileMemory,
    identifier: u16,
    data: &[u8],
) -> Result<(), StatusWord> {
    if store::life_cycle(memory) == LifeCycle::Locked {
        return Err(StatusWord::CONDITIONS);
    }
    match identifier {
        0x0101 => create_file(memory, data),
        0x0102 => write_file(memory, data),
        0x0201 if data.len() == 20 => store::put(memory, store::MRZ_KEY, data),
        0x0202 if is_can(data) => store::put(memory, store::CAN, data),
        0x0203 => passwords::personalize(memory, Password::Pin, data),
        0x0204 => passwords::personalize(memory, Password::Puk, data),
        0x0301 => chip_keys::personalize(memory, data),
        0x0302 => active_authentication_ecdsa(memory, data),
        0x0303 => active_authentication_rsa(memory, data),
        0x0401 => protocols(memory, data),
        0x0501 => trust_points::personalize_trust_point(memory, data),
        0x0502 => trust_points::personalize_date(memory, data),
        0x0503 => trust_points::personalize_chip_identifier(memory, data),
        0x0F01 if data.is_empty() => activate(memory),
        0x0F02 if data.is_empty() => lock(memory),
        0x0201 | 0x0202 | 0x0F01 | 0x0F02 => Err(StatusWord::WRONG_DATA),
        _ => Err(StatusWord::REFERENCE_NOT_FOUND),
    }
}

fn is_can(data: &[u8]) -> bool {
    (1..=32).contains(&data.len()) && data.iter().all(u8::is_ascii_digit)
}

fn create_file(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let [location, high, low, short_identifier, access, s1, s2, s3] = *data else {
        return Err(StatusWord::WRONG_DATA);
    };
    let header = FileHeader {
        location: Location::from_byte(location).ok_or(StatusWord::WRONG_DATA)?,
        identifier: u16::from_be_bytes([high, low]),
        short_identifier,
        access: Access::from_byte(access).ok_or(StatusWord::WRONG_DATA)?,
        size: u32::from_be_bytes([0, s1, s2, s3]) as usize,
    };
    let reserved = matches!(header.identifier, 0 | 0x3F00 | 0x3FFF | 0xFFFF);
    if reserved || short_identifier > 30 || header.size == 0 || header.size > MAX_FILE_SIZE {
        return Err(StatusWord::WRONG_DATA);
    }
    let existing = FileHeader::find(memory, header.location, header.identifier);
    // Personalisation begun again may need another size, a signature's for instance; the rest stays.
    if existing.is_some_and(|existing| FileHeader { size: header.size, ..existing } != header) {
        return Err(StatusWord::WRONG_DATA);
    }
    let short_taken = short_identifier != 0
        && FileHeader::find_short(memory, header.location, short_identifier)
            .is_some_and(|other| other.identifier != header.identifier);
    if short_taken {
        return Err(StatusWord::WRONG_DATA);
    }
    header.create(memory)
}

fn write_file(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let ([location, high, low, o1, o2, o3], bytes) =
        data.split_first_chunk::<6>().ok_or(StatusWord::WRONG_DATA)?;
    let location = Location::from_byte(*location).ok_or(StatusWord::WRONG_DATA)?;
    let identifier = u16::from_be_bytes([*high, *low]);
    let offset = u32::from_be_bytes([0, *o1, *o2, *o3]) as usize;
    let file = FileHeader::find(memory, location, identifier).ok_or(StatusWord::NOT_FOUND)?;
    if offset + bytes.len() > file.size {
        return Err(StatusWord::WRONG_DATA);
    }
    let write = Write::Patch { key: store::content_key(location, identifier), offset, data: bytes };
    memory.apply(&[write]).map_err(store::status)
}

/// The private scalar of a key grouping, checked.
pub fn scalar(data: &[u8]) -> Option<SecretScalar> {
    let [id] = *tlv::find(data, 0x80)? else { return None };
    SecretScalar::from_bytes(Curve::from_domain_parameter_id(id)?, tlv::find(data, 0x83)?).ok()
}

fn active_authentication_ecdsa(
    memory: &mut dyn NonVolatileMemory,
    data: &[u8],
) -> Result<(), StatusWord> {
    scalar(data).ok_or(StatusWord::WRONG_DATA)?;
    hash(data).ok_or(StatusWord::WRONG_DATA)?;
    store_key(memory, ECDSA, data)
}

fn active_authentication_rsa(
    memory: &mut dyn NonVolatileMemory,
    data: &[u8],
) -> Result<(), StatusWord> {
    rsa_key(data).ok_or(StatusWord::WRONG_DATA)?;
    hash(data).ok_or(StatusWord::WRONG_DATA)?;
    store_key(memory, RSA, data)
}

fn store_key(memory: &mut dyn NonVolatileMemory, kind: u8, data: &[u8]) -> Result<(), StatusWord> {
    let record = zeroize::Zeroizing::new([&[kind], data].concat());
    store::put(memory, store::ACTIVE_AUTHENTICATION, &record)
}

/// The RSA key of a key grouping, checked.
pub fn rsa_key(data: &[u8]) -> Option<RsaPrivateKey> {
    let number = |tag| tlv::find(data, tag);
    let primes = [number(0x93)?, number(0x94)?];
    RsaPrivateKey::from_components(number(0x90)?, number(0x91)?, number(0x92)?, &primes).ok()
}

/// The hash function of a key grouping.
pub fn hash(data: &[u8]) -> Option<cancuoc_primitives::hash::HashAlgorithm> {
    let [number] = *tlv::find(data, 0x85)? else { return None };
    let index = usize::from(number).checked_sub(1)?;
    cancuoc_primitives::hash::HashAlgorithm::ALL.get(index).copied()
}

/// Data grouping 0401: what the card offers.
fn protocols(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let mut objects = tlv::Objects::new(data);
    while !objects.is_empty() {
        let object = objects.take().map_err(|_| StatusWord::WRONG_DATA)?;
        let right = match object.tag {
            0x80 => matches!(object.value, [0..=protocol::ALL]),
            0x81 => Variant::read(object.value, data).is_some(),
            0x82 => Protocol::from_oid(object.value).is_some(),
            0x85 => explains_explicit(object.value),
            _ => false,
        };
        if !right {
            return Err(StatusWord::WRONG_DATA);
        }
    }
    store::put(memory, store::PROTOCOLS, data)
}

/// Opens the card to readers, if nothing that its protocols need is missing.
fn activate(memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
    let needs = |flag, key| !store::has_protocol(memory, flag) || memory.read(key).is_some();
    let complete = memory.read(store::PROTOCOLS).is_some()
        && needs(protocol::BAC, store::MRZ_KEY)
        && needs(protocol::ACTIVE_AUTHENTICATION, store::ACTIVE_AUTHENTICATION)
        && (!store::has_protocol(memory, protocol::PACE) || pace_complete(memory))
        && (!store::has_protocol(memory, protocol::CHIP_AUTHENTICATION)
            || chip_authentication_complete(memory));
    if !complete {
        return Err(StatusWord::CONDITIONS);
    }
    if store::has_protocol(memory, protocol::TERMINAL_AUTHENTICATION) {
        trust_points::complete(memory)?;
    }
    store::set_life_cycle(memory, LifeCycle::Personalised)
}

/// A password that cannot be blocked, and a static key for every Chip Authentication Mapping.
fn pace_complete(memory: &dyn NonVolatileMemory) -> bool {
    let password = memory.read(store::MRZ_KEY).is_some() || memory.read(store::CAN).is_some();
    let protocols = memory.read(store::PROTOCOLS).unwrap_or_default();
    let mut objects = tlv::Objects::new(protocols);
    let mut variants = core::iter::from_fn(|| objects.take().ok())
        .filter(|object| object.tag == 0x81)
        .filter_map(|object| Variant::read(object.value, protocols));
    password
        && variants.all(|variant| {
            variant.mapping != Mapping::ChipAuthentication
                || chip_keys::for_mapping(memory, &variant.parameters).is_some()
        })
}

/// At least one key, and one for every protocol that is offered.
fn chip_authentication_complete(memory: &dyn NonVolatileMemory) -> bool {
    let exists = |elliptic| chip_keys::exists(memory, elliptic);
    (exists(true) || exists(false))
        && chip_authentication::offered(memory).all(|offered| exists(offered.elliptic))
}

fn lock(memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
    if store::life_cycle(memory) != LifeCycle::Personalised {
        return Err(StatusWord::CONDITIONS);
    }
    store::set_life_cycle(memory, LifeCycle::Locked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Memory;

    /// DG1 with short identifier 1, after access control.
    const fn file(size: u8) -> [u8; 8] {
        [1, 0x01, 0x01, 1, 1, 0, 0, size]
    }

    fn create(memory: &mut Memory, data: &[u8]) -> Result<(), StatusWord> {
        data_grouping(memory, 0x0101, data)
    }

    fn write(memory: &mut Memory, offset: u8, bytes: &[u8]) -> Result<(), StatusWord> {
        let header = [1, 0x01, 0x01, 0, 0, offset];
        data_grouping(memory, 0x0102, &[&header[..], bytes].concat())
    }

    fn content(memory: &Memory) -> &[u8] {
        memory.read(store::content_key(Location::Lds1, 0x0101)).unwrap()
    }

    #[test]
    fn a_file_created_again_is_cleared_and_has_the_new_size() {
        let mut memory = Memory::default();
        assert_eq!(create(&mut memory, &file(4)), Ok(()));
        assert_eq!(write(&mut memory, 0, &[1, 2, 3, 4]), Ok(()));
        for size in [4, 6, 2] {
            assert_eq!(create(&mut memory, &file(size)), Ok(()));
            assert_eq!(content(&memory), &[0; 6][..size.into()]);
            assert_eq!(write(&mut memory, size - 1, &[9]), Ok(()));
            assert_eq!(write(&mut memory, size, &[9]), Err(StatusWord::WRONG_DATA));
            let header = FileHeader::find(&memory, Location::Lds1, 0x0101).unwrap();
            assert_eq!(header.size, usize::from(size));
        }
    }

    #[test]
    fn a_file_created_again_keeps_its_short_identifier_and_access_rule() {
        let mut memory = Memory::default();
        assert_eq!(create(&mut memory, &file(4)), Ok(()));
        let others = [[1, 1, 1, 2, 1, 0, 0, 4], [1, 1, 1, 1, 0, 0, 0, 4], [1, 1, 2, 1, 1, 0, 0, 4]];
        for other in others {
            assert_eq!(create(&mut memory, &other), Err(StatusWord::WRONG_DATA), "{other:?}");
        }
        assert_eq!(create(&mut memory, &[0, 1, 1, 1, 1, 0, 0, 4]), Ok(()), "in the master file");
    }

    #[test]
    fn a_power_cut_leaves_the_file_as_it_was() {
        let mut memory = Memory::default();
        create(&mut memory, &file(4)).unwrap();
        write(&mut memory, 0, &[1, 2, 3, 4]).unwrap();
        memory.writes_left = Some(0);
        assert_eq!(create(&mut memory, &file(9)), Err(StatusWord::MEMORY_FAILURE));
        assert_eq!(content(&memory), [1, 2, 3, 4]);
        assert_eq!(FileHeader::find(&memory, Location::Lds1, 0x0101).unwrap().size, 4);
    }

    #[test]
    fn no_file_is_created_again_on_a_locked_card() {
        let mut memory = Memory::default();
        create(&mut memory, &file(4)).unwrap();
        store::set_life_cycle(&mut memory, LifeCycle::Locked).unwrap();
        assert_eq!(create(&mut memory, &file(5)), Err(StatusWord::CONDITIONS));
    }
}
