//! `audit` by the built binary: what a whole record looks like, what a changed one, and who may approve.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cancuoc::lds::ParameterForm;
use cancuoc::pki::{KeyKind, Signer, SoftwareKey, to_pem};
use cancuoc::production::audit::{Act, SealedEntry, Sealer};
use cancuoc_primitives::curve::Curve;
use jiff::Timestamp;
use serde_json::Value;

/// Runs the program in a folder; exit code and JSON.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = support::cancuoc();
    command.current_dir(folder).env("PW", "secret").arg("--json").args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}")))
}

fn code(answer: &(Option<i32>, Value)) -> (Option<i32>, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// A folder with a record of five entries of station `hall-1/0`, and the station's public key.
fn record() -> (tempfile::TempDir, Vec<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let spki = key.public_key().to_spki_der(ParameterForm::Named);
    std::fs::write(folder.path().join("station.pub"), to_pem("PUBLIC KEY", &spki)).unwrap();
    let sealer = Sealer::new("hall-1/0", Box::new(key)).unwrap();
    let mut entries: Vec<SealedEntry> = Vec::new();
    for number in 0..5 {
        let time = Timestamp::from_second(1_800_000_000 + number).unwrap();
        let act = Act::new(time, "hall-1/0", "card_advanced").in_run("R1");
        let act = act.of_record(format!("REC-{number}")).with("to", "written");
        let head = entries.last().map(SealedEntry::head);
        entries.push(sealer.seal(head.as_ref(), vec![act], time, &mut random()).unwrap());
    }
    let lines: Vec<Vec<u8>> = entries.iter().map(SealedEntry::line).collect();
    write(folder.path(), &lines);
    (folder, lines)
}

fn write(folder: &Path, lines: &[Vec<u8>]) {
    let file: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
    std::fs::write(folder.join("audit.jsonl"), file).unwrap();
}

const VERIFY: [&str; 5] = ["audit", "verify", "audit.jsonl", "--station-key", "station.pub"];

fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    run(folder, &[&VERIFY, more].concat())
}

fn anchor(folder: &Path) {
    let anchor = ["audit", "anchor", "audit.jsonl", "--station-key", "station.pub"];
    let (exit, answer) = run(folder, &[&anchor[..], &["--out", "anchors.json"]].concat());
    assert_eq!(exit, Some(0), "{answer}");
    assert_eq!(answer["heads"][0]["sequence"], 5);
}

#[test]
fn a_whole_record_is_whole_against_its_anchor() {
    let (folder, _) = record();
    anchor(folder.path());
    let (exit, answer) = verify(folder.path(), &["--anchor", "anchors.json"]);
    assert_eq!((exit, &answer["verdict"]), (Some(0), &"intact".into()), "{answer}");
    assert_eq!(answer["stations"][0]["station"], "hall-1/0");
    assert_eq!(answer["stations"][0]["last"], 5);
}

#[test]
fn without_an_anchor_or_a_key_it_is_inconclusive() {
    let (folder, _) = record();
    assert_eq!(verify(folder.path(), &[]).0, Some(3));
    assert_eq!(verify(folder.path(), &["--no-anchor"]).0, Some(0));
    assert_eq!(run(folder.path(), &["audit", "verify", "audit.jsonl", "--no-anchor"]).0, Some(3));
}

#[test]
fn what_was_done_to_the_record_is_named() {
    let (folder, lines) = record();
    anchor(folder.path());
    let changed = String::from_utf8(lines[2].clone()).unwrap().replace("written", "wrItten");
    let cases: [(&str, Vec<Vec<u8>>); 4] = [
        ("audit_truncated", lines[..4].to_vec()),
        ("audit_gap", [&lines[..1], &lines[2..]].concat()),
        ("audit_hash", [&lines[..2], &[changed.into_bytes()], &lines[3..]].concat()),
        ("audit_order", [&lines[..], &lines[1..2]].concat()),
    ];
    for (code, lines) in cases {
        write(folder.path(), &lines);
        let (exit, answer) = verify(folder.path(), &["--anchor", "anchors.json"]);
        let codes: Vec<_> =
            answer["findings"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
        assert_eq!(exit, Some(1), "{code}: {answer}");
        assert!(codes.contains(&&code.into()), "{code}: {answer}");
    }
}

#[test]
fn a_record_that_is_not_whole_is_not_anchored() {
    let (folder, lines) = record();
    write(folder.path(), &lines[1..]);
    let anchor = ["audit", "anchor", "audit.jsonl", "--station-key", "station.pub", "--out", "a"];
    assert_eq!(code(&run(folder.path(), &anchor)), (Some(1), "audit_not_anchored"));
    assert!(!folder.path().join("a").exists());
}

#[test]
fn shows_the_acts_that_fit() {
    let (folder, _) = record();
    let show = |more: &[&str]| {
        let (exit, answer) =
            run(folder.path(), &[&["audit", "show", "audit.jsonl"], more].concat());
        assert_eq!(exit, Some(0), "{answer}");
        let records = answer["acts"].as_array().unwrap().iter().map(|act| act["record"].clone());
        (records.collect::<Vec<_>>(), answer["left_out"].clone())
    };
    assert_eq!(show(&["--last", "2"]), (vec!["REC-3".into(), "REC-4".into()], 3.into()));
    assert_eq!(show(&["--subject", "REC-1", "--act", "card_*"]), (vec!["REC-1".into()], 0.into()));
    assert_eq!(show(&["--until", "2027-01-15T08:00:00Z"]).0, [Value::from("REC-0")]);
    assert_eq!(show(&["--actor", "nobody"]).0, [] as [Value; 0]);
}

/// A folder with the keys of these people, and a list that has them in these roles.
fn people(all: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in all {
        make_key(folder.path(), name);
    }
    let persons: Vec<String> = all.iter().map(|(n, role)| format!("{n}:{role}:{n}.pub")).collect();
    let mut arguments = vec!["audit", "people", "begin", "--people", "people.jsonl"];
    persons.iter().for_each(|person| arguments.extend(["--person", person]));
    let (exit, answer) = run(folder.path(), &arguments);
    assert_eq!(exit, Some(0), "{answer}");
    folder
}

fn make_key(folder: &Path, name: &str) {
    let made = run(folder, &["audit", "key", "--out", name, "--password", "env:PW"]);
    assert_eq!(made.0, Some(0), "{}", made.1);
}

fn site() -> tempfile::TempDir {
    people(&[("chi", "supervisor"), ("dung", "supervisor"), ("an", "operator")])
}

fn approve(folder: &Path, file: &str, name: &str, more: &[&str]) -> (Option<i32>, Value) {
    let key = format!("{name}.key");
    let fixed = ["audit", "approve", file, "--people", "people.jsonl", "--person", name];
    run(folder, &[&fixed, &["--key", &key, "--password", "env:PW"][..], more].concat())
}

const RELEASE: [&str; 6] = ["--act", "release", "--subject", "REC-1", "--run", "R1"];

#[test]
fn keys_of_people_are_readable_by_their_owner_alone() {
    let folder = site();
    let mode = std::fs::metadata(folder.path().join("an.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read_to_string(folder.path().join("an.key")).unwrap();
    assert!(key.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
}

#[test]
fn two_people_complete_an_approval() {
    let folder = site();
    let (exit, answer) = approve(folder.path(), "release.json", "chi", &RELEASE);
    assert_eq!((exit, &answer["complete"]), (Some(0), &false.into()), "{answer}");
    let again = approve(folder.path(), "release.json", "chi", &[]);
    assert_eq!(code(&again), (Some(7), "approval_twice"));
    let (exit, answer) = approve(folder.path(), "release.json", "an", &[]);
    assert_eq!((exit, &answer["complete"]), (Some(0), &true.into()), "{answer}");
}

#[test]
fn nobody_approves_without_the_role_or_the_key() {
    let folder = site();
    let import = ["--act", "import_keys", "--subject", "KEK-1"];
    assert_eq!(
        code(&approve(folder.path(), "a.json", "chi", &import)),
        (Some(7), "approval_missing")
    );
    std::fs::copy(folder.path().join("an.key"), folder.path().join("dung.key")).unwrap();
    assert_eq!(
        code(&approve(folder.path(), "b.json", "dung", &RELEASE)),
        (Some(6), "person_other_key")
    );
    assert!(!folder.path().join("b.json").exists());
}

#[test]
fn two_supervisors_change_the_list_of_people() {
    let folder = site();
    make_key(folder.path(), "lan");
    let list = ["--people", "people.jsonl"];
    let add = ["audit", "people", "add", "--person", "lan:auditor:lan.pub", "--out", "change.json"];
    assert_eq!(run(folder.path(), &[&add, &list[..]].concat()).0, Some(0));
    let apply = [&["audit", "people", "apply", "change.json"], &list[..]].concat();
    assert_eq!(code(&run(folder.path(), &apply)), (Some(7), "approval_missing"));
    assert_eq!(approve(folder.path(), "change.json", "chi", &[]).0, Some(0));
    assert_eq!(
        code(&approve(folder.path(), "change.json", "an", &[])),
        (Some(7), "approval_missing")
    );
    assert_eq!(approve(folder.path(), "change.json", "dung", &[]).0, Some(0));
    let (exit, answer) = run(folder.path(), &apply);
    assert_eq!((exit, &answer["version"]), (Some(0), &2.into()), "{answer}");
    let (exit, answer) = run(folder.path(), &[&["audit", "people", "list"], &list[..]].concat());
    assert_eq!((exit, answer["people"].as_array().unwrap().len()), (Some(0), 4));
}

#[test]
fn the_last_two_supervisors_stay() {
    let folder = site();
    let remove = ["audit", "people", "remove", "--people", "people.jsonl", "--person", "chi"];
    let refused = run(folder.path(), &[&remove[..], &["--out", "change.json"]].concat());
    assert_eq!(code(&refused), (Some(7), "people_separation"));
}
