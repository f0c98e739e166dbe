//! A card of the forgery deck read and inspected by the library, and what that must come to.
#![allow(dead_code)] // each test binary uses a part

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use cancuoc::deck::{Entry, Expected, Given, Outcome, POLICIES};
use cancuoc::document::{AccessKeys, Can, CardProfile, Mrz, QrText};
use cancuoc::error::ErrorCode;
use cancuoc::terminal::pace::PaceFilter;
use cancuoc::terminal::{AccessPlan, AccessPolicy, ReadOptions, read_chip};
use cancuoc::transport::CardTransport;
use cancuoc::transport::time_limit::{TimeLimited, TimeLimits};
use cancuoc::trust::TrustStore;
use cancuoc::verify::evidence::signature::EvidenceFile;
use cancuoc::verify::evidence::{InspectionRecord, PassiveEvidence, ReplayOptions, replay};
use cancuoc::verify::{
    self, Check, ChipEvidence, DocumentFiles, Inspection, Policy, Report, SignerCache, inspect,
};

/// Randomness of the system.
pub fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// A check that does not simply pass: identifier, outcome, code.
type Found = (String, &'static str, String);

/// What was found: the verdict or the code of an error, and the checks that do not simply pass.
#[derive(Debug, PartialEq)]
pub struct Finding {
    pub verdict: Result<String, String>,
    pub checks: BTreeSet<Found>,
}

fn policy(name: &str) -> Policy {
    match POLICIES.iter().find(|(file, _)| *file == name) {
        Some((_, source)) => Policy::from_toml(source).unwrap(),
        None => Policy::builtin(name).unwrap().clone(),
    }
}

/// How the card is opened, and what is known of it besides.
fn access(entry: &Entry, policy: &Policy) -> (AccessPlan, verify::Expected) {
    let profile = CardProfile::can_cuoc_2021();
    let mut expected = verify::Expected::default();
    let keys = match entry.given {
        Given::Can(can) => AccessKeys::from_can(Can::new(can).unwrap()),
        Given::Mrz(lines) => {
            let mrz = Mrz::parse_text(lines).unwrap();
            let keys = AccessKeys::from_mrz(&mrz, profile).unwrap();
            expected.mrz = Some(mrz);
            keys
        }
        Given::Qr(text) => {
            let qr = QrText::parse(text).unwrap();
            let keys = AccessKeys::from_qr(&qr, None, profile).unwrap();
            expected.qr = Some(qr);
            keys
        }
    };
    let mut plan = AccessPlan::pace(keys);
    plan.prefer_mrz = matches!(entry.given, Given::Mrz(_));
    if entry.allow_bac {
        plan.policy = AccessPolicy::PaceOrBacWhenNotOffered;
    }
    let judge = policy.clone();
    plan.pace.filter = Some(PaceFilter::new(move |info, domain| {
        judge.pace(info.protocol, domain).map_err(|refusal| refusal.code.to_owned())
    }));
    (plan, expected)
}

/// Reads and inspects an entry's card; its evidence must give the same again.
pub fn verify(card: Box<dyn CardTransport + Send>, entry: &Entry, trust: &TrustStore) -> Finding {
    let policy = policy(entry.policy);
    let (plan, expected) = access(entry, &policy);
    let waits = matches!(entry.expected, Expected::Aborted { error: "card_timeout", .. });
    let answer = Duration::from_secs(if waits { 1 } else { 600 });
    let limits = TimeLimits { answer, total: Duration::from_secs(600) };
    let card = TimeLimited::new(card, limits);
    let options = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
    let reading = match read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}) {
        Ok(reading) => reading,
        Err(error) => {
            return Finding { verdict: Err(error.code().to_owned()), checks: BTreeSet::new() };
        }
    };
    let now = jiff::Timestamp::now();
    let inspection = Inspection { trust, now, expected: &expected, policy: &policy };
    let (files, chip) = (DocumentFiles::of_reading(&reading), ChipEvidence::of_reading(&reading));
    let report = inspect(&files, &chip, &inspection);
    let found = result(&report);
    let record = InspectionRecord::new(&files, &chip, &inspection, &report);
    assert_eq!(replayed(&record, trust), found, "{}: its evidence", entry.name);
    found
}

fn result(report: &Report) -> Finding {
    let outcome = |check: &Check| {
        if check.is_warning() { "warning" } else { check.status_name() }
    };
    // Those about an evidence file itself are not about the card.
    let checks = report.checks.iter().filter(|check| !check.id.as_str().starts_with("evidence."));
    let checks = checks.filter(|check| outcome(check) != "passed");
    let found = |c: &Check| (c.id.as_str().to_owned(), outcome(c), c.code.to_owned());
    Finding {
        verdict: Ok(report.verdict().as_str().to_owned()),
        checks: checks.map(found).collect(),
    }
}

/// What the evidence gives, written down and read again.
fn replayed(record: &InspectionRecord, trust: &TrustStore) -> Finding {
    let line = record.encode().unwrap();
    let file = EvidenceFile::decode(&line).unwrap();
    let options = ReplayOptions { now: None, policy: None, known_signers: &[], passive: false };
    let signers = SignerCache::new(trust);
    let report = replay(&file, &options, &signers).report;
    // Of an archive: the short way, for Passive Authentication alone, finds the same.
    let alone = PassiveEvidence::decode(&line).unwrap().replay(&options, &signers).report;
    for check in alone.checks.iter().filter(|check| check.code != "not_asked") {
        assert!(report.checks.contains(check), "{check:?}");
    }
    let skipped = |check: &&Check| check.code == "not_asked";
    assert!(alone.checks.iter().filter(skipped).all(|check| !check.id.as_str().starts_with("pa.")));
    result(&report)
}

/// What differs from the entry; nothing where all is as it must be.
pub fn differences(entry: &Entry, found: &Finding) -> Option<String> {
    let verdict = match entry.expected {
        Expected::Aborted { error, .. } => Err(error.to_owned()),
        expected => Ok(expected.verdict().unwrap().to_owned()),
    };
    let noted: BTreeSet<Found> = entry
        .noted
        .iter()
        .map(|n| (n.check.to_owned(), n.outcome.as_str(), n.code.to_owned()))
        .collect();
    // All that fails must be foreseen; of the rest only what the entry speaks of.
    let failed = |checks: &BTreeSet<Found>| {
        let failed = checks.iter().filter(|(_, outcome, _)| *outcome == Outcome::Failed.as_str());
        failed.cloned().collect::<BTreeSet<_>>()
    };
    let right = found.verdict == verdict
        && failed(&found.checks) == failed(&noted)
        && noted.is_subset(&found.checks);
    (!right).then(|| {
        let mut text = format!("{}: {:?} instead of {verdict:?}\n", entry.name, found.verdict);
        for (id, outcome, code) in &found.checks {
            let _ = writeln!(text, "    {id} {outcome} {code}");
        }
        text
    })
}
