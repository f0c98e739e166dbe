//! An entry of the chain, and the canonical bytes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::AuditError;
use crate::production::Digest;
use crate::production::signed::time_text;

/// Schema of an entry.
pub const SCHEMA: &str = "cancuoc.audit/1";
/// Most bytes of an entry.
pub const MAX_ENTRY: usize = 64 << 10;
/// Most acts of an entry.
pub const MAX_ACTS: usize = 64;
/// Most facts of an act.
const MAX_FACTS: usize = 64;
/// Most bytes of a text in an act.
const MAX_TEXT: usize = 512;
/// Most bytes of a name.
const MAX_NAME: usize = 128;

/// Names of acts that are made here; the journal and others have further ones.
pub mod acts {
    /// Two people approved an act.
    pub const APPROVED: &str = "act_approved";
    /// The list of people changed.
    pub const PEOPLE_CHANGED: &str = "people_changed";
}

/// A value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text of at most 512 bytes.
    Text(String),
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Fact {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Digest> for Fact {
    fn from(digest: Digest) -> Self {
        Self::Text(digest.to_string())
    }
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// When, to the microsecond.
    #[serde(with = "time_text")]
    pub time: Timestamp,
    /// Who: a person of the list of people, or the station's own name.
    pub actor: String,
    /// What, in `snake_case`.
    pub act: String,
    /// The run, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    /// The record, by its opaque identifier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<String>,
    /// The chip, by its serial number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chip: Option<String>,
    /// What else it was done to: a person, a key, a document by its digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// Further facts, without personal data.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub facts: BTreeMap<String, Fact>,
}

impl Act {
    /// An act on nothing in particular.
    #[must_use]
    pub fn new(time: Timestamp, actor: impl Into<String>, act: impl Into<String>) -> Self {
        Self {
            time: to_microseconds(time),
            actor: actor.into(),
            act: act.into(),
            run: None,
            record: None,
            chip: None,
            subject: None,
            facts: BTreeMap::new(),
        }
    }

    /// The same in a run.
    #[must_use]
    pub fn in_run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// The same on a record.
    #[must_use]
    pub fn of_record(mut self, record: impl Into<String>) -> Self {
        self.record = Some(record.into());
        self
    }

    /// The same on another subject.
    #[must_use]
    pub fn on(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// The same with a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Fact>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }

    fn check(&self) -> Result<(), AuditError> {
        check_time("acts.time", self.time)?;
        check_name("acts.actor", &self.actor)?;
        check_name("acts.act", &self.act)?;
        for name in [&self.run, &self.record, &self.chip, &self.subject].into_iter().flatten() {
            check_name("acts.run, record, chip or subject", name)?;
        }
        if self.facts.len() > MAX_FACTS {
            return Err(field("acts.facts", "more than 64"));
        }
        for (name, fact) in &self.facts {
            check_name("acts.facts", name)?;
            if let Fact::Text(text) = fact {
                check_text("acts.facts", text)?;
            }
        }
        Ok(())
    }
}

/// What a station signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    schema: String,
    /// Name of the station.
    pub station: String,
    /// From 1, without gaps.
    pub sequence: u64,
    /// Hash of the entry before; zero for the first.
    pub previous: Digest,
    /// Digest of the public key that signs.
    pub key: Digest,
    /// AlgorithmIdentifier of the signature, in hexadecimal digits.
    pub algorithm: String,
    /// When it was sealed, to the microsecond.
    #[serde(with = "time_text")]
    pub time: Timestamp,
    /// What was done, in this order; at least one.
    pub acts: Vec<Act>,
}

impl Entry {
    pub(super) fn new(
        (station, sequence, previous): (String, u64, Digest),
        (key, algorithm): (Digest, String),
        time: Timestamp,
        acts: Vec<Act>,
    ) -> Self {
        let (schema, time) = (SCHEMA.to_owned(), to_microseconds(time));
        Self { schema, station, sequence, previous, key, algorithm, time, acts }
    }

    /// The canonical bytes: members in the order above, no whitespace.
    ///
    /// # Errors
    /// [`AuditError`] for what no entry may hold.
    pub fn encode(&self) -> Result<Vec<u8>, AuditError> {
        self.check()?;
        let bytes = serde_json::to_vec(self).map_err(|e| AuditError::json(&e))?;
        if bytes.len() > MAX_ENTRY { Err(AuditError::TooLong) } else { Ok(bytes) }
    }

    /// Reads the bytes of an entry; they must be canonical, so that what is shown of an entry is what was
    /// signed and nothing besides.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > MAX_ENTRY {
            return Err(AuditError::TooLong);
        }
        let entry: Self = serde_json::from_slice(bytes).map_err(|e| AuditError::json(&e))?;
        if entry.encode()? == bytes { Ok(entry) } else { Err(AuditError::NotCanonical) }
    }

    fn check(&self) -> Result<(), AuditError> {
        if self.schema != SCHEMA {
            return Err(field("schema", "not cancuoc.audit/1"));
        }
        check_name("station", &self.station)?;
        check_time("time", self.time)?;
        // Databases count to this.
        if self.sequence == 0 || i64::try_from(self.sequence).is_err() {
            return Err(field("sequence", "not from 1 up"));
        }
        if (self.sequence == 1) != (self.previous == Digest::ZERO) {
            return Err(field("previous", "zero for the first entry, and for it alone"));
        }
        if self.acts.is_empty() || self.acts.len() > MAX_ACTS {
            return Err(field("acts", "not 1 to 64"));
        }
        self.acts.iter().try_for_each(Act::check)
    }
}

/// Which acts to look for; what is not given fits everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Acts of this actor.
    pub actor: Option<String>,
    /// Acts of this name; of all that begin so where it ends in `*`.
    pub act: Option<String>,
    /// Acts in this run.
    pub run: Option<String>,
    /// Acts on this record, chip or other subject.
    pub subject: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether an act fits.
    #[must_use]
    pub fn fits(&self, act: &Act) -> bool {
        let is = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
        };
        let name = self.act.as_ref().is_none_or(|wanted| {
            act.act == *wanted || wanted.strip_suffix('*').is_some_and(|w| act.act.starts_with(w))
        });
        let subjects = [&act.record, &act.chip, &act.subject];
        name && is(&self.actor, Some(&act.actor))
            && is(&self.run, act.run.as_ref())
            && subjects.iter().any(|subject| is(&self.subject, (*subject).as_ref()))
            && self.since.is_none_or(|since| act.time >= since)
            && self.until.is_none_or(|until| act.time <= until)
    }
}

fn field(field: &'static str, reason: &'static str) -> AuditError {
    AuditError::Field { field, reason }
}

/// A name of a station, person, act, fact, record or chip: letters, digits and `._:/-` of ASCII.
pub(super) fn check_name(name: &'static str, text: &str) -> Result<(), AuditError> {
    let is_fine = |b: u8| b.is_ascii_alphanumeric() || b"._:/-".contains(&b);
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(field(name, "not 1 to 128 characters"));
    }
    if text.bytes().all(is_fine) { Ok(()) } else { Err(field(name, "not letters, digits, ._:/-")) }
}

fn check_text(name: &'static str, text: &str) -> Result<(), AuditError> {
    if text.len() > MAX_TEXT { Err(field(name, "longer than 512 bytes")) } else { Ok(()) }
}

/// Databases keep microseconds, so nothing finer may be signed.
fn check_time(name: &'static str, time: Timestamp) -> Result<(), AuditError> {
    let whole = time.subsec_nanosecond() % 1_000 == 0;
    if whole { Ok(()) } else { Err(field(name, "finer than a microsecond")) }
}

/// The time without what is finer than a microsecond.
pub(super) fn to_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}
