//! Where entries come from, and by what they are verified.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::key_files::read_der;
use super::super::{ExitStatus, Failure};
use crate::production::audit::{
    Anchors, Head, Line, Lines, SealedEntry, StationKeys, Verification, Verifier,
};
use crate::production::journal::{ErrorClass, Journal, JournalError, MAX_PAGE};
use crate::production::site::Site;
use crate::verify::evidence::signature::KnownSigner;

/// Largest file of anchors, approvals or people that is read.
const MAX_FILE: u64 = 64 << 20;

/// The record.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, id = "record")]
pub(super) struct SourceOptions {
    /// The record as it was exported: lines of JSON, - for standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// The record in the journal of this site: its site.toml.
    #[arg(long, value_name = "FILE")]
    site: Option<PathBuf>,
}

/// Where entries come from.
enum Source {
    File(Lines<Box<dyn BufRead>>),
    Journal(Box<Journal>),
}

/// What it is verified by.
#[derive(Debug, Args)]
pub(super) struct TrustOptions {
    /// Public key or certificate of a station, as NAME=FILE; of any station without NAME=. May be
    /// given several times.
    #[arg(long, value_name = "[NAME=]FILE")]
    station_key: Vec<String>,
    /// What a chain was seen to end with before: a file that `audit anchor` wrote, or
    /// STATION:SEQUENCE:HASH as it stands in a report. May be given several times.
    #[arg(long, value_name = "ANCHOR")]
    anchor: Vec<String>,
}

impl SourceOptions {
    fn open(&self) -> Result<Source, Failure> {
        Ok(match (&self.file, &self.site) {
            (_, Some(site)) => Source::Journal(Box::new(open_journal(site)?)),
            (Some(path), None) if path != Path::new("-") => {
                let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
                Source::File(Lines::new(Box::new(BufReader::with_capacity(1 << 20, file))))
            }
            _ => Source::File(Lines::new(Box::new(std::io::stdin().lock()))),
        })
    }

    /// Goes through all entries: the lines of a file, or the rows of a journal.
    pub(super) fn each(
        &self,
        mut take: impl FnMut(Given) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match self.open()? {
            Source::File(lines) => {
                let path = self.file.as_deref().unwrap_or(Path::new("-"));
                for line in lines {
                    match line.map_err(|e| Failure::file(path, &e))? {
                        // An empty line at the end is no entry that was tampered with.
                        Line::Whole(bytes) if bytes.trim_ascii().is_empty() => {}
                        line => take(Given::Line(line))?,
                    }
                }
                Ok(())
            }
            Source::Journal(mut journal) => each_row(&mut journal, take),
        }
    }

    /// Verifies all of it.
    pub(super) fn verify(
        &self,
        keys: &StationKeys,
        anchors: &Anchors,
    ) -> Result<Verification, Failure> {
        let mut verifier = Verifier::new(keys, anchors);
        self.each(|given| {
            match given {
                Given::Line(line) => verifier.line(line),
                Given::Row(row) => verifier.row(row),
                Given::End(head) => verifier.ends_with(head),
            }
            Ok(())
        })?;
        Ok(verifier.finish())
    }
}

/// An entry as it was found.
pub(super) enum Given {
    Line(Line),
    Row(SealedEntry),
    /// What a journal says that a chain ends with.
    End(Head),
}

/// Goes through the chains of a journal.
pub(super) fn each_row(
    journal: &mut Journal,
    mut take: impl FnMut(Given) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fail = |e: JournalError| journal_failure(&e);
    for (chain, head) in journal.audit_heads().map_err(fail)? {
        let mut last = 0;
        // What is added meanwhile is for the next time.
        while last < head.sequence {
            let page = journal.audit_entries(&chain, last, MAX_PAGE).map_err(fail)?;
            let Some(end) = page.last().map(|entry| entry.sequence) else { break };
            for entry in page.into_iter().filter(|entry| entry.sequence <= head.sequence) {
                take(Given::Row(SealedEntry::of_journal(&chain, entry)))?;
            }
            last = end;
        }
        take(Given::End(Head::of_journal(&chain, head)))?;
    }
    Ok(())
}

/// The journal of a site, to be read.
pub(super) fn open_journal(path: &Path) -> Result<Journal, Failure> {
    let text = String::from_utf8(read(path)?).map_err(|e| {
        Failure::file(path, &std::io::Error::new(std::io::ErrorKind::InvalidData, e))
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let site = Site::from_toml(&text, folder)
        .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e).with("file", path.display()))?;
    Journal::open(&site.journal, site.environment, None).map_err(|e| journal_failure(&e))
}

fn journal_failure(error: &JournalError) -> Failure {
    let exit = match error.class() {
        ErrorClass::Later | ErrorClass::Broken => ExitStatus::Unavailable,
        ErrorClass::Refused => ExitStatus::Protected,
        ErrorClass::Input => ExitStatus::BadInput,
    };
    Failure::from_error(exit, error)
}

impl TrustOptions {
    /// The keys of stations.
    pub(super) fn keys(&self) -> Result<StationKeys, Failure> {
        let mut keys = StationKeys::default();
        for value in &self.station_key {
            let (station, path) = match value.split_once('=') {
                Some((station, path)) => (Some(station), Path::new(path)),
                None => (None, Path::new(value)),
            };
            let known = KnownSigner::from_der(&read_der(path)?).ok_or_else(|| {
                let what = "neither a certificate nor a public key";
                let failure = Failure::new(ExitStatus::BadInput, "audit_station_key", what);
                failure.with("file", path.display())
            })?;
            keys.insert(station, known.key);
        }
        Ok(keys)
    }

    /// The anchors.
    pub(super) fn anchors(&self) -> Result<Anchors, Failure> {
        let mut anchors = Anchors::default();
        for value in &self.anchor {
            let fail =
                |error| Failure::from_error(ExitStatus::BadInput, &error).with("anchor", value);
            if let Ok(head) = value.parse::<Head>() {
                anchors.insert(&head).map_err(fail)?;
                continue;
            }
            let read = Anchors::decode(&read(Path::new(value))?).map_err(fail)?;
            read.heads().try_for_each(|head| anchors.insert(&head)).map_err(fail)?;
        }
        Ok(anchors)
    }
}

/// A whole file of bounded length.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |e: std::io::Error| Failure::file(path, &e);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(std::io::Error::other("longer than 64 MiB")));
    }
    Ok(bytes)
}
