//! A process that is killed at any call of the database leaves a journal from which the next one
//! goes on: every point is tried.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use cancuoc::production::journal::database::{Database, Row, Value};
use cancuoc::production::journal::{
    Act, Facts, Journal, JournalError, Location, PostgresDatabase, Release, SqliteDatabase,
};
use cancuoc::production::state::{CardState, Environment, RecordState, RunState};

use crate::fixture::{
    Place, at, bring, chip, claim, record_id, reserve, run_name, set_up, station,
};

const ADDRESS: &str = "CANCUOC_TEST_JOURNAL";
const POINT: &str = "CANCUOC_TEST_KILL_AT";

/// A database whose process is killed before call number `point` that writes.
struct Deadly {
    inner: Box<dyn Database>,
    calls: u64,
    point: u64,
}

impl Deadly {
    fn step(&mut self) {
        self.calls += 1;
        if self.calls == self.point {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
            loop {
                std::thread::park();
            }
        }
    }
}

impl Database for Deadly {
    fn begin(&mut self) -> Result<(), JournalError> {
        self.inner.begin()
    }
    fn begin_read(&mut self) -> Result<(), JournalError> {
        self.inner.begin_read()
    }
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, JournalError> {
        self.inner.query(sql, parameters)
    }
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, JournalError> {
        self.step();
        self.inner.execute(sql, parameters)
    }
    fn commit(&mut self) -> Result<(), JournalError> {
        self.step();
        self.inner.commit()?;
        self.step();
        Ok(())
    }
    fn rollback(&mut self) {
        self.inner.rollback();
    }
    fn reconnect(&mut self) -> Result<(), JournalError> {
        self.inner.reconnect()
    }
    fn define(&mut self, sql: &str) -> Result<(), JournalError> {
        self.inner.define(sql)
    }
    fn has_table(&mut self, name: &str) -> Result<bool, JournalError> {
        self.inner.has_table(name)
    }
    fn lock(&mut self, number: i64) -> Result<(), JournalError> {
        self.inner.lock(number)
    }
    fn for_update(&self) -> &'static str {
        self.inner.for_update()
    }
    fn for_update_skip_locked(&self) -> &'static str {
        self.inner.for_update_skip_locked()
    }
    fn for_share(&self) -> &'static str {
        self.inner.for_share()
    }
    fn reserve_room(&mut self) -> Result<(), JournalError> {
        self.inner.reserve_room()
    }
    fn free_room(&mut self) -> bool {
        self.inner.free_room()
    }
}

/// One record with a card that is destroyed, and its second card, through quarantine, to the end.
/// Started anew it goes on from wherever the journal is.
fn work(journal: &mut Journal) {
    if journal.run(&run_name()).is_ok_and(|run| run.state == RunState::Closed) {
        return;
    }
    set_up(journal, 1, 2);
    let a = station("a");
    let act = Act::new(&a, at(0));
    journal.recover(act).unwrap();
    let id = record_id(0);
    loop {
        let record = journal.record(&id).unwrap();
        match record.state {
            RecordState::Issued => break,
            RecordState::Quarantined => journal.release(act, &id, &Release::GoOn).unwrap(),
            _ => work_on_card(journal, act),
        }
    }
    journal.close_run(act, &run_name(), None).unwrap();
}

fn work_on_card(journal: &mut Journal, act: Act<'_>) {
    let job = claim(journal, act).unwrap();
    let attempt = job.record.attempts + 1;
    let card = match job.card {
        Some(card) => card,
        None => reserve(journal, act, &job.lease, &chip(attempt as usize - 1)).unwrap(),
    };
    let (id, facts) = (&job.record.id, Facts::new());
    if attempt == 1 {
        let card = match card.state {
            CardState::Reserved => bring(journal, act, &job.lease, &card, CardState::Keyed),
            _ => card,
        };
        journal.void_card(act, Some(&job.lease), id, &card.chip, "broken", &facts).unwrap();
        return;
    }
    let was_set_aside =
        journal.steps_of(id).unwrap().iter().any(|step| step.to == CardState::Quarantine);
    if !was_set_aside {
        journal.quarantine(act, Some(&job.lease), id, "unclear", &facts).unwrap();
        return;
    }
    bring(journal, act, &job.lease, &card, CardState::Recorded);
}

/// What a process of its own does; without an address it is no test.
#[test]
fn child() {
    let Ok(address) = std::env::var(ADDRESS) else { return };
    let point = std::env::var(POINT).unwrap().parse().unwrap();
    let inner: Box<dyn Database> = match address.parse().unwrap() {
        Location::Sqlite(path) => Box::new(SqliteDatabase::open(&path).unwrap()),
        Location::Postgres(config) => Box::new(PostgresDatabase::open(&config).unwrap()),
    };
    let deadly = Deadly { inner, calls: 0, point };
    let mut journal = Journal::over(Box::new(deadly), Environment::Test, None).unwrap();
    work(&mut journal);
}

/// Runs the child; true when it was killed at that point.
fn killed_at(address: &str, point: u64) -> bool {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture"])
        .env(ADDRESS, address)
        .env(POINT, point.to_string())
        .output()
        .unwrap();
    let killed = out.status.signal() == Some(9);
    assert!(killed || out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    killed
}

fn check_after(place: &Place, point: u64) {
    let mut journal = place.open();
    work(&mut journal);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new(), "killed at {point}");
    let balance = journal.balance(&run_name(), None).unwrap();
    assert_eq!((balance.issued, balance.void), ((1, 1), (1, 1)), "killed at {point}");
}

#[test]
fn a_kill_at_any_write_of_a_file_leaves_a_state_to_go_on_from() {
    let mut points = 0;
    for point in 1.. {
        let place = Place::sqlite();
        let killed = killed_at(&format!("sqlite:{}", place.path().display()), point);
        check_after(&place, point);
        if !killed {
            break;
        }
        points += 1;
    }
    assert!(points > 100, "only {points} points");
}

#[test]
fn a_kill_at_any_write_of_a_server_leaves_a_state_to_go_on_from() {
    // Every seventh point: a process and a database for each of them are dear.
    for point in (1..).step_by(7) {
        let place = Place::postgres();
        let Place::Server(address) = &place else { unreachable!() };
        let killed = killed_at(address, point);
        check_after(&place, point);
        if !killed {
            assert!(point > 100, "only {point} points");
            break;
        }
    }
}
