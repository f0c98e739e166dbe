//! What stands in non-volatile memory, and under which record numbers.

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv;
use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, StatusWord, Write};
use zeroize::Zeroizing;

const LIFE_CYCLE: u32 = 1;
/// SHA-1 of the MRZ information, 20 bytes.
pub const MRZ_KEY: u32 = 2;
/// CAN, ASCII digits.
pub const CAN: u32 = 3;
/// Protocols: TLV as personalised.
pub const PROTOCOLS: u32 = 4;
/// Active Authentication key: kind, then TLV as personalised.
pub const ACTIVE_AUTHENTICATION: u32 = 5;
/// PIN: TLV as personalised.
pub const PIN: u32 = 6;
/// PUK: TLV as personalised.
pub const PUK: u32 = 7;
/// Tries left for the PIN, one byte.
pub const PIN_TRIES: u32 = 8;
/// Tries left for the PUK, one byte.
pub const PUK_TRIES: u32 = 9;
/// Chip Authentication keys: TLV as personalised, one record each.
pub const CHIP_AUTHENTICATION: u32 = 0x0000_0100;
/// Most Chip Authentication keys.
pub const MAX_CHIP_AUTHENTICATION: u32 = 8;
/// Trust points for Terminal Authentication, the newest first: see `trust_points`.
pub const TRUST_POINTS: u32 = 0x0000_0200;
/// The date as far as the card knows it: six digits.
pub const CARD_DATE: u32 = 0x0000_0201;
/// Document number and check digit, ASCII.
pub const CHIP_IDENTIFIER: u32 = 0x0000_0202;
const FILE_HEADER: u32 = 0x1000_0000;
const FILE_CONTENT: u32 = 0x2000_0000;

/// Flags of the protocols that are switched on.
pub mod protocol {
    /// Basic Access Control.
    pub const BAC: u8 = 0x01;
    /// PACE.
    pub const PACE: u8 = 0x02;
    /// Chip Authentication.
    pub const CHIP_AUTHENTICATION: u8 = 0x04;
    /// Active Authentication.
    pub const ACTIVE_AUTHENTICATION: u8 = 0x08;
    /// Terminal Authentication.
    pub const TERMINAL_AUTHENTICATION: u8 = 0x10;
    /// All of them.
    pub const ALL: u8 = 0x1F;
}

/// Life cycle of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeCycle {
    /// Nothing can be read; personalisation is going on.
    Blank,
    /// Readable under the access rules; personalisation still possible.
    Personalised,
    /// Readable under the access rules; nothing can be written any more.
    Locked,
}

/// Directory that a file stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Location {
    /// Master file.
    #[default]
    MasterFile,
    /// LDS1 application.
    Lds1,
}

/// When a file may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Always.
    Always,
    /// After BAC or PACE.
    AfterAccessControl,
    /// With the right to read DG3, from Terminal Authentication.
    Dg3Right,
    /// With the right to read DG4, from Terminal Authentication.
    Dg4Right,
}

/// A file's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    /// Where it stands.
    pub location: Location,
    /// File identifier.
    pub identifier: u16,
    /// Short file identifier, 0 for none.
    pub short_identifier: u8,
    /// When it may be read.
    pub access: Access,
    /// Bytes.
    pub size: usize,
}

/// Life cycle as stored.
#[must_use]
pub fn life_cycle(memory: &dyn NonVolatileMemory) -> LifeCycle {
    match memory.read(LIFE_CYCLE) {
        Some([1]) => LifeCycle::Personalised,
        Some([2]) => LifeCycle::Locked,
        _ => LifeCycle::Blank,
    }
}

/// Moves the life cycle.
pub fn set_life_cycle(
    memory: &mut dyn NonVolatileMemory,
    life_cycle: LifeCycle,
) -> Result<(), StatusWord> {
    let value: u8 = match life_cycle {
        LifeCycle::Blank => 0,
        LifeCycle::Personalised => 1,
        LifeCycle::Locked => 2,
    };
    put(memory, LIFE_CYCLE, &[value])
}

/// Sets a record.
pub fn put(memory: &mut dyn NonVolatileMemory, key: u32, value: &[u8]) -> Result<(), StatusWord> {
    memory.apply(&[Write::Put { key, value }]).map_err(status)
}

/// Status word for a memory fault.
pub const fn status(error: MemoryError) -> StatusWord {
    match error {
        MemoryError::Full => StatusWord::NO_MEMORY,
        MemoryError::OutOfRange => StatusWord::WRONG_DATA,
        MemoryError::Failed => StatusWord::MEMORY_FAILURE,
    }
}

/// A secret record, copied into memory that is wiped.
pub fn secret(memory: &dyn NonVolatileMemory, key: u32) -> Option<Zeroizing<Vec<u8>>> {
    memory.read(key).map(|value| Zeroizing::new(value.to_vec()))
}

/// Whether a protocol is switched on.
pub fn has_protocol(memory: &dyn NonVolatileMemory, flag: u8) -> bool {
    let flags = memory.read(PROTOCOLS).and_then(|p| tlv::find(p, 0x80));
    matches!(flags, Some([flags]) if flags & flag != 0)
}

impl Location {
    /// From the byte of the personalisation commands.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::MasterFile),
            1 => Some(Self::Lds1),
            _ => None,
        }
    }

    const fn base(self) -> u32 {
        match self {
            Self::MasterFile => 0,
            Self::Lds1 => 0x1_0000,
        }
    }
}

impl Access {
    /// From the byte of the personalisation commands.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Always),
            1 => Some(Self::AfterAccessControl),
            2 => Some(Self::Dg3Right),
            3 => Some(Self::Dg4Right),
            _ => None,
        }
    }
}

/// Record of a file's content.
pub fn content_key(location: Location, identifier: u16) -> u32 {
    FILE_CONTENT | location.base() | u32::from(identifier)
}

fn header_key(location: Location, identifier: u16) -> u32 {
    FILE_HEADER | location.base() | u32::from(identifier)
}

impl FileHeader {
    /// Creates the file with zeros for content, or clears the one there is.
    pub fn create(&self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        let size = (self.size as u32).to_be_bytes();
        let header = [self.short_identifier, self.access as u8, size[1], size[2], size[3]];
        let content = alloc::vec![0; self.size];
        let writes = [
            Write::Put { key: header_key(self.location, self.identifier), value: &header },
            Write::Put { key: content_key(self.location, self.identifier), value: &content },
        ];
        memory.apply(&writes).map_err(status)
    }

    /// A file by its identifier.
    pub fn find(
        memory: &dyn NonVolatileMemory,
        location: Location,
        identifier: u16,
    ) -> Option<Self> {
        let [short_identifier, access, s1, s2, s3] =
            *memory.read(header_key(location, identifier))?
        else {
            return None;
        };
        Some(Self {
            location,
            identifier,
            short_identifier,
            access: Access::from_byte(access)?,
            size: u32::from_be_bytes([0, s1, s2, s3]) as usize,
        })
    }

    /// A file by its short identifier.
    pub fn find_short(
        memory: &dyn NonVolatileMemory,
        location: Location,
        short_identifier: u8,
    ) -> Option<Self> {
        let first = header_key(location, 0);
        let keys = memory.keys();
        let mut files = keys
            .into_iter()
            .filter(|key| (first..=first | 0xFFFF).contains(key))
            .filter_map(|key| Self::find(memory, location, (key & 0xFFFF) as u16));
        files.find(|file| file.short_identifier == short_identifier)
    }
}

/// The files there are, by directory and identifier: for looking at a card, not for commands.
#[must_use]
pub fn files(memory: &dyn NonVolatileMemory) -> Vec<FileHeader> {
    let headers = memory.keys().into_iter().filter(|key| key & 0xF000_0000 == FILE_HEADER);
    let file = |key: u32| {
        let location = if key & 0x1_0000 == 0 { Location::MasterFile } else { Location::Lds1 };
        FileHeader::find(memory, location, (key & 0xFFFF) as u16)
    };
    headers.filter_map(file).collect()
}
