//! What is known of a step: a flat JSON object of small values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most facts of a step, and of a card in all.
pub const MAX_FACTS: usize = 56;
/// Most bytes of a name.
pub const MAX_NAME: usize = 48;
/// Most bytes of a text.
pub const MAX_TEXT: usize = 512;
/// Most bytes of all of them as JSON.
pub const MAX_JSON: usize = 16 << 10;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

impl From<bool> for Fact {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}
impl From<i64> for Fact {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}
impl From<u32> for Fact {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}
impl From<&str> for Fact {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Fact {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<super::Digest> for Fact {
    fn from(value: super::Digest) -> Self {
        Self::Text(value.to_string())
    }
}

/// Facts by name: digests, serial numbers, counts. **No keys and no personal data**: they stand in
/// the journal in clear, in the audit record and in what is exported.
///
/// Names are lower-case letters, digits and `_`. The well-known ones are constants here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Facts(BTreeMap<String, Fact>);

/// Facts that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FactsError {
    /// No flat JSON object of texts, whole numbers and flags.
    #[error("no flat JSON object of texts, whole numbers and flags")]
    Malformed,
    /// A name that is not allowed.
    #[error("a name has other than 1 to {MAX_NAME} lower-case letters, digits and '_'")]
    Name,
    /// A text that neither PostgreSQL nor the audit record keeps.
    #[error("a text is empty or has control characters")]
    Text,
    /// More or longer than is kept.
    #[error("more than {MAX_FACTS} facts, {MAX_TEXT} bytes in one or {MAX_JSON} in all")]
    TooMuch,
}

impl Facts {
    /// Digest of the intended image of the card.
    pub const IMAGE_DIGEST: &str = "image_digest";
    /// Serial number of the document signer's certificate, hexadecimal.
    pub const SIGNER_SERIAL: &str = "ds_certificate_serial";
    /// Digest of the security object.
    pub const SOD_DIGEST: &str = "sod_digest";
    /// Digest of the Chip Authentication public key.
    pub const CHIP_KEY: &str = "ca_key_digest";
    /// Digest of the Active Authentication public key.
    pub const ACTIVE_KEY: &str = "aa_key_digest";
    /// Version of the keys on the card.
    pub const KEY_VERSION: &str = "key_version";

    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more, which replaces one of that name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Fact>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The fact of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Fact> {
        self.0.get(name)
    }

    /// The text of that name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Fact::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// All of them in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Fact)> {
        self.0.iter().map(|(name, fact)| (name.as_str(), fact))
    }

    /// These, and those of `later`, which replace others of the same name.
    #[must_use]
    pub fn merged(&self, later: &Self) -> Self {
        let mut all = self.clone();
        all.0.extend(later.0.clone());
        all
    }

    /// One JSON object, the same bytes for the same facts.
    ///
    /// # Errors
    /// [`FactsError`] where they are more than is kept.
    pub fn to_json(&self) -> Result<String, FactsError> {
        let name_ok = |name: &String| {
            (1..=MAX_NAME).contains(&name.len())
                && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
        };
        if !self.0.keys().all(name_ok) {
            return Err(FactsError::Name);
        }
        let mut texts = self.0.values().filter_map(|fact| match fact {
            Fact::Text(text) => Some(text),
            Fact::Flag(_) | Fact::Number(_) => None,
        });
        if texts.clone().any(|text| text.is_empty() || text.chars().any(char::is_control)) {
            return Err(FactsError::Text);
        }
        if self.0.len() > MAX_FACTS || texts.any(|text| text.len() > MAX_TEXT) {
            return Err(FactsError::TooMuch);
        }
        let json = serde_json::to_string(&self.0).map_err(|_| FactsError::Malformed)?;
        if json.len() > MAX_JSON { Err(FactsError::TooMuch) } else { Ok(json) }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// [`FactsError`].
    pub fn from_json(json: &str) -> Result<Self, FactsError> {
        if json.len() > MAX_JSON {
            return Err(FactsError::TooMuch);
        }
        let facts = Self(serde_json::from_str(json).map_err(|_| FactsError::Malformed)?);
        facts.to_json()?;
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fact() -> impl Strategy<Value = Fact> {
        prop_oneof![
            any::<bool>().prop_map(Fact::Flag),
            any::<i64>().prop_map(Fact::Number),
            "[^\\p{Cc}]{1,40}".prop_map(Fact::Text),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(facts in prop::collection::btree_map("[a-z0-9_]{1,12}", fact(), 0..9)) {
            let facts = Facts(facts);
            let json = facts.to_json().unwrap();
            prop_assert_eq!(Facts::from_json(&json).unwrap(), facts);
        }

        #[test]
        fn anything_is_read_or_refused(text in ".{0,200}") {
            if let Ok(facts) = Facts::from_json(&text) {
                prop_assert!(facts.to_json().is_ok());
            }
        }
    }

    #[test]
    fn refuses_what_is_nested_fractional_or_too_much() {
        for (json, error) in [
            ("[]", FactsError::Malformed),
            ("{\"a\":{}}", FactsError::Malformed),
            ("{\"a\":null}", FactsError::Malformed),
            ("{\"a\":1.5}", FactsError::Malformed),
            ("{\"A\":1}", FactsError::Name),
            ("{\"\":1}", FactsError::Name),
            ("{\"a\":\"\\u0000\"}", FactsError::Text),
            ("{\"a\":\"\"}", FactsError::Text),
        ] {
            assert_eq!(Facts::from_json(json), Err(error), "{json}");
        }
        assert_eq!(Facts::from_json(&"[".repeat(9000)), Err(FactsError::Malformed));
        assert_eq!(Facts::from_json(&" ".repeat(MAX_JSON + 1)), Err(FactsError::TooMuch));
        let long = Facts::new().with("a", "x".repeat(MAX_TEXT + 1));
        assert_eq!(long.to_json(), Err(FactsError::TooMuch));
    }
}
