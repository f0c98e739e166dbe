//! What the document says and what opens it: numbers and access keys, MRZ, names, DG13, QR text
//! and the card profiles that hold what differs between generations of cards.

pub mod access;

pub use access::{AccessError, Can, DocumentNumber, MrzKey, PersonalNumber};
