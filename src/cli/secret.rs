//! Secrets from outside the command line: `-`, `env:NAME`, `file:PATH`, or asked for.

use std::io::{IsTerminal, Read};

use zeroize::Zeroizing;

use super::{Context, ExitStatus, Failure};

/// The longest secret taken from a file or standard input, in bytes.
const LIMIT: u64 = 65_536;

/// Where an option's value says that its secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Standard input, or asked for.
    Standard,
    /// A variable of the environment.
    Environment,
    /// A file.
    File,
    /// The value itself.
    Literal,
}

impl Source {
    /// The source that a value names.
    #[must_use]
    pub fn of(value: &str) -> Self {
        match value {
            "-" => Self::Standard,
            _ if value.starts_with("env:") => Self::Environment,
            _ if value.starts_with("file:") => Self::File,
            _ => Self::Literal,
        }
    }
}

/// Gets a secret from where an option's value says: `-` standard input (asked for without echo on
/// a terminal), `env:NAME`, `file:PATH`; any other value is the secret itself.
/// Line ends at the end are dropped.
///
/// # Errors
/// A [`Failure`] that names the option when the source cannot be read or is not text.
pub fn read(context: &Context, option: &str, value: &str) -> Result<Zeroizing<String>, Failure> {
    let fail = |e: &dyn std::fmt::Display| {
        Failure::new(ExitStatus::BadInput, "secret_unreadable", e.to_string())
            .with("option", option)
    };
    let text = if value == "-" {
        if std::io::stdin().is_terminal() {
            return ask(context, option);
        }
        read_limited(std::io::stdin()).map_err(|e| fail(&e))?
    } else if let Some(name) = value.strip_prefix("env:") {
        Zeroizing::new(std::env::var(name).map_err(|e| fail(&e))?)
    } else if let Some(path) = value.strip_prefix("file:") {
        std::fs::File::open(path).and_then(read_limited).map_err(|e| fail(&e))?
    } else {
        Zeroizing::new(value.to_owned())
    };
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Asks for a secret on the terminal, without echo.
///
/// # Errors
/// A [`Failure`] when there is no terminal to ask on.
pub fn ask(context: &Context, option: &str) -> Result<Zeroizing<String>, Failure> {
    let prompt = context.text("secret.prompt", &[("option", option)]);
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|e| {
        Failure::new(ExitStatus::Usage, "secret_unreadable", e.to_string()).with("option", option)
    })
}

fn read_limited(source: impl Read) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    source.take(LIMIT).read_to_string(&mut text)?;
    Ok(text)
}
