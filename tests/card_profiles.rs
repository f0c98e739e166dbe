//! Cards of every built-in profile by the built binary: made, read, verified; and what policies say of
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;

use support::cancuoc;

/// Personalised cards beside their issuers, in a folder of their own.
struct Cards {
    folder: tempfile::TempDir,
}

impl Cards {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("can"), "000018").unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &str) -> (i32, Value) {
        let arguments = arguments.split_whitespace();
        let output = cancuoc().current_dir(self.path()).arg("--json").args(arguments).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let document = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code().unwrap(), document)
    }

    /// Makes a card; the MRZ that opens it goes into a file.
    fn make(&self, profile: &str) {
        let (code, made) = self.run(&format!("card new {profile}.card --profile {profile}"));
        assert_eq!(code, 0, "{profile}: {made}");
        let mrz = made["access"]["mrz"].as_str().unwrap();
        std::fs::write(self.path().join(format!("{profile}.mrz")), mrz).unwrap();
    }

    fn verify(&self, profile: &str, more: &str) -> (i32, Value) {
        let trust = PathBuf::from(format!("{profile}.issuer")).join("trust");
        let card = format!("--reader card:{profile}.card verify --trust {}", trust.display());
        self.run(&format!("{card} {more}"))
    }

    /// Verifies by a policy of these lines.
    fn judge(&self, profile: &str, rules: &str) -> (i32, Value) {
        let head = "schema = \"cancuoc.policy/1\"\nname = \"own\"\ntitle_en = \"Own\"\n\
                    title_vi = \"Riêng\"\n";
        std::fs::write(self.path().join("own.toml"), format!("{head}{rules}")).unwrap();
        self.verify(profile, "--can file:can --policy own.toml")
    }
}

fn profiles() -> Vec<String> {
    let (_, list) = Cards::new().run("card profiles");
    let names = list["profiles"].as_array().unwrap().iter();
    names.map(|profile| profile["name"].as_str().unwrap().to_owned()).collect()
}

/// The failed checks with their reasons.
fn failed(document: &Value) -> Vec<(String, String)> {
    let checks = document["checks"].as_array().unwrap().iter();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    checks
        .filter(|check| check["status"] == "failed")
        .map(|check| (text(check, "id"), text(check, "code")))
        .collect()
}

#[test]
fn a_card_of_every_profile_is_genuine_by_the_standard_policy() {
    let cards = Cards::new();
    for profile in profiles() {
        cards.make(&profile);
        let bac = if profile == "icao-bac-only" { "--allow-bac" } else { "" };
        let mrz = format!("--mrz file:{profile}.mrz --policy standard {bac}");
        let (code, document) = cards.verify(&profile, &mrz);
        assert_eq!((code, &document["verdict"]), (0, &"genuine".into()), "{profile}: {document}");
        let access = &document["access"];
        let protocol = if bac.is_empty() { "PACE" } else { "BAC" };
        assert_eq!((&access["protocol"], &access["password"]), (&protocol.into(), &"MRZ".into()));
    }
}

#[test]
fn the_command_that_is_told_for_a_new_card_finds_it_genuine() {
    let cards = Cards::new();
    for profile in ["can-cuoc-2021", "icao-bac-only"] {
        let mut new = cancuoc();
        new.current_dir(cards.path()).args(["card", "new"]);
        new.args([&format!("{profile}.card"), "--profile", profile]);
        let told = String::from_utf8(new.output().unwrap().stdout).unwrap();
        // The MRZ is asked for, or read from standard input: here from a file.
        let lines: Vec<&str> = told.lines().collect();
        let first = lines.iter().position(|line| line.starts_with("  MRZ")).unwrap();
        let mrz: Vec<&str> = lines[first..first + 3].iter().map(|line| &line[7..]).collect();
        std::fs::write(cards.path().join("mrz"), mrz.join("\n")).unwrap();
        let (_, command) = told.split_once("cancuoc ").unwrap();
        let command = command.trim_end().replace("--mrz - ", "--mrz file:mrz ");
        let (code, document) = cards.run(&command);
        assert_eq!((code, &document["verdict"]), (0, &"genuine".into()), "{profile}: {document}");
    }
}

#[test]
fn the_strict_policy_opens_no_card_of_80_bits_and_names_its_reason() {
    let cards = Cards::new();
    for (profile, expected) in [
        ("domain-00", "policy_pace_domain_parameters: MODP-1024-160 (1024 bits)"),
        ("domain-08", "policy_pace_domain_parameters: P-192"),
        ("domain-09", "policy_pace_domain_parameters: brainpoolP192r1"),
    ] {
        cards.make(profile);
        let (code, document) = cards.verify(profile, "--can file:can");
        let error = &document["error"];
        assert_eq!((code, &error["code"]), (5, &"pace_forbidden_by_policy".into()), "{profile}");
        assert!(error["detail"].as_str().unwrap().ends_with(expected), "{error}");
        let (_, found) = expected.split_once(": ").unwrap();
        let message = error["message"].as_str().unwrap();
        let said = "the policy does not accept the curve or prime field of PACE";
        assert!(message.contains(said) && message.contains(found), "{message}");
    }
    cards.make("icao-bac-only");
    let (code, document) = cards.verify("icao-bac-only", "--mrz file:icao-bac-only.mrz");
    assert_eq!((code, &document["error"]["code"]), (5, &"pace_not_offered".into()));
    let allowed = "--mrz file:icao-bac-only.mrz --allow-bac";
    let (code, document) = cards.verify("icao-bac-only", allowed);
    assert_eq!((code, &document["error"]["code"]), (2, &"policy_forbids_bac".into()));
}

#[test]
fn of_several_variants_the_strongest_that_the_policy_accepts_is_run() {
    let cards = Cards::new();
    cards.make("eac-full");
    for (rules, expected) in [
        ("", ["GM", "brainpoolP384r1", "AES-256"]),
        ("[access]\npace_mappings = [\"IM\"]", ["IM", "P-256", "AES-192"]),
        ("[access]\npace_mappings = [\"CAM\"]", ["CAM", "brainpoolP256r1", "AES-256"]),
        ("[access]\npace_key_agreements = [\"DH\"]", ["GM", "MODP-2048-256", "AES-256"]),
        ("[access]\npace_ciphers = [\"AES-128\"]", ["GM", "brainpoolP256r1", "AES-128"]),
    ] {
        let (code, document) = cards.judge("eac-full", rules);
        assert_eq!((code, &document["verdict"]), (0, &"genuine".into()), "{rules}: {document}");
        let access = ["mapping", "domain", "cipher"].map(|key| document["access"][key].clone());
        assert_eq!(access, expected.map(Value::from), "{rules}");
    }
}

#[test]
fn of_several_chip_keys_one_that_the_policy_accepts_is_run() {
    let cards = Cards::new();
    cards.make("eac-full");
    for (rules, expected) in [
        ("curves = [\"P-384\"]", ["P-384", "AES-256"]),
        ("ciphers = [\"AES-128\"]", ["brainpoolP256r1", "AES-128"]),
        ("key_agreements = [\"DH\"]\nciphers = [\"3DES\"]", ["MODP-2048-256", "3DES"]),
    ] {
        let (code, document) = cards.judge("eac-full", &format!("[chip_authentication]\n{rules}"));
        assert_eq!((code, &document["verdict"]), (0, &"genuine".into()), "{rules}: {document}");
        let checks = document["checks"].as_array().unwrap().iter();
        let detail = &checks.clone().find(|check| check["id"] == "chip.ca").unwrap()["detail"];
        assert_eq!([&detail["curve"], &detail["cipher"]], [expected[0], expected[1]], "{rules}");
    }
}

#[test]
fn what_a_policy_does_not_accept_fails_with_a_reason_of_its_own() {
    let cards = Cards::new();
    cards.make("eac-full");
    for (rules, expected) in [
        ("[chip_authentication]\nciphers = [\"AES-192\"]", &[("chip.ca", "policy_ca_cipher")][..]),
        (
            "[chip_authentication]\ncurves = [\"P-521\"]\nkey_agreements = [\"ECDH\"]",
            &[("chip.ca", "policy_ca_domain_parameters")],
        ),
        ("[active_authentication]\nalgorithms = [\"RSA\"]", &[("chip.aa", "policy_aa_algorithm")]),
        ("[active_authentication]\nhashes = [\"SHA-512\"]", &[("chip.aa", "policy_aa_hash")]),
        ("[active_authentication]\ncurves = [\"P-256\"]", &[("chip.aa", "policy_aa_key")]),
        (
            "[passive_authentication]\ndata_group_hashes = [\"SHA-512\"]",
            &[("pa.hashes", "policy_data_group_hash")],
        ),
        (
            "[passive_authentication]\nsignature_hashes = [\"SHA-512\"]",
            &[
                ("pa.sod_signature", "policy_signature_hash"),
                ("pa.card_security", "policy_signature_hash"),
            ],
        ),
        (
            "[passive_authentication]\ncertificate_hashes = [\"SHA-512\"]",
            &[
                ("pa.chain", "policy_certificate_hash"),
                ("pa.card_security", "policy_certificate_hash"),
            ],
        ),
        (
            "[passive_authentication]\ncurves = [\"P-256\"]",
            &[("pa.chain", "policy_csca_key"), ("pa.card_security", "policy_csca_key")],
        ),
    ] {
        let (code, document) = cards.judge("eac-full", rules);
        let expected: Vec<_> =
            expected.iter().map(|(id, code)| (id.to_string(), code.to_string())).collect();
        assert_eq!((code, failed(&document)), (1, expected), "{rules}");
    }
}
