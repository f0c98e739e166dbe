//! Foreign tools, our card: `opensc-tool` and `scriptor` send raw APDUs through the PC/SC daemon.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/support/pcsc.rs"]
#[allow(dead_code)]
mod pcsc;
mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use cancuoc::issue::Location;
use pcsc::{PcscStack, wait_until};
use support::plugged::Plugged;
use support::{Issuer, IssuerKeys};

/// Runs a tool with text on its standard input.
fn run(tool: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(tool);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{tool}: {error}");
            eprintln!("skipped: {tool}: {error}");
            return None;
        }
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn foreign_tools_reach_the_card_through_the_pcsc_daemon() {
    let Some(_stack) = PcscStack::take() else { return };
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card");
    support::card_in_file(&image, &path);
    let _card = Plugged::new(path);

    let atr = cancuoc::softcard::ATR.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>();
    let atr = atr.join(":");
    let seen = || run("opensc-tool", &["-a"], "").is_none_or(|text| text.contains(&atr));
    assert!(wait_until(seen), "opensc-tool -a shows the answer to reset {atr}");

    let arguments = [
        "-c",
        "default",
        "-s",
        "00:A4:04:0C:07:A0:00:00:02:47:10:01",
        "-s",
        "00:B0:9E:00:04",
        "-s",
        "00:84:00:00:08",
    ];
    if let Some(text) = run("opensc-tool", &arguments, "") {
        let answers: Vec<_> = text.lines().filter(|line| line.starts_with("Received")).collect();
        assert_eq!(answers.len(), 3, "{text}");
        assert!(answers[0].contains("SW1=0x90, SW2=0x00"), "SELECT: {text}");
        assert!(answers[1].contains("SW1=0x69, SW2=0x82"), "EF.COM without access: {text}");
        assert!(answers[2].contains("SW1=0x90, SW2=0x00"), "GET CHALLENGE: {text}");
    }

    let access = &image.file(Location::MasterFile, 0x011C).unwrap().content;
    let script = "reset\n00 A4 00 0C 02 3F 00\n00 B0 9C 00 00\n00 B0 82 00 00\n";
    if let Some(text) = run("scriptor", &[], script) {
        // scriptor breaks long answers over lines.
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&spaced(access)), "EF.CardAccess by its short identifier: {text}");
        assert!(flat.contains("69 82") || flat.contains("6A 82"), "DG2 stays closed: {text}");
    }
}
