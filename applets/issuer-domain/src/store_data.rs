//! STORE DATA with data grouping identifiers (GlobalPlatform Card Specification 2.3.1 §11.11), and
//! passing them on to the application in personalisation.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::Objects;
use cancuoc_card_runtime::{Command, ManagedCard, StatusWord};
use cancuoc_primitives::cipher;

use crate::channel::SecureChannel;
use crate::store::{self, LifeCycle};
use crate::{Session, current_life_cycle, run};

const LAST_BLOCK: u8 = 0x80;
const ENCRYPTION: u8 = 0x60;
const ENCRYPTED: u8 = 0x60;
const FORMAT: u8 = 0x18;
const DGI_FORMAT: u8 = 0x08;
const TLV_FORMAT: u8 = 0x10;
/// Issuer identification number and card image number, of the domain itself.
const ISSUER_NUMBER: u16 = 0x0042;
const CARD_NUMBER: u16 = 0x0045;

/// A sequence of STORE DATA commands.
#[derive(Default)]
pub struct Sequence {
    /// The application that it is for; nothing for the domain itself.
    application: Option<Vec<u8>>,
    /// Number of the next block.
    block: u8,
}

impl Sequence {
    /// The sequence for the application that INSTALL named.
    pub fn of_application(aid: &[u8]) -> Self {
        Self { application: Some(aid.to_vec()), block: 0 }
    }
}

/// One STORE DATA command: whole data groupings for the application that INSTALL named, or for the
/// domain itself.
pub fn store_data(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
    channel: &SecureChannel,
) -> Result<Vec<u8>, StatusWord> {
    let begun = session.personalizing.take();
    if begun.is_none() && command.p2 != 0 {
        return Err(StatusWord::CONDITIONS);
    }
    let mut sequence = begun.unwrap_or_default();
    let encrypted = match command.p1 & ENCRYPTION {
        0 => false,
        ENCRYPTED => true,
        _ => return Err(StatusWord::WRONG_P1P2),
    };
    if command.p2 != sequence.block {
        return Err(StatusWord::WRONG_P1P2);
    }
    let decrypting = encrypted.then_some(channel);
    match (&sequence.application, command.p1 & FORMAT) {
        (Some(aid), DGI_FORMAT) => {
            for (identifier, value) in groupings(command.data)? {
                pass_on(card, aid, identifier, value, decrypting)?;
            }
        }
        (None, DGI_FORMAT) if !encrypted => own(card, &groupings(command.data)?)?,
        (None, TLV_FORMAT) if !encrypted => own(card, &objects(command.data)?)?,
        _ => return Err(StatusWord::WRONG_P1P2),
    }
    if command.p1 & LAST_BLOCK == 0 {
        sequence.block = sequence.block.wrapping_add(1);
        session.personalizing = Some(sequence);
    }
    Ok(Vec::new())
}

/// Data of the domain itself: the card's numbers, which do not change once it is issued.
fn own(card: &mut dyn ManagedCard, data: &[(u16, &[u8])]) -> Result<(), StatusWord> {
    if current_life_cycle(card) >= LifeCycle::Secured {
        return Err(StatusWord::CONDITIONS);
    }
    let (mut issuer, mut number) = (None, None);
    for (identifier, value) in data {
        let place = match *identifier {
            ISSUER_NUMBER => &mut issuer,
            CARD_NUMBER => &mut number,
            // Of an application, which INSTALL has not named.
            _ => return Err(StatusWord::CONDITIONS),
        };
        if !(1..=16).contains(&value.len()) {
            return Err(StatusWord::WRONG_DATA);
        }
        *place = Some(*value);
    }
    run(card, &mut |environment| {
        store::set_numbers(environment.memory, issuer, number)?;
        Ok(Vec::new())
    })
    .map(drop)
}

/// The data objects of a command.
fn objects(data: &[u8]) -> Result<Vec<(u16, &[u8])>, StatusWord> {
    let mut objects = Objects::new(data);
    let mut out = Vec::new();
    while !objects.is_empty() {
        let object = objects.take().map_err(|_| StatusWord::WRONG_DATA)?;
        out.push((object.tag, object.value));
    }
    Ok(out)
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
