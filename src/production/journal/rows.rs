//! Rows of tables as the types that they stand for.

use std::time::Duration;

use jiff::Timestamp;

use super::database::{Row, Value};
use super::types::{Card, MAX_TEXT, Record, Run, StepEntry};
use super::{Digest, Facts, JournalError};
use crate::production::state::{CardState, RecordState, RunState, StockState};

/// Columns of [`record`].
pub(super) const RECORD: &str = "record_id, (SELECT name FROM run WHERE run.run_id = record.run_id), sequence, number_hash, \
     payload_digest, state, attempts, reason, lease_station, lease_expires, updated, claims, run_id";
/// Columns of [`card`].
pub(super) const CARD: &str = "record_id, attempt, chip_serial, state, announced, held, replaces, \
     station, facts, reserved, updated, checksum, run_id";
/// Columns of [`step`].
pub(super) const STEP: &str = "sequence, (SELECT name FROM run WHERE run.run_id = step.run_id), \
     record_id, attempt, chip_serial, announced, from_state, to_state, facts, station, at, took, \
     checksum, run_id";
/// Columns of [`run`].
pub(super) const RUN: &str = "run_id, name, profile, state, reason, handed_out, created, closed";

/// A run with its key.
pub(super) struct RunRow {
    pub(super) key: i64,
    pub(super) run: Run,
}

/// A record with what only the journal needs.
pub(super) struct RecordRow {
    pub(super) record: Record,
    pub(super) claims: u64,
    pub(super) run_key: i64,
}

/// A card with what only the journal needs.
#[derive(Clone)]
pub(super) struct CardRow {
    pub(super) card: Card,
    pub(super) checksum: Digest,
    pub(super) run_key: i64,
}

/// A step with what only the journal needs.
pub(super) struct StepRow {
    pub(super) step: StepEntry,
    pub(super) checksum: Digest,
    pub(super) run_key: i64,
}

pub(super) fn damaged(what: impl Into<String>) -> JournalError {
    JournalError::Damaged(what.into())
}

/// A number as databases keep it.
pub(super) fn number(n: u64) -> Result<i64, JournalError> {
    i64::try_from(n).map_err(|_| JournalError::OutOfRange("a number is too large"))
}

pub(super) fn microseconds(duration: Duration) -> Result<i64, JournalError> {
    i64::try_from(duration.as_micros()).map_err(|_| JournalError::OutOfRange("a time is too long"))
}

pub(super) fn timestamp(microseconds: i64) -> Result<Timestamp, JournalError> {
    Timestamp::from_microsecond(microseconds).map_err(|_| damaged("a time is out of range"))
}

pub(super) fn digest(row: &Row, column: usize) -> Result<Digest, JournalError> {
    let bytes = row.blob(column)?.try_into();
    bytes.map(Digest::new).map_err(|_| damaged("a digest has another length"))
}

/// A text of people that is kept: a reason, a kind of card, a source, a profile.
pub(super) fn checked_text(text: &str) -> Result<&str, JournalError> {
    let fits =
        !text.is_empty() && text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
    if fits {
        Ok(text)
    } else {
        Err(JournalError::OutOfRange("a text is empty, longer than 256 characters or has controls"))
    }
}

/// Takes a name out of a row that was checked when it came in.
fn name<T: std::str::FromStr>(row: &Row, column: usize) -> Result<T, JournalError> {
    row.text(column)?.parse().map_err(|_| damaged(format!("column {column} is not a name")))
}

fn optional_name<T: std::str::FromStr>(
    row: &Row,
    column: usize,
) -> Result<Option<T>, JournalError> {
    if row.is_null(column) { Ok(None) } else { name(row, column).map(Some) }
}

macro_rules! state_readers {
    ($($function:ident: $state:ident,)+) => { $(
        pub(super) fn $function(text: &str) -> Result<$state, JournalError> {
            $state::from_name(text).ok_or_else(|| damaged(format!("{text:?} is no state")))
        }
    )+ };
}

state_readers! {
    card_state: CardState,
    record_state: RecordState,
    run_state: RunState,
    stock_state: StockState,
}

fn optional_card_state(row: &Row, column: usize) -> Result<Option<CardState>, JournalError> {
    row.optional_text(column)?.map(card_state).transpose()
}

fn facts(row: &Row, column: usize) -> Result<Facts, JournalError> {
    Facts::from_json(row.text(column)?).map_err(|error| damaged(format!("facts: {error}")))
}

fn optional_time(row: &Row, column: usize) -> Result<Option<Timestamp>, JournalError> {
    if row.is_null(column) { Ok(None) } else { timestamp(row.integer(column)?).map(Some) }
}

fn small(row: &Row, column: usize) -> Result<u32, JournalError> {
    u32::try_from(row.integer(column)?).map_err(|_| damaged("a count is out of range"))
}

pub(super) fn run(row: &Row) -> Result<RunRow, JournalError> {
    let run = Run {
        name: name(row, 1)?,
        profile: row.text(2)?.to_owned(),
        state: run_state(row.text(3)?)?,
        reason: row.optional_text(4)?.map(str::to_owned),
        handed_out: if row.is_null(5) { None } else { Some(row.count(5)?) },
        created: timestamp(row.integer(6)?)?,
        closed: optional_time(row, 7)?,
    };
    Ok(RunRow { key: row.integer(0)?, run })
}

pub(super) fn record(row: &Row) -> Result<RecordRow, JournalError> {
    let lease = match (optional_name(row, 8)?, optional_time(row, 9)?) {
        (Some(station), Some(expires)) => Some((station, expires)),
        _ => None,
    };
    let record = Record {
        id: name(row, 0)?,
        run: name(row, 1)?,
        sequence: row.count(2)?,
        number_hash: digest(row, 3)?,
        payload_digest: digest(row, 4)?,
        state: record_state(row.text(5)?)?,
        attempts: small(row, 6)?,
        reason: row.optional_text(7)?.map(str::to_owned),
        lease,
        updated: timestamp(row.integer(10)?)?,
    };
    Ok(RecordRow { record, claims: row.count(11)?, run_key: row.integer(12)? })
}

pub(super) fn card(row: &Row) -> Result<CardRow, JournalError> {
    let card = Card {
        record: name(row, 0)?,
        attempt: small(row, 1)?,
        chip: name(row, 2)?,
        state: card_state(row.text(3)?)?,
        announced: optional_card_state(row, 4)?,
        held: optional_card_state(row, 5)?,
        replaces: optional_name(row, 6)?,
        station: name(row, 7)?,
        facts: facts(row, 8)?,
        reserved: timestamp(row.integer(9)?)?,
        updated: timestamp(row.integer(10)?)?,
    };
    Ok(CardRow { card, checksum: digest(row, 11)?, run_key: row.integer(12)? })
}

pub(super) fn step(row: &Row) -> Result<StepRow, JournalError> {
    let step = StepEntry {
        sequence: row.count(0)?,
        run: name(row, 1)?,
        record: name(row, 2)?,
        attempt: small(row, 3)?,
        chip: name(row, 4)?,
        announced: row.integer(5)? != 0,
        from: optional_card_state(row, 6)?,
        to: card_state(row.text(7)?)?,
        facts: facts(row, 8)?,
        station: name(row, 9)?,
        at: timestamp(row.integer(10)?)?,
        took: Duration::from_micros(row.count(11)?),
    };
    Ok(StepRow { step, checksum: digest(row, 12)?, run_key: row.integer(13)? })
}

/// Bytes that a checksum is made over: every value with its kind and length.
pub(super) fn checked_bytes(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        let (kind, content) = match value {
            Value::Null => (0, Vec::new()),
            Value::Integer(number) => (1, number.to_be_bytes().to_vec()),
            Value::Text(text) => (2, text.as_bytes().to_vec()),
            Value::Blob(blob) => (3, blob.clone()),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&content);
    }
    bytes
}
