//! Torn and altered rows: each step is chained to the one before of the same card, and the card
//! must be where its steps lead.

use super::audit::AuditFact;
use super::cards::{NewStep, kept_announcement, move_card};
use super::database::{Row, Value, values};
use super::rows::{self, CARD, CardRow, STEP, StepRow, damaged};
use super::transaction::Transaction;
use super::{Act, Card, ChipSerial, Digest, Facts, Journal, JournalError, RecordId};
use crate::production::state::{CardState, RecordState, StockState};

/// Steps at the end of the log whose cards are looked at, finished or not.
const RECENT: i64 = 256;
/// Cards that are read at once.
const PAGE: i64 = 200;
/// Most faults that are listed.
const MAX_FAULTS: usize = 100;

/// What [`Journal::recover`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Cards that were looked at.
    pub checked: u64,
    /// Cards whose last row was torn.
    pub recovered: Vec<Recovered>,
}

/// A card whose last row was torn and is dropped. The chip itself shows whether it came further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The record.
    pub record: RecordId,
    /// The chip.
    pub chip: ChipSerial,
    /// Where the card stands again; void when the torn row had reserved it.
    pub state: CardState,
    /// Whether it is in quarantine: the torn row was a side exit.
    pub quarantined: bool,
}

/// Checksum of a step: SHA-256 over that of the step before and the values of the row.
pub(super) fn step_checksum(previous: &Digest, values: &[Value]) -> Digest {
    let mut bytes = b"cancuoc journal step 1\0".to_vec();
    bytes.extend_from_slice(previous.as_bytes());
    bytes.extend_from_slice(&rows::checked_bytes(values));
    Digest::of(&bytes)
}

impl StepRow {
    fn follows(&self, previous: &Digest) -> bool {
        let step = &self.step;
        let Ok(facts) = step.facts.to_json() else { return false };
        let Ok(took) = rows::microseconds(step.took) else { return false };
        let values = values![
            self.run_key,
            step.record.as_str(),
            step.attempt,
            step.chip.as_str(),
            i64::from(step.announced),
            step.from.map(CardState::as_str),
            step.to.as_str(),
            facts,
            step.station.as_str(),
            step.at,
            took
        ];
        step_checksum(previous, values) == self.checksum
    }
}

/// How far the steps of a card can be believed.
struct Replay {
    card: Option<CardRow>,
    /// Rows that are good.
    good: usize,
}

/// Goes through the steps of a card from the first one.
fn replay(of: &CardRow, steps: &[Row]) -> Replay {
    let mut replay = Replay { card: None, good: 0 };
    for row in steps {
        let Ok(row) = rows::step(row) else { break };
        let previous = replay.card.as_ref().map_or(Digest::ZERO, |card| card.checksum);
        let step = &row.step;
        let same = row.run_key == of.run_key && step.chip == of.card.chip;
        let legal = match (&replay.card, step.from) {
            (None, None) => step.to == CardState::Reserved && !step.announced,
            (Some(card), Some(from)) => card.card.state == from && from.may_become(step.to),
            _ => false,
        };
        if !same || !legal || !row.follows(&previous) {
            break;
        }
        let act = Act { station: &step.station, at: step.at };
        let new =
            NewStep { announced: step.announced, from: step.from, to: step.to, facts: &step.facts };
        let mut card = replay.card.take().unwrap_or_else(|| begun(of, step.at));
        move_card(&mut card.card, act, &new);
        card.checksum = row.checksum;
        replay.card = Some(card);
        replay.good += 1;
    }
    replay
}

/// A card before its first step.
fn begun(of: &CardRow, at: jiff::Timestamp) -> CardRow {
    let card = Card {
        announced: None,
        held: None,
        facts: Facts::new(),
        reserved: at,
        updated: at,
        state: CardState::Reserved,
        ..of.card.clone()
    };
    CardRow { card, ..of.clone() }
}

/// Whether two cards are the same but for the station, which changes when a card is adopted.
fn agree(row: &CardRow, replayed: &CardRow) -> bool {
    let station = row.card.station.clone();
    row.checksum == replayed.checksum && row.card == Card { station, ..replayed.card.clone() }
}

impl Journal {
    /// Looks at every card that is not finished, and at the last ones that are: to be called before
    /// a run begins or goes on. A last row that is torn is dropped; what the card says then is
    /// true, and the chip shows whether it came one state further.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when a row was altered that is not the last one of its card:
    /// nobody tore that, and somebody must look at it.
    pub fn recover(&mut self, act: Act<'_>) -> Result<Recovery, JournalError> {
        let suspects = self.read(|tx| tx.cards_to_look_at())?;
        let mut recovery = Recovery::default();
        for (record, attempt) in suspects {
            recovery.checked += 1;
            let found = self.write(|tx| tx.recover_card(act, &record, attempt))?;
            recovery.recovered.extend(found);
        }
        Ok(recovery)
    }

    /// Checks every step of every card, and that cards, records and stock agree: what is wrong, at
    /// most 100 sentences. Reads the whole journal.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn check(&mut self) -> Result<Vec<String>, JournalError> {
        let mut faults = Vec::new();
        let mut after = (String::new(), 0);
        loop {
            let page = self.read(|tx| tx.check_page(&after))?;
            let Some((last, found)) = page else { break };
            after = last;
            faults.extend(found);
            if faults.len() >= MAX_FAULTS {
                break;
            }
        }
        faults.extend(self.read(|tx| tx.disagreements())?);
        faults.truncate(MAX_FAULTS);
        Ok(faults)
    }
}

impl Transaction<'_> {
    /// The last step of a card is whole, and the card is where it leads.
    pub(super) fn check_tail(&mut self, card: &CardRow) -> Result<(), JournalError> {
        let steps = self.steps_of(card, "DESC LIMIT 2")?;
        let mut steps = steps.iter().map(rows::step);
        let last = steps.next().transpose()?;
        let previous = steps.next().transpose()?.map_or(Digest::ZERO, |row| row.checksum);
        let reached = |row: &StepRow| {
            let step = &row.step;
            let (state, announced) = if step.announced {
                (step.from, Some(step.to))
            } else {
                (Some(step.to), kept_announcement(&step.facts))
            };
            state == Some(card.card.state) && announced == card.card.announced
        };
        let whole = last.is_some_and(|last| {
            last.follows(&previous) && last.checksum == card.checksum && reached(&last)
        });
        if whole { Ok(()) } else { Err(card_damaged(&card.card)) }
    }

    fn steps_of(&mut self, card: &CardRow, order: &str) -> Result<Vec<Row>, JournalError> {
        let sql = format!(
            "SELECT {STEP} FROM step WHERE record_id = ?1 AND attempt = ?2 ORDER BY sequence {order}"
        );
        self.query(&sql, values![card.card.record.as_str(), card.card.attempt])
    }

    fn cards_to_look_at(&mut self) -> Result<Vec<(RecordId, i64)>, JournalError> {
        let rows = self.query(
            "SELECT record_id, attempt FROM card WHERE state NOT IN ('void', 'recorded')
             UNION SELECT record_id, attempt FROM
                 (SELECT record_id, attempt FROM step ORDER BY sequence DESC LIMIT ?1) AS recent
             ORDER BY record_id, attempt",
            values![RECENT],
        )?;
        let key = |row: &Row| {
            let record = RecordId::new(row.text(0)?).map_err(|_| damaged("a record id"))?;
            Ok((record, row.integer(1)?))
        };
        rows.iter().map(key).collect()
    }

    fn recover_card(
        &mut self,
        act: Act<'_>,
        record: &RecordId,
        attempt: i64,
    ) -> Result<Option<Recovered>, JournalError> {
        let row = self.locked_record(record)?;
        let sql = format!("SELECT {CARD} FROM card WHERE record_id = ?1 AND attempt = ?2");
        let card = self.first(&sql, values![record.as_str(), attempt])?;
        let card = card.ok_or_else(|| damaged(format!("a card of record {record} is missing")))?;
        let card = rows::card(&card)?;
        let steps = self.steps_of(&card, "")?;
        let replay = replay(&card, &steps);
        let torn = steps.len() - replay.good;
        let Some(mut replayed) = replay.card else {
            return match steps.as_slice() {
                [torn] if card.card.state == CardState::Reserved => {
                    self.drop_reservation(act, &card, torn).map(Some)
                }
                _ => Err(card_damaged(&card.card)),
            };
        };
        replayed.card.station = card.card.station.clone();
        match torn {
            0 if agree(&card, &replayed) => return Ok(None),
            1 if replayed.card.state.is_in_work() => {}
            _ => return Err(card_damaged(&card.card)),
        }
        let later = "SELECT 1 FROM card WHERE record_id = ?1 AND attempt > ?2";
        if self.first(later, values![record.as_str(), attempt])?.is_some() {
            return Err(card_damaged(&card.card));
        }
        let act = self.enter(act)?;
        let dropped = steps.last().map_or(Ok(0), |row| row.integer(0))?;
        self.change("DELETE FROM step WHERE sequence = ?1", values![dropped])?;
        let side_exit = matches!(card.card.state, CardState::Void | CardState::Quarantine);
        self.undo_outcome(act, &row, &replayed)?;
        // The lost row may have been the announcement, or what followed it.
        let next = replayed.card.state.next();
        self.update_card(&replayed)?;
        if replayed.card.announced.is_none() && next.is_some_and(CardState::changes_chip) {
            let facts = Facts::new().with("after_loss", true);
            let (from, to) = (Some(replayed.card.state), next.unwrap_or(CardState::Quarantine));
            let step = NewStep { announced: true, from, to, facts: &facts };
            self.append_step(act, &mut replayed, &step)?;
        }
        let fact = AuditFact::new(act, "torn_row_dropped").of_run(&row.record.run);
        let detail = Facts::new().with("sequence", dropped);
        self.audit(&fact.of_record(record).of_chip(&card.card.chip).detail(detail))?;
        let recovered = Recovered {
            record: record.clone(),
            chip: card.card.chip.clone(),
            state: replayed.card.state,
            quarantined: side_exit,
        };
        if side_exit {
            let row = self.locked_record(record)?;
            self.set_aside(act, &row, Some(replayed), "torn journal", &Facts::new())?;
        }
        Ok(Some(recovered))
    }

    /// Takes back a reservation whose only row is torn: nothing was announced, so nothing was sent.
    fn drop_reservation(
        &mut self,
        act: Act<'_>,
        row: &CardRow,
        torn: &Row,
    ) -> Result<Recovered, JournalError> {
        let act = self.enter(act)?;
        let card = &row.card;
        self.change("DELETE FROM step WHERE sequence = ?1", values![torn.integer(0)?])?;
        self.change(
            "DELETE FROM card WHERE record_id = ?1 AND attempt = ?2",
            values![card.record.as_str(), card.attempt],
        )?;
        self.set_chip(act, &card.chip, StockState::Blank, None)?;
        let fact = AuditFact::new(act, "torn_row_dropped").of_record(&card.record);
        self.audit(&fact.of_chip(&card.chip))?;
        let (record, chip) = (card.record.clone(), card.chip.clone());
        Ok(Recovered { record, chip, state: CardState::Void, quarantined: false })
    }

    /// Takes back what the torn row did to record and stock: the card is in work again.
    fn undo_outcome(
        &mut self,
        act: Act<'_>,
        row: &rows::RecordRow,
        card: &CardRow,
    ) -> Result<(), JournalError> {
        let attempts = card.card.attempt.saturating_sub(1);
        let ended = row.record.state == RecordState::Issued || row.record.attempts != attempts;
        if ended {
            let id = &row.record.id;
            self.put_record(act, id, RecordState::Queued, None, attempts)?;
        }
        self.execute(
            "UPDATE card SET given_back = 0 WHERE record_id = ?1 AND attempt = ?2",
            values![row.record.id.as_str(), card.card.attempt],
        )?;
        self.change(
            "UPDATE stock SET state = ?2, reason = NULL, run_id = ?3, updated = ?4
             WHERE chip_serial = ?1",
            values![card.card.chip.as_str(), StockState::InWork.as_str(), row.run_key, act.at],
        )
    }

    /// Checks the cards that follow; where the page ends and what is wrong on it.
    #[allow(clippy::type_complexity)] // the key of a card, and sentences
    fn check_page(
        &mut self,
        after: &(String, i64),
    ) -> Result<Option<((String, i64), Vec<String>)>, JournalError> {
        let sql = format!(
            "SELECT {CARD} FROM card WHERE record_id > ?1 OR (record_id = ?1 AND attempt > ?2)
             ORDER BY record_id, attempt LIMIT ?3"
        );
        let cards = self.query(&sql, values![after.0.as_str(), after.1, PAGE])?;
        let Some(last) = cards.last() else { return Ok(None) };
        let last = (last.text(0)?.to_owned(), last.integer(1)?);
        let mut faults = Vec::new();
        for row in &cards {
            match rows::card(row) {
                Ok(card) => {
                    let steps = self.steps_of(&card, "")?;
                    let replay = replay(&card, &steps);
                    let whole = replay.good == steps.len()
                        && replay.card.is_some_and(|replayed| agree(&card, &replayed));
                    if !whole {
                        faults.push(card_damaged(&card.card).to_string());
                    }
                }
                Err(error) => faults.push(format!("a card of record {}: {error}", last.0)),
            }
        }
        Ok(Some((last, faults)))
    }

    /// Records, cards and chips that contradict each other.
    fn disagreements(&mut self) -> Result<Vec<String>, JournalError> {
        const QUESTIONS: [(&str, &str); 5] = [
            (
                "is issued without a recorded card",
                "SELECT record_id FROM record WHERE state IN ('issued', 'revoked') AND NOT EXISTS
                     (SELECT 1 FROM card WHERE card.record_id = record.record_id
                      AND card.state = 'recorded') LIMIT 100",
            ),
            (
                "has a recorded card and is not issued",
                "SELECT record_id FROM record WHERE state NOT IN ('issued', 'revoked') AND EXISTS
                     (SELECT 1 FROM card WHERE card.record_id = record.record_id
                      AND card.state = 'recorded') LIMIT 100",
            ),
            (
                "has another number of void cards than it says",
                "SELECT record_id FROM record WHERE attempts <> (SELECT COUNT(*) FROM card
                     WHERE card.record_id = record.record_id AND card.state = 'void') LIMIT 100",
            ),
            (
                "has a card whose chip is in another state in the stock",
                "SELECT card.record_id FROM card LEFT JOIN stock
                     ON stock.chip_serial = card.chip_serial
                 WHERE card.state <> 'void' AND (stock.state IS NULL OR stock.state <>
                     CASE WHEN card.state = 'recorded' THEN 'issued' ELSE 'in_work' END) LIMIT 100",
            ),
            (
                "has steps without a card",
                "SELECT record_id FROM step WHERE NOT EXISTS (SELECT 1 FROM card
                     WHERE card.record_id = step.record_id AND card.attempt = step.attempt)
                 LIMIT 100",
            ),
        ];
        let mut faults = Vec::new();
        for (what, sql) in QUESTIONS {
            for row in self.query(sql, &[])? {
                faults.push(format!("record {} {what}", row.text(0)?));
            }
        }
        Ok(faults)
    }
}

fn card_damaged(card: &Card) -> JournalError {
    damaged(format!(
        "the steps of the card with chip {} (record {}, attempt {}) do not lead to what it says",
        card.chip, card.record, card.attempt
    ))
}
