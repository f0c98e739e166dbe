//! The whole forgery deck over the real PC/SC stack: `cancuoc emulate` plays the cards in several
//! virtual readers, and the library reads each through PC/SC and inspects it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

#[path = "support/deck.rs"]
mod verifier;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use cancuoc::deck::{Deck, Entry, Expected};
use cancuoc::transport::TransportError;
use cancuoc::transport::pcsc::{PcscCard, ReaderChange, ReaderWatch};
use cancuoc::trust::TrustStore;
use serde_json::Value;
use support::{PcscStack, VirtualReader, cancuoc};

/// Pairs of readers. The daemon looks at a reader every 400 ms and needs two looks to see that a
/// card was exchanged: that is what this test waits for, so several readers wait at once.
const PAIRS: u16 = 4;

/// The cards that one player puts into one reader.
struct Share {
    entries: Vec<&'static Entry>,
    /// Names that these and no other entries begin with.
    names: Vec<&'static str>,
}

/// Deals the deck to so many players.
fn deal(players: usize) -> Vec<Share> {
    let all = Deck::entries();
    let starts_with_another =
        |name: &str| all.iter().any(|other| other.name != name && name.starts_with(other.name));
    let names = all.iter().map(|entry| entry.name).filter(|name| !starts_with_another(name));
    let mut shares = Vec::new();
    shares.resize_with(players, Vec::new);
    for (index, name) in names.enumerate() {
        shares[index % players].push(name);
    }
    let share = |names: Vec<&'static str>| {
        let own = |entry: &&&Entry| names.iter().any(|name| entry.name.starts_with(name));
        Share { entries: all.iter().filter(own).copied().collect(), names: names.clone() }
    };
    shares.into_iter().map(share).collect()
}

/// `cancuoc emulate --deck --step` in one of the readers; ended when dropped.
struct Player {
    process: Child,
    events: PathBuf,
    reader: VirtualReader,
    watch: ReaderWatch,
}

impl Player {
    fn start(deck: &Path, reader: VirtualReader, share: &Share) -> Self {
        let events = deck.join(format!("{}.jsonl", reader.name));
        let mut command = cancuoc();
        command.args(["emulate", "--json", "--step", "--vpcd", &reader.address]);
        command.arg("--deck").arg(deck).arg("--events").arg(&events);
        command.args(share.names.iter().flat_map(|name| ["--only", name]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self { process: command.spawn().unwrap(), events, reader, watch: ReaderWatch::new() }
    }

    /// Moves a card and waits until the daemon has seen it.
    fn step(&mut self, line: &str, seen: &ReaderChange) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{line}").unwrap();
        while !self.watch.wait(Duration::from_secs(1)).contains(seen) {
            // After its last card it ends, before the daemon has looked.
            let ended = self.process.try_wait().unwrap();
            let last = line == "out" && ended.is_some_and(|status| status.success());
            assert!(ended.is_none() || last, "{}: the player is gone", self.reader.name);
        }
    }

    /// What differs from what the entry says, with its card in the reader meanwhile.
    fn visit(&mut self, entry: &Entry, trust: &TrustStore) -> Option<String> {
        self.step("in", &ReaderChange::CardPresent(self.reader.name.clone()));
        let found = verifier::verify(Box::new(connect(&self.reader.name)), entry, trust);
        self.step("out", &ReaderChange::CardRemoved(self.reader.name.clone()));
        verifier::differences(entry, &found)
    }

    /// What the player tells of its cards: names, and why they went out.
    fn end(mut self) -> Vec<(String, String)> {
        let mut summary = String::new();
        self.process.stdout.as_mut().unwrap().read_to_string(&mut summary).unwrap();
        assert!(self.process.wait().unwrap().success());
        let summary: Value = serde_json::from_str(&summary).unwrap();
        let events = std::fs::read_to_string(&self.events).unwrap();
        let mut events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut played = Vec::new();
        for out in summary["played"].as_array().unwrap() {
            let put_in = events.next().unwrap();
            assert_eq!((&put_in["event"], &put_in["name"]), (&"in".into(), &out["name"]));
            assert_eq!(events.next().as_ref(), Some(out));
            let text = |name: &str| out[name].as_str().unwrap().to_owned();
            played.push((text("name"), text("why")));
        }
        played
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Connects to the card in a reader. The program's hold on the card before may be the thread's that
/// was left waiting for it.
fn connect(reader: &str) -> PcscCard {
    loop {
        match PcscCard::connect(Some(reader)) {
            Err(TransportError::Busy { .. }) => std::thread::yield_now(),
            card => return card.unwrap(),
        }
    }
}

fn why(entry: &Entry) -> &'static str {
    match entry.expected {
        Expected::Aborted { error: "card_removed", .. } => "gone",
        _ => "taken",
    }
}

#[test]
fn every_card_of_the_deck_gets_exactly_what_its_entry_says_through_pcsc() {
    let Some(stack) = PcscStack::take_with(PAIRS) else { return };
    let folder = tempfile::tempdir().unwrap();
    let deck = folder.path().join("deck");
    let made = cancuoc().args(["card", "forge", "--deck"]).arg(&deck).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut trust = BTreeMap::new();
    for entry in Deck::entries() {
        let name = entry.trust.name;
        let load = || TrustStore::load(&deck.join("trust").join(name)).unwrap();
        trust.entry(name).or_insert_with(load);
    }

    let shares = deal(stack.readers().len());
    let play = |reader: &VirtualReader, share: &Share| {
        let mut player = Player::start(&deck, reader.clone(), share);
        let visit = |entry: &&Entry| player.visit(entry, &trust[entry.trust.name]);
        let wrong: String = share.entries.iter().filter_map(visit).collect();
        let played: Vec<_> = share.entries.iter().map(|e| (e.name.into(), why(e).into())).collect();
        assert_eq!(player.end(), played);
        wrong
    };
    let wrong: String = std::thread::scope(|scope| {
        let (play, readers) = (&play, stack.readers());
        let threads = readers
            .iter()
            .zip(&shares)
            .map(|(reader, share)| scope.spawn(move || play(reader, share)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{wrong}");
    let played: usize = shares.iter().map(|share| share.entries.len()).sum();
    assert_eq!(played, Deck::entries().len());
    println!("{played} cards in {} readers", stack.readers().len());
}
