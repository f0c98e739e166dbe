//! What the domain tells of the card: SELECT response, GET DATA (GlobalPlatform Card Specification
//! 2.3.1 §11.3, §H).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::object;
use cancuoc_card_runtime::{Command, Environment, NonVolatileMemory, StatusWord};

use crate::keys::{self, KeySet, KeyType};
use crate::store;
use crate::{AID, Session};

/// OID {globalPlatform 1}: the prefix of those in card recognition data.
const GLOBAL_PLATFORM: [u8; 6] = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];

/// File control information of the domain.
pub fn select_response() -> Vec<u8> {
    let proprietary = object(0xA5, &object(0x9F65, &[0x00, 0xFF]));
    object(0x6F, &[object(0x84, &AID), proprietary].concat())
}

/// Ten bytes that tell the card's keys from those of others: serial number and batch from the
/// production data, as VISA2 and EMV derivations use them.
pub fn key_diversification_data(cplc: &[u8]) -> Vec<u8> {
    let mut out = cplc.get(10..20).map(Vec::from).unwrap_or_default();
    out.resize(10, 0);
    out
}

/// GET DATA.
pub fn get_data(
    _: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let memory = &*environment.memory;
    let cplc = store::cplc(memory);
    match u16::from_be_bytes([command.p1, command.p2]) {
        0x9F7F => Ok(object(0x9F7F, cplc)),
        0x0066 => Ok(card_recognition_data(memory)),
        0x00E0 => Ok(key_information(memory)),
        0x0042 => Ok(object(0x42, &store::issuer_number(memory))),
        0x0045 => Ok(object(0x45, &store::card_number(memory))),
        0x00CF => Ok(object(0xCF, &key_diversification_data(cplc))),
        0x00C1 => sequence_counter(memory),
        // The issuer's own domain gives no receipts, so none was ever counted.
        0x00C2 => Ok(object(0xC2, &[0, 0])),
        _ => Err(StatusWord::REFERENCE_NOT_FOUND),
    }
}

fn oid(arcs: &[u8]) -> Vec<u8> {
    object(0x06, &[&GLOBAL_PLATFORM[..], arcs].concat())
}

/// Card recognition data (§H.2): GlobalPlatform 2.3.1, the secure channels with their options.
fn card_recognition_data(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let channels = store::channels(memory);
    let channel = |protocol, options: Option<u8>| {
        options.map(|options| object(0x64, &oid(&[0x04, protocol, options]))).unwrap_or_default()
    };
    let content = [
        oid(&[0x01]),
        object(0x60, &oid(&[0x02, 0x02, 0x03, 0x01])),
        object(0x63, &oid(&[0x03])),
        channel(0x02, channels.scp02),
        channel(0x03, channels.scp03),
    ];
    object(0x66, &object(0x73, &content.concat()))
}

/// Key information template (§11.3.3.1): identifier, version, type, length of each key.
fn key_information(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let mut entries = Vec::new();
    for version in KeySet::versions(memory) {
        let Some(keys) = KeySet::read(memory, version) else { continue };
        let length = keys.encryption.len() as u8;
        for identifier in 1..=3 {
            let key = [identifier, version, keys.key_type.to_byte(), length];
            entries.extend(object(0xC0, &key));
        }
    }
    object(0xE0, &entries)
}

/// Sequence counter of the key set that INITIALIZE UPDATE takes unless told otherwise: two bytes for
/// SCP02, three for SCP03.
fn sequence_counter(memory: &dyn NonVolatileMemory) -> Result<Vec<u8>, StatusWord> {
    let keys = KeySet::read(memory, 0).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let counter = keys::sequence_counter(memory, keys.version).to_be_bytes();
    let bytes = match keys.key_type {
        KeyType::Tdes => &counter[2..],
        KeyType::Aes => &counter[1..],
    };
    Ok(object(0xC1, bytes))
}
