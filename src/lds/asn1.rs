//! The few ASN.1 types that the LDS's own structures are made of, read where they stand and
//! written in DER (ITU-T X.690).
//!
//! Certificates are read by the `x509-cert` crate. Structures that are hashed or signed are read
//! here, because issuers do not keep DER's order of sets and the bytes must stay as they are.

use const_oid::ObjectIdentifier;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::LdsError;
use crate::apdu::tlv::{Reader, Tag, Tlv};

/// Tags of universal types.
pub mod tag {
    use crate::apdu::tlv::Tag;

    /// BOOLEAN.
    pub const BOOLEAN: Tag = Tag(0x01);
    /// INTEGER.
    pub const INTEGER: Tag = Tag(0x02);
    /// BIT STRING.
    pub const BIT_STRING: Tag = Tag(0x03);
    /// OCTET STRING.
    pub const OCTET_STRING: Tag = Tag(0x04);
    /// NULL.
    pub const NULL: Tag = Tag(0x05);
    /// OBJECT IDENTIFIER.
    pub const OID: Tag = Tag(0x06);
    /// PrintableString.
    pub const PRINTABLE_STRING: Tag = Tag(0x13);
    /// UTCTime.
    pub const UTC_TIME: Tag = Tag(0x17);
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: Tag = Tag(0x18);
    /// SEQUENCE.
    pub const SEQUENCE: Tag = Tag(0x30);
    /// SET.
    pub const SET: Tag = Tag(0x31);
}

/// A data object together with the name of the file it stands in, for errors.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    file: &'static str,
    tlv: Tlv<'a>,
}

impl<'a> Element<'a> {
    /// The only data object of a file.
    ///
    /// # Errors
    /// [`LdsError::Tlv`], bytes after it included.
    pub fn parse(file: &'static str, bytes: &'a [u8]) -> Result<Self, LdsError> {
        let tlv = Tlv::parse_exact(bytes).map_err(LdsError::tlv(file))?;
        Ok(Self { file, tlv })
    }

    /// Tag.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tlv.tag
    }

    /// Value.
    #[must_use]
    pub const fn value(&self) -> &'a [u8] {
        self.tlv.value
    }

    /// Tag, length and value as read.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.tlv.raw
    }

    /// An error at this data object.
    #[must_use]
    pub const fn fault(&self, what: &'static str) -> LdsError {
        LdsError::invalid(self.file, what, self.tlv.offset)
    }

    /// This, if it has the tag.
    ///
    /// # Errors
    /// [`LdsError::Tlv`].
    pub fn expect(self, tag: Tag) -> Result<Self, LdsError> {
        self.tlv.expect(tag).map_err(LdsError::tlv(self.file))?;
        Ok(self)
    }

    /// Reads the data objects in the value.
    #[must_use]
    pub fn children(&self) -> Elements<'a> {
        Elements { file: self.file, reader: self.tlv.children() }
    }

    /// An INTEGER from 0 to 2³²-1.
    ///
    /// # Errors
    /// [`LdsError`] for another type, a negative or a larger number.
    pub fn small_integer(&self) -> Result<u32, LdsError> {
        match self.positive_integer()? {
            value if value.len() <= 4 => {
                Ok(value.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
            }
            _ => Err(self.fault("INTEGER too large")),
        }
    }

    /// The big-endian bytes of an INTEGER that is not negative, without leading zeros.
    ///
    /// # Errors
    /// [`LdsError`] for another type or a negative number.
    pub fn positive_integer(&self) -> Result<&'a [u8], LdsError> {
        match self.expect(tag::INTEGER)?.value() {
            [] => Err(self.fault("empty INTEGER")),
            [first, ..] if first & 0x80 != 0 => Err(self.fault("negative INTEGER")),
            value => {
                let zeros = value.iter().take_while(|b| **b == 0).count();
                Ok(value.get(zeros..).unwrap_or_default())
            }
        }
    }

    /// An OBJECT IDENTIFIER.
    ///
    /// # Errors
    /// [`LdsError`] for another type or a malformed one.
    pub fn oid(&self) -> Result<ObjectIdentifier, LdsError> {
        self.expect(tag::OID)?;
        ObjectIdentifier::from_bytes(self.tlv.value)
            .map_err(|_| self.fault("malformed OBJECT IDENTIFIER"))
    }

    /// An OCTET STRING.
    ///
    /// # Errors
    /// [`LdsError`] for another type.
    pub fn octets(&self) -> Result<&'a [u8], LdsError> {
        Ok(self.expect(tag::OCTET_STRING)?.value())
    }

    /// A BIT STRING of whole bytes.
    ///
    /// # Errors
    /// [`LdsError`] for another type or unused bits.
    pub fn bits(&self) -> Result<&'a [u8], LdsError> {
        match self.expect(tag::BIT_STRING)?.value() {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(self.fault("BIT STRING is not whole bytes")),
        }
    }

    /// A UTCTime or GeneralizedTime in Greenwich time (RFC 5280 §4.1.2.5); old certificates leave
    /// the seconds out. What is after the last moment that can be counted is that moment.
    ///
    /// # Errors
    /// [`LdsError`] for another type or what is no time.
    pub fn time(&self) -> Result<Timestamp, LdsError> {
        let value = self.value();
        match (self.tag(), value) {
            // Two digits of the year: 50 and above are of the last century.
            (tag::UTC_TIME, [b'5'..=b'9', ..]) => self.digits_to_time(b"19", value),
            (tag::UTC_TIME, _) => self.digits_to_time(b"20", value),
            (tag::GENERALIZED_TIME, _) => self.generalized_time(),
            _ => Err(self.fault("neither UTCTime nor GeneralizedTime")),
        }
    }

    /// The value as a GeneralizedTime, whatever the tag: some structures tag it anew.
    ///
    /// # Errors
    /// [`LdsError`] for what is no time.
    pub fn generalized_time(&self) -> Result<Timestamp, LdsError> {
        self.digits_to_time(b"", self.value())
    }

    /// `YYYYMMDDHHMM[SS]Z`.
    fn digits_to_time(&self, century: &[u8], value: &[u8]) -> Result<Timestamp, LdsError> {
        let fault = || self.fault("malformed time");
        let text = [century, value].concat();
        let digits = text.strip_suffix(b"Z").filter(|d| d.iter().all(u8::is_ascii_digit));
        let digits = digits.ok_or_else(fault)?;
        let number = |from: usize, to: usize| -> i16 {
            let part = digits.get(from..to).unwrap_or_default();
            part.iter().fold(0, |number, digit| number * 10 + i16::from(digit - b'0'))
        };
        if !matches!(digits.len(), 12 | 14) {
            return Err(fault());
        }
        let part = |place: usize| number(place, place + 2) as i8;
        let time = DateTime::new(number(0, 4), part(4), part(6), part(8), part(10), part(12), 0);
        let time = time.map_err(|_| fault())?;
        Ok(TimeZone::UTC.to_timestamp(time).unwrap_or(Timestamp::MAX))
    }
}

/// Reads data objects one after another.
#[derive(Clone)]
pub struct Elements<'a> {
    file: &'static str,
    reader: Reader<'a>,
}

impl<'a> Elements<'a> {
    /// The next one, whatever it is.
    ///
    /// # Errors
    /// [`LdsError::Tlv`] at the end or when malformed.
    pub fn any(&mut self) -> Result<Element<'a>, LdsError> {
        let tlv = self.reader.read().map_err(LdsError::tlv(self.file))?;
        Ok(Element { file: self.file, tlv })
    }

    /// The next one, which must have the tag.
    ///
    /// # Errors
    /// [`LdsError::Tlv`].
    pub fn tagged(&mut self, tag: Tag) -> Result<Element<'a>, LdsError> {
        let tlv = self.reader.read_tag(tag).map_err(LdsError::tlv(self.file))?;
        Ok(Element { file: self.file, tlv })
    }

    /// The next one if it has the tag.
    ///
    /// # Errors
    /// [`LdsError::Tlv`] when malformed.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, LdsError> {
        let tlv = self.reader.read_if(tag).map_err(LdsError::tlv(self.file))?;
        Ok(tlv.map(|tlv| Element { file: self.file, tlv }))
    }

    /// The next one, or nothing at the end.
    ///
    /// # Errors
    /// [`LdsError::Tlv`] when malformed.
    pub fn next_element(&mut self) -> Result<Option<Element<'a>>, LdsError> {
        let tlv = self.reader.read_optional().map_err(LdsError::tlv(self.file))?;
        Ok(tlv.map(|tlv| Element { file: self.file, tlv }))
    }

    /// All that are left, at most `limit`.
    ///
    /// # Errors
    /// [`LdsError`] when malformed or more.
    pub fn all(mut self, limit: usize) -> Result<Vec<Element<'a>>, LdsError> {
        let mut elements = Vec::new();
        while let Some(element) = self.next_element()? {
            if elements.len() >= limit {
                return Err(element.fault("too many elements"));
            }
            elements.push(element);
        }
        Ok(elements)
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`LdsError::Tlv`] when bytes are left.
    pub fn finish(self) -> Result<(), LdsError> {
        self.reader.finish().map_err(LdsError::tlv(self.file))
    }
}

/// Writing in DER.
pub mod write {
    use const_oid::ObjectIdentifier;

    use super::tag;
    use crate::apdu::tlv::{Tag, encode};

    /// A constructed data object of the parts.
    #[must_use]
    pub fn constructed(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
        encode(tag, &parts.concat())
    }

    /// SEQUENCE of the parts.
    #[must_use]
    pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        constructed(tag::SEQUENCE, parts)
    }

    /// SET OF the parts, in DER's order.
    #[must_use]
    pub fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
        parts.sort();
        encode(tag::SET, &parts.concat())
    }

    /// INTEGER.
    #[must_use]
    pub fn integer(number: u32) -> Vec<u8> {
        positive_integer(&number.to_be_bytes())
    }

    /// INTEGER from the big-endian bytes of a number that is not negative.
    #[must_use]
    pub fn positive_integer(bytes: &[u8]) -> Vec<u8> {
        let zeros = bytes.iter().take_while(|b| **b == 0).count();
        let bytes = &bytes[zeros..];
        let mut value = Vec::with_capacity(bytes.len() + 1);
        if bytes.first().is_none_or(|b| b & 0x80 != 0) {
            value.push(0);
        }
        value.extend_from_slice(bytes);
        encode(tag::INTEGER, &value)
    }

    /// OBJECT IDENTIFIER.
    #[must_use]
    pub fn oid(oid: &ObjectIdentifier) -> Vec<u8> {
        encode(tag::OID, oid.as_bytes())
    }

    /// OCTET STRING.
    #[must_use]
    pub fn octets(bytes: &[u8]) -> Vec<u8> {
        encode(tag::OCTET_STRING, bytes)
    }

    /// BIT STRING of whole bytes.
    #[must_use]
    pub fn bits(bytes: &[u8]) -> Vec<u8> {
        encode(tag::BIT_STRING, &[&[0], bytes].concat())
    }
}
