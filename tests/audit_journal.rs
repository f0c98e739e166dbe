//! The audit chain in the journal: what is done is sealed with it, what cannot be sealed is not done, and
//! the built binary reads and verifies it there.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::path::Path;

use cancuoc::error::ErrorCode;
use cancuoc::lds::{ParameterForm, PublicKey, SignatureAlgorithm};
use cancuoc::pki::{KeyKind, Signer, SignerError, SoftwareKey, to_pem};
use cancuoc::production::audit::{Entry, StationAudit};
use cancuoc::production::journal::{Act, Journal, Location, NewRun, RunName, StationId};
use cancuoc::production::state::Environment;
use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;
use jiff::Timestamp;
use serde_json::Value;

fn chain() -> StationId {
    StationId::new("hall-1/0").unwrap()
}

fn key() -> SoftwareKey {
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random).unwrap()
}

fn open(folder: &Path, audit: StationAudit) -> Journal {
    let location = Location::Sqlite(folder.join("journal.db"));
    Journal::open(&location, Environment::Production, Some(Box::new(audit))).unwrap()
}

fn run_of(number: i64) -> NewRun {
    let name = RunName::new(format!("R-{number}")).unwrap();
    NewRun { name, profile: "cancuoc-2024".to_owned(), handed_out: None }
}

fn at(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + number).unwrap()
}

fn open_runs(journal: &mut Journal) {
    for number in 0..4 {
        journal.open_run(Act::new(&chain(), at(number)), &run_of(number)).unwrap();
    }
}

const SITE: &str = r#"
schema = "cancuoc.site/1"
environment = "production"
profile = "cancuoc-2024"
issuer = "issuer"
[station]
name = "hall-1"
[journal]
url = "sqlite:journal.db"
"#;

/// A site whose station opened four runs, with the station's public key.
fn site() -> tempfile::TempDir {
    let (folder, key) = (tempfile::tempdir().unwrap(), key());
    let spki = key.public_key().to_spki_der(ParameterForm::Named);
    std::fs::write(folder.path().join("station.pub"), to_pem("PUBLIC KEY", &spki)).unwrap();
    std::fs::write(folder.path().join("site.toml"), SITE).unwrap();
    let audit = StationAudit::new(chain(), Box::new(key)).unwrap().by("an");
    open_runs(&mut open(folder.path(), audit));
    folder
}

fn cancuoc(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output =
        support::cancuoc().current_dir(folder).arg("--json").args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn verify(folder: &Path) -> (Option<i32>, Value) {
    let verify = ["audit", "verify", "--site", "site.toml", "--station-key", "station.pub"];
    cancuoc(folder, &[&verify[..], &["--no-anchor"]].concat())
}

fn tamper(folder: &Path, sql: &str) {
    rusqlite::Connection::open(folder.join("journal.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn what_a_journal_did_is_a_whole_chain() {
    let folder = site();
    let (exit, answer) = verify(folder.path());
    assert_eq!((exit, &answer["verdict"]), (Some(0), &"intact".into()), "{answer}");
    assert_eq!(answer["stations"][0]["last"], 4);
}

#[test]
fn an_entry_tells_who_did_what_where() {
    let folder = site();
    let show = ["audit", "show", "--site", "site.toml", "--run", "R-2"];
    let (exit, answer) = cancuoc(folder.path(), &show);
    assert_eq!(exit, Some(0), "{answer}");
    let act = &answer["acts"][0];
    assert_eq!((&act["actor"], &act["act"]), (&"an".into(), &"run_opened".into()));
    assert_eq!(act["facts"]["station"], "hall-1/0");
    assert_eq!(act["facts"]["profile"], "cancuoc-2024");
    assert_eq!(answer["acts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_journal_that_was_changed_is_found() {
    let changes = [
        ("audit_truncated", "DELETE FROM audit WHERE sequence = 4"),
        ("audit_gap", "DELETE FROM audit WHERE sequence = 2"),
        ("audit_row", "UPDATE audit SET previous = zeroblob(32) WHERE sequence = 3"),
        (
            "audit_hash",
            "UPDATE audit SET entry = CAST(REPLACE(entry, 'R-1', 'R-7') AS BLOB) WHERE sequence = 2",
        ),
    ];
    for (code, sql) in changes {
        let folder = site();
        tamper(folder.path(), sql);
        let (exit, answer) = verify(folder.path());
        let findings = answer["findings"].as_array().unwrap();
        assert_eq!(exit, Some(1), "{code}: {answer}");
        assert!(findings.iter().any(|finding| finding["code"] == code), "{code}: {answer}");
    }
}

#[test]
fn an_exported_record_verifies_without_the_database() {
    let folder = site();
    let export = ["audit", "export", "--site", "site.toml", "--out", "audit.jsonl"];
    let (exit, answer) = cancuoc(folder.path(), &export);
    assert_eq!((exit, &answer["entries"]), (Some(0), &4.into()), "{answer}");
    std::fs::remove_file(folder.path().join("journal.db")).unwrap();
    let verify = ["audit", "verify", "audit.jsonl", "--station-key", "station.pub", "--no-anchor"];
    assert_eq!(cancuoc(folder.path(), &verify).0, Some(0));
    assert_eq!(cancuoc(folder.path(), &export).0, Some(7), "an export is not replaced");
}

/// A key store that is gone.
struct Gone(SoftwareKey);

impl Signer for Gone {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8], _: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        Err(SignerError::Unavailable("no token".to_owned()))
    }
}

#[test]
fn what_cannot_be_sealed_is_not_done() {
    let folder = tempfile::tempdir().unwrap();
    let gone = StationAudit::new(chain(), Box::new(Gone(key()))).unwrap();
    let mut journal = open(folder.path(), gone);
    let refused = journal.open_run(Act::new(&chain(), at(0)), &run_of(0)).unwrap_err();
    assert_eq!(refused.code(), "audit_unavailable");
    assert_eq!(journal.audit_entries(&chain(), 0, 9).unwrap(), []);
    let mut journal = open(folder.path(), StationAudit::new(chain(), Box::new(key())).unwrap());
    open_runs(&mut journal);
    let entries = journal.audit_entries(&chain(), 0, 9).unwrap();
    let first = Entry::decode(&entries[0].sealed.entry).unwrap();
    assert_eq!((entries.len(), first.acts[0].run.as_deref()), (4, Some("R-0")));
}
