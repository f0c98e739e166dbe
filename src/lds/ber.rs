//! From BER to the definite lengths that all readers here ask for.
//!
//! Some States write their lists with indefinite lengths and in pieces (CMS allows BER, RFC 5652 §2).
//! What cannot change is what was signed: a piece that is definite throughout stays the bytes that it
//! is, and the content of an OCTET STRING is the same whether it came whole or in parts.

use std::borrow::Cow;

use super::{LdsError, write};
use crate::apdu::tlv::{MAX_DEPTH, Tag, encode, read_header};

const CONSTRUCTED_OCTET_STRING: u8 = 0x24;
const OCTET_STRING: u8 = 0x04;

/// The same data object with definite lengths; borrowed where nothing had to change.
///
/// # Errors
/// [`LdsError`] where it is malformed or nested too deep.
pub fn definite_lengths<'a>(
    file: &'static str,
    bytes: &'a [u8],
) -> Result<Cow<'a, [u8]>, LdsError> {
    let mut input = Input { file, bytes, position: 0 };
    let object = input.object(0)?;
    if input.position < bytes.len() {
        return Err(input.fault("bytes after the data object"));
    }
    Ok(object)
}

struct Input<'a> {
    file: &'static str,
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    const fn fault(&self, what: &'static str) -> LdsError {
        LdsError::invalid(self.file, what, self.position)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// The next data object.
    fn object(&mut self, depth: usize) -> Result<Cow<'a, [u8]>, LdsError> {
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        let rest = self.rest();
        // Every tag of CMS and X.509 has one byte.
        if let [tag, 0x80, ..] = rest {
            self.position += 2;
            return self.pieces(*tag, depth).map(Cow::Owned);
        }
        let header = read_header(rest).map_err(|_| self.fault("malformed data object"))?;
        let length = header.header_length.checked_add(header.value_length);
        let raw = length.and_then(|length| rest.get(..length));
        let raw = raw.ok_or_else(|| self.fault("data object runs past the end"))?;
        let start = self.position;
        self.position += raw.len();
        if !header.tag.is_constructed() {
            return Ok(Cow::Borrowed(raw));
        }
        let bytes = self.bytes.get(..self.position).unwrap_or_default();
        let mut inner = Input { file: self.file, bytes, position: start + header.header_length };
        let mut children = Vec::new();
        while inner.position < bytes.len() {
            children.push(inner.object(depth + 1)?);
        }
        let unchanged = children.iter().all(|child| matches!(child, Cow::Borrowed(_)));
        match raw.first() {
            Some(&CONSTRUCTED_OCTET_STRING) => self.join(&children).map(Cow::Owned),
            _ if unchanged => Ok(Cow::Borrowed(raw)),
            _ => Ok(Cow::Owned(encode(header.tag, &children.concat()))),
        }
    }

    /// What stands between an indefinite length and its end.
    fn pieces(&mut self, tag: u8, depth: usize) -> Result<Vec<u8>, LdsError> {
        let mut children = Vec::new();
        while !self.rest().starts_with(&[0, 0]) {
            children.push(self.object(depth + 1)?);
        }
        self.position += 2;
        if tag == CONSTRUCTED_OCTET_STRING {
            return self.join(&children);
        }
        if !Tag(tag.into()).is_constructed() {
            return Err(self.fault("indefinite length of a primitive type"));
        }
        Ok(encode(Tag(tag.into()), &children.concat()))
    }

    /// An OCTET STRING from its parts.
    fn join(&self, parts: &[Cow<'_, [u8]>]) -> Result<Vec<u8>, LdsError> {
        let mut value = Vec::new();
        for part in parts {
            let header = read_header(part).map_err(|_| self.fault("malformed data object"))?;
            if part.first() != Some(&OCTET_STRING) {
                return Err(self.fault("part of an OCTET STRING is of another type"));
            }
            value.extend_from_slice(part.get(header.header_length..).unwrap_or_default());
        }
        Ok(write::octets(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn definite(bytes: &[u8]) -> Option<Vec<u8>> {
        definite_lengths("test", bytes).ok().map(Cow::into_owned)
    }

    #[test]
    fn gives_indefinite_lengths_their_length() {
        let ber = [0x30, 0x80, 0x02, 1, 5, 0x30, 0x80, 0, 0, 0, 0];
        assert_eq!(definite(&ber).unwrap(), [0x30, 5, 2, 1, 5, 0x30, 0]);
    }

    #[test]
    fn joins_the_parts_of_an_octet_string() {
        let ber = [0xA0, 0x80, 0x24, 0x80, 4, 1, 7, 4, 2, 8, 9, 0, 0, 0, 0];
        assert_eq!(definite(&ber).unwrap(), [0xA0, 5, 4, 3, 7, 8, 9]);
    }

    #[test]
    fn leaves_what_is_definite_as_the_bytes_that_it_is() {
        // A length in more bytes than needed is no DER, but it is what was signed.
        let inner = [0x30, 0x82, 0, 3, 2, 1, 1];
        assert!(matches!(definite_lengths("test", &inner).unwrap(), Cow::Borrowed(_)));
        let ber = [&[0x30, 0x80][..], &inner, &[0, 0]].concat();
        assert_eq!(definite(&ber).unwrap(), [&[0x30, 7][..], &inner].concat());
    }

    #[test]
    fn refuses_what_has_no_end_or_goes_too_deep() {
        assert_eq!(definite(&[0x30, 0x80, 2, 1, 5]), None);
        assert_eq!(definite(&[0x04, 0x80, 0, 0]), None);
        let deep = [[0x30, 0x80].repeat(40), [0, 0].repeat(40)].concat();
        assert_eq!(definite(&deep), None);
        assert_eq!(definite(&[0x30, 0x80, 0, 0, 1]), None);
    }

    proptest! {
        #[test]
        fn what_comes_out_is_definite(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(out) = definite(&bytes) {
                prop_assert!(out.len() <= bytes.len() + 8);
                prop_assert_eq!(definite(&out), Some(out));
            }
        }
    }
}
