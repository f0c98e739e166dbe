//! What is wrong with a record, as values: all of it at once, each with its place.

use core::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Probably not meant; the card can be made.
    Warning,
    /// No card can be made.
    Error,
}

impl Severity {
    /// The key of its word in the catalogue.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Note => "severity.note",
            Self::Warning => "severity.warning",
            Self::Error => "severity.error",
        }
    }
}

/// One thing wrong with a record. No value of the record is in it, only its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The place, as a JSON path: `$.fields.birth_date`.
    pub path: String,
    /// How bad.
    pub severity: Severity,
    /// Stable code; the catalogue has its sentences under `finding.CODE`.
    pub code: &'static str,
    /// What the sentence needs besides: limits, lengths, names of fields.
    pub values: Vec<(&'static str, String)>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.code)?;
        for (index, (name, value)) in self.values.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { " (" } else { ", " })?;
        }
        if self.values.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

/// Findings as they are collected; the number is bounded.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// More are not collected: the record is hopeless by then.
    const MOST: usize = 1000;

    pub(crate) fn add(
        &mut self,
        severity: Severity,
        path: &str,
        code: &'static str,
        values: &[(&'static str, &dyn fmt::Display)],
    ) {
        if self.0.len() < Self::MOST {
            let values = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
            self.0.push(Finding { path: path.to_owned(), severity, code, values });
        }
    }

    /// Takes over a finding of another list.
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.0.len() < Self::MOST {
            self.0.push(finding);
        }
    }

    pub(crate) fn error(
        &mut self,
        path: &str,
        code: &'static str,
        values: &[(&'static str, &dyn fmt::Display)],
    ) {
        self.add(Severity::Error, path, code, values);
    }

    pub(crate) fn warning(
        &mut self,
        path: &str,
        code: &'static str,
        values: &[(&'static str, &dyn fmt::Display)],
    ) {
        self.add(Severity::Warning, path, code, values);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn into_list(self) -> Vec<Finding> {
        self.0
    }
}
