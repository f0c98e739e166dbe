//! `personalize` and `gp info` by the built binary, on a software card in a file.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::{Path, PathBuf};

use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue, to_pem,
};
use cancuoc::softcard::{ApplicationLifeCycle, BlankOptions, CardLifeCycle, SoftCard};
use cancuoc_primitives::curve::Curve;
use serde_json::Value;

const PASSWORD: &str = "a password for tests";

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

struct Workplace {
    folder: tempfile::TempDir,
}

struct Answer {
    code: Option<i32>,
    json: Value,
    errors: String,
}

impl Workplace {
    /// A blank card and a document signer.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        SoftCard::create(&folder.path().join("card"), &BlankOptions::test([0, 0, 0, 9])).unwrap();
        let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
        let now = jiff::Timestamp::now();
        let days = |days: i64| jiff::SignedDuration::from_hours(24 * days);
        let name = country_name("VN", "Specimen", "CSCA");
        let certificate = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[7],
            issuer: &name,
            subject: &country_name("VN", "Specimen", "DS"),
            country: "VN",
            public_key: &key.public_key(),
            parameters: ParameterForm::Named,
            issuer_key: &key.public_key(),
            validity: Validity {
                not_before: now.checked_sub(days(1)).unwrap(),
                not_after: now.checked_add(days(3650)).unwrap(),
                key_not_after: now.checked_add(days(90)).unwrap(),
            },
        };
        let certificate = issue(&certificate, &key, &mut random()).unwrap();
        let encrypted = key.encrypt(PASSWORD, &mut random()).unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("ds.crt", to_pem("CERTIFICATE", &certificate));
        write("ds.key", to_pem("ENCRYPTED PRIVATE KEY", &encrypted));
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        let reader = format!("card:{}", self.path("card").display());
        let output = support::cancuoc()
            .args(["--json", "--reader", &reader])
            .args(arguments)
            .env("CANCUOC_TEST_PASSWORD", PASSWORD)
            .output()
            .unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Answer { code: output.status.code(), json, errors }
    }

    fn personalize(&self, record: &Path, more: &[&str]) -> Answer {
        let (record, issuer) = (record.display().to_string(), self.path("").display().to_string());
        let mut arguments = vec!["personalize", "--record", &record, "--issuer", &issuer];
        arguments.extend(["--issuer-password", "env:CANCUOC_TEST_PASSWORD"]);
        arguments.extend(more);
        self.run(&arguments)
    }
}

fn specimen(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testvectors/specimen").join(name)
}

#[test]
fn writes_a_card_and_refuses_to_write_it_again() {
    let work = Workplace::new();
    let first = work.personalize(&specimen("record.json"), &[]);
    assert_eq!(first.code, Some(0), "{} {}", first.json, first.errors);
    assert_eq!(first.json["schema"], "cancuoc.personalize/1");
    assert_eq!(first.json["card"]["life_cycle"], "SECURED");
    assert_eq!(first.json["document"]["number"], "001*********");
    assert_eq!(first.json["read_back"]["bytes"], first.json["files"]["bytes"]);
    let summary = SoftCard::open(&work.path("card")).unwrap().summary();
    assert_eq!(summary.card, CardLifeCycle::Secured);
    assert_eq!(summary.application, ApplicationLifeCycle::Locked);

    let second = work.personalize(&specimen("record.json"), &[]);
    assert_eq!(second.code, Some(7));
    let code = second.json["error"]["code"].as_str().unwrap();
    assert_eq!(code, "card_already_issued");
}

#[test]
fn refuses_a_bad_record_before_it_looks_at_the_card() {
    let work = Workplace::new();
    let answer = work.personalize(&specimen("ten-mistakes.json"), &[]);
    assert_eq!(answer.code, Some(6));
    assert_eq!(answer.json["error"]["code"], "record_not_usable");
    assert_eq!(answer.errors.lines().count(), 10, "{}", answer.errors);
    let summary = SoftCard::open(&work.path("card")).unwrap().summary();
    assert_eq!(summary.files.len(), 0);
}

#[test]
fn stops_at_wrong_keys_with_the_card_unharmed() {
    let work = Workplace::new();
    let keys = "00112233445566778899AABBCCDDEEFF";
    let answer = work.personalize(&specimen("record.json"), &["--card-keys", keys]);
    assert_eq!(answer.code, Some(5));
    assert_eq!(answer.json["error"]["code"], "scp_card_cryptogram");
    assert!(!answer.json.to_string().contains(keys));
    let again = work.personalize(&specimen("record.json"), &["--card-keys", "test"]);
    assert_eq!(again.code, Some(0), "{}", again.json);
}

#[test]
fn says_that_the_password_of_the_signing_key_is_wrong() {
    let work = Workplace::new();
    let record = specimen("record.json").display().to_string();
    let issuer = work.path("").display().to_string();
    let answer = work.run(&[
        "personalize",
        "--record",
        &record,
        "--issuer",
        &issuer,
        "--issuer-password",
        "wrong",
    ]);
    assert_eq!(answer.code, Some(6));
    assert_eq!(answer.json["error"]["code"], "key_password_wrong");
}

#[test]
fn writes_a_trace_without_personal_data_or_keys() {
    let work = Workplace::new();
    let trace = work.path("trace.jsonl").display().to_string();
    let answer = work.personalize(&specimen("record.json"), &["--trace", &trace]);
    assert_eq!(answer.code, Some(0), "{}", answer.json);
    let text = std::fs::read_to_string(&trace).unwrap();
    assert!(text.lines().count() > 20);
    // The name stands in DG13, the number in DG1: neither may be seen, plain or in hexadecimal.
    for secret in ["Nguyễn", "001200000018"] {
        let hexadecimal = hex::encode(secret);
        assert!(!text.contains(secret) && !text.to_lowercase().contains(&hexadecimal));
    }
}

#[test]
fn gp_info_shows_the_chip_before_and_the_life_cycle_with_keys() {
    let work = Workplace::new();
    let answer = work.run(&["gp", "info"]);
    assert_eq!(answer.code, Some(0), "{} {}", answer.json, answer.errors);
    assert_eq!(answer.json["schema"], "cancuoc.gp-info/1");
    assert_eq!(answer.json["secure_channels"][0]["options"], "70");
    assert_eq!(answer.json["cplc"]["serial_number"], "00000009");
    assert_eq!(answer.json["extended_length"], true);
    let before = answer.json["life_cycle"].as_str().unwrap().to_owned();
    work.personalize(&specimen("record.json"), &[]);
    let answer = work.run(&["gp", "info"]);
    assert_ne!(answer.json["life_cycle"].as_str().unwrap(), before);
    assert_eq!(answer.json["life_cycle"], "SECURED");
    assert_eq!(answer.json["applications"][0]["aid"], "A0000002471001");
}

#[test]
fn does_not_take_the_record_and_the_password_from_one_input() {
    let work = Workplace::new();
    let issuer = work.path("").display().to_string();
    let record = std::fs::File::open(specimen("record-2024.json")).unwrap();
    let reader = format!("card:{}", work.path("card").display());
    let output = support::cancuoc()
        .args(["--reader", &reader, "personalize", "--record", "-", "--issuer", &issuer])
        .stdin(record)
        .current_dir(specimen(""))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}
