//! The reader's side of the protocols: access, secure messaging, authentication of the chip,
//! reading of files.
//!
//! Protocols are state machines over APDUs ([`Protocol`]) which a [`Session`] drives; only the
//! session's transport does input and output.

pub mod access;
pub mod active_authentication;
pub mod bac;
mod chip;
pub mod chip_authentication;
pub mod commands;
mod error;
mod freshness;
pub mod identify;
pub mod key_derivation;
mod key_fault;
pub mod pace;
mod protocol;
pub mod public_key;
pub mod reading;
pub mod secure_messaging;
mod session;
pub mod strength;
pub mod terminal_authentication;
#[cfg(test)]
mod testing;

pub use access::{
    AccessOutcome, AccessPlan, AccessPolicy, PaceKeys, PaceOptions, PinRecovery, open_card,
};
pub use chip::{
    ChipFile, ChipReading, ExtendedLength, ProgressReport, Proof, ReadOptions, read_chip,
};
pub use error::TerminalError;
pub use freshness::FreshnessRegister;
pub use key_fault::KeyFault;
pub use protocol::{Protocol, Step};
pub use reading::{FileRead, FileReader, ReadLimits, ReadStatistics};
pub use session::{Counters, Session, WireExchange, max_protected_data};
