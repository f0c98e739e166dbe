//! Why a public key that a card sends in a key agreement is refused.

use thiserror::Error;

use crate::error::ErrorCode;

/// A public key that no honest card sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// Cut off, compressed, or no number below the modulus.
    #[error("the card's key is malformed")]
    Malformed,
    /// A point that does not satisfy the equation of the curve (invalid-curve attack).
    #[error("the card's key does not lie on the curve")]
    NotOnCurve,
    /// The point at infinity, or what leads to it.
    #[error("the card's key leads to the neutral element")]
    Identity,
    /// A number outside of the group that the domain parameters name (small-subgroup attack).
    #[error("the card's key is outside of the group")]
    SmallSubgroup,
    /// The terminal's own key, sent back.
    #[error("the card echoes the terminal's key")]
    Reflected,
    /// The generator: the secret of the key is one.
    #[error("the card's key is the generator")]
    Generator,
    /// A key that has come before in this process: it is not ephemeral.
    #[error("the card repeats a key of an earlier run")]
    Repeated,
}

impl ErrorCode for KeyFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "card_key_malformed",
            Self::NotOnCurve => "card_key_not_on_curve",
            Self::Identity => "card_key_identity",
            Self::SmallSubgroup => "card_key_small_subgroup",
            Self::Reflected => "card_key_reflected",
            Self::Generator => "card_key_is_generator",
            Self::Repeated => "card_key_repeated",
        }
    }
}
