//! `keys init`, `keys import`, `keys list` by the built binary.

use std::process::Stdio;

use serde_json::json;

use crate::soft_hsm::{PIN, SO_PIN, SoftHsm, code, document, said};

const KEY: &str = "pkcs11:token=VN;object=card-master";
const FIRST: &str = "F0E1D2C3B4A5968778695A4B3C2D1E0F00112233445566778899AABBCCDDEEFF";
const SECOND: &str = "0123456789ABCDEFFEDCBA98765432100F1E2D3C4B5A69788796A5B4C3D2E1F0";
const THIRD: &str = "9E3779B97F4A7C15F39CC0605CEDC8341082276BF3A27251F86C6A11D0C18E95";

/// Imports the three components; a key of another type takes as much of them as it has.
fn import<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["keys", "import", KEY, "--pin", "env:PIN"];
    arguments.extend(["--component", "env:C1", "--component", "env:C2"]);
    arguments.extend(["--component", "file:third"]);
    arguments.extend(more);
    arguments
}

fn command(hsm: &SoftHsm, digits: usize, arguments: &[&str]) -> assert_cmd::Command {
    std::fs::write(hsm.path().join("third"), format!("{}\n", &THIRD[..digits])).unwrap();
    let mut command = hsm.command(arguments);
    command.env("C1", &FIRST[..digits]).env("C2", &SECOND[..digits]);
    command
}

/// The first bytes of a block encrypted by another implementation.
fn openssl(cipher: &str, key: &str, block: &[u8]) -> String {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["enc", cipher, "-K", key, "-nopad", "-provider", "legacy"]);
    openssl.args(["-provider", "default"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = openssl.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), block).unwrap();
    let output = child.wait_with_output().unwrap();
    hex::encode_upper(&output.stdout[..3])
}

fn xor(parts: &[&str]) -> String {
    let bytes = parts.iter().map(|part| hex::decode(part).unwrap());
    let sum = bytes.reduce(|a, b| a.iter().zip(&b).map(|(x, y)| x ^ y).collect());
    hex::encode(sum.unwrap())
}

#[test]
fn check_values_of_components_and_keys_are_those_of_openssl() {
    let hsm = SoftHsm::with_token();
    for (name, digits, cipher, block) in [
        ("aes-128", 32, "-aes-128-ecb", &[1; 16][..]),
        ("aes-192", 48, "-aes-192-ecb", &[1; 16]),
        ("aes-256", 64, "-aes-256-ecb", &[1; 16]),
        ("3des", 32, "-des-ede", &[0; 8]),
    ] {
        let uri = format!("pkcs11:token=VN;object={name}");
        let mut arguments = import(&["--json", "--type", name]);
        arguments[2] = &uri;
        let imported = document(&command(&hsm, digits, &arguments).assert().success());
        let parts = [FIRST, SECOND, THIRD].map(|part| &part[..digits]);
        let wanted: Vec<_> = (1..)
            .zip(parts)
            .map(|(number, part): (u32, _)| {
                json!({ "number": number, "check_value": openssl(cipher, part, block) })
            })
            .collect();
        assert_eq!(imported["components"], json!(wanted), "{name}");
        let value = openssl(cipher, &xor(&parts), block);
        assert_eq!(imported["key"]["check_value"], json!(value), "{name}");
        // The token itself says the same of the key that it holds.
        let listed = hsm.json(&["keys", "list", &uri, "--pin", "env:PIN"]);
        let object = &listed["tokens"][0]["objects"][0];
        assert_eq!(object["check_value"], json!(value), "{name}");
        assert_eq!(object["protected"], json!(true), "{name}");
    }
}

#[test]
fn a_key_with_another_check_value_than_told_is_not_imported() {
    let hsm = SoftHsm::with_token();
    let wrong = import(&["--json", "--type", "aes-256", "--check-value", "000000"]);
    let failed = command(&hsm, 64, &wrong).assert().failure();
    assert_eq!(code(&failed), (6, "key_check_value_other".into()));
    let listed = hsm.json(&["keys", "list", KEY, "--pin", "env:PIN"]);
    assert_eq!(listed["tokens"][0]["objects"], json!([]));
}

#[test]
fn a_key_is_never_replaced() {
    let hsm = SoftHsm::with_token();
    let arguments = import(&["--json", "--type", "aes-256"]);
    command(&hsm, 64, &arguments).assert().success();
    let again = command(&hsm, 64, &arguments).assert().failure();
    assert_eq!(code(&again), (7, "key_store_key_exists".into()));
    let made = ["keys", "init", KEY, "--key", "aes-128", "--pin", "env:PIN"];
    assert_eq!(hsm.failure(&made), (7, "key_store_key_exists".into()));
}

#[test]
fn one_custodian_alone_makes_no_key() {
    let hsm = SoftHsm::with_token();
    let alone = ["keys", "import", KEY, "--type", "aes-256", "--pin", "env:PIN"];
    let one = [&alone[..], &["--component", "env:SO_PIN"]].concat();
    let refused = |arguments: &[&str]| {
        let failed = command(&hsm, 64, &[&["--json"], arguments].concat()).assert().failure();
        code(&failed)
    };
    let one_component = [&alone[..], &["--component", "env:C1"]].concat();
    assert_eq!(refused(&one_component), (6, "key_component_malformed".into()));
    let twice = [&one_component[..], &["--component", "env:C1"]].concat();
    assert_eq!(refused(&twice), (2, "usage".into()));
    let malformed = [&one[..], &["--component", "env:C1"]].concat();
    assert_eq!(refused(&malformed), (6, "key_component_malformed".into()));
    let shown = [&one_component[..], &["--component", FIRST]].concat();
    assert_eq!(refused(&shown), (2, "secret_on_command_line".into()));
}

#[test]
fn a_token_that_is_in_use_is_not_made_ready_again() {
    let hsm = SoftHsm::with_token();
    let new = ["keys", "init", "pkcs11:token=VN", "--so-pin", "env:SO_PIN", "--pin", "env:PIN"];
    let new = [&new[..], &["--environment", "production"]].concat();
    assert_eq!(hsm.failure(&new), (7, "key_store_token_initialized".into()));
    let listed = hsm.json(&["keys", "list", "pkcs11:token=VN"]);
    assert_eq!(listed["tokens"][0]["environment"], json!("test"));
}

#[test]
fn a_list_says_which_certificate_belongs_to_which_key() {
    let hsm = SoftHsm::with_token();
    let make = |label: &str| {
        let uri = format!("pkcs11:token=VN;object={label}");
        hsm.json(&["keys", "init", &uri, "--key", "P-256", "--pin", "env:PIN"])
    };
    let made = make("ds");
    make("other");
    let csca = ["pki", "csca", "--out", "p", "--key", "P-256", "--password", "env:PIN"];
    hsm.run(&csca).success();
    let ds = ["pki", "ds", "--issuer", "p", "--password", "env:PIN", "--key-uri"];
    hsm.run(&[&ds[..], &["pkcs11:token=VN;object=ds"]].concat()).success();
    let list = ["keys", "list", "pkcs11:token=VN", "--pin", "env:PIN", "--issuer", "p"];
    let listed = hsm.json(&list);
    let objects = listed["tokens"][0]["objects"].as_array().unwrap();
    let key = |label: &str| {
        objects.iter().find(|o| o["label"] == label && o["kind"] == "private").unwrap()
    };
    assert_eq!(key("ds")["certificates"][0]["name"], json!("ds.crt"));
    assert_eq!(key("ds")["fingerprint"], made["key"]["fingerprint"]);
    assert_eq!(key("other")["certificates"], json!([]));
    // Without a PIN the private keys are not seen, and nobody is asked for one.
    let public = hsm.json(&["keys", "list", "pkcs11:token=VN"]);
    let kinds = public["tokens"][0]["objects"].as_array().unwrap().iter();
    assert!(kinds.clone().all(|o| o["kind"] == "public"), "{public}");
    assert_eq!(kinds.count(), 2);
}

#[test]
fn no_pin_and_no_key_is_in_anything_that_is_said() {
    let hsm = SoftHsm::with_token();
    let mut all = String::new();
    for more in [&["--type", "aes-256"][..], &["--json", "--type", "aes-256"]] {
        // The second time the key is there already: errors say nothing either.
        let arguments = [&["-vvv"], &import(more)[..]].concat();
        all += &said(&command(&hsm, 64, &arguments).assert());
    }
    let wrong = import(&["-vvv", "--type", "aes-256", "--check-value", "000000"]);
    let wrong: Vec<&str> =
        wrong.iter().map(|a| if *a == KEY { "pkcs11:token=VN;object=b" } else { a }).collect();
    all += &said(&command(&hsm, 64, &wrong).assert());
    all += &said(&command(&hsm, 62, &wrong).assert());
    all += &said(&hsm.run(&["-vvv", "keys", "list", "pkcs11:token=VN", "--pin", "env:PIN"]));
    all += &said(&hsm.run(&["-vvv", "keys", "list", "pkcs11:token=VN", "--pin", "env:C0"]));
    let all = all.to_lowercase();
    assert!(all.contains("card-master"));
    let key = xor(&[FIRST, SECOND, THIRD]);
    for secret in [PIN, SO_PIN, FIRST, SECOND, THIRD, &key] {
        // Any eight digits of them in a row are too many.
        let secret = secret.to_lowercase();
        for start in 0..=secret.len() - 8 {
            let part = &secret[start..start + 8];
            assert!(!all.contains(part), "{part} of a secret stands in: {all}");
        }
    }
}

#[test]
fn a_new_token_needs_both_pins_from_outside_the_command_line() {
    let hsm = SoftHsm::new();
    let new = ["keys", "init", "pkcs11:token=VN", "--environment", "test", "--so-pin"];
    let literal = [&new[..], &["12345678", "--pin", "env:PIN"]].concat();
    assert_eq!(hsm.failure(&literal), (2, "secret_on_command_line".into()));
    let both = [&new[..], &["-", "--pin", "-"]].concat();
    assert_eq!(hsm.failure(&both), (2, "usage".into()));
}
