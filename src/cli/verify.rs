//! `verify`: the whole inspection procedure, and a verdict with reasons.

mod outcome;
mod record;
mod replay;
mod report;
mod saved;
mod show;

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::access::AccessOptions;
use super::terminal_credentials::TerminalOptions;
use super::{Context, ExitStatus, Failure, read};
use crate::terminal::chip_authentication::ChipAuthenticationPreference;
use crate::terminal::pace::PaceFilter;
use crate::terminal::{AccessPlan, AccessPolicy, ReadOptions};
use crate::trust::TrustStore;
use crate::verify::{
    ChipEvidence, DocumentFiles, Expected, Inspection, Policy, PolicyError, inspect,
};
use outcome::Reading;

pub(super) use outcome::{Outcome, session_facts};
pub(super) use record::{EvidenceForm, Form};
pub(super) use show::{hint, wanted_csca};

/// Is this card genuine? The whole inspection procedure and a verdict with reasons.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc verify --can - --trust csca/           asks for the CAN\n  \
    cancuoc verify --qr file:qr.txt --trust csca/ --json\n  \
    cancuoc verify --pin - --can file:can.txt --trust csca/    asks for the PIN, resumes it with the CAN\n  \
    cancuoc verify --mrz - --trust csca/ --policy standard --allow-bac    a passport without PACE\n  \
    cancuoc verify --files card/ --trust csca/     files saved by cancuoc read: never 'genuine'\n  \
    cancuoc verify --can - --trust csca/ --evidence card.evidence    keeps all that the verdict rests on\n  \
    cancuoc verify --can - --trust csca/ --report card.html    a page to print, in both languages\n  \
    cancuoc verify --replay card.evidence --trust csca/    the same verdict again, without the card\n  \
    cancuoc verify --replay archive/ --trust csca/ --jobs 4    many at once\n\n\
    Exit codes: 0 genuine, 1 not genuine, 3 inconclusive, 4 no card or reader, 5 the card refused.")]
pub(super) struct Arguments {
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    terminal: TerminalOptions,
    /// Folder with the certificates of country signing CAs and their revocation lists. Without it
    /// nobody is trusted, and the verdict is inconclusive at best.
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Verify files that cancuoc read saved, instead of a card: the chip is then not asked.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Verify evidence files again, instead of a card; of a folder all *.evidence in it.
    #[arg(long, value_name = "FILE|DIR", num_args = 1.., conflicts_with = "files")]
    replay: Vec<PathBuf>,
    /// The time to judge files at: YYYY-MM-DD, or with the time of day as 2026-01-31T08:00:00Z.
    /// Left out: now, and for evidence files the time that they record.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// What is accepted: strict (the default), standard, integrity-only (never 'genuine'), or a file
    /// with a policy. Left out for evidence files: the policy that they record.
    #[arg(long, value_name = "NAME|FILE")]
    policy: Option<String>,
    #[command(flatten)]
    report: report::ReportOptions,
    #[command(flatten)]
    record: record::EvidenceOptions,
    #[command(flatten)]
    again: replay::AgainOptions,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let files = arguments.files.is_some() || !arguments.replay.is_empty();
    if files == arguments.access.is_given() {
        let one_of = "--mrz, --can, --number, --qr, --pin, --puk | --files | --replay";
        return Err(Failure::usage(one_of));
    }
    let at = arguments.at.as_deref().map(moment).transpose()?;
    if at.is_some() && !files {
        return Err(Failure::usage("--at: only with --files or --replay"));
    }
    arguments.report.check()?;
    let trust = trust_store(context, arguments.trust.as_deref())?;
    let policy = arguments.policy.as_deref().map(policy).transpose()?;
    if !arguments.replay.is_empty() {
        let again = replay::Again { trust: &trust, policy: policy.as_ref(), at };
        return arguments.again.run(context, &arguments.replay, &again, &arguments.report);
    }
    arguments.again.refuse()?;
    let policy = policy.unwrap_or_else(|| Policy::strict().clone());
    let mut expected = Expected::default();
    let (files, chip, reading) = match &arguments.files {
        Some(folder) => (saved::load(folder)?, ChipEvidence::default(), None),
        None => {
            let mut access = arguments.access.resolve(context)?;
            restrict(&mut access.plan, &policy)?;
            expected.mrz = access.mrz;
            expected.number = access.number;
            expected.qr = access.qr;
            let terminal = arguments.terminal.resolve(context)?;
            let wanted = ReadOptions {
                probe_unlisted: true,
                terminal,
                chip_authentication_preference: Some(preference(&policy)),
                ..ReadOptions::default()
            };
            let reading = read::read(context, &access.plan, &wanted);
            let reading = reading.map_err(|failure| in_words(context, failure))?;
            (DocumentFiles::of_reading(&reading), ChipEvidence::of_reading(&reading), Some(reading))
        }
    };
    let keeper = arguments.record.resolve(context)?;
    let start = std::time::Instant::now();
    let now = at.unwrap_or_else(Timestamp::now);
    let inspection = Inspection { trust: &trust, now, expected: &expected, policy: &policy };
    let report = inspect(&files, &chip, &inspection);
    let verify_micros = start.elapsed().as_micros() as u64;
    let outcome = Outcome {
        report,
        policy: policy.name.clone(),
        now,
        files,
        chip,
        session: reading.as_ref().map(outcome::session_facts),
        reading: reading.as_ref().map(Reading::of),
        replayed: None,
        verify_micros,
    };
    keeper.keep(&outcome, &inspection)?;
    arguments.report.write(context, &outcome)?;
    outcome.print(context)?;
    Ok(outcome.exit())
}

/// The trust store in a folder; an empty one without.
fn trust_store(context: &Context, folder: Option<&Path>) -> Result<TrustStore, Failure> {
    let Some(folder) = folder else { return Ok(TrustStore::default()) };
    super::trust::open(context, folder)
}

/// A time as `--at` takes it.
fn moment(text: &str) -> Result<Timestamp, Failure> {
    let day = || {
        let date: jiff::civil::Date = text.parse().ok()?;
        // The end of the day in Vietnam is the middle of it at Greenwich.
        jiff::tz::TimeZone::UTC.to_timestamp(date.at(12, 0, 0, 0)).ok()
    };
    let parsed = text.parse::<Timestamp>().ok().or_else(day);
    parsed.ok_or_else(|| Failure::usage("--at: YYYY-MM-DD | 2026-01-31T08:00:00Z"))
}

/// A built-in policy by its name, or one in a file.
pub(super) fn policy(name: &str) -> Result<Policy, Failure> {
    let bad = |e: &PolicyError| Failure::from_error(ExitStatus::BadInput, e);
    let error = match Policy::builtin(name) {
        Ok(policy) => return Ok(policy.clone()),
        Err(error) => error,
    };
    let path = Path::new(name);
    match read_limited(path) {
        Ok(source) => Policy::from_toml(&source).map_err(|e| bad(&e)),
        // A name without a dot or slash was no file name.
        Err(_) if !name.contains(['.', '/']) => Err(bad(&error)),
        Err(error) => Err(Failure::file(path, &error)),
    }
}

fn read_limited(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut source = String::new();
    std::fs::File::open(path)?.take(MAX_POLICY).read_to_string(&mut source)?;
    Ok(source)
}

/// Largest policy that is read, in bytes; the parser refuses less.
const MAX_POLICY: u64 = 1 << 20;

/// What the policy forbids is not used to open the card either.
pub(super) fn restrict(plan: &mut AccessPlan, policy: &Policy) -> Result<(), Failure> {
    if plan.policy != AccessPolicy::Pace && policy.bac().is_err() {
        let failure = Failure::new(ExitStatus::Usage, "policy_forbids_bac", &policy.name);
        return Err(failure.with("policy", &policy.name));
    }
    let policy = policy.clone();
    plan.pace.filter = Some(PaceFilter::new(move |info, domain| {
        let accepted = policy.pace(info.protocol, domain);
        accepted.map_err(|refusal| format!("{}: {}", refusal.code, refusal.found))
    }));
    Ok(())
}

/// The policy's reason for not opening the card in words: the reading knows only its code.
fn in_words(context: &Context, failure: Failure) -> Failure {
    let mut parts = failure.detail.rsplitn(3, ": ");
    let (found, code) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let why = super::text::find(context.lang, &format!("check.{code}"), &[]);
    let why = why.map(|why| format!("{why}: {found}"));
    let why = why.unwrap_or_else(|| failure.detail.clone());
    failure.with("why", why)
}

/// Of several keys of the chip one that the policy accepts is taken.
pub(super) fn preference(policy: &Policy) -> ChipAuthenticationPreference {
    let policy = policy.clone();
    ChipAuthenticationPreference::new(move |variant| {
        let parameters = variant.card_key.domain_parameters();
        policy.chip_authentication(variant.cipher, &parameters).is_ok()
    })
}

/// Reads and inspects a card that is powered already.
pub(super) fn verify_card(
    context: &Context,
    card: Box<dyn crate::transport::CardTransport>,
    plan: &crate::terminal::AccessPlan,
    trust: &TrustStore,
) -> Result<Outcome, Failure> {
    let wanted = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
    let reading = read::read_card(context, card, plan, &wanted)?;
    let start = std::time::Instant::now();
    let expected = Expected::default();
    let policy = Policy::strict();
    let now = Timestamp::now();
    let inspection = Inspection { trust, now, expected: &expected, policy };
    let (files, chip) = (DocumentFiles::of_reading(&reading), ChipEvidence::of_reading(&reading));
    let report = inspect(&files, &chip, &inspection);
    Ok(Outcome {
        report,
        policy: policy.name.clone(),
        now,
        files,
        chip,
        session: Some(outcome::session_facts(&reading)),
        reading: Some(Reading::of(&reading)),
        replayed: None,
        verify_micros: start.elapsed().as_micros() as u64,
    })
}
