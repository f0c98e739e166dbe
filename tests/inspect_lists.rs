//! `inspect` of what trust folders are made of, by the built binary: master lists, exports of a directory
//! and lists of defects.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::path::{Path, PathBuf};

use base64::Engine;
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, ListSigner, Signer, SoftwareKey, Validity,
    country_name, issue, issue_signed_list,
};
use cancuoc::trust::{Concerned, DEFECT_LIST, DefectKind, KnownDefect, encode_defect_list};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

fn testvector(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testvectors").join(path)
}

fn inspect<'a>(files: impl IntoIterator<Item = &'a Path>) -> (Option<i32>, Value) {
    let output =
        support::cancuoc().args(["--json", "inspect", "--verify"]).args(files).output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The file as it was described, and its checks of lists: which, how it ended, reason or detail.
fn inspected<'a>(files: impl IntoIterator<Item = &'a Path>) -> (Value, Vec<[String; 3]>) {
    let (_, document) = inspect(files);
    let file = document["files"][0].clone();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = file["checks"].as_array().unwrap().iter();
    let checks = checks.filter(|check| word(&check["id"]).starts_with("list.")).map(|check| {
        let reason = if check["code"].is_null() { &check["detail"] } else { &check["code"] };
        [word(&check["id"]), word(&check["status"]), word(reason)]
    });
    let checks = checks.collect();
    (file, checks)
}

fn run(folder: &Path, arguments: &[&str]) {
    let mut command = support::cancuoc();
    let output = command.current_dir(folder).env("PW", "secret").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_german_list_is_told_by_country_and_verifies_under_its_csca_alone() {
    let [list, german, dutch] =
        ["masterlist-de-2026-05-28.ml", "roots/de-csca07.cer", "roots/nl-root.cer"].map(testvector);
    let (file, checks) = inspected([&*list, &*german]);
    assert_eq!(file["kind"], "master_list");
    assert_eq!(file["content"]["certificate_count"], 588);
    assert_eq!(file["content"]["countries"]["VN"], 1);
    let signer = "C=DE, O=bund, OU=bsi, serialNumber=0039, CN=CSCA Master List Signer";
    let verified = ["list.certificates", "skipped", "inspect_not_all_verified"];
    assert_eq!(checks, [["list.acceptance", "passed", signer], verified]);

    let unknown = ["list.acceptance", "skipped", "list_signer_unknown"];
    assert_eq!(inspected([&*list, &*dutch]).1, [unknown]);
    assert_eq!(inspected([&*list]).1, [unknown]);
}

#[test]
fn an_altered_list_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("altered.ml");
    let mut list = std::fs::read(testvector("masterlist-nl-2026-07-22.ml")).unwrap();
    list[300_000] ^= 1;
    std::fs::write(&path, list).unwrap();
    let (exit, document) = inspect([&*path, &*testvector("roots/nl-root.cer")]);
    assert_eq!(exit, Some(1), "{document:#}");
    let checks = document["files"][0]["checks"].as_array().unwrap().iter();
    let failed = checks.filter(|check| check["status"] == "failed");
    assert!(failed.into_iter().any(|check| check["id"] == "list.acceptance"), "{document:#}");
}

/// A folder with the files of an issuer of lists, `pki/`.
fn issuer() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let new = ["pki", "csca", "--out", "pki", "--country", "VN", "--key", "P-256"];
    run(folder.path(), &[&new[..], &["--password", "env:PW"]].concat());
    run(folder.path(), &["pki", "masterlist", "--issuer", "pki", "--password", "env:PW"]);
    folder
}

fn der(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    match std::str::from_utf8(&bytes) {
        Ok(text) => cancuoc::pki::from_pem(text, "CERTIFICATE").unwrap(),
        Err(_) => bytes,
    }
}

#[test]
fn an_export_of_a_directory_is_told_by_kind_and_country() {
    let folder = issuer();
    let pki = folder.path().join("pki");
    let entries = [
        ("o=ml,c=VN", "pkdMasterListContent", der(&pki.join("masterlist.ml"))),
        (
            "o=crl,c=VN",
            "certificateRevocationList;binary",
            std::fs::read(pki.join("csca.crl")).unwrap(),
        ),
        ("o=dsc,c=NL", "userCertificate;binary", der(&testvector("roots/nl-root.cer"))),
    ];
    let entry = |(name, attribute, bytes): &(&str, &str, Vec<u8>)| {
        let value = base64::engine::general_purpose::STANDARD.encode(bytes);
        let folded: Vec<&str> =
            value.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("dn: {name},dc=data\n{attribute}:: {}\n\n", folded.join("\n "))
    };
    let text = entries.iter().map(entry).collect::<String>();
    let export = folder.path().join("export.ldif");
    std::fs::write(&export, text).unwrap();

    let (file, checks) = inspected([&*export, &*pki.join("csca.crt")]);
    assert_eq!(file["kind"], "ldif");
    let content = &file["content"];
    assert_eq!(content["object_count"], 3);
    assert_eq!(content["crl_by_country"], serde_json::json!({ "VN": 1 }));
    assert_eq!(content["csca_certificate_by_country"], serde_json::json!({ "NL": 1 }));
    assert_eq!(content["master_lists"][0]["certificate_count"], 1);
    let ids: Vec<_> = checks.iter().map(|[id, status, _]| (id.as_str(), status.as_str())).collect();
    let passed = |id| (id, "passed");
    let expected =
        [passed("list.acceptance"), ("list.certificates", "skipped"), passed("list.crls")];
    assert_eq!(ids, expected, "the Dutch root in it is nobody's member");
}

#[test]
fn a_list_of_defects_says_what_is_known_of_which_documents() {
    let key = KeyKind::Ec(Curve::P256);
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let key = SoftwareKey::generate(key, false, &mut random).unwrap();
    let name = country_name("DE", "Specimen", "CSCA");
    let now = Timestamp::now();
    let later = now + SignedDuration::from_hours(24);
    let request = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &[1],
        issuer: &name,
        subject: &name,
        country: "DE",
        public_key: &key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &key.public_key(),
        validity: Validity { not_before: now, not_after: later, key_not_after: later },
    };
    let certificate = issue(&request, &key, &mut random).unwrap();
    let concerned = Concerned {
        issuer_and_serial: Some((country_name("VN", "Specimen", "CSCA"), vec![0x17])),
        ..Concerned::default()
    };
    let defect = KnownDefect {
        concerned,
        kind: DefectKind::CertificateRevoked,
        oid: const_oid::ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.5.1.1"),
        numbers: vec![3],
        description: None,
    };
    let content = encode_defect_list(HashAlgorithm::Sha256, &[defect]);
    let signer = ListSigner { key: &key, certificate: &certificate, issuer: &certificate };
    let list = issue_signed_list(DEFECT_LIST, &content, signer, now, &mut random).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [list_file, csca] = ["defects.bin", "csca.cer"].map(|name| folder.path().join(name));
    std::fs::write(&list_file, list).unwrap();
    std::fs::write(&csca, certificate).unwrap();

    let (file, checks) = inspected([&*list_file, &*csca]);
    assert_eq!(file["kind"], "defect_list");
    let defect = &file["content"]["defects"][0];
    assert_eq!(defect["kind"], "certificate_revoked");
    assert_eq!(defect["serial"], "17");
    assert_eq!(checks, [["list.acceptance", "passed", "C=DE, O=Specimen, CN=CSCA"]]);
    let (_, checks) = inspected([&*list_file]);
    assert_eq!(checks, [["list.acceptance", "skipped", "list_signer_unknown"]]);
}
