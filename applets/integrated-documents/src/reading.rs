//! Selecting and reading, in a session that another application opened.

use alloc::vec::Vec;

use cancuoc_card_runtime::binary::{Addressed, ReadBinary};
use cancuoc_card_runtime::tlv::{self, object};
use cancuoc_card_runtime::{Command, NonVolatileMemory, Response, StatusWord};

use crate::AID;
use crate::store::{self, Kind, size_bytes};

/// Short identifier of EF.List.
const LIST: u8 = 0x1E;
/// File identifiers are this and the short identifier.
const DIRECTORY: u8 = 0x01;

/// A file that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum File {
    /// EF.List.
    List,
    /// The object of a kind.
    Object(Kind),
}

impl File {
    /// The file with a short identifier, if it is there.
    fn find(memory: &dyn NonVolatileMemory, short: u8) -> Result<Self, StatusWord> {
        if short == LIST {
            return Ok(Self::List);
        }
        let kind = Kind::new(short).filter(|kind| store::content(memory, *kind).is_some());
        kind.map(Self::Object).ok_or(StatusWord::NOT_FOUND)
    }

    fn by_identifier(memory: &dyn NonVolatileMemory, identifier: u16) -> Result<Self, StatusWord> {
        match identifier.to_be_bytes() {
            [DIRECTORY, short] => Self::find(memory, short),
            _ => Err(StatusWord::NOT_FOUND),
        }
    }

    const fn identifier(self) -> [u8; 2] {
        match self {
            Self::List => [DIRECTORY, LIST],
            Self::Object(kind) => [DIRECTORY, kind.number()],
        }
    }

    fn content(self, memory: &dyn NonVolatileMemory) -> Option<Vec<u8>> {
        match self {
            Self::List => Some(list(memory)),
            Self::Object(kind) => store::content(memory, kind).map(Vec::from),
        }
    }
}

/// A command without its protection.
pub fn process(
    current: &mut Option<File>,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
    room: usize,
) -> Response {
    let result = match command.ins {
        0xA4 if command.p1 == 0x04 => {
            *current = None;
            select_application(command).map(Response::ok)
        }
        0xA4 => select_file(current, memory, command).map(Response::ok),
        0xB0 | 0xB1 => read_binary(current, memory, command, room),
        _ => Err(StatusWord::INS_NOT_SUPPORTED),
    };
    result.unwrap_or_else(Response::from)
}

fn select_application(command: &Command<'_>) -> Result<Vec<u8>, StatusWord> {
    match command.p2 {
        0x0C => Ok(Vec::new()),
        0x00 | 0x04 => Ok(object(0x6F, &object(0x84, &AID))),
        _ => Err(StatusWord::WRONG_P1P2),
    }
}

fn select_file(
    current: &mut Option<File>,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if !matches!((command.p1, command.p2), (0x00 | 0x02, 0x00 | 0x04 | 0x0C)) {
        return Err(StatusWord::WRONG_P1P2);
    }
    let identifier: [u8; 2] = command.data.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
    let file = File::by_identifier(memory, u16::from_be_bytes(identifier))?;
    *current = Some(file);
    if command.p2 == 0x0C || command.ne.is_none() {
        return Ok(Vec::new());
    }
    let size = file.content(memory).map_or(0, |content| content.len() as u16);
    let information =
        [object(0x80, &size.to_be_bytes()), object(0x83, &file.identifier())].concat();
    Ok(object(0x62, &information))
}

fn read_binary(
    current: &mut Option<File>,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
    room: usize,
) -> Result<Response, StatusWord> {
    let read = ReadBinary::parse(command)?;
    let file = match read.file {
        Addressed::Current => current.ok_or(StatusWord::NO_CURRENT_FILE)?,
        Addressed::Short(short) => File::find(memory, short)?,
        Addressed::Identifier(identifier) => File::by_identifier(memory, identifier)?,
    };
    let content = file.content(memory).ok_or(StatusWord::NOT_FOUND)?;
    let response = read.answer(command, Some(&content), room)?;
    *current = Some(file);
    Ok(response)
}

/// EF.List: every kind that ever had an object, with its counter.
fn list(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let mut content = object(0x80, &[0]);
    for (kind, stored) in store::objects(memory) {
        let mut entry = object(0x81, &[kind.number()]);
        tlv::put(&mut entry, 0x82, &stored.counter.to_be_bytes());
        if let Some(stored) = stored.content {
            tlv::put(&mut entry, 0x83, &size_bytes(stored.size));
            tlv::put(&mut entry, 0x84, &stored.digest);
        }
        tlv::put(&mut content, 0xE1, &entry);
    }
    object(0xE0, &content)
}
