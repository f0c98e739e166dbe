//! One head of the line: what it does with the card in front of it.
//!
//! A blank chip of the stock gets the next record; a chip that was begun goes on where the journal
//! and the card say, whoever began it. Every step that changes the chip is announced in the journal
//! before its first command. A card leaves as *issued* only after every byte of it was read back
//! through the inspection path and its chip proved its keys.
//!
//! Nothing here knows readers, databases or screens: the card is a [`CardTransport`], the journal
//! a [`Journal`], and what happens is told to a [`Watcher`].

mod inspection;
mod line;
mod making;
mod outcome;
mod preparation;

use rand_core::CryptoRng;

use crate::globalplatform::link::Link;
use crate::globalplatform::session::{self, CardIdentity};
use crate::production::journal::{
    Act, Card, ChipSerial, ClaimRequest, Job, Journal, JournalError, NewChip, StationId,
};
use crate::production::state::{CardState, StockState};
use crate::transport::CardTransport;

pub use line::{CardKeySource, KeySourceError, Line, Seal, SealError};
pub use outcome::{Fate, Outcome, Refusal, StationError};
pub use preparation::Prepared;

/// Is told what happens to the card in work.
pub trait Watcher {
    /// The card has come to a step.
    fn step(&mut self, record: &str, step: &'static str, done: usize, total: usize);

    /// Whether to stop before the next step; what was begun is gone on with another time.
    fn stop(&self) -> bool {
        false
    }
}

/// A head and its own journal.
pub struct Station<'a> {
    line: &'a Line<'a>,
    id: StationId,
    journal: Journal,
    random: Box<dyn CryptoRng + Send + 'a>,
    /// The next record, ready before its card comes.
    next: Option<Prepared>,
}

impl core::fmt::Debug for Station<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Station({})", self.id)
    }
}

/// What the journal says of the chip in the reader.
enum Found {
    /// It may take a record.
    Blank,
    /// A card was begun with it.
    Begun(Box<Job>),
}

impl<'a> Station<'a> {
    /// A head with this name; `random` is for protocols and for keys of cards.
    pub fn new(
        line: &'a Line<'a>,
        id: StationId,
        journal: Journal,
        random: Box<dyn CryptoRng + Send + 'a>,
    ) -> Self {
        Self { line, id, journal, random, next: None }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &StationId {
        &self.id
    }

    /// Takes and prepares the next record, so that it is ready when a card comes; `false` when no
    /// record waits. A record that cannot be made into a card goes into quarantine.
    ///
    /// # Errors
    /// [`StationError`]: journal or key store do not answer.
    pub fn prepare_next(&mut self) -> Result<bool, StationError> {
        while self.next.is_none() {
            let Some(job) = self.claim()? else { return Ok(false) };
            // The card of a record that was begun is waited for; it is prepared when it comes.
            self.next = self.prepare(job)?;
        }
        Ok(true)
    }

    /// Works on the card in the reader until it is finished, set aside, or gone.
    ///
    /// # Errors
    /// [`StationError`]: journal or key store do not answer, and the line must stop.
    pub fn process(
        &mut self,
        card: &mut dyn CardTransport,
        watcher: &mut dyn Watcher,
    ) -> Result<Outcome, StationError> {
        let (identity, chip) = match identify(card) {
            Ok(known) => known,
            Err(refusal) => return Ok(Outcome::refused(None, refusal)),
        };
        let prepared = match self.look_up(&chip)? {
            Ok(Found::Begun(job)) => {
                let id = job.lease.record.clone();
                match self.prepare(*job)? {
                    Some(prepared) => prepared,
                    None => return Ok(Outcome::quarantined(id, Some(chip), "record_not_usable")),
                }
            }
            Ok(Found::Blank) => match self.take_next()? {
                Some(prepared) => prepared,
                None => return Ok(Outcome::NoRecord),
            },
            Err(refusal) => return Ok(Outcome::refused(Some(chip), refusal)),
        };
        if let Some(expected) = prepared.begun_with().filter(|begun| **begun != chip) {
            // The record stays with this head until its own card comes (or is given up).
            let refusal = Refusal::OtherCardExpected { chip: expected.clone() };
            self.next = Some(prepared);
            return Ok(Outcome::refused(Some(chip), refusal));
        }
        self.make(card, &identity, &chip, prepared, watcher)
    }

    /// Gives back what was prepared and not begun.
    ///
    /// # Errors
    /// [`StationError::Journal`].
    pub fn finish(&mut self) -> Result<(), StationError> {
        match self.next.take() {
            Some(prepared) => {
                let at = (self.line.clock)();
                Ok(self.journal.give_back(Act::new(&self.id, at), &prepared.lease)?)
            }
            None => Ok(()),
        }
    }

    fn take_next(&mut self) -> Result<Option<Prepared>, StationError> {
        self.prepare_next()?;
        Ok(self.next.take())
    }

    fn claim(&mut self) -> Result<Option<Job>, JournalError> {
        let request = ClaimRequest { run: self.line.run, lease: self.line.lease, held: &[] };
        let act = Act::new(&self.id, (self.line.clock)());
        self.journal.claim(act, &request)
    }

    /// What the journal knows of the chip. Only a chip of the stock is worked on.
    fn look_up(&mut self, chip: &ChipSerial) -> Result<Result<Found, Refusal>, StationError> {
        let act = Act::new(&self.id, (self.line.clock)());
        let Some(status) = self.journal.chip(chip)? else {
            if !self.line.open_stock {
                return Ok(Err(Refusal::ChipUnknown));
            }
            let new = NewChip { serial: chip.clone(), kind: self.line.kind.to_owned() };
            self.journal.add_chips(act, &[new], "open stock")?;
            return Ok(Ok(Found::Blank));
        };
        Ok(match (status.state, status.card) {
            (StockState::Blank, _) => Ok(Found::Blank),
            (StockState::InWork, Some(card)) if card.state.is_in_work() => {
                self.adopt(act.at, chip, &card)?
            }
            (StockState::InWork, _) => Err(Refusal::InQuarantine),
            (StockState::Issued, _) => Err(Refusal::Issued),
            (StockState::Destroyed, _) => Err(Refusal::Destroyed),
            (StockState::Lost, _) => Err(Refusal::Lost),
        })
    }

    fn adopt(
        &mut self,
        at: jiff::Timestamp,
        chip: &ChipSerial,
        card: &Card,
    ) -> Result<Result<Found, Refusal>, StationError> {
        // What was prepared ahead for this very card is not needed a second time.
        if self.next.as_ref().is_some_and(|next| next.lease.record == card.record) {
            self.next = None;
        }
        match self.journal.adopt(Act::new(&self.id, at), chip, self.line.lease) {
            Ok(job) => Ok(Ok(Found::Begun(Box::new(job)))),
            Err(error) if error.conflict().is_some() => Ok(Err(Refusal::HeldElsewhere)),
            Err(error) => Err(error.into()),
        }
    }
}

/// The chip's serial number, read-only: nothing is tried on a card that is none of ours.
fn identify(card: &mut dyn CardTransport) -> Result<(CardIdentity, ChipSerial), Refusal> {
    let mut link = Link::new(card);
    let identity = link
        .reset()
        .and_then(|()| session::select_issuer_domain(&mut link))
        .and_then(|()| session::identify(&mut link))
        .map_err(|error| Refusal::from_exchange(&error))?;
    let serial = identity.production.as_ref().map(|cplc| ChipSerial::new(cplc.chip_serial()));
    let serial = serial.and_then(Result::ok).ok_or(Refusal::NoChipSerial)?;
    Ok((identity, serial))
}

/// Whether the files of the card were all written when the journal was last told.
fn is_written(card: &Card) -> bool {
    matches!(
        card.state,
        CardState::Written | CardState::ReadBack | CardState::SignedOff | CardState::Locked
    )
}
