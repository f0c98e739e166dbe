//! Data preparation: from a holder's record to the image of a card.

pub mod finding;
pub mod forge;
pub mod image;
pub mod prepare;
pub mod record;

pub use finding::{Finding, Severity};
pub use image::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipAuthenticationKey, ChipKeyUse,
    ExplicitDomainParameters, ImageFile, Location, PaceConfiguration, TerminalAuthentication,
};
pub use prepare::{DocumentSigner, PrepareError, prepare};
pub use record::{LoadError, Loader, Record, Review, Terms, check, review, review_with};
