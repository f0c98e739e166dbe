//! The entries of the deck: what is wrong, and what a verifier must say to it.

use super::workshop::Workshop;
use super::{Card, DeckError, Trust, trust};

/// How a check ends, other than passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It does not hold.
    Failed,
    /// It could not be made.
    Skipped,
    /// It asks for something that the verifier does not have, or cannot read.
    Unsupported,
    /// It holds with a reservation.
    Warned,
}

impl Outcome {
    /// Name in the list.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unsupported => "unsupported",
            Self::Warned => "warning",
        }
    }
}

/// A check that does not simply pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noted {
    /// Identifier of the check.
    pub check: &'static str,
    /// How it ends.
    pub outcome: Outcome,
    /// Reason code.
    pub code: &'static str,
}

/// What a verifier must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// `genuine`: no check fails.
    Genuine,
    /// `forged`: the noted checks fail, and no other.
    Forged,
    /// `inconclusive`: no check fails, and something required could not be checked.
    Inconclusive,
    /// No verdict: the card is not read to its end.
    Aborted {
        /// Code of the error.
        error: &'static str,
        /// Exit code.
        exit: u8,
    },
}

impl Expected {
    /// Name of the verdict; `None` where there is none.
    #[must_use]
    pub const fn verdict(self) -> Option<&'static str> {
        match self {
            Self::Genuine => Some("genuine"),
            Self::Forged => Some("forged"),
            Self::Inconclusive => Some("inconclusive"),
            Self::Aborted { .. } => None,
        }
    }

    /// Exit code of `verify`.
    #[must_use]
    pub const fn exit(self) -> u8 {
        match self {
            Self::Genuine => 0,
            Self::Forged => 1,
            Self::Inconclusive => 3,
            Self::Aborted { exit, .. } => exit,
        }
    }
}

/// What the verifier is given of the card's surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// The card access number.
    Can(&'static str),
    /// The lines of the MRZ, joined.
    Mrz(&'static str),
    /// The text of the QR code.
    Qr(&'static str),
}

/// An entry of the deck.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Name, which begins with the row: `N15-r-zero`. The card is the file of this name.
    pub name: &'static str,
    /// Name of the good card that differs in the defect only; `None` for a good card.
    pub twin: Option<&'static str>,
    /// What a verifier must say.
    pub expected: Expected,
    /// The checks that do not simply pass, as far as they belong to the matter; all that fail.
    pub noted: &'static [Noted],
    /// Name of the policy, or its file.
    pub policy: &'static str,
    /// Whether BAC is allowed where the card offers no PACE.
    pub allow_bac: bool,
    /// What the verifier is given of the card's surface.
    pub given: Given,
    /// What the verifier trusts.
    pub trust: Trust,
    pub(super) make: fn(&Workshop) -> Result<Card, DeckError>,
}

/// What makes the card of an entry.
pub(super) type Make = fn(&Workshop) -> Result<Card, DeckError>;

impl Entry {
    /// The row of the list: `N15`.
    #[must_use]
    pub fn row(&self) -> &'static str {
        self.name.get(..3).unwrap_or_default()
    }

    /// Whether the card must pass.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.twin.is_none()
    }

    /// A card of the first holder that must pass.
    pub(super) const fn good(name: &'static str, make: Make) -> Self {
        Self {
            name,
            twin: None,
            expected: Expected::Genuine,
            noted: &[],
            policy: "strict",
            allow_bac: false,
            given: Given::Can("000018"),
            trust: trust::BASE,
            make,
        }
    }

    const fn bad(
        name: &'static str,
        expected: Expected,
        noted: &'static [Noted],
        make: Make,
    ) -> Self {
        Self { twin: Some(super::rows::GOOD), expected, noted, ..Self::good(name, make) }
    }

    /// A card that a verifier must call forged, by these checks.
    pub(super) const fn forged(name: &'static str, noted: &'static [Noted], make: Make) -> Self {
        Self::bad(name, Expected::Forged, noted, make)
    }

    /// A card that a verifier can say nothing certain of.
    pub(super) const fn unknown(name: &'static str, noted: &'static [Noted], make: Make) -> Self {
        Self::bad(name, Expected::Inconclusive, noted, make)
    }

    /// A card whose defect does not touch who it belongs to: genuine, and the defect is said.
    pub(super) const fn degraded(name: &'static str, noted: &'static [Noted], make: Make) -> Self {
        Self::bad(name, Expected::Genuine, noted, make)
    }

    /// A card that must not be read to its end.
    pub(super) const fn aborted(name: &'static str, error: &'static str, make: Make) -> Self {
        Self::bad(name, Expected::Aborted { error, exit: 5 }, &[], make)
    }

    /// The same with an exit code.
    pub(super) const fn exits(mut self, exit: u8) -> Self {
        if let Expected::Aborted { error, .. } = self.expected {
            self.expected = Expected::Aborted { error, exit };
        }
        self
    }

    /// The same with another good card.
    pub(super) const fn twin(mut self, name: &'static str) -> Self {
        self.twin = Some(name);
        self
    }

    /// The same by another policy.
    pub(super) const fn under(mut self, policy: &'static str) -> Self {
        self.policy = policy;
        self
    }

    /// The same where BAC is allowed.
    pub(super) const fn allowing_bac(mut self) -> Self {
        self.allow_bac = true;
        self
    }

    /// The same with something else of the card's surface.
    pub(super) const fn given(mut self, given: Given) -> Self {
        self.given = given;
        self
    }

    /// The same with another trust folder.
    pub(super) const fn trusting(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// The same with checks that do not simply pass.
    pub(super) const fn noting(mut self, noted: &'static [Noted]) -> Self {
        self.noted = noted;
        self
    }
}

/// A check that fails.
pub(super) const fn failed(check: &'static str, code: &'static str) -> Noted {
    Noted { check, outcome: Outcome::Failed, code }
}

/// A check that could not be made.
pub(super) const fn skipped(check: &'static str, code: &'static str) -> Noted {
    Noted { check, outcome: Outcome::Skipped, code }
}

/// A check of something that cannot be read.
pub(super) const fn unsupported(check: &'static str, code: &'static str) -> Noted {
    Noted { check, outcome: Outcome::Unsupported, code }
}

/// A check that holds with a reservation.
pub(super) const fn warned(check: &'static str, code: &'static str) -> Noted {
    Noted { check, outcome: Outcome::Warned, code }
}
