//! The journal of the production line: what became of every record and every card, on the disk
//! before the chip is told.
//!
//! **Write ahead.** A step that changes the chip is [announced](Journal::announce) before its first
//! command is sent, and [recorded](Journal::advance) when the chip did it. After a crash the chip is
//! in the last state that was reached or in the announced one, and shows itself in which. A step
//! can be recorded together with the announcement of the next one.
//!
//! **One transaction a call.** Every method is one transaction, done or not done. When the database
//! is busy, or gone and back, it is tried again as a whole; nothing waits for a card within one. The
//! same call twice changes nothing the second time, so that an answer that was lost is asked for again.
//! Calls compare before they set: who comes too late gets a [`Conflict`].
//!
//! **One holder.** A record is worked on under a [`Lease`]. The fence in it counts the claims of the
//! record, so that a station which lost its lease cannot write any more, whatever its clock says. A
//! record with a card in work goes to nobody but the station that began it, or to whoever has the
//! chip in the reader ([`Journal::adopt`]).
//!
//! Nothing personal stands in it in clear: numbers as keyed hashes, records sealed by the vault.
//! Both databases run the same statements ([`database`]); the tests run over both.

mod audit;
mod cards;
mod chips;
mod claims;
pub mod database;
mod error;
mod facts;
mod identifier;
mod location;
mod pages;
mod postgres;
mod records;
mod recovery;
mod report;
mod rows;
mod runs;
mod schema;
mod side_exits;
mod sqlite;
mod transaction;
mod types;

pub use audit::{Audit, AuditEntry, AuditFact, AuditHead, SealedEntry};
pub use error::{Conflict, ErrorClass, ImportConflict, ImportConflictKind, JournalError};
pub use facts::{Fact, Facts, FactsError, MAX_FACTS};
pub use identifier::{ChipSerial, InvalidIdentifier, RecordId, RunName, StationId};
pub use location::{Location, LocationError};
pub use postgres::PostgresDatabase;
pub use records::RecordSource;
pub use recovery::{Recovered, Recovery};
pub use sqlite::SqliteDatabase;
pub use types::{
    Act, Advance, Balance, Card, ChipStatus, ClaimRequest, Counters, Imported, Job, Lease,
    MAX_LEASE, MAX_PAGE, MAX_PAYLOAD, MAX_TEXT, NewChip, NewRecord, NewRun, Record, Release, Run,
    StationCounters, StepEntry, StepTime,
};

use database::Database;

pub use super::Digest;
use super::state::Environment;

/// Numbers of the locks that a whole database has.
mod locks {
    /// Held while tables are made.
    pub(super) const SCHEMA: i64 = 0x6361_6e63_0001;
    /// Held while records come in.
    pub(super) const IMPORT: i64 = 0x6361_6e63_0002;
}

/// An open journal. Each thread opens its own.
pub struct Journal {
    database: Box<dyn Database>,
    audit: Option<Box<dyn Audit>>,
    environment: Environment,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({})", self.environment)
    }
}

impl Journal {
    /// Opens a journal; makes one where none is yet. Without `audit` a journal of production can be
    /// read, not written.
    ///
    /// # Errors
    /// [`JournalError::Environment`] when it was made for the other environment,
    /// [`JournalError::Newer`], [`JournalError::Foreign`], [`JournalError::Unavailable`] …
    pub fn open(
        location: &Location,
        environment: Environment,
        audit: Option<Box<dyn Audit>>,
    ) -> Result<Self, JournalError> {
        let database: Box<dyn Database> = match location {
            Location::Sqlite(path) => Box::new(SqliteDatabase::open(path)?),
            Location::Postgres(configuration) => Box::new(PostgresDatabase::open(configuration)?),
        };
        Self::over(database, environment, audit)
    }

    /// The same over a database that is open already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn over(
        database: Box<dyn Database>,
        environment: Environment,
        audit: Option<Box<dyn Audit>>,
    ) -> Result<Self, JournalError> {
        let mut journal = Self { database, audit, environment };
        journal.persist(|journal| {
            journal.database.reconnect()?;
            schema::prepare(&mut *journal.database, environment)
        })?;
        Ok(journal)
    }

    /// What it is for.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.environment
    }
}
