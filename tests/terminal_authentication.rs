//! Terminal Authentication by the built binary: the certificates that `pki` makes, shown by `read`
//! and `verify` to a card with fingerprints and irises; in-process and over pcscd.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use serde_json::Value;

use support::{Emulation, PcscStack, cancuoc};

const FINGERPRINTS: &[u8] = include_bytes!("../testvectors/bsi-tr03105-5/Datagroup3.bin");
const IRISES: &[u8] = include_bytes!("../testvectors/bsi-tr03105-5/Datagroup4.bin");

/// Runs the binary in a folder; the password of all keys is in the environment.
fn run(folder: &Path, arguments: &str) -> Output {
    let arguments = arguments.split_whitespace();
    cancuoc().current_dir(folder).env("PW", "specimen").args(arguments).output().unwrap()
}

fn good(folder: &Path, arguments: &str) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

fn pki(folder: &Path, arguments: &str) -> String {
    good(folder, &format!("pki {arguments} --password env:PW"))
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// CVCA, verifier and terminals since New Year's Day of 2026, and a card that trusts the CVCA, made
/// once for all tests.
fn authorities() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        pki(path, "cvca new --out cvca --holder VNCVCA --valid-from 2026-01-01 --days 3650");
        pki(path, "dv request --out dv --holder VNDV --cvca cvca/VNCVCA00001.cvcert");
        let since = "--valid-from 2026-01-01 --days 3600";
        pki(path, &format!("cvca sign dv/VNDV00001.csr --issuer cvca {since}"));
        pki(path, "is new --issuer dv --out is --holder VNGATE");
        pki(path, "is new --issuer dv --out is --holder VNFINGER --rights dg3");
        pki(path, "is new --issuer dv --out is --holder VNIRIS --rights dg4");
        pki(path, "is new --issuer dv --out is --holder VNOLD --valid-from 2026-02-01 --days 20");
        let card = "card new eac.card --profile eac-full --cvca cvca/VNCVCA00001.cvcert";
        good(path, card);
        folder
    });
    made.path()
}

/// A folder with a copy of the card, so that its date and trust points are nobody else's.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let copy = |name: &str| {
            std::fs::copy(authorities().join(name), folder.path().join("eac.card")).unwrap()
        };
        copy("eac.card");
        std::fs::write(folder.path().join("can"), "000018").unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `read` or `verify` with a terminal of the authorities.
    fn show(&self, command: &str, terminal: &str) -> Output {
        let is = authorities().join("is").join(terminal);
        self.show_files(command, &is.with_extension("chain"), &is.with_extension("key"))
    }

    fn show_files(&self, command: &str, chain: &Path, key: &Path) -> Output {
        let reader = "--json --reader card:eac.card";
        self.show_on(reader, command, chain, key)
    }

    fn show_on(&self, reader: &str, command: &str, chain: &Path, key: &Path) -> Output {
        let trust = authorities().join("eac.issuer/trust");
        let what = match command {
            "read" => "read --out out".to_owned(),
            other => format!("{other} --trust {}", trust.display()),
        };
        let (chain, key) = (chain.display(), key.display());
        let terminal = format!("--terminal-chain {chain} --terminal-key {key}");
        let secrets = "--can file:can --terminal-password env:PW";
        run(self.path(), &format!("{reader} {what} {secrets} {terminal}"))
    }

    fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path().join("out").join(name)).ok()
    }

    /// What the card trusts and which date it has.
    fn trust(&self) -> (Value, Value) {
        let output = run(self.path(), "--json card show eac.card");
        let shown = json(&output);
        (shown["trust_points"].clone(), shown["card_date"].clone())
    }
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn check(document: &Value, id: &str) -> Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["id"] == id).unwrap().clone()
}

#[test]
fn a_terminal_with_both_rights_reads_fingerprints_and_irises() {
    let bench = Bench::new();
    let output = bench.show("read", "VNGATE00001");
    assert_eq!(code(&output), Some(0));
    let terminal = json(&output)["terminal_authentication"].clone();
    assert_eq!(terminal["status"], "passed");
    assert_eq!(terminal["trust_point"], "VNCVCA00001");
    assert_eq!(terminal["chain"], serde_json::json!(["VNDV00001", "VNGATE00001"]));
    assert_eq!(bench.file("EF.DG3.bin").as_deref(), Some(FINGERPRINTS));
    assert_eq!(bench.file("EF.DG4.bin").as_deref(), Some(IRISES));
}

#[test]
fn a_terminal_with_one_right_reads_one_of_them() {
    for (terminal, fingerprints, irises) in [("VNFINGER", true, false), ("VNIRIS", false, true)] {
        let bench = Bench::new();
        let output = bench.show("read", &format!("{terminal}00001"));
        assert_eq!(code(&output), Some(0));
        let document = json(&output);
        let rights = serde_json::json!({ "dg3": fingerprints, "dg4": irises });
        assert_eq!(document["terminal_authentication"]["rights"], rights);
        assert_eq!(bench.file("EF.DG3.bin").is_some(), fingerprints);
        assert_eq!(bench.file("EF.DG4.bin").is_some(), irises);
        let denied = document["files"].as_array().unwrap().iter().find(|f| f["status"] == "denied");
        assert_eq!(denied.unwrap()["sw"], "6982");
    }
}

#[test]
fn without_certificates_neither_is_read() {
    let bench = Bench::new();
    let output = run(bench.path(), "--json --reader card:eac.card read --can file:can --out out");
    assert_eq!((code(&output), &json(&output)["terminal_authentication"]), (Some(0), &Value::Null));
    assert_eq!((bench.file("EF.DG3.bin"), bench.file("EF.DG4.bin")), (None, None));
}

#[test]
fn an_expired_certificate_ends_in_exit_5_with_the_rest_saved() {
    let bench = Bench::new();
    let output = bench.show("read", "VNOLD00001");
    assert_eq!(code(&output), Some(5));
    let error = json(&output)["error"].clone();
    assert_eq!(error["code"], "cvc_expired");
    let message = "A CV certificate has expired. \
                   (CV certificate of VNOLD00001 expired on 2026-02-20)";
    assert_eq!(error["message"], message);
    assert_eq!(error["hint"], "Ask the document verifier for a new certificate.");
    assert!(bench.file("EF.DG1.bin").is_some());
    assert_eq!((bench.file("EF.DG3.bin"), bench.file("EF.DG4.bin")), (None, None));
}

#[test]
fn a_certificate_of_a_day_to_come_is_not_shown_and_the_cards_date_stays() {
    let bench = Bench::new();
    let dv = authorities().join("dv");
    let later = format!("is new --issuer {} --out is --holder VNLATER", dv.display());
    let first = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    let first = first.strftime("%Y-%m-%d");
    pki(bench.path(), &format!("{later} --valid-from {first} --days 20"));
    let before = bench.trust();
    let is = bench.path().join("is/VNLATER00001");
    let output = bench.show_files("read", &is.with_extension("chain"), &is.with_extension("key"));
    assert_eq!(code(&output), Some(6));
    assert_eq!(json(&output)["error"]["code"], "cvc_not_yet_valid");
    assert_eq!(bench.trust(), before);
}

#[test]
fn certificates_and_keys_that_do_not_fit_are_told_apart() {
    let bench = Bench::new();
    let is = |name: &str| authorities().join("is").join(name);
    let dv = authorities().join("dv/VNDV00001.cvcert");
    for (chain, key, exit, expected) in [
        (is("VNGATE00001.chain"), is("VNFINGER00001.key"), 6, "terminal_key_mismatch"),
        (is("VNGATE00001.cvcert"), is("VNGATE00001.key"), 6, "cvc_no_path"),
        (dv, is("VNGATE00001.key"), 6, "cvc_no_terminal"),
        (is("VNGATE00001.key"), is("VNGATE00001.key"), 6, "cvc_malformed"),
        (is("VNGATE00001.chain"), is("VNGATE00001.chain"), 6, "key_malformed"),
        (is("missing.chain"), is("VNGATE00001.key"), 6, "file_access"),
    ] {
        let output = bench.show_files("read", &chain, &key);
        let found = json(&output)["error"]["code"].clone();
        assert_eq!((code(&output), &found), (Some(exit), &expected.into()), "{expected}");
    }
}

#[test]
fn certificates_of_a_false_authority_of_the_same_name_end_in_exit_5() {
    let bench = Bench::new();
    let path = bench.path();
    pki(path, "cvca new --out f --holder VNCVCA");
    pki(path, "dv request --out f --holder VNDV --cvca f/VNCVCA00001.cvcert");
    pki(path, "cvca sign f/VNDV00001.csr --issuer f");
    pki(path, "is new --issuer f --out f --holder VNGATE");
    let is = path.join("f/VNGATE00001");
    let output = bench.show_files("read", &is.with_extension("chain"), &is.with_extension("key"));
    let error = json(&output)["error"].clone();
    assert_eq!((code(&output), &error["code"]), (Some(5), &"terminal_certificate_refused".into()));
    assert_eq!(error["detail"], "the card answered 6300 to the certificate of VNDV00001");
}

#[test]
fn verify_says_what_came_of_it_and_a_refusal_is_no_forgery() {
    let bench = Bench::new();
    let output = bench.show("verify", "VNFINGER00001");
    let document = json(&output);
    assert_eq!((code(&output), &document["verdict"]), (Some(0), &"genuine".into()));
    let passed = check(&document, "terminal.ta");
    assert_eq!((&passed["status"], &passed["code"]), (&"passed".into(), &"ok".into()));
    let rights = (&passed["detail"]["dg3"], &passed["detail"]["dg4"]);
    assert_eq!(rights, (&true.into(), &false.into()));
    let output = bench.show("verify", "VNOLD00001");
    let document = json(&output);
    assert_eq!((code(&output), &document["verdict"]), (Some(0), &"genuine".into()));
    let skipped = check(&document, "terminal.ta");
    let status = (&skipped["status"], &skipped["code"], &skipped["detail"]["error_code"]);
    let expected = ["skipped", "terminal_not_accepted", "cvc_expired"].map(Value::from);
    assert_eq!(status, (&expected[0], &expected[1], &expected[2]));
    let why = "CV certificate of VNOLD00001 expired on 2026-02-20";
    assert_eq!(skipped["detail"]["error"], why);
}

#[test]
fn a_policy_may_require_that_the_card_lets_the_terminal_in() {
    let bench = Bench::new();
    let policy = "schema = \"cancuoc.policy/1\"\nname = \"gate\"\ntitle_en = \"Gate\"\n\
                  title_vi = \"Cửa\"\n[terminal_authentication]\nrequired = true\n";
    std::fs::write(bench.path().join("gate.toml"), policy).unwrap();
    let verify = "verify --policy gate.toml";
    let verdict = |output: &Output| (code(output), json(output)["verdict"].clone());
    let passed = bench.show(verify, "VNGATE00001");
    assert_eq!(verdict(&passed), (Some(0), "genuine".into()));
    assert_eq!(json(&passed)["wanting"], Value::Null);
    let expired = bench.show(verify, "VNOLD00001");
    assert_eq!(verdict(&expired), (Some(3), "inconclusive".into()));
    assert_eq!(json(&expired)["wanting"], serde_json::json!([["terminal.ta"]]));
}

#[test]
fn a_card_takes_no_verifier_and_no_x509_certificate_for_a_trust_point() {
    let bench = Bench::new();
    for file in ["dv/VNDV00001.cvcert", "is/VNGATE00001.cvcert", "eac.issuer/csca.crt"] {
        let file = authorities().join(file);
        let new = format!("--json card new no.card --profile eac-full --cvca {}", file.display());
        let output = run(bench.path(), &new);
        let found = json(&output)["error"]["code"].clone();
        assert_eq!(code(&output), Some(6), "{}: {found}", file.display());
        assert!(!bench.path().join("no.card").exists());
    }
}

/// The authorities with the next key of the CVCA, on another curve, and a terminal under it.
fn next_generation(folder: &Path) -> PathBuf {
    for part in ["cvca", "dv"] {
        std::fs::create_dir(folder.join(part)).unwrap();
        for entry in std::fs::read_dir(authorities().join(part)).unwrap() {
            let from = entry.unwrap().path();
            if from.is_file() {
                std::fs::copy(&from, folder.join(part).join(from.file_name().unwrap())).unwrap();
            }
        }
    }
    pki(folder, "cvca link --issuer cvca --key brainpoolP384r1");
    pki(folder, "dv request --out dv --holder VNDV --initial --cvca cvca/VNCVCA00002.cvcert");
    pki(folder, "cvca sign dv/VNDV00002.csr --issuer cvca");
    pki(folder, "is new --issuer dv --out is --holder VNGATE");
    folder.join("is/VNGATE00001")
}

#[test]
fn a_link_certificate_takes_the_card_to_the_next_key_of_its_authority() {
    let bench = Bench::new();
    let path = bench.path();
    let is = next_generation(path);
    let (chain, key) = (is.with_extension("chain"), is.with_extension("key"));
    // The chain alone begins at a key that the card does not know yet.
    let output = bench.show_files("read", &chain, &key);
    assert_eq!((code(&output), &json(&output)["error"]["code"]), (Some(6), &"cvc_no_path".into()));
    let link = path.join("cvca/VNCVCA00002.link.cvcert");
    let both = PathBuf::from(format!("{} {}", chain.display(), link.display()));
    let output = bench.show_files("read", &both, &key);
    assert_eq!(code(&output), Some(0));
    let shown = json(&output)["terminal_authentication"]["chain"].clone();
    assert_eq!(shown, serde_json::json!(["VNCVCA00002", "VNDV00002", "VNGATE00001"]));
    assert_eq!(bench.file("EF.DG3.bin").as_deref(), Some(FINGERPRINTS));
    let (trust, _) = bench.trust();
    assert_eq!(trust, serde_json::json!(["VNCVCA00002", "VNCVCA00001"]));
    // From now on the chain alone will do, and terminals of the older key are still let in.
    assert_eq!(code(&bench.show_files("read", &chain, &key)), Some(0));
    assert_eq!(code(&bench.show("read", "VNGATE00001")), Some(0));
}

#[test]
fn all_of_it_works_over_pcscd_too() {
    let Some(_stack) = PcscStack::take() else { return };
    let bench = Bench::new();
    let is = next_generation(bench.path());
    let link = bench.path().join("cvca/VNCVCA00002.link.cvcert");
    let chain =
        PathBuf::from(format!("{} {}", is.with_extension("chain").display(), link.display()));
    let of = |name: &str| authorities().join("is").join(name);
    {
        let _card = Emulation::start(&bench.path().join("eac.card"));
        let finger = of("VNFINGER00001");
        let (shown, key) = (finger.with_extension("chain"), finger.with_extension("key"));
        let output = bench.show_on("--json", "read", &shown, &key);
        assert_eq!(code(&output), Some(0));
        assert_eq!(bench.file("EF.DG3.bin").as_deref(), Some(FINGERPRINTS));
        assert_eq!(bench.file("EF.DG4.bin"), None);
        let old = of("VNOLD00001");
        let (shown, key) = (old.with_extension("chain"), old.with_extension("key"));
        let output = bench.show_on("--json", "read", &shown, &key);
        assert_eq!(
            (code(&output), &json(&output)["error"]["code"]),
            (Some(5), &"cvc_expired".into())
        );
        let output = bench.show_on("--json", "verify", &chain, &is.with_extension("key"));
        assert_eq!((code(&output), &json(&output)["verdict"]), (Some(0), &"genuine".into()));
        assert_eq!(check(&json(&output), "terminal.ta")["status"], "passed");
    }
    assert_eq!(bench.trust().0, serde_json::json!(["VNCVCA00002", "VNCVCA00001"]));
}
