//! BER-TLV data objects, read under limits (ISO/IEC 7816-4 §5.2.2, ISO/IEC 8825-1).
//!
//! Everything here borrows from the bytes read: what is hashed or signed stays the bytes that came.

use core::fmt;

use thiserror::Error;

use crate::error::ErrorCode;

/// The deepest nesting that any parser of this crate follows.
pub const MAX_DEPTH: usize = 16;

/// A tag of one to three bytes, as the number that its bytes make: `0x7F2E`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl Tag {
    /// Whether the value is itself a sequence of data objects.
    #[must_use]
    pub fn is_constructed(self) -> bool {
        let first = self.0.to_be_bytes().into_iter().find(|b| *b != 0).unwrap_or(0);
        first & 0x20 != 0
    }

    /// The tag's bytes.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        let skip = bytes.iter().take(3).take_while(|b| **b == 0).count();
        bytes[skip..].to_vec()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.to_bytes() {
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({self})")
    }
}

/// What is wrong with a data object, and at which byte of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{kind} at byte {offset}")]
pub struct TlvError {
    /// What is wrong.
    pub kind: TlvErrorKind,
    /// Byte offset in the outermost input.
    pub offset: usize,
}

/// The faults a data object can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlvErrorKind {
    /// The input ends inside the tag or the length.
    #[error("data object cut off")]
    Truncated,
    /// The tag has more than three bytes.
    #[error("tag longer than three bytes")]
    TagTooLong,
    /// The length is indefinite, or takes more than four bytes.
    #[error("length field not supported")]
    BadLength,
    /// The value would end after the input.
    #[error("value of {length} bytes runs past the end")]
    PastEnd {
        /// Length announced.
        length: usize,
    },
    /// Another tag was required here.
    #[error("tag {found} where {expected} is required")]
    UnexpectedTag {
        /// Tag required.
        expected: Tag,
        /// Tag found.
        found: Tag,
    },
    /// A required data object is absent.
    #[error("data object {expected} missing")]
    Missing {
        /// Tag required.
        expected: Tag,
    },
    /// Bytes stand after the data object that should be the last.
    #[error("{length} bytes after the data object")]
    Trailing {
        /// How many.
        length: usize,
    },
}

impl ErrorCode for TlvError {
    fn code(&self) -> &'static str {
        match self.kind {
            TlvErrorKind::Truncated => "tlv_truncated",
            TlvErrorKind::TagTooLong => "tlv_tag_too_long",
            TlvErrorKind::BadLength => "tlv_bad_length",
            TlvErrorKind::PastEnd { .. } => "tlv_past_end",
            TlvErrorKind::UnexpectedTag { .. } => "tlv_unexpected_tag",
            TlvErrorKind::Missing { .. } => "tlv_missing",
            TlvErrorKind::Trailing { .. } => "tlv_trailing",
        }
    }
}

/// One data object in the bytes it was read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Tag.
    pub tag: Tag,
    /// Value.
    pub value: &'a [u8],
    /// Tag, length and value as read.
    pub raw: &'a [u8],
    /// Offset of the tag in the outermost input.
    pub offset: usize,
}

impl<'a> Tlv<'a> {
    /// The first data object of `input` and nothing after it.
    ///
    /// # Errors
    /// [`TlvError`] when malformed or followed by further bytes.
    pub fn parse_exact(input: &'a [u8]) -> Result<Self, TlvError> {
        let mut reader = Reader::new(input);
        let tlv = reader.read()?;
        reader.finish()?;
        Ok(tlv)
    }

    /// Reads the data objects in the value.
    #[must_use]
    pub fn children(&self) -> Reader<'a> {
        let value_offset = self.offset + (self.raw.len() - self.value.len());
        Reader { input: self.value, position: 0, base: value_offset }
    }

    /// This object if it has the tag.
    ///
    /// # Errors
    /// [`TlvErrorKind::UnexpectedTag`].
    pub fn expect(self, expected: Tag) -> Result<Self, TlvError> {
        if self.tag == expected {
            Ok(self)
        } else {
            let kind = TlvErrorKind::UnexpectedTag { expected, found: self.tag };
            Err(TlvError { kind, offset: self.offset })
        }
    }
}

impl fmt::Debug for Tlv<'_> {
    // Values may be personal: only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv {{ {}, {} bytes at {} }}", self.tag, self.value.len(), self.offset)
    }
}

/// Reads data objects one after another.
#[derive(Clone)]
pub struct Reader<'a> {
    input: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, position: 0, base: 0 }
    }

    /// Whether all input is read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.position >= self.input.len()
    }

    /// Offset of the next byte in the outermost input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.base + self.position
    }

    /// The next data object.
    ///
    /// # Errors
    /// [`TlvError`] when there is none or it is malformed.
    pub fn read(&mut self) -> Result<Tlv<'a>, TlvError> {
        let rest = self.input.get(self.position..).unwrap_or_default();
        let offset = self.offset();
        let header = read_header(rest).map_err(|kind| TlvError { kind, offset })?;
        let end = header.header_length.checked_add(header.value_length);
        let raw = end.and_then(|end| rest.get(..end)).ok_or(TlvError {
            kind: TlvErrorKind::PastEnd { length: header.value_length },
            offset,
        })?;
        self.position += raw.len();
        Ok(Tlv { tag: header.tag, value: &raw[header.header_length..], raw, offset })
    }

    /// The next data object, or `None` at the end.
    ///
    /// # Errors
    /// [`TlvError`] when it is malformed.
    pub fn read_optional(&mut self) -> Result<Option<Tlv<'a>>, TlvError> {
        if self.is_empty() { Ok(None) } else { self.read().map(Some) }
    }

    /// The next data object, which must have the tag.
    ///
    /// # Errors
    /// [`TlvErrorKind::Missing`] at the end, [`TlvErrorKind::UnexpectedTag`] for another one.
    pub fn read_tag(&mut self, expected: Tag) -> Result<Tlv<'a>, TlvError> {
        if self.is_empty() {
            let kind = TlvErrorKind::Missing { expected };
            return Err(TlvError { kind, offset: self.offset() });
        }
        self.read()?.expect(expected)
    }

    /// The next data object if it has the tag; otherwise nothing is consumed.
    ///
    /// # Errors
    /// [`TlvError`] when it is malformed.
    pub fn read_if(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, TlvError> {
        let mut ahead = self.clone();
        match ahead.read_optional()? {
            Some(tlv) if tlv.tag == tag => {
                *self = ahead;
                Ok(Some(tlv))
            }
            _ => Ok(None),
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`TlvErrorKind::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), TlvError> {
        if self.is_empty() {
            return Ok(());
        }
        let kind = TlvErrorKind::Trailing { length: self.input.len() - self.position };
        Err(TlvError { kind, offset: self.offset() })
    }
}

/// Tag and length of a data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Tag.
    pub tag: Tag,
    /// Bytes of tag and length.
    pub header_length: usize,
    /// Bytes of the value, as announced.
    pub value_length: usize,
}

impl Header {
    /// Bytes of the whole data object, as announced.
    #[must_use]
    pub const fn total_length(&self) -> usize {
        self.header_length.saturating_add(self.value_length)
    }
}

/// Tag and length at the start of `input`, whether or not the value is there too: what a file
/// reader asks of its first block.
///
/// # Errors
/// [`TlvErrorKind`]; [`TlvErrorKind::Truncated`] when more bytes are needed.
pub fn read_header(input: &[u8]) -> Result<Header, TlvErrorKind> {
    let mut bytes = input.iter().copied();
    let mut next = || bytes.next().ok_or(TlvErrorKind::Truncated);
    let first = next()?;
    let mut tag = u32::from(first);
    let mut header_length = 2;
    if first & 0x1F == 0x1F {
        loop {
            let byte = next()?;
            tag = tag << 8 | u32::from(byte);
            header_length += 1;
            if byte & 0x80 == 0 {
                break;
            }
            if header_length >= 4 {
                return Err(TlvErrorKind::TagTooLong);
            }
        }
    }
    let length = next()?;
    let value_length = match length {
        0..=0x7F => usize::from(length),
        0x81..=0x84 => {
            let mut value = 0u32;
            for _ in 0..length & 0x7F {
                value = value << 8 | u32::from(next()?);
                header_length += 1;
            }
            usize::try_from(value).map_err(|_| TlvErrorKind::BadLength)?
        }
        _ => return Err(TlvErrorKind::BadLength),
    };
    Ok(Header { tag: Tag(tag), header_length, value_length })
}

/// Encodes a data object with the shortest length field (DER).
#[must_use]
pub fn encode(tag: Tag, value: &[u8]) -> Vec<u8> {
    let mut out = tag.to_bytes();
    out.extend(encode_length(value.len()));
    out.extend_from_slice(value);
    out
}

/// The shortest length field for `length` bytes (DER).
#[must_use]
pub fn encode_length(length: usize) -> Vec<u8> {
    if length < 0x80 {
        return vec![length as u8];
    }
    let bytes = length.to_be_bytes();
    let skip = bytes.iter().take_while(|b| **b == 0).count();
    let mut out = vec![0x80 | (bytes.len() - skip) as u8];
    out.extend(&bytes[skip..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_tags_and_lengths_of_several_bytes() {
        let mut bytes = vec![0x7F, 0x61, 0x82, 0x01, 0x00];
        bytes.extend([0u8; 256]);
        let tlv = Tlv::parse_exact(&bytes).unwrap();
        assert_eq!((tlv.tag, tlv.value.len()), (Tag(0x7F61), 256));
        assert!(tlv.tag.is_constructed());
    }

    #[test]
    fn reports_the_offset_of_a_nested_fault() {
        let bytes = [0x30, 4, 0x02, 1, 1, 0x04];
        let outer = Tlv::parse_exact(&bytes).unwrap();
        let mut children = outer.children();
        children.read_tag(Tag(0x02)).unwrap();
        assert_eq!(children.read(), Err(TlvError { kind: TlvErrorKind::Truncated, offset: 5 }));
    }

    #[test]
    fn refuses_a_length_beyond_the_input_without_allocating() {
        let kind = TlvErrorKind::PastEnd { length: 0xFFFF_FFFF };
        assert_eq!(
            Tlv::parse_exact(&[0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
            Err(TlvError { kind, offset: 0 })
        );
    }

    #[test]
    fn refuses_indefinite_lengths_and_endless_tags() {
        assert_eq!(read_header(&[0x30, 0x80]), Err(TlvErrorKind::BadLength));
        assert_eq!(read_header(&[0x1F, 0xFF, 0xFF, 0xFF, 1]), Err(TlvErrorKind::TagTooLong));
    }

    #[test]
    fn refuses_trailing_bytes() {
        let kind = TlvErrorKind::Trailing { length: 1 };
        assert_eq!(Tlv::parse_exact(&[0x04, 0, 9]), Err(TlvError { kind, offset: 2 }));
    }

    proptest! {
        #[test]
        fn encoding_and_reading_agree(tag in prop::sample::select(vec![0x02u32, 0x30, 0x5F36, 0x7F2E]),
                                      value in prop::collection::vec(any::<u8>(), 0..700)) {
            let bytes = encode(Tag(tag), &value);
            let tlv = Tlv::parse_exact(&bytes).unwrap();
            prop_assert_eq!((tlv.tag, tlv.value, tlv.raw), (Tag(tag), &value[..], &bytes[..]));
        }

        #[test]
        fn never_panics_on_any_input(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(tlv)) = reader.read_optional() {
                let _ = tlv.children().read_optional();
            }
        }
    }
}
