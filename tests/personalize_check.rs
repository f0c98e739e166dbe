//! `personalize --check` and `--schema`, by the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::Value;

fn specimen(name: &str) -> String {
    format!("{}/testvectors/specimen/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    run_in("en", arguments)
}

fn run_in(language: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cancuoc"));
    command.env_remove("CANCUOC_READER").args(["--lang", language]).args(arguments);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn finds_nothing_wrong_with_the_specimen() {
    let record = specimen("record.json");
    let (code, out, _) = run(&["personalize", "--check", "--json", "--record", &record]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "cancuoc.personalize-check/1");
    assert_eq!(document["valid"], true);
}

#[test]
fn reports_ten_mistakes_at_once_each_with_its_path() {
    let record = specimen("ten-mistakes.json");
    let (code, out, _) = run(&["personalize", "--check", "--json", "--record", &record]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(6));
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 10);
    assert!(findings.iter().all(|f| f["path"].as_str().unwrap().starts_with('$')));
}

#[test]
fn says_the_mistakes_in_vietnamese() {
    let record = specimen("ten-mistakes.json");
    let (_, english, _) = run(&["personalize", "--check", "--record", &record]);
    let (code, vietnamese, _) = run_in("vi", &["personalize", "--check", "--record", &record]);
    assert_eq!(code, Some(6));
    assert_eq!(english.lines().count(), vietnamese.lines().count());
    assert!(vietnamese.contains("lỗi"));
}

#[test]
fn names_a_record_that_is_not_there() {
    let (code, out, _) = run(&["personalize", "--check", "--json", "--record", "no-such.json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(6));
    assert_eq!(document["schema"], "cancuoc.error/1");
    assert!(document["error"]["message"].as_str().unwrap().contains("no-such.json"));
}

#[test]
fn prints_the_schema_of_records() {
    let (code, out, _) = run(&["personalize", "--schema"]);
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(schema["properties"]["schema"]["const"], "cancuoc.record/1");
}
