//! Heads of chains, and anchors: heads that were written down elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AuditError;
use super::entry::check_name;
use crate::production::Digest;

/// Schema of a file of anchors.
const SCHEMA: &str = "cancuoc.audit-anchor/1";
/// Most bytes of a file of anchors.
const MAX_FILE: usize = 4 << 20;
/// Most anchors that are held.
const MAX_ANCHORS: usize = 10_000;

/// The last entry of a chain at some time; as text `STATION:SEQUENCE:HASH`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Name of the station.
    pub station: String,
    /// Sequence of the entry, from 1.
    pub sequence: u64,
    /// Hash of the entry.
    pub hash: Digest,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.station, self.sequence, self.hash)
    }
}

impl FromStr for Head {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        // The name of a station may have colons too.
        let mut parts = text.trim().rsplitn(3, ':');
        let mut part = || parts.next().ok_or(AuditError::Anchor("not STATION:SEQUENCE:HASH"));
        let (hash, sequence, station) = (part()?, part()?, part()?);
        let head = Self {
            station: station.to_owned(),
            sequence: sequence.parse().map_err(|_| AuditError::Anchor("the sequence is none"))?,
            hash: hash.parse().map_err(|()| AuditError::Anchor("the hash is none"))?,
        };
        head.check()?;
        Ok(head)
    }
}

impl Head {
    fn check(&self) -> Result<(), AuditError> {
        check_name("station", &self.station)?;
        if self.sequence == 0 { Err(AuditError::Anchor("the sequence is none")) } else { Ok(()) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    heads: Vec<Head>,
}

/// Anchors by station and sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors(BTreeMap<String, BTreeMap<u64, Digest>>);

impl Anchors {
    /// Takes an anchor.
    ///
    /// # Errors
    /// [`AuditError::Anchor`] for one that contradicts another, and where there are too many.
    pub fn insert(&mut self, head: &Head) -> Result<(), AuditError> {
        head.check()?;
        let count: usize = self.0.values().map(BTreeMap::len).sum();
        if count >= MAX_ANCHORS {
            return Err(AuditError::Anchor("too many anchors"));
        }
        let station = self.0.entry(head.station.clone()).or_default();
        match station.insert(head.sequence, head.hash) {
            Some(other) if other != head.hash => {
                Err(AuditError::Anchor("two anchors contradict each other"))
            }
            _ => Ok(()),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The anchors of a station, by sequence.
    pub(super) fn of(&self, station: &str) -> Option<&BTreeMap<u64, Digest>> {
        self.0.get(station)
    }

    /// All of them, the last of each station after its others.
    pub fn heads(&self) -> impl Iterator<Item = Head> {
        self.0.iter().flat_map(|(station, all)| {
            all.iter().map(|(&sequence, &hash)| Head { station: station.clone(), sequence, hash })
        })
    }

    /// A file of anchors: JSON (`cancuoc.audit-anchor/1`).
    #[must_use]
    pub fn encode(&self) -> String {
        let file = File { schema: SCHEMA.to_owned(), heads: self.heads().collect() };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a file of anchors: JSON as [`Self::encode`] writes it, or `STATION:SEQUENCE:HASH` a line.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > MAX_FILE {
            return Err(AuditError::Anchor("too long"));
        }
        let mut anchors = Self::default();
        if bytes.trim_ascii_start().starts_with(b"{") {
            let file: File = serde_json::from_slice(bytes).map_err(|e| AuditError::json(&e))?;
            if file.schema != SCHEMA {
                return Err(AuditError::Anchor("not of the schema cancuoc.audit-anchor/1"));
            }
            file.heads.iter().try_for_each(|head| anchors.insert(head))?;
            return Ok(anchors);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| AuditError::Anchor("no text"))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            anchors.insert(&line.parse()?)?;
        }
        Ok(anchors)
    }
}
