//! What the domain tells of the card: SELECT response, GET DATA (GlobalPlatform Card Specification
//! 2.3.1 §11.3, §H).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::object;
use cancuoc_card_runtime::{Command, Environment, NonVolatileMemory, StatusWord};

use crate::store::{self, KeySet};
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
        0x0042 => Ok(object(0x42, cplc.get(18..22).unwrap_or_default())),
        0x0045 => Ok(object(0x45, cplc.get(10..18).unwrap_or_default())),
        _ => Err(StatusWord::REFERENCE_NOT_FOUND),
    }
}

fn oid(arcs: &[u8]) -> Vec<u8> {
    object(0x06, &[&GLOBAL_PLATFORM[..], arcs].concat())
}

/// Card recognition data (§H.2): GlobalPlatform 2.3.1, SCP03 with the card's options.
fn card_recognition_data(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let content = [
        oid(&[0x01]),
        object(0x60, &oid(&[0x02, 0x02, 0x03, 0x01])),
        object(0x63, &oid(&[0x03])),
        object(0x64, &oid(&[0x04, 0x03, store::options(memory)])),
    ];
    object(0x66, &object(0x73, &content.concat()))
}

/// Key information template (§11.3.3.1): identifier, version, AES, length.
fn key_information(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let mut entries = Vec::new();
    for version in KeySet::versions(memory) {
        let length = KeySet::read(memory, version).map_or(0, |keys| keys.encryption.len());
        for identifier in 1..=3 {
            entries.extend(object(0xC0, &[identifier, version, 0x88, length as u8]));
        }
    }
    object(0xE0, &entries)
}
