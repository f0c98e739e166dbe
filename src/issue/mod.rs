//! Data preparation: from a holder's record to the image of a card.

pub mod finding;
pub mod record;

pub use finding::{Finding, Severity};
pub use record::{LoadError, Loader, Record, Review, check, review};
