//! Any sequence of calls by several stations, each of which may crash at any time, does what a
//! small model says, and keeps the invariants of a production line after each call.

use std::collections::BTreeMap;

use cancuoc::production::journal::{
    Act, ChipSerial, Conflict, Facts, Job, Journal, JournalError, Lease, Record, RecordId, Release,
    StationId,
};
use cancuoc::production::state::{CardState, RecordState};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixture::{
    LEASE, Place, advance, at, chip, record_id, reserve, run_name, set_up, station, try_claim,
};

const RECORDS: usize = 3;
const CHIPS: usize = 6;
const STATIONS: usize = 3;

/// What a station, or somebody at its keyboard, does.
#[derive(Debug, Clone, Copy)]
enum Call {
    Claim,
    Reserve(usize),
    Step,
    Void,
    Quarantine,
    Release(usize, bool),
    GiveBack,
    Adopt(usize),
    /// The process dies; what it knew is lost.
    Crash,
    /// Time passes.
    Wait(i64),
}

fn call() -> impl Strategy<Value = (usize, Call)> {
    let what = prop_oneof![
        4 => Just(Call::Claim),
        4 => (0..CHIPS).prop_map(Call::Reserve),
        12 => Just(Call::Step),
        1 => Just(Call::Void),
        1 => Just(Call::Quarantine),
        2 => (0..RECORDS, any::<bool>()).prop_map(|(record, remake)| Call::Release(record, remake)),
        1 => Just(Call::GiveBack),
        2 => (0..CHIPS).prop_map(Call::Adopt),
        2 => Just(Call::Crash),
        2 => (1..80i64).prop_map(Call::Wait),
    ];
    (0..STATIONS, what)
}

/// What the model knows of a record.
#[derive(Debug, Clone, Default)]
struct Known {
    state: Option<RecordState>,
    fence: u64,
    attempts: u32,
    /// Chip, state and station of the card that is not void.
    card: Option<(ChipSerial, CardState, StationId)>,
    issued_on: Option<ChipSerial>,
}

struct Station {
    name: StationId,
    journal: Journal,
    /// What it believes to hold, which may be over.
    job: Option<(Lease, Option<(ChipSerial, CardState)>)>,
}

struct World<'a> {
    place: &'a Place,
    clock: i64,
    stations: Vec<Station>,
    records: BTreeMap<RecordId, Known>,
    used: BTreeMap<ChipSerial, RecordId>,
}

fn unit(result: Result<(), JournalError>) -> bool {
    refused_or(result).is_some()
}

/// The value, or nothing where the journal refused; another error is none that may happen here.
fn refused_or<T>(result: Result<T, JournalError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(JournalError::Conflict(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

impl<'a> World<'a> {
    fn new(place: &'a Place) -> Self {
        set_up(&mut place.open(), RECORDS, CHIPS);
        let names = ["a", "b", "c"];
        let stations =
            names.map(|n| Station { name: station(n), journal: place.open(), job: None });
        let queued = Known { state: Some(RecordState::Queued), ..Known::default() };
        let records = (0..RECORDS).map(|n| (record_id(n), queued.clone())).collect();
        Self { place, clock: 0, stations: stations.into(), records, used: BTreeMap::new() }
    }

    fn holds(&self, lease: &Lease) -> bool {
        let known = &self.records[&lease.record];
        known.state == Some(RecordState::Leased) && known.fence == lease.fence
    }

    fn call(&mut self, who: usize, call: Call) {
        let at = at(self.clock);
        let name = self.stations[who].name.clone();
        let act = Act::new(&name, at);
        match call {
            Call::Wait(seconds) => self.clock += seconds,
            Call::Crash => {
                self.stations[who].job = None;
                self.stations[who].journal = self.place.open();
                self.stations[who].journal.recover(act).unwrap();
            }
            Call::Claim => {
                let job = try_claim(&mut self.stations[who].journal, act, &[]).unwrap();
                self.took(who, job);
            }
            Call::Adopt(n) => {
                let result = self.stations[who].journal.adopt(act, &chip(n), LEASE);
                if let Some(job) = refused_or(result) {
                    let known = self.records.get_mut(&job.record.id).unwrap();
                    known.card.as_mut().unwrap().2 = name.clone();
                    self.took(who, Some(job));
                }
            }
            Call::Reserve(n) => self.reserve(who, act, &chip(n)),
            Call::Step => self.step(who, act),
            Call::Void | Call::Quarantine | Call::GiveBack => self.leave(who, act, call),
            Call::Release(n, remake) => self.release(who, act, &record_id(n), remake),
        }
    }

    fn took(&mut self, who: usize, job: Option<Job>) {
        let Some(job) = job else { return };
        let known = self.records.get_mut(&job.record.id).unwrap();
        assert!(job.lease.fence > known.fence, "a fence only grows");
        let name = &self.stations[who].name;
        let card = job.card.map(|card| (card.chip, card.state));
        let expected = known.card.as_ref().map(|(chip, state, _)| (chip.clone(), *state));
        assert_eq!(card, expected);
        assert!(known.card.as_ref().is_none_or(|(_, _, at)| at == name), "its chip is elsewhere");
        known.state = Some(RecordState::Leased);
        known.fence = job.lease.fence;
        self.stations[who].job = Some((job.lease, card));
    }

    fn reserve(&mut self, who: usize, act: Act<'_>, chip: &ChipSerial) {
        let Some((lease, _)) = self.stations[who].job.clone() else { return };
        let known = &self.records[&lease.record];
        let free = known.card.is_none() && !self.used.contains_key(chip);
        let again = known
            .card
            .as_ref()
            .is_some_and(|(own, state, _)| own == chip && *state == CardState::Reserved);
        let allowed = self.holds(&lease) && (free || again);
        let journal = &mut self.stations[who].journal;
        let done = refused_or(reserve(journal, act, &lease, chip));
        assert_eq!(done.is_some(), allowed, "reserve");
        let Some(card) = done else { return };
        assert_eq!(reserve(journal, act, &lease, chip).unwrap(), card, "I7");
        let known = self.records.get_mut(&lease.record).unwrap();
        assert_eq!(card.attempt, known.attempts + 1);
        known.card = Some((chip.clone(), CardState::Reserved, act.station.clone()));
        self.used.insert(chip.clone(), lease.record.clone());
        self.stations[who].job = Some((lease, Some((chip.clone(), CardState::Reserved))));
    }

    fn step(&mut self, who: usize, act: Act<'_>) {
        let Some((lease, Some((chip, from)))) = self.stations[who].job.clone() else { return };
        let Some(to) = from.next() else { return };
        let allowed = self.holds(&lease);
        let journal = &mut self.stations[who].journal;
        let done = refused_or(advance(journal, act, &lease, &chip, from));
        assert_eq!(done.is_some(), allowed, "step to {to}");
        let Some(card) = done else { return };
        assert_eq!(advance(journal, act, &lease, &chip, from).unwrap(), card, "I7");
        let known = self.records.get_mut(&lease.record).unwrap();
        known.card = Some((chip.clone(), to, act.station.clone()));
        self.stations[who].job = Some((lease, Some((chip.clone(), to))));
        if to == CardState::Recorded {
            assert_eq!(known.issued_on, None, "I1");
            known.issued_on = Some(chip);
            known.state = Some(RecordState::Issued);
            self.stations[who].job = None;
        }
    }

    fn leave(&mut self, who: usize, act: Act<'_>, call: Call) {
        let Some((lease, card)) = self.stations[who].job.clone() else { return };
        let allowed = self.holds(&lease);
        let queued_again = {
            let known = &self.records[&lease.record];
            known.state == Some(RecordState::Queued) && known.fence == lease.fence
        };
        let (journal, facts) = (&mut self.stations[who].journal, Facts::new());
        let known = self.records.get_mut(&lease.record).unwrap();
        match (call, card) {
            (Call::Void, Some((chip, _))) => {
                let id = &lease.record;
                let mut void = || journal.void_card(act, Some(&lease), id, &chip, "broken", &facts);
                let done = unit(void());
                assert!(done || !allowed, "void");
                if done && allowed {
                    assert!(unit(void()), "I7");
                    known.attempts += 1;
                    known.card = None;
                    known.state = Some(RecordState::Queued);
                }
            }
            (Call::Quarantine, _) => {
                let before = known.state;
                let done =
                    unit(journal.quarantine(act, Some(&lease), &lease.record, "odd", &facts));
                let was_there = before == Some(RecordState::Quarantined);
                assert_eq!(done, allowed || was_there, "quarantine");
                if done && !was_there {
                    known.state = Some(RecordState::Quarantined);
                    if let Some(card) = &mut known.card {
                        card.1 = CardState::Quarantine;
                    }
                }
            }
            (Call::GiveBack, _) => {
                let done = unit(journal.give_back(act, &lease));
                assert_eq!(done, allowed || queued_again, "give back");
                known.state = if done { Some(RecordState::Queued) } else { known.state };
            }
            _ => return,
        }
        self.stations[who].job = None;
    }

    fn release(&mut self, who: usize, act: Act<'_>, id: &RecordId, remake: bool) {
        let known = self.records.get_mut(id).unwrap();
        let release = if remake { Release::Remake { reason: "odd" } } else { Release::GoOn };
        let journal = &mut self.stations[who].journal;
        let done = unit(journal.release(act, id, &release));
        let there = known.state == Some(RecordState::Quarantined);
        let idle = known.state == Some(RecordState::Queued) && !(remake && known.card.is_some());
        assert_eq!(done, there || idle, "release");
        if !there {
            return;
        }
        known.state = Some(RecordState::Queued);
        if remake && known.card.is_some() {
            known.attempts += 1;
            known.card = None;
        } else if let Some(card) = &mut known.card {
            let now = journal.cards(id).unwrap().pop().unwrap();
            assert!(now.state.is_in_work(), "a card goes on where it was");
            card.1 = now.state;
        }
    }

    /// The journal says what the model says, and the invariants hold.
    fn check(&mut self) {
        let mut journal = self.place.open();
        let mut chips = BTreeMap::new();
        for (id, known) in &self.records {
            let Record { state, attempts, .. } = journal.record(id).unwrap();
            assert_eq!((Some(state), attempts), (known.state, known.attempts), "record {id}");
            let cards = journal.cards(id).unwrap();
            for card in &cards {
                assert_eq!(chips.insert(card.chip.clone(), id.clone()), None, "I2");
            }
            let living: Vec<_> = cards.iter().filter(|c| c.state != CardState::Void).collect();
            assert!(living.len() <= 1, "I1");
            let card = living.first().map(|card| (card.chip.clone(), card.state));
            let expected = known.card.as_ref().map(|(chip, state, _)| (chip.clone(), *state));
            assert_eq!(card, expected, "record {id}");
            let recorded = cards.iter().find(|card| card.state == CardState::Recorded);
            let issued = recorded.map(|card| card.chip.clone());
            assert_eq!(issued, known.issued_on, "what is issued stays issued");
        }
        assert_eq!(chips, self.used, "I2");
        assert!(journal.balance(&run_name(), None).unwrap().is_balanced(), "I3");
        assert_eq!(journal.check().unwrap(), Vec::<String>::new(), "I6");
    }
}

fn stateful(place: impl Fn() -> Place, cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(call(), 1..60), |calls| {
            let place = place();
            let mut world = World::new(&place);
            for (who, call) in calls {
                world.call(who, call);
                world.check();
            }
            // Whatever happened, the line comes to an end: one station takes the place of all.
            finish(&mut world);
            Ok(())
        })
        .unwrap();
}

/// After all of that every record can still be issued once.
fn finish(world: &mut World<'_>) {
    world.clock += 100_000;
    for record in 0..RECORDS {
        world.call(0, Call::Release(record, true));
    }
    let chips: Vec<_> = world.used.keys().cloned().collect();
    let mut journal = world.place.open();
    let name = station("a");
    let act = Act::new(&name, at(world.clock));
    for chip in chips {
        match journal.adopt(act, &chip, LEASE) {
            Ok(job) => {
                let mut card = job.card.unwrap();
                while card.state != CardState::Recorded {
                    card = advance(&mut journal, act, &job.lease, &chip, card.state).unwrap();
                }
            }
            Err(JournalError::Conflict(
                Conflict::RecordState { .. } | Conflict::ChipUnknown(_),
            )) => {}
            Err(error) => panic!("{error}"),
        }
    }
    while let Some(job) = try_claim(&mut journal, act, &[]).unwrap() {
        let blank = (0..100).map(chip).find(|serial| {
            let status = journal.chip(serial).unwrap();
            status.is_none_or(|status| status.state.as_str() == "blank")
        });
        let blank = blank.unwrap();
        let new = cancuoc::production::journal::NewChip {
            serial: blank.clone(),
            kind: crate::fixture::KIND.to_owned(),
        };
        journal.add_chips(act, &[new], "more").unwrap();
        let mut card = reserve(&mut journal, act, &job.lease, &blank).unwrap();
        while card.state != CardState::Recorded {
            card = advance(&mut journal, act, &job.lease, &blank, card.state).unwrap();
        }
    }
    journal.close_run(act, &run_name(), None).unwrap();
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

#[test]
fn any_calls_over_a_file_keep_the_invariants() {
    stateful(Place::sqlite, 16);
}

#[test]
fn any_calls_over_a_server_keep_the_invariants() {
    stateful(Place::postgres, 3);
}
