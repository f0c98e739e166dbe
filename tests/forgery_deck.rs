//! The whole forgery deck in-process: every card gets exactly the verdict and the failing checks that
//! its entry says, and nothing else fails; every good card is genuine; and the evidence that is kept
//! of each gives the same again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use cancuoc::deck::{Deck, Entry, Expected, Given, Outcome, POLICIES};
use cancuoc::document::{AccessKeys, Can, CardProfile, Mrz, QrText};
use cancuoc::error::ErrorCode;
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::pace::PaceFilter;
use cancuoc::terminal::{AccessPlan, AccessPolicy, ReadOptions, read_chip};
use cancuoc::transport::time_limit::{TimeLimited, TimeLimits};
use cancuoc::trust::TrustStore;
use cancuoc::verify::evidence::signature::EvidenceFile;
use cancuoc::verify::evidence::{InspectionRecord, PassiveEvidence, ReplayOptions, replay};
use cancuoc::verify::{
    self, Check, ChipEvidence, DocumentFiles, Inspection, Policy, Report, SignerCache, inspect,
};

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// A check that does not simply pass: identifier, outcome, code.
type Found = (String, &'static str, String);

/// What was found: the verdict or the code of an error, and the checks that do not simply pass.
#[derive(Debug, PartialEq)]
struct Result {
    verdict: std::result::Result<String, String>,
    checks: BTreeSet<Found>,
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

/// Reads and inspects an entry's card.
fn verify(deck: &Deck, entry: &Entry, trust: &TrustStore) -> Result {
    let policy = policy(entry.policy);
    let (plan, expected) = access(entry, &policy);
    let card = SoftCard::power_up(Box::new(deck.card(entry).unwrap()), Box::new(random()));
    let waits = matches!(entry.expected, Expected::Aborted { error: "card_timeout", .. });
    let answer = Duration::from_secs(if waits { 1 } else { 600 });
    let limits = TimeLimits { answer, total: Duration::from_secs(600) };
    let card = TimeLimited::new(Box::new(card), limits);
    let options = ReadOptions { probe_unlisted: true, ..ReadOptions::default() };
    let reading = match read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}) {
        Ok(reading) => reading,
        Err(error) => {
            return Result { verdict: Err(error.code().to_owned()), checks: BTreeSet::new() };
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

fn result(report: &Report) -> Result {
    let outcome = |check: &Check| {
        if check.is_warning() { "warning" } else { check.status_name() }
    };
    // Those about an evidence file itself are not about the card.
    let checks = report.checks.iter().filter(|check| !check.id.as_str().starts_with("evidence."));
    let checks = checks.filter(|check| outcome(check) != "passed");
    let found = |c: &Check| (c.id.as_str().to_owned(), outcome(c), c.code.to_owned());
    Result {
        verdict: Ok(report.verdict().as_str().to_owned()),
        checks: checks.map(found).collect(),
    }
}

/// What the evidence gives, written down and read again.
fn replayed(record: &InspectionRecord, trust: &TrustStore) -> Result {
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
fn differences(entry: &Entry, found: &Result) -> Option<String> {
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

/// The trust folders by their names.
fn trust_stores(deck: &Deck, folder: &Path) -> BTreeMap<&'static str, TrustStore> {
    let mut stores = BTreeMap::new();
    for entry in Deck::entries() {
        stores.entry(entry.trust.name).or_insert_with(|| {
            let folder = folder.join(entry.trust.name);
            std::fs::create_dir(&folder).unwrap();
            for (name, content) in deck.trust(&entry.trust).unwrap() {
                std::fs::write(folder.join(name), content).unwrap();
            }
            TrustStore::load(&folder).unwrap()
        });
    }
    stores
}

#[test]
fn every_card_of_the_deck_gets_exactly_what_its_entry_says() {
    let folder = tempfile::tempdir().unwrap();
    let deck = Deck::new().unwrap();
    let trust = trust_stores(&deck, folder.path());
    let only = std::env::var("ONLY").unwrap_or_default();
    let (mut wrong, mut bad, mut refused, mut good, mut passed) = (String::new(), 0, 0, 0, 0);
    for entry in Deck::entries().into_iter().filter(|entry| entry.name.starts_with(&only)) {
        let found = verify(&deck, entry, &trust[entry.trust.name]);
        let difference = differences(entry, &found);
        if entry.is_good() {
            good += 1;
            passed += u32::from(found.verdict.as_deref() == Ok("genuine"));
        } else {
            bad += 1;
            refused += u32::from(difference.is_none());
        }
        wrong.extend(difference);
    }
    println!("{refused} of {bad} defects found as foreseen; {passed} of {good} good cards genuine");
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!((refused, passed), (bad, good));
}
