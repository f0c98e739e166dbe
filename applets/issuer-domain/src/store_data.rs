//! STORE DATA with data grouping identifiers (GlobalPlatform Card Specification 2.3.1 §11.11), and
//! passing them on to the application in personalisation.

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, ManagedCard, StatusWord};
use cancuoc_primitives::cipher;

use crate::Session;
use crate::secure_channel::SecureChannel;

const LAST_BLOCK: u8 = 0x80;
const ENCRYPTION: u8 = 0x60;
const ENCRYPTED: u8 = 0x60;
const FORMAT: u8 = 0x18;
const DGI_FORMAT: u8 = 0x08;

/// One STORE DATA command: whole data groupings for the application that INSTALL named.
pub fn store_data(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
    channel: &SecureChannel,
) -> Result<Vec<u8>, StatusWord> {
    let (aid, block) = session.personalizing.take().ok_or(StatusWord::CONDITIONS)?;
    if command.p1 & FORMAT != DGI_FORMAT {
        return Err(StatusWord::WRONG_P1P2);
    }
    let encrypted = match command.p1 & ENCRYPTION {
        0 => false,
        ENCRYPTED => true,
        _ => return Err(StatusWord::WRONG_P1P2),
    };
    if command.p2 != block {
        return Err(StatusWord::WRONG_P1P2);
    }
    for (identifier, value) in groupings(command.data)? {
        pass_on(card, &aid, identifier, value, encrypted.then_some(channel))?;
    }
    if command.p1 & LAST_BLOCK == 0 {
        session.personalizing = Some((aid, block.wrapping_add(1)));
    }
    Ok(Vec::new())
}

fn pass_on(
    card: &mut dyn ManagedCard,
    aid: &[u8],
    identifier: u16,
    value: &[u8],
    decrypting: Option<&SecureChannel>,
) -> Result<(), StatusWord> {
    match decrypting {
        Some(channel) => {
            let padded = channel.decrypt_data(value)?;
            let plain = cipher::unpad(&padded).ok_or(StatusWord::WRONG_DATA)?;
            card.personalize(aid, identifier, plain)
        }
        // Passwords and private keys never come without encryption of their own.
        None if matches!(identifier >> 8, 0x02 | 0x03) => Err(StatusWord::CONDITIONS),
        None => card.personalize(aid, identifier, value),
    }
}

/// The data groupings of a command: identifier, length of one byte or `FF` and two, value.
fn groupings(mut data: &[u8]) -> Result<Vec<(u16, &[u8])>, StatusWord> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let (identifier, length, rest) = match data {
            [i1, i2, 0xFF, high, low, rest @ ..] => {
                (u16::from_be_bytes([*i1, *i2]), u16::from_be_bytes([*high, *low]), rest)
            }
            [_, _, 0xFF, ..] => return Err(StatusWord::WRONG_DATA),
            [i1, i2, length, rest @ ..] => {
                (u16::from_be_bytes([*i1, *i2]), u16::from(*length), rest)
            }
            _ => return Err(StatusWord::WRONG_DATA),
        };
        let (value, rest) =
            rest.split_at_checked(usize::from(length)).ok_or(StatusWord::WRONG_DATA)?;
        out.push((identifier, value));
        data = rest;
    }
    Ok(out)
}
