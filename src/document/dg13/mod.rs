//! EF.DG13, the national data group of the Vietnamese identity card.
//!
//! ```text
//! 6D L                       [APPLICATION 13], constructed
//!   30 L                     SEQUENCE
//!     02 01 01               INTEGER, version
//!     06 06 …                OBJECT IDENTIFIER
//!     31 L                   SET, fields in ascending number order (not the DER SET OF order)
//!       30 L 02 01 nn [value …]
//! ```
//!
//! The bytes read are kept: a strict SET OF encoder would reorder the fields and break the hash in
//! the EF.SOD. What the numbers mean is data of the card profile ([`Dg13Layout`]). A field that is
//! absent, one that has only its INTEGER, and one with an empty string are three states, kept
//! apart ([`FieldState`]).

mod build;
mod decode;
mod findings;
mod json;
mod layout;
mod view;

use core::fmt;

use const_oid::ObjectIdentifier;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

pub use build::{Dg13Builder, FieldInput};
pub use findings::{Dg13Fault, Dg13Finding};
pub use layout::{Dg13Layout, FieldKind, FieldLayout, StringType};
pub use view::{Dg13View, FieldState, ParentShape, Parents, same_text};

use crate::apdu::tlv::{Tag, TlvError, encode};
use crate::error::ErrorCode;

/// [APPLICATION 13].
pub const TAG_DG13: Tag = Tag(0x6D);
const TAG_INTEGER: Tag = Tag(0x02);
const TAG_OID: Tag = Tag(0x06);
const TAG_SEQUENCE: Tag = Tag(0x30);
const TAG_SET: Tag = Tag(0x31);
const TAG_UTF8: Tag = Tag(0x0C);
const TAG_PRINTABLE: Tag = Tag(0x13);

/// The largest DG13 read, in bytes; those seen have a few hundred.
pub const MAX_LENGTH: usize = 1 << 20;

/// Why bytes are no DG13 at all. Lesser things are [findings](Dg13::findings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Dg13Error {
    /// The outer structure is malformed.
    #[error("DG13: {0}")]
    Tlv(#[from] TlvError),
    /// Larger than [`MAX_LENGTH`].
    #[error("DG13 of {length} bytes is larger than any")]
    TooLong {
        /// Bytes.
        length: usize,
    },
    /// The version is no INTEGER of one to four bytes, or negative.
    #[error("DG13: version malformed at byte {offset}")]
    Version {
        /// Offset in the file.
        offset: usize,
    },
    /// The object identifier is malformed.
    #[error("DG13: object identifier malformed at byte {offset}")]
    Oid {
        /// Offset in the file.
        offset: usize,
    },
}

impl ErrorCode for Dg13Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Tlv(_) => "dg13_malformed",
            Self::TooLong { .. } => "dg13_too_long",
            Self::Version { .. } => "dg13_version",
            Self::Oid { .. } => "dg13_oid",
        }
    }
}

/// What stands in a field after its number, as found.
#[derive(Clone, PartialEq, Eq)]
pub enum Element {
    /// A UTF8String or PrintableString, its bytes as found.
    Text {
        /// Which string type.
        string: StringType,
        /// The bytes; they may not be valid text.
        bytes: Vec<u8>,
    },
    /// A SEQUENCE; an empty one holds its place.
    Sequence(Vec<Element>),
    /// Anything else, tag and value kept.
    Other {
        /// Tag.
        tag: Tag,
        /// Value.
        value: Vec<u8>,
    },
}

impl Element {
    /// The text if this is a string and valid UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text { bytes, .. } => core::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Text { string, bytes } => encode(string.tag(), bytes),
            Self::Sequence(elements) => encode(TAG_SEQUENCE, &encode_all(elements)),
            Self::Other { tag, value } => encode(*tag, value),
        }
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        match self {
            Self::Text { bytes, .. } | Self::Other { value: bytes, .. } => bytes.zeroize(),
            Self::Sequence(_) => {}
        }
    }
}

/// Personal data: only the shape is shown.
impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { bytes, .. } => write!(f, "Text({} bytes)", bytes.len()),
            Self::Sequence(elements) => f.debug_tuple("Sequence").field(elements).finish(),
            Self::Other { tag, value } => write!(f, "Other({tag}, {} bytes)", value.len()),
        }
    }
}

fn encode_all(elements: &[Element]) -> Vec<u8> {
    elements.iter().flat_map(Element::encode).collect()
}

/// One member of the SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dg13Field {
    /// The field number; `None` for a member that is no SEQUENCE opened by a small INTEGER.
    pub number: Option<u32>,
    /// What stands after the number; for a member without number, the member itself.
    pub elements: Vec<Element>,
    /// Offset of the member in the file.
    pub offset: usize,
}

impl Dg13Field {
    fn encode(&self) -> Vec<u8> {
        let Some(number) = self.number else { return encode_all(&self.elements) };
        let mut content = encode_integer(number);
        content.extend(encode_all(&self.elements));
        encode(TAG_SEQUENCE, &content)
    }
}

/// A decoded DG13 beside the bytes it was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Dg13 {
    raw: Zeroizing<Vec<u8>>,
    version: u32,
    oid: ObjectIdentifier,
    fields: Vec<Dg13Field>,
    /// Bytes after the data group.
    trailing: usize,
}

impl Dg13 {
    /// Decodes the file content, tag `6D` included.
    ///
    /// # Errors
    /// [`Dg13Error`] when the outer structure cannot be read, with the offset.
    pub fn decode(bytes: &[u8]) -> Result<Self, Dg13Error> {
        decode::decode(bytes)
    }

    /// The bytes as read: what the hash in the EF.SOD covers.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The object identifier after the version.
    #[must_use]
    pub const fn oid(&self) -> ObjectIdentifier {
        self.oid
    }

    /// The members of the SET in the order found, unknown and repeated ones included.
    #[must_use]
    pub fn fields(&self) -> &[Dg13Field] {
        &self.fields
    }

    /// The first field with this number.
    #[must_use]
    pub fn field(&self, number: u32) -> Option<&Dg13Field> {
        self.fields.iter().find(|field| field.number == Some(number))
    }

    /// Encodes the decoded values anew, in the order found, with shortest lengths: the same bytes
    /// for every DG13 in canonical form. Never hash this; hash [`Dg13::as_bytes`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode_dg13(self.version, self.oid, &self.fields)
    }

    /// The fields by the names of a card profile.
    #[must_use]
    pub fn view<'a>(&'a self, layout: &'a Dg13Layout) -> Dg13View<'a> {
        Dg13View::new(self, layout)
    }

    /// What is odd about this DG13 in the light of a card profile, none of it fatal.
    #[must_use]
    pub fn findings(&self, layout: &Dg13Layout) -> Vec<Dg13Finding> {
        findings::findings(self, layout)
    }
}

/// Personal data: only the shape is shown.
impl fmt::Debug for Dg13 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dg13({} fields, {} bytes)", self.fields.len(), self.raw.len())
    }
}

fn encode_dg13(version: u32, oid: ObjectIdentifier, fields: &[Dg13Field]) -> Vec<u8> {
    let set: Zeroizing<Vec<u8>> =
        Zeroizing::new(fields.iter().flat_map(Dg13Field::encode).collect());
    let mut content = Zeroizing::new(encode_integer(version));
    content.extend(encode(TAG_OID, oid.as_bytes()));
    content.extend(encode(TAG_SET, &set));
    let sequence = Zeroizing::new(encode(TAG_SEQUENCE, &content));
    encode(TAG_DG13, &sequence)
}

/// A non-negative INTEGER in its shortest form.
fn encode_integer(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take(3).take_while(|b| **b == 0).count();
    let mut content: Vec<u8> = bytes.into_iter().skip(skip).collect();
    if content.first().is_some_and(|b| b & 0x80 != 0) {
        content.insert(0, 0);
    }
    encode(TAG_INTEGER, &content)
}

#[cfg(test)]
mod tests;
