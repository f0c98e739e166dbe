//! A key store that is missing, refuses, fails or lies, seen from the command line.

use crate::soft_hsm::{SoftHsm, code, said};

const SIGN: [&str; 7] = ["pki", "crl", "--issuer", "p", "--number", "2", "--password"];

/// A CSCA with its key in the token.
fn csca() -> SoftHsm {
    let hsm = SoftHsm::with_token();
    let uri = "pkcs11:token=VN;object=csca";
    hsm.run(&["keys", "init", uri, "--key", "P-256", "--pin", "env:PIN"]).success();
    let csca = ["pki", "csca", "--out", "p", "--key-uri", uri, "--password", "env:PIN"];
    hsm.run(&csca).success();
    // The module that fails must come from outside.
    std::fs::write(hsm.path().join("p/csca.uri"), format!("{uri}\n")).unwrap();
    hsm
}

fn sign(hsm: &SoftHsm, plan: &str, pin: &str) -> assert_cmd::assert::Assert {
    hsm.run_faulty(plan, &[&["--json"], &SIGN[..], &[pin]].concat())
}

#[test]
fn a_wrong_pin_is_tried_once() {
    let hsm = csca();
    let failed = sign(&hsm, "", "env:SO_PIN");
    assert_eq!(code(&failed), (6, "key_store_pin_wrong".into()));
    assert_eq!(hsm.calls("C_Login"), 1);
    sign(&hsm, "", "env:PIN").success();
}

#[test]
fn a_locked_pin_makes_the_store_unavailable() {
    let hsm = csca();
    // CKR_PIN_LOCKED.
    let failed = sign(&hsm, "C_Login 0xA4 1\n", "env:PIN");
    assert_eq!(code(&failed), (8, "key_store_pin_locked".into()));
    assert_eq!(hsm.calls("C_Login"), 1);
}

#[test]
fn a_store_that_fails_for_a_while_is_waited_for() {
    let hsm = csca();
    // CKR_DEVICE_ERROR, then CKR_FUNCTION_FAILED.
    let signed = sign(&hsm, "C_Sign 0x30 1\nC_OpenSession 0x06 1\n", "env:PIN").success();
    assert!(said(&signed).contains("trying again"));
}

#[test]
fn a_store_that_goes_on_failing_is_unavailable_and_no_list_is_written() {
    let hsm = csca();
    let list = hsm.path().join("p/csca.crl");
    let before = std::fs::read(&list).unwrap();
    for plan in ["C_Sign 0x30 99\n", "C_OpenSession 0x31 99\n", "C_Initialize 0x05 99\n"] {
        let (exit, _) = code(&sign(&hsm, plan, "env:PIN"));
        assert_eq!(exit, 8, "{plan}");
    }
    assert_eq!(std::fs::read(&list).unwrap(), before);
}

#[test]
fn a_wrong_signature_is_not_written_and_a_few_of_them_stop_it() {
    let hsm = csca();
    let signed = sign(&hsm, "C_Sign wrong 1\n", "env:PIN").success();
    assert!(said(&signed).contains("does not verify"));
    let list = hsm.path().join("p/csca.crl");
    let before = std::fs::read(&list).unwrap();
    let failed = sign(&hsm, "C_Sign wrong 99\n", "env:PIN");
    assert_eq!(code(&failed), (8, "signature_wrong".into()));
    assert_eq!(hsm.calls("C_Sign"), 3);
    assert_eq!(std::fs::read(&list).unwrap(), before);
}

#[test]
fn what_is_missing_is_named() {
    let hsm = csca();
    let uri = |text: &str| std::fs::write(hsm.path().join("p/csca.uri"), text).unwrap();
    let fails = || hsm.failure(&[&SIGN[..], &["env:PIN"]].concat());
    uri("pkcs11:token=VN;object=csca?module-path=/nowhere/module.so\n");
    assert_eq!(fails(), (8, "key_store_module_unusable".into()));
    uri("pkcs11:token=other;object=csca\n");
    assert_eq!(fails(), (8, "key_store_token_absent".into()));
    uri("pkcs11:token=VN;object=other\n");
    assert_eq!(fails(), (6, "key_store_key_absent".into()));
    uri("pkcs11:token=VN;object=csca?pin-value=1234\n");
    assert_eq!(fails(), (6, "key_uri_file_malformed".into()));
    uri("pkcs11:token=VN;object=csca\n");
    let literal = [&SIGN[..], &["12345678"]].concat();
    assert_eq!(hsm.failure(&literal), (2, "secret_on_command_line".into()));
}
