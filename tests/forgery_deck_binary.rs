//! The forgery deck by the built binary: made as files, listed, and of each row a card and its good
//! twin verified, with exit codes.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use support::cancuoc;

fn json(arguments: &[&str]) -> Value {
    let output = cancuoc().args(arguments).arg("--json").output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn texts<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    value[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// What differs from what an entry says; nothing where all is as it must be.
fn difference(folder: &Path, entry: &Value) -> Option<String> {
    let arguments = texts(entry, "arguments");
    let output = cancuoc()
        .current_dir(folder)
        // For the one that never answers.
        .args(["--card-timeout", if entry["error"] == "card_timeout" { "1" } else { "300" }])
        .args(["--json"])
        .args(arguments)
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let pairs = |checks: &Value| {
        let failed = checks.as_array().into_iter().flatten().filter(|c| c["status"] == "failed");
        failed.map(|c| format!("{} {}", c["id"], c["code"])).collect::<BTreeSet<_>>()
    };
    let right = output.status.code() == entry["exit"].as_i64().map(|exit| exit as i32)
        && document["verdict"] == entry["verdict"]
        && document["error"]["code"] == entry["error"]
        && pairs(&document["checks"]) == pairs(&entry["checks"]);
    (!right).then(|| {
        let (status, name) = (output.status, &entry["name"]);
        format!("{name}: {status} {} {}", document["verdict"], document["error"]["code"])
    })
}

#[test]
fn of_each_row_a_card_and_its_twin_are_what_the_list_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("deck");
    let made = json(&["card", "forge", "--deck", folder.to_str().unwrap()]);
    let list = std::fs::read(folder.join("deck.json")).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(list, json(&["card", "forge", "--list"]));
    let entries = list["entries"].as_array().unwrap();
    let bad = entries.iter().filter(|entry| entry["good"] == false);
    assert_eq!(made["bad"], bad.clone().count());
    assert!(made["bad"].as_u64().unwrap() >= 80);

    let mut rows = BTreeSet::new();
    let first: Vec<&Value> = bad.filter(|entry| rows.insert(entry["row"].to_string())).collect();
    assert!(first.len() >= 45, "{} rows", first.len());
    let twins: BTreeSet<String> = first.iter().map(|entry| entry["twin"].to_string()).collect();
    let twins = entries.iter().filter(|entry| twins.contains(&entry["name"].to_string()));
    let played = first.iter().copied().chain(twins);
    let wrong: Vec<String> = played.filter_map(|entry| difference(&folder, entry)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_deck_is_not_written_into_a_folder_with_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "x").unwrap();
    let output = cancuoc().args(["card", "forge", "--deck"]).arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_card_that_misbehaves_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let deck = folder.path().join("deck");
    json(&["card", "forge", "--deck", deck.to_str().unwrap(), "--only", "N40-wrong-mac"]);
    let card = |name: &str| deck.join(name).to_str().unwrap().to_owned();
    let shown = json(&["card", "show", &card("N40-wrong-mac.card")]);
    assert_eq!(texts(&shown, "misbehaviour"), ["protect wrong_mac"]);
    let shown = json(&["card", "show", &card("N00-good.card")]);
    assert_eq!(shown["misbehaviour"], serde_json::json!([]));
}
