//! Reports: the result of an inspection as a page to print or to keep, and as JSON.
//!
//! Both hold both languages and need nothing else: no script, no font, no picture from anywhere.

mod certificates;
mod html;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use base64::Engine;
use cancuoc_primitives::hash::HashAlgorithm;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Context, Failure, Lang, output, text};
use super::{Outcome, show};
use crate::verify::Verdict;
use crate::verify::reasons::{self, Advice};

/// Longest side of the portrait in a report, in pixels.
const PORTRAIT_SIDE: u32 = 480;

/// The options.
#[derive(Debug, Clone, Args)]
pub(super) struct ReportOptions {
    /// Write a report to FILE, a page (.html) or JSON (.json); may be given twice. It holds personal
    /// data: readable by you alone.
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Json,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl ReportOptions {
    /// Whether a report is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        !self.report.is_empty()
    }

    /// Refuses file names of another kind, before a card is asked for anything.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.report.iter().find(|path| Form::of(path).is_none()) {
            Some(_) => Err(Failure::usage("--report: FILE.html | FILE.json")),
            None => Ok(()),
        }
    }

    /// Writes the reports.
    pub(super) fn write(&self, context: &Context, outcome: &Outcome) -> Result<(), Failure> {
        for path in &self.report {
            let report = Report { outcome, context, created: Timestamp::now() };
            let bytes = match Form::of(path) {
                Some(Form::Json) => format!("{:#}\n", report.to_json()),
                _ => html::page(&report),
            };
            output::write_private(path, bytes.as_bytes()).map_err(|e| Failure::file(path, &e))?;
        }
        Ok(())
    }
}

/// What a report is made of.
struct Report<'a> {
    outcome: &'a Outcome,
    context: &'a Context,
    created: Timestamp,
}

/// A sentence in both languages.
struct Both {
    vi: String,
    en: String,
}

impl Both {
    /// A sentence of the catalogue.
    fn of(key: &str) -> Self {
        let find = |lang| text::text(lang, key, &[]);
        Self { vi: find(Lang::Vi), en: find(Lang::En) }
    }

    fn to_json(&self) -> Value {
        json!({ "vi": self.vi, "en": self.en })
    }
}

/// What a reason means.
fn meaning(code: &str) -> Both {
    Both::of(&format!("check.{code}"))
}

/// What to do about a reason, where there is something to do.
fn advice(code: &str) -> Option<Both> {
    let (_, advice) = reasons::find(code)?;
    if matches!(advice, Advice::Nothing | Advice::Consequence) {
        return None;
    }
    let say = |lang| show::what_to_do(lang, code, advice);
    Some(Both { vi: say(Lang::Vi), en: say(Lang::En) })
}

impl Report<'_> {
    fn verdict(&self) -> Verdict {
        self.outcome.report.verdict()
    }

    /// The portrait, decoded and encoded again: nothing of what the card holds gets into a page.
    fn portrait(&self) -> Option<String> {
        let picture = show::portrait(&self.outcome.files)?;
        let (width, height) = picture.dimensions();
        let longest = width.max(height).max(1);
        let fit = |side: u32| (side * PORTRAIT_SIDE / longest).max(1);
        let picture = match longest {
            PORTRAIT_SIDE.. => image::imageops::thumbnail(&picture, fit(width), fit(height)),
            _ => picture,
        };
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 88);
        picture.write_with_encoder(encoder).ok()?;
        let encoded = base64::engine::general_purpose::STANDARD.encode(jpeg);
        Some(format!("data:image/jpeg;base64,{encoded}"))
    }

    /// Name, length, hash and state of every file.
    fn files(&self) -> Vec<Value> {
        let files = &self.outcome.files;
        let content = |name: String, bytes: &[u8]| {
            let hash = hex::encode(HashAlgorithm::Sha256.digest(bytes));
            json!({ "name": name, "bytes": bytes.len(), "sha256": hash })
        };
        let master =
            [("EF.CardAccess", &files.card_access), ("EF.CardSecurity", &files.card_security)];
        let master = master.into_iter();
        let mut all: Vec<Value> = master
            .filter_map(|(name, bytes)| Some(content(name.to_owned(), bytes.as_deref()?)))
            .collect();
        all.extend(files.files.iter().map(|(file, bytes)| content(file.name(), bytes)));
        all.extend(files.left_out.iter().map(|(file, left_out)| {
            json!({ "name": file.name(), "bytes": left_out.length, "state": "left_out" })
        }));
        let named = |name: String, state: &str| json!({ "name": name, "state": state });
        all.extend(files.protected.iter().map(|file| named(file.name(), "withheld")));
        all.extend(files.unreadable.keys().map(|file| named(file.name(), "unreadable")));
        all
    }

    /// The document of `cancuoc.report/1`: that of `cancuoc.verify/1`, in both languages, and more.
    fn to_json(&self) -> Value {
        let outcome = self.outcome;
        let mut document = outcome.to_json(self.context);
        document["schema"] = "cancuoc.report/1".into();
        document["program"] = PROGRAM.into();
        document["created_at"] = self.created.to_string().into();
        let verdict = format!("verdict.{}", self.verdict().as_str());
        document["verdict_text"] = Both::of(&verdict).to_json();
        let checks = outcome.report.checks.iter().map(|check| {
            let mut json = check.to_json("");
            json["message"] = meaning(check.code).to_json();
            json["advice"] = advice(check.code).map_or(Value::Null, |both| both.to_json());
            json
        });
        document["checks"] = checks.collect::<Vec<_>>().into();
        document["portrait"] = self.portrait().into();
        document["certificates"] = certificates::all(outcome).into();
        document["files"] = self.files().into();
        document
    }
}

/// Program and version.
const PROGRAM: &str = concat!("cancuoc ", env!("CARGO_PKG_VERSION"));
