//! The least that must cross the link when a card is inspected: counted from the specifications, not
//! from what the reader sends.
#![allow(dead_code)] // each test binary uses a part

use cancuoc::softcard::air::{AirLink, AirTime};
use cancuoc::terminal::ChipReading;
use cancuoc::terminal::reading::blocks::{
    BlockSizes, max_extended_block, read_command_length, read_response_length,
};
use cancuoc_primitives::cipher::BlockCipher;

const AES: Option<BlockCipher> = Some(BlockCipher::Aes128);
/// Historical bytes of the card's answer to reset.
const HISTORICAL_BYTES: usize = 5;

/// Lengths of command and response APDU, in bytes.
pub type Exchange = (usize, usize);

/// PACE with Generic Mapping on a curve of 256 bits with AES-128, from power-on until the LDS1
/// application is selected (ICAO 9303-11 §4.4.4): READ BINARY of EF.CardAccess, MSE:Set AT, four
/// GENERAL AUTHENTICATE, SELECT under secure messaging.
fn access(card_access: usize) -> Vec<Exchange> {
    // 7C 43 81 41 and a point.
    let point = 4 + 65;
    vec![
        (5, card_access + 2),
        (5 + 12 + 3, 2),
        (5 + 2 + 1, 4 + 16 + 2),
        (5 + point + 1, point + 2),
        (5 + point + 1, point + 2),
        (5 + 4 + 8 + 1, 4 + 8 + 2),
        (protected(7, false), 16),
    ]
}

/// Chip Authentication with AES-128 (§6.2): MSE:Set AT and GENERAL AUTHENTICATE under secure messaging.
fn chip_authentication() -> Vec<Exchange> {
    vec![(protected(12, false), 16), (protected(4 + 65, true), 16 + 3 + 16)]
}

/// Active Authentication with ECDSA on a curve of 256 bits (§6.1).
fn active_authentication() -> Vec<Exchange> {
    vec![(protected(8, true), read_response_length(AES, 64))]
}

/// Bytes of a protected command with that many of plain data.
fn protected(data: usize, with_le: bool) -> usize {
    let padded = (data / 16 + 1) * 16;
    let head = if padded < 127 { 3 } else { 4 };
    5 + head + padded + if with_le { 3 } else { 0 } + 10 + 1
}

/// A file in as few commands as reader and card allow, its length known beforehand.
fn file(length: usize, extended: Option<usize>) -> Vec<Exchange> {
    let short = BlockSizes::largest(AES, None).short;
    let most = extended.map_or(short, |limit| max_extended_block(AES, limit));
    let mut exchanges = Vec::new();
    let mut left = length;
    while left > 0 {
        let block = left.min(most);
        let command = read_command_length(AES, block > short);
        exchanges.push((command, read_response_length(AES, block)));
        left -= block;
    }
    exchanges
}

/// All of it for what a reading brought.
pub fn minimum(reading: &ChipReading, extended: Option<usize>) -> Vec<Exchange> {
    let mut exchanges = access(reading.access.card_access.as_ref().map_or(0, Vec::len));
    let contents = reading.files.iter().filter_map(|f| f.read.content());
    exchanges.extend(contents.flat_map(|content| file(content.len(), extended)));
    exchanges.extend(chip_authentication());
    exchanges.extend(active_authentication());
    exchanges
}

/// What exchanges take on a link, the card's activation included.
pub fn air_time(link: &AirLink, exchanges: &[Exchange]) -> AirTime {
    let exchanged = exchanges.iter().map(|(command, response)| link.exchange(*command, *response));
    link.activation(HISTORICAL_BYTES) + exchanged.sum()
}
