//! How an applet wants to be personalised, as data: another maker's applet is a TOML file.
//!
//! A profile either names the data groupings of this project's own application, or is a list of
//! commands with places in them for what the image of a card has. It is checked when it is read,
//! and against an image before anything is sent: what the image has and the profile does not write
//! is refused, never left out in silence.

mod plan;
mod template;

pub use plan::{Plan, PlannedCommand};

use serde::Deserialize;
use thiserror::Error;

use crate::error::ErrorCode;
use template::Template;

/// The schema that a profile names.
pub const SCHEMA: &str = "cancuoc.perso-profile/1";
/// The largest profile read, in bytes.
pub const MAX_LENGTH: usize = 64 * 1024;
/// The most commands of a profile.
const MAX_COMMANDS: usize = 64;

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PersoError {
    /// No built-in profile has this name.
    #[error("no built-in perso profile is called {name:?} (there are: {})", PersoProfile::NAMES.join(", "))]
    Unknown {
        /// The name asked for, cut short.
        name: String,
    },
    /// Not TOML, or not the fields of a profile.
    #[error("perso profile: {message}")]
    Malformed {
        /// What and where.
        message: String,
    },
    /// A command that cannot be meant.
    #[error("perso profile, {list} {number}: {reason}")]
    Command {
        /// `before`, `file`, `after` or `lock`.
        list: &'static str,
        /// Number of the command in its list, from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// The image has something that the profile does not write.
    #[error("the profile does not write {what}, which the card is to have")]
    NotWritten {
        /// What.
        what: &'static str,
    },
    /// The profile writes something that the image has not.
    #[error("the profile writes {what}, which the card is not to have")]
    Absent {
        /// What.
        what: &'static str,
    },
    /// A value does not fit its place.
    #[error("{what} does not fit the place that the profile has for it")]
    DoesNotFit {
        /// What.
        what: &'static str,
    },
}

impl ErrorCode for PersoError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "perso_profile_unknown",
            Self::Malformed { .. } | Self::Command { .. } => "perso_profile_malformed",
            Self::NotWritten { .. } => "perso_profile_not_written",
            Self::Absent { .. } | Self::DoesNotFit { .. } => "perso_profile_unfit",
        }
    }
}

/// How an applet is personalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersoProfile {
    /// Its name.
    pub name: String,
    /// Application identifier of the applet.
    pub application: Vec<u8>,
    style: Style,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Style {
    StoreData,
    Commands(Commands),
}

/// The commands of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Commands {
    chunk: usize,
    before: Vec<Command>,
    file: Vec<Command>,
    after: Vec<Command>,
    lock: Vec<Command>,
}

/// One command with places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Command {
    when: Option<template::Value>,
    header: Template,
    data: Template,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    schema: String,
    name: String,
    application: String,
    style: String,
    chunk: Option<usize>,
    #[serde(default)]
    before: Vec<CommandSource>,
    #[serde(default)]
    file: Vec<CommandSource>,
    #[serde(default)]
    after: Vec<CommandSource>,
    #[serde(default)]
    lock: Vec<CommandSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandSource {
    when: Option<String>,
    apdu: String,
    #[serde(default)]
    data: String,
}

impl PersoProfile {
    /// The built-in profiles.
    pub const NAMES: [&str; 2] = ["dgi", "file-commands"];

    /// A built-in profile.
    ///
    /// # Errors
    /// [`PersoError::Unknown`].
    pub fn builtin(name: &str) -> Result<Self, PersoError> {
        match name {
            "dgi" => Self::parse(include_str!("../../../profiles/perso/dgi.toml")),
            "file-commands" => {
                Self::parse(include_str!("../../../profiles/perso/file-commands.toml"))
            }
            _ => Err(PersoError::Unknown { name: name.chars().take(40).collect() }),
        }
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`PersoError::Malformed`] or [`PersoError::Command`].
    pub fn parse(text: &str) -> Result<Self, PersoError> {
        let malformed = |message: &str| PersoError::Malformed { message: message.to_owned() };
        if text.len() > MAX_LENGTH {
            return Err(malformed("it is too large"));
        }
        let source: Source = toml::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        if source.schema != SCHEMA {
            return Err(malformed(&format!("its schema is not {SCHEMA}")));
        }
        let application = hex::decode(&source.application)
            .ok()
            .filter(|aid| (5..=16).contains(&aid.len()))
            .ok_or_else(|| malformed("application is no identifier of 5 to 16 bytes"))?;
        let lists = [&source.before, &source.file, &source.after, &source.lock];
        let count: usize = lists.iter().map(|list| list.len()).sum();
        let style = match source.style.as_str() {
            "store-data" if count == 0 => Style::StoreData,
            "store-data" => return Err(malformed("style store-data has no commands of its own")),
            "commands" if count == 0 => return Err(malformed("style commands needs commands")),
            "commands" if count > MAX_COMMANDS => return Err(malformed("too many commands")),
            "commands" => Style::Commands(Commands::parse(&source)?),
            _ => return Err(malformed("style is neither store-data nor commands")),
        };
        Ok(Self { name: source.name.chars().take(64).collect(), application, style })
    }

    /// Whether the applet takes commands of its own.
    #[must_use]
    pub const fn has_commands(&self) -> bool {
        matches!(self.style, Style::Commands(_))
    }

    /// What to send for an image; `None` for data groupings in STORE DATA.
    ///
    /// # Errors
    /// [`PersoError`] where image and profile do not fit.
    pub fn plan(&self, image: &crate::issue::CardImage) -> Result<Option<Plan>, PersoError> {
        match &self.style {
            Style::StoreData => Ok(None),
            Style::Commands(commands) => plan::plan(commands, image).map(Some),
        }
    }
}

impl Commands {
    fn parse(source: &Source) -> Result<Self, PersoError> {
        let chunk = source.chunk.unwrap_or(223);
        if !(16..=255).contains(&chunk) {
            let message = "chunk is not between 16 and 255".to_owned();
            return Err(PersoError::Malformed { message });
        }
        let parse =
            |list: &'static str, commands: &[CommandSource]| {
                let numbered = commands.iter().enumerate();
                numbered
                    .map(|(index, command)| {
                        Command::parse(command, list == "file").map_err(|reason| {
                            PersoError::Command { list, number: index + 1, reason }
                        })
                    })
                    .collect::<Result<Vec<_>, _>>()
            };
        Ok(Self {
            chunk,
            before: parse("before", &source.before)?,
            file: parse("file", &source.file)?,
            after: parse("after", &source.after)?,
            lock: parse("lock", &source.lock)?,
        })
    }
}

impl Command {
    fn parse(source: &CommandSource, of_file: bool) -> Result<Self, String> {
        let when = match &source.when {
            None => None,
            Some(name) => {
                Some(template::Value::condition(name).ok_or_else(|| format!("when = {name:?}"))?)
            }
        };
        let header = Template::parse(&source.apdu)?;
        if header.fixed_length() != Some(4) {
            return Err("apdu is not CLA INS P1 P2".to_owned());
        }
        let data = Template::parse(&source.data)?;
        if !of_file && (header.is_of_file() || data.is_of_file()) {
            return Err("only commands of [[file]] can name a file".to_owned());
        }
        Ok(Self { when, header, data })
    }
}

#[cfg(test)]
pub(crate) mod tests;
