//! Selecting and reading files (ISO/IEC 7816-4 §11.2, §11.3; ICAO 9303-10 §3.6).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv;
use cancuoc_card_runtime::{Command, NonVolatileMemory, Response, StatusWord};

use crate::Session;
use crate::store::{self, Access, FileHeader, Location};

const MASTER_FILE: [u8; 2] = [0x3F, 0x00];

/// Where the session stands in the file system.
#[derive(Default)]
pub struct Directory {
    /// Current directory.
    pub location: Location,
    /// Identifier of the current file.
    pub current: Option<u16>,
}

/// File control information with an application's identifier.
pub fn control_information(aid: &[u8]) -> Vec<u8> {
    tlv::object(0x6F, &tlv::object(0x84, aid))
}

/// SELECT of the master file or of a file by its identifier.
pub fn select(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if !matches!(command.p2, 0x00 | 0x04 | 0x0C) {
        return Err(StatusWord::WRONG_P1P2);
    }
    let master_file = match (command.p1, command.data) {
        (0x00, data) => data.is_empty() || data == MASTER_FILE,
        (0x02, _) => false,
        _ => return Err(StatusWord::WRONG_P1P2),
    };
    if master_file {
        session.directory = Directory::default();
        return Ok(Vec::new());
    }
    let identifier = <[u8; 2]>::try_from(command.data).map(u16::from_be_bytes).map_err(|_| {
        if command.data.is_empty() { StatusWord::WRONG_LENGTH } else { StatusWord::WRONG_DATA }
    })?;
    let file = FileHeader::find(memory, session.directory.location, identifier)
        .ok_or(StatusWord::NOT_FOUND)?;
    check_access(session, &file)?;
    session.directory.current = Some(identifier);
    if command.p2 == 0x0C || command.ne.is_none() {
        return Ok(Vec::new());
    }
    let size = (file.size as u32).to_be_bytes();
    let size = if size[1] == 0 { &size[2..] } else { &size[1..] };
    let information =
        [tlv::object(0x80, size), tlv::object(0x83, &identifier.to_be_bytes())].concat();
    Ok(tlv::object(0x62, &information))
}

fn check_access(session: &Session, file: &FileHeader) -> Result<(), StatusWord> {
    let allowed = match file.access {
        Access::Always => true,
        Access::AfterAccessControl => session.is_open(),
        // Rights come from Terminal Authentication alone, and end with its secure messaging.
        Access::Dg3Right => session.is_open() && session.terminal_authentication.rights().dg3(),
        Access::Dg4Right => session.is_open() && session.terminal_authentication.rights().dg4(),
    };
    if allowed { Ok(()) } else { Err(StatusWord::SECURITY_STATUS) }
}

/// READ BINARY with even instruction: short identifier and one-byte offset, or the current file and
/// an offset of 15 bits.
pub fn read_binary(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
    room: usize,
) -> Response {
    if !command.data.is_empty() {
        return StatusWord::WRONG_LENGTH.into();
    }
    let Some(ne) = command.ne else { return StatusWord::WRONG_LENGTH.into() };
    let (file, offset) = match command.p1 {
        // No identifier: the current file, as where bit 8 is 0.
        0x80 => (current(session, memory), usize::from(command.p2)),
        0x81..=0x9F => {
            let file = by_short_identifier(session, memory, command.p1 & 0x1F);
            (file, usize::from(command.p2))
        }
        0xA0.. => return StatusWord::WRONG_P1P2.into(),
        _ => {
            let offset = u16::from_be_bytes([command.p1, command.p2]);
            (current(session, memory), usize::from(offset))
        }
    };
    let most = ne.min(room);
    respond(session, file, |file| read(memory, file, offset, most, wants_all(command)))
}

/// READ BINARY with odd instruction: the offset as a data object, for files over 32 767 bytes.
pub fn read_binary_odd(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
    room: usize,
) -> Response {
    let Some(ne) = command.ne else { return StatusWord::WRONG_LENGTH.into() };
    let file = match (command.p1, command.p2) {
        (0, 0) => current(session, memory),
        (0, short @ 1..=30) => by_short_identifier(session, memory, short),
        (high, low) => {
            let identifier = u16::from_be_bytes([high, low]);
            FileHeader::find(memory, session.directory.location, identifier)
                .ok_or(StatusWord::NOT_FOUND)
        }
    };
    let most = within_object(ne.min(room));
    respond(session, file, |file| {
        let offset = offset(command.data).ok_or(StatusWord::WRONG_DATA)?;
        let mut response = read(memory, file, offset, most, wants_all(command))?;
        response.data = tlv::object(0x53, &response.data);
        Ok(response)
    })
}

/// The value of the offset data object, which stands alone.
fn offset(data: &[u8]) -> Option<usize> {
    let mut objects = tlv::Objects::new(data);
    let bytes = objects.take_if(0x54).ok()??.value;
    let whole = objects.is_empty() && (1..=4).contains(&bytes.len());
    whole.then(|| bytes.iter().fold(0, |offset, byte| offset << 8 | usize::from(*byte)))
}

/// Le of zeros only: everything to the end of the file, as far as it fits.
const fn wants_all(command: &Command<'_>) -> bool {
    matches!((command.ne, command.extended), (Some(256), false) | (Some(65_536), _))
}

/// Reads a file to which the session has access; it is the current one once that is done.
fn respond(
    session: &mut Session,
    file: Result<FileHeader, StatusWord>,
    read: impl FnOnce(&FileHeader) -> Result<Response, StatusWord>,
) -> Response {
    let done = file.and_then(|file| {
        check_access(session, &file)?;
        Ok((file.identifier, read(&file)?))
    });
    match done {
        Ok((identifier, response)) => {
            session.directory.current = Some(identifier);
            response
        }
        Err(status) => status.into(),
    }
}

/// Bytes of data in a data object of at most `size` bytes: Le counts tag and length of DO'53' too
/// (ISO/IEC 7816-4 §11.3.3), which take two to four bytes.
const fn within_object(size: usize) -> usize {
    match size {
        0..=129 => size.saturating_sub(2),
        130..=258 => size - 3,
        _ => size - 4,
    }
}

fn current(session: &Session, memory: &dyn NonVolatileMemory) -> Result<FileHeader, StatusWord> {
    let identifier = session.directory.current.ok_or(StatusWord::NO_CURRENT_FILE)?;
    FileHeader::find(memory, session.directory.location, identifier)
        .ok_or(StatusWord::NO_CURRENT_FILE)
}

fn by_short_identifier(
    session: &Session,
    memory: &dyn NonVolatileMemory,
    short: u8,
) -> Result<FileHeader, StatusWord> {
    if !(1..=30).contains(&short) {
        return Err(StatusWord::WRONG_P1P2);
    }
    FileHeader::find_short(memory, session.directory.location, short).ok_or(StatusWord::NOT_FOUND)
}

/// Bytes from an offset on; with a definite Le that passes the end, 6282 beside what there is.
fn read(
    memory: &dyn NonVolatileMemory,
    file: &FileHeader,
    offset: usize,
    most: usize,
    all: bool,
) -> Result<Response, StatusWord> {
    // Nothing at all fits: an answer of no bytes would leave a reader where it is.
    if most == 0 {
        return Err(StatusWord::WRONG_LENGTH);
    }
    let content = memory.read(store::content_key(file.location, file.identifier));
    let rest = content.and_then(|content| content.get(offset..)).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or(StatusWord::WRONG_OFFSET)?;
    let data = Vec::from(rest.get(..most).unwrap_or(rest));
    let short = most > rest.len() && !all;
    let status = if short { StatusWord::END_OF_FILE } else { StatusWord::OK };
    Ok(Response { data, status })
}

#[cfg(test)]
mod tests;
