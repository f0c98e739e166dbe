//! The terminal through the real PC/SC system: `pcscd` with a virtual reader that holds our card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "support/cards.rs"]
mod cards;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use cancuoc::issue::{CardImage, Location};
use cancuoc::lds::FileId;
use cancuoc::softcard::vpcd;
use cancuoc::terminal::{AccessPlan, ReadOptions, TerminalError, read_chip};
use cancuoc::transport::pcsc::{PcscCard, readers};
use cancuoc::transport::{CardTransport, TransportError};

use cards::{Wanted, image, keys, personalised, random};
use support::{PcscStack, VPCD, cancuoc, wait_until};

/// A card in the first virtual reader, until dropped.
struct Plugged {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Plugged {
    /// The card is made in the thread that it lives in.
    fn plug(image: Arc<CardImage>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut card = personalised(&image);
            vpcd::serve(&mut card, VPCD, &flag, |_| {}).expect("virtual reader");
        });
        assert!(wait_until(|| present() == 1), "the reader sees the card");
        Self { stop, thread: Some(thread) }
    }

    fn pull(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("card");
            assert!(wait_until(|| present() == 0), "the reader sees that the card is gone");
        }
    }
}

impl Drop for Plugged {
    fn drop(&mut self) {
        self.pull();
    }
}

fn present() -> usize {
    readers().map_or(0, |readers| readers.iter().filter(|r| r.atr.is_some()).count())
}

#[test]
fn reads_a_card_through_pcsc_and_notices_that_it_is_torn_out() {
    let Some(_stack) = PcscStack::take() else { return };
    let image = Arc::new(image(&Wanted { portrait: 18_000, ..Wanted::default() }));
    let mut plugged = Plugged::plug(image.clone());
    let plan = AccessPlan::pace(keys());

    let card = PcscCard::connect(None).unwrap();
    assert_eq!(card.atr(), cancuoc::softcard::ATR);
    let options = ReadOptions::default();
    let reading = read_chip(card, &plan, &options, &mut random(), &mut |_, _| {}).unwrap();
    for number in [1, 2, 13, 14, 15] {
        let expected = &image.file(Location::Lds1, 0x0100 | number).unwrap().content;
        assert!(reading.content(FileId(0x0100 | number)) == Some(expected), "DG{number}");
    }
    let statistics = reading.statistics;
    assert_eq!(statistics.apdus, statistics.apdus_min);
    assert!(statistics.efficiency >= 0.97, "{}", statistics.efficiency);

    // Nobody else gets in while the card is connected, and all can again afterwards.
    let mut first = PcscCard::connect(Some("Virtual PCD 00 00")).unwrap();
    let second = PcscCard::connect(Some("Virtual PCD 00 00"));
    assert!(matches!(second.err(), Some(TransportError::Busy { .. })));
    first.reset().unwrap();
    drop(first);

    let output = cancuoc().args(["readers", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let listed = document["readers"].as_array().unwrap();
    let with_card = listed.iter().find(|r| r["card"] == true).unwrap();
    assert_eq!(with_card["atr"], hex::encode_upper(cancuoc::softcard::ATR));

    // Torn out in mid-read: after the first file, before the next.
    let card = PcscCard::connect(Some("0")).unwrap();
    let error = read_chip(card, &plan, &options, &mut random(), &mut |file, _| {
        if file == FileId::COM {
            plugged.pull();
        }
    });
    let error = error.unwrap_err();
    assert!(matches!(error, TerminalError::Transport(TransportError::CardRemoved)), "{error}");
    let error = PcscCard::connect(Some("0")).err();
    assert!(matches!(error, Some(TransportError::NoCard { .. })), "{error:?}");
}
