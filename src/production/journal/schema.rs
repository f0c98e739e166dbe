//! The tables, and how an older journal becomes a newer one.

use super::database::{Database, values};
use super::{JournalError, locks};
use crate::production::state::Environment;

/// One step of the schema for each version; a journal of version `n` has had the first `n`.
/// Append only.
const STEPS: &[&str] = &[VERSION_1];

const VERSION_1: &str = "
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) {STRICT};
CREATE TABLE run (
    run_id {SERIAL}, name TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, state TEXT NOT NULL,
    reason TEXT, handed_out {NUMBER}, created {NUMBER} NOT NULL, closed {NUMBER}) {STRICT};
CREATE TABLE record (
    record_id TEXT PRIMARY KEY, run_id {NUMBER} NOT NULL REFERENCES run (run_id),
    sequence {NUMBER} NOT NULL, number_hash {BYTES} NOT NULL, payload_digest {BYTES} NOT NULL,
    state TEXT NOT NULL, attempts {NUMBER} NOT NULL, claims {NUMBER} NOT NULL, reason TEXT,
    lease_station TEXT, lease_expires {NUMBER}, updated {NUMBER} NOT NULL,
    UNIQUE (run_id, sequence)) {STRICT};
CREATE INDEX record_by_state ON record (run_id, state, sequence);
CREATE INDEX record_by_number ON record (number_hash);
CREATE UNIQUE INDEX one_living_record ON record (number_hash)
    WHERE state NOT IN ('void', 'revoked');
CREATE TABLE payload (
    record_id TEXT PRIMARY KEY REFERENCES record (record_id), payload {BYTES} NOT NULL) {STRICT};
CREATE TABLE card (
    record_id TEXT NOT NULL REFERENCES record (record_id), attempt {NUMBER} NOT NULL,
    run_id {NUMBER} NOT NULL, chip_serial TEXT NOT NULL, state TEXT NOT NULL, announced TEXT,
    held TEXT, replaces TEXT, station TEXT NOT NULL, facts TEXT NOT NULL,
    given_back {NUMBER} NOT NULL, reserved {NUMBER} NOT NULL, updated {NUMBER} NOT NULL,
    checksum {BYTES} NOT NULL, PRIMARY KEY (record_id, attempt)) {STRICT};
CREATE UNIQUE INDEX one_living_card_of_a_record ON card (record_id) WHERE state <> 'void';
CREATE UNIQUE INDEX one_living_card_of_a_chip ON card (chip_serial) WHERE state <> 'void';
CREATE INDEX card_by_chip ON card (chip_serial);
CREATE INDEX card_by_state ON card (run_id, state);
CREATE INDEX card_of_station ON card (station) WHERE state NOT IN ('void', 'recorded');
CREATE TABLE step (
    sequence {SERIAL}, run_id {NUMBER} NOT NULL, record_id TEXT NOT NULL,
    attempt {NUMBER} NOT NULL, chip_serial TEXT NOT NULL, announced {NUMBER} NOT NULL,
    from_state TEXT, to_state TEXT NOT NULL, facts TEXT NOT NULL, station TEXT NOT NULL,
    at {NUMBER} NOT NULL, took {NUMBER} NOT NULL, checksum {BYTES} NOT NULL) {STRICT};
CREATE INDEX step_of_card ON step (record_id, attempt, sequence);
CREATE INDEX step_by_time ON step (run_id, at);
CREATE TABLE public_key (
    digest {BYTES} PRIMARY KEY, record_id TEXT NOT NULL, attempt {NUMBER} NOT NULL) {STRICT};
CREATE TABLE stock (
    chip_serial TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, source TEXT NOT NULL,
    reason TEXT, run_id {NUMBER}, updated {NUMBER} NOT NULL) {STRICT};
CREATE INDEX stock_by_run ON stock (run_id, state);
CREATE TABLE station (station TEXT PRIMARY KEY, last_entry {NUMBER} NOT NULL) {STRICT};
CREATE TABLE chain (
    chain TEXT PRIMARY KEY, sequence {NUMBER} NOT NULL, hash {BYTES} NOT NULL) {STRICT};
CREATE TABLE audit (
    chain TEXT NOT NULL, sequence {NUMBER} NOT NULL, previous {BYTES} NOT NULL,
    entry {BYTES} NOT NULL, hash {BYTES} NOT NULL, signature {BYTES} NOT NULL,
    PRIMARY KEY (chain, sequence)) {STRICT};
";

/// Makes the tables of a new journal, brings those of an older one up to date, and refuses any
/// other, all in one transaction.
pub(super) fn prepare(
    database: &mut dyn Database,
    environment: Environment,
) -> Result<(), JournalError> {
    database.begin()?;
    let done = prepare_within(database, environment).and_then(|()| database.commit());
    if done.is_err() {
        database.rollback();
    }
    done
}

fn prepare_within(
    database: &mut dyn Database,
    environment: Environment,
) -> Result<(), JournalError> {
    database.lock(locks::SCHEMA)?;
    let version = if database.has_table("settings")? { version(database)? } else { 0 };
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(JournalError::Newer { found: version, known });
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        database.define(step)?;
    }
    if version == 0 {
        let insert = "INSERT INTO settings (name, value) VALUES (?1, ?2)";
        database.execute(insert, values!["environment", environment.as_str()])?;
        database.execute(insert, values!["schema", known.to_string()])?;
    } else if version < known {
        let update = "UPDATE settings SET value = ?1 WHERE name = 'schema'";
        database.execute(update, values![known.to_string()])?;
    }
    let found = setting(database, "environment")?;
    match found.as_deref().and_then(Environment::from_name) {
        Some(found) if found == environment => Ok(()),
        Some(found) => Err(JournalError::Environment { expected: environment, found }),
        None => Err(JournalError::Damaged("it does not say what it is for".to_owned())),
    }
}

fn version(database: &mut dyn Database) -> Result<i64, JournalError> {
    let text = setting(database, "schema")?;
    let text = text.ok_or_else(|| JournalError::Foreign("it has no version".to_owned()))?;
    match text.parse() {
        Ok(version) if version > 0 => Ok(version),
        _ => Err(JournalError::Damaged(format!("its version is {text:?}"))),
    }
}

pub(super) fn setting(
    database: &mut dyn Database,
    name: &str,
) -> Result<Option<String>, JournalError> {
    let rows = database.query("SELECT value FROM settings WHERE name = ?1", values![name])?;
    rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}
