//! The result of an inspection: its JSON, and its exit code.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Context, ExitStatus, Failure, output, read};
use super::show;
use crate::document::{CardProfile, Dg13, Mrz};
use crate::lds::{DgNumber, decode_dg1};
use crate::terminal::{ChipReading, ReadStatistics};
use crate::verify::evidence::SessionFacts;
use crate::verify::{Check, CheckId, ChipEvidence, DocumentFiles, Report, Verdict};

/// The result of an inspection, to be shown.
pub(in crate::cli) struct Outcome {
    pub report: Report,
    /// Name of the policy.
    pub policy: String,
    /// The time it was judged at.
    pub now: Timestamp,
    pub files: DocumentFiles,
    pub chip: ChipEvidence,
    pub session: Option<SessionFacts>,
    /// A card that was just read.
    pub reading: Option<Reading>,
    /// An evidence file that was verified again.
    pub replayed: Option<Value>,
    pub verify_micros: u64,
}

/// What is told of a card that was just read, besides the facts that an evidence file keeps.
pub(in crate::cli) struct Reading {
    pub access: Value,
    pub statistics: ReadStatistics,
    /// Time on a modelled link, where there is one.
    pub air: Option<Duration>,
}

impl Reading {
    pub(super) fn of(reading: &ChipReading) -> Self {
        let (statistics, air) = (reading.statistics, reading.air);
        Self { access: json!(reading.access), statistics, air }
    }
}

/// What reading a card cost, as an evidence file keeps it.
pub(in crate::cli) const fn session_facts(reading: &ChipReading) -> SessionFacts {
    SessionFacts {
        apdus: reading.counters.apdus,
        sent_bytes: reading.counters.sent_bytes,
        received_bytes: reading.counters.received_bytes,
        access_micros: reading.access_micros,
        read_micros: reading.read_micros,
    }
}

impl Outcome {
    /// Exit code of the verdict.
    pub(in crate::cli) fn exit(&self) -> ExitStatus {
        exit_of(self.report.verdict())
    }

    /// Prints the result in the form asked for.
    pub(in crate::cli) fn print(&self, context: &Context) -> Result<(), Failure> {
        if context.json { output::json(&self.to_json(context)) } else { show::print(context, self) }
    }

    /// The document of `cancuoc.verify/1`.
    pub(super) fn to_json(&self, context: &Context) -> Value {
        let message = |check| show::message(context.lang, check);
        let checks: Vec<_> = self.report.checks.iter().map(|c| c.to_json(&message(c))).collect();
        let mut document = json!({
            "schema": "cancuoc.verify/1",
            "verdict": self.report.verdict().as_str(),
            "policy": self.policy,
            "judged_at": self.now.to_string(),
            "checks": checks,
        });
        if self.report.verdict() == Verdict::Inconclusive {
            document["wanting"] = wanting(&self.report).into();
        }
        document["warnings"] = warnings(&self.report, context).into();
        document["document"] = self.holder_json();
        if let Some(access) = self.access_json() {
            document["access"] = access;
        }
        if let Some(session) = &self.session {
            document["apdus"] = json!({
                "count": session.apdus,
                "sent_bytes": session.sent_bytes,
                "received_bytes": session.received_bytes,
            });
        }
        if let Some(air) = self.reading.as_ref().and_then(|reading| reading.air) {
            document["apdus"]["air_ms"] = (air.as_micros() as f64 / 1000.0).into();
        }
        if let Some(reading) = &self.reading {
            document["reading"] = read::statistics_json(&reading.statistics);
        }
        document["timing_ms"] = self.timing_json();
        if let Some(replayed) = &self.replayed {
            document["evidence"] = replayed.clone();
        }
        document
    }

    /// How the card was opened.
    pub(super) fn access_json(&self) -> Option<Value> {
        if let Some(reading) = &self.reading {
            return Some(reading.access.clone());
        }
        let access = self.chip.access.as_ref()?;
        let pace = access.pace.as_ref();
        Some(json!({
            "protocol": if pace.is_some() { "PACE" } else { "BAC" },
            "mapping": pace.map(|p| p.protocol.mapping.name()),
            "domain": pace.map(|p| p.domain.name()),
            "cipher": access.cipher,
            "password": access.password,
            "downgraded": access.downgraded,
        }))
    }

    pub(super) fn timing_json(&self) -> Value {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let Some(session) = &self.session else {
            return json!({ "verify": millis(self.verify_micros) });
        };
        // What was read at another time is no part of what this took.
        let total = match &self.reading {
            Some(_) => session.access_micros + session.read_micros + self.verify_micros,
            None => self.verify_micros,
        };
        json!({
            "access": millis(session.access_micros),
            "read": millis(session.read_micros),
            "verify": millis(self.verify_micros),
            "total": millis(total),
        })
    }

    /// What the files say of the holder.
    fn holder_json(&self) -> Value {
        let profile = CardProfile::can_cuoc_2021();
        let mrz = mrz(&self.files);
        let national = dg13(&self.files).map(|d| d.view(&profile.dg13).to_json());
        json!({
            "number": mrz.as_ref().map(|m| m.document_number().as_str().to_owned()),
            "personal_number": mrz.as_ref().and_then(|m| m.personal_number())
                .map(|n| n.as_str().to_owned()),
            "name": mrz.as_ref().map(|m| m.lines().last().unwrap_or_default().to_owned()),
            "dg13": national,
        })
    }
}

/// Exit code of a verdict.
pub(super) const fn exit_of(verdict: Verdict) -> ExitStatus {
    match verdict {
        Verdict::Genuine => ExitStatus::Done,
        Verdict::Forged => ExitStatus::NotGenuine,
        Verdict::Inconclusive => ExitStatus::Inconclusive,
    }
}

/// The checks that a verdict lacks, in groups of which one is enough.
fn wanting(report: &Report) -> Vec<Value> {
    let names = |ids: Vec<CheckId>| ids.into_iter().map(CheckId::as_str).collect::<Vec<_>>();
    report.wanting().into_iter().map(|ids| names(ids).into()).collect()
}

/// What is to be told beside the verdict, whatever it is.
fn warnings(report: &Report, context: &Context) -> Vec<Value> {
    let warning = |check: &Check| {
        let message = show::message(context.lang, check);
        json!({ "id": check.id.as_str(), "code": check.code, "message": message })
    };
    report.warnings().map(warning).collect()
}

/// A data group's content.
pub(super) fn data_group(files: &DocumentFiles, number: u8) -> Option<&[u8]> {
    files.files.get(&DgNumber::new(number)?.file()).map(Vec::as_slice)
}

/// The MRZ in DG1.
pub(super) fn mrz(files: &DocumentFiles) -> Option<Mrz> {
    Mrz::parse(decode_dg1(data_group(files, 1)?).ok()?).ok()
}

/// The national data in DG13.
pub(super) fn dg13(files: &DocumentFiles) -> Option<Dg13> {
    Dg13::decode(data_group(files, 13)?).ok()
}
