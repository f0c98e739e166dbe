//! The built binary over the real PC/SC stack: pcscd with vsmartcard's virtual reader.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::path::Path;
use std::process::Output;

use support::{Emulation, PcscStack, cancuoc};

fn run(arguments: &[&str]) -> Output {
    cancuoc().args(arguments).output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text} {}", String::from_utf8_lossy(&output.stderr)))
}

/// A demonstration's files: a genuine card, its clone, one with a changed DG13, and the anchor.
fn demo(folder: &Path) -> serde_json::Value {
    let output = run(&["demo", folder.to_str().unwrap(), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    json(&output)
}

#[test]
fn a_card_is_personalised_plugged_in_read_and_verified_over_pcscd() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("demo");
    let result = demo(&files);
    assert_eq!(result["pcsc"], true);
    assert_eq!(result["genuine"], "genuine");

    let trust = files.join("trust");
    for (card, verdict, code) in [
        ("genuine.card", "genuine", 0),
        ("clone.card", "forged", 1),
        ("altered-dg13.card", "forged", 1),
    ] {
        let _card = Emulation::start(&files.join(card));
        let output =
            run(&["verify", "--can", "000018", "--trust", trust.to_str().unwrap(), "--json"]);
        assert_eq!(json(&output)["verdict"], verdict, "{card}");
        assert_eq!(output.status.code(), Some(code), "{card}");
    }
}

#[test]
fn a_blank_card_is_written_read_and_verified_over_pcscd_by_separate_commands() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let specimen = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/record.json");
    let (issuer, blank, out) = (path("issuer"), path("blank.card"), path("out"));
    std::fs::write(path("password"), "correct horse").unwrap();
    let password = format!("file:{}", path("password"));
    let good = |arguments: &[&str]| {
        let output = run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        output
    };
    good(&["pki", "csca", "--out", &issuer, "--password", &password]);
    good(&["pki", "ds", "--issuer", &issuer, "--password", &password]);
    good(&["card", "new", &blank, "--keys", "test"]);
    let _card = Emulation::start(Path::new(&blank));
    let personalize = [
        "personalize",
        "--record",
        specimen,
        "--issuer",
        &issuer,
        "--issuer-password",
        &password,
        "--card-keys",
        "test",
        "--json",
    ];
    good(&personalize);
    assert_eq!(run(&personalize).status.code(), Some(7), "a locked card is protected");
    good(&["read", "--number", "001200000018", "--out", &out]);
    assert!(Path::new(&out).join("EF.DG13.bin").exists());
    let output = good(&["verify", "--number", "001200000018", "--trust", &issuer, "--json"]);
    assert_eq!(json(&output)["verdict"], "genuine");
}

#[test]
fn a_wrong_can_is_refused_with_exit_5() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("demo");
    demo(&files);
    let _card = Emulation::start(&files.join("genuine.card"));
    let output =
        run(&["read", "--can", "999999", "--out", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(json(&output)["error"]["code"], "access_password_wrong");
}

#[test]
fn an_empty_reader_gives_exit_4() {
    let Some(_stack) = PcscStack::take() else { return };
    let output = run(&["verify", "--can", "000018", "--trust", ".", "--json"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn a_card_on_a_modelled_link_takes_its_time_over_pcscd_and_says_the_same() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().join("demo");
    demo(&files);
    let (card, trust) = (files.join("genuine.card"), files.join("trust"));
    let verify = ["verify", "--can", "000018", "--trust", trust.to_str().unwrap(), "--json"];
    let in_process = format!("card:{}", card.display());
    let modelled = json(&run(&[&["--reader", &in_process, "--link", "424"], &verify[..]].concat()));

    let _card = Emulation::start_with(&card, &["--link", "424"]);
    let over_pcsc = json(&run(&verify));
    assert_eq!(over_pcsc["verdict"], "genuine");
    for counted in ["count", "sent_bytes", "received_bytes"] {
        assert_eq!(over_pcsc["apdus"][counted], modelled["apdus"][counted], "{counted}");
    }
    // It cannot be faster than the link; before the first command the card was activated already.
    let air = modelled["apdus"]["air_ms"].as_f64().unwrap();
    let took = over_pcsc["timing_ms"]["total"].as_f64().unwrap();
    assert!(air > 0.0 && took >= 0.9 * air, "{took} ms, on the air {air} ms");
}
