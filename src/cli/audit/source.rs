//! Where entries come from, and by what they are verified.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;

use super::super::key_files::read_der;
use super::super::{ExitStatus, Failure};
use crate::production::audit::{Anchors, Head, Line, Lines, StationKeys, Verification, Verifier};
use crate::verify::evidence::signature::KnownSigner;

/// Largest file of anchors, approvals or people that is read.
const MAX_FILE: u64 = 64 << 20;

/// The record.
#[derive(Debug, Args)]
pub(super) struct SourceOptions {
    /// The record as it was exported: lines of JSON, - for standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    /// The lines.
    pub(super) fn lines(&self) -> Result<Lines<Box<dyn BufRead>>, Failure> {
        if self.file == Path::new("-") {
            return Ok(Lines::new(Box::new(std::io::stdin().lock())));
        }
        let file = File::open(&self.file).map_err(|e| self.fail(&e))?;
        Ok(Lines::new(Box::new(BufReader::with_capacity(1 << 20, file))))
    }

    /// A line that cannot be read.
    pub(super) fn fail(&self, error: &std::io::Error) -> Failure {
        Failure::file(&self.file, error)
    }

    /// Verifies all of it.
    pub(super) fn verify(
        &self,
        keys: &StationKeys,
        anchors: &Anchors,
    ) -> Result<Verification, Failure> {
        let mut verifier = Verifier::new(keys, anchors);
        for line in self.lines()? {
            match line.map_err(|e| self.fail(&e))? {
                // An empty line at the end is no entry that was tampered with.
                Line::Whole(bytes) if bytes.trim_ascii().is_empty() => {}
                line => verifier.line(line),
            }
        }
        Ok(verifier.finish())
    }
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
