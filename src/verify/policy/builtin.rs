//! The built-in policies, and what a policy file leaves out.

use std::sync::OnceLock;

use toml::{Table, Value};

use super::{Policy, PolicyError};

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../profiles/policies/", $name, ".toml")))
    };
}

/// The default first.
const SOURCES: [(&str, &str); 3] =
    [source!("strict"), source!("standard"), source!("integrity-only")];

/// What a file has to say of itself; nothing of it comes from `strict`.
const OWN: [&str; 4] = ["schema", "name", "title_en", "title_vi"];

impl Policy {
    /// The names of the built-in policies, the default first.
    pub const NAMES: [&'static str; SOURCES.len()] = {
        let mut names = [""; SOURCES.len()];
        let mut index = 0;
        while index < SOURCES.len() {
            names[index] = SOURCES[index].0;
            index += 1;
        }
        names
    };

    /// A built-in policy.
    ///
    /// # Errors
    /// [`PolicyError::Unknown`].
    pub fn builtin(name: &str) -> Result<&'static Self, PolicyError> {
        static BUILT_IN: OnceLock<Vec<Policy>> = OnceLock::new();
        // A built-in policy that does not parse is caught by a test.
        let policies = BUILT_IN.get_or_init(|| {
            SOURCES.iter().filter_map(|(_, source)| Self::from_toml(source).ok()).collect()
        });
        let unknown = || PolicyError::Unknown { name: name.chars().take(40).collect() };
        policies.iter().find(|policy| policy.name == name).ok_or_else(unknown)
    }

    /// The built-in policy that a whole text is.
    #[must_use]
    pub fn builtin_of(text: &str) -> Option<&'static Self> {
        let all = Self::NAMES.iter().filter_map(|name| Self::builtin(name).ok());
        all.into_iter().find(|policy| policy.to_toml() == text)
    }

    /// The default.
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used)]
    pub fn strict() -> &'static Self {
        Self::builtin("strict").expect("the tests read the built-in policies")
    }

    /// What Doc 9303 lets cards in circulation do.
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used)]
    pub fn standard() -> &'static Self {
        Self::builtin("standard").expect("the tests read the built-in policies")
    }
}

/// A policy laid over `strict`: its keys take the place of those there. Not checked yet.
pub(super) fn read(source: &str) -> Result<Policy, PolicyError> {
    let table: Table = toml::from_str(source).map_err(|e| malformed(&e))?;
    let (_, strict) = SOURCES[0];
    let mut whole: Table = toml::from_str(strict).map_err(|e| malformed(&e))?;
    for key in OWN {
        whole.remove(key);
    }
    for (key, value) in table {
        match (whole.get_mut(&key), value) {
            (Some(Value::Table(section)), Value::Table(over)) => section.extend(over),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
    let text = toml::to_string(&whole);
    let mut policy: Policy = whole.try_into().map_err(|e| malformed(&e))?;
    policy.text = text.map_err(|e| PolicyError::Malformed { message: e.to_string() })?;
    Ok(policy)
}

/// One line: the position is in the span, the message may be several.
fn malformed(error: &toml::de::Error) -> PolicyError {
    let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    PolicyError::Malformed { message }
}
