//! `site.toml`: what a production site is, and which journal its stations share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use super::journal::{Location, LocationError, StationId};
use super::state::Environment;
use crate::error::ErrorCode;

/// Schema of the file.
pub const SCHEMA: &str = "cancuoc.site/1";
/// Largest file that is read.
pub const MAX_BYTES: usize = 256 << 10;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SiteError {
    /// No TOML, or not with these keys.
    #[error("{0}")]
    Malformed(String),
    /// A value that makes no sense.
    #[error("{field}: {what}")]
    Invalid {
        /// The key.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The address of the journal cannot be used.
    #[error("journal.url: {0}")]
    Journal(#[from] LocationError),
}

impl ErrorCode for SiteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "site_malformed",
            Self::Invalid { .. } => "site_invalid",
            Self::Journal(_) => "site_journal",
        }
    }
}

/// A production site.
#[derive(Debug, Clone)]
pub struct Site {
    /// What its cards are for.
    pub environment: Environment,
    /// Name of the card profile, or path of its file.
    pub profile: String,
    /// Folder of the issuer.
    pub issuer: PathBuf,
    /// This machine's name; its heads are called after it (`NAME/0`, `NAME/1` …).
    pub station: StationId,
    /// Where the journal is.
    pub journal: Location,
    /// How long a station may hold a record without a word.
    pub lease: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    environment: String,
    profile: String,
    issuer: PathBuf,
    station: StationTable,
    journal: JournalTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StationTable {
    name: StationId,
    #[serde(default = "default_lease")]
    lease_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalTable {
    url: String,
}

fn default_lease() -> u64 {
    300
}

impl Site {
    /// Reads the text of a `site.toml`; relative paths are taken from `folder`.
    ///
    /// # Errors
    /// [`SiteError`].
    pub fn from_toml(text: &str, folder: &Path) -> Result<Self, SiteError> {
        if text.len() > MAX_BYTES {
            return Err(SiteError::Malformed(format!("longer than {MAX_BYTES} bytes")));
        }
        let file: File =
            toml::from_str(text).map_err(|error| SiteError::Malformed(error.to_string()))?;
        let invalid = |field, what: &str| SiteError::Invalid { field, what: what.to_owned() };
        if file.schema != SCHEMA {
            return Err(invalid("schema", "is not 'cancuoc.site/1'"));
        }
        let environment = Environment::from_name(&file.environment)
            .ok_or_else(|| invalid("environment", "is neither 'test' nor 'production'"))?;
        if file.profile.is_empty() {
            return Err(invalid("profile", "is empty"));
        }
        if !(10..=86_400).contains(&file.station.lease_seconds) {
            return Err(invalid("station.lease_seconds", "is not within 10 to 86400"));
        }
        Ok(Self {
            environment,
            profile: file.profile,
            issuer: folder.join(file.issuer),
            station: file.station.name,
            journal: file.journal.url.parse::<Location>()?.within(folder),
            lease: Duration::from_secs(file.station.lease_seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"
        schema = "cancuoc.site/1"
        environment = "test"
        profile = "cancuoc-2024"
        issuer = "issuer"
        [station]
        name = "hall-1"
        [journal]
        url = "sqlite:journal.db"
    "#;

    #[test]
    fn paths_are_relative_to_the_folder_of_the_file() {
        let site = Site::from_toml(GOOD, Path::new("/srv/site")).unwrap();
        assert_eq!(site.issuer, Path::new("/srv/site/issuer"));
        let Location::Sqlite(path) = site.journal else { panic!() };
        assert_eq!(path, Path::new("/srv/site/journal.db"));
        assert_eq!((site.environment, site.lease.as_secs()), (Environment::Test, 300));
    }

    #[test]
    fn refuses_what_it_does_not_know_and_names_it() {
        for (from, to, code) in [
            ("cancuoc.site/1", "cancuoc.site/2", "site_invalid"),
            ("\"test\"", "\"prod\"", "site_invalid"),
            ("hall-1\"", "hall 1\"", "site_malformed"),
            ("hall-1\"", "hall-1\"\nlease_seconds = 5", "site_invalid"),
            ("profile =", "profil =", "site_malformed"),
            ("sqlite:journal.db", "mysql://x", "site_journal"),
            ("sqlite:journal.db", "postgresql://db.example/x", "site_journal"),
        ] {
            let text = GOOD.replace(from, to);
            assert_ne!(text, GOOD, "{from}");
            assert_eq!(Site::from_toml(&text, Path::new("")).unwrap_err().code(), code, "{to}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_site_or_refused(line in 0usize..12, with in ".{0,60}") {
            let mut lines: Vec<_> = GOOD.lines().collect();
            let at = line.min(lines.len() - 1);
            lines[at] = &with;
            if let Ok(site) = Site::from_toml(&lines.join("\n"), Path::new("x")) {
                prop_assert!((10..=86_400).contains(&site.lease.as_secs()));
            }
        }
    }
}
