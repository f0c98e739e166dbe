//! Verifying chains as a stream: memory is bounded whatever comes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::{Anchors, AuditError, Entry, Head, Line, SealedEntry};
use crate::error::ErrorCode;
use crate::lds::PublicKey;
use crate::production::Digest;
use crate::production::signed::algorithm_from;

/// Entries whose signatures are verified at a time, by all processors.
const CHUNK: usize = 512;
/// Most findings that are kept; further ones are counted.
const MAX_FINDINGS: usize = 1_000;
/// Most stations that are followed.
const MAX_STATIONS: usize = 10_000;

/// The public keys that stations are known to sign with.
#[derive(Debug, Clone, Default)]
pub struct StationKeys {
    keys: HashMap<Digest, (PublicKey, Owners)>,
}

#[derive(Debug, Clone, Default)]
struct Owners {
    any: bool,
    stations: BTreeSet<String>,
}

impl StationKeys {
    /// Takes the key of a station; of any station where none is named.
    pub fn insert(&mut self, station: Option<&str>, key: PublicKey) {
        let (_, owners) =
            self.keys.entry(Digest::of_key(&key)).or_insert_with(|| (key, Owners::default()));
        match station {
            Some(station) => {
                owners.stations.insert(station.to_owned());
            }
            None => owners.any = true,
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn find(&self, station: &str, key: &Digest) -> Option<&PublicKey> {
        let (key, owners) = self.keys.get(key)?;
        (owners.any || owners.stations.contains(station)).then_some(key)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// To be explained; the chain is whole.
    Warning,
    /// The record was changed, or is not all there.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// Number of the line or row, from 1; none for what is missing at the end.
    pub place: Option<u64>,
    /// Station, where it can be told.
    pub station: Option<String>,
    /// Sequence of the entry, where it can be told.
    pub sequence: Option<u64>,
    /// More, in English.
    pub detail: String,
}

/// What is known of a station at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationSummary {
    /// Entries.
    pub entries: u64,
    /// Acts.
    pub acts: u64,
    /// Sequence of the first entry.
    pub first: u64,
    /// The last entry.
    pub head: Head,
    /// When the last entry was sealed.
    pub time: Timestamp,
    /// Whether an anchor was compared with an entry, or with the end of the chain.
    pub is_anchored: bool,
}

/// What can be said of the chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was changed, left out, put in or moved.
    Intact,
    /// Something was.
    Broken,
    /// Nothing is known to be wrong, but something could not be checked.
    Inconclusive,
}

impl Verdict {
    /// `intact`, `broken` or `inconclusive`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Broken => "broken",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Lines or rows.
    pub lines: u64,
    /// The stations, by name.
    pub stations: BTreeMap<String, StationSummary>,
    /// What is wrong, in the order it was found.
    pub findings: Vec<Finding>,
    /// Further findings, not kept.
    pub left_out: u64,
    /// Whether the keys of stations were known.
    pub keys_given: bool,
    errors: u64,
}

impl Verification {
    /// The verdict. A chain without an anchor may have been cut off at its end: it is intact only where
    /// `without_anchor` says that this does not matter.
    #[must_use]
    pub fn verdict(&self, without_anchor: bool) -> Verdict {
        let anchored = self.stations.values().all(|station| station.is_anchored);
        if self.errors > 0 {
            Verdict::Broken
        } else if self.keys_given && !self.stations.is_empty() && (anchored || without_anchor) {
            Verdict::Intact
        } else {
            Verdict::Inconclusive
        }
    }
}

/// What comes in.
enum Item {
    Line(Vec<u8>),
    TooLong,
    Row(SealedEntry),
}

/// An item by itself, before it is compared with the one before.
type Looked = Result<(Entry, Digest, Vec<(&'static str, String)>), AuditError>;

/// Verifies entries one after another, of any number of stations in one stream.
pub struct Verifier<'a> {
    keys: &'a StationKeys,
    anchors: &'a Anchors,
    ends: Vec<Head>,
    waiting: Vec<Item>,
    result: Verification,
}

impl<'a> Verifier<'a> {
    /// Begins. Without keys no signature is verified, without anchors no end of a chain.
    #[must_use]
    pub fn new(keys: &'a StationKeys, anchors: &'a Anchors) -> Self {
        let result = Verification {
            lines: 0,
            stations: BTreeMap::new(),
            findings: Vec::new(),
            left_out: 0,
            keys_given: !keys.is_empty(),
            errors: 0,
        };
        Self { keys, anchors, ends: Vec::new(), waiting: Vec::with_capacity(CHUNK), result }
    }

    /// Takes the next line of an exported file.
    pub fn line(&mut self, line: Line) {
        self.take(match line {
            Line::Whole(bytes) => Item::Line(bytes),
            Line::TooLong => Item::TooLong,
        });
    }

    /// Takes the next row of a journal.
    pub fn row(&mut self, row: SealedEntry) {
        self.take(Item::Row(row));
    }

    /// Takes what whoever keeps the entries says that a chain ends with. Not being from elsewhere it is no
    /// anchor, but it must be true.
    pub fn ends_with(&mut self, head: Head) {
        self.ends.push(head);
    }

    fn take(&mut self, item: Item) {
        self.waiting.push(item);
        if self.waiting.len() == CHUNK {
            self.work();
        }
    }

    /// Ends: what the anchors say and the entries do not.
    #[must_use]
    pub fn finish(mut self) -> Verification {
        self.work();
        let mut last: BTreeMap<String, Head> = BTreeMap::new();
        for head in self.anchors.heads() {
            last.insert(head.station.clone(), head);
        }
        for (station, anchor) in last {
            let reached = self.result.stations.get(&station).map_or(0, |s| s.head.sequence);
            if anchor.sequence > reached {
                let detail = format!("ends at {reached}, anchored at {}", anchor.sequence);
                self.report(None, (Some(station), None), "audit_truncated", detail);
            }
        }
        for end in std::mem::take(&mut self.ends) {
            let last = self.result.stations.get(&end.station).map(|s| s.head.clone());
            if last.as_ref() != Some(&end) {
                let reached = last.map_or(0, |last| last.sequence);
                let detail = format!("ends at {reached}, {} is said to be the end", end.sequence);
                self.report(None, (Some(end.station), None), "audit_truncated", detail);
            }
        }
        self.result
    }

    /// Looks at what is waiting, each by itself on all processors, then one after another.
    fn work(&mut self) {
        let items = std::mem::take(&mut self.waiting);
        for looked in look_at_all(&items, self.keys) {
            self.result.lines += 1;
            match looked {
                Ok((entry, hash, faults)) => self.follow(&entry, hash, faults),
                Err(error) => {
                    let detail = format!("{}: {error}", error.code());
                    self.report(Some(self.result.lines), (None, None), "audit_line", detail);
                }
            }
        }
        self.waiting = items;
        self.waiting.clear();
    }

    /// Compares an entry with the one before it, and with the anchors.
    fn follow(&mut self, entry: &Entry, hash: Digest, faults: Vec<(&'static str, String)>) {
        let line = Some(self.result.lines);
        let of = || (Some(entry.station.clone()), Some(entry.sequence));
        for (code, detail) in faults {
            self.report(line, of(), code, detail);
        }
        let anchors = self.anchors.of(&entry.station);
        let anchor = anchors.and_then(|all| all.get(&entry.sequence)).copied();
        if anchor.is_some_and(|anchor| anchor != hash) {
            self.report(line, of(), "audit_anchor_mismatch", hash.to_string());
        }
        let before = self.result.stations.get(&entry.station).map(|s| (s.head.clone(), s.time));
        let Some((head, time)) = before else { return self.begin(entry, hash) };
        let expected = head.sequence.saturating_add(1);
        let order = if entry.sequence > expected {
            let missing = format!("{expected} to {} are missing", entry.sequence - 1);
            Some(("audit_gap", missing))
        } else if entry.sequence < expected {
            Some(("audit_order", format!("stands after {}", head.sequence)))
        } else if entry.previous != head.hash {
            Some(("audit_link", format!("{} is not what it was made after", head.sequence)))
        } else {
            None
        };
        if let Some((code, detail)) = order {
            self.report(line, of(), code, detail);
        }
        if entry.time < time {
            let detail = format!("{} after {time}", entry.time);
            self.report(line, of(), "audit_time_back", detail);
        }
        if let Some(station) = self.result.stations.get_mut(&entry.station) {
            station.entries += 1;
            station.acts += entry.acts.len() as u64;
            station.time = entry.time;
            station.is_anchored |= anchor.is_some();
            if entry.sequence >= expected {
                (station.head.sequence, station.head.hash) = (entry.sequence, hash);
            }
        }
    }

    /// The first entry of a station: number one, or what follows an anchor.
    fn begin(&mut self, entry: &Entry, hash: Digest) {
        let line = Some(self.result.lines);
        let of = (Some(entry.station.clone()), Some(entry.sequence));
        if self.result.stations.len() >= MAX_STATIONS {
            return self.report(line, of, "audit_stations", format!("more than {MAX_STATIONS}"));
        }
        let anchors = self.anchors.of(&entry.station);
        let before = anchors.and_then(|all| all.get(&entry.sequence.saturating_sub(1)));
        let follows_anchor = before == Some(&entry.previous);
        if entry.sequence != 1 && !follows_anchor {
            let detail = format!("1 to {} are missing", entry.sequence - 1);
            self.report(line, of, "audit_gap", detail);
        }
        let is_anchored =
            follows_anchor || anchors.is_some_and(|all| all.contains_key(&entry.sequence));
        let head = Head { station: entry.station.clone(), sequence: entry.sequence, hash };
        let (first, acts) = (entry.sequence, entry.acts.len() as u64);
        let summary =
            StationSummary { entries: 1, acts, first, head, time: entry.time, is_anchored };
        self.result.stations.insert(entry.station.clone(), summary);
    }

    fn report(
        &mut self,
        place: Option<u64>,
        (station, sequence): (Option<String>, Option<u64>),
        code: &'static str,
        detail: String,
    ) {
        let severity = if code == "audit_time_back" { Severity::Warning } else { Severity::Error };
        self.result.errors += u64::from(severity == Severity::Error);
        if self.result.findings.len() >= MAX_FINDINGS {
            self.result.left_out += 1;
            return;
        }
        self.result.findings.push(Finding { code, severity, place, station, sequence, detail });
    }
}

/// Looks at each item by itself, the work divided among the processors.
fn look_at_all(items: &[Item], keys: &StationKeys) -> Vec<Looked> {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16);
    let share = items.len().div_ceil(workers).max(1);
    let look_at = |part: &[Item]| part.iter().map(|item| look(item, keys)).collect::<Vec<_>>();
    if items.len() <= share {
        return look_at(items);
    }
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(share).map(|part| (part, scope.spawn(move || look_at(part)))).collect();
        // A part whose thread died is looked at again here, so that nothing is passed over.
        parts
            .into_iter()
            .flat_map(|(part, work)| work.join().unwrap_or_else(|_| look_at(part)))
            .collect()
    })
}

fn look(item: &Item, keys: &StationKeys) -> Looked {
    let (sealed, entry) = match item {
        Item::TooLong => return Err(AuditError::TooLong),
        Item::Line(bytes) => SealedEntry::decode_line(bytes)?,
        Item::Row(row) => (row.clone(), Entry::decode(&row.bytes)?),
    };
    let mut faults = Vec::new();
    let hash = Digest::of(&sealed.bytes);
    if hash != sealed.hash {
        faults.push(("audit_hash", format!("{} is recorded, {hash} it is", sealed.hash)));
    }
    let columns = (&sealed.station, sealed.sequence, sealed.previous);
    if columns != (&entry.station, entry.sequence, entry.previous) {
        faults.push(("audit_row", "station, sequence or previous".to_owned()));
    }
    if !keys.is_empty() {
        faults.extend(check_signature(&sealed, &entry, keys));
    }
    Ok((entry, hash, faults))
}

fn check_signature(
    sealed: &SealedEntry,
    entry: &Entry,
    keys: &StationKeys,
) -> Option<(&'static str, String)> {
    let Some(key) = keys.find(&entry.station, &entry.key) else {
        return Some(("audit_key", entry.key.to_string()));
    };
    let invalid = |reason: String| Some(("audit_signature", reason));
    let Some(algorithm) = algorithm_from(&entry.algorithm) else {
        return invalid("unknown or weak algorithm".to_owned());
    };
    match algorithm.verify(key, &sealed.bytes, &sealed.signature) {
        Ok(()) => None,
        Err(error) => invalid(error.to_string()),
    }
}
