//! The built binary as a checkpoint over the real PC/SC stack: cards in and out, forged and torn
//! out, the service stopped and started again.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

#[path = "support/checkpoint.rs"]
mod checkpoint;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use checkpoint::{Cards, Tty};
use support::{Emulation, PcscStack, card_in_use, wait_until};

const MRZ: &str = "IDVNM2000000185001200000018<<6\r0001018F4001016VNM<<<<<<<<<<<0\r\
                   NGUYEN<<THI<MAU<<<<<<<<<<<<<<<\r";

#[test]
fn cards_and_readers_come_and_go_and_each_card_has_its_verdict() {
    let Some(mut stack) = PcscStack::take() else { return };
    let cards = Cards::new();
    let scanner = Tty::open();
    let _keep_open = scanner.slave();
    let mut command = cards.checkpoint(&[]);
    command.arg("--input").arg(&scanner.name).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let (genuine, clone) = (cards.path("genuine.card"), cards.path("clone.card"));

    // The card first, then its MRZ.
    let card = Emulation::start(&genuine);
    assert!(said.any(|line| line.contains("SCAN THE CARD")));
    scanner.type_in(MRZ);
    cards.wait_for(1, &mut child);
    drop(card);

    // The scan first, then the card.
    scanner.type_in("000018\r");
    let card = Emulation::start(&clone);
    cards.wait_for(2, &mut child);
    drop(card);

    // What was scanned of another card does not open this one; scanned anew it is read.
    let card = Emulation::start(&genuine);
    scanner.type_in("001200000019\r");
    cards.wait_for(3, &mut child);
    scanner.type_in("001200000018\r");
    cards.wait_for(4, &mut child);
    drop(card);

    // Torn out while it is read.
    let card = Emulation::start_with(&genuine, &["--link", "106"]);
    scanner.type_in("000018\r");
    assert!(wait_until(card_in_use), "the card is being read");
    card.tear_out();
    cards.wait_for(5, &mut child);

    let mut expected = vec!["genuine", "forged", "unread", "genuine", "unread"];
    let restarted = stack.restart(|| {
        assert!(said.any(|line| line.contains("PC/SC service does not run")));
    });
    if restarted {
        assert!(said.any(|line| line.contains("PC/SC service runs again")));
        let card = Emulation::start(&genuine);
        scanner.type_in("000018\r");
        cards.wait_for(6, &mut child);
        drop(card);
        expected.push("genuine");
    }
    let _ = std::process::Command::new("kill").arg(child.id().to_string()).status();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(cards.verdicts(), expected);
    let journal = cards.journal();
    let code = |index: usize| journal[index]["reasons"][0]["code"].as_str().unwrap();
    assert_eq!(code(1), "chip_authentication_failed");
    assert_eq!(code(2), "access_password_wrong");
    assert!(["card_removed", "transmission_failed"].contains(&code(4)), "{}", code(4));
}
