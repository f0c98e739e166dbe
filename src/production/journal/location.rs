//! Where a journal is: `sqlite:PATH` or a `postgresql://` address.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use postgres::Config;
use postgres::config::Host;
use thiserror::Error;

/// Where a journal is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server.
    Postgres(Box<Config>),
}

/// An address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LocationError {
    /// Neither of the two kinds.
    #[error("a journal is 'sqlite:FILE' or 'postgresql://USER@HOST/DATABASE'")]
    Unknown,
    /// No address of PostgreSQL.
    #[error("no address of PostgreSQL: {0}")]
    Postgres(String),
    /// The way to the server goes over a network in clear.
    #[error(
        "{0} is reached over the network in clear: use a tunnel that ends on this machine, or the \
         server's socket"
    )]
    InClear(String),
}

impl Location {
    /// The same, a relative file taken from that folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(folder.join(path)),
            other @ Self::Postgres(_) => other,
        }
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return match path {
                "" | ":memory:" => Err(LocationError::Unknown),
                path => Ok(Self::Sqlite(PathBuf::from(path))),
            };
        }
        if !text.starts_with("postgresql://") && !text.starts_with("postgres://") {
            return Err(LocationError::Unknown);
        }
        let config: Config =
            text.parse().map_err(|error: postgres::Error| postgres_error(&error))?;
        for host in config.get_hosts() {
            match host {
                Host::Unix(_) => {}
                Host::Tcp(name) if ["localhost", "127.0.0.1", "::1"].contains(&name.as_str()) => {}
                Host::Tcp(name) => return Err(LocationError::InClear(name.clone())),
            }
        }
        if let Some(far) = config.get_hostaddrs().iter().find(|address| !address.is_loopback()) {
            return Err(LocationError::InClear(far.to_string()));
        }
        Ok(Self::Postgres(Box::new(config)))
    }
}

/// What the parser says: never the address itself, which can hold a password.
fn postgres_error(error: &postgres::Error) -> LocationError {
    let source = std::error::Error::source(error);
    LocationError::Postgres(source.map_or_else(|| error.to_string(), ToString::to_string))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn knows_files_and_servers() {
        let Ok(Location::Sqlite(path)) = "sqlite:a/b.db".parse() else { panic!() };
        assert_eq!(path, Path::new("a/b.db"));
        for text in [
            "postgresql://u@localhost/d",
            "postgresql://u@127.0.0.1:5433/d",
            "postgresql:///d?host=/run/postgresql&user=u",
            "postgres://u@%2Frun%2Fpostgresql/d",
        ] {
            assert!(matches!(text.parse(), Ok(Location::Postgres(_))), "{text}");
        }
    }

    #[test]
    fn refuses_a_server_that_is_reached_in_clear() {
        for text in [
            "postgresql://u@db.example/d",
            "postgresql://u@localhost,10.0.0.1/d",
            "postgresql://u@localhost/d?hostaddr=10.0.0.1",
        ] {
            assert!(matches!(text.parse::<Location>(), Err(LocationError::InClear(_))), "{text}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_a_password() {
        let error = "postgresql://u:geheim@localhost/d?nonsense=geheim".parse::<Location>();
        assert!(!error.unwrap_err().to_string().contains("geheim"));
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_refused(text in "(sqlite:|postgres(ql)?://)?.{0,60}") {
            let _ = text.parse::<Location>();
        }
    }
}
