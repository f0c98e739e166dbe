//! The stock: every chip that may be used, and those that must not.

use super::audit::AuditFact;
use super::database::values;
use super::rows;
use super::transaction::Transaction;
use super::{Act, ChipSerial, ChipStatus, Conflict, Digest, Facts, Journal, JournalError, NewChip};
use crate::production::state::StockState;

/// Most chips of one call.
const MAX_CHIPS: usize = 100_000;

impl Journal {
    /// Adds blank chips to the stock and says how many were new. A chip that is there, of the same
    /// kind, stays as it is.
    ///
    /// # Errors
    /// [`Conflict::ChipKind`]; nothing is added then.
    pub fn add_chips(
        &mut self,
        act: Act<'_>,
        chips: &[NewChip],
        source: &str,
    ) -> Result<u64, JournalError> {
        rows::checked_text(source)?;
        bounded(chips.len())?;
        for chip in chips {
            rows::checked_text(&chip.kind)?;
        }
        let mut sorted: Vec<_> = chips.iter().collect();
        // Two stations that take the same chips in another order would wait for each other.
        sorted.sort_by(|a, b| a.serial.cmp(&b.serial));
        self.write_new(|tx| {
            let act = tx.enter(act)?;
            let mut added = 0;
            for chip in &sorted {
                let (kind, state) = (chip.kind.as_str(), StockState::Blank);
                if tx.add_chip(act, &chip.serial, kind, state, source)? {
                    added += 1;
                    continue;
                }
                let status = tx.chip(&chip.serial)?;
                if let Some(found) = status.filter(|found| found.kind != chip.kind) {
                    let (expected, found) = (found.kind, chip.kind.clone());
                    let chip = chip.serial.clone();
                    return Err(Conflict::ChipKind { chip, expected, found }.into());
                }
            }
            let serials = sorted.iter().map(|chip| &chip.serial);
            tx.audit_chips(act, "chips_added", serials, added, source)?;
            Ok(added)
        })
    }

    /// Marks chips as lost or stolen, whether they were in the stock or not, and says how many were
    /// not known to be.
    ///
    /// # Errors
    /// [`Conflict::ChipState`] when one is on a card that is in work (void that first) or issued
    /// (revoke its record); nothing is marked then.
    pub fn mark_lost(
        &mut self,
        act: Act<'_>,
        chips: &[ChipSerial],
        source: &str,
    ) -> Result<u64, JournalError> {
        rows::checked_text(source)?;
        bounded(chips.len())?;
        let mut sorted: Vec<_> = chips.iter().collect();
        sorted.sort();
        self.write(|tx| {
            let act = tx.enter(act)?;
            let mut marked = 0;
            for chip in &sorted {
                if tx.add_chip(act, chip, "unknown", StockState::Lost, source)? {
                    marked += 1;
                    continue;
                }
                let lock = tx.database.for_update();
                let sql = format!("SELECT state FROM stock WHERE chip_serial = ?1{lock}");
                let row = tx.first(&sql, values![chip.as_str()])?;
                let row = row.ok_or_else(|| rows::damaged("a chip of the stock is missing"))?;
                match rows::stock_state(row.text(0)?)? {
                    StockState::Lost => {}
                    StockState::Blank => {
                        tx.set_chip(act, chip, StockState::Lost, Some(source))?;
                        marked += 1;
                    }
                    state => {
                        let chip = (*chip).clone();
                        return Err(Conflict::ChipState { chip, state }.into());
                    }
                }
            }
            tx.audit_chips(act, "chips_lost", sorted.iter().copied(), marked, source)?;
            Ok(marked)
        })
    }

    /// What is known of a chip; none when it is not in the stock.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn chip(&mut self, chip: &ChipSerial) -> Result<Option<ChipStatus>, JournalError> {
        self.read(|tx| tx.chip(chip))
    }

    /// Chips of the stock by state.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn stock(&mut self) -> Result<Vec<(StockState, u64)>, JournalError> {
        self.read(|tx| {
            let rows =
                tx.query("SELECT state, COUNT(*) FROM stock GROUP BY state ORDER BY state", &[])?;
            rows.iter().map(|row| Ok((rows::stock_state(row.text(0)?)?, row.count(1)?))).collect()
        })
    }
}

fn bounded(chips: usize) -> Result<(), JournalError> {
    if chips > MAX_CHIPS {
        return Err(JournalError::OutOfRange("more than 100 000 chips in one call"));
    }
    Ok(())
}

impl Transaction<'_> {
    /// True when the chip is new.
    fn add_chip(
        &mut self,
        act: Act<'_>,
        chip: &ChipSerial,
        kind: &str,
        state: StockState,
        source: &str,
    ) -> Result<bool, JournalError> {
        let added = self.execute(
            "INSERT INTO stock (chip_serial, kind, state, source, updated)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (chip_serial) DO NOTHING",
            values![chip.as_str(), kind, state.as_str(), source, act.at],
        )?;
        Ok(added == 1)
    }

    fn chip(&mut self, chip: &ChipSerial) -> Result<Option<ChipStatus>, JournalError> {
        let row = self.first(
            "SELECT kind, state, source, reason FROM stock WHERE chip_serial = ?1",
            values![chip.as_str()],
        )?;
        let Some(row) = row else { return Ok(None) };
        let card = self.card_of_chip(chip)?;
        if let Some(card) = &card {
            self.check_tail(card)?;
        }
        Ok(Some(ChipStatus {
            serial: chip.clone(),
            kind: row.text(0)?.to_owned(),
            state: rows::stock_state(row.text(1)?)?,
            source: row.text(2)?.to_owned(),
            reason: row.optional_text(3)?.map(str::to_owned),
            card: card.map(|card| card.card),
        }))
    }

    /// One entry for all of them; the digest is over the sorted serials, one a line.
    fn audit_chips<'a>(
        &mut self,
        act: Act<'_>,
        event: &'static str,
        serials: impl Iterator<Item = &'a ChipSerial>,
        changed: u64,
        source: &str,
    ) -> Result<(), JournalError> {
        if changed == 0 {
            return Ok(());
        }
        let mut list = String::new();
        for serial in serials {
            list.push_str(serial.as_str());
            list.push('\n');
        }
        let detail = Facts::new()
            .with("changed", rows::number(changed)?)
            .with("list_digest", Digest::of(list.as_bytes()))
            .with("source", source);
        self.audit(&AuditFact::new(act, event).detail(detail))
    }
}
