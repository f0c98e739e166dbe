//! A record with the files it names, in one piece: what the journal keeps, encrypted, until the
//! card is made. A picture that changes in its folder after the import changes no card.

use core::cell::RefCell;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use crate::document::PersonalNumber;
use crate::error::ErrorCode;
use crate::issue::finding::Findings;
use crate::issue::{LoadError, Loader, Review, Terms, review, review_with};

/// The longest payload, in bytes: a record, a portrait and a few whole data groups in base64.
pub const MAX_PAYLOAD: usize = 4 << 20;

/// What was made of a record.
pub(super) struct Content {
    /// The number, where the record is faultless.
    pub number: Option<PersonalNumber>,
    /// The payload, where the record is faultless.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
}

/// Checks a record and takes the files that it names into one piece with it.
pub(super) fn capture(
    record: &Value,
    loader: &dyn Loader,
    today: Date,
    findings: &mut Findings,
) -> Content {
    let capture = Capture { inner: loader, files: RefCell::default() };
    let source = Zeroizing::new(record.to_string().into_bytes());
    let reviewed = review(&source, &capture, today);
    for mut finding in reviewed.findings {
        finding.path = format!("$.record{}", finding.path.strip_prefix('$').unwrap_or_default());
        findings.push(finding);
    }
    let Some(found) = reviewed.record else { return Content { number: None, bytes: None } };
    let bytes = encode(record, &capture.files.borrow());
    let fits = bytes.len() <= MAX_PAYLOAD;
    if !fits {
        findings.error("$.record", "record_too_large", &[("limit", &MAX_PAYLOAD)]);
    }
    Content { number: Some(found.personal_number), bytes: Some(bytes).filter(|_| fits) }
}

fn encode(record: &Value, files: &BTreeMap<String, Vec<u8>>) -> Zeroizing<Vec<u8>> {
    let files: Map<String, Value> =
        files.iter().map(|(name, bytes)| (name.clone(), json!(STANDARD.encode(bytes)))).collect();
    Zeroizing::new(json!({ "record": record, "files": files }).to_string().into_bytes())
}

/// Keeps what it loads.
struct Capture<'a> {
    inner: &'a dyn Loader,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Loader for Capture<'_> {
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError> {
        let bytes = self.inner.load(path, limit)?;
        self.files.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Why a payload cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// It is longer than [`MAX_PAYLOAD`].
    #[error("the payload is longer than {MAX_PAYLOAD} bytes")]
    TooLong,
    /// It has not the form of a payload.
    #[error("the payload is malformed: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
}

impl ErrorCode for PayloadError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "payload_too_long",
            Self::Malformed { .. } => "payload_malformed",
        }
    }
}

/// A record with its files, as it comes out of the journal.
pub struct Payload {
    record: Zeroizing<Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
}

/// Personal data: not shown.
impl core::fmt::Debug for Payload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Payload(***, {} files)", self.files.len())
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.files.values_mut().for_each(Zeroize::zeroize);
    }
}

impl Payload {
    /// Takes a payload apart.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(PayloadError::TooLong);
        }
        let malformed = |what| PayloadError::Malformed { what };
        let value: Value = serde_json::from_slice(bytes).map_err(|_| malformed("no JSON"))?;
        let record = value.get("record").filter(|record| record.is_object());
        let record = record.ok_or(malformed("no record"))?.to_string().into_bytes();
        let files = value.get("files").and_then(Value::as_object).ok_or(malformed("no files"))?;
        let files = files.iter().map(|(name, content)| {
            let text = content.as_str().ok_or(malformed("a file is no text"))?;
            let bytes = STANDARD.decode(text).map_err(|_| malformed("a file is no base64"))?;
            Ok((name.clone(), bytes))
        });
        Ok(Self { record: Zeroizing::new(record), files: files.collect::<Result<_, _>>()? })
    }

    /// Reads the record again, as on the day it was imported, with what the site says of its cards.
    #[must_use]
    pub fn review(&self, today: Date, terms: &Terms) -> Review {
        review_with(&self.record, self, today, terms)
    }
}

impl Loader for Payload {
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError> {
        let bytes = self.files.get(path).ok_or(LoadError::NotFound)?;
        if bytes.len() > limit { Err(LoadError::TooLarge) } else { Ok(bytes.clone()) }
    }
}
