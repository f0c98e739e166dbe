//! The way of one card, step by step, each announced in the journal before it changes the chip.

use jiff::Timestamp;

use crate::apdu::StatusWord;
use crate::error::ErrorCode;
use crate::globalplatform::personalize::{
    Observer, Personalization, PersonalizeError, Progress, ReadBack, ReadBackError, Settings, Step,
    Stopped, Written,
};
use crate::globalplatform::session::CardIdentity;
use crate::globalplatform::{GlobalPlatformError, KeySet};
use crate::production::journal::{Act, Advance, ChipSerial, Facts, JournalError, Lease};
use crate::production::state::CardState;
use crate::transport::CardTransport;

use super::inspection::{Asked, LineInspection};
use super::{
    Fate, KeySourceError, Outcome, Prepared, Refusal, Station, StationError, Watcher, is_written,
};

/// What ends the work on a card before it is issued.
enum Trouble {
    /// Nothing was begun.
    Refused(Refusal),
    /// The card can be gone on with.
    Interrupted(String),
    /// The card is spoilt.
    Void(String),
    /// A person must look.
    Quarantine(String),
    /// The line must stop.
    Station(StationError),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::Station(error.into())
    }
}

impl From<PersonalizeError> for Trouble {
    fn from(error: PersonalizeError) -> Self {
        let code = error.code().to_owned();
        match &error {
            PersonalizeError::Stopped { .. } => Self::Interrupted(code),
            error if is_transport(error) => Self::Interrupted(code),
            PersonalizeError::ReadBack(_) => Self::Void(code),
            _ => Self::Quarantine(code),
        }
    }
}

/// Whether the card did not answer at all: torn out, or the reader is gone.
fn is_transport(error: &PersonalizeError) -> bool {
    const CODES: [&str; 6] = [
        "card_removed",
        "no_card",
        "no_reader",
        "card_timeout",
        "no_pcsc_service",
        "transmission_failed",
    ];
    match error {
        PersonalizeError::GlobalPlatform(GlobalPlatformError::Transport(_)) => true,
        PersonalizeError::ReadBack(ReadBackError::Failed { code, .. }) => CODES.contains(code),
        _ => false,
    }
}

/// Tells the watcher of the steps.
struct Telling<'w> {
    watcher: &'w mut dyn Watcher,
    record: String,
}

impl Observer for Telling<'_> {
    fn before(&mut self, _: Step, _: Option<&CardIdentity>) -> Result<(), Stopped> {
        if self.watcher.stop() {
            return Err(Stopped { code: "interrupted", message: "asked to stop".to_owned() });
        }
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        let Progress { step, done, total, .. } = progress;
        self.watcher.step(&self.record, step.name(), done, total);
    }
}

/// The keys of a card, before and after.
struct Keys {
    transport: KeySet,
    production: Option<KeySet>,
}

impl Station<'_> {
    /// Makes the card, or goes on with it.
    pub(super) fn make(
        &mut self,
        card: &mut dyn CardTransport,
        identity: &CardIdentity,
        chip: &ChipSerial,
        prepared: Prepared,
        watcher: &mut dyn Watcher,
    ) -> Result<Outcome, StationError> {
        let record = prepared.lease.record.clone();
        let resumed = prepared.card.is_some();
        let trouble = match self.go(card, identity, chip, &prepared, watcher) {
            Ok(()) => {
                let fate = Fate::Issued { resumed };
                return Ok(Outcome::Worked { record, chip: Some(chip.clone()), fate });
            }
            Err(trouble) => trouble,
        };
        let act = Act::new(&self.id, (self.line.clock)());
        let fate = match trouble {
            Trouble::Station(error) => return Err(error),
            Trouble::Refused(refusal) => {
                // Nothing was begun: the record waits for the next card.
                self.next = Some(prepared);
                return Ok(Outcome::refused(Some(chip.clone()), refusal));
            }
            Trouble::Interrupted(reason) => {
                self.journal.give_back(act, &prepared.lease)?;
                Fate::Interrupted { reason }
            }
            Trouble::Void(reason) => {
                let (lease, none) = (Some(&prepared.lease), Facts::new());
                self.journal.void_card(act, lease, &record, chip, &reason, &none)?;
                if prepared.attempts + 1 >= self.line.most_attempts {
                    let why = "too_many_attempts";
                    self.journal.quarantine(act, None, &record, why, &none)?;
                }
                Fate::Void { reason }
            }
            Trouble::Quarantine(reason) => {
                let (lease, none) = (Some(&prepared.lease), Facts::new());
                self.journal.quarantine(act, lease, &record, &reason, &none)?;
                Fate::Quarantined { reason }
            }
        };
        Ok(Outcome::Worked { record, chip: Some(chip.clone()), fate })
    }

    fn keys(&self, identity: &CardIdentity) -> Result<Keys, Trouble> {
        let trouble = |error: KeySourceError| match error {
            KeySourceError::Unavailable(why) => Trouble::Station(StationError::KeyStore(why)),
            KeySourceError::NoKeys(detail) => Trouble::Refused(Refusal::WrongCard { detail }),
        };
        let transport = self.line.keys.transport(identity).map_err(trouble)?;
        let production = self.line.keys.production(identity).map_err(trouble)?;
        Ok(Keys { transport, production })
    }

    fn go(
        &mut self,
        card: &mut dyn CardTransport,
        identity: &CardIdentity,
        chip: &ChipSerial,
        prepared: &Prepared,
        watcher: &mut dyn Watcher,
    ) -> Result<(), Trouble> {
        let keys = self.keys(identity)?;
        let settings =
            Settings { new_keys: keys.production.as_ref(), ..Settings::new(&keys.transport) };
        let begun = prepared.card.as_ref();
        let asked = match begun.filter(|card| is_written(card)) {
            Some(card) => Asked::Noted(&card.facts),
            None => Asked::Image(self.is_sampled(prepared)),
        };
        let (mut for_channel, mut for_inspection) = (random(), random());
        let mut inspection = LineInspection::new(self.line, asked, &mut for_inspection);
        let record = prepared.lease.record.to_string();
        let mut telling = Telling { watcher, record };
        let mut way = Personalization::new(
            card,
            &prepared.image,
            &settings,
            &mut for_channel,
            &mut inspection,
            &mut telling,
        )?;
        let mut state = match begun {
            Some(card) => card.state,
            None => self.begin(&mut way, chip, prepared)?,
        };
        if !matches!(begun, Some(card) if is_written(card)) {
            if begun.is_some() {
                way.identify()?;
            }
            state = self.write(&mut way, chip, prepared, state)?;
        }
        self.close(&mut way, chip, &prepared.lease, state)
    }

    /// Whether the card is inspected whole.
    fn is_sampled(&self, prepared: &Prepared) -> bool {
        prepared.sequence.checked_rem(self.line.inspect_every) == Some(0)
    }

    /// Looks at the card, read-only, and takes it for the record.
    fn begin(
        &mut self,
        way: &mut Personalization<'_, '_>,
        chip: &ChipSerial,
        prepared: &Prepared,
    ) -> Result<CardState, Trouble> {
        way.identify().map_err(|error| match &error {
            error if is_transport(error) => Trouble::Refused(Refusal::Gone),
            PersonalizeError::AlreadyPersonalised => Trouble::Refused(Refusal::Personalised),
            PersonalizeError::WrongCard { .. } | PersonalizeError::GlobalPlatform(_) => {
                Trouble::Refused(Refusal::WrongCard { detail: error.to_string() })
            }
            _ => error.into(),
        })?;
        if way.is_resumed() {
            // With this very document, and yet the journal knows nothing of it.
            return Err(Trouble::Refused(Refusal::Personalised));
        }
        let facts = prepared.facts(self.line.certificate);
        let at = (self.line.clock)();
        let (lease, kind) = (&prepared.lease, self.line.kind);
        self.journal.reserve(Act::new(&self.id, at), lease, chip, kind, &facts, true)?;
        Ok(CardState::Reserved)
    }

    /// Changes the keys and writes; both can be repeated.
    fn write(
        &mut self,
        way: &mut Personalization<'_, '_>,
        chip: &ChipSerial,
        prepared: &Prepared,
        state: CardState,
    ) -> Result<CardState, Trouble> {
        let lease = &prepared.lease;
        let next = if state == CardState::Reserved { CardState::Keyed } else { CardState::Written };
        self.journal.announce(Act::new(&self.id, self.now()), lease, chip, next)?;
        way.authenticate()?;
        way.change_keys()?;
        if state == CardState::Reserved {
            self.advance(lease, chip, state, &Facts::new(), true)?;
        }
        match way.write()? {
            Written::Blocks(_) => {}
            // The chip is further than the journal: somebody else wrote it.
            Written::LockedBefore => {
                return Err(Trouble::Quarantine("card_ahead_of_journal".to_owned()));
            }
        }
        self.advance(lease, chip, CardState::Keyed, &prepared.facts(self.line.certificate), false)
    }

    /// Reads back, signs off, locks and records, from where the card is.
    fn close(
        &mut self,
        way: &mut Personalization<'_, '_>,
        chip: &ChipSerial,
        lease: &Lease,
        mut state: CardState,
    ) -> Result<(), Trouble> {
        let none = Facts::new();
        if state == CardState::Written {
            let read = way.read_back()?;
            state = self.advance(lease, chip, state, &read_facts(&read), false)?;
        }
        if state == CardState::ReadBack {
            state = self.advance(lease, chip, state, &none, true)?;
        }
        if state == CardState::SignedOff {
            lock(way)?;
            state = self.advance(lease, chip, state, &none, false)?;
        } else {
            // Locked before the work was interrupted: what the chip holds is looked at once more.
            way.read_back()?;
        }
        self.advance(lease, chip, state, &none, false)?;
        Ok(())
    }

    fn now(&self) -> Timestamp {
        (self.line.clock)()
    }

    /// Writes down that the card came to the state after `from`.
    fn advance(
        &mut self,
        lease: &Lease,
        chip: &ChipSerial,
        from: CardState,
        facts: &Facts,
        announce: bool,
    ) -> Result<CardState, Trouble> {
        let to = from.next().unwrap_or(from);
        let step = Advance { chip, from, to, facts, announce };
        let act = Act::new(&self.id, (self.line.clock)());
        Ok(self.journal.advance(act, lease, &step)?.state)
    }
}

/// Locks; where an earlier session did so, only the life cycle is looked at.
fn lock(way: &mut Personalization<'_, '_>) -> Result<(), Trouble> {
    match way.lock(true) {
        Err(PersonalizeError::GlobalPlatform(GlobalPlatformError::Refused {
            status: StatusWord::CONDITIONS,
            ..
        })) => way.lock(false)?,
        other => other?,
    };
    Ok(())
}

fn read_facts(read: &ReadBack) -> Facts {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Facts::new()
        .with("read_back_bytes", number(read.bytes))
        .with("read_back_files", number(read.files as u64))
}

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}
