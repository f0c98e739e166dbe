//! The readers of a checkpoint: all of PC/SC, those that were named, and software cards in files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::run::Post;
use crate::checkpoint::Event;
use crate::cli::reader::CARD_PREFIX;
use crate::cli::{Context, Failure};
use crate::transport::pcsc::{self, ReaderChange, ReaderWatch};

/// How long the watch waits before it looks whether it shall end.
const PATIENCE: Duration = Duration::from_millis(500);

/// Which reader of PC/SC a lane's name means at the moment. Shared with what connects to cards.
#[derive(Debug, Clone, Default)]
pub(super) struct LaneNames(Arc<Mutex<HashMap<String, String>>>);

impl LaneNames {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader's own name.
    pub(super) fn reader(&self, lane: &str) -> String {
        self.lock().get(lane).cloned().unwrap_or_else(|| lane.to_owned())
    }

    /// Whether the lane means this reader.
    fn means(&self, lane: &str, reader: &str) -> bool {
        self.lock().get(lane).is_some_and(|bound| bound == reader)
    }

    /// Lets the lane mean this reader; false where it means another one that is there.
    fn bind(&self, lane: &str, reader: &str) -> bool {
        self.lock().entry(lane.to_owned()).or_insert_with(|| reader.to_owned()) == reader
    }

    fn release(&self, lane: &str) {
        self.lock().remove(lane);
    }
}

/// The readers to watch.
pub(in crate::cli) struct Readers {
    /// Software cards, by their selectors.
    cards: Vec<String>,
    /// Parts of names of PC/SC readers; none for all readers.
    wanted: Option<Vec<String>>,
    names: LaneNames,
}

impl Readers {
    /// Takes what `--lane` and `--reader` name.
    ///
    /// # Errors
    /// A [`Failure`] for a software card that is not there, and for an index of no reader.
    pub(super) fn resolve(context: &Context, lanes: &[String]) -> Result<Self, Failure> {
        let selectors: Vec<&String> = lanes.iter().chain(&context.reader).collect();
        let (cards, others): (Vec<&String>, Vec<&String>) =
            selectors.into_iter().partition(|s| s.starts_with(CARD_PREFIX));
        for card in &cards {
            let path = PathBuf::from(card.trim_start_matches(CARD_PREFIX));
            std::fs::metadata(&path).map_err(|e| Failure::file(&path, &e))?;
        }
        let mut wanted = Vec::new();
        for selector in &others {
            wanted.push(by_index(selector)?.unwrap_or_else(|| (*selector).clone()));
        }
        let none_named = cards.is_empty() && others.is_empty();
        let mut named: Vec<String> = Vec::new();
        for card in cards {
            if !named.contains(card) {
                named.push(card.clone());
            }
        }
        let wanted = (!none_named).then_some(wanted);
        Ok(Self { cards: named, wanted, names: LaneNames::default() })
    }

    /// What lanes are called in PC/SC.
    pub(super) fn names(&self) -> LaneNames {
        self.names.clone()
    }

    /// Starts watching, in a thread of its own.
    pub(super) fn start(self, post: &Post, stop: &Arc<AtomicBool>) {
        for card in &self.cards {
            post.event(Event::CardStays(card.clone()));
        }
        if self.wanted.as_ref().is_some_and(Vec::is_empty) {
            return;
        }
        for lane in self.wanted.iter().flatten() {
            post.event(Event::ReaderAdded(lane.clone()));
            post.event(Event::ReaderGone(lane.clone()));
        }
        let (post, stop) = (post.clone(), stop.clone());
        let (wanted, names) = (self.wanted, self.names);
        std::thread::spawn(move || {
            let mut watch = ReaderWatch::new();
            while !stop.load(Ordering::Relaxed) {
                for change in watch.wait(PATIENCE) {
                    if let Some(event) = event(change, wanted.as_deref(), &names)
                        && !post.event(event)
                    {
                        return;
                    }
                }
            }
        });
    }
}

/// The name of the reader with this index; indexes shift when readers come and go, names do not.
fn by_index(selector: &str) -> Result<Option<String>, Failure> {
    if selector.parse::<usize>().is_err() {
        return Ok(None);
    }
    let readers = pcsc::readers().map_err(|e| crate::cli::reader::transport(&e))?;
    let reader = pcsc::select(&readers, Some(selector));
    reader.map(|r| Some(r.name.clone())).map_err(|e| crate::cli::reader::transport(&e))
}

/// What a change means for the lanes; nothing where it is about another reader.
fn event(change: ReaderChange, wanted: Option<&[String]>, names: &LaneNames) -> Option<Event> {
    let added = |reader: &str| lane_of(reader, wanted).filter(|lane| names.bind(lane, reader));
    let lane = |reader: &str| lane_of(reader, wanted).filter(|lane| names.means(lane, reader));
    Some(match change {
        ReaderChange::ServiceStopped => Event::Service { down: true },
        ReaderChange::ServiceStarted => Event::Service { down: false },
        ReaderChange::Added(reader) => Event::ReaderAdded(added(&reader)?),
        ReaderChange::Removed(reader) => {
            let lane = lane(&reader)?;
            names.release(&lane);
            Event::ReaderGone(lane)
        }
        ReaderChange::CardPresent(reader) => Event::CardPresent(lane(&reader)?),
        ReaderChange::CardRemoved(reader) => Event::CardRemoved(lane(&reader)?),
    })
}

/// The lane of a reader: itself where all are watched, else what it was asked for by.
fn lane_of(reader: &str, wanted: Option<&[String]>) -> Option<String> {
    let Some(wanted) = wanted else { return Some(reader.to_owned()) };
    let lower = reader.to_lowercase();
    let exact = wanted.iter().find(|w| *w == reader);
    exact.or_else(|| wanted.iter().find(|w| lower.contains(&w.to_lowercase()))).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_a_lane_the_name_it_was_asked_for_by() {
        let wanted = ["acme".to_owned(), "Acme Two 01".to_owned()];
        assert_eq!(lane_of("Acme One 00", Some(&wanted)).as_deref(), Some("acme"));
        assert_eq!(lane_of("Acme Two 01", Some(&wanted)).as_deref(), Some("Acme Two 01"));
        assert_eq!(lane_of("Other", Some(&wanted)), None);
        assert_eq!(lane_of("Other", None).as_deref(), Some("Other"));
    }

    #[test]
    fn a_lane_means_one_reader_at_a_time() {
        let names = LaneNames::default();
        let wanted = ["acme".to_owned()];
        let happens = |change| event(change, Some(&wanted), &names).is_some();
        let (one, two) = ("Acme One 00".to_owned(), "Acme Two 01".to_owned());
        assert!(happens(ReaderChange::Added(one.clone())));
        assert_eq!(names.reader("acme"), one);
        assert!(!happens(ReaderChange::Added(two.clone())));
        assert!(!happens(ReaderChange::CardPresent(two.clone())));
        assert!(happens(ReaderChange::CardPresent(one.clone())));
        // Plugged in again it may have another name.
        assert!(happens(ReaderChange::Removed(one)));
        assert!(happens(ReaderChange::Added(two.clone())));
        assert_eq!(names.reader("acme"), two);
    }
}
