//! LDIF as the ICAO PKD gives it out (RFC 2849): the certificates, revocation lists and master lists
//! in its entries.
//!
//! Nothing in such a file is trusted for standing in it: it is not signed. What it holds is signed, and
//! counts by that.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use thiserror::Error;

use crate::error::ErrorCode;

/// Longest value that is decoded, in characters.
const MAX_VALUE: usize = 32 << 20;
/// Most values of a file: the whole directory has some 30,000.
const MAX_VALUES: usize = 500_000;
/// Characters of the name of an entry that are kept.
const MAX_NAME: usize = 300;

/// Attributes with certificates and lists, in lower case and without options.
const ATTRIBUTES: [&str; 7] = [
    "usercertificate",
    "cacertificate",
    "certificaterevocationlist",
    "authorityrevocationlist",
    "pkdmasterlistcontent",
    "cscamasterlistdata",
    "pkddeviationlistcontent",
];

/// A value of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdifValue {
    /// Distinguished name of the entry, its end cut off where it is longer than any.
    pub entry: String,
    /// Number of the entry in its file, from 1.
    pub number: usize,
    /// The object in DER, or why there is none.
    pub bytes: Result<Vec<u8>, LdifError>,
}

/// Why a file is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LdifError {
    /// A line is no attribute, or stands outside an entry.
    #[error("LDIF line {line}: not an attribute of an entry")]
    Line {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A value is not Base64, or too long.
    #[error("LDIF line {line}: value is not Base64")]
    Value {
        /// Number of the line that the value starts in, from 1.
        line: usize,
    },
    /// A value stands elsewhere, under an address that is not asked.
    #[error("LDIF line {line}: value stands elsewhere")]
    Elsewhere {
        /// Number of the line, from 1.
        line: usize,
    },
    /// More values than any directory has.
    #[error("LDIF: more than {MAX_VALUES} values")]
    TooMany,
}

impl ErrorCode for LdifError {
    fn code(&self) -> &'static str {
        match self {
            Self::Line { .. } | Self::Value { .. } | Self::TooMany => "ldif_malformed",
            Self::Elsewhere { .. } => "ldif_value_elsewhere",
        }
    }
}

/// Whether bytes start as an LDIF file does: with comments, a version or the name of an entry.
#[must_use]
pub fn is_ldif(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').take(64);
    for line in lines {
        let line = line.trim_ascii();
        let start = line.get(..8.min(line.len())).unwrap_or_default().to_ascii_lowercase();
        match &start[..] {
            [] | [b'#', ..] => {}
            start => return start.starts_with(b"dn:") || start == b"version:",
        }
    }
    false
}

/// The certificates and lists of a file, in its order, those too whose value cannot be read. Entries
/// that take something away (`changetype: delete`) hold nothing.
///
/// # Errors
/// [`LdifError`] where the file as a whole cannot be taken apart.
pub fn read(bytes: &[u8]) -> Result<Vec<LdifValue>, LdifError> {
    let mut values = Vec::new();
    let mut entries = 0;
    let mut entry: Option<String> = None;
    for Line { number, text } in (Lines { bytes, line: 0 }) {
        if text.is_empty() {
            entry = None;
            continue;
        }
        if text.first() == Some(&b'#') || text.as_ref() == b"-" {
            continue;
        }
        let (name, form, value) = split(&text).ok_or(LdifError::Line { line: number })?;
        match (name.as_str(), &entry) {
            ("dn", _) => {
                entries += 1;
                let name = text_value(form, value).unwrap_or_default();
                entry = Some(name.chars().take(MAX_NAME).collect());
            }
            ("version", None) => {}
            (_, None) => return Err(LdifError::Line { line: number }),
            (name, Some(entry)) if ATTRIBUTES.contains(&name) => {
                if values.len() >= MAX_VALUES {
                    return Err(LdifError::TooMany);
                }
                let not_read = LdifError::Value { line: number };
                let bytes = match form {
                    Form::Base64 => decode(value).ok_or(not_read),
                    Form::Text => Err(not_read),
                    Form::Address => Err(LdifError::Elsewhere { line: number }),
                };
                values.push(LdifValue { entry: entry.clone(), number: entries, bytes });
            }
            _ => {}
        }
    }
    Ok(values)
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Base64,
    /// An address to fetch the value from: it is not fetched.
    Address,
}

/// Attribute in lower case without its options, form, value.
fn split(line: &[u8]) -> Option<(String, Form, &[u8])> {
    let colon = line.iter().take(256).position(|byte| *byte == b':')?;
    let (name, value) = line.split_at(colon);
    let (form, value) = match value {
        [b':', b':', value @ ..] => (Form::Base64, value),
        [b':', b'<', value @ ..] => (Form::Address, value),
        [b':', value @ ..] => (Form::Text, value),
        _ => return None,
    };
    let name = name.split(|byte| *byte == b';').next()?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if name.is_empty() || !name.iter().all(is_name) {
        return None;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    Some((name, form, value.trim_ascii()))
}

fn text_value(form: Form, value: &[u8]) -> Option<String> {
    match form {
        Form::Base64 => String::from_utf8(decode(value)?).ok(),
        Form::Text | Form::Address => Some(String::from_utf8_lossy(value).into_owned()),
    }
}

fn decode(value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > MAX_VALUE {
        return None;
    }
    BASE64.decode(value).ok()
}

/// A logical line: one that goes on in lines that start with a space.
struct Line<'a> {
    number: usize,
    text: Cow<'a, [u8]>,
}

struct Lines<'a> {
    bytes: &'a [u8],
    line: usize,
}

impl<'a> Lines<'a> {
    fn physical(&mut self) -> &'a [u8] {
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.bytes[..end], &self.bytes[end + 1..]),
            None => (self.bytes, &[][..]),
        };
        self.bytes = rest;
        self.line += 1;
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.bytes.is_empty() {
            return None;
        }
        let mut text = Cow::Borrowed(self.physical());
        let number = self.line;
        while self.bytes.first() == Some(&b' ') {
            let more = self.physical();
            text.to_mut().extend_from_slice(more.get(1..).unwrap_or_default());
        }
        Some(Line { number, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "# exported\nversion: 1\n\ndn: o=ml,c=FR,dc=data\nobjectClass: top\n\n\
        dn:: Y249eCxjPUZS\r\nuserCertificate;binary:: AQ\r\n ID\r\ncn: x\npkdVersion: 7\n\n\
        dn: cn=y,o=crl,c=FR\nchangetype: add\ncertificateRevocationList;binary:: BAU=\n-\n";

    #[test]
    fn takes_certificates_and_lists_out_of_their_entries() {
        let values = read(SAMPLE.as_bytes()).unwrap();
        let found: Vec<_> =
            values.into_iter().map(|v| (v.entry, v.number, v.bytes.unwrap())).collect();
        let [first, second] = ["cn=x,c=FR", "cn=y,o=crl,c=FR"].map(ToOwned::to_owned);
        assert_eq!(found, [(first, 2, vec![1, 2, 3]), (second, 3, vec![4, 5])]);
    }

    #[test]
    fn says_in_which_line_a_value_is_broken() {
        let second = |from: &str, to: &str| {
            read(SAMPLE.replace(from, to).as_bytes()).unwrap().swap_remove(1).bytes
        };
        assert_eq!(second("BAU=", "BA!="), Err(LdifError::Value { line: 15 }));
        assert_eq!(second(":: BAU=", ": plain"), Err(LdifError::Value { line: 15 }));
        let elsewhere = second(":: BAU=", ":< file:///etc/passwd");
        assert_eq!(elsewhere, Err(LdifError::Elsewhere { line: 15 }));
        let outside = "cn: x\n";
        assert_eq!(read(outside.as_bytes()), Err(LdifError::Line { line: 1 }));
    }

    #[test]
    fn tells_ldif_from_other_text() {
        assert!(is_ldif(SAMPLE.as_bytes()));
        assert!(is_ldif(b"dn: x\n"));
        assert!(!is_ldif(b"-----BEGIN CERTIFICATE-----\n"));
        assert!(!is_ldif(&[0x30, 0x82, 1, 2]));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in "[ -~\n\r]{0,200}") {
            let _ = (read(text.as_bytes()), is_ldif(text.as_bytes()));
        }

        #[test]
        fn folding_changes_nothing(bytes in prop::collection::vec(any::<u8>(), 1..200), width in 1..80usize) {
            let line = format!("userCertificate;binary:: {}", BASE64.encode(&bytes));
            let folded: Vec<String> = line.as_bytes().chunks(width)
                .map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect();
            let text = format!("dn: a\n{}\n", folded.join("\n "));
            prop_assert_eq!(&read(text.as_bytes()).unwrap()[0].bytes, &Ok(bytes));
        }
    }
}
