//! The production line: approved records in, verified cards by the million and a record that an
//! auditor accepts out.
//!
//! [`state`] says what a card may become, [`journal`] keeps it where no loss of power reaches it,
//! [`audit`] makes what was done a record that nobody can change, [`roles`] says who may do what,
//! [`vault`] seals personal data, [`site`] is the configuration of a production site.

pub mod audit;
pub mod export;
pub mod intake;
pub mod journal;
mod lines;
pub mod results;
pub mod roles;
pub mod run;
mod signed;
pub mod site;
pub mod state;
pub mod station;
pub mod vault;

pub use signed::Digest;
