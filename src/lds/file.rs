//! File identifiers, short file identifiers and data group numbers (ICAO 9303-10 §4.2).

use core::fmt;

use crate::apdu::tlv::Tag;

/// A file identifier of two bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u16);

/// A short file identifier, 1 to 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShortFileId(u8);

/// The number of a data group, 1 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DgNumber(u8);

impl FileId {
    /// EF.CardAccess, in the master file.
    pub const CARD_ACCESS: Self = Self(0x011C);
    /// EF.CVCA of the LDS1 application, which has the same identifier (ICAO 9303-10 §4.7).
    pub const CVCA: Self = Self(0x011C);
    /// EF.ATR/INFO, in the master file.
    pub const ATR_INFO: Self = Self(0x2F01);
    /// EF.DIR, in the master file.
    pub const DIR: Self = Self(0x2F00);
    /// EF.COM.
    pub const COM: Self = Self(0x011E);
    /// EF.SOD. EF.CardSecurity of the master file has the same identifier.
    pub const SOD: Self = Self(0x011D);
    /// EF.CardSecurity, in the master file.
    pub const CARD_SECURITY: Self = Self::SOD;

    /// Short identifier of a file of the LDS1 application or of the master file.
    #[must_use]
    pub const fn short(self) -> Option<ShortFileId> {
        match self.0 {
            0x2F01 => Some(ShortFileId(0x01)),
            0x2F00 => Some(ShortFileId(0x1E)),
            0x0101..=0x011E => Some(ShortFileId((self.0 & 0x1F) as u8)),
            _ => None,
        }
    }

    /// The data group that it holds in the LDS1 application.
    #[must_use]
    pub const fn data_group(self) -> Option<DgNumber> {
        match self.0 {
            0x0101..=0x0110 => Some(DgNumber((self.0 & 0x1F) as u8)),
            _ => None,
        }
    }

    /// Name of the file: `EF.COM`, `EF.SOD`, `EF.DG1`.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::COM => "EF.COM".to_owned(),
            Self::SOD => "EF.SOD".to_owned(),
            Self::CARD_ACCESS => "EF.CardAccess".to_owned(),
            Self::ATR_INFO => "EF.ATR/INFO".to_owned(),
            Self::DIR => "EF.DIR".to_owned(),
            other => match other.data_group() {
                Some(number) => format!("EF.{number}"),
                None => format!("EF {:04X}", other.0),
            },
        }
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileId({:04X})", self.0)
    }
}

impl ShortFileId {
    /// 1 to 30.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match value {
            1..=30 => Some(Self(value)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Tags of the data groups 1 to 16 (ICAO 9303-10 table 34).
const DG_TAGS: [u8; 16] = [
    0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70,
];

impl DgNumber {
    /// 1 to 16.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        match value {
            1..=16 => Some(Self(value)),
            _ => None,
        }
    }

    /// All sixteen.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=16).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Tag of the file's template.
    #[must_use]
    pub const fn tag(self) -> Tag {
        Tag(DG_TAGS[(self.0 - 1) as usize] as u32)
    }

    /// The data group whose template has the tag.
    #[must_use]
    pub fn from_tag(tag: Tag) -> Option<Self> {
        Self::all().find(|dg| dg.tag() == tag)
    }

    /// File identifier.
    #[must_use]
    pub const fn file(self) -> FileId {
        FileId(0x0100 | self.0 as u16)
    }
}

impl fmt::Display for DgNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DG{}", self.0)
    }
}
