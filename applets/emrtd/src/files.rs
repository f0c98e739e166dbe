//! Selecting and reading files (ISO/IEC 7816-4 §11.2, §11.3; ICAO 9303-10 §3.6).

use alloc::vec::Vec;

use cancuoc_card_runtime::binary::{Addressed, ReadBinary};
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

/// READ BINARY with even or odd instruction.
pub fn read_binary(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
    room: usize,
) -> Response {
    let read = match ReadBinary::parse(command) {
        Ok(read) => read,
        Err(status) => return status.into(),
    };
    let location = session.directory.location;
    let file = match read.file {
        Addressed::Current => current(session, memory),
        Addressed::Short(short) => {
            FileHeader::find_short(memory, location, short).ok_or(StatusWord::NOT_FOUND)
        }
        Addressed::Identifier(identifier) => {
            FileHeader::find(memory, location, identifier).ok_or(StatusWord::NOT_FOUND)
        }
    };
    respond(session, file, |file| {
        let content = memory.read(store::content_key(file.location, file.identifier));
        read.answer(command, content, room)
    })
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

fn current(session: &Session, memory: &dyn NonVolatileMemory) -> Result<FileHeader, StatusWord> {
    let identifier = session.directory.current.ok_or(StatusWord::NO_CURRENT_FILE)?;
    FileHeader::find(memory, session.directory.location, identifier)
        .ok_or(StatusWord::NO_CURRENT_FILE)
}

#[cfg(test)]
mod tests;
