//! A failed command: exit code, stable code, and sentences that say what happened, what it means
//! and what to do next.

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::{Context, Lang, text};
use crate::error::ErrorCode;

/// The exit codes of the command-line contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done; for `verify`: genuine.
    Done = 0,
    /// `verify`: not genuine.
    NotGenuine = 1,
    /// Wrong usage.
    Usage = 2,
    /// `verify`: inconclusive.
    Inconclusive = 3,
    /// Card or reader trouble.
    Card = 4,
    /// The card refused.
    Refused = 5,
    /// Bad input.
    BadInput = 6,
    /// Refused to protect a card or the production record.
    Protected = 7,
    /// A key store, database or other service is not available.
    Unavailable = 8,
    /// A defect in `cancuoc`.
    Defect = 70,
    /// Interrupted; the state is safe to go on from.
    Interrupted = 130,
    /// Whoever read standard output went away, as `head` does: what SIGPIPE ends other programs with.
    PipeClosed = 141,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}

/// Why a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Exit code of the process.
    pub exit: ExitStatus,
    /// Stable code; the texts stand in the catalogue under `error.CODE` and `hint.CODE`.
    pub code: String,
    /// What the library said, in English: file, offset, field. Also the value of `{detail}`.
    pub detail: String,
    values: Vec<(String, String)>,
    /// [`ErrorCode::facts`].
    facts: Vec<(&'static str, String)>,
    /// What it is about, where the sentence does not name it.
    about: Option<Box<str>>,
}

impl Failure {
    /// A failure with a code of the catalogue.
    #[must_use]
    pub fn new(exit: ExitStatus, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let (values, facts, about) = (Vec::new(), Vec::new(), None);
        Self { exit, code: code.into(), detail: detail.into(), values, facts, about }
    }

    /// A failure from an error of the library.
    #[must_use]
    pub fn from_error(exit: ExitStatus, error: &dyn ErrorCode) -> Self {
        Self { facts: error.facts(), ..Self::new(exit, error.code(), error.to_string()) }
    }

    /// The same, said of a file or another thing that the sentence does not name.
    #[must_use]
    pub fn about(mut self, what: impl ToString) -> Self {
        self.about = Some(what.to_string().into());
        self
    }

    /// Wrong usage found after parsing.
    #[must_use]
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(ExitStatus::Usage, "usage", detail)
    }

    /// A file that cannot be read or written.
    #[must_use]
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(ExitStatus::BadInput, "file_access", error.to_string())
            .with("path", path.display())
    }

    /// The same with a value for a placeholder of the text.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.values.push((name.to_owned(), value.to_string()));
        self
    }

    fn sentence(&self, lang: Lang, kind: &str) -> Option<String> {
        let facts = text::facts(lang, &self.detail, &self.facts);
        let mut values: Vec<(&str, &str)> = vec![("detail", &self.detail)];
        values.extend(facts.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        values.extend(self.values.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        text::find(lang, &format!("{kind}.{}", self.code), &values)
    }

    /// What happened and what it means; the library's own words where the catalogue has none.
    #[must_use]
    pub fn message(&self, lang: Lang) -> String {
        let sentence = self.sentence(lang, "error").unwrap_or_else(|| self.detail.clone());
        match &self.about {
            Some(what) => format!("{what}: {sentence}"),
            None => sentence,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self, lang: Lang) -> Option<String> {
        self.sentence(lang, "hint")
    }

    /// Prints the failure in the form asked for and gives the exit code.
    #[must_use]
    pub fn report(&self, context: &Context) -> ExitStatus {
        if self.exit == ExitStatus::PipeClosed {
            // Whoever went away on purpose is told nothing.
        } else if context.json {
            self.print_json(context.lang);
        } else {
            self.print_text(context.lang);
        }
        self.exit
    }

    fn print_text(&self, lang: Lang) {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut stderr = anstream::stderr();
        let label = text::text(lang, "label.error", &[]);
        let _ = writeln!(stderr, "{red}{label}:{red:#} {}", self.message(lang));
        if let Some(hint) = self.hint(lang) {
            let _ = writeln!(stderr, "  → {hint}");
        }
    }

    /// Prints `cancuoc.error/1` on standard output.
    pub fn print_json(&self, lang: Lang) {
        let document = json!({
            "schema": "cancuoc.error/1",
            "error": {
                "code": self.code,
                "message": self.message(lang),
                "hint": self.hint(lang),
                "detail": self.detail,
            }
        });
        let _ = writeln!(std::io::stdout(), "{document:#}");
    }
}
