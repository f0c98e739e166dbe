//! Our reader, a foreign card: a small travel document in C whose cryptography is OpenPACE's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cancuoc::document::{AccessKeys, Can};
use cancuoc::issue::{CardImage, Location};
use cancuoc::lds::FileId;
use cancuoc::terminal::{AccessPlan, ReadOptions, TerminalError, read_chip};
use cancuoc::transport::{CardTransport, TransportError};
use support::compiled::compile;
use support::{CAN, Issuer, IssuerKeys};

/// The foreign card as a process: a line with a command, a line with its response.
struct ForeignCard {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ForeignCard {
    /// Builds and starts the card; `None`, with the reason printed, where libeac or a C compiler
    /// is missing; with `CI` set that is a failure.
    fn start(image: &CardImage, folder: &Path) -> Option<Self> {
        for file in &image.files {
            if file.location == Location::Lds1 || file.fid == 0x011C {
                std::fs::write(folder.join(format!("{:04X}", file.fid)), &file.content).unwrap();
            }
        }
        let program = compile("card.c", &["libeac", "libcrypto"], folder)?;
        let mut process = Command::new(program)
            .arg(CAN)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Some(Self { process, input, output })
    }

    fn say(&mut self, line: &str) -> Result<Vec<u8>, TransportError> {
        let failed = |detail: String| TransportError::Failed { detail };
        writeln!(self.input, "{line}").map_err(|error| failed(error.to_string()))?;
        let mut answer = String::new();
        self.output.read_line(&mut answer).map_err(|error| failed(error.to_string()))?;
        hex::decode(answer.trim()).map_err(|error| failed(error.to_string()))
    }
}

impl Drop for ForeignCard {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl CardTransport for ForeignCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let response = self.say(&hex::encode(command))?;
        if response.len() < 2 { Err(TransportError::CardRemoved) } else { Ok(response) }
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn max_command_length(&self) -> usize {
        261
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        self.say("").map(drop)
    }
}

fn plan(can: &str) -> AccessPlan {
    AccessPlan::pace(AccessKeys::from_can(Can::new(can).unwrap()))
}

/// What the foreign card has no keys for is not asked.
fn options() -> ReadOptions {
    ReadOptions {
        chip_authentication: false,
        active_authentication: false,
        ..ReadOptions::default()
    }
}

#[test]
fn opens_and_reads_a_foreign_card_by_pace_on_every_curve_and_cipher() {
    let issuer = Issuer::new(&IssuerKeys::default());
    let protocol = "protocol = \"0.4.0.127.0.7.2.2.4.2.2\"";
    let aes192 = (protocol, "protocol = \"0.4.0.127.0.7.2.2.4.2.3\"");
    let aes256 = (protocol, "protocol = \"0.4.0.127.0.7.2.2.4.2.4\"");
    let curve = |id: &'static str| ("parameter = 13", id);
    let variants = [
        vec![],
        vec![curve("parameter = 12")],
        vec![curve("parameter = 15"), aes192],
        vec![curve("parameter = 16"), aes256],
        vec![curve("parameter = 17"), aes256],
        vec![curve("parameter = 18"), aes256],
    ];
    for changes in &variants {
        let folder = tempfile::tempdir().unwrap();
        let image = issuer.image(changes);
        let Some(card) = ForeignCard::start(&image, folder.path()) else { return };
        let reading =
            read_chip(card, &plan(CAN), &options(), &mut support::random(), &mut |_, _| {});
        let reading = reading.unwrap_or_else(|error| panic!("{changes:?}: {error}"));
        assert_eq!((reading.access.protocol, reading.access.password), ("PACE", "CAN"));
        for file in image.files.iter().filter(|file| file.location == Location::Lds1) {
            let read = reading.content(FileId(file.fid));
            assert_eq!(read, Some(file.content.as_slice()), "{changes:?} {:04X}", file.fid);
        }
    }
}

#[test]
fn tells_from_a_foreign_card_that_the_can_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    let Some(card) = ForeignCard::start(&image, folder.path()) else { return };
    let error =
        read_chip(card, &plan("999999"), &options(), &mut support::random(), &mut |_, _| {})
            .unwrap_err();
    assert!(matches!(error, TerminalError::WrongPassword { password: "CAN", .. }), "{error}");
}
