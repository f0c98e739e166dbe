//! `gp` by the built binary, on a software card in a file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;

use cancuoc::softcard::{BlankOptions, CardLifeCycle, SoftCard};
use serde_json::Value;

const WRONG: &str = "00112233445566778899AABBCCDDEEFF";
const NEW: &str = "0102030405060708090A0B0C0D0E0F10";

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        SoftCard::create(&folder.path().join("card"), &BlankOptions::test([0, 0, 0, 7])).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Exit code and JSON of `gp` with these arguments.
    fn gp(&self, arguments: &[&str]) -> (i32, Value) {
        let reader = format!("card:{}", self.path("card").display());
        let output = support::cancuoc()
            .args(["--json", "--reader", &reader, "gp"])
            .args(arguments)
            .output()
            .unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code().unwrap(), json)
    }
}

fn code(answer: &(i32, Value)) -> (i32, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

#[test]
fn lists_the_registry_of_the_card() {
    let bench = Bench::new();
    let (code, list) = bench.gp(&["list"]);
    assert_eq!(code, 0, "{list}");
    assert_eq!(list["issuer_domain"][0]["aid"], "A000000151000000");
    assert_eq!(list["applications"][0]["aid"], "A0000002471001");
}

#[test]
fn names_the_keys_of_a_card_without_trying_them() {
    let bench = Bench::new();
    let other = format!("other={WRONG}");
    let (code, found) = bench.gp(&["diagnose", "--suspect", &other]);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found["matches"][0]["keys"], "test");
    assert_eq!(found["matches"][0]["derivation"], Value::Null);
    // The card announces a pseudo-random challenge and keeps to it.
    assert_eq!(found["matches"][0]["challenge_is_derived"], true);
    assert_eq!(found["matches"].as_array().unwrap().len(), 1);
}

#[test]
fn judges_an_answer_that_was_recorded() {
    let bench = Bench::new();
    let answer = "000074746E6E6E6262620102069FAA2A0591E73367DD78794D04315E";
    let recorded = ["diagnose", "--challenge", "D5AD539A60CA5E72", "--answer", answer];
    let (code, found) = bench.gp(&recorded);
    assert_eq!((code, &found["protocol"]), (0, &Value::from("SCP02")), "{found}");
    assert_eq!(found["matches"][0]["keys"], "test");
    let other = ["diagnose", "--challenge", "0000000000000000", "--answer", answer];
    let (code, found) = bench.gp(&other);
    assert_eq!((code, found["matches"].as_array().map(Vec::len)), (5, Some(0)), "{found}");
}

#[test]
fn changes_keys_once_and_leaves_a_card_that_has_them_as_it_is() {
    let bench = Bench::new();
    let keys = ["keys", "--card-keys", "test", "--new-keys", NEW, "--new-version", "31"];
    assert_eq!(code(&bench.gp(&keys)), (7, "gp_not_confirmed"));
    let keys = [&keys[..], &["--yes"]].concat();
    let (code, changed) = bench.gp(&keys);
    assert_eq!((code, &changed["changed"]), (0, &Value::Bool(true)), "{changed}");
    assert!(!changed.to_string().contains(NEW));
    let (code, again) = bench.gp(&keys);
    assert_eq!((code, &again["changed"]), (0, &Value::Bool(false)), "{again}");
    let (code, _) = bench.gp(&["list", "--card-keys", NEW]);
    assert_eq!(code, 0);
    let (code, found) = bench.gp(&["diagnose", "--suspect", &format!("mine={NEW}")]);
    assert_eq!((code, &found["matches"][0]["keys"]), (0, &Value::from("mine")));
}

#[test]
fn derives_the_new_keys_and_finds_the_derivation_again() {
    let bench = Bench::new();
    let keys = ["keys", "--card-keys", "test", "--new-keys", NEW, "--new-version", "31"];
    let (code, changed) = bench.gp(&[&keys[..], &["--new-derivation", "kdf3", "--yes"]].concat());
    assert_eq!(code, 0, "{changed}");
    let (code, found) = bench.gp(&["diagnose", "--suspect", &format!("master={NEW}")]);
    assert_eq!(code, 0);
    assert_eq!(found["matches"][0]["derivation"], "kdf3");
    let (code, _) = bench.gp(&["list", "--card-keys", NEW, "--key-derivation", "kdf3"]);
    assert_eq!(code, 0);
}

#[test]
fn leaves_a_chip_alone_after_one_failure_until_told() {
    let bench = Bench::new();
    let attempts = bench.path("attempts.json").display().to_string();
    let list = |keys: &str, more: &[&str]| {
        let arguments = ["list", "--attempts", &attempts, "--card-keys", keys];
        bench.gp(&[&arguments[..], more].concat())
    };
    assert_eq!(code(&list(WRONG, &[])), (5, "scp_card_cryptogram"));
    assert_eq!(code(&list("test", &[])), (7, "attempts_failed_before"));
    assert_eq!(list("test", &["--again"]).0, 0);
    // The success cleared the count.
    assert_eq!(list("test", &[]).0, 0);
    assert!(!std::fs::read_to_string(&attempts).unwrap().contains(WRONG));
}

#[test]
fn goes_through_the_life_cycle_and_asks_before_what_has_no_way_back() {
    let bench = Bench::new();
    let to =
        |state: &str, more: &[&str]| bench.gp(&[&["lifecycle", "--to", state][..], more].concat());
    assert_eq!(code(&to("secured", &[])), (7, "gp_not_confirmed"));
    assert_eq!(code(&to("card-locked", &["--yes"])), (7, "gp_life_cycle"));
    let (code, changed) = to("secured", &["--yes"]);
    assert_eq!((code, &changed["from"]), (0, &Value::from("OP_READY")), "{changed}");
    let summary = SoftCard::open(&bench.path("card")).unwrap().summary();
    assert_eq!(summary.card, CardLifeCycle::Secured);
    assert_eq!(self::code(&to("initialized", &["--yes"])), (7, "gp_life_cycle"));
}

#[test]
fn refuses_to_delete_without_being_sure_and_a_file_that_is_no_cap_file() {
    let bench = Bench::new();
    assert_eq!(code(&bench.gp(&["delete", "A0000002471001"])), (7, "gp_not_confirmed"));
    std::fs::write(bench.path("x.cap"), b"no archive").unwrap();
    let path = bench.path("x.cap").display().to_string();
    assert_eq!(code(&bench.gp(&["install", &path])), (6, "cap_archive"));
}
