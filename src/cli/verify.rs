//! `verify`: the whole inspection procedure, and a verdict with reasons.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::access::AccessOptions;
use super::picture::{self, Graphics};
use super::terminal_credentials::TerminalOptions;
use super::{Context, ExitStatus, Failure, Lang, output, read};
use crate::biometrics;
use crate::document::CardProfile;
use crate::document::dg13::FieldKind;
use crate::lds::{DgNumber, FileId};
use crate::terminal::chip_authentication::ChipAuthenticationPreference;
use crate::terminal::pace::PaceFilter;
use crate::terminal::{AccessPlan, AccessPolicy, ChipReading, ReadOptions};
use crate::trust::TrustStore;
use crate::verify::reasons::{self, Advice};
use crate::verify::{
    Check, CheckId, ChipEvidence, DocumentFiles, Expected, Inspection, Policy, PolicyError, Report,
    Verdict, inspect,
};

/// Is this card genuine? The whole inspection procedure and a verdict with reasons.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc verify --can - --trust csca/           asks for the CAN\n  \
    cancuoc verify --qr file:qr.txt --trust csca/ --json\n  \
    cancuoc verify --pin - --can file:can.txt --trust csca/    asks for the PIN, resumes it with the CAN\n  \
    cancuoc verify --mrz - --trust csca/ --policy standard --allow-bac    a passport without PACE\n  \
    cancuoc verify --files card/ --trust csca/     files saved by cancuoc read: never 'genuine'\n\n\
    Exit codes: 0 genuine, 1 not genuine, 3 inconclusive, 4 no card or reader, 5 the card refused.")]
pub(super) struct Arguments {
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    terminal: TerminalOptions,
    /// Folder with the certificates of country signing CAs and their revocation lists.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Verify files that cancuoc read saved, instead of a card: the chip is then not asked.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// What is accepted: strict, standard, integrity-only (never 'genuine'), or a file with a policy.
    #[arg(long, value_name = "NAME|FILE", default_value = "strict")]
    policy: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    if arguments.files.is_some() == arguments.access.is_given() {
        return Err(Failure::usage("--mrz, --can, --number, --qr, --pin, --puk | --files"));
    }
    let trust =
        TrustStore::load(&arguments.trust).map_err(|e| Failure::file(&arguments.trust, &e))?;
    for (path, problem) in &trust.problems {
        tracing::warn!("{}: {problem}", path.display());
    }
    let policy = policy(&arguments.policy)?;
    let mut expected = Expected::default();
    let (files, chip, reading) = match &arguments.files {
        Some(folder) => (load(folder)?, ChipEvidence::default(), None),
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
    let start = std::time::Instant::now();
    let now = jiff::Timestamp::now();
    let inspection = Inspection { trust: &trust, now, expected: &expected, policy: &policy };
    let report = inspect(&files, &chip, &inspection);
    let policy = policy.name.clone();
    let result =
        Outcome { report, policy, reading, verify_micros: start.elapsed().as_micros() as u64 };
    result.print(context)?;
    Ok(result.exit())
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

/// The result of an inspection, to be shown.
pub(super) struct Outcome {
    pub report: Report,
    pub policy: String,
    pub reading: Option<ChipReading>,
    pub verify_micros: u64,
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
    let now = jiff::Timestamp::now();
    let inspection = Inspection { trust, now, expected: &expected, policy };
    let (files, chip) = (DocumentFiles::of_reading(&reading), ChipEvidence::of_reading(&reading));
    let report = inspect(&files, &chip, &inspection);
    let verify_micros = start.elapsed().as_micros() as u64;
    let policy = policy.name.clone();
    Ok(Outcome { report, policy, reading: Some(reading), verify_micros })
}

/// Files that `cancuoc read` saved.
fn load(folder: &Path) -> Result<DocumentFiles, Failure> {
    let mut files = DocumentFiles::default();
    let groups = DgNumber::all().map(DgNumber::file);
    for file in groups.chain([FileId::COM, FileId::SOD]) {
        if let Some(bytes) = load_file(folder, &read::file_name(file))? {
            files.insert(file, bytes);
        }
    }
    files.card_access = load_file(folder, &read::file_name(FileId::CARD_ACCESS))?;
    files.card_security = load_file(folder, read::CARD_SECURITY_FILE)?;
    if files.files.is_empty() {
        return Err(Failure::file(folder, &std::io::ErrorKind::NotFound.into()));
    }
    // DG3 and DG4 come out only with Terminal Authentication, so saved files lack them.
    files.protected = [3, 4].into_iter().filter_map(DgNumber::new).map(DgNumber::file).collect();
    Ok(files)
}

fn load_file(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    use std::io::Read;
    let path = folder.join(name);
    let mut bytes = Vec::new();
    match std::fs::File::open(&path).and_then(|f| f.take(4 << 20).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file(&path, &error)),
    }
}

impl Outcome {
    /// Exit code of the verdict.
    pub(super) fn exit(&self) -> ExitStatus {
        match self.report.verdict() {
            Verdict::Genuine => ExitStatus::Done,
            Verdict::Forged => ExitStatus::NotGenuine,
            Verdict::Inconclusive => ExitStatus::Inconclusive,
        }
    }

    /// Prints the result in the form asked for.
    pub(super) fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json { output::json(&self.to_json(context)) } else { self.print_text(context) }
    }

    fn to_json(&self, context: &Context) -> Value {
        let checks: Vec<_> =
            self.report.checks.iter().map(|c| c.to_json(&message(context, c))).collect();
        let mut document = json!({
            "schema": "cancuoc.verify/1",
            "verdict": self.report.verdict().as_str(),
            "policy": self.policy,
            "checks": checks,
        });
        if self.report.verdict() == Verdict::Inconclusive {
            let names =
                |ids: Vec<CheckId>| ids.into_iter().map(CheckId::as_str).collect::<Vec<_>>();
            let groups = self.report.wanting().into_iter().map(names);
            document["wanting"] = groups.collect::<Vec<_>>().into();
        }
        if let Some(reading) = &self.reading {
            let micros = |value: u64| value as f64 / 1000.0;
            document["document"] = holder_json(reading);
            document["access"] = json!(reading.access);
            document["apdus"] = read::counters_json(reading);
            document["reading"] = read::statistics_json(&reading.statistics);
            document["timing_ms"] = json!({
                "access": micros(reading.access_micros),
                "read": micros(reading.read_micros),
                "verify": micros(self.verify_micros),
                "total": micros(reading.access_micros + reading.read_micros + self.verify_micros),
            });
        }
        document
    }

    fn print_text(&self, context: &Context) -> Result<(), Failure> {
        if let Some(reading) = &self.reading {
            print_holder(context, reading)?;
        }
        print_checks(context, &self.report.checks)?;
        print_verdict(context, &self.report)?;
        if let Some(reading) = &self.reading {
            output::line(&read::statistics_line(context, &reading.statistics))?;
            if let Some(line) = read::air_line(context, reading) {
                output::line(&line)?;
            }
        }
        Ok(())
    }
}

fn message(context: &Context, check: &Check) -> String {
    let found = super::text::find(context.lang, &format!("check.{}", check.code), &[]);
    found.unwrap_or_else(|| check.code.to_owned())
}

fn holder_json(reading: &ChipReading) -> Value {
    let profile = CardProfile::can_cuoc_2021();
    let mrz = read::mrz(reading);
    let national = read::dg13(reading).map(|d| d.view(&profile.dg13).to_json());
    json!({
        "number": mrz.as_ref().map(|m| m.document_number().as_str().to_owned()),
        "personal_number": mrz.as_ref().and_then(|m| m.personal_number())
            .map(|n| n.as_str().to_owned()),
        "name": mrz.as_ref().map(|m| m.lines().last().unwrap_or_default().to_owned()),
        "dg13": national,
    })
}

/// Portrait and national data of the holder.
fn print_holder(context: &Context, reading: &ChipReading) -> Result<(), Failure> {
    let graphics = context.graphics.resolve();
    if graphics != Graphics::None {
        let portrait = read::portraits(reading).into_iter().next();
        if let Some(portrait) = portrait.and_then(|p| biometrics::decode(&p).ok()) {
            picture::print(&portrait, graphics);
        }
    }
    let profile = CardProfile::can_cuoc_2021();
    if let Some(dg13) = read::dg13(reading) {
        let view = dg13.view(&profile.dg13);
        for field in &profile.dg13.fields {
            let shown = match field.kind {
                FieldKind::Parents => view.parents().map_or_else(Vec::new, |parents| {
                    vec![("father", parents.father), ("mother", parents.mother)]
                }),
                _ => vec![(field.name.as_str(), view.state(&field.name))],
            };
            for (name, state) in shown {
                if let Some(value) = state.non_empty() {
                    let label = context.text(&format!("field.{name}"), &[]);
                    output::line(&format!("{label}: {value}"))?;
                }
            }
        }
    } else if let Some(mrz) = read::mrz(reading) {
        for line in mrz.lines() {
            output::line(line)?;
        }
    }
    output::line("")
}

fn print_checks(context: &Context, checks: &[Check]) -> Result<(), Failure> {
    let header = ["verify.header.check", "verify.header.result", "verify.header.reason"];
    let header: Vec<String> = header.iter().map(|key| context.text(key, &[])).collect();
    let mut table = output::table(&header);
    for check in checks {
        let name = context.text(&format!("check_name.{}", check.id.as_str()), &[]);
        let shown = if check.is_warning() { "warning" } else { check.status_name() };
        let status = context.text(&format!("check_status.{shown}"), &[]);
        let color = match shown {
            "passed" => comfy_table::Color::Green,
            "failed" => comfy_table::Color::Red,
            _ => comfy_table::Color::Yellow,
        };
        let status = comfy_table::Cell::new(status).fg(color);
        table.add_row([name.into(), status, message(context, check).into()]);
    }
    output::line(&table.to_string())
}

/// The verdict, and what to do about each reason.
fn print_verdict(context: &Context, report: &Report) -> Result<(), Failure> {
    let verdict = report.verdict();
    let color = match verdict {
        Verdict::Genuine => anstyle::AnsiColor::Green,
        Verdict::Forged => anstyle::AnsiColor::Red,
        Verdict::Inconclusive => anstyle::AnsiColor::Yellow,
    };
    let style = color.on_default().bold();
    let text = context.text(&format!("verdict.{}", verdict.as_str()), &[]);
    output::line(&format!("\n{style}{text}{style:#}"))?;
    for check in report.checks.iter().filter(|c| !c.has_passed() || c.is_warning()) {
        // A check that is merely skipped is of interest only where the verdict hangs on it.
        if verdict == Verdict::Genuine && !check.is_warning() {
            continue;
        }
        if let Some(hint) = hint(context.lang, check.code) {
            output::line(&format!("  → {}: {}", message(context, check), hint))?;
        }
    }
    if report.wanting().iter().any(Vec::is_empty) && verdict == Verdict::Inconclusive {
        output::line(&format!("  → {}", context.text("verify.integrity_only", &[])))?;
    }
    Ok(())
}

/// What to do about a reason, where there is something to do.
pub(super) fn hint(lang: Lang, code: &str) -> Option<String> {
    let (_, advice) = reasons::find(code)?;
    match advice {
        Advice::Nothing | Advice::Consequence => None,
        _ => Some(what_to_do(lang, code, advice)),
    }
}

/// What to do about a reason: the sentence of its own, else that of its kind.
fn what_to_do(lang: Lang, code: &str, advice: Advice) -> String {
    let own = super::text::find(lang, &format!("check_hint.{code}"), &[]);
    own.unwrap_or_else(|| super::text::text(lang, advice.key(), &[]))
}

#[cfg(test)]
mod tests {
    use super::super::text::{find, text};
    use super::*;

    const TABLES: [(Lang, &str, &str); 2] = [
        (Lang::En, "docs/en/verifiers.md", "| code | meaning | what to do |"),
        (Lang::Vi, "docs/vi/nguoi-kiem-tra.md", "| mã | ý nghĩa | việc cần làm |"),
    ];

    #[test]
    fn every_reason_has_its_meaning_and_what_to_do() {
        for (code, advice) in reasons::REASONS.iter().flat_map(|(_, reasons)| *reasons) {
            let (meaning, own) = (format!("check.{code}"), format!("check_hint.{code}"));
            for lang in [Lang::En, Lang::Vi] {
                assert!(find(lang, &meaning, &[]).is_some(), "{meaning}");
                assert!(find(lang, advice.key(), &[]).is_some(), "{}", advice.key());
                let has_own = find(lang, &own, &[]).is_some();
                assert_eq!(*advice == Advice::Own, has_own, "{own}");
            }
        }
    }

    /// The tables of reasons as they stand in the documents.
    fn tables(lang: Lang, header: &str) -> String {
        let mut out = String::new();
        for (heading, reasons) in reasons::REASONS {
            out += &format!("\n### {}\n\n{header}\n|---|---|---|\n", text(lang, heading, &[]));
            for (code, advice) in *reasons {
                let meaning = text(lang, &format!("check.{code}"), &[]);
                out += &format!("| `{code}` | {meaning} | {} |\n", what_to_do(lang, code, *advice));
            }
        }
        out + "\n"
    }

    /// Where they differ, run the test once more with `CANCUOC_WRITE_DOCS=1`.
    #[test]
    fn the_documents_list_every_reason_with_its_meaning_and_what_to_do() {
        for (lang, file, header) in TABLES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let document = std::fs::read_to_string(&path).unwrap();
            let (before, rest) = document.split_once("<!-- reasons -->\n").unwrap();
            let (_, after) = rest.split_once("<!-- end of reasons -->\n").unwrap();
            let tables = tables(lang, header);
            let wanted =
                format!("{before}<!-- reasons -->\n{tables}<!-- end of reasons -->\n{after}");
            if std::env::var_os("CANCUOC_WRITE_DOCS").is_some() {
                std::fs::write(&path, &wanted).unwrap();
                continue;
            }
            assert!(document == wanted, "{file} is out of date: CANCUOC_WRITE_DOCS=1 cargo test");
        }
    }
}
