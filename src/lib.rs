//! `cancuoc` writes, reads and verifies the chip on Vietnamese identity cards (thẻ căn cước):
//! an ICAO Doc 9303 LDS1 chip with a national DG13.
//!
//! The modules stand in layers; a module may use those below it, never those above:
//!
//! ```text
//! cli
//! checkpoint   web   production
//! verify   softcard
//! issue   globalplatform   terminal   trust   pki   keystore      applets/* (seen by softcard only)
//! lds   cvc   biometrics   document
//! apdu   transport   (crypto primitives: crates)
//! ```
#![forbid(unsafe_code)]

pub mod apdu;
pub mod biometrics;
pub mod checkpoint;
pub mod cli;
pub mod cvc;
pub mod deck;
pub mod document;
pub mod error;
pub mod globalplatform;
pub mod issue;
pub mod keystore;
pub mod lds;
pub mod pki;
pub mod production;
pub mod softcard;
pub mod terminal;
pub mod transport;
pub mod trust;
pub mod verify;
pub mod web;
