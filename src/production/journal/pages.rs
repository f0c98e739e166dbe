//! The journal page by page, for exports, reports and audits.

use super::audit::{AuditEntry, AuditHead, SealedEntry};
use super::database::{Row, values};
use super::rows::{self, CARD, RECORD, STEP};
use super::{
    Card, Digest, Journal, JournalError, MAX_PAGE, Record, RecordId, RunName, StationId, StepEntry,
};

/// How many rows of a page are asked for.
fn limit(asked: usize) -> i64 {
    i64::try_from(asked.clamp(1, MAX_PAGE)).unwrap_or(1)
}

impl Journal {
    /// Records of a run in their order, those after `sequence`; at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn records(
        &mut self,
        run: &RunName,
        sequence: u64,
        most: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let after = rows::number(sequence)?;
        self.read(|tx| {
            let run = tx.run(run)?.key;
            let sql = format!(
                "SELECT {RECORD} FROM record WHERE run_id = ?1 AND sequence > ?2
                 ORDER BY sequence LIMIT ?3"
            );
            let rows = tx.query(&sql, values![run, after, limit(most)])?;
            rows.iter().map(|row| Ok(rows::record(row)?.record)).collect()
        })
    }

    /// All cards of a record, the first one first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn cards(&mut self, record: &RecordId) -> Result<Vec<Card>, JournalError> {
        self.read(|tx| {
            let sql = format!("SELECT {CARD} FROM card WHERE record_id = ?1 ORDER BY attempt");
            let rows = tx.query(&sql, values![record.as_str()])?;
            rows.iter().map(|row| Ok(rows::card(row)?.card)).collect()
        })
    }

    /// Cards of a run that are in work or in quarantine, those of records after `record`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn unfinished_cards(
        &mut self,
        run: &RunName,
        record: Option<&RecordId>,
        most: usize,
    ) -> Result<Vec<Card>, JournalError> {
        let after = record.map_or("", RecordId::as_str);
        self.read(|tx| {
            let run = tx.run(run)?.key;
            let sql = format!(
                "SELECT {CARD} FROM card WHERE run_id = ?1 AND state NOT IN ('void', 'recorded')
                 AND record_id > ?2 ORDER BY record_id LIMIT ?3"
            );
            let rows = tx.query(&sql, values![run, after, limit(most)])?;
            rows.iter().map(|row| Ok(rows::card(row)?.card)).collect()
        })
    }

    /// Steps of all cards, those after `sequence`. While stations work, a step may appear before
    /// the end of what was read already.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn steps(&mut self, sequence: u64, most: usize) -> Result<Vec<StepEntry>, JournalError> {
        let after = rows::number(sequence)?;
        self.read(|tx| {
            let sql =
                format!("SELECT {STEP} FROM step WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
            steps(&tx.query(&sql, values![after, limit(most)])?)
        })
    }

    /// Steps of the cards of a record.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn steps_of(&mut self, record: &RecordId) -> Result<Vec<StepEntry>, JournalError> {
        self.read(|tx| {
            let sql =
                format!("SELECT {STEP} FROM step WHERE record_id = ?1 ORDER BY attempt, sequence");
            steps(&tx.query(&sql, values![record.as_str()])?)
        })
    }

    /// The ends of all chains of the audit record.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn audit_heads(&mut self) -> Result<Vec<(StationId, AuditHead)>, JournalError> {
        self.read(|tx| {
            let rows = tx.query(
                "SELECT chain, sequence, hash FROM chain WHERE sequence > 0 ORDER BY chain",
                &[],
            )?;
            let head = |row: &Row| {
                let chain = StationId::new(row.text(0)?);
                let chain = chain.map_err(|_| rows::damaged("a name of a chain"))?;
                let hash: Digest = rows::digest(row, 2)?;
                Ok((chain, AuditHead { sequence: row.count(1)?, hash }))
            };
            rows.iter().map(head).collect()
        })
    }

    /// Entries of a chain of the audit record, those after `sequence`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn audit_entries(
        &mut self,
        chain: &StationId,
        sequence: u64,
        most: usize,
    ) -> Result<Vec<AuditEntry>, JournalError> {
        let after = rows::number(sequence)?;
        self.read(|tx| {
            let rows = tx.query(
                "SELECT sequence, previous, entry, hash, signature FROM audit
                 WHERE chain = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3",
                values![chain.as_str(), after, limit(most)],
            )?;
            let entry = |row: &Row| {
                let sealed = SealedEntry {
                    entry: row.blob(2)?.to_vec(),
                    hash: rows::digest(row, 3)?,
                    signature: row.blob(4)?.to_vec(),
                };
                let previous = rows::digest(row, 1)?;
                Ok(AuditEntry { sequence: row.count(0)?, previous, sealed })
            };
            rows.iter().map(entry).collect()
        })
    }
}

fn steps(found: &[Row]) -> Result<Vec<StepEntry>, JournalError> {
    found.iter().map(|row| Ok(rows::step(row)?.step)).collect()
}
