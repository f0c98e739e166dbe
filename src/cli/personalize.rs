//! `personalize`: one card, from a record; or only the check of the record, or its schema.

mod report;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::attempts::Attempt;
use super::card_keys::CardKeys;
use super::finding::{self, RecordFolder};
use super::key_store::{self, Secret, signer_failure};
use super::{Context, ExitStatus, Failure, gp, output, reader};
use crate::error::ErrorCode;
use crate::globalplatform::GlobalPlatformError;
use crate::globalplatform::link::Link;
use crate::globalplatform::perso::{MAX_LENGTH as PERSO_PROFILE_LENGTH, PersoError, PersoProfile};
use crate::globalplatform::personalize::{
    Observer, PersonalizeError, Progress, ReadBackError, Settings, personalize,
    personalize_by_commands,
};
use crate::globalplatform::read_back::TerminalInspection;
use crate::issue::record::{MAX_LENGTH, schema::schema};
use crate::issue::{
    CardImage, DocumentSigner, PrepareError, Record, Review, Severity, prepare, review,
};
use crate::pki::IssuerDirectory;
use report::{Outcome, Steps};

/// Write one card from a record: keys, data groups, signature, read-back, lock.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc personalize --check --record holder.json          all that is wrong with a record\n  \
    cancuoc personalize --schema > record.schema.json         the schema that editors know\n  \
    cancuoc --reader card:blank.card personalize --record holder.json --issuer pki/\n  \
    cancuoc personalize --record holder.json --issuer pki/ --card-keys file:keys.txt\n  \
    cancuoc personalize --record holder.json --issuer pki/ --perso-profile file-commands")]
pub(super) struct Arguments {
    /// The record: a JSON document, - for standard input.
    #[arg(long, value_name = "REC", required_unless_present = "schema")]
    record: Option<PathBuf>,
    /// Folder with the document signer: ds.crt and ds.key, or ds.uri for a key in a token.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["schema", "check"])]
    issuer: Option<PathBuf>,
    /// Password of the document signer's key, or PIN of its token: -, env:NAME, file:PATH; asked for on a terminal.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    issuer_password: String,
    #[command(flatten)]
    keys: CardKeys,
    /// How the card's applet is personalised: dgi, file-commands, or a TOML file.
    #[arg(long, value_name = "PROFILE", default_value = "dgi")]
    perso_profile: String,
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
    let record = usable(context, review)?;
    let folder = arguments.issuer.as_ref().ok_or_else(|| Failure::usage("--issuer"))?;
    write_card(context, arguments, &record, folder)
}

/// The record, where nothing is wrong with it; otherwise all that is wrong goes to standard error.
fn usable(context: &Context, review: Review) -> Result<Record, Failure> {
    for found in &review.findings {
        let _ = writeln!(anstream::stderr(), "{}", finding::line(context.lang, found));
    }
    let count = errors(&review);
    review.record.ok_or_else(|| {
        Failure::new(ExitStatus::BadInput, "record_not_usable", format!("{count} errors"))
            .with("errors", count)
    })
}

fn write_card(
    context: &Context,
    arguments: &Arguments,
    record: &Record,
    folder: &Path,
) -> Result<ExitStatus, Failure> {
    if arguments.record.as_deref() == Some(Path::new("-")) && arguments.issuer_password == "-" {
        return Err(Failure::usage(
            "--record - and --issuer-password - cannot share standard input",
        ));
    }
    let profile = perso_profile(&arguments.perso_profile)?;
    if profile.has_commands() {
        return write_by_commands(context, arguments, record, folder, &profile);
    }
    arguments.keys.required(context)?;
    let mut steps = Steps::new(context);
    let image = make_image(context, arguments, record, folder)?;
    steps.prepared();
    let mut card = reader::open(context)?;
    let (keys, attempt) = {
        let mut link = Link::new(&mut *card);
        let identity = gp::open::identify(&mut link)?;
        let keys = gp::open::card_keys(context, &arguments.keys, &mut link, &identity)?;
        (keys, Attempt::begin(context, &arguments.keys, &identity)?)
    };
    let settings = Settings::new(&keys);
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let mut for_inspection = rand_core::UnwrapErr(getrandom::SysRng);
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    let result =
        personalize(&mut *card, &image, &settings, &mut random, &mut inspection, &mut |progress| {
            steps.progress(progress);
        });
    let times = steps.finish();
    attempt.end(result.as_ref().err())?;
    let report = result.map_err(|error| personalize_failure(&error))?;
    let outcome = Outcome { record, image: &image, report: &report, times: &times };
    if context.json {
        output::json(&outcome.to_json())?
    } else {
        outcome.print(context)?
    }
    Ok(ExitStatus::Done)
}

/// A built-in perso profile, or one from a file.
fn perso_profile(name: &str) -> Result<PersoProfile, Failure> {
    let bad = |error: PersoError| Failure::from_error(ExitStatus::BadInput, &error);
    if PersoProfile::NAMES.contains(&name) {
        return PersoProfile::builtin(name).map_err(bad);
    }
    let path = Path::new(name);
    let mut text = String::new();
    // One byte more than allowed tells a file that is too large.
    let limit = PERSO_PROFILE_LENGTH as u64 + 1;
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_string(&mut text))
        .map_err(|error| Failure::file(path, &error))?;
    PersoProfile::parse(&text).map_err(bad)
}

/// Follows a run by commands.
struct Shown<'a>(&'a mut Steps);

impl Observer for Shown<'_> {
    fn progress(&mut self, progress: Progress) {
        self.0.progress(progress);
    }
}

/// An applet that takes commands of its own: no keys of an issuer domain, no secure channel.
fn write_by_commands(
    context: &Context,
    arguments: &Arguments,
    record: &Record,
    folder: &Path,
    profile: &PersoProfile,
) -> Result<ExitStatus, Failure> {
    let mut steps = Steps::new(context);
    let image = make_image(context, arguments, record, folder)?;
    steps.prepared();
    let mut card = reader::open(context)?;
    let mut for_inspection = rand_core::UnwrapErr(getrandom::SysRng);
    let mut inspection = TerminalInspection::new(&mut for_inspection);
    let mut shown = Shown(&mut steps);
    let result = personalize_by_commands(&mut *card, &image, profile, &mut inspection, &mut shown);
    steps.finish();
    let report = result.map_err(|error| personalize_failure(&error))?;
    let Some(report) = report else { return Err(Failure::usage("--perso-profile")) };
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.personalize-commands/1",
            "perso_profile": profile.name,
            "commands": report.commands,
            "files": { "count": image.files.len(), "bytes": report.file_bytes },
            "sent_bytes": report.traffic.sent,
            "read_back": { "files": report.read_back.files, "bytes": report.read_back.bytes },
        }))?;
    } else {
        let (files, commands) = (image.files.len().to_string(), report.commands.to_string());
        let values = [("files", &files[..]), ("commands", &commands), ("name", &profile.name)];
        output::line(&context.text("personalize.by_commands", &values))?;
    }
    Ok(ExitStatus::Done)
}

/// Signs and puts together what goes onto the card.
fn make_image(
    context: &Context,
    arguments: &Arguments,
    record: &Record,
    folder: &Path,
) -> Result<CardImage, Failure> {
    let secret = Secret::new(context, "--issuer-password", &arguments.issuer_password);
    let directory = IssuerDirectory::new(folder);
    let key = secret.issuer_key(&directory, "ds")?;
    let certificate =
        directory.certificate("ds").map_err(|error| key_store::failure(&error.into()))?;
    let signer = DocumentSigner { signer: &key, certificate: &certificate };
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    prepare(record, signer, jiff::Timestamp::now(), &mut random).map_err(|error| {
        let exit = match &error {
            PrepareError::Signer(error) => return signer_failure(error),
            PrepareError::KeyTrial { .. } | PrepareError::SelfCheck { .. } => ExitStatus::Defect,
            _ => ExitStatus::BadInput,
        };
        Failure::from_error(exit, &error)
    })
}

/// A failure of the exchange with a security domain: 4 where the card did not answer, 5 where it
/// refused or its answers cannot be trusted.
pub(super) fn card_failure(error: &GlobalPlatformError) -> Failure {
    let exit = match error {
        GlobalPlatformError::Transport(_) => ExitStatus::Card,
        GlobalPlatformError::KeyLength { .. } => ExitStatus::BadInput,
        _ => ExitStatus::Refused,
    };
    Failure::from_error(exit, error)
}

fn personalize_failure(error: &PersonalizeError) -> Failure {
    let exit = match error {
        PersonalizeError::GlobalPlatform(error) => return card_failure(error),
        PersonalizeError::ReadBack(error) => return read_back_failure(error),
        PersonalizeError::Image(_) | PersonalizeError::Perso(_) => ExitStatus::BadInput,
        PersonalizeError::WrongCard { .. }
        | PersonalizeError::AlreadyPersonalised
        | PersonalizeError::AlreadyIssued { .. }
        | PersonalizeError::Locked => ExitStatus::Protected,
        PersonalizeError::NotSecured { .. } => ExitStatus::Refused,
        PersonalizeError::Stopped { .. } => ExitStatus::Interrupted,
    };
    Failure::from_error(exit, error)
}

/// A card that cannot be read back is trouble with the card, whatever it said.
fn read_back_failure(error: &ReadBackError) -> Failure {
    Failure::new(ExitStatus::Card, error.code(), error.to_string())
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
