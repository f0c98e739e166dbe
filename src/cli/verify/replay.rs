//! Verifying evidence files again: one as a card would be, many as a list.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::key_files::read_der;
use super::super::text::plain;
use super::super::{Context, ExitStatus, Failure, output};
use super::outcome::exit_of;
use super::report::ReportOptions;
use super::{Outcome, show};
use crate::trust::TrustStore;
use crate::verify::evidence::signature::{EvidenceFile, KnownSigner};
use crate::verify::evidence::{
    EvidenceError, MAX_LENGTH, PassiveEvidence, Replay, ReplayOptions, replay,
};
use crate::verify::{Check, Policy, SignerCache, Verdict};

/// Ending of the files that are taken from a folder.
const ENDING: &str = "evidence";

/// The options.
#[derive(Debug, Clone, Args)]
pub(super) struct AgainOptions {
    /// Take only evidence files that are signed by this key, or the key of this certificate; may be
    /// given several times.
    #[arg(long, value_name = "FILE", requires = "replay")]
    evidence_signer: Vec<PathBuf>,
    /// Verify as many evidence files at a time; left out: as many as there are processors.
    #[arg(long, value_name = "N", requires = "replay")]
    jobs: Option<NonZeroUsize>,
    /// Passive Authentication alone, for archives: signatures and hashes, but neither the chip's
    /// answers nor what the data say. Never 'genuine'.
    #[arg(long, requires = "replay")]
    passive: bool,
}

/// With what evidence files are verified again.
pub(super) struct Again<'a> {
    pub trust: &'a TrustStore,
    pub policy: Option<&'a Policy>,
    pub at: Option<Timestamp>,
}

/// One file of many.
struct Entry {
    path: PathBuf,
    result: Result<Summary, Failure>,
}

/// What is told of one file of many.
struct Summary {
    verdict: Verdict,
    /// Checks that failed, with their codes.
    failed: Vec<(&'static str, &'static str)>,
    /// Checks that warn, whatever the verdict is.
    warnings: Vec<(&'static str, &'static str)>,
    /// The verdict is another than was recorded.
    recorded: Verdict,
}

impl AgainOptions {
    /// Nothing of this goes with a card or saved files.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        let given = !self.evidence_signer.is_empty() || self.jobs.is_some() || self.passive;
        let options = "--evidence-signer, --jobs, --passive: --replay";
        if given { Err(Failure::usage(options)) } else { Ok(()) }
    }

    /// Verifies the files again.
    pub(super) fn run(
        &self,
        context: &Context,
        paths: &[PathBuf],
        again: &Again<'_>,
        reports: &ReportOptions,
    ) -> Result<ExitStatus, Failure> {
        let known = self.known_signers()?;
        let signers = SignerCache::new(again.trust);
        let verifier = Verifier { again, known, signers, passive: self.passive };
        match paths {
            [path] if !path.is_dir() => verifier.one(context, path, reports),
            _ if reports.is_wanted() => Err(Failure::usage("--report: one evidence file")),
            paths => {
                let jobs = self.jobs.or_else(|| std::thread::available_parallelism().ok());
                verifier.many(context, &find(paths)?, jobs.map_or(1, NonZeroUsize::get))
            }
        }
    }

    fn known_signers(&self) -> Result<Vec<KnownSigner>, Failure> {
        let load = |path: &PathBuf| {
            KnownSigner::from_der(&read_der(path)?).ok_or_else(|| {
                let what = "neither a certificate nor a public key";
                let failure = Failure::new(ExitStatus::BadInput, "evidence_signer_file", what);
                failure.with("file", path.display())
            })
        };
        self.evidence_signer.iter().map(load).collect()
    }
}

/// All files: those named, and those of folders that end like evidence files, in order.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|e| Failure::file(path, &e))?;
        let entries: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
        let mut entries = entries.map_err(|e| Failure::file(path, &e))?;
        entries.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
        entries.sort();
        found.extend(entries);
    }
    match (&found[..], paths) {
        ([], [first, ..]) => Err(Failure::file(first, &std::io::ErrorKind::NotFound.into())),
        _ => Ok(found),
    }
}

struct Verifier<'a> {
    again: &'a Again<'a>,
    known: Vec<KnownSigner>,
    signers: SignerCache<'a>,
    passive: bool,
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
    // One byte more than is taken tells a file that is too long.
    let limit = MAX_LENGTH as u64 + 1;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    // The space of one read: what is there is read at once, and the next read finds the end.
    let mut bytes = Vec::with_capacity(length.min(limit) as usize);
    file.take(limit).read_to_end(&mut bytes).map_err(|e| Failure::file(path, &e))?;
    Ok(bytes)
}

fn bad(path: &Path, error: &EvidenceError) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error).with("file", path.display())
}

impl Verifier<'_> {
    fn options(&self) -> ReplayOptions<'_> {
        ReplayOptions {
            now: self.again.at,
            policy: self.again.policy,
            known_signers: &self.known,
            passive: self.passive,
        }
    }

    fn verify(&self, path: &Path) -> Result<(EvidenceFile, Replay), Failure> {
        let bad = |error: EvidenceError| bad(path, &error);
        let file = EvidenceFile::decode(&read_file(path)?).map_err(bad)?;
        if !self.known.is_empty() {
            file.require_signer(&self.known).map_err(bad)?;
        }
        let replay = replay(&file, &self.options(), &self.signers);
        Ok((file, replay))
    }

    /// Passive Authentication alone, and the verdict that is recorded.
    fn verify_passively(&self, path: &Path) -> Result<(Verdict, Replay), Failure> {
        let bad = |error: EvidenceError| bad(path, &error);
        let file = PassiveEvidence::decode(&read_file(path)?).map_err(bad)?;
        if !self.known.is_empty() {
            file.require_signer(&self.known).map_err(bad)?;
        }
        Ok((file.verdict(), file.replay(&self.options(), &self.signers)))
    }

    fn one(
        &self,
        context: &Context,
        path: &Path,
        reports: &ReportOptions,
    ) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        let (file, replay) = self.verify(path)?;
        let verify_micros = start.elapsed().as_micros() as u64;
        let replayed = facts(&file, &replay);
        let policy = self.again.policy.unwrap_or(&file.record.policy).name.clone();
        let outcome = Outcome {
            report: replay.report,
            policy,
            now: replay.now,
            files: file.record.files,
            chip: file.record.chip,
            session: file.record.session,
            reading: None,
            replayed: Some(replayed),
            verify_micros,
        };
        reports.write(context, &outcome)?;
        outcome.print(context)?;
        Ok(outcome.exit())
    }

    fn summary(&self, path: &Path) -> Result<Summary, Failure> {
        let (recorded, replay) = if self.passive {
            self.verify_passively(path)?
        } else {
            let (file, replay) = self.verify(path)?;
            (file.record.verdict, replay)
        };
        let report = replay.report;
        let failed = report.checks.iter().filter(|check| check.has_failed());
        let named = |check: &Check| (check.id.as_str(), check.code);
        Ok(Summary {
            verdict: report.verdict(),
            failed: failed.map(named).collect(),
            warnings: report.warnings().map(named).collect(),
            recorded,
        })
    }

    fn many(
        &self,
        context: &Context,
        paths: &[PathBuf],
        jobs: usize,
    ) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        let next = AtomicUsize::new(0);
        let work = || {
            let mut done = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(place) else { return done };
                done.push((place, Entry { path: path.clone(), result: self.summary(path) }));
            }
        };
        let jobs = jobs.min(paths.len()).max(1);
        let mut done = std::thread::scope(|scope| {
            let workers: Vec<_> = (1..jobs).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            for worker in workers {
                // A worker that panicked is a defect, told as one.
                let gave_up = |_| Failure::new(ExitStatus::Defect, "defect", "a worker gave up");
                all.extend(worker.join().map_err(gave_up)?);
            }
            Ok::<_, Failure>(all)
        })?;
        done.sort_by_key(|(place, _)| *place);
        let entries = done.into_iter().map(|(_, entry)| entry).collect();
        let list = List { entries, seconds: start.elapsed().as_secs_f64(), jobs };
        list.print(context)?;
        Ok(list.exit())
    }
}

/// What is told of an evidence file that was verified again.
fn facts(file: &EvidenceFile, replay: &Replay) -> Value {
    let record = &file.record;
    let signed_by = file
        .signed_by
        .as_ref()
        .map(|by| json!({ "key": by.key.description(), "fingerprint": by.fingerprint }));
    json!({
        "program": record.program,
        "recorded_at": record.time.to_string(),
        "recorded_verdict": record.verdict.as_str(),
        "redacted": record.redacted,
        "signed_by": signed_by,
        "differ": replay.differ.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
    })
}

/// The same as a line of text.
pub(super) fn line(context: &Context, facts: &Value) -> String {
    let text = |name: &str| facts[name].as_str().map(plain).unwrap_or_default();
    let verdict = context.text(&format!("verdict_name.{}", text("recorded_verdict")), &[]);
    let mut line = context.text(
        "verify.replayed",
        &[
            ("program", &text("program")),
            ("time", &show::seconds(&text("recorded_at"))),
            ("verdict", &verdict),
        ],
    );
    let differ: Vec<&str> =
        facts["differ"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !differ.is_empty() {
        line.push(' ');
        line.push_str(&context.text("verify.replay_differs", &[("checks", &differ.join(", "))]));
    }
    line
}

/// Many files, verified.
struct List {
    entries: Vec<Entry>,
    seconds: f64,
    jobs: usize,
}

impl List {
    fn count(&self, verdict: Verdict) -> usize {
        let of = |entry: &&Entry| entry.result.as_ref().is_ok_and(|s| s.verdict == verdict);
        self.entries.iter().filter(of).count()
    }

    /// Files that warn of something.
    fn warned(&self) -> usize {
        let warns = |entry: &&Entry| entry.result.as_ref().is_ok_and(|s| !s.warnings.is_empty());
        self.entries.iter().filter(warns).count()
    }

    /// The codes of all warnings, each once, in the order of their names.
    fn warning_codes(&self) -> BTreeSet<&'static str> {
        let known = self.entries.iter().filter_map(|entry| entry.result.as_ref().ok());
        known.flat_map(|summary| summary.warnings.iter().map(|(_, code)| *code)).collect()
    }

    fn errors(&self) -> usize {
        self.entries.iter().filter(|entry| entry.result.is_err()).count()
    }

    /// A forged card is told before a file that cannot be read, and that before the rest.
    fn exit(&self) -> ExitStatus {
        if self.count(Verdict::Forged) > 0 {
            ExitStatus::NotGenuine
        } else if self.errors() > 0 {
            ExitStatus::BadInput
        } else if self.count(Verdict::Inconclusive) > 0 {
            ExitStatus::Inconclusive
        } else {
            exit_of(Verdict::Genuine)
        }
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json { output::json(&self.to_json(context)) } else { self.print_text(context) }
    }

    /// The document of `cancuoc.replay/1`.
    fn to_json(&self, context: &Context) -> Value {
        let checks = |checks: &[(&str, &str)]| -> Vec<Value> {
            checks.iter().map(|(id, code)| json!({ "id": id, "code": code })).collect()
        };
        let entry = |entry: &Entry| {
            let file = entry.path.display().to_string();
            match &entry.result {
                Ok(summary) => json!({
                    "file": file,
                    "verdict": summary.verdict.as_str(),
                    "recorded_verdict": summary.recorded.as_str(),
                    "failed": checks(&summary.failed),
                    "warnings": checks(&summary.warnings),
                }),
                Err(failure) => json!({
                    "file": file,
                    "error": { "code": failure.code, "message": failure.message(context.lang) },
                }),
            }
        };
        json!({
            "schema": "cancuoc.replay/1",
            "files": self.entries.len(),
            "verdicts": {
                "genuine": self.count(Verdict::Genuine),
                "forged": self.count(Verdict::Forged),
                "inconclusive": self.count(Verdict::Inconclusive),
            },
            "errors": self.errors(),
            "warned": self.warned(),
            "jobs": self.jobs,
            "seconds": self.seconds,
            "results": self.entries.iter().map(entry).collect::<Vec<_>>(),
        })
    }

    fn print_text(&self, context: &Context) -> Result<(), Failure> {
        let warning = context.text("check_status.warning", &[]);
        for entry in &self.entries {
            let (what, why) = match &entry.result {
                Ok(summary) => {
                    let name = format!("verdict_name.{}", summary.verdict.as_str());
                    let failed = summary.failed.iter().map(|(id, code)| format!("{id}: {code}"));
                    let warnings = summary.warnings.iter();
                    let warnings = warnings.map(|(id, code)| format!("{warning}: {id}: {code}"));
                    let mut why: Vec<String> = failed.chain(warnings).collect();
                    if summary.recorded != summary.verdict {
                        let before = format!("verdict_name.{}", summary.recorded.as_str());
                        let before = context.text(&before, &[]);
                        why.push(context.text("verify.replay_was", &[("verdict", &before)]));
                    }
                    (context.text(&name, &[]), why.join(", "))
                }
                Err(failure) => (context.text("label.error", &[]), failure.message(context.lang)),
            };
            let path = entry.path.display();
            output::line(format!("{path}  {what}  {why}").trim_end())?;
        }
        let number = |n: usize| n.to_string();
        output::line(&context.text(
            "verify.replay_total",
            &[
                ("files", &number(self.entries.len())),
                ("genuine", &number(self.count(Verdict::Genuine))),
                ("forged", &number(self.count(Verdict::Forged))),
                ("inconclusive", &number(self.count(Verdict::Inconclusive))),
                ("errors", &number(self.errors())),
                ("seconds", &format!("{:.2}", self.seconds)),
            ],
        ))?;
        self.print_warnings(context)
    }

    /// What the warnings mean and what to do, each said once for all files.
    fn print_warnings(&self, context: &Context) -> Result<(), Failure> {
        if self.warned() == 0 {
            return Ok(());
        }
        let style = anstyle::AnsiColor::Yellow.on_default().bold();
        let count = self.warned().to_string();
        let line = context.text("verify.replay_warned", &[("files", &count)]);
        output::line(&format!("{style}{line}{style:#}"))?;
        for code in self.warning_codes() {
            let meaning = context.text(&format!("check.{code}"), &[]);
            let hint = show::hint(context.lang, code).map(|hint| format!(": {hint}"));
            output::line(&format!("  → {code}: {meaning}{}", hint.unwrap_or_default()))?;
        }
        Ok(())
    }
}
