//! The built-in profiles, and building on one of them.

use std::sync::OnceLock;

use toml::{Table, Value};

use super::{CardProfile, ProfileError};

macro_rules! source {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../profiles/", $name, ".toml")))
    };
}

/// What only other profiles build on: no card of its own.
const BASES: [(&str, &str); 1] = [source!("icao-base")];

const SOURCES: [(&str, &str); 19] = [
    source!("can-cuoc-2021"),
    source!("can-cuoc-2024"),
    source!("icao-bac-only"),
    source!("icao-pace-cam"),
    source!("eac-full"),
    source!("domain-00"),
    source!("domain-01"),
    source!("domain-02"),
    source!("domain-08"),
    source!("domain-09"),
    source!("domain-10"),
    source!("domain-11"),
    source!("domain-12"),
    source!("domain-13"),
    source!("domain-14"),
    source!("domain-15"),
    source!("domain-16"),
    source!("domain-17"),
    source!("domain-18"),
];

/// How often a profile may build on one that builds on another.
const MAX_DEPTH: usize = 4;

impl CardProfile {
    /// The names of the built-in profiles.
    pub const NAMES: [&'static str; SOURCES.len()] = {
        let mut names = [""; SOURCES.len()];
        let mut index = 0;
        while index < SOURCES.len() {
            names[index] = SOURCES[index].0;
            index += 1;
        }
        names
    };

    /// A built-in profile.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub fn builtin(name: &str) -> Result<&'static Self, ProfileError> {
        static BUILT_IN: OnceLock<Vec<CardProfile>> = OnceLock::new();
        // A built-in profile that does not parse is caught by a test.
        let profiles = BUILT_IN.get_or_init(|| {
            SOURCES.iter().filter_map(|(_, source)| Self::from_toml(source).ok()).collect()
        });
        let unknown = || ProfileError::Unknown { name: name.chars().take(40).collect() };
        profiles.iter().find(|profile| profile.name == name).ok_or_else(unknown)
    }
}

/// A profile as it stands, or laid over the one that it names with `extends`: tables are merged,
/// everything else, arrays too, takes the place of what was there. Not checked yet.
pub(super) fn read(source: &str) -> Result<CardProfile, ProfileError> {
    let mut table: Table = toml::from_str(source).map_err(|e| malformed(&e))?;
    if !table.contains_key("extends") {
        // From the text, so that errors have a line.
        return toml::from_str(source).map_err(|e| malformed(&e));
    }
    for _ in 0..MAX_DEPTH {
        let base = match table.remove("extends") {
            None => return table.try_into().map_err(|e| malformed(&e)),
            Some(Value::String(name)) => base(&name)?,
            Some(_) => return Err(invalid("must be the name of a built-in profile")),
        };
        table = merge(base, table, 0)?;
    }
    Err(invalid("too many profiles build on each other"))
}

fn base(name: &str) -> Result<Table, ProfileError> {
    let known = BASES.iter().chain(&SOURCES).find(|(known, _)| *known == name);
    let (_, source) = known.ok_or_else(|| invalid("must be the name of a built-in profile"))?;
    toml::from_str(source).map_err(|e| malformed(&e))
}

/// Tables deeper than any profile has are refused: merging calls itself.
const MAX_TABLES: usize = 8;

fn merge(mut base: Table, over: Table, depth: usize) -> Result<Table, ProfileError> {
    if depth > MAX_TABLES {
        return Err(ProfileError::Malformed { message: "tables nested too deep".to_owned() });
    }
    for (key, value) in over {
        let value = match (base.remove(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => {
                Value::Table(merge(base, over, depth + 1)?)
            }
            (_, value) => value,
        };
        base.insert(key, value);
    }
    Ok(base)
}

fn invalid(reason: &str) -> ProfileError {
    ProfileError::Invalid { field: "extends", reason: reason.to_owned() }
}

/// One line: the position is in the span, the message may be several.
fn malformed(error: &toml::de::Error) -> ProfileError {
    let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    ProfileError::Malformed { message }
}
