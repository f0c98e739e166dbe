//! Records: imported all or none, looked up, withdrawn, revoked, erased.

use std::error::Error;

use super::audit::AuditFact;
use super::database::values;
use super::rows::{self, RECORD, RecordRow, RunRow};
use super::transaction::Transaction;
use super::{
    Act, Conflict, Facts, ImportConflict, ImportConflictKind, Imported, Journal, JournalError,
    MAX_PAYLOAD, NewRecord, Record, RecordId, RunName, locks,
};
use crate::production::state::{RecordState, RunState};

/// Most conflicts of an import that are listed.
const MAX_CONFLICTS: usize = 1000;

/// What an import reads from: an error ends it, and nothing is imported.
pub type RecordSource<'a> =
    dyn Iterator<Item = Result<NewRecord, Box<dyn Error + Send + Sync>>> + 'a;

impl Journal {
    /// Imports records into a run in the order in which they come: all, or none. A record that the
    /// run has already, unchanged, is passed over.
    ///
    /// Once the first record was taken from `source` nothing is tried again: the caller begins anew.
    ///
    /// # Errors
    /// [`Conflict::Import`] with all that contradicts: a record changed, in another run, or with the
    /// number of another living one. [`JournalError::Source`].
    pub fn import(
        &mut self,
        act: Act<'_>,
        run: &RunName,
        source: &mut RecordSource<'_>,
    ) -> Result<Imported, JournalError> {
        let mut begun = false;
        let done = self.write_new(|tx| {
            if begun {
                // Half of the source is gone with the transaction that failed.
                return Ok(None);
            }
            tx.database.lock(locks::IMPORT)?;
            let found = tx.run_in(run, &[RunState::Open, RunState::Stopped])?;
            let act = tx.enter(act)?;
            begun = true;
            tx.import(act, &found, source).map(Some)
        })?;
        done.ok_or_else(|| JournalError::Unavailable("the import was interrupted".to_owned()))
    }

    /// The record of that name.
    ///
    /// # Errors
    /// [`Conflict::RecordUnknown`].
    pub fn record(&mut self, id: &RecordId) -> Result<Record, JournalError> {
        self.read(|tx| Ok(tx.record(id, "")?.record))
    }

    /// Its payload, unless it was erased.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn payload(&mut self, id: &RecordId) -> Result<Option<Vec<u8>>, JournalError> {
        self.read(|tx| tx.payload(id))
    }

    /// Withdraws a record for which no card is in work.
    ///
    /// # Errors
    /// [`Conflict::RecordState`], [`Conflict::RecordHasCard`].
    pub fn withdraw(
        &mut self,
        act: Act<'_>,
        id: &RecordId,
        reason: &str,
    ) -> Result<(), JournalError> {
        rows::checked_text(reason)?;
        self.write(|tx| {
            let found = tx.locked_record(id)?.record;
            match found.state {
                RecordState::Void => return Ok(()),
                RecordState::Queued | RecordState::Quarantined => {}
                state => return Err(Conflict::RecordState { record: id.clone(), state }.into()),
            }
            if let Some(card) = tx.living_card(id)? {
                let chip = card.card.chip;
                return Err(Conflict::RecordHasCard { record: id.clone(), chip }.into());
            }
            tx.set_record(act, &found, RecordState::Void, Some(reason), "record_withdrawn")
        })
    }

    /// Puts a withdrawn record back into the queue.
    ///
    /// # Errors
    /// [`Conflict::NumberLives`] when another record has its number since.
    pub fn retry(&mut self, act: Act<'_>, id: &RecordId) -> Result<(), JournalError> {
        self.write(|tx| {
            tx.database.lock(locks::IMPORT)?;
            let found = tx.locked_record(id)?.record;
            match found.state {
                RecordState::Queued => return Ok(()),
                RecordState::Void => {}
                state => return Err(Conflict::RecordState { record: id.clone(), state }.into()),
            }
            tx.run_in(&found.run, &[RunState::Open, RunState::Stopped])?;
            if let Some(other) = tx.living_number(&found.number_hash)? {
                return Err(Conflict::NumberLives { record: id.clone(), other }.into());
            }
            tx.set_record(act, &found, RecordState::Queued, None, "record_retried")
        })
    }

    /// Notes that the issued card of a record is lost or revoked; its number may be issued again.
    ///
    /// # Errors
    /// [`Conflict::RecordState`] when no card was issued.
    pub fn revoke(
        &mut self,
        act: Act<'_>,
        id: &RecordId,
        reason: &str,
    ) -> Result<(), JournalError> {
        rows::checked_text(reason)?;
        self.write(|tx| {
            let found = tx.locked_record(id)?.record;
            match found.state {
                RecordState::Revoked => return Ok(()),
                RecordState::Issued => {}
                state => return Err(Conflict::RecordState { record: id.clone(), state }.into()),
            }
            tx.set_record(act, &found, RecordState::Revoked, Some(reason), "card_revoked")
        })
    }

    /// Erases the payload of a record that is finished.
    ///
    /// # Errors
    /// [`Conflict::RecordState`] when it is not.
    pub fn erase_payload(&mut self, act: Act<'_>, id: &RecordId) -> Result<(), JournalError> {
        self.write(|tx| {
            let found = tx.locked_record(id)?.record;
            match found.state {
                RecordState::Issued | RecordState::Void | RecordState::Revoked => {}
                state => return Err(Conflict::RecordState { record: id.clone(), state }.into()),
            }
            let erased =
                tx.execute("DELETE FROM payload WHERE record_id = ?1", values![id.as_str()])?;
            if erased == 0 {
                return Ok(());
            }
            let act = tx.enter(act)?;
            let detail = Facts::new().with("payload_digest", found.payload_digest);
            tx.audit(
                &AuditFact::new(act, "payload_erased")
                    .of_run(&found.run)
                    .of_record(id)
                    .detail(detail),
            )
        })
    }
}

impl Transaction<'_> {
    fn import(
        &mut self,
        act: Act<'_>,
        run: &RunRow,
        source: &mut RecordSource<'_>,
    ) -> Result<Imported, JournalError> {
        let last = self.first(
            "SELECT COALESCE(MAX(sequence), 0) FROM record WHERE run_id = ?1",
            values![run.key],
        )?;
        let mut sequence = last.map_or(Ok(0), |row| row.integer(0))?;
        let mut done = Imported { added: 0, known: 0 };
        let mut conflicts = Vec::new();
        for (place, record) in (0..).zip(source) {
            let record = record.map_err(|error| JournalError::Source(error.to_string()))?;
            if record.payload.len() > MAX_PAYLOAD {
                return Err(JournalError::OutOfRange("the payload of a record is too large"));
            }
            match self.import_one(act, run, &record, sequence + 1)? {
                Ok(true) => {
                    sequence += 1;
                    done.added += 1;
                }
                Ok(false) => done.known += 1,
                Err(kind) => conflicts.push(ImportConflict { record: record.id, place, kind }),
            }
            if conflicts.len() == MAX_CONFLICTS {
                break;
            }
        }
        if !conflicts.is_empty() {
            return Err(Conflict::Import(conflicts).into());
        }
        if done.added > 0 {
            let detail = Facts::new()
                .with("added", rows::number(done.added)?)
                .with("known", rows::number(done.known)?)
                .with("last", sequence);
            let fact = AuditFact::new(act, "records_imported").of_run(&run.run.name);
            self.audit(&fact.detail(detail))?;
        }
        Ok(done)
    }

    /// True when it is new, false when it was there already.
    fn import_one(
        &mut self,
        act: Act<'_>,
        run: &RunRow,
        new: &NewRecord,
        sequence: i64,
    ) -> Result<Result<bool, ImportConflictKind>, JournalError> {
        if let Some(found) = self.find_record(&new.id, "")? {
            let same = found.record.payload_digest == new.payload_digest
                && found.record.number_hash == new.number_hash;
            return Ok(if !same {
                Err(ImportConflictKind::Changed)
            } else if found.run_key != run.key {
                Err(ImportConflictKind::InOtherRun(found.record.run))
            } else {
                Ok(false)
            });
        }
        if let Some(other) = self.living_number(&new.number_hash)? {
            return Ok(Err(ImportConflictKind::NumberLives(other)));
        }
        self.execute(
            "INSERT INTO record (record_id, run_id, sequence, number_hash, payload_digest, state,
                 attempts, claims, updated) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7)",
            values![
                new.id.as_str(),
                run.key,
                sequence,
                new.number_hash,
                new.payload_digest,
                RecordState::Queued.as_str(),
                act.at
            ],
        )?;
        self.execute(
            "INSERT INTO payload (record_id, payload) VALUES (?1, ?2)",
            values![new.id.as_str(), new.payload.as_slice()],
        )?;
        Ok(Ok(true))
    }

    fn living_number(&mut self, hash: &super::Digest) -> Result<Option<RecordId>, JournalError> {
        let row = self.first(
            "SELECT record_id FROM record
             WHERE number_hash = ?1 AND state NOT IN ('void', 'revoked')",
            values![*hash],
        )?;
        let id = row.map(|row| row.text(0).map(RecordId::new)).transpose()?;
        id.transpose().map_err(|_| rows::damaged("a record id"))
    }

    pub(super) fn find_record(
        &mut self,
        id: &RecordId,
        lock: &str,
    ) -> Result<Option<RecordRow>, JournalError> {
        let sql = format!("SELECT {RECORD} FROM record WHERE record_id = ?1{lock}");
        self.first(&sql, values![id.as_str()])?.as_ref().map(rows::record).transpose()
    }

    pub(super) fn record(&mut self, id: &RecordId, lock: &str) -> Result<RecordRow, JournalError> {
        self.find_record(id, lock)?.ok_or_else(|| Conflict::RecordUnknown(id.clone()).into())
    }

    /// The record, which nobody else changes until this transaction ends.
    pub(super) fn locked_record(&mut self, id: &RecordId) -> Result<RecordRow, JournalError> {
        let lock = self.database.for_update();
        self.record(id, lock)
    }

    pub(super) fn payload(&mut self, id: &RecordId) -> Result<Option<Vec<u8>>, JournalError> {
        let sql = "SELECT payload FROM payload WHERE record_id = ?1";
        let row = self.first(sql, values![id.as_str()])?;
        row.map(|row| row.blob(0).map(<[u8]>::to_vec)).transpose()
    }

    /// Brings a record into a state in which nobody holds it, and writes that down.
    pub(super) fn set_record(
        &mut self,
        act: Act<'_>,
        record: &Record,
        state: RecordState,
        reason: Option<&str>,
        event: &'static str,
    ) -> Result<(), JournalError> {
        let act = self.enter(act)?;
        self.put_record(act, &record.id, state, reason, record.attempts)?;
        let mut detail = Facts::new().with("state", state.as_str());
        if let Some(reason) = reason {
            detail = detail.with("reason", reason);
        }
        self.audit(
            &AuditFact::new(act, event).of_run(&record.run).of_record(&record.id).detail(detail),
        )
    }

    /// Brings a record into a state in which nobody holds it.
    pub(super) fn put_record(
        &mut self,
        act: Act<'_>,
        id: &RecordId,
        state: RecordState,
        reason: Option<&str>,
        attempts: u32,
    ) -> Result<(), JournalError> {
        self.change(
            "UPDATE record SET state = ?2, reason = ?3, attempts = ?4, updated = ?5,
                 lease_expires = NULL WHERE record_id = ?1",
            values![id.as_str(), state.as_str(), reason, attempts, act.at],
        )
    }
}
