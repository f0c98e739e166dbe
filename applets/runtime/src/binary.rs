//! READ BINARY as an application answers it (ISO/IEC 7816-4 §11.3), wherever its files stand.

use alloc::vec::Vec;

use crate::tlv::{self, Objects};
use crate::{Command, Response, StatusWord};

/// The file that a command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// The current file.
    Current,
    /// The file with the short identifier, 1 to 30.
    Short(u8),
    /// The file with the identifier.
    Identifier(u16),
}

/// A READ BINARY command: which file, from where on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBinary {
    /// Which file.
    pub file: Addressed,
    offset: Offset,
}

/// Where a command begins to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offset {
    /// From P1 and P2.
    Header(usize),
    /// In a data object, which is looked at after the access rule; `None` when it is malformed.
    Object(Option<usize>),
}

impl ReadBinary {
    /// Reads a command with instruction B0 or B1.
    ///
    /// # Errors
    /// 6700 for data or lengths that do not belong, 6A86 for P1 that names no file, 6D00 for another
    /// instruction.
    pub fn parse(command: &Command<'_>) -> Result<Self, StatusWord> {
        if command.ne.is_none() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        match command.ins {
            0xB0 if !command.data.is_empty() => Err(StatusWord::WRONG_LENGTH),
            0xB0 => Self::even(command.p1, command.p2),
            0xB1 => Self::odd(command),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }

    /// Short identifier and one-byte offset, or the current file and an offset of 15 bits.
    fn even(p1: u8, p2: u8) -> Result<Self, StatusWord> {
        let (file, offset) = match p1 {
            // No identifier: the current file, as where bit 8 is 0.
            0x80 => (Addressed::Current, u16::from(p2)),
            0x81..=0x9F => (short(p1 & 0x1F)?, u16::from(p2)),
            0xA0.. => return Err(StatusWord::WRONG_P1P2),
            _ => (Addressed::Current, u16::from_be_bytes([p1, p2])),
        };
        Ok(Self { file, offset: Offset::Header(offset.into()) })
    }

    /// The offset as a data object, for files over 32 767 bytes.
    fn odd(command: &Command<'_>) -> Result<Self, StatusWord> {
        let file = match (command.p1, command.p2) {
            (0, 0) => Addressed::Current,
            (0, identifier @ 1..=30) => Addressed::Short(identifier),
            (high, low) => Addressed::Identifier(u16::from_be_bytes([high, low])),
        };
        Ok(Self { file, offset: Offset::Object(offset(command.data)) })
    }

    /// The response: bytes of the file's content, at most `room` and what Le says. With a definite Le
    /// that passes the end it is 6282 beside what there is.
    ///
    /// # Errors
    /// 6B00 for an offset outside of the file, 6A80 for a malformed offset object, 6700 when nothing
    /// would fit.
    pub fn answer(
        &self,
        command: &Command<'_>,
        content: Option<&[u8]>,
        room: usize,
    ) -> Result<Response, StatusWord> {
        let most = command.ne.unwrap_or(0).min(room);
        match self.offset {
            Offset::Header(offset) => read(content, offset, most, wants_all(command)),
            Offset::Object(offset) => {
                let offset = offset.ok_or(StatusWord::WRONG_DATA)?;
                let mut response = read(content, offset, within_object(most), wants_all(command))?;
                response.data = tlv::object(0x53, &response.data);
                Ok(response)
            }
        }
    }
}

fn short(identifier: u8) -> Result<Addressed, StatusWord> {
    if !(1..=30).contains(&identifier) {
        return Err(StatusWord::WRONG_P1P2);
    }
    Ok(Addressed::Short(identifier))
}

/// The value of the offset data object, which stands alone.
fn offset(data: &[u8]) -> Option<usize> {
    let mut objects = Objects::new(data);
    let bytes = objects.take_if(0x54).ok()??.value;
    let whole = objects.is_empty() && (1..=4).contains(&bytes.len());
    whole.then(|| bytes.iter().fold(0, |offset, byte| offset << 8 | usize::from(*byte)))
}

/// Le of zeros only: everything to the end of the file, as far as it fits.
const fn wants_all(command: &Command<'_>) -> bool {
    matches!((command.ne, command.extended), (Some(256), false) | (Some(65_536), _))
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

/// Bytes from an offset on; with a definite Le that passes the end, 6282 beside what there is.
fn read(
    content: Option<&[u8]>,
    offset: usize,
    most: usize,
    all: bool,
) -> Result<Response, StatusWord> {
    // Nothing at all fits: an answer of no bytes would leave a reader where it is.
    if most == 0 {
        return Err(StatusWord::WRONG_LENGTH);
    }
    let rest = content.and_then(|content| content.get(offset..)).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or(StatusWord::WRONG_OFFSET)?;
    let data = Vec::from(rest.get(..most).unwrap_or(rest));
    let short = most > rest.len() && !all;
    let status = if short { StatusWord::END_OF_FILE } else { StatusWord::OK };
    Ok(Response { data, status })
}
