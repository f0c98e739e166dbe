//! The production line: what makes cards by the million, and the record that an auditor accepts.

pub mod audit;
pub mod roles;
mod signed;
pub mod vault;

pub use signed::Digest;
