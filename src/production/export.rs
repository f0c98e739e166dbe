//! Results for the identity and population databases: JSON Lines under one signature.
//!
//! Every line is one record's outcome (schema `cancuoc.result/1`); the last line (schema
//! `cancuoc.results-end/1`) carries their number, a running hash over their bytes and the
//! signature. Both sides go through a file of any length line by line.

use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::lines::{Line, read_text_line};
use crate::error::ErrorCode;
use crate::lds::{ParameterForm, PublicKey, SignatureAlgorithm};
use crate::pki::{Signer, SignerError};

/// Schema of a line.
pub const RESULT: &str = "cancuoc.result/1";
/// Schema of the last line.
pub const END: &str = "cancuoc.results-end/1";
/// The longest line, in bytes.
const MAX_LINE: usize = 64 * 1024;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultOutcome {
    /// One good card left the line.
    Issued,
    /// No card; the record waits for a decision.
    Quarantined,
    /// No card, for good.
    Void,
}

/// A card that was destroyed on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestroyedCard {
    /// The chip.
    pub chip: String,
    /// Which try of the record it was, from 1.
    pub attempt: u32,
    /// Stable code of the reason.
    pub reason: String,
    /// When, RFC 3339 in UTC.
    pub time: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardResult {
    /// [`RESULT`].
    pub schema: String,
    /// The record.
    pub record: String,
    /// The run.
    pub run: String,
    /// What became of it.
    pub outcome: ResultOutcome,
    /// Number of the card: personal data.
    pub number: Option<String>,
    /// The chip.
    pub chip: Option<String>,
    /// Tries that it took.
    pub attempts: u32,
    /// SHA-256 of the EF.SOD, in hexadecimal.
    pub sod_sha256: Option<String>,
    /// Serial number of the document signer's certificate, in hexadecimal.
    pub document_signer_serial: Option<String>,
    /// The station that finished it.
    pub station: Option<String>,
    /// When work on its card began, RFC 3339 in UTC.
    pub started: Option<String>,
    /// When the card was recorded, RFC 3339 in UTC.
    pub finished: Option<String>,
    /// Stable code, where there is no card.
    pub reason: Option<String>,
    /// Cards destroyed on the way.
    pub destroyed: Vec<DestroyedCard>,
}

/// Why results could not be written, or are not what was signed.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The signer failed.
    #[error("signing the results: {0}")]
    Signer(#[from] SignerError),
    /// A line is not what it should be.
    #[error("line {line}: {what}")]
    Malformed {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The file ends without its last line: it was cut.
    #[error("the file ends after {lines} lines without its signature")]
    NoEnd {
        /// Lines there are.
        lines: u64,
    },
    /// Lines were changed, added, left out or moved.
    #[error("the lines are not those that were signed")]
    Changed,
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
    /// The signature is of a key that was not asked for.
    #[error("signed by another key than the one given")]
    OtherKey,
}

impl ErrorCode for ExportError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "results_unreadable",
            Self::Signer(error) => error.code(),
            Self::Malformed { .. } => "results_malformed",
            Self::NoEnd { .. } => "results_cut",
            Self::Changed => "results_changed",
            Self::Signature => "results_signature",
            Self::OtherKey => "results_other_key",
        }
    }
}

/// The running hash: SHA-256 over the hash so far and that of the next line.
#[derive(Clone, Copy, Default)]
struct Chain {
    hash: [u8; 32],
    lines: u64,
}

impl Chain {
    fn add(&mut self, line: &[u8]) {
        let mut input = self.hash.to_vec();
        input.extend(HashAlgorithm::Sha256.digest(line));
        for (byte, new) in self.hash.iter_mut().zip(HashAlgorithm::Sha256.digest(&input)) {
            *byte = new;
        }
        self.lines += 1;
    }

    /// What is signed.
    fn message(&self) -> Vec<u8> {
        format!("{END}\n{}\n{}\n", self.lines, hex::encode(self.hash)).into_bytes()
    }
}

/// Writes results.
pub struct Exporter<W> {
    out: W,
    chain: Chain,
}

impl<W: Write> Exporter<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, chain: Chain::default() }
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn write(&mut self, result: &CardResult) -> Result<(), ExportError> {
        let mut line = serde_json::to_vec(result).map_err(io::Error::from)?;
        self.chain.add(&line);
        line.push(b'\n');
        Ok(self.out.write_all(&line)?)
    }

    /// Signs and writes the last line; gives the number of results.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(
        mut self,
        signer: &dyn Signer,
        random: &mut dyn CryptoRng,
    ) -> Result<u64, ExportError> {
        let message = self.chain.message();
        let signature = signer.sign(&message, random)?;
        let (algorithm, key) = (signer.algorithm(), signer.public_key());
        // What a key store gives is never taken on trust.
        algorithm.verify(&key, &message, &signature).map_err(|_| ExportError::Signature)?;
        let end = json!({
            "schema": END,
            "lines": self.chain.lines,
            "chain": hex::encode(self.chain.hash),
            "algorithm": STANDARD.encode(algorithm.to_der()),
            "public_key": STANDARD.encode(key.to_spki_der(ParameterForm::Named)),
            "signature": STANDARD.encode(signature),
        });
        writeln!(self.out, "{end}")?;
        self.out.flush()?;
        Ok(self.chain.lines)
    }
}

/// Reads results whole, gives each line to `each`, and verifies them with `key`; the number of
/// results. What `each` was given counts only when this returns no error.
///
/// # Errors
/// [`ExportError`].
pub fn verify(
    reader: &mut dyn BufRead,
    key: &PublicKey,
    each: &mut dyn FnMut(CardResult),
) -> Result<u64, ExportError> {
    let mut chain = Chain::default();
    loop {
        let number = chain.lines + 1;
        let malformed = |what| ExportError::Malformed { line: number, what };
        let line = match read_text_line(reader, MAX_LINE)? {
            Line::Whole(line) => line,
            Line::TooLong => return Err(malformed("too long")),
            Line::End => return Err(ExportError::NoEnd { lines: chain.lines }),
        };
        let value: Value = serde_json::from_slice(&line).map_err(|_| malformed("no JSON"))?;
        match value.get("schema").and_then(Value::as_str) {
            Some(RESULT) => {
                each(serde_json::from_value(value).map_err(|_| malformed("no result"))?);
                chain.add(&line);
            }
            Some(END) => {
                if !matches!(read_text_line(reader, MAX_LINE)?, Line::End) {
                    return Err(malformed("there are lines after the signature"));
                }
                return verify_end(&value, &chain, key).map(|()| chain.lines);
            }
            _ => return Err(malformed("unknown schema")),
        }
    }
}

fn verify_end(end: &Value, chain: &Chain, key: &PublicKey) -> Result<(), ExportError> {
    let malformed = |what| ExportError::Malformed { line: chain.lines + 1, what };
    let bytes = |name: &'static str| {
        let text = end.get(name).and_then(Value::as_str).ok_or(malformed(name))?;
        STANDARD.decode(text).map_err(|_| malformed(name))
    };
    let (stated_lines, stated_chain) = (end.get("lines"), end.get("chain"));
    let same_number = stated_lines.and_then(Value::as_u64) == Some(chain.lines);
    let same_chain = stated_chain.and_then(Value::as_str) == Some(&hex::encode(chain.hash));
    if !same_number || !same_chain {
        return Err(ExportError::Changed);
    }
    if bytes("public_key")? != key.to_spki_der(ParameterForm::Named) {
        return Err(ExportError::OtherKey);
    }
    let algorithm = SignatureAlgorithm::from_der(&bytes("algorithm")?, None)
        .map_err(|_| malformed("algorithm"))?;
    let verified = algorithm.verify(key, &chain.message(), &bytes("signature")?);
    verified.map_err(|_| ExportError::Signature)
}

/// The JSON Schema (2020-12) of a line.
#[must_use]
pub fn schema() -> Value {
    let text = json!({ "type": "string" });
    let optional = json!({ "type": ["string", "null"] });
    let time = json!({ "type": ["string", "null"], "format": "date-time" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": RESULT,
        "description": "What became of one record; the last line of the file has another schema",
        "type": "object",
        "required": [
            "schema", "record", "run", "outcome", "number", "chip", "attempts",
            "sod_sha256", "document_signer_serial", "station", "started", "finished", "reason",
            "destroyed"
        ],
        "properties": {
            "schema": { "const": RESULT },
            "record": text,
            "run": text,
            "outcome": { "enum": ["issued", "quarantined", "void"] },
            "number": { "type": ["string", "null"], "pattern": "^[0-9]{12}$" },
            "chip": optional,
            "attempts": { "type": "integer", "minimum": 0 },
            "sod_sha256": { "type": ["string", "null"], "pattern": "^[0-9a-f]{64}$" },
            "document_signer_serial": optional,
            "station": optional,
            "started": time,
            "finished": time,
            "reason": optional,
            "destroyed": { "type": "array", "items": {
                "type": "object",
                "required": ["chip", "attempt", "reason", "time"],
                "properties": {
                    "chip": text,
                    "attempt": { "type": "integer", "minimum": 1 },
                    "reason": text,
                    "time": { "type": "string", "format": "date-time" }
                }
            } }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{KeyKind, SoftwareKey};
    use cancuoc_primitives::curve::Curve;
    use proptest::prelude::*;

    fn result(number: u32) -> CardResult {
        CardResult {
            schema: RESULT.to_owned(),
            record: format!("HN-{number}"),
            run: "2026-11-27".to_owned(),
            outcome: ResultOutcome::Issued,
            number: Some(format!("{number:012}")),
            chip: Some("4790-5104-01".to_owned()),
            attempts: 2,
            sod_sha256: Some("00".repeat(32)),
            document_signer_serial: Some("4A".to_owned()),
            station: Some("A1".to_owned()),
            started: Some("2026-11-27T01:02:03Z".to_owned()),
            finished: Some("2026-11-27T02:03:04Z".to_owned()),
            reason: None,
            destroyed: vec![DestroyedCard {
                chip: "4790-5104-00".to_owned(),
                attempt: 1,
                reason: "read_back_differs".to_owned(),
                time: "2026-11-27T01:30:00Z".to_owned(),
            }],
        }
    }

    fn random() -> impl CryptoRng {
        rand_core::UnwrapErr(getrandom::SysRng)
    }

    fn key() -> SoftwareKey {
        SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap()
    }

    fn exported(key: &SoftwareKey, count: u32) -> String {
        let mut out = Vec::new();
        let mut exporter = Exporter::new(&mut out);
        (0..count).for_each(|number| exporter.write(&result(number)).unwrap());
        assert_eq!(exporter.finish(key, &mut random()).unwrap(), u64::from(count));
        String::from_utf8(out).unwrap()
    }

    fn verified(text: &str, key: &SoftwareKey) -> Result<Vec<CardResult>, &'static str> {
        let mut results = Vec::new();
        verify(&mut text.as_bytes(), &key.public_key(), &mut |result| results.push(result))
            .map(|_| results)
            .map_err(|error| error.code())
    }

    #[test]
    fn gives_back_what_was_exported() {
        let key = key();
        let text = exported(&key, 3);
        assert_eq!(verified(&text, &key).unwrap(), [result(0), result(1), result(2)]);
    }

    #[test]
    fn finds_a_line_changed_left_out_moved_repeated_or_added() {
        let key = key();
        let text = exported(&key, 3);
        let lines: Vec<&str> = text.lines().collect();
        let [a, b, c, end] = lines[..] else { panic!() };
        let changed = a.replace("HN-0", "HN-9");
        for lines in [
            vec![changed.as_str(), b, c, end],
            vec![a, c, end],
            vec![b, a, c, end],
            vec![a, b, c, c, end],
        ] {
            assert_eq!(verified(&lines.join("\n"), &key), Err("results_changed"), "{lines:?}");
        }
        assert_eq!(verified(&[a, b, c].join("\n"), &key), Err("results_cut"));
        assert_eq!(verified(&[a, b, c, end, c].join("\n"), &key), Err("results_malformed"));
    }

    #[test]
    fn finds_another_key_and_another_signature() {
        let (ours, other) = (key(), key());
        let text = exported(&ours, 1);
        assert_eq!(verified(&text, &other), Err("results_other_key"));
        let end = exported(&ours, 2);
        let signature = |text: &str| {
            let end: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            end["signature"].as_str().unwrap().to_owned()
        };
        let swapped = text.replace(&signature(&text), &signature(&end));
        assert_eq!(verified(&swapped, &ours), Err("results_signature"));
    }

    #[test]
    fn the_schema_asks_for_every_field_of_a_line() {
        let schema = schema();
        let line = serde_json::to_value(result(1)).unwrap();
        let fields: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(serde_json::to_value(fields).unwrap(), schema["required"]);
        assert_eq!(schema["required"].as_array().unwrap().len(), 14);
    }

    proptest! {
        #[test]
        fn any_lines_end_in_an_error(text in "\\PC{0,200}(\n\\PC{0,80}){0,4}") {
            let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
            prop_assert!(verified(&text, &key).is_err());
        }
    }
}
