//! A foreign terminal, our card, over PC/SC: a small reader in C whose cryptography is OpenPACE's
//! opens the software card in the virtual reader.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/pcsc.rs"]
#[allow(dead_code)]
mod pcsc;
mod support;

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use cancuoc::issue::CardImage;
use pcsc::PcscStack;
use support::compiled::compile;
use support::plugged::Plugged;
use support::{CAN, Issuer, IssuerKeys, content};

const LIBRARIES: &[&str] = &["libeac", "libcrypto", "libpcsclite"];
/// What the terminal looks for in the reader's name.
const READER: &str = "Virtual PCD 00 00";

/// Plugs the card in and lets the terminal open it.
fn run(program: &Path, image: &CardImage, folder: &Path, kind: &str, secret: &str) -> Output {
    let path = folder.join("card");
    let _ = std::fs::remove_file(&path);
    support::card_in_file(image, &path);
    let _card = Plugged::new(path);
    // The daemon looks at its readers a few times a second.
    let mut output = None;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        let run = Command::new(program).args([READER, kind, secret]).output().unwrap();
        let absent = run.status.code() == Some(4);
        output = Some(run);
        if !absent {
            break;
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    output.unwrap()
}

fn assert_reads_com(output: &Output, image: &CardImage, case: &str) {
    let fault = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {fault}");
    let read = String::from_utf8_lossy(&output.stdout);
    assert_eq!(read.trim(), hex::encode(content(image, 0x011E)), "{case}");
}

#[test]
fn a_foreign_terminal_opens_the_card_by_pace_with_generic_mapping() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compile("terminal.c", LIBRARIES, folder.path()) else { return };
    let issuer = Issuer::new(&IssuerKeys::default());
    let ecdh = ["2.1", "2.2", "2.3", "2.4"];
    let variants = [
        (13, ecdh[1]),
        (12, ecdh[1]),
        (13, ecdh[0]),
        (10, ecdh[0]),
        (8, ecdh[1]),
        (15, ecdh[2]),
        (16, ecdh[3]),
        (17, ecdh[3]),
        (18, ecdh[3]),
    ];
    for (parameter, protocol) in variants {
        let image = issuer.image(&[
            ("parameter = 13", &format!("parameter = {parameter}")),
            ("0.4.0.127.0.7.2.2.4.2.2", &format!("0.4.0.127.0.7.2.2.4.{protocol}")),
        ]);
        let output = run(&program, &image, folder.path(), "can", CAN);
        assert_reads_com(&output, &image, &format!("{parameter} {protocol}"));
    }
}

#[test]
fn a_foreign_terminal_opens_the_card_by_pace_with_the_mrz() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compile("terminal.c", LIBRARIES, folder.path()) else { return };
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    // EF.DG1 ends with the 90 characters of the three lines.
    let mrz = content(&image, 0x0101).last_chunk::<90>().unwrap();
    let mrz = String::from_utf8(mrz.to_vec()).unwrap();
    let output = run(&program, &image, folder.path(), "mrz", &mrz);
    assert_reads_com(&output, &image, "MRZ");
}

#[test]
fn a_foreign_terminal_is_refused_with_a_wrong_can() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(program) = compile("terminal.c", LIBRARIES, folder.path()) else { return };
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    let output = run(&program, &image, folder.path(), "can", "999999");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), "GENERAL AUTHENTICATE: 6300");
}
