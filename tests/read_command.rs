//! `read` by the built binary, from a software card in a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "support/cards.rs"]
mod cards;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cancuoc::issue::{CardImage, Location};
use serde_json::Value;

use cards::{Wanted, image, personalised_file};
use support::cancuoc;

struct Bench {
    folder: tempfile::TempDir,
    image: CardImage,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = image(&Wanted { portrait: 5_000, ..Wanted::default() });
        personalised_file(&folder.path().join("test.card"), &image);
        Self { folder, image }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `read` with the CAN from a file; exit code and JSON.
    fn read(&self, can: &str, more: &[&str]) -> (i32, Value) {
        let secret = self.path("can.txt");
        std::fs::write(&secret, can).unwrap();
        let output = cancuoc()
            .arg(format!("--reader=card:{}", self.path("test.card").display()))
            .args(["--json", "read", "--out"])
            .arg(self.path("out"))
            .arg(format!("--can=file:{}", secret.display()))
            .args(more)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code().unwrap(), json)
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn saves_the_bytes_of_every_file_for_its_owner_alone() {
    let bench = Bench::new();
    let (code, json) = bench.read("000018", &[]);
    assert_eq!((code, &json["schema"]), (0, &"cancuoc.read/1".into()), "{json:#}");
    for (number, name) in [(1, "EF.DG1"), (2, "EF.DG2"), (13, "EF.DG13")] {
        let saved = std::fs::read(bench.path("out").join(format!("{name}.bin"))).unwrap();
        let expected = &bench.image.file(Location::Lds1, 0x0100 | number).unwrap().content;
        assert!(saved == *expected, "{name}");
    }
    assert_eq!(mode(&bench.path("out")), 0o700);
    for entry in std::fs::read_dir(bench.path("out")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let document = std::fs::read_to_string(bench.path("out").join("document.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["mrz"].as_array().unwrap().len(), 3);
}

#[test]
fn tells_what_reading_cost_and_the_least_it_could_have_cost() {
    let bench = Bench::new();
    let (_, json) = bench.read("000018", &[]);
    let statistics = &json["statistics"];
    assert_eq!(statistics["apdus"], statistics["apdus_min"]);
    assert_eq!(statistics["efficiency"], statistics["efficiency_bound"]);
    assert_eq!(statistics["rereads"], 0);
    assert_eq!(json["access"]["protocol"], "PACE");
    assert_eq!(json["access"]["domain"], "brainpoolP256r1");
}

#[test]
fn tells_the_time_on_a_modelled_link_and_the_same_each_time() {
    let bench = Bench::new();
    let air = |more: &[&str]| bench.read("000018", more).1["apdus"]["air_ms"].as_f64();
    let [first, again] = [(); 2].map(|()| air(&["--link", "848"]));
    assert!(first.is_some_and(|milliseconds| milliseconds > 50.0), "{first:?}");
    assert_eq!((first, air(&[])), (again, None));
}

#[test]
fn models_no_link_of_a_real_reader() {
    let output = cancuoc()
        .args(["--json", "--reader", "0", "--link", "424", "read", "--can", "000018", "--out", "x"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn exits_with_5_and_warns_when_the_can_is_wrong() {
    let (code, json) = Bench::new().read("123456", &[]);
    assert_eq!((code, &json["error"]["code"]), (5, &"access_password_wrong".into()));
    assert!(json["error"]["hint"].as_str().unwrap().contains("block"), "{json:#}");
}

#[test]
fn keeps_personal_data_out_of_the_trace() {
    let bench = Bench::new();
    let trace = bench.path("trace.jsonl");
    let (code, _) = bench.read("000018", &["--trace", trace.to_str().unwrap()]);
    assert_eq!((code, mode(&trace)), (0, 0o600));
    let text = std::fs::read_to_string(&trace).unwrap();
    let line = hex::encode(&cards::MRZ[..30]);
    assert!(text.lines().count() > 10 && !text.contains(&line));
    let (_, _) = bench.read("000018", &["--trace", trace.to_str().unwrap(), "--trace-secrets"]);
    assert!(std::fs::read_to_string(&trace).unwrap().contains(&line));
}
