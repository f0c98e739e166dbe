//! The built binary: what it keeps of an inspection gives the same verdict again, without the card.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::cancuoc;

/// A folder with a personalised card of a profile, and its issuer.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(profile: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let (code, _) = place.run(&["card", "new", &place.text("a.card"), "--profile", profile]);
        assert_eq!(code, 0);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Exit code and JSON of a command.
    fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = cancuoc().args(arguments).arg("--json").output().unwrap();
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))
        });
        (output.status.code().unwrap(), json)
    }

    /// Verifies a card, and keeps the evidence in a file of that name.
    fn record(&self, card: &str, evidence: &str, more: &[&str]) -> (i32, Value) {
        let (reader, evidence) = (format!("card:{}", self.text(card)), self.text(evidence));
        let trust = self.text("a.issuer/trust");
        let mut arguments = vec!["--reader", &reader, "verify", "--can", "000018", "--trust"];
        arguments.extend([trust.as_str(), "--evidence", &evidence]);
        arguments.extend(more);
        self.run(&arguments)
    }

    /// Verifies what was kept.
    fn replay(&self, evidence: &[&str], more: &[&str]) -> (i32, Value) {
        let trust = self.text("a.issuer/trust");
        let paths: Vec<String> = evidence.iter().map(|name| self.text(name)).collect();
        let mut arguments = vec!["verify", "--replay"];
        arguments.extend(paths.iter().map(String::as_str));
        arguments.extend(["--trust", &trust]);
        arguments.extend(more);
        self.run(&arguments)
    }
}

/// Identifier, status and code of all checks on the document.
fn checks(json: &Value) -> Vec<(String, String, String)> {
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = json["checks"].as_array().unwrap().iter();
    let all = checks.map(|c| (text(c, "id"), text(c, "status"), text(c, "code")));
    all.filter(|(id, ..)| !id.starts_with("evidence.")).collect()
}

fn status(json: &Value, id: &str) -> String {
    let found = checks(json).into_iter().find(|(other, ..)| other == id).unwrap();
    format!("{} {}", found.1, found.2)
}

#[test]
fn evidence_gives_the_verdict_of_the_card_again() {
    for (profile, proof) in [("can-cuoc-2021", "chip.ca"), ("icao-pace-cam", "chip.pace_cam")] {
        let place = Place::new(profile);
        let (code, before) = place.record("a.card", "a.evidence", &[]);
        assert_eq!((code, &before["verdict"]), (0, &"genuine".into()));
        let (code, after) = place.replay(&["a.evidence"], &[]);
        assert_eq!((code, &after["verdict"]), (0, &"genuine".into()));
        assert_eq!(checks(&after), checks(&before));
        assert_eq!(status(&after, proof), "passed ok");
        assert_eq!(after["document"], before["document"]);
        assert_eq!(after["evidence"]["differ"], serde_json::json!([]));
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.path("a.evidence")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn evidence_of_a_clone_stays_that_of_a_clone() {
    let place = Place::new("can-cuoc-2021");
    let record = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/record.json");
    let (clone, issuer) = (place.text("clone.card"), place.text("a.issuer"));
    let forge = ["card", "forge", &clone, "--kind", "clone", "--record", record];
    let (code, _) = place.run(&[&forge[..], &["--issuer", &issuer, "--password", "test"]].concat());
    assert_eq!(code, 0);
    let (code, before) = place.record("clone.card", "clone.evidence", &[]);
    assert_eq!(code, 1);
    let (code, after) = place.replay(&["clone.evidence"], &[]);
    assert_eq!((code, checks(&after)), (1, checks(&before)));
    // What the chip answered is what counts, not the name of the verdict in the file.
    let path = place.path("clone.evidence");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"verdict\":\"forged\"", "\"verdict\":\"genuine\""))
        .unwrap();
    let (code, after) = place.replay(&["clone.evidence"], &[]);
    assert_eq!((code, &after["evidence"]["recorded_verdict"]), (1, &"genuine".into()));
}

#[test]
fn evidence_without_personal_data_rests_on_active_authentication() {
    let place = Place::new("can-cuoc-2021");
    let number = ["--evidence-redact"];
    assert_eq!(place.record("a.card", "a.evidence", &number).0, 0);
    let text = std::fs::read_to_string(place.path("a.evidence")).unwrap();
    assert!(!text.contains("terminal_key"), "the exchange under its keys can be decrypted with it");
    let (code, after) = place.replay(&["a.evidence"], &[]);
    assert_eq!(code, 0);
    assert_eq!(status(&after, "chip.aa"), "passed ok");
    assert_eq!(status(&after, "chip.ca"), "skipped proof_left_out");
    assert_eq!(status(&after, "pa.hashes"), "passed recorded_hashes");
    assert_eq!(status(&after, "consistency.dg1_dg13"), "passed recorded");
    assert_eq!(after["document"]["name"], Value::Null);
}

#[test]
fn signed_evidence_is_taken_from_its_signer_alone() {
    let place = Place::new("can-cuoc-2021");
    let key = place.text("a.issuer/ds.key");
    let certificate = place.text("a.issuer/ds.crt");
    let sign = ["--evidence-key", &key, "--evidence-password", "test"];
    let with = [&sign[..], &["--evidence-certificate", &certificate]].concat();
    assert_eq!(place.record("a.card", "a.evidence", &with).0, 0);
    let from = |signer: &str| place.replay(&["a.evidence"], &["--evidence-signer", signer]);
    let (_, json) = from(&certificate);
    let origin = json["checks"].as_array().unwrap().iter().find(|c| c["id"] == "evidence.origin");
    assert_eq!(origin.unwrap()["status"], "passed");
    let (code, json) = from(&place.text("a.issuer/csca.crt"));
    assert_eq!((code, &json["error"]["code"]), (6, &"evidence_signer_unknown".into()));
    let path = place.path("a.evidence");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("cancuoc 0", "cancuoc 9", 1)).unwrap();
    let (code, json) = place.replay(&["a.evidence"], &[]);
    assert_eq!((code, &json["error"]["code"]), (6, &"evidence_signature_invalid".into()));
}

#[test]
fn evidence_that_nobody_signed_says_so_beside_its_verdict() {
    let place = Place::new("can-cuoc-2021");
    place.record("a.card", "a.evidence", &[]);
    let (evidence, trust) = (place.text("a.evidence"), place.text("a.issuer/trust"));
    let report = place.text("a.html");
    let mut replay = cancuoc();
    replay.args(["verify", "--replay", &evidence, "--trust", &trust]);
    let output = replay.args(["--report", &report]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let (_, told) = told.split_once("GENUINE").unwrap();
    assert!(told.contains("→ nobody signed the evidence file"), "{told}");
    let page = std::fs::read_to_string(report).unwrap();
    let (_, reasons) = page.split_once("<ul class=\"reasons\">").unwrap();
    assert!(reasons.contains("nobody signed the evidence file"));
    let (header, _) = page.split_once("</header>").unwrap();
    assert!(header.contains("nobody signed the evidence file"), "beside the verdict");
    let (_, json) = place.replay(&["a.evidence"], &[]);
    assert_eq!(json["warnings"][0]["code"], "evidence_not_signed");
}

#[test]
fn a_list_warns_of_each_file_that_nobody_signed() {
    let place = Place::new("can-cuoc-2021");
    let key = place.text("a.issuer/ds.key");
    place.record("a.card", "a.evidence", &[]);
    place.record("a.card", "b.evidence", &["--evidence-key", &key, "--evidence-password", "test"]);
    let (code, json) = place.replay(&["a.evidence", "b.evidence"], &[]);
    assert_eq!((code, &json["warned"]), (0, &2.into()));
    let warnings = |n: usize| &json["results"][n]["warnings"];
    let of = |code: &str| serde_json::json!([{ "id": "evidence.origin", "code": code }]);
    assert_eq!(*warnings(0), of("evidence_not_signed"));
    assert_eq!(*warnings(1), of("evidence_signer_unknown"));
    let (path, trust) = (place.text("."), place.text("a.issuer/trust"));
    let output = cancuoc().args(["verify", "--replay", &path, "--trust", &trust]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    for code in ["evidence_not_signed", "evidence_signer_unknown"] {
        assert!(told.contains(&format!("WARNING: evidence.origin: {code}")), "{told}");
        assert!(told.contains(&format!("→ {code}: ")), "{told}");
    }
}

#[test]
fn the_strict_policy_of_who_replays_takes_no_proof_that_whoever_wrote_the_file_can_make_up() {
    let place = Place::new("icao-pace-cam");
    let (key, certificate) = (place.text("a.issuer/ds.key"), place.text("a.issuer/ds.crt"));
    place.record("a.card", "a.evidence", &[]);
    let sign = ["--evidence-key", &key, "--evidence-password", "test"];
    let with = [&sign[..], &["--evidence-certificate", &certificate]].concat();
    place.record("a.card", "signed.evidence", &with);
    let strict = ["--policy", "strict"];
    let (code, json) = place.replay(&["a.evidence"], &strict);
    assert_eq!((code, &*status(&json, "chip.pace_cam")), (3, "skipped evidence_not_signed"));
    let differ = json["evidence"]["differ"].as_array().unwrap();
    assert!(differ.contains(&"chip.pace_cam".into()), "{differ:?}");
    let (code, json) = place.replay(&["signed.evidence"], &strict);
    assert_eq!((code, &*status(&json, "chip.pace_cam")), (3, "skipped evidence_signer_unknown"));
    let known = [&strict[..], &["--evidence-signer", &certificate]].concat();
    assert_eq!(place.replay(&["signed.evidence"], &known).0, 0);
    assert_eq!(place.replay(&["a.evidence"], &["--policy", "standard"]).0, 0);
    // Active Authentication is a signature of the chip, which anybody can check.
    let signing = Place::new("can-cuoc-2021");
    signing.record("a.card", "a.evidence", &[]);
    let (code, json) = signing.replay(&["a.evidence"], &strict);
    assert_eq!((code, &*status(&json, "chip.ca")), (0, "skipped evidence_not_signed"));
    assert_eq!(status(&json, "chip.aa"), "passed ok");
}

#[test]
fn many_files_are_one_list() {
    let place = Place::new("can-cuoc-2021");
    place.record("a.card", "a.evidence", &[]);
    std::fs::copy(place.path("a.evidence"), place.path("c.evidence")).unwrap();
    std::fs::write(place.path("b.evidence"), "{}").unwrap();
    let (code, json) = place.replay(&["."], &["--jobs", "2"]);
    assert_eq!((code, &json["schema"]), (6, &"cancuoc.replay/1".into()));
    let results = json["results"].as_array().unwrap();
    let names = results.iter().map(|r| Path::new(r["file"].as_str().unwrap()).file_name().unwrap());
    assert!(names.eq(["a.evidence", "b.evidence", "c.evidence"]));
    assert_eq!(results[1]["error"]["code"], "evidence_malformed");
    assert_eq!(results[0]["verdict"], results[2]["verdict"]);
    assert_eq!((&json["files"], &json["errors"]), (&3.into(), &1.into()));
}

#[test]
fn a_report_is_a_page_or_json_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("can-cuoc-2021");
    let (page, json) = (place.text("a.html"), place.text("a.json"));
    let more = ["--report", &page, "--report", &json];
    assert_eq!(place.record("a.card", "a.evidence", &more).0, 0);
    for path in [&page, &json] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let page = std::fs::read_to_string(&page).unwrap();
    for text in ["THẬT", "GENUINE", "Nguyễn Thị Mẫu", "data:image/jpeg;base64,"] {
        assert!(page.contains(text), "{text}");
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(
        (&json["schema"], &json["verdict"]),
        (&"cancuoc.report/1".into(), &"genuine".into())
    );
    let kinds: Vec<_> =
        json["certificates"].as_array().unwrap().iter().map(|c| &c["kind"]).collect();
    assert_eq!(kinds, ["document_signer", "country_signing_ca"]);
    // Of an evidence file too, but not of many.
    let replayed = place.text("again.html");
    assert_eq!(place.replay(&["a.evidence"], &["--report", &replayed]).0, 0);
    assert!(std::fs::read_to_string(&replayed).unwrap().contains("cancuoc"));
    assert_eq!(place.replay(&["."], &["--report", &replayed]).0, 2);
}

#[test]
fn an_inconclusive_verdict_names_what_it_lacks_in_both_languages() {
    let place = Place::new("icao-pace-cam");
    place.record("a.card", "a.evidence", &[]);
    let evidence = place.text("a.evidence");
    let told = |language: &str| {
        let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_cancuoc"));
        verify.args(["--lang", language, "verify", "--replay", &evidence]);
        let output = verify.args(["--report", &place.text("a.html")]).output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = told("en");
    assert!(text.contains("Wanted: a CSCA certificate of VN with key identifier "), "{text}");
    assert!(text.contains("Lacking for 'genuine': Chip Authentication ("), "{text}");
    let text = told("vi");
    assert!(text.contains("Cần: chứng thư CSCA của VN có định danh khóa "), "{text}");
    assert!(text.contains("Để kết luận là thật còn thiếu: Xác thực chip (CA) ("), "{text}");
    let page = std::fs::read_to_string(place.path("a.html")).unwrap();
    assert!(page.contains("Wanted: a CSCA certificate of VN"));
}
