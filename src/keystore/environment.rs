//! What a token is for: tests or production. The tag lies in the token itself, so that a test key
//! does not get into production because a file was copied (F14).

use std::fmt;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use cryptoki::session::Session;

use super::token::Failed;
use super::{KeyStoreError, Token};

/// Label and application of the data object with the tag.
const LABEL: &str = "cancuoc environment";
const APPLICATION: &[u8] = b"cancuoc";

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environment {
    /// Cards for people.
    Production,
    /// Anything else.
    Test,
}

impl Environment {
    /// Its name, as it stands in the token.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn write(session: &Session, environment: Environment) -> Result<(), Error> {
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Modifiable(false),
        Attribute::Label(LABEL.as_bytes().to_vec()),
        Attribute::Application(APPLICATION.to_vec()),
        Attribute::Value(environment.name().as_bytes().to_vec()),
    ];
    session.create_object(&template).map(drop)
}

impl Token {
    /// What the token is for, where it says so.
    ///
    /// # Errors
    /// [`KeyStoreError::Environment`] for a tag that is none of ours, or two that differ.
    pub fn environment(&self) -> Result<Option<Environment>, KeyStoreError> {
        self.run("environment", |connection| {
            let template =
                [Attribute::Class(ObjectClass::DATA), Attribute::Label(LABEL.as_bytes().to_vec())];
            let mut tag = None;
            for object in connection.session.find_objects(&template)? {
                let value = connection.session.get_attributes(object, &[AttributeType::Value])?;
                for attribute in value {
                    let Attribute::Value(value) = attribute else { continue };
                    let known = [Environment::Production, Environment::Test];
                    let read = known.into_iter().find(|e| e.name().as_bytes() == value);
                    let contradicts = tag.is_some() && tag != read;
                    if read.is_none() || contradicts {
                        let found = String::from_utf8_lossy(&value).chars().take(32).collect();
                        let wanted = "production or test";
                        return Err(Failed::from(KeyStoreError::Environment { found, wanted }));
                    }
                    tag = read;
                }
            }
            Ok(tag)
        })
    }

    /// Makes sure that the token is for this.
    ///
    /// # Errors
    /// [`KeyStoreError::Environment`].
    pub fn require(&self, wanted: Environment) -> Result<(), KeyStoreError> {
        match self.environment()? {
            Some(found) if found == wanted => Ok(()),
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), |e| e.to_string());
                Err(KeyStoreError::Environment { found, wanted: wanted.name() })
            }
        }
    }
}
