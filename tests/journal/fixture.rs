//! Where journals of tests are, and a line with records, chips and stations.

use std::path::PathBuf;
use std::time::Duration;

use cancuoc::production::journal::{
    Act, Advance, Card, ChipSerial, ClaimRequest, Digest, Facts, Job, Journal, JournalError, Lease,
    Location, NewChip, NewRecord, NewRun, RecordId, RunName, StationId,
};
use cancuoc::production::state::{CardState, Environment};
use jiff::Timestamp;

use crate::cluster::Cluster;

/// Kind of the chips of tests.
pub const KIND: &str = "cancuoc-2024";
/// Lease of tests.
pub const LEASE: Duration = Duration::from_secs(60);

/// A place for one journal.
pub enum Place {
    File(tempfile::TempDir),
    Server(String),
}

impl Place {
    pub fn sqlite() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub fn postgres() -> Self {
        Self::Server(Cluster::shared().new_database())
    }

    pub fn location(&self) -> Location {
        match self {
            Self::File(_) => Location::Sqlite(self.path()),
            Self::Server(address) => address.parse().unwrap(),
        }
    }

    /// The file of a journal.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File(folder) => folder.path().join("journal.db"),
            Self::Server(_) => panic!("no file"),
        }
    }

    /// Opens the journal of tests.
    pub fn open(&self) -> Journal {
        Journal::open(&self.location(), Environment::Test, None).unwrap()
    }

    /// Changes the database behind the journal's back.
    pub fn tamper(&self, sql: &str) {
        match self {
            Self::File(_) => {
                rusqlite::Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
            }
            Self::Server(address) => {
                let mut client = postgres::Client::connect(address, postgres::NoTls).unwrap();
                client.batch_execute(&format!("SET search_path = cancuoc; {sql}")).unwrap();
            }
        }
    }
}

/// A test over each database.
macro_rules! over_both {
    ($($name:ident,)+) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&crate::fixture::Place::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&crate::fixture::Place::postgres()); })+
        }
    };
}
pub(crate) use over_both;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

pub fn station(name: &str) -> StationId {
    StationId::new(name).unwrap()
}

pub fn run_name() -> RunName {
    RunName::new("run-1").unwrap()
}

pub fn record_id(n: usize) -> RecordId {
    RecordId::new(format!("R{n}")).unwrap()
}

pub fn chip(n: usize) -> ChipSerial {
    ChipSerial::new(format!("4790.{n:04}")).unwrap()
}

pub fn record(n: usize) -> NewRecord {
    NewRecord {
        id: record_id(n),
        number_hash: Digest::of(format!("number {n}").as_bytes()),
        payload: format!("payload {n}").into_bytes(),
        payload_digest: Digest::of(format!("payload {n}").as_bytes()),
    }
}

pub fn import(
    journal: &mut Journal,
    act: Act<'_>,
    run: &RunName,
    records: Vec<NewRecord>,
) -> Result<cancuoc::production::journal::Imported, JournalError> {
    journal.import(act, run, &mut records.into_iter().map(Ok))
}

/// Opens a run with records and chips from 0 on.
pub fn set_up(journal: &mut Journal, records: usize, chips: usize) {
    let office = station("office");
    let act = Act::new(&office, at(0));
    let new = NewRun { name: run_name(), profile: KIND.to_owned(), handed_out: None };
    journal.open_run(act, &new).unwrap();
    import(journal, act, &run_name(), (0..records).map(record).collect()).unwrap();
    let blank = |n| NewChip { serial: chip(n), kind: KIND.to_owned() };
    journal.add_chips(act, &(0..chips).map(blank).collect::<Vec<_>>(), "delivery 1").unwrap();
}

/// Claims the next record.
pub fn claim(journal: &mut Journal, act: Act<'_>) -> Option<Job> {
    try_claim(journal, act, &[]).unwrap()
}

pub fn try_claim(
    journal: &mut Journal,
    act: Act<'_>,
    held: &[RecordId],
) -> Result<Option<Job>, JournalError> {
    let run = run_name();
    journal.claim(act, &ClaimRequest { run: &run, lease: LEASE, held })
}

/// Reserves a chip, with the first step announced.
pub fn reserve(
    journal: &mut Journal,
    act: Act<'_>,
    lease: &Lease,
    chip: &ChipSerial,
) -> Result<Card, JournalError> {
    journal.reserve(act, lease, chip, KIND, &Facts::new(), true)
}

/// One step with the announcement of the next one where that changes the chip.
pub fn advance(
    journal: &mut Journal,
    act: Act<'_>,
    lease: &Lease,
    chip: &ChipSerial,
    from: CardState,
) -> Result<Card, JournalError> {
    let to = from.next().unwrap();
    let announce = to.next().is_some_and(CardState::changes_chip);
    let facts = Facts::new().with(to.as_str(), true);
    journal.advance(act, lease, &Advance { chip, from, to, facts: &facts, announce })
}

/// Brings a card from where it is to `to`.
pub fn bring(
    journal: &mut Journal,
    act: Act<'_>,
    lease: &Lease,
    card: &Card,
    to: CardState,
) -> Card {
    let mut card = card.clone();
    while card.state != to {
        card = advance(journal, act, lease, &card.chip, card.state).unwrap();
    }
    card
}

/// Claims a record and issues it on that chip.
pub fn issue(journal: &mut Journal, act: Act<'_>, chip: &ChipSerial) -> RecordId {
    let job = claim(journal, act).unwrap();
    let card = reserve(journal, act, &job.lease, chip).unwrap();
    bring(journal, act, &job.lease, &card, CardState::Recorded);
    job.record.id
}
