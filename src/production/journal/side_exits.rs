//! What leaves the straight way: cards destroyed, chips given back, quarantine and release.

use super::cards::{ANNOUNCED, NewStep};
use super::database::values;
use super::rows::{self, CardRow, RecordRow};
use super::transaction::Transaction;
use super::{
    Act, ChipSerial, Conflict, Facts, Journal, JournalError, Lease, Record, RecordId, Release,
};
use crate::production::state::{CardState, RecordState, StockState};

impl Journal {
    /// Writes down that the card of a record is destroyed. The record goes back into the queue; its
    /// next card names this one. The station that holds the record gives its lease, which ends;
    /// without one, nobody may hold it.
    ///
    /// # Errors
    /// [`Conflict::CardUnknown`], [`Conflict::LeaseLost`], [`Conflict::RecordState`]: a record in
    /// quarantine is [released](Self::release) instead.
    pub fn void_card(
        &mut self,
        act: Act<'_>,
        lease: Option<&Lease>,
        record: &RecordId,
        chip: &ChipSerial,
        reason: &str,
        facts: &Facts,
    ) -> Result<(), JournalError> {
        rows::checked_text(reason)?;
        self.write(|tx| {
            let row = tx.locked_record(record)?;
            if row.record.state == RecordState::Queued && tx.is_last_void(&row.record, chip)? {
                return Ok(());
            }
            let row = tx.record_in_hand(act, lease, row)?;
            let mut card = tx.card_with(record, chip)?;
            let act = tx.enter(act)?;
            let facts = facts.clone().with("reason", reason);
            tx.destroy(act, &row, &mut card, reason, &facts)?;
            let attempts = card.card.attempt;
            tx.put_record(act, record, RecordState::Queued, None, attempts)?;
            tx.audit_card(act, "card_void", &row.record.run, &card.card, &facts)
        })
    }

    /// Gives a chip back into the stock to which nothing was sent yet: the card is void, the chip
    /// blank, and the record goes back into the queue.
    ///
    /// # Errors
    /// [`Conflict::CardState`] when something was announced or reached; [`Conflict::LeaseLost`].
    pub fn put_back(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        chip: &ChipSerial,
    ) -> Result<(), JournalError> {
        self.write(|tx| {
            let row = tx.locked_record(&lease.record)?;
            if row.record.state == RecordState::Queued && tx.is_last_void(&row.record, chip)? {
                return Ok(());
            }
            let row = tx.held_record(act, lease)?;
            let mut card = tx.card_with(&lease.record, chip)?;
            let found = card.card.announced.unwrap_or(card.card.state);
            if found != CardState::Reserved {
                let (chip, expected) = (chip.clone(), CardState::Reserved);
                return Err(Conflict::CardState { chip, expected, found }.into());
            }
            let act = tx.enter(act)?;
            let facts = Facts::new().with("given_back", true);
            let (from, to) = (Some(card.card.state), CardState::Void);
            let step = NewStep { announced: false, from, to, facts: &facts };
            tx.append_step(act, &mut card, &step)?;
            tx.change(
                "UPDATE card SET given_back = 1 WHERE record_id = ?1 AND attempt = ?2",
                values![lease.record.as_str(), card.card.attempt],
            )?;
            tx.set_chip(act, chip, StockState::Blank, None)?;
            let attempts = card.card.attempt;
            tx.put_record(act, &lease.record, RecordState::Queued, None, attempts)?;
            tx.audit_card(act, "chip_given_back", &row.record.run, &card.card, &facts)
        })
    }

    /// Sets a record aside, with its card if one is in work, until it is released. The station that
    /// holds the record gives its lease, which ends; without one, nobody may hold it.
    ///
    /// # Errors
    /// [`Conflict::RecordState`], [`Conflict::LeaseLost`].
    pub fn quarantine(
        &mut self,
        act: Act<'_>,
        lease: Option<&Lease>,
        record: &RecordId,
        reason: &str,
        facts: &Facts,
    ) -> Result<(), JournalError> {
        rows::checked_text(reason)?;
        self.write(|tx| {
            let row = tx.locked_record(record)?;
            if row.record.state == RecordState::Quarantined {
                return Ok(());
            }
            let row = tx.record_in_hand(act, lease, row)?;
            let card = tx.living_card(record)?;
            tx.set_aside(act, &row, card, reason, facts)
        })
    }

    /// Takes a record out of quarantine, back into the queue.
    ///
    /// # Errors
    /// [`Conflict::RecordState`] when it is not there.
    pub fn release(
        &mut self,
        act: Act<'_>,
        record: &RecordId,
        release: &Release<'_>,
    ) -> Result<(), JournalError> {
        if let Release::Remake { reason } = release {
            rows::checked_text(reason)?;
        }
        self.write(|tx| {
            let row = tx.locked_record(record)?;
            let card = tx.living_card(record)?;
            let remade = matches!(release, Release::Remake { .. }) && card.is_some();
            match row.record.state {
                RecordState::Queued if !remade => return Ok(()),
                RecordState::Quarantined => {}
                state => return Err(Conflict::RecordState { record: record.clone(), state }.into()),
            }
            let act = tx.enter(act)?;
            let mut attempts = row.record.attempts;
            if let Some(mut card) = card {
                match release {
                    Release::GoOn => tx.bring_back(act, &mut card)?,
                    Release::Remake { reason } => {
                        let facts = Facts::new().with("reason", *reason);
                        tx.destroy(act, &row, &mut card, reason, &facts)?;
                        attempts = card.card.attempt;
                    }
                }
                let facts = Facts::new();
                tx.audit_card(act, "card_released", &row.record.run, &card.card, &facts)?;
            }
            let released = Record { attempts, ..row.record };
            tx.set_record(act, &released, RecordState::Queued, None, "record_released")
        })
    }
}

impl Transaction<'_> {
    /// A record that its holder changes, or that nobody holds and that is not finished.
    fn record_in_hand(
        &mut self,
        act: Act<'_>,
        lease: Option<&Lease>,
        row: RecordRow,
    ) -> Result<RecordRow, JournalError> {
        if let Some(lease) = lease {
            if lease.record != row.record.id {
                return Err(Conflict::LeaseLost(row.record.id).into());
            }
            return self.held_record(act, lease);
        }
        let expired = row.record.lease.as_ref().is_none_or(|(_, expires)| *expires <= act.at);
        match row.record.state {
            RecordState::Queued => Ok(row),
            RecordState::Leased if expired => Ok(row),
            state => Err(Conflict::RecordState { record: row.record.id, state }.into()),
        }
    }

    /// Whether the last card of the record is void and has that chip.
    fn is_last_void(&mut self, record: &Record, chip: &ChipSerial) -> Result<bool, JournalError> {
        if self.living_card(&record.id)?.is_some() {
            return Ok(false);
        }
        let row = self.first(
            "SELECT chip_serial FROM card WHERE record_id = ?1 AND attempt = ?2",
            values![record.id.as_str(), record.attempts],
        )?;
        row.map_or(Ok(false), |row| Ok(row.text(0)? == chip.as_str()))
    }

    fn destroy(
        &mut self,
        act: Act<'_>,
        row: &RecordRow,
        card: &mut CardRow,
        reason: &str,
        facts: &Facts,
    ) -> Result<(), JournalError> {
        let (from, to) = (card.card.state, CardState::Void);
        let chip = card.card.chip.clone();
        if !from.may_become(to) {
            return Err(Conflict::IllegalStep { chip, from, to }.into());
        }
        debug_assert_eq!(row.record.id, card.card.record);
        self.append_step(act, card, &NewStep { announced: false, from: Some(from), to, facts })?;
        self.set_chip(act, &chip, StockState::Destroyed, Some(reason))
    }

    /// Puts record and card into quarantine.
    pub(super) fn set_aside(
        &mut self,
        act: Act<'_>,
        row: &RecordRow,
        card: Option<CardRow>,
        reason: &str,
        facts: &Facts,
    ) -> Result<(), JournalError> {
        let act = self.enter(act)?;
        if let Some(mut card) = card.filter(|card| card.card.state.is_in_work()) {
            let mut facts = facts.clone().with("reason", reason);
            if let Some(announced) = card.card.announced {
                facts = facts.with(ANNOUNCED, announced.as_str());
            }
            let (from, to) = (Some(card.card.state), CardState::Quarantine);
            self.append_step(
                act,
                &mut card,
                &NewStep { announced: false, from, to, facts: &facts },
            )?;
            self.audit_card(act, "card_quarantined", &row.record.run, &card.card, &facts)?;
        }
        let state = RecordState::Quarantined;
        self.set_record(act, &row.record, state, Some(reason), "record_quarantined")
    }

    /// Brings a card out of quarantine to where it was.
    fn bring_back(&mut self, act: Act<'_>, card: &mut CardRow) -> Result<(), JournalError> {
        let (from, held) = (card.card.state, card.card.held);
        let (CardState::Quarantine, Some(to)) = (from, held) else {
            return Ok(()); // The record was set aside before its card was begun.
        };
        let mut facts = Facts::new().with("released", true);
        if let Some(announced) = card.card.announced {
            facts = facts.with(ANNOUNCED, announced.as_str());
        }
        self.append_step(
            act,
            card,
            &NewStep { announced: false, from: Some(from), to, facts: &facts },
        )
    }
}
