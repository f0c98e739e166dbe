//! A foreign GlobalPlatform host, our issuer domain: PyGP opens secure channels through the PC/SC
//! daemon.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/pcsc.rs"]
#[allow(dead_code)]
mod pcsc;
#[path = "support/plugged.rs"]
mod plugged;

use std::path::PathBuf;
use std::process::{Command, Output};

use cancuoc::softcard::{BlankOptions, SoftCard};
use pcsc::{PcscStack, wait_until};
use plugged::Plugged;

const TEST_KEY: &str = "404142434445464748494A4B4C4D4E4F";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Debian's Python, which has pyscard, with PyGP beside it (`scripts/install --tests`).
fn python() -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.env("PYTHONPATH", root().join("target/py-gp"));
    command
}

/// Whether the host can run here. A continuous integration run must have it.
fn can_run() -> bool {
    let find = "import smartcard.scard, cryptography, importlib.util, sys; \
                sys.exit(importlib.util.find_spec('pygp') is None)";
    let found = python().args(["-c", find]).output().is_ok_and(|output| output.status.success());
    if !found {
        assert!(std::env::var_os("CI").is_none(), "PyGP is missing: scripts/install --tests");
        eprintln!("skipped: PyGP is missing: scripts/install --tests");
    }
    found
}

fn open_channel(key: &str, level: &str) -> Output {
    let script = root().join("interop/pygp/channel.py");
    python().arg(script).args(["Virtual PCD 00 00", key, level, "30"]).output().unwrap()
}

#[test]
fn opens_channels_of_every_level_and_is_refused_by_other_keys() {
    if !can_run() {
        return;
    }
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    SoftCard::create(&path, &BlankOptions::test([0, 0, 0, 5])).unwrap();
    let _card = Plugged::new(path);
    // The reader needs a moment to see the card.
    assert!(wait_until(|| open_channel(TEST_KEY, "01").status.success()));

    // C-MAC; with C-DECRYPTION; with R-MAC; with all.
    for level in ["01", "03", "11", "33"] {
        let output = open_channel(TEST_KEY, level);
        let (said, errors) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        assert_eq!(said.trim(), "A000000151000000 01", "level {level}: {errors}");
    }

    // The foreign host checks what our card proves.
    let output = open_channel("00112233445566778899AABBCCDDEEFF", "03");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(errors.contains("card cryptogram"), "{errors}");
}
