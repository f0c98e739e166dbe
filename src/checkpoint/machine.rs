//! The rules: which card is opened by which data, when, and what follows.

use std::collections::VecDeque;
use std::time::Duration;

use super::state::{Decision, Entry, Lane, Outcome, Pending, Phase, State, Trouble};
use super::wedge::{Typed, Wedge};
use super::{Action, CardOn, Event, Given, Job, Record, Settings};
use crate::error::ErrorCode;
use crate::lds::FileId;
use crate::verify::Verdict;

/// Most readers.
pub const MAX_LANES: usize = 32;

/// The state of a checkpoint and the rules by which it changes.
#[derive(Debug)]
pub struct Checkpoint {
    settings: Settings,
    state: State,
    wedge: Wedge,
    queue: VecDeque<Given>,
    queue_ended: bool,
    finished: bool,
    jobs: u64,
}

impl Checkpoint {
    /// A checkpoint without readers.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            state: State::default(),
            wedge: Wedge::default(),
            queue: VecDeque::new(),
            queue_ended: false,
            finished: false,
            jobs: 0,
        }
    }

    /// What is to be seen.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// How it was set up.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Something happened at this time after the start. Says what shall be done.
    pub fn handle(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        self.expire(now);
        match event {
            Event::ReaderAdded(reader) => {
                if let Some(lane) = self.lane(&reader) {
                    lane.connected = true;
                }
            }
            Event::ReaderGone(reader) => self.lift(&reader, false),
            Event::CardPresent(reader) => self.card_present(&reader, now),
            Event::CardRemoved(reader) => self.lift(&reader, true),
            Event::CardStays(reader) => {
                self.card_present(&reader, now);
                if let Some(lane) = self.lane(&reader) {
                    lane.stays = true;
                }
            }
            Event::Service { down } => self.state.service_down = down,
            Event::Scanner { down } => self.state.scanner_down = down,
            Event::Character(character) => {
                let typed = self.wedge.character(character, now);
                self.typed(typed, now, &mut actions);
            }
            Event::Backspace => self.wedge.backspace(),
            Event::Enter => {
                let typed = self.wedge.enter(now);
                self.typed(typed, now, &mut actions);
            }
            Event::Line(text) => {
                let typed = self.wedge.line(&text, now);
                self.typed(typed, now, &mut actions);
            }
            Event::Clear => self.clear(),
            Event::Consent { agreed, card } => {
                self.consent(agreed, card.as_ref(), now, &mut actions);
            }
            Event::Queued(given) => self.queue.push_back(given),
            Event::QueueEnded => self.queue_ended = true,
            Event::Progress { job, file, bytes } => self.progress(job, file, bytes),
            Event::Finished { job, outcome } => self.job_finished(job, outcome, now, &mut actions),
            Event::Tick => {}
        }
        self.assign(now, &mut actions);
        self.state.queued = self.queue.len();
        self.state.entry.characters = self.wedge.characters();
        self.state.entry.lines = self.wedge.lines();
        self.finish_when_done(&mut actions);
        actions
    }

    /// The lane of a reader, made where there is none. Where there are too many, a reader that is
    /// gone gives its place up.
    fn lane(&mut self, reader: &str) -> Option<&mut Lane> {
        let lanes = &mut self.state.lanes;
        if let Some(index) = lanes.iter().position(|lane| lane.reader == reader) {
            return lanes.get_mut(index);
        }
        if lanes.len() >= MAX_LANES {
            let gone = |lane: &Lane| !lane.connected && matches!(lane.phase, Phase::Idle);
            lanes.remove(lanes.iter().position(gone)?);
        }
        lanes.push(Lane::new(reader));
        lanes.last_mut()
    }

    fn card_present(&mut self, reader: &str, now: Duration) {
        let Some(lane) = self.lane(reader) else { return };
        lane.connected = true;
        lane.card = true;
        lane.arrival += 1;
        // What is shown must never be taken for this card's: the verdict of the one before goes.
        lane.decision = None;
        if !matches!(lane.phase, Phase::Inspecting { .. }) {
            lane.phase = Phase::NeedsAccess { since: now, again: false };
        }
    }

    /// The card is gone, and the reader too where it is not connected. A decision stays to be
    /// seen; a job that runs ends by itself.
    fn lift(&mut self, reader: &str, connected: bool) {
        let Some(lane) = self.state.lanes.iter_mut().find(|l| l.reader == reader) else { return };
        lane.connected = connected;
        lane.card = false;
        if !matches!(lane.phase, Phase::Inspecting { .. }) {
            lane.phase = Phase::Idle;
        }
    }

    fn typed(&mut self, typed: Typed, now: Duration, actions: &mut Vec<Action>) {
        let error = match typed {
            Typed::Nothing => return,
            Typed::More => None,
            Typed::Given(given) => {
                // The newest counts: what was scanned before belongs to somebody who went away.
                self.state.pending = Some(Pending { given, since: now });
                None
            }
            Typed::Agree | Typed::Refuse => {
                self.consent(typed == Typed::Agree, None, now, actions);
                None
            }
            Typed::Wrong(error) => Some(error.code()),
        };
        self.state.entry.error = error;
    }

    /// Nothing typed, scanned or decided is kept.
    fn clear(&mut self) {
        self.wedge.clear();
        self.state.pending = None;
        self.state.entry = Entry::default();
        for lane in &mut self.state.lanes {
            lane.decision = None;
        }
    }

    /// The answer of the holder who was asked; of the one whose card has waited longest for it
    /// where none is named.
    fn consent(
        &mut self,
        agreed: bool,
        card: Option<&CardOn>,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(card) = card.cloned().or_else(|| self.state.asked().map(Lane::card_on)) else {
            return;
        };
        let waits = |lane: &Lane| {
            matches!(lane.phase, Phase::NeedsConsent { .. }) && lane.card_on() == card
        };
        let Some(index) = self.state.lanes.iter().position(waits) else { return };
        let Some(lane) = self.state.lanes.get_mut(index) else { return };
        let phase = std::mem::replace(&mut lane.phase, Phase::Idle);
        let Phase::NeedsConsent { given, .. } = phase else { return };
        if agreed {
            self.start(index, *given, now, actions);
        } else {
            let trouble = Trouble {
                code: "consent_refused",
                detail: "the holder did not agree".to_owned(),
                wrong_access: false,
            };
            if lane.stays {
                lane.phase = Phase::NeedsAccess { since: now, again: false };
            }
            self.decide(index, Outcome::Failed(trouble), now, now, actions);
        }
    }

    /// Brings cards and data together, the card that has waited longest first.
    fn assign(&mut self, now: Duration, actions: &mut Vec<Action>) {
        loop {
            let scanned = self.state.pending.is_some();
            let listed = !self.queue.is_empty();
            let waits = |lane: &Lane| match lane.phase {
                // Data from a list belong to one card each: a second try is not made with them.
                Phase::NeedsAccess { since, again } if scanned || (listed && !again) => Some(since),
                _ => None,
            };
            let Some(index) = oldest(&self.state.lanes, waits) else { return };
            let pending = self.state.pending.take().map(|pending| pending.given);
            let Some(given) = pending.or_else(|| self.queue.pop_front()) else { return };
            match (self.settings.consent, self.state.lanes.get_mut(index)) {
                (true, Some(lane)) => {
                    lane.decision = None;
                    lane.phase = Phase::NeedsConsent { since: now, given: Box::new(given) };
                }
                _ => self.start(index, given, now, actions),
            }
        }
    }

    fn start(&mut self, index: usize, given: Given, now: Duration, actions: &mut Vec<Action>) {
        let Some(lane) = self.state.lanes.get_mut(index) else { return };
        self.jobs += 1;
        let job = Job { id: self.jobs, reader: lane.reader.clone(), given };
        lane.decision = None;
        lane.phase = Phase::Inspecting {
            job: job.id,
            arrival: lane.arrival,
            since: now,
            file: None,
            bytes: 0,
        };
        actions.push(Action::Inspect(job));
    }

    fn progress(&mut self, number: u64, now_at: FileId, read: u64) {
        for lane in &mut self.state.lanes {
            if let Phase::Inspecting { job, file, bytes, .. } = &mut lane.phase
                && *job == number
            {
                (*file, *bytes) = (Some(now_at), read);
            }
        }
    }

    fn job_finished(
        &mut self,
        number: u64,
        outcome: Outcome,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let running = |lane: &Lane| match lane.phase {
            Phase::Inspecting { job, .. } => job == number,
            _ => false,
        };
        let Some(index) = self.state.lanes.iter().position(running) else { return };
        let Some(lane) = self.state.lanes.get_mut(index) else { return };
        let Phase::Inspecting { since, arrival, .. } = lane.phase else { return };
        let again = matches!(&outcome, Outcome::Failed(trouble) if trouble.wrong_access);
        let same_card = lane.arrival == arrival;
        lane.phase = match (lane.card, same_card) {
            (true, true) if lane.stays => Phase::NeedsAccess { since: now, again: false },
            (true, true) if again => Phase::NeedsAccess { since: now, again: true },
            // The next card came while this one was still being worked on.
            (true, false) => Phase::NeedsAccess { since: now, again: false },
            _ => Phase::Idle,
        };
        self.decide(index, outcome, since, now, actions);
        if !same_card
            && let Some(lane) = self.state.lanes.get_mut(index)
            && lane.card
        {
            lane.decision = None;
        }
    }

    /// Counts, records and shows how a card ended.
    fn decide(
        &mut self,
        index: usize,
        outcome: Outcome,
        since: Duration,
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let tally = &mut self.state.tally;
        let count = match &outcome {
            Outcome::Failed(_) => &mut tally.unread,
            Outcome::Inspected(inspected) => match inspected.verdict {
                Verdict::Genuine => &mut tally.genuine,
                Verdict::Forged => &mut tally.forged,
                Verdict::Inconclusive => &mut tally.inconclusive,
            },
        };
        *count += 1;
        let Some(lane) = self.state.lanes.get_mut(index) else { return };
        let decision = Decision { outcome, at: now, took: now.saturating_sub(since) };
        actions.push(Action::Record(Record::of(&lane.reader, &decision)));
        lane.previous = Some(decision.outcome.name());
        lane.decision = Some(decision);
    }

    /// What is personal does not stay longer than it is needed.
    fn expire(&mut self, now: Duration) {
        self.wedge.expire(now);
        let over = |since: Duration, limit: Duration| now.saturating_sub(since) > limit;
        let limit = self.settings.keep_scanned;
        if self.state.pending.as_ref().is_some_and(|p| over(p.since, limit)) {
            self.state.pending = None;
        }
        let limit = self.settings.keep_shown;
        for lane in &mut self.state.lanes {
            if lane.decision.as_ref().is_some_and(|d| over(d.at, limit)) {
                lane.decision = None;
            }
        }
    }

    /// Ends after the last card of a list, or after as many cards as were asked for.
    fn finish_when_done(&mut self, actions: &mut Vec<Action>) {
        let busy = |lane: &Lane| {
            matches!(lane.phase, Phase::Inspecting { .. } | Phase::NeedsConsent { .. })
        };
        let idle = !self.state.lanes.iter().any(busy) && self.state.pending.is_none();
        let list_done = self.settings.end_with_list && self.queue_ended && self.queue.is_empty();
        let enough = self.settings.cards.is_some_and(|most| self.state.tally.total() >= most);
        if !self.finished && (enough || (list_done && idle)) {
            self.finished = true;
            actions.push(Action::Finish);
        }
    }
}

/// The lane for which a time is told, and the earliest.
fn oldest(lanes: &[Lane], since: impl Fn(&Lane) -> Option<Duration>) -> Option<usize> {
    let times = lanes.iter().enumerate().filter_map(|(index, lane)| Some((since(lane)?, index)));
    times.min().map(|(_, index)| index)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
