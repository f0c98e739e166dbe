//! Cards of the forgery deck over the real PC/SC stack: one process of the built binary plays them,
//! another verifies each, and nobody tells the first when the second is done.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use support::{PcscStack, cancuoc, wait_until};

/// Cards of each way to end: with a verdict, without one, and torn out by itself.
const PLAYED: [&str; 4] = ["N00-good", "N20-name", "N40-replayed", "N41-gone-in-pace"];

/// `cancuoc emulate`, ended when dropped.
struct Player(Child);

impl Drop for Player {
    fn drop(&mut self) {
        let mut kill = Command::new("kill");
        let _ = kill.arg(self.0.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

fn card_present() -> bool {
    let output = cancuoc().args(["readers", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let readers = document["readers"].as_array().into_iter().flatten();
    readers.clone().any(|reader| reader["atr"].is_string())
}

/// The event with this number, once it is there.
fn event(file: &Path, number: usize) -> Value {
    let nth = || {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // The last line may not be whole yet.
        let line = text.split_inclusive('\n').nth(number).filter(|line| line.ends_with('\n'))?;
        serde_json::from_str::<Value>(line).ok()
    };
    assert!(wait_until(|| nth().is_some()), "event {number} does not come");
    nth().unwrap()
}

fn verify(folder: &Path, entry: &Value) -> (Option<i32>, Value) {
    let arguments = entry["arguments"].as_array().unwrap().iter().map(|a| a.as_str().unwrap());
    // Without the file of the card: it lies in the reader.
    let arguments: Vec<&str> = arguments.skip(2).collect();
    let output = cancuoc()
        .current_dir(folder)
        .args([
            "--json",
            "--card-timeout",
            if entry["error"] == "card_timeout" { "2" } else { "60" },
        ])
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn the_deck_is_played_card_after_card_and_each_gets_its_verdict() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let deck = folder.path().join("deck");
    let events = folder.path().join("events.jsonl");
    let only = PLAYED.iter().flat_map(|name| ["--only", name]);
    let made = cancuoc().args(["card", "forge", "--deck"]).arg(&deck).args(only.clone()).output();
    assert!(made.unwrap().status.success());

    let player = cancuoc()
        .args(["emulate", "--json", "--seconds", "600", "--events"])
        .arg(&events)
        .arg("--deck")
        .arg(&deck)
        .args(only)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    let mut player = Player(player.unwrap());
    let mut names = Vec::new();
    for number in 0..PLAYED.len() {
        let put_in = event(&events, 2 * number);
        assert_eq!(put_in["event"], "in");
        let entry = &put_in["entry"];
        assert!(wait_until(card_present), "{} does not appear in the reader", entry["name"]);
        let (exit, document) = verify(&deck, entry);
        assert_eq!(exit.map(i64::from), entry["exit"].as_i64(), "{} {document}", entry["name"]);
        assert_eq!(document["verdict"], entry["verdict"], "{}", entry["name"]);
        assert_eq!(document["error"]["code"], entry["error"], "{}", entry["name"]);
        let out = event(&events, 2 * number + 1);
        assert_eq!((&out["event"], &out["name"]), (&"out".into(), &entry["name"]));
        let why = if entry["error"] == "card_removed" { "gone" } else { "finished" };
        assert_eq!(out["why"], why, "{}", entry["name"]);
        names.push(entry["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, PLAYED);
    let mut summary = String::new();
    std::io::Read::read_to_string(player.0.stdout.as_mut().unwrap(), &mut summary).unwrap();
    assert!(player.0.wait().unwrap().success());
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["schema"], "cancuoc.emulate-deck/1");
    assert_eq!(summary["played"].as_array().unwrap().len(), PLAYED.len());
}

#[test]
fn a_card_that_never_answers_is_given_up() {
    let Some(_stack) = PcscStack::take() else { return };
    let folder = tempfile::tempdir().unwrap();
    let deck = folder.path().join("deck");
    let forge = ["card", "forge", "--only", "N41-silent", "--deck"];
    assert!(cancuoc().args(forge).arg(&deck).output().unwrap().status.success());
    let list: Value =
        serde_json::from_slice(&std::fs::read(deck.join("deck.json")).unwrap()).unwrap();
    let entries = list["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["name"] == "N41-silent").unwrap();
    let card = deck.join("N41-silent.card");
    let _player = Player(cancuoc().arg("emulate").arg(card).stderr(Stdio::null()).spawn().unwrap());
    assert!(wait_until(card_present));
    let (exit, document) = verify(&deck, entry);
    assert_eq!((exit, &document["error"]["code"]), (Some(4), &"card_timeout".into()));
}
