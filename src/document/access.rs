//! The numbers that open a card: personal number, document number, CAN and the key of the MRZ.
//!
//! All of them are personal or secret: they are wiped when dropped, compared in constant time
//! where they are keys, and `Debug` shows `***`.

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::ErrorCode;

/// What is wrong with an access number. The value itself is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccessError {
    /// A personal number is twelve digits.
    #[error("a personal number has 12 digits; this has {length} characters")]
    PersonalNumberLength {
        /// Characters found.
        length: usize,
    },
    /// A personal number is digits only.
    #[error("character {position} of the personal number is not a digit")]
    PersonalNumberCharacter {
        /// Position, from 1.
        position: usize,
    },
    /// A CAN is six digits.
    #[error("a card access number has 6 digits; this has {length} characters")]
    CanLength {
        /// Characters found.
        length: usize,
    },
    /// A CAN is digits only.
    #[error("character {position} of the card access number is not a digit")]
    CanCharacter {
        /// Position, from 1.
        position: usize,
    },
    /// A PIN is four to twelve digits.
    #[error("a PIN has 4 to 12 digits")]
    PinFormat,
    /// A PUK is four to sixteen digits.
    #[error("a PUK has 4 to 16 digits")]
    PukFormat,
    /// A document number has 1 to 22 characters.
    #[error("a document number has 1 to 22 characters; this has {length}")]
    DocumentNumberLength {
        /// Characters found.
        length: usize,
    },
    /// A document number is `A` to `Z`, `0` to `9` and `<`.
    #[error("character {position} of the document number cannot stand in an MRZ")]
    DocumentNumberCharacter {
        /// Position, from 1.
        position: usize,
    },
    /// The password derivation of the profile asks for more digits than the number has.
    #[error("cannot take the last {wanted} digits of a 12-digit number")]
    DerivationLength {
        /// Digits asked for.
        wanted: usize,
    },
}

impl ErrorCode for AccessError {
    fn code(&self) -> &'static str {
        match self {
            Self::PersonalNumberLength { .. } | Self::PersonalNumberCharacter { .. } => {
                "personal_number_invalid"
            }
            Self::CanLength { .. } | Self::CanCharacter { .. } => "can_invalid",
            Self::PinFormat => "pin_invalid",
            Self::PukFormat => "puk_invalid",
            Self::DocumentNumberLength { .. } | Self::DocumentNumberCharacter { .. } => {
                "document_number_invalid"
            }
            Self::DerivationLength { .. } => "password_derivation_invalid",
        }
    }
}

/// The position (from 1) of the first character that does not fit.
fn first_misfit(text: &str, fits: impl Fn(char) -> bool) -> Option<usize> {
    text.chars().position(|c| !fits(c)).map(|index| index + 1)
}

/// The 12-digit personal number (số định danh cá nhân). Any twelve digits: no number is refused
/// for its prefix.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PersonalNumber(String);

impl PersonalNumber {
    /// Digits of a personal number.
    pub const LENGTH: usize = 12;

    /// Reads twelve digits; surrounding white space is ignored.
    ///
    /// # Errors
    /// [`AccessError::PersonalNumberLength`], [`AccessError::PersonalNumberCharacter`].
    pub fn new(text: &str) -> Result<Self, AccessError> {
        let text = text.trim();
        if let Some(position) = first_misfit(text, |c| c.is_ascii_digit()) {
            return Err(AccessError::PersonalNumberCharacter { position });
        }
        if text.len() != Self::LENGTH {
            return Err(AccessError::PersonalNumberLength { length: text.len() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The twelve digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last `count` digits.
    fn last_digits(&self, count: usize) -> Result<&str, AccessError> {
        let start = self.0.len().checked_sub(count).filter(|_| count > 0);
        start
            .and_then(|start| self.0.get(start..))
            .ok_or(AccessError::DerivationLength { wanted: count })
    }

    /// The CAN that the card derives from this number: its last six digits.
    ///
    /// That makes the CAN as public as the number; it is what the cards do.
    #[must_use]
    pub fn can(&self) -> Can {
        Can(self.last_digits(Can::LENGTH).unwrap_or_default().to_owned())
    }

    /// The CAN as the last `digits` digits, where a card profile says how many.
    ///
    /// # Errors
    /// [`AccessError::DerivationLength`]; [`AccessError::CanLength`] when that is no CAN.
    pub fn can_of_length(&self, digits: usize) -> Result<Can, AccessError> {
        Can::new(self.last_digits(digits)?)
    }

    /// The document number of the MRZ and of BAC: the last nine digits.
    #[must_use]
    pub fn document_number(&self) -> DocumentNumber {
        DocumentNumber(self.last_digits(9).unwrap_or_default().to_owned())
    }

    /// The document number as the last `digits` digits, where a card profile says how many.
    ///
    /// # Errors
    /// [`AccessError::DerivationLength`].
    pub fn document_number_of_length(&self, digits: usize) -> Result<DocumentNumber, AccessError> {
        DocumentNumber::new(self.last_digits(digits)?)
    }
}

/// The card access number, the password of PACE (ICAO 9303-11 §4.4.2): six digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Can(String);

impl Can {
    /// Digits of a CAN (ICAO 9303-4 §4.2.2).
    pub const LENGTH: usize = 6;

    /// Reads six digits; surrounding white space is ignored.
    ///
    /// # Errors
    /// [`AccessError::CanLength`], [`AccessError::CanCharacter`].
    pub fn new(text: &str) -> Result<Self, AccessError> {
        let text = text.trim();
        if let Some(position) = first_misfit(text, |c| c.is_ascii_digit()) {
            return Err(AccessError::CanCharacter { position });
        }
        if text.len() != Self::LENGTH {
            return Err(AccessError::CanLength { length: text.len() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The digits as ASCII, which is how PACE hashes them (ICAO 9303-11 §9.7.3).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Constant-time.
impl PartialEq for Can {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for Can {}

/// Passwords of digits that differ in their lengths.
macro_rules! digits {
    ($(#[$doc:meta])* $name:ident, $lengths:expr, $error:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// How many digits it may have.
            pub const LENGTHS: core::ops::RangeInclusive<usize> = $lengths;

            /// Reads the digits; surrounding white space is ignored.
            ///
            /// # Errors
            /// [`AccessError`] for another number of characters, or one that is no digit.
            pub fn new(text: &str) -> Result<Self, AccessError> {
                let text = text.trim();
                let digits = text.bytes().all(|b| b.is_ascii_digit());
                if !digits || !Self::LENGTHS.contains(&text.len()) {
                    return Err(AccessError::$error);
                }
                Ok(Self(text.to_owned()))
            }

            /// The digits as ASCII, which is how PACE hashes them (ICAO 9303-11 §9.7.3).
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        /// Constant-time.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes().ct_eq(other.as_bytes()).into()
            }
        }

        impl Eq for $name {}
    };
}

digits! {
    /// The PIN of PACE, which only the holder knows (BSI TR-03110-2 §2.3): 4 to 12 digits.
    Pin, 4..=12, PinFormat
}

digits! {
    /// The PUK, which unblocks the PIN (BSI TR-03110-2 §2.3): 4 to 16 digits.
    Puk, 4..=16, PukFormat
}

/// The document number of the MRZ, without filler characters at its end.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DocumentNumber(String);

impl DocumentNumber {
    /// The longest number: nine characters in its field and thirteen in the optional data of a
    /// TD1 document (ICAO 9303-5 §4.2.2.1, note j).
    pub const MAX_LENGTH: usize = 22;

    /// Reads a document number; white space around it and filler characters at its end are
    /// dropped.
    ///
    /// # Errors
    /// [`AccessError::DocumentNumberLength`], [`AccessError::DocumentNumberCharacter`].
    pub fn new(text: &str) -> Result<Self, AccessError> {
        let text = text.trim().trim_end_matches('<');
        let fits = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || c == '<';
        if let Some(position) = first_misfit(text, fits) {
            return Err(AccessError::DocumentNumberCharacter { position });
        }
        if text.is_empty() || text.len() > Self::MAX_LENGTH {
            return Err(AccessError::DocumentNumberLength { length: text.len() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The characters, without fillers.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The characters, filled with `<` up to nine: as they are hashed for BAC.
    #[must_use]
    pub fn padded(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("{:<<9}", self.0))
    }
}

/// `K`, the SHA-1 hash of the MRZ information (document number, date of birth, date of expiry,
/// each with its check digit): ICAO 9303-11 §4.3.2 and §9.7.2.
///
/// BAC takes the first 16 bytes as its key seed; PACE with the MRZ takes all 20.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MrzKey([u8; 20]);

impl MrzKey {
    /// Takes the 20 bytes of the hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// All 20 bytes, for PACE.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The first 16 bytes: the key seed of BAC.
    #[must_use]
    pub fn bac_seed(&self) -> zeroize::Zeroizing<[u8; 16]> {
        let mut seed = zeroize::Zeroizing::new([0; 16]);
        for (to, from) in seed.iter_mut().zip(&self.0) {
            *to = *from;
        }
        seed
    }
}

/// Constant-time.
impl PartialEq for MrzKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for MrzKey {}

macro_rules! redacted {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(***)"))
            }
        }
    )*};
}

redacted!(PersonalNumber, Can, Pin, Puk, DocumentNumber, MrzKey);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn takes_the_can_and_the_document_number_from_the_end_of_the_number() {
        let number = PersonalNumber::new(" 001200000018\n").unwrap();
        assert_eq!(number.can().as_bytes(), b"000018");
        assert_eq!(number.document_number().as_str(), "200000018");
    }

    #[test]
    fn refuses_numbers_that_are_not_twelve_digits() {
        let length = PersonalNumber::new("00120000001").unwrap_err();
        assert_eq!(length, AccessError::PersonalNumberLength { length: 11 });
        let character = PersonalNumber::new("00120000O018").unwrap_err();
        assert_eq!(character, AccessError::PersonalNumberCharacter { position: 9 });
    }

    #[test]
    fn refuses_digits_of_other_scripts() {
        assert_eq!(Can::new("12345٦"), Err(AccessError::CanCharacter { position: 6 }));
    }

    #[test]
    fn refuses_a_can_that_is_not_six_digits() {
        assert_eq!(Can::new("1234567"), Err(AccessError::CanLength { length: 7 }));
    }

    #[test]
    fn drops_fillers_at_the_end_of_a_document_number_and_puts_them_back() {
        let number = DocumentNumber::new("L898902C<").unwrap();
        assert_eq!((number.as_str(), number.padded().as_str()), ("L898902C", "L898902C<"));
    }

    #[test]
    fn shows_no_secret_in_debug_output() {
        let number = PersonalNumber::new("001200000018").unwrap();
        let all = format!("{number:?} {:?} {:?}", number.can(), number.document_number());
        assert_eq!(all, "PersonalNumber(***) Can(***) DocumentNumber(***)");
        assert_eq!(format!("{:?}", MrzKey::from_bytes([7; 20])), "MrzKey(***)");
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in ".{0,40}", digits in 0usize..40) {
            let _ = Can::new(&text);
            let _ = DocumentNumber::new(&text);
            if let Ok(number) = PersonalNumber::new(&text) {
                let _ = number.can_of_length(digits);
            }
            let number = PersonalNumber::new("001200000018").unwrap();
            prop_assert_eq!(number.can_of_length(digits).is_ok(), digits == 6);
            prop_assert_eq!(number.document_number_of_length(digits).is_ok(), (1..=12).contains(&digits));
        }
    }
}
