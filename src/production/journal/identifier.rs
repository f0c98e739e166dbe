//! Names of things in the journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A text that is no name of the kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}: 1 to {most} letters, digits and '._:/-' of ASCII are allowed")]
pub struct InvalidIdentifier {
    /// What it should be the name of.
    pub kind: &'static str,
    /// Most characters that it may have.
    pub most: usize,
}

/// A checked text: letters, digits and `._:/-` of ASCII.
macro_rules! identifier {
    ($(#[$meta:meta])* $name:ident, $kind:literal, $most:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that is allowed.
            ///
            /// # Errors
            /// [`InvalidIdentifier`].
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidIdentifier> {
                let text = text.into();
                let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._:/-".contains(&c);
                if (1..=$most).contains(&text.len()) && text.bytes().all(allowed) {
                    Ok(Self(text))
                } else {
                    Err(InvalidIdentifier { kind: $kind, most: $most })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidIdentifier;
            fn from_str(text: &str) -> Result<Self, InvalidIdentifier> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

identifier!(
    /// A record of the intake, as the system that approved it names it. No personal data: it stands
    /// in logs and reports.
    RecordId, "record id", 64
);
identifier!(
    /// A run.
    RunName, "name of a run", 64
);
identifier!(
    /// One head of a station: what works on one card at a time.
    StationId, "name of a station", 64
);
identifier!(
    /// A chip, by its card production life cycle data.
    ChipSerial, "chip serial", 128
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_within_the_alphabet_and_length() {
        for good in ["a", "station-1/2", "4790.A1:b_", &"x".repeat(64)] {
            assert!(RecordId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "thẻ", "a\n", "a'", &"x".repeat(65)] {
            assert!(RecordId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_in_json_is_checked_too() {
        assert!(serde_json::from_str::<ChipSerial>("\"4790-0001\"").is_ok());
        assert!(serde_json::from_str::<ChipSerial>("\"4790 0001\"").is_err());
    }
}
