//! The forgery deck: cards that a verifier must refuse, each for one reason, and their good twins,
//! which differ in nothing but that and must pass; and cards that are unusual but genuine.
//!
//! Rows N01 to N46 are those of the list of bad inputs in docs/en/integrators.md. A defect in data
//! is built here, byte by byte, with keys of a test issuer; a defect in behaviour is a
//! [`Misbehaviour`] of the software card. The same version makes the same deck, byte for byte.

mod certificate;
mod entry;
mod portrait;
mod random;
mod rows;
mod signed_object;
mod trust;
mod workshop;

use cancuoc_primitives::ecdsa::SignatureError;
use thiserror::Error;

use self::random::Reproducible;
use self::workshop::Workshop;
use crate::error::ErrorCode;
use crate::issue::CardImage;
use crate::issue::prepare::PrepareError;
use crate::lds::{LdsError, PublicKeyError};
use crate::pki::{KeyError, SignerError};
use crate::softcard::{BlankOptions, Misbehaviour, RamMemory, SoftCardError, personalised};

pub use entry::{Entry, Expected, Given, Noted, Outcome};
pub use trust::Trust;

/// Why a card of the deck cannot be made.
#[derive(Debug, Error)]
pub enum DeckError {
    /// Data preparation failed.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A structure made here cannot be read.
    #[error(transparent)]
    Lds(#[from] LdsError),
    /// A public key made here cannot be read.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
    /// A signature could not be made.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The software card refuses the card.
    #[error(transparent)]
    SoftCard(#[from] SoftCardError),
    /// Something that is always there is not: a defect.
    #[error("defect: {0}")]
    Defect(&'static str),
}

impl ErrorCode for DeckError {
    fn code(&self) -> &'static str {
        match self {
            Self::Prepare(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Signer(error) => error.code(),
            Self::Lds(error) => error.code(),
            Self::PublicKey(error) => error.code(),
            Self::SoftCard(error) => error.code(),
            Self::Signature(_) | Self::Defect(_) => "deck_defect",
        }
    }
}

/// A card before it is written: what is on it and what it does wrong.
#[derive(Debug, Clone)]
pub struct Card {
    /// What is on it.
    pub image: CardImage,
    /// What it does wrong.
    pub misbehaviour: Misbehaviour,
}

/// The deck: its entries, and what makes their cards.
pub struct Deck {
    workshop: Workshop,
}

impl Deck {
    /// Makes what the cards share.
    ///
    /// # Errors
    /// [`DeckError`].
    pub fn new() -> Result<Self, DeckError> {
        Ok(Self { workshop: Workshop::new()? })
    }

    /// All entries, in the order of the rows.
    #[must_use]
    pub fn entries() -> Vec<&'static Entry> {
        rows::all()
    }

    /// The files of a trust folder by their names.
    ///
    /// # Errors
    /// [`DeckError`].
    pub fn trust(&self, trust: &Trust) -> Result<Vec<(String, Vec<u8>)>, DeckError> {
        self.workshop.begin(trust.name);
        (trust.make)(&self.workshop)
    }

    /// The memory of an entry's card.
    ///
    /// # Errors
    /// [`DeckError`].
    pub fn card(&self, entry: &Entry) -> Result<RamMemory, DeckError> {
        self.workshop.begin(entry.name);
        let card = (entry.make)(&self.workshop)?;
        let mut random = Reproducible::new(entry.name);
        let mut serial = [0; 4];
        rand_core::Rng::fill_bytes(&mut random, &mut serial);
        let options = BlankOptions::test(serial);
        Ok(personalised(&card.image, &options, &card.misbehaviour, &mut random)?)
    }
}

/// Policies that entries are verified by besides the built-in ones, by the names of their files.
pub const POLICIES: [(&str, &str); 1] =
    [("policies/legacy.toml", include_str!("policies/legacy.toml"))];

#[cfg(test)]
mod tests;
