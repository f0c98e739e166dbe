//! What goes into a journal and comes out of it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{ChipSerial, Digest, Facts, RecordId, RunName, StationId};
use crate::production::state::{CardState, RecordState, RunState, StockState};

/// Most rows of one page.
pub const MAX_PAGE: usize = 1000;
/// Longest lease.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 3600);
/// Largest payload of a record in bytes.
pub const MAX_PAYLOAD: usize = 4 << 20;
/// Most characters of a reason, a kind of card, a source, a profile.
pub const MAX_TEXT: usize = 256;

/// Who does something, and when: the clock is read by the caller, never by the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act<'a> {
    /// The station.
    pub station: &'a StationId,
    /// What its clock shows.
    pub at: Timestamp,
}

impl<'a> Act<'a> {
    /// Something that `station` does at `at`.
    #[must_use]
    pub fn new(station: &'a StationId, at: Timestamp) -> Self {
        Self { station, at }
    }
}

/// A run to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its name.
    pub name: RunName,
    /// Name of the card profile.
    pub profile: String,
    /// Blank cards handed out for it, where the site counts them.
    pub handed_out: Option<u64>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub name: RunName,
    /// Name of the card profile.
    pub profile: String,
    /// Its state.
    pub state: RunState,
    /// Why it was stopped.
    pub reason: Option<String>,
    /// Blank cards handed out for it.
    pub handed_out: Option<u64>,
    /// When it was opened.
    pub created: Timestamp,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

/// Where the cards of a run are: what the cards say beside what the stock says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// Blank cards handed out for the run, where the site counts them.
    pub handed_out: Option<u64>,
    /// Blank cards counted at the end.
    pub left: Option<u64>,
    /// Cards that are recorded, and chips of the stock that are issued.
    pub issued: (u64, u64),
    /// Cards that are void, and chips of the stock that are destroyed or lost.
    pub void: (u64, u64),
    /// Cards in work or in quarantine, and chips of the stock in work.
    pub in_work: (u64, u64),
    /// Records that are neither issued nor withdrawn.
    pub unfinished: u64,
    /// Records that are issued or revoked since.
    pub records_issued: u64,
}

impl Balance {
    /// Whether nothing is missing: cards and stock say the same, every issued record has its card,
    /// and what was handed out is issued, void, in work or left over.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let agree = [self.issued, self.void, self.in_work].iter().all(|(a, b)| a == b);
        let accounted = self.issued.0 + self.void.0 + self.in_work.0;
        let counted = match (self.handed_out, self.left) {
            (None, _) => true,
            (Some(out), left) => accounted.checked_add(left.unwrap_or(0)) == Some(out),
        };
        agree && counted && self.records_issued == self.issued.0
    }

    /// Whether nothing remains to be done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.unfinished == 0 && self.in_work == (0, 0)
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: Option<u64>| n.map_or("not counted".to_owned(), |n| n.to_string());
        write!(
            f,
            "handed out {}, left over {}; cards and chips of the stock: issued {}/{}, void {}/{}, \
             in work {}/{}; records issued {}, unfinished {}",
            count(self.handed_out),
            count(self.left),
            self.issued.0,
            self.issued.1,
            self.void.0,
            self.void.1,
            self.in_work.0,
            self.in_work.1,
            self.records_issued,
            self.unfinished,
        )
    }
}

/// A record to be imported.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Its name.
    pub id: RecordId,
    /// Keyed hash of the number of the document: one living record for each.
    pub number_hash: Digest,
    /// The record as the vault sealed it; opaque here.
    pub payload: Vec<u8>,
    /// Keyed digest of what is sealed: tells the same record from a changed one.
    pub payload_digest: Digest,
}

impl fmt::Debug for NewRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewRecord({}, {} bytes)", self.id, self.payload.len())
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Records that are new.
    pub added: u64,
    /// Records that were there already, unchanged.
    pub known: u64,
}

/// A record without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub id: RecordId,
    /// Its run.
    pub run: RunName,
    /// Its place in the run.
    pub sequence: u64,
    /// Keyed hash of the number.
    pub number_hash: Digest,
    /// Keyed digest of the payload.
    pub payload_digest: Digest,
    /// Its state.
    pub state: RecordState,
    /// Cards that became void for it.
    pub attempts: u32,
    /// Why it is in quarantine, void or revoked.
    pub reason: Option<String>,
    /// Station that holds it, and until when.
    pub lease: Option<(StationId, Timestamp)>,
    /// Time of its last change.
    pub updated: Timestamp,
}

/// The right of a station to work on a record. A later claim of the same record ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The record.
    pub record: RecordId,
    /// The station.
    pub station: StationId,
    /// Counts the claims of the record.
    pub fence: u64,
    /// Others may claim the record from this time on, unless a card of it is in work.
    pub expires: Timestamp,
}

/// What a station asks for.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// The run.
    pub run: &'a RunName,
    /// For how long, at most [`MAX_LEASE`].
    pub lease: Duration,
    /// Records that the station holds in memory, at most 64: it is not given these again.
    pub held: &'a [RecordId],
}

/// A record to work on.
#[derive(Clone)]
pub struct Job {
    /// The right to do so.
    pub lease: Lease,
    /// The record.
    pub record: Record,
    /// Its payload, as it was imported.
    pub payload: Vec<u8>,
    /// A card that was begun for it: go on with this one.
    pub card: Option<Card>,
    /// The card that was destroyed last for this record.
    pub replaces: Option<ChipSerial>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("lease", &self.lease)
            .field("record", &self.record)
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("card", &self.card)
            .field("replaces", &self.replaces)
            .finish()
    }
}

/// A card: one attempt to make one for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The record.
    pub record: RecordId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The chip.
    pub chip: ChipSerial,
    /// The last state that was reached.
    pub state: CardState,
    /// The state that was announced. The chip shows whether it came to it.
    pub announced: Option<CardState>,
    /// The state that it goes on with when it is released from quarantine.
    pub held: Option<CardState>,
    /// The destroyed card that this one replaces.
    pub replaces: Option<ChipSerial>,
    /// The station that worked on it last.
    pub station: StationId,
    /// All facts of its steps; a later one replaces an earlier one of the same name.
    pub facts: Facts,
    /// When it was reserved.
    pub reserved: Timestamp,
    /// Time of its last step.
    pub updated: Timestamp,
}

/// A step of a card.
#[derive(Debug, Clone)]
pub struct Advance<'a> {
    /// The chip, as it was identified in the reader.
    pub chip: &'a ChipSerial,
    /// The state that the card has.
    pub from: CardState,
    /// The state that it reached.
    pub to: CardState,
    /// What is known of the step.
    pub facts: &'a Facts,
    /// Announces that the step after this one is begun: saves a transaction.
    pub announce: bool,
}

/// One row of the log of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEntry {
    /// Place in the log; grows, with gaps.
    pub sequence: u64,
    /// The run.
    pub run: RunName,
    /// The record.
    pub record: RecordId,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The chip.
    pub chip: ChipSerial,
    /// Announced, not reached.
    pub announced: bool,
    /// State before; none where the card was reserved.
    pub from: Option<CardState>,
    /// State after.
    pub to: CardState,
    /// What is known of the step.
    pub facts: Facts,
    /// The station.
    pub station: StationId,
    /// When.
    pub at: Timestamp,
    /// Time since the row before, of the same card.
    pub took: Duration,
}

/// A chip that comes into the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChip {
    /// The chip.
    pub serial: ChipSerial,
    /// Kind of card, as the card profile names it.
    pub kind: String,
}

/// What is known of a chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipStatus {
    /// The chip.
    pub serial: ChipSerial,
    /// Kind of card.
    pub kind: String,
    /// Its state.
    pub state: StockState,
    /// Where it came from: a list, a delivery.
    pub source: String,
    /// Why it is destroyed or lost.
    pub reason: Option<String>,
    /// The card that it is on, the last one if there were several.
    pub card: Option<Card>,
}

/// What is to become of a record in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release<'a> {
    /// Goes on as it is, with its card.
    GoOn,
    /// Its card, if it has one, is destroyed; it gets a new one.
    Remake {
        /// Why the card is destroyed.
        reason: &'a str,
    },
}

/// Counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records by state.
    pub records: Vec<(RecordState, u64)>,
    /// Cards by state.
    pub cards: Vec<(CardState, u64)>,
    /// Work by station.
    pub stations: Vec<StationCounters>,
    /// Time by step.
    pub steps: Vec<StepTime>,
    /// Why cards became void and records came into quarantine, with how often.
    pub reasons: Vec<(String, u64)>,
}

impl Counters {
    /// How many records are in that state.
    #[must_use]
    pub fn records(&self, state: RecordState) -> u64 {
        self.records.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
    }

    /// How many cards are in that state.
    #[must_use]
    pub fn cards(&self, state: CardState) -> u64 {
        self.cards.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
    }

    /// Issued cards in a thousand of all finished ones; none when no card is finished.
    #[must_use]
    pub fn yield_per_mille(&self) -> Option<u64> {
        let (good, void) = (self.cards(CardState::Recorded), self.cards(CardState::Void));
        (good * 1000).checked_div(good + void)
    }
}

/// What a station did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationCounters {
    /// The station.
    pub station: StationId,
    /// Cards that it issued.
    pub issued: u64,
    /// Cards that it voided.
    pub void: u64,
    /// Cards that it set aside.
    pub quarantined: u64,
    /// First step within the time that was asked for.
    pub first: Timestamp,
    /// Last step.
    pub last: Timestamp,
}

/// How long a step takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTime {
    /// The state that it reaches.
    pub to: CardState,
    /// How many.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}
