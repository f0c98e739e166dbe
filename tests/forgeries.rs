//! The built binary in-process: each forged card is refused by exactly the check that its defect
//! belongs to, and the good twin is genuine.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use support::cancuoc;

const SPECIMEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/record.json");

fn good(arguments: &[&str]) {
    let output = cancuoc().args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
}

#[test]
fn each_forgery_fails_its_own_check_and_the_good_twin_is_genuine() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let issuer = path("issuer");
    std::fs::write(path("password"), "correct horse").unwrap();
    let password = format!("file:{}", path("password"));
    good(&["pki", "csca", "--out", &issuer, "--password", &password]);
    good(&["pki", "ds", "--issuer", &issuer, "--password", &password]);
    let cases: [(&str, i32, &[&str]); 6] = [
        ("none", 0, &[]),
        ("clone", 1, &["chip.ca", "chip.aa"]),
        ("altered-dg13", 1, &["pa.hashes"]),
        ("foreign-ds", 1, &["pa.chain"]),
        ("expired-ds", 1, &["pa.ds_certificate"]),
        ("unsigned-dg", 1, &["pa.hashes"]),
    ];
    for (kind, code, failing) in cases {
        let card = path(&format!("{kind}.card"));
        good(&[
            "card",
            "forge",
            &card,
            "--kind",
            kind,
            "--record",
            SPECIMEN,
            "--issuer",
            &issuer,
            "--password",
            &password,
        ]);
        let reader = format!("card:{card}");
        let verify =
            ["--reader", &reader, "verify", "--can", "000018", "--trust", &issuer, "--json"];
        let output = cancuoc().args(verify).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = document["checks"].as_array().unwrap();
        let failed: Vec<&str> = checks
            .iter()
            .filter(|check| check["status"] == "failed")
            .map(|check| check["id"].as_str().unwrap())
            .collect();
        assert_eq!(failed, failing, "{kind}");
        assert_eq!(output.status.code(), Some(code), "{kind}");
    }
}
