//! Waits for readers and cards to come and go; the service itself may stop and start again.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::{Duration, Instant};

use ::pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, State};

use super::establish;

/// How often a service that does not run is looked for.
const SERVICE_RETRY: Duration = Duration::from_secs(1);

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaderChange {
    /// The PC/SC service does not run (any more): no reader can be seen.
    ServiceStopped,
    /// It runs again.
    ServiceStarted,
    /// A reader is there.
    Added(String),
    /// A reader went away, with whatever lay on it.
    Removed(String),
    /// A card was laid on a reader.
    CardPresent(String),
    /// A card was taken off a reader.
    CardRemoved(String),
}

/// A reader as it was seen last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    card: bool,
    /// Cards that came and went, as PC/SC counts them: tells a card that was exchanged between two
    /// looks.
    count: u32,
}

/// Watches all readers of the system.
#[derive(Default)]
pub struct ReaderWatch {
    context: Option<Context>,
    states: Vec<ReaderState>,
    seen: BTreeMap<String, Seen>,
    down: bool,
}

impl ReaderWatch {
    /// A watch that has seen nothing yet: the first [`wait`](Self::wait) tells what is there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until something changes, at most for `timeout`; tells what did, in order.
    pub fn wait(&mut self, timeout: Duration) -> Vec<ReaderChange> {
        let start = Instant::now();
        let mut changes = Vec::new();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            if let Err(error) = self.look(left, &mut changes) {
                tracing::debug!("PC/SC: {error}");
                self.lose(&mut changes);
                if changes.is_empty() {
                    std::thread::sleep(left.min(SERVICE_RETRY));
                }
            }
            if !changes.is_empty() || start.elapsed() >= timeout {
                return changes;
            }
        }
    }

    /// The service is gone, and all readers with it.
    fn lose(&mut self, changes: &mut Vec<ReaderChange>) {
        self.context = None;
        self.states.clear();
        changes.extend(std::mem::take(&mut self.seen).into_keys().map(ReaderChange::Removed));
        if !std::mem::replace(&mut self.down, true) {
            changes.push(ReaderChange::ServiceStopped);
        }
    }

    /// One look, which waits where nothing is new.
    fn look(&mut self, timeout: Duration, changes: &mut Vec<ReaderChange>) -> Result<(), Error> {
        let context = match &self.context {
            Some(context) => context.clone(),
            None => {
                let context = establish()?;
                self.context = Some(context.clone());
                if std::mem::take(&mut self.down) {
                    changes.push(ReaderChange::ServiceStarted);
                }
                context
            }
        };
        self.list(&context, changes)?;
        // Readers listed just now are asked at once; then the call waits for news.
        match context.get_status_change(timeout, &mut self.states) {
            Ok(()) => {}
            Err(Error::Timeout | Error::UnknownReader | Error::ReaderUnavailable) => return Ok(()),
            Err(error) => return Err(error),
        }
        for state in &mut self.states {
            state.sync_current_state();
            let name = state.name().to_string_lossy().into_owned();
            let Some(seen) = self.seen.get_mut(&name) else { continue };
            let now = Seen {
                card: state.event_state().contains(State::PRESENT),
                count: state.event_count(),
            };
            compare(&name, *seen, now, changes);
            *seen = now;
        }
        Ok(())
    }

    /// Brings the list of readers up to date.
    fn list(&mut self, context: &Context, changes: &mut Vec<ReaderChange>) -> Result<(), Error> {
        let names = match context.list_readers_owned() {
            Ok(names) => names,
            Err(Error::NoReadersAvailable) => Vec::new(),
            Err(error) => return Err(error),
        };
        let pnp = PNP_NOTIFICATION();
        let is_there = |name: &CString| names.contains(name);
        self.states.retain(|s| s.name() == pnp || names.iter().any(|n| n.as_c_str() == s.name()));
        if self.states.is_empty() {
            self.states.push(ReaderState::new(pnp, State::UNAWARE));
        }
        let gone: Vec<String> = self
            .seen
            .keys()
            .filter(|name| !CString::new(name.as_bytes()).is_ok_and(|n| is_there(&n)))
            .cloned()
            .collect();
        for name in gone {
            self.seen.remove(&name);
            changes.push(ReaderChange::Removed(name));
        }
        for name in names {
            if !self.states.iter().any(|s| s.name() == name.as_c_str()) {
                let text = name.to_string_lossy().into_owned();
                self.states.push(ReaderState::new(name, State::UNAWARE));
                self.seen.insert(text.clone(), Seen::default());
                changes.push(ReaderChange::Added(text));
            }
        }
        Ok(())
    }
}

/// What happened on a reader between two looks.
fn compare(name: &str, before: Seen, now: Seen, changes: &mut Vec<ReaderChange>) {
    let exchanged = before.card && now.card && now.count != before.count;
    if before.card && (!now.card || exchanged) {
        changes.push(ReaderChange::CardRemoved(name.to_owned()));
    }
    if now.card && (!before.card || exchanged) {
        changes.push(ReaderChange::CardPresent(name.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(before: (bool, u32), now: (bool, u32)) -> Vec<ReaderChange> {
        let seen = |(card, count)| Seen { card, count };
        let mut changes = Vec::new();
        compare("R", seen(before), seen(now), &mut changes);
        changes
    }

    #[test]
    fn tells_cards_that_come_go_and_are_exchanged_between_two_looks() {
        let present = || ReaderChange::CardPresent("R".into());
        let removed = || ReaderChange::CardRemoved("R".into());
        assert_eq!(changes((false, 0), (true, 1)), [present()]);
        assert_eq!(changes((true, 1), (false, 2)), [removed()]);
        assert_eq!(changes((true, 1), (true, 3)), [removed(), present()]);
        assert_eq!(changes((true, 1), (true, 1)), []);
        // A card that came and went leaves nothing to be read.
        assert_eq!(changes((false, 0), (false, 2)), []);
    }
}
