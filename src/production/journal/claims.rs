//! Who works on which record: claims, leases, and who gets a card that was begun.

use std::time::Duration;

use super::audit::AuditFact;
use super::database::{Row, values};
use super::rows::{self, CardRow, RECORD, RecordRow};
use super::transaction::Transaction;
use super::{
    Act, ChipSerial, ClaimRequest, Conflict, Job, Journal, JournalError, Lease, MAX_LEASE, RecordId,
};
use crate::production::state::{CardState, RecordState, RunState};

/// Most records that a station holds in memory.
const MAX_HELD: usize = 64;
/// No card of the record is in work or issued.
const NO_CARD: &str = "NOT EXISTS (SELECT 1 FROM card WHERE card.record_id = record.record_id \
     AND card.state <> 'void')";

impl Journal {
    /// Gives the station the next record, or none: first what it held before it was interrupted,
    /// then a record whose card it began, then the next one in the queue, then one that another
    /// station let expire before it took a card.
    ///
    /// # Errors
    /// [`Conflict::RunState`] when the run is not open; [`JournalError::Full`] when there is no room
    /// to write down a whole card.
    pub fn claim(
        &mut self,
        act: Act<'_>,
        request: &ClaimRequest<'_>,
    ) -> Result<Option<Job>, JournalError> {
        if request.held.len() > MAX_HELD {
            return Err(JournalError::OutOfRange("a station holds more than 64 records"));
        }
        self.write_new(|tx| {
            // What a station holds it goes on with, also when the run was stopped.
            let run = tx.run_in(request.run, &[RunState::Open, RunState::Stopped])?;
            let act = tx.enter(act)?;
            let row = match tx.own_record(act, run.key, request.held)? {
                None if run.run.state == RunState::Stopped => {
                    let (run, state) = (request.run.clone(), RunState::Stopped);
                    return Err(Conflict::RunState { run, state }.into());
                }
                None => tx.free_record(act, run.key)?,
                own => own,
            };
            let Some(row) = row else { return Ok(None) };
            let card = tx.living_card(&row.record.id)?;
            if card.as_ref().is_some_and(|card| card.card.station != *act.station) {
                // A card was begun after the row was chosen and before it was locked.
                return Err(JournalError::Busy("a station took it in this moment".to_owned()));
            }
            tx.give(act, row, card, request.lease).map(Some)
        })
    }

    /// Gives the station the record whose card it has in the reader, wherever that card was begun.
    ///
    /// # Errors
    /// [`Conflict::RecordState`] when another station holds the record, or the card is in quarantine
    /// or finished; [`Conflict::ChipUnknown`] when no card was begun with that chip.
    pub fn adopt(
        &mut self,
        act: Act<'_>,
        chip: &ChipSerial,
        lease: Duration,
    ) -> Result<Job, JournalError> {
        self.write(|tx| {
            let card = tx.card_of_chip(chip)?.filter(|card| card.card.state != CardState::Void);
            let record = card.ok_or_else(|| Conflict::ChipUnknown(chip.clone()))?.card.record;
            let row = tx.locked_record(&record)?;
            let act = tx.enter(act)?;
            let free = match row.record.state {
                RecordState::Queued => true,
                RecordState::Leased => {
                    row.record.lease.as_ref().is_none_or(|(station, expires)| {
                        station == act.station || *expires <= act.at
                    })
                }
                _ => false,
            };
            // The card may have become void before its record was locked.
            let card = tx.living_card(&record)?.filter(|card| card.card.chip == *chip);
            let (Some(mut card), true) = (card, free) else {
                let state = row.record.state;
                return Err(Conflict::RecordState { record, state }.into());
            };
            if card.card.station != *act.station {
                tx.change(
                    "UPDATE card SET station = ?3 WHERE record_id = ?1 AND attempt = ?2",
                    values![record.as_str(), card.card.attempt, act.station.as_str()],
                )?;
                card.card.station = act.station.clone();
                let fact = AuditFact::new(act, "card_adopted").of_run(&row.record.run);
                tx.audit(&fact.of_record(&record).of_chip(chip))?;
            }
            tx.give(act, row, Some(card), lease)
        })
    }

    /// Makes a lease longer, from now on.
    ///
    /// # Errors
    /// [`Conflict::LeaseLost`].
    pub fn renew(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        duration: Duration,
    ) -> Result<Lease, JournalError> {
        self.write(|tx| {
            tx.held_record(act, lease)?;
            let act = tx.enter(act)?;
            let expires = expiry(act, duration)?;
            tx.change(
                "UPDATE record SET lease_expires = ?2 WHERE record_id = ?1",
                values![lease.record.as_str(), expires],
            )?;
            Ok(Lease { expires, ..lease.clone() })
        })
    }

    /// Gives a record back into the queue. A card that was begun for it stays.
    ///
    /// # Errors
    /// [`Conflict::LeaseLost`].
    pub fn give_back(&mut self, act: Act<'_>, lease: &Lease) -> Result<(), JournalError> {
        self.write(|tx| {
            let row = tx.locked_record(&lease.record)?;
            if row.record.state == RecordState::Queued && row.claims == lease.fence {
                return Ok(());
            }
            let row = tx.held_record(act, lease)?;
            let act = tx.enter(act)?;
            let attempts = row.record.attempts;
            tx.put_record(act, &lease.record, RecordState::Queued, None, attempts)
        })
    }
}

/// When a lease that is given now ends.
fn expiry(act: Act<'_>, duration: Duration) -> Result<jiff::Timestamp, JournalError> {
    if duration.is_zero() || duration > MAX_LEASE {
        return Err(JournalError::OutOfRange("a lease is longer than nothing, at most a day"));
    }
    let ends = act.at.as_microsecond().saturating_add(rows::microseconds(duration)?);
    rows::timestamp(ends)
}

impl Transaction<'_> {
    /// A record that the station held, or whose card it began.
    fn own_record(
        &mut self,
        act: Act<'_>,
        run: i64,
        held: &[RecordId],
    ) -> Result<Option<RecordRow>, JournalError> {
        let lock = self.database.for_update();
        let sql = format!(
            "SELECT {RECORD} FROM record WHERE run_id = ?1 AND state = 'leased'
             AND lease_station = ?2 ORDER BY sequence{lock}"
        );
        let leased = self.query(&sql, values![run, act.station.as_str()])?;
        for row in &leased {
            let row = rows::record(row)?;
            if !held.contains(&row.record.id) {
                return Ok(Some(row));
            }
        }
        let lock = self.database.for_update_skip_locked();
        let sql = format!(
            "SELECT {RECORD} FROM record WHERE run_id = ?1 AND state = 'queued' AND record_id IN
                 (SELECT card.record_id FROM card WHERE card.station = ?2
                  AND card.state NOT IN ('void', 'recorded'))
             ORDER BY sequence LIMIT 1{lock}"
        );
        self.one_record(&sql, values![run, act.station.as_str()])
    }

    /// The next record that nobody holds.
    fn free_record(&mut self, act: Act<'_>, run: i64) -> Result<Option<RecordRow>, JournalError> {
        let lock = self.database.for_update_skip_locked();
        let sql = format!(
            "SELECT {RECORD} FROM record WHERE run_id = ?1 AND state = 'queued' AND {NO_CARD}
             ORDER BY sequence LIMIT 1{lock}"
        );
        if let Some(row) = self.one_record(&sql, values![run])? {
            return Ok(Some(row));
        }
        let sql = format!(
            "SELECT {RECORD} FROM record WHERE run_id = ?1 AND state = 'leased'
             AND lease_expires <= ?2 AND lease_station <> ?3 AND {NO_CARD}
             ORDER BY sequence LIMIT 1{lock}"
        );
        self.one_record(&sql, values![run, act.at, act.station.as_str()])
    }

    fn one_record(
        &mut self,
        sql: &str,
        parameters: &[super::database::Value],
    ) -> Result<Option<RecordRow>, JournalError> {
        let row: Option<Row> = self.first(sql, parameters)?;
        row.as_ref().map(rows::record).transpose()
    }

    /// Gives a locked record to the station.
    fn give(
        &mut self,
        act: Act<'_>,
        row: RecordRow,
        card: Option<CardRow>,
        duration: Duration,
    ) -> Result<Job, JournalError> {
        let expires = expiry(act, duration)?;
        let fence = row.claims + 1;
        let id = row.record.id.clone();
        self.change(
            "UPDATE record SET state = ?2, claims = ?3, lease_station = ?4, lease_expires = ?5,
                 updated = ?6 WHERE record_id = ?1",
            values![
                id.as_str(),
                RecordState::Leased.as_str(),
                rows::number(fence)?,
                act.station.as_str(),
                expires,
                act.at
            ],
        )?;
        let payload = self.payload(&id)?;
        let payload = payload
            .ok_or_else(|| rows::damaged(format!("the payload of record {id} is missing")))?;
        let replaces = self.destroyed_before(&id)?;
        let mut record = row.record;
        record.state = RecordState::Leased;
        record.lease = Some((act.station.clone(), expires));
        record.updated = act.at;
        let lease = Lease { record: id, station: act.station.clone(), fence, expires };
        Ok(Job { lease, record, payload, card: card.map(|card| card.card), replaces })
    }

    /// The record of a lease, locked, if the station still holds it.
    pub(super) fn held_record(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
    ) -> Result<RecordRow, JournalError> {
        let row = self.locked_record(&lease.record)?;
        let holder = row.record.lease.as_ref().map(|(station, _)| station);
        let held = row.record.state == RecordState::Leased
            && row.claims == lease.fence
            && holder == Some(&lease.station)
            && lease.station == *act.station;
        if held { Ok(row) } else { Err(Conflict::LeaseLost(lease.record.clone()).into()) }
    }
}
