//! Cards: reserved, and brought from state to state by the station that holds the record.

use super::audit::AuditFact;
use super::database::values;
use super::rows::{self, CARD, CardRow, RecordRow};
use super::transaction::Transaction;
use super::{
    Act, Advance, Card, ChipSerial, Conflict, Digest, Fact, Facts, Journal, JournalError, Lease,
    RecordId,
};
use crate::production::state::{CardState, RecordState, StockState};

/// Name of the fact that keeps an announcement through quarantine.
pub(super) const ANNOUNCED: &str = "announced";
/// Most public keys of a card.
const MAX_KEYS: usize = 16;

/// A step of a card to be written.
pub(super) struct NewStep<'a> {
    pub(super) announced: bool,
    pub(super) from: Option<CardState>,
    pub(super) to: CardState,
    pub(super) facts: &'a Facts,
}

impl Journal {
    /// Takes a blank chip of the stock for a record. Whatever happens to that chip from now on is
    /// the history of this card. With `announce` the first step is announced as well.
    ///
    /// # Errors
    /// [`Conflict::ChipUnknown`], [`Conflict::ChipState`], [`Conflict::ChipKind`],
    /// [`Conflict::ChipTaken`], [`Conflict::RecordHasCard`], [`Conflict::LeaseLost`].
    pub fn reserve(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        chip: &ChipSerial,
        kind: &str,
        facts: &Facts,
        announce: bool,
    ) -> Result<Card, JournalError> {
        self.write(|tx| {
            let row = tx.held_record(act, lease)?;
            if let Some(found) = tx.living_card(&lease.record)? {
                let card = found.card;
                let again = card.chip == *chip && card.state == CardState::Reserved;
                if again && card.announced.is_some() == announce {
                    return Ok(card);
                }
                let (record, chip) = (lease.record.clone(), card.chip);
                return Err(Conflict::RecordHasCard { record, chip }.into());
            }
            let act = tx.enter(act)?;
            tx.take_chip(act, &row, chip, kind)?;
            let mut card = tx.insert_card(act, &row, chip)?;
            let step = NewStep { announced: false, from: None, to: CardState::Reserved, facts };
            tx.append_step(act, &mut card, &step)?;
            if announce {
                tx.announce_next(act, &mut card)?;
            }
            tx.audit_card(act, "card_reserved", &row.record.run, &card.card, facts)?;
            Ok(card.card)
        })
    }

    /// Announces that the step to `to` begins now: it is on the disk when this returns, and the
    /// first command of it may be sent.
    ///
    /// # Errors
    /// [`Conflict::IllegalStep`], [`Conflict::LeaseLost`], [`Conflict::CardUnknown`].
    pub fn announce(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        chip: &ChipSerial,
        to: CardState,
    ) -> Result<Card, JournalError> {
        self.write(|tx| {
            let row = tx.held_record(act, lease)?;
            let mut card = tx.card_with(&lease.record, chip)?;
            if card.card.announced == Some(to) {
                return Ok(card.card);
            }
            let from = card.card.state;
            if from.next() != Some(to) {
                return Err(Conflict::IllegalStep { chip: chip.clone(), from, to }.into());
            }
            let act = tx.enter(act)?;
            tx.announce_next(act, &mut card)?;
            let facts = Facts::new();
            tx.audit_card(act, "card_announced", &row.record.run, &card.card, &facts)?;
            Ok(card.card)
        })
    }

    /// Writes down that a card reached a state. With [`CardState::Recorded`] the record is issued
    /// and the lease ends.
    ///
    /// # Errors
    /// [`Conflict::CardState`] when the card is not where the step begins, [`Conflict::IllegalStep`],
    /// [`Conflict::NotAnnounced`], [`Conflict::LeaseLost`], [`Conflict::CardUnknown`].
    pub fn advance(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        step: &Advance<'_>,
    ) -> Result<Card, JournalError> {
        let (from, to) = (step.from, step.to);
        if from.next() != Some(to) {
            return Err(Conflict::IllegalStep { chip: step.chip.clone(), from, to }.into());
        }
        self.write(|tx| {
            if let Some(card) = tx.recorded_before(lease, step)? {
                return Ok(card);
            }
            let row = tx.held_record(act, lease)?;
            let mut card = tx.card_with(&lease.record, step.chip)?;
            let found = card.card.state;
            if found == to && card.card.announced.is_some() == step.announce {
                return Ok(card.card);
            }
            if found != from {
                let chip = step.chip.clone();
                return Err(Conflict::CardState { chip, expected: from, found }.into());
            }
            if to.changes_chip() && card.card.announced != Some(to) {
                return Err(Conflict::NotAnnounced { chip: step.chip.clone(), to }.into());
            }
            let act = tx.enter(act)?;
            let new = NewStep { announced: false, from: Some(from), to, facts: step.facts };
            tx.append_step(act, &mut card, &new)?;
            if step.announce {
                tx.announce_next(act, &mut card)?;
            }
            if to == CardState::Recorded {
                tx.issue(act, &row, step.chip)?;
            }
            tx.audit_card(act, "card_advanced", &row.record.run, &card.card, step.facts)?;
            Ok(card.card)
        })
    }

    /// Notes the public keys of a card, as digests: no key is ever on two cards.
    ///
    /// # Errors
    /// [`Conflict::KeyReused`], [`Conflict::LeaseLost`].
    pub fn register_keys(
        &mut self,
        act: Act<'_>,
        lease: &Lease,
        keys: &[Digest],
    ) -> Result<(), JournalError> {
        if keys.len() > MAX_KEYS {
            return Err(JournalError::OutOfRange("a card has more than 16 public keys"));
        }
        self.write(|tx| {
            let row = tx.held_record(act, lease)?;
            let attempt = row.record.attempts + 1;
            let act = tx.enter(act)?;
            for key in keys {
                let inserted = tx.execute(
                    "INSERT INTO public_key (digest, record_id, attempt) VALUES (?1, ?2, ?3)
                     ON CONFLICT (digest) DO NOTHING",
                    values![*key, lease.record.as_str(), attempt],
                )?;
                let own = "SELECT 1 FROM public_key
                     WHERE digest = ?1 AND record_id = ?2 AND attempt = ?3";
                let owner = values![*key, lease.record.as_str(), attempt];
                if inserted == 0 && tx.first(own, owner)?.is_none() {
                    let record = lease.record.clone();
                    return Err(Conflict::KeyReused { digest: *key, record }.into());
                }
            }
            let mut detail = Facts::new();
            for (n, key) in keys.iter().enumerate() {
                detail = detail.with(&format!("key_{n}"), *key);
            }
            tx.audit(
                &AuditFact::new(act, "public_keys_registered")
                    .of_run(&row.record.run)
                    .of_record(&lease.record)
                    .detail(detail),
            )
        })
    }
}

impl Transaction<'_> {
    /// The card, if this very step issued it already.
    fn recorded_before(
        &mut self,
        lease: &Lease,
        step: &Advance<'_>,
    ) -> Result<Option<Card>, JournalError> {
        if step.to != CardState::Recorded {
            return Ok(None);
        }
        let row = self.locked_record(&lease.record)?;
        if row.record.state != RecordState::Issued || row.claims != lease.fence {
            return Ok(None);
        }
        let card = self.living_card(&lease.record)?.map(|card| card.card);
        Ok(card.filter(|card| card.chip == *step.chip && card.state == CardState::Recorded))
    }

    fn take_chip(
        &mut self,
        act: Act<'_>,
        row: &RecordRow,
        chip: &ChipSerial,
        kind: &str,
    ) -> Result<(), JournalError> {
        let lock = self.database.for_update();
        let sql = format!("SELECT kind, state FROM stock WHERE chip_serial = ?1{lock}");
        let found = self.first(&sql, values![chip.as_str()])?;
        let found = found.ok_or_else(|| Conflict::ChipUnknown(chip.clone()))?;
        let expected = found.text(0)?;
        if expected != kind {
            let (expected, found) = (expected.to_owned(), kind.to_owned());
            return Err(Conflict::ChipKind { chip: chip.clone(), expected, found }.into());
        }
        match rows::stock_state(found.text(1)?)? {
            StockState::Blank => {}
            state => {
                let card = self.card_of_chip(chip)?.map(|card| card.card);
                return Err(match card.filter(|card| card.state != CardState::Void) {
                    Some(card) => Conflict::ChipTaken { chip: chip.clone(), record: card.record },
                    None => Conflict::ChipState { chip: chip.clone(), state },
                }
                .into());
            }
        }
        self.change(
            "UPDATE stock SET state = ?2, run_id = ?3, updated = ?4 WHERE chip_serial = ?1",
            values![chip.as_str(), StockState::InWork.as_str(), row.run_key, act.at],
        )
    }

    fn insert_card(
        &mut self,
        act: Act<'_>,
        row: &RecordRow,
        chip: &ChipSerial,
    ) -> Result<CardRow, JournalError> {
        let record = &row.record.id;
        let card = Card {
            record: record.clone(),
            attempt: row.record.attempts + 1,
            chip: chip.clone(),
            state: CardState::Reserved,
            announced: None,
            held: None,
            replaces: self.destroyed_before(record)?,
            station: act.station.clone(),
            facts: Facts::new(),
            reserved: act.at,
            updated: act.at,
        };
        let card = CardRow { card, checksum: Digest::ZERO, run_key: row.run_key };
        self.execute(
            "INSERT INTO card (record_id, attempt, run_id, chip_serial, state, replaces, station,
                 facts, given_back, reserved, updated, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '{}', 0, ?8, ?8, ?9)",
            values![
                record.as_str(),
                card.card.attempt,
                card.run_key,
                chip.as_str(),
                card.card.state.as_str(),
                card.card.replaces.as_ref().map(ChipSerial::as_str),
                act.station.as_str(),
                act.at,
                card.checksum
            ],
        )?;
        Ok(card)
    }

    /// The chip of the last destroyed card of the record.
    pub(super) fn destroyed_before(
        &mut self,
        record: &RecordId,
    ) -> Result<Option<ChipSerial>, JournalError> {
        let row = self.first(
            "SELECT chip_serial FROM card WHERE record_id = ?1 AND state = 'void'
             AND given_back = 0 ORDER BY attempt DESC LIMIT 1",
            values![record.as_str()],
        )?;
        let chip = row.map(|row| row.text(0).map(ChipSerial::new)).transpose()?;
        chip.transpose().map_err(|_| rows::damaged("a chip serial"))
    }

    /// Card, record and stock become issued, and the lease ends.
    fn issue(
        &mut self,
        act: Act<'_>,
        row: &RecordRow,
        chip: &ChipSerial,
    ) -> Result<(), JournalError> {
        let (id, attempts) = (&row.record.id, row.record.attempts);
        self.put_record(act, id, RecordState::Issued, None, attempts)?;
        self.set_chip(act, chip, StockState::Issued, None)
    }

    pub(super) fn set_chip(
        &mut self,
        act: Act<'_>,
        chip: &ChipSerial,
        state: StockState,
        reason: Option<&str>,
    ) -> Result<(), JournalError> {
        self.change(
            "UPDATE stock SET state = ?2, reason = ?3, updated = ?4,
                 run_id = CASE WHEN ?2 = 'blank' THEN NULL ELSE run_id END
             WHERE chip_serial = ?1",
            values![chip.as_str(), state.as_str(), reason, act.at],
        )
    }

    /// The card of the record that is not void.
    pub(super) fn living_card(
        &mut self,
        record: &RecordId,
    ) -> Result<Option<CardRow>, JournalError> {
        let sql = format!("SELECT {CARD} FROM card WHERE record_id = ?1 AND state <> 'void'");
        let row = self.first(&sql, values![record.as_str()])?;
        let card = row.as_ref().map(rows::card).transpose()?;
        if let Some(card) = &card {
            self.check_tail(card)?;
        }
        Ok(card)
    }

    /// The last card that was begun with the chip.
    pub(super) fn card_of_chip(
        &mut self,
        chip: &ChipSerial,
    ) -> Result<Option<CardRow>, JournalError> {
        let sql = format!(
            "SELECT {CARD} FROM card WHERE chip_serial = ?1
             ORDER BY CASE WHEN state = 'void' THEN 1 ELSE 0 END, updated DESC LIMIT 1"
        );
        let row = self.first(&sql, values![chip.as_str()])?;
        row.as_ref().map(rows::card).transpose()
    }

    /// The living card of the record, which must have that chip.
    pub(super) fn card_with(
        &mut self,
        record: &RecordId,
        chip: &ChipSerial,
    ) -> Result<CardRow, JournalError> {
        let card = self.living_card(record)?.filter(|card| card.card.chip == *chip);
        card.ok_or_else(|| {
            Conflict::CardUnknown { record: record.clone(), chip: chip.clone() }.into()
        })
    }

    fn announce_next(&mut self, act: Act<'_>, card: &mut CardRow) -> Result<(), JournalError> {
        let from = card.card.state;
        let Some(to) = from.next() else {
            return Err(JournalError::OutOfRange("nothing follows the state of the card"));
        };
        let facts = Facts::new();
        self.append_step(
            act,
            card,
            &NewStep { announced: true, from: Some(from), to, facts: &facts },
        )
    }

    /// Appends a step to the log and brings the card to where it says.
    pub(super) fn append_step(
        &mut self,
        act: Act<'_>,
        card: &mut CardRow,
        step: &NewStep<'_>,
    ) -> Result<(), JournalError> {
        let facts = step.facts.to_json()?;
        let took = (act.at.as_microsecond() - card.card.updated.as_microsecond()).max(0);
        let values = values![
            card.run_key,
            card.card.record.as_str(),
            card.card.attempt,
            card.card.chip.as_str(),
            i64::from(step.announced),
            step.from.map(CardState::as_str),
            step.to.as_str(),
            facts,
            act.station.as_str(),
            act.at,
            took
        ];
        let checksum = super::recovery::step_checksum(&card.checksum, values);
        let mut parameters = values.to_vec();
        parameters.push(checksum.into());
        self.execute(
            "INSERT INTO step (run_id, record_id, attempt, chip_serial, announced, from_state,
                 to_state, facts, station, at, took, checksum)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            &parameters,
        )?;
        card.checksum = checksum;
        move_card(&mut card.card, act, step);
        self.update_card(card)
    }

    pub(super) fn update_card(&mut self, row: &CardRow) -> Result<(), JournalError> {
        let card = &row.card;
        self.change(
            "UPDATE card SET state = ?3, announced = ?4, held = ?5, station = ?6, facts = ?7,
                 updated = ?8, checksum = ?9 WHERE record_id = ?1 AND attempt = ?2",
            values![
                card.record.as_str(),
                card.attempt,
                card.state.as_str(),
                card.announced.map(CardState::as_str),
                card.held.map(CardState::as_str),
                card.station.as_str(),
                card.facts.to_json()?,
                card.updated,
                row.checksum
            ],
        )
    }

    pub(super) fn audit_card(
        &mut self,
        act: Act<'_>,
        event: &'static str,
        run: &super::RunName,
        card: &Card,
        facts: &Facts,
    ) -> Result<(), JournalError> {
        let mut detail =
            facts.clone().with("state", card.state.as_str()).with("attempt", card.attempt);
        if let Some(announced) = card.announced {
            detail = detail.with(ANNOUNCED, announced.as_str());
        }
        if let Some(replaces) = &card.replaces {
            detail = detail.with("replaces", replaces.as_str());
        }
        self.audit(
            &AuditFact::new(act, event)
                .of_run(run)
                .of_record(&card.record)
                .of_chip(&card.chip)
                .detail(detail),
        )
    }
}

/// What a card is after a step.
pub(super) fn move_card(card: &mut Card, act: Act<'_>, step: &NewStep<'_>) {
    if step.announced {
        card.announced = Some(step.to);
    } else {
        card.held = match step.to {
            CardState::Quarantine => step.from,
            _ => None,
        };
        card.state = step.to;
        card.announced = kept_announcement(step.facts);
    }
    card.facts = card.facts.merged(step.facts);
    // Who sets a card aside or releases it need not have it: the chip stays where it is.
    if step.to.is_in_work() && step.from != Some(CardState::Quarantine) {
        card.station = act.station.clone();
    }
    card.updated = act.at;
}

/// The announcement that a step into or out of quarantine keeps.
pub(super) fn kept_announcement(facts: &Facts) -> Option<CardState> {
    match facts.get(ANNOUNCED) {
        Some(Fact::Text(name)) => CardState::from_name(name),
        _ => None,
    }
}
