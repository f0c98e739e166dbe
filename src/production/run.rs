//! Many heads at once: each a thread with a journal of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rand_core::CryptoRng;

use super::journal::{Journal, JournalError, StationId};
use super::station::{Line, Outcome, Station, StationError, Watcher};
use crate::error::ErrorCode;
use crate::transport::{CardTransport, TransportError};

/// How often a head that lost its journal or its key store tries again before it stops.
const TRIES: u32 = 6;
/// How long it waits before the second try; twice as long before each further one.
const PAUSE: Duration = Duration::from_millis(250);

/// A reader, as the line sees it.
pub trait Head: Send {
    /// Its name.
    fn id(&self) -> &StationId;

    /// Waits until a card lies in it; `None` when there will be no more, or `stop` became true.
    ///
    /// # Errors
    /// [`TransportError`] when the reader cannot be used any more; one that is unplugged for a while
    /// is waited for.
    fn next_card(
        &mut self,
        stop: &AtomicBool,
    ) -> Result<Option<Box<dyn CardTransport + Send>>, TransportError>;

    /// Waits until the card that was worked on is gone.
    fn release(&mut self, stop: &AtomicBool);
}

/// What happens on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineEvent {
    /// A head waits for a card.
    Waiting {
        /// The head.
        station: StationId,
    },
    /// A head has come to a step.
    Step {
        /// The head.
        station: StationId,
        /// The record.
        record: String,
        /// The step's stable name.
        step: &'static str,
        /// What of it is done, in its own units.
        done: usize,
        /// All of it.
        total: usize,
    },
    /// A card left a head.
    Done {
        /// The head.
        station: StationId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Journal or key store do not answer; the head tries again.
    Trouble {
        /// The head.
        station: StationId,
        /// Stable code.
        code: &'static str,
        /// What happened.
        message: String,
    },
    /// A head stopped.
    Stopped {
        /// The head.
        station: StationId,
        /// Why, where it was not asked to.
        reason: Option<(String, String)>,
    },
}

/// What starts each head.
pub struct Crew<'a> {
    /// What is made.
    pub line: &'a Line<'a>,
    /// Opens a journal.
    pub journal: &'a (dyn Fn() -> Result<Journal, JournalError> + Sync),
    /// Randomness for a head.
    pub random: &'a (dyn Fn(&StationId) -> Box<dyn CryptoRng + Send> + Sync),
    /// Becomes true when the line shall stop after the cards in work.
    pub stop: &'a AtomicBool,
    /// Becomes true when it shall stop before the next step of each card.
    pub stop_now: &'a AtomicBool,
}

impl core::fmt::Debug for Crew<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Crew({:?})", self.line)
    }
}

impl Crew<'_> {
    /// Runs all heads until no record waits, no card comes, or the line is stopped.
    pub fn work(&self, heads: Vec<Box<dyn Head>>, events: &Sender<LineEvent>) {
        thread::scope(|scope| {
            for mut head in heads {
                let events = events.clone();
                scope.spawn(move || {
                    let station = head.id().clone();
                    let reason = self.run_head(&mut *head, &events).err();
                    let _ = events.send(LineEvent::Stopped { station, reason });
                });
            }
        });
    }

    fn run_head(
        &self,
        head: &mut dyn Head,
        events: &Sender<LineEvent>,
    ) -> Result<(), (String, String)> {
        let id = head.id().clone();
        let journal = self.insist(&id, events, || Ok((self.journal)()?)).map_err(|e| told(&e))?;
        let random = (self.random)(&id);
        let mut station = Station::new(self.line, id.clone(), journal, random);
        let result = self.serve(head, &mut station, events);
        let given_back = station.finish().map_err(|error| told(&error));
        result.and(given_back)
    }

    fn serve(
        &self,
        head: &mut dyn Head,
        station: &mut Station<'_>,
        events: &Sender<LineEvent>,
    ) -> Result<(), (String, String)> {
        let id = head.id().clone();
        while !self.stop.load(Ordering::Relaxed) {
            let ready = self.insist(&id, events, || station.prepare_next());
            if !ready.map_err(|error| told(&error))? {
                return Ok(());
            }
            let _ = events.send(LineEvent::Waiting { station: id.clone() });
            let card =
                head.next_card(self.stop).map_err(|e| (e.code().to_owned(), e.to_string()))?;
            let Some(mut card) = card else { return Ok(()) };
            let mut telling = Telling { station: &id, events, stop: self.stop_now };
            let outcome = station.process(&mut *card, &mut telling);
            drop(card);
            match outcome {
                Ok(outcome) => {
                    let _ = events.send(LineEvent::Done { station: id.clone(), outcome });
                }
                // The journal and the card say where to go on when the card comes again.
                Err(error) => self.trouble(&id, events, &error),
            }
            head.release(self.stop);
        }
        Ok(())
    }

    /// Tries again while what is missing may come back.
    fn insist<T>(
        &self,
        id: &StationId,
        events: &Sender<LineEvent>,
        mut what: impl FnMut() -> Result<T, StationError>,
    ) -> Result<T, StationError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match what() {
                Err(error) if error.may_pass() && !self.stop.load(Ordering::Relaxed) => {
                    self.trouble(id, events, &error);
                    thread::sleep(pause);
                    pause *= 2;
                }
                other => return other,
            }
        }
        what()
    }

    fn trouble(&self, id: &StationId, events: &Sender<LineEvent>, error: &StationError) {
        let (code, message) = (error.code(), error.to_string());
        let _ = events.send(LineEvent::Trouble { station: id.clone(), code, message });
    }
}

fn told(error: &StationError) -> (String, String) {
    (error.code().to_owned(), error.to_string())
}

struct Telling<'a> {
    station: &'a StationId,
    events: &'a Sender<LineEvent>,
    stop: &'a AtomicBool,
}

impl Watcher for Telling<'_> {
    fn step(&mut self, record: &str, step: &'static str, done: usize, total: usize) {
        let (station, record) = (self.station.clone(), record.to_owned());
        let _ = self.events.send(LineEvent::Step { station, record, step, done, total });
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
