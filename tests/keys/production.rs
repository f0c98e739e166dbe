//! A whole life with keys in a token: issuer, card, verification, and the check before a run.

use std::path::Path;

use serde_json::json;

use crate::soft_hsm::{PIN, SoftHsm, code, document, said};

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/record.json");

/// An issuer with both keys in the token, in folder `p`.
fn issuer() -> SoftHsm {
    let hsm = SoftHsm::with_token();
    for (label, key) in [("csca", "brainpoolP384r1"), ("ds", "P-256")] {
        let uri = format!("pkcs11:token=VN;object={label}");
        hsm.run(&["keys", "init", &uri, "--key", key, "--pin", "env:PIN"]).success();
    }
    let csca = "pkcs11:token=VN;object=csca";
    hsm.run(&["pki", "csca", "--out", "p", "--key-uri", csca, "--pin", "env:PIN"]).success();
    let ds = ["pki", "ds", "--issuer", "p", "--key-uri", "pkcs11:token=VN;object=ds"];
    hsm.run(&[&ds[..], &["--password", "env:PIN"]].concat()).success();
    hsm
}

fn blank(hsm: &SoftHsm) {
    hsm.run(&["card", "new", "card", "--keys", "test"]).success();
}

fn personalize<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["--reader", "card:card", "personalize", "--record", RECORD];
    arguments.extend(["--issuer", "p", "--issuer-password", "env:PIN"]);
    arguments.extend(more);
    arguments
}

fn files_with(path: &Path, needle: &[u8]) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut found = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            found.extend(files_with(&entry, needle));
        } else if std::fs::read(&entry).unwrap().windows(needle.len()).any(|w| w == needle) {
            found.push(entry.display().to_string());
        }
    }
    found
}

#[test]
fn a_card_signed_by_a_key_in_a_token_is_genuine() {
    let hsm = issuer();
    for name in ["csca.key", "ds.key"] {
        assert!(!hsm.path().join("p").join(name).exists(), "{name}");
    }
    blank(&hsm);
    let written = hsm.run(&personalize(&["--trace", "trace", "-vvv"])).success();
    assert!(!said(&written).contains(PIN));
    let folder = hsm.path().join("trust");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(hsm.path().join("p/csca.crt"), folder.join("csca.crt")).unwrap();
    std::fs::copy(hsm.path().join("p/csca.crl"), folder.join("csca.crl")).unwrap();
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(RECORD).unwrap()).unwrap();
    let number = record["fields"]["personal_number"].as_str().unwrap().to_owned();
    let verify = ["--json", "--reader", "card:card", "verify", "--number", &number];
    let verified = hsm.run(&[&verify[..], &["--trust", "trust"]].concat()).success();
    assert_eq!(document(&verified)["verdict"], json!("genuine"));
    // The PIN stands nowhere: no file, no trace.
    assert_eq!(files_with(hsm.path(), PIN.as_bytes()), [""; 0]);
}

#[test]
fn no_card_is_touched_before_its_document_is_signed() {
    let hsm = issuer();
    for name in ["csca.uri", "ds.uri"] {
        let label = &name[..name.len() - 4];
        let uri = format!("pkcs11:token=VN;object={label}\n");
        std::fs::write(hsm.path().join("p").join(name), uri).unwrap();
    }
    blank(&hsm);
    let card = hsm.path().join("card");
    let before = std::fs::read(&card).unwrap();
    for (plan, wanted) in
        [("C_Sign 0x30 99\n", "key_store_unavailable"), ("C_Sign wrong 99\n", "signature_wrong")]
    {
        let failed = hsm.run_faulty(plan, &personalize(&["--json", "--trace", "trace"]));
        assert_eq!(code(&failed), (8, wanted.into()));
        assert_eq!(std::fs::read(&card).unwrap(), before);
        let trace = std::fs::read_to_string(hsm.path().join("trace")).unwrap_or_default();
        assert_eq!(trace, "");
    }
}

#[test]
fn master_lists_and_revocation_lists_are_signed_in_the_token() {
    let hsm = issuer();
    let list = ["pki", "masterlist", "--issuer", "p", "--password", "env:PIN"];
    hsm.run(&["keys", "init", "pkcs11:token=VN;object=mls", "--key", "P-256", "--pin", "env:PIN"])
        .success();
    hsm.run(&[&list[..], &["--key-uri", "pkcs11:token=VN;object=mls"]].concat()).success();
    // The second time the signer is there.
    hsm.run(&list).success();
    let crl = ["pki", "crl", "--issuer", "p", "--number", "2", "--revoke", "p/ds.crt"];
    hsm.run(&[&crl[..], &["--password", "env:PIN"]].concat()).success();
    let inspected =
        hsm.run(&["inspect", "--verify", "p/masterlist.ml", "p/csca.crt", "p/csca.crl"]);
    inspected.success();
}

/// Codes of what is found before a run.
fn check(hsm: &SoftHsm, more: &[&str]) -> (i32, Vec<String>) {
    let check = ["--json", "keys", "check", "--issuer", "p", "--password", "env:PIN"];
    let assert = hsm.run(&[&check[..], more].concat());
    let document = document(&assert);
    let findings = document["findings"].as_array().unwrap().iter();
    let codes = findings.map(|f| f["code"].as_str().unwrap().to_owned()).collect();
    (assert.get_output().status.code().unwrap(), codes)
}

#[test]
fn the_check_before_a_run_finds_test_keys_and_other_anchors() {
    let hsm = issuer();
    assert_eq!(check(&hsm, &["--anchor", "p/csca.crt", "--environment", "test"]), (0, vec![]));
    let tagged = check(&hsm, &["--environment", "production"]);
    assert_eq!(tagged, (6, vec!["key_store_environment_other".into()]));
    let other = ["pki", "csca", "--out", "other", "--key", "P-256", "--password", "env:PIN"];
    hsm.run(&other).success();
    let anchor = check(&hsm, &["--anchor", "other/csca.crt"]);
    assert_eq!(anchor, (6, vec!["self_test_other_anchor".into()]));
    let long = check(&hsm, &["--days", "120"]);
    assert_eq!(long, (6, vec!["self_test_key_period".into()]));
    // A key in a file is for no production, whatever its certificate says.
    let ds = ["pki", "ds", "--issuer", "other", "--password", "env:PIN"];
    hsm.run(&ds).success();
    let file = ["--json", "keys", "check", "--issuer", "other", "--password", "env:PIN"];
    let file = hsm.run(&[&file[..], &["--environment", "production"]].concat()).code(6);
    assert_eq!(document(&file)["findings"][0]["code"], json!("key_in_file"));
}
