//! `personalize`: one card, from a record; or only the check of the record, or its schema.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::finding::{self, RecordFolder};
use super::{Context, ExitStatus, Failure, output};
use crate::issue::record::{MAX_LENGTH, schema::schema};
use crate::issue::{Review, Severity, review};

/// Write one card from a record: keys, data groups, signature, read-back, lock.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc personalize --check --record holder.json          all that is wrong with a record\n  \
    cancuoc personalize --schema > record.schema.json         the schema that editors know\n  \
    cancuoc --reader card:blank.card personalize --record holder.json --issuer pki/\n  \
    cancuoc personalize --record holder.json --issuer pki/ --card-keys file:keys.txt")]
pub(super) struct Arguments {
    /// The record: a JSON document, - for standard input.
    #[arg(long, value_name = "REC", required_unless_present = "schema")]
    record: Option<PathBuf>,
    /// Only say what is wrong with the record; write nothing.
    #[arg(long)]
    check: bool,
    /// Print the JSON Schema of records.
    #[arg(long, conflicts_with_all = ["record", "check"])]
    schema: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Some(path) = arguments.record.as_ref().filter(|_| !arguments.schema) else {
        output::json(&schema())?;
        return Ok(ExitStatus::Done);
    };
    let review = read_record(path)?;
    if arguments.check {
        return report_check(context, path, &review);
    }
    Err(Failure::usage("--check or --schema"))
}

/// Reads and reviews a record; files that it names lie beside it.
fn read_record(path: &Path) -> Result<Review, Failure> {
    // One byte over the limit is enough to have it refused.
    let limit = MAX_LENGTH as u64 + 1;
    let mut source = Vec::new();
    let standard_input = path == Path::new("-");
    let read = if standard_input {
        std::io::stdin().take(limit).read_to_end(&mut source)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut source))
    };
    read.map_err(|error| Failure::file(path, &error))?;
    let folder = path.parent().filter(|_| !standard_input).unwrap_or(Path::new(""));
    let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    Ok(review(&source, &RecordFolder::new(folder.to_owned()), today))
}

/// Prints the findings: a list, or `cancuoc.personalize-check/1`.
fn report_check(context: &Context, path: &Path, review: &Review) -> Result<ExitStatus, Failure> {
    let errors = errors(review);
    if context.json {
        let findings: Vec<_> =
            review.findings.iter().map(|f| finding::to_json(context.lang, f)).collect();
        output::json(&json!({
            "schema": "cancuoc.personalize-check/1",
            "record": path.display().to_string(),
            "valid": errors == 0,
            "findings": findings,
        }))?;
    } else {
        for found in &review.findings {
            output::line(&finding::line(context.lang, found))?;
        }
        let count = errors.to_string();
        let key = if errors == 0 { "personalize.check.good" } else { "personalize.check.bad" };
        output::line(&context.text(key, &[("errors", &count)]))?;
    }
    Ok(if errors == 0 { ExitStatus::Done } else { ExitStatus::BadInput })
}

fn errors(review: &Review) -> usize {
    review.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
}
