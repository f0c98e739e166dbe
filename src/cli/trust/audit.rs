//! `trust audit`: what is wrong, weak or old in the folder. Nothing is taken from memory here: every
//! signature is verified.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::folder::{TrustFolder, now};
use super::list::summary;
use super::{Context, ExitStatus, Failure, output};
use crate::cli::text::{self, plain};
use crate::trust::{Audit, AuditFinding, AuditSeverity, Survey, TrustStore};

/// Look for what is wrong, weak or out of date in a trust folder; verifies every signature anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc trust audit --trust csca/\n  \
    cancuoc trust audit --trust csca/ --json | jq '.findings[] | select(.severity == \"error\")'\n\n\
    Exit codes: 0 nothing, or only warnings and notes; 6 an error: something does not count that is \
    meant to.")]
pub(super) struct Arguments {
    /// The trust folder.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Leave out the notes.
    #[arg(long)]
    no_notes: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let folder = TrustFolder::new(&arguments.trust);
    let (store, index, files) = (folder.load()?, folder.index()?, folder.files()?);
    let survey = store.survey(None);
    let audit = Audit { store: &store, survey: &survey, index: &index, folder: &files, now: now() };
    let mut findings = audit.findings();
    findings.extend(folder_findings(&folder, &store, &survey));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let has_errors = findings.iter().any(|finding| finding.severity == AuditSeverity::Error);
    let counts = Counts::of(&findings);
    findings.retain(|finding| !arguments.no_notes || finding.severity > AuditSeverity::Note);
    if context.json {
        let findings: Vec<Value> = findings.iter().map(|f| to_json(context, f)).collect();
        let summary = summary(&store, &survey);
        output::json(&json!({
            "schema": "cancuoc.trust-audit/1",
            "summary": summary,
            "counts": counts.to_json(),
            "findings": findings,
        }))?;
    } else {
        print_all(context, &findings)?;
        output::line(&counts.line(context))?;
    }
    Ok(if has_errors { ExitStatus::BadInput } else { ExitStatus::Done })
}

/// What the folder itself has to do with it: who may write to it, and what its memory says.
fn folder_findings(
    folder: &TrustFolder,
    store: &TrustStore,
    survey: &Survey<'_>,
) -> Vec<AuditFinding> {
    let finding = |code, severity| AuditFinding {
        code,
        severity,
        file: None,
        subject: None,
        detail: folder.path().display().to_string(),
        reason: None,
        facts: Vec::new(),
    };
    let mut findings = Vec::new();
    if folder.is_writable_by_others() {
        findings.push(finding("folder_writable_by_others", AuditSeverity::Warning));
    }
    let remembered = store.survey(Some(&folder.cache()));
    let differ = |(one, other): (&crate::trust::SurveyedCertificate<'_>, _)| {
        let other: &crate::trust::SurveyedCertificate<'_> = other;
        one.trust.is_ok() != other.trust.is_ok()
    };
    if survey.certificates.iter().zip(&remembered.certificates).any(differ) {
        findings.push(finding("memory_wrong", AuditSeverity::Error));
    }
    findings
}

fn sentence(context: &Context, finding: &AuditFinding) -> String {
    let because = finding
        .reason
        .and_then(|code| text::reason(context.lang, code, &finding.detail, &finding.facts));
    let detail = because.as_deref().unwrap_or(&finding.detail);
    context.text(&format!("trust_finding.{}", finding.code), &[("detail", detail)])
}

fn to_json(context: &Context, finding: &AuditFinding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "file": finding.file,
        "subject": finding.subject,
        "message": sentence(context, finding),
        "reason": finding.reason,
        "detail": finding.detail,
    })
}

/// How many findings of each severity there are.
#[derive(Debug, Clone, Copy)]
struct Counts {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Counts {
    fn of(findings: &[AuditFinding]) -> Self {
        let count =
            |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            errors: count(AuditSeverity::Error),
            warnings: count(AuditSeverity::Warning),
            notes: count(AuditSeverity::Note),
        }
    }

    fn to_json(self) -> Value {
        json!({ "error": self.errors, "warning": self.warnings, "note": self.notes })
    }

    /// All that was found in a line; notes count too where they are left out above.
    fn line(self, context: &Context) -> String {
        if self.errors + self.warnings + self.notes == 0 {
            return context.text("trust.audit_clean", &[]);
        }
        let [errors, warnings, notes] =
            [self.errors, self.warnings, self.notes].map(|count| count.to_string());
        let values = [("errors", &*errors), ("warnings", &*warnings), ("notes", &*notes)];
        let worst = match self {
            Self { errors: 1.., .. } => AuditSeverity::Error,
            Self { warnings: 1.., .. } => AuditSeverity::Warning,
            _ => AuditSeverity::Note,
        };
        let style = style(worst);
        format!("{style}{}{style:#}", context.text("trust.audit_counts", &values))
    }
}

fn style(severity: AuditSeverity) -> anstyle::Style {
    let color = match severity {
        AuditSeverity::Error => anstyle::AnsiColor::Red,
        AuditSeverity::Warning => anstyle::AnsiColor::Yellow,
        AuditSeverity::Note => anstyle::AnsiColor::Cyan,
    };
    color.on_default().bold()
}

/// The findings, those of each severity set apart.
fn print_all(context: &Context, findings: &[AuditFinding]) -> Result<(), Failure> {
    for group in findings.chunk_by(|one, next| one.severity == next.severity) {
        group.iter().try_for_each(|finding| print(context, finding))?;
        output::line("")?;
    }
    Ok(())
}

fn print(context: &Context, finding: &AuditFinding) -> Result<(), Failure> {
    let style = style(finding.severity);
    let severity = context.text(&format!("severity.{}", finding.severity.as_str()), &[]);
    let what: Vec<&str> =
        [&finding.file, &finding.subject].into_iter().flatten().map(String::as_str).collect();
    let what = if what.is_empty() { String::new() } else { format!("{}: ", what.join(", ")) };
    let what = plain(&what);
    output::line(&format!("{style}{severity}{style:#}: {what}{}", sentence(context, finding)))
}
