//! What the document says and what opens it: numbers and access keys, MRZ, names, DG13, QR text
//! and the card profiles that hold what differs between generations of cards.

pub mod access;
pub mod date;
pub mod dg13;
pub mod keys;
pub mod mrz;
pub mod name;
pub mod profile;
pub mod qr;

pub use access::{AccessError, Can, DocumentNumber, MrzKey, PersonalNumber, Pin, Puk};
pub use date::PartialDate;
pub use dg13::Dg13;
pub use keys::AccessKeys;
pub use mrz::{Mrz, MrzDate, MrzError};
pub use profile::CardProfile;
pub use qr::QrText;
