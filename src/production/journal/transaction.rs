//! Transactions of the journal: tried again as a whole when that can help, and with the audit
//! record in them.

use std::time::Duration;

use super::audit::{Audit, AuditFact, AuditHead};
use super::database::{Database, Row, Value, values};
use super::rows;
use super::{Act, Digest, Journal, JournalError, schema};
use crate::production::state::Environment;

/// How often a transaction is tried, with waits from 10 ms on that double: some 2.5 s in all.
const TRIES: u32 = 9;
/// A clock may step back this far, as one that is set over the net does.
const CLOCK_TOLERANCE_US: i64 = 2_000_000;

/// An open transaction.
pub(super) struct Transaction<'a> {
    pub(super) database: &'a mut dyn Database,
    audit: Option<&'a mut (dyn Audit + 'static)>,
    environment: Environment,
}

impl Journal {
    /// A transaction that finishes what was begun: it may use the room kept back for that.
    pub(super) fn write<T>(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let done = self.persist(|journal| journal.once(false, &mut work));
        match done {
            Err(JournalError::Full(_)) if self.database.free_room() => {
                self.persist(|journal| journal.once(false, &mut work))
            }
            done => done,
        }
    }

    /// A transaction that begins something new: not when the disk is nearly full.
    pub(super) fn write_new<T>(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.persist(|journal| {
            journal.database.reconnect()?;
            journal.database.reserve_room()?;
            journal.once(false, &mut work)
        })
    }

    /// A transaction that reads one state of the journal.
    pub(super) fn read<T>(
        &mut self,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.persist(|journal| journal.once(true, &mut work))
    }

    /// Tries again what others or a broken connection prevented.
    pub(super) fn persist<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut wait = Duration::from_millis(10);
        for _ in 1..TRIES {
            match work(self) {
                Err(JournalError::Busy(_) | JournalError::Unavailable(_)) => {
                    std::thread::sleep(wait);
                    wait *= 2;
                }
                done => return done,
            }
        }
        work(self)
    }

    fn once<T>(
        &mut self,
        only_read: bool,
        work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.database.reconnect()?;
        if only_read {
            self.database.begin_read()?;
        } else {
            self.database.begin()?;
        }
        let mut transaction = Transaction {
            database: &mut *self.database,
            audit: self.audit.as_deref_mut(),
            environment: self.environment,
        };
        let done = work(&mut transaction);
        let done = done.and_then(|value| self.database.commit().map(|()| value));
        if done.is_err() {
            self.database.rollback();
        }
        done
    }

    /// A setting of the site that stands in the journal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn setting(&mut self, name: &str) -> Result<Option<String>, JournalError> {
        self.read(|tx| schema::setting(tx.database, name))
    }

    /// Sets it. `schema` and `environment` cannot be set.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn set_setting(
        &mut self,
        act: Act<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), JournalError> {
        if ["schema", "environment"].contains(&name) {
            return Err(JournalError::OutOfRange("this setting never changes"));
        }
        self.write(|tx| {
            if schema::setting(tx.database, name)?.as_deref() == Some(value) {
                return Ok(());
            }
            let act = tx.enter(act)?;
            tx.execute(
                "INSERT INTO settings (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                values![name, value],
            )?;
            let detail = super::Facts::new()
                .with("name", name)
                .with("value_digest", Digest::of(value.as_bytes()));
            tx.audit(&AuditFact::new(act, "setting_changed").detail(detail))
        })
    }

    /// Writes an entry of the audit record that no other call of the journal makes.
    ///
    /// # Errors
    /// [`JournalError::Audit`] also when no audit record is kept.
    pub fn append_audit(&mut self, act: Act<'_>, fact: &AuditFact) -> Result<(), JournalError> {
        if self.audit.is_none() {
            return Err(JournalError::Audit("none is kept".to_owned()));
        }
        self.write(|tx| {
            let act = tx.enter(act)?;
            tx.audit(&AuditFact { at: act.at, station: act.station.clone(), ..fact.clone() })
        })
    }

    /// Accepts that the clock of the station was set back, so that it can write again.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn accept_clock(&mut self, act: Act<'_>) -> Result<(), JournalError> {
        self.write(|tx| {
            let last = "SELECT last_entry FROM station WHERE station = ?1";
            let Some(row) = tx.first(last, values![act.station.as_str()])? else { return Ok(()) };
            let before = rows::timestamp(row.integer(0)?)?;
            if before <= act.at {
                return Ok(());
            }
            tx.execute(
                "UPDATE station SET last_entry = ?2 WHERE station = ?1",
                values![act.station.as_str(), act.at],
            )?;
            let detail = super::Facts::new().with("before", before.to_string());
            tx.audit(&AuditFact::new(act, "clock_accepted").detail(detail))
        })
    }
}

impl Transaction<'_> {
    pub(super) fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, JournalError> {
        self.database.query(sql, parameters)
    }

    pub(super) fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, JournalError> {
        self.database.execute(sql, parameters)
    }

    pub(super) fn first(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Option<Row>, JournalError> {
        Ok(self.database.query(sql, parameters)?.into_iter().next())
    }

    /// Changes exactly one row: another count means that what was read a moment ago is not there.
    pub(super) fn change(&mut self, sql: &str, parameters: &[Value]) -> Result<(), JournalError> {
        match self.database.execute(sql, parameters)? {
            1 => Ok(()),
            n => Err(JournalError::Damaged(format!("a statement changed {n} rows instead of one"))),
        }
    }

    /// Notes that the station writes now. The time that counts is never before its last entry.
    pub(super) fn enter<'b>(&mut self, act: Act<'b>) -> Result<Act<'b>, JournalError> {
        let row = self.first(
            "INSERT INTO station (station, last_entry) VALUES (?1, ?2)
             ON CONFLICT (station) DO UPDATE SET last_entry = CASE
                 WHEN excluded.last_entry > station.last_entry THEN excluded.last_entry
                 ELSE station.last_entry END
             RETURNING last_entry",
            values![act.station.as_str(), act.at],
        )?;
        let row = row.ok_or_else(|| JournalError::Damaged("a station is missing".to_owned()))?;
        let last = row.integer(0)?;
        let (now, last_at) = (act.at.as_microsecond(), rows::timestamp(last)?);
        if last.saturating_sub(now) > CLOCK_TOLERANCE_US {
            return Err(JournalError::ClockSteppedBack { now: act.at, last: last_at });
        }
        Ok(Act { station: act.station, at: last_at })
    }

    /// Appends an entry to the audit record. Production without one is refused.
    pub(super) fn audit(&mut self, fact: &AuditFact) -> Result<(), JournalError> {
        let Some(audit) = self.audit.as_deref_mut() else {
            return match self.environment {
                Environment::Test => Ok(()),
                Environment::Production => Err(JournalError::Audit("none is kept".to_owned())),
            };
        };
        let chain = audit.chain().as_str().to_owned();
        let head = lock_chain(self.database, &chain)?;
        let sealed = audit.seal(fact, head).map_err(JournalError::Audit)?;
        let previous = head.map_or(Digest::ZERO, |head| head.hash);
        let sequence = rows::number(head.map_or(0, |head| head.sequence) + 1)?;
        self.execute(
            "INSERT INTO audit (chain, sequence, previous, entry, hash, signature)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            values![
                chain.as_str(),
                sequence,
                previous,
                sealed.entry.as_slice(),
                sealed.hash,
                sealed.signature.as_slice()
            ],
        )?;
        self.change(
            "UPDATE chain SET sequence = ?2, hash = ?3 WHERE chain = ?1",
            values![chain, sequence, sealed.hash],
        )
    }
}

/// The end of the chain, which nobody else can move until this transaction ends.
fn lock_chain(database: &mut dyn Database, chain: &str) -> Result<Option<AuditHead>, JournalError> {
    database.execute(
        "INSERT INTO chain (chain, sequence, hash) VALUES (?1, 0, ?2)
         ON CONFLICT (chain) DO NOTHING",
        values![chain, Digest::ZERO],
    )?;
    let sql = format!("SELECT sequence, hash FROM chain WHERE chain = ?1{}", database.for_update());
    let rows = database.query(&sql, values![chain])?;
    let row = rows.first().ok_or_else(|| JournalError::Damaged("a chain is missing".to_owned()))?;
    let sequence = row.count(0)?;
    Ok((sequence > 0).then_some(AuditHead { sequence, hash: rows::digest(row, 1)? }))
}
