//! The record of a production site: what was done, by whom and when, so that nobody can change it
//! afterwards without being found out.
//!
//! Each station keeps a chain of its own. An **entry** is a line of canonical JSON (`cancuoc.audit/1`):
//! station, sequence from 1, SHA-256 of the entry before, key, time, and one or more **acts**. The station
//! signs the bytes of the entry, and the next one holds their hash. Bytes are kept as they were signed.
//!
//! What the chain alone proves: nothing in it was changed, left out, put in or moved around without the
//! station's key. What it cannot prove is its own end: entries cut off at the end leave a shorter chain that
//! is whole. So the **head** of a chain is written down elsewhere, in the report of a run, and
//! [`Verifier`] compares it as an **anchor**.
//!
//! Acts carry no personal data: records by their opaque identifiers, numbers hashed.
//!
//! The journal has each entry sealed within the transaction of the step that it tells of
//! ([`StationAudit`]): where nothing is sealed, nothing is done.

mod anchor;
mod chain;
mod entry;
mod error;
mod lines;
mod station;
mod verify;

pub use anchor::{Anchors, Head};
pub use chain::{SealedEntry, Sealer};
pub use entry::{Act, Entry, Fact, Filter, MAX_ACTS, MAX_ENTRY, SCHEMA, acts};
pub use error::AuditError;
pub use lines::{Line, Lines};
pub use station::StationAudit;
pub use verify::{Finding, Severity, StationKeys, StationSummary, Verdict, Verification, Verifier};

#[cfg(test)]
mod tests;
