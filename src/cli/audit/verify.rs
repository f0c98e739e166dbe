//! `audit verify`: whether the record is whole.

use clap::Args;
use serde_json::{Value, json};

use super::super::{Context, ExitStatus, Failure, output, text};
use super::source::{SourceOptions, TrustOptions};
use crate::production::audit::{Finding, Severity, StationSummary, Verdict, Verification};

/// Find every change, gap, reordering and cut in the record; every signature is verified.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit verify audit.jsonl --station-key station.pub --anchor anchors.json\n  \
    cancuoc audit verify audit.jsonl --station-key hall-1/0=hall-1.pub --no-anchor\n  \
    cancuoc audit verify audit.jsonl --station-key station.pub --anchor hall-1/0:17:5f0c…e1 --json\n\n\
    Exit codes: 0 whole, 1 something was changed or is missing, 3 nothing is known to be wrong, but\n\
    no key of a station was given, or no anchor for the end of a chain (--no-anchor does without).")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    trust: TrustOptions,
    /// Do without anchors: entries cut off at the end of a chain are not found.
    #[arg(long)]
    no_anchor: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let (keys, anchors) = (arguments.trust.keys()?, arguments.trust.anchors()?);
    let verification = arguments.source.verify(&keys, &anchors)?;
    let verdict = verification.verdict(arguments.no_anchor);
    if context.json {
        output::json(&to_json(context, &verification, verdict))?;
    } else {
        print(context, &verification, verdict)?;
    }
    Ok(status(verdict))
}

/// The exit code of a verdict.
pub(super) const fn status(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Intact => ExitStatus::Done,
        Verdict::Broken => ExitStatus::NotGenuine,
        Verdict::Inconclusive => ExitStatus::Inconclusive,
    }
}

fn to_json(context: &Context, verification: &Verification, verdict: Verdict) -> Value {
    let stations: Vec<Value> = verification.stations.values().map(station_json).collect();
    let findings: Vec<Value> =
        verification.findings.iter().map(|finding| finding_json(context, finding)).collect();
    json!({
        "schema": "cancuoc.audit-verify/1",
        "verdict": verdict.as_str(),
        "lines": verification.lines,
        "keys_given": verification.keys_given,
        "stations": stations,
        "findings": findings,
        "findings_left_out": verification.left_out,
    })
}

fn station_json(station: &StationSummary) -> Value {
    json!({
        "station": station.head.station,
        "entries": station.entries,
        "acts": station.acts,
        "first": station.first,
        "last": station.head.sequence,
        "hash": station.head.hash,
        "time": station.time.to_string(),
        "anchored": station.is_anchored,
    })
}

fn finding_json(context: &Context, finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "line": finding.place,
        "station": finding.station,
        "sequence": finding.sequence,
        "message": sentence(context, finding),
        "detail": text::plain(&finding.detail),
    })
}

fn sentence(context: &Context, finding: &Finding) -> String {
    let detail = text::plain(&finding.detail);
    context.text(&format!("audit_finding.{}", finding.code), &[("detail", &detail)])
}

/// Stations, findings, verdict.
pub(super) fn print(
    context: &Context,
    verification: &Verification,
    verdict: Verdict,
) -> Result<(), Failure> {
    for station in verification.stations.values() {
        let key = if station.is_anchored { "audit.station" } else { "audit.station_unanchored" };
        output::line(&context.text(
            key,
            &[
                ("station", &station.head.station),
                ("first", &station.first.to_string()),
                ("last", &station.head.sequence.to_string()),
                ("acts", &station.acts.to_string()),
                ("time", &station.time.to_string()),
            ],
        ))?;
    }
    verification.findings.iter().try_for_each(|finding| print_finding(context, finding))?;
    if verification.left_out > 0 {
        let count = verification.left_out.to_string();
        output::line(&context.text("audit.findings_left_out", &[("count", &count)]))?;
    }
    let color = match verdict {
        Verdict::Intact => anstyle::AnsiColor::Green,
        Verdict::Broken => anstyle::AnsiColor::Red,
        Verdict::Inconclusive => anstyle::AnsiColor::Yellow,
    };
    let style = color.on_default().bold();
    let key = match verdict {
        Verdict::Inconclusive if verification.stations.is_empty() => "audit.verdict.nothing",
        Verdict::Inconclusive if !verification.keys_given => "audit.verdict.no_keys",
        Verdict::Inconclusive => "audit.verdict.no_anchor",
        Verdict::Intact => "audit.verdict.intact",
        Verdict::Broken => "audit.verdict.broken",
    };
    output::line(&format!("{style}{}{style:#}", context.text(key, &[])))
}

fn print_finding(context: &Context, finding: &Finding) -> Result<(), Failure> {
    let color = match finding.severity {
        Severity::Error => anstyle::AnsiColor::Red,
        Severity::Warning => anstyle::AnsiColor::Yellow,
    };
    let style = color.on_default().bold();
    let severity = context.text(&format!("severity.{}", finding.severity.as_str()), &[]);
    let mut place = Vec::new();
    if let Some(line) = finding.place {
        place.push(context.text("audit.line", &[("line", &line.to_string())]));
    }
    if let Some(station) = &finding.station {
        place.push(station.clone());
    }
    if let Some(sequence) = finding.sequence {
        place.push(format!("#{sequence}"));
    }
    let place = place.join(", ");
    output::line(&format!("{style}{severity}{style:#}: {place}: {}", sentence(context, finding)))
}
