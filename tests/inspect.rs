//! `inspect`, by the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

fn specimen(name: &str) -> String {
    format!("{}/testvectors/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn run_with(language: &str, arguments: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cancuoc"));
    command.args(["--lang", language, "inspect"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that reads no input closes it early.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn text(arguments: &[&str]) -> (Option<i32>, String) {
    run_with("en", arguments, b"")
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, out) = text(&[&["--json"], arguments].concat());
    (code, serde_json::from_str(&out).unwrap())
}

fn specimen_files() -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["bsi-2008", "bsi-tr03105-5", "cvc", "roots", "iso39794", "specimen", ""] {
        for entry in std::fs::read_dir(specimen(folder)).unwrap() {
            let path = entry.unwrap().path();
            let known = ["bin", "cer", "cvcert", "pkcs8", "ml", "hex", "jpg", "jp2"];
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if known.contains(&extension) {
                files.push(path.display().to_string());
            }
        }
    }
    files
}

#[test]
fn knows_and_describes_every_specimen() {
    let mut files = specimen_files();
    files.retain(|file| !file.ends_with("bsi-2008/Datagroup15.bin"));
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    let (code, document) = json(&arguments);
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "cancuoc.inspect/1");
    let described = document["files"].as_array().unwrap();
    assert_eq!(described.len(), files.len());
    for file in described {
        assert!(file["content"].is_object(), "{}", file["file"]);
        assert_ne!(file["kind"], "unknown", "{}", file["file"]);
    }
}

#[test]
fn says_what_is_wrong_with_the_one_specimen_that_is_malformed() {
    // Its modulus lacks the zero that keeps an INTEGER positive.
    let (code, document) = json(&[&specimen("bsi-2008/Datagroup15.bin")]);
    assert_eq!(code, Some(6));
    assert_eq!(document["files"][0]["error"]["code"], "public_key_malformed");
}

#[test]
fn has_a_word_in_both_languages_for_everything_it_shows() {
    let files = specimen_files();
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    for language in ["en", "vi"] {
        let (_, out) = run_with(language, &arguments, b"");
        // A label without a translation is a name as in JSON.
        let raw = |line: &&str| {
            let label = line.trim_start().trim_start_matches("- ").split(':').next().unwrap();
            label.contains('_') && label.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        let missing: Vec<_> = out.lines().filter(raw).collect();
        assert!(missing.is_empty(), "{language}: {missing:#?}");
        assert!(!out.contains("inspect."), "{language}: a text is missing");
    }
}

#[test]
fn verifies_a_security_object_and_the_data_groups_beside_it() {
    let [sod, dg1, dg2] = ["EF_SOD", "Datagroup1", "Datagroup2"]
        .map(|name| specimen(&format!("bsi-tr03105-5/{name}.bin")));
    let (code, document) = json(&["--verify", &sod, &dg1, &dg2]);
    let checks = document["files"][0]["checks"].as_array().unwrap();
    let statuses: Vec<_> = checks.iter().map(|c| c["status"].as_str().unwrap()).collect();
    // The certificate of the country is not there, so the chain is left open.
    assert_eq!(statuses, ["passed", "skipped", "passed", "passed"]);
    assert_eq!(code, Some(3));
}

#[test]
fn finds_a_data_group_that_is_not_signed() {
    let [sod, dg15] =
        ["EF_SOD", "Datagroup15"].map(|name| specimen(&format!("bsi-tr03105-5/{name}.bin")));
    let (code, out) = text(&["--verify", &sod, &dg15]);
    assert_eq!(code, Some(1));
    assert!(out.contains("FAILED Hash of a data group: The data group is not signed"), "{out}");
}

#[test]
fn finds_a_data_group_of_another_document() {
    let sod = specimen("bsi-tr03105-5/EF_SOD.bin");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dg1");
    let mut dg1 = std::fs::read(specimen("bsi-tr03105-5/Datagroup1.bin")).unwrap();
    *dg1.last_mut().unwrap() ^= 1;
    std::fs::write(&path, dg1).unwrap();
    let (code, document) = json(&["--verify", &sod, path.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert_eq!(document["files"][0]["checks"][2]["code"], "inspect_dg_hash_differs");
}

#[test]
fn verifies_a_certificate_by_its_own_key() {
    let (code, document) = json(&["--verify", &specimen("roots/de-csca07.cer")]);
    assert_eq!(code, Some(0));
    assert_eq!(document["files"][0]["checks"][0]["status"], "passed");
}

#[test]
fn refuses_a_certificate_with_a_changed_byte() {
    let mut certificate = std::fs::read(specimen("roots/de-csca07.cer")).unwrap();
    *certificate.last_mut().unwrap() ^= 1;
    let (code, out) = run_with("en", &["--verify", "-"], &certificate);
    assert_eq!(code, Some(1));
    assert!(out.contains("FAILED Signature of the certificate"), "{out}");
}

#[test]
fn shows_nothing_of_a_private_key() {
    let path = specimen("bsi-tr03105-5/DG15_sk.pkcs8");
    let key = hex::encode(std::fs::read(&path).unwrap());
    for arguments in [&["--json", &path][..], &[&path]] {
        let (code, out) = text(arguments);
        assert_eq!(code, Some(0));
        let out = out.to_lowercase();
        let shown = (60..key.len() - 16).step_by(2).any(|i| out.contains(&key[i..i + 16]));
        assert!(!shown, "{out}");
    }
}

#[test]
fn says_where_a_file_breaks_off_and_goes_on_with_the_next() {
    let sod = std::fs::read(specimen("bsi-2008/EF_SOD.bin")).unwrap();
    let (code, out) =
        run_with("en", &["--json", "-", &specimen("bsi-2008/EF_COM.bin")], &sod[..500]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(6));
    let (broken, whole) = (&document["files"][0], &document["files"][1]);
    assert_eq!(
        (&broken["kind"], &broken["error"]["code"]),
        (&"ef_sod".into(), &"file_malformed".into())
    );
    assert!(broken["error"]["detail"].as_str().unwrap().starts_with("EF.SOD: "));
    assert_eq!(whole["content"]["lds_version"], "0107");
}

#[test]
fn reads_the_texts_of_a_card() {
    let qr = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Số 1, Phường Mẫu, Hà Nội|01072021\n";
    let (code, out) = run_with("vi", &["-"], qr.as_bytes());
    assert_eq!(code, Some(0));
    assert!(out.contains("Họ, chữ đệm và tên: Nguyễn Thị Mẫu"), "{out}");
}

#[test]
fn does_not_know_random_bytes() {
    let (code, out) = run_with("en", &["-"], &[0xDE, 0xAD, 0xBE, 0xEF, 0x01]);
    assert_eq!(code, Some(6));
    assert!(out.contains("no file that cancuoc knows"), "{out}");
}

#[test]
fn shows_the_portrait_where_colours_are_asked_for() {
    for file in ["bsi-tr03105-5/Datagroup2.bin", "iso39794/dg2-icao-profile-all-fields.bin"] {
        let path = specimen(file);
        let (_, plain) = text(&[&path]);
        let (_, shown) = text(&["--color", "always", &path]);
        assert!(!plain.contains('▀') && shown.contains('▀'), "{file}");
    }
}

/// A CV PKI in a folder: CVCA, verifier with a first and a second request, terminal.
fn cv_pki() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let cvca = "VNCVCA00001.cvcert";
    for arguments in [
        &["cvca", "new", "--out", ".", "--holder", "VNCVCA"][..],
        &["dv", "request", "--out", ".", "--holder", "VNDV", "--cvca", cvca],
        &["cvca", "sign", "VNDV00001.csr", "--issuer", "."],
        &["is", "new", "--issuer", ".", "--out", ".", "--holder", "VNGATE", "--rights", "dg3"],
        &["dv", "request", "--out", ".", "--holder", "VNDV", "--cvca", cvca],
    ] {
        let mut command = assert_cmd::Command::cargo_bin("cancuoc").unwrap();
        command.current_dir(&folder).env("PW", "specimen").arg("pki").args(arguments);
        command.args(["--password", "env:PW"]).assert().success();
    }
    folder
}

fn in_folder(folder: &tempfile::TempDir, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| folder.path().join(name).display().to_string()).collect()
}

/// The checks of all files as `id status`, and the exit code.
fn cv_checks(files: &[String]) -> (Option<i32>, Vec<String>) {
    let mut arguments = vec!["--verify"];
    arguments.extend(files.iter().map(String::as_str));
    let (code, document) = json(&arguments);
    let files = document["files"].as_array().unwrap();
    let checks = files.iter().flat_map(|file| file["checks"].as_array().unwrap());
    let text = |check: &Value, name: &str| check[name].as_str().unwrap().to_owned();
    (code, checks.map(|c| format!("{} {}", text(c, "id"), text(c, "status"))).collect())
}

#[test]
fn shows_a_terminals_chain_certificate_by_certificate() {
    let folder = cv_pki();
    let files = in_folder(&folder, &["VNGATE00001.chain"]);
    let (code, document) = json(&[&files[0]]);
    assert_eq!(code, Some(0));
    let files = document["files"].as_array().unwrap();
    let roles: Vec<_> = files.iter().map(|f| f["content"]["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["dv_domestic", "terminal"]);
    let authorization = &files[1]["content"]["authorization"];
    assert_eq!(authorization["rights"], serde_json::json!(["DG3"]));
    assert_eq!(authorization["terminal_type"], "id-IS");
}

#[test]
fn verifies_a_chain_of_cv_certificates_up_to_its_cvca() {
    let folder = cv_pki();
    let files = in_folder(&folder, &["VNCVCA00001.cvcert", "VNGATE00001.chain"]);
    let passed = vec!["cv.signature passed".to_owned(); 3];
    assert_eq!(cv_checks(&files), (Some(0), passed));
}

#[test]
fn leaves_a_chain_open_whose_cvca_is_not_at_hand() {
    let folder = cv_pki();
    let files = in_folder(&folder, &["VNDV00001.cvcert"]);
    assert_eq!(cv_checks(&files), (Some(3), vec!["cv.signature skipped".to_owned()]));
}

#[test]
fn finds_a_cv_certificate_that_was_altered() {
    let folder = cv_pki();
    let files = in_folder(&folder, &["VNCVCA00001.cvcert", "VNDV00001.cvcert"]);
    let mut bytes = std::fs::read(&files[1]).unwrap();
    // The rights are the last bits of the authorization.
    let at = bytes.windows(3).position(|w| w == [0x53, 1, 0x83]).unwrap() + 2;
    bytes[at] = 0x80;
    std::fs::write(&files[1], bytes).unwrap();
    let expected = ["cv.signature passed", "cv.signature failed"].map(str::to_owned).to_vec();
    assert_eq!(cv_checks(&files), (Some(1), expected));
}

#[test]
fn verifies_both_signatures_of_an_authenticated_request() {
    let folder = cv_pki();
    let names = ["VNCVCA00001.cvcert", "VNDV00001.cvcert", "VNDV00002.csr", "VNDV00001.csr"];
    let files = in_folder(&folder, &names);
    let (code, checks) = cv_checks(&files);
    let of_requests =
        ["cv.request_signature passed", "cv.outer_signature passed", "cv.request_signature passed"];
    assert_eq!((code, &checks[2..]), (Some(0), &of_requests.map(str::to_owned)[..]));
}

#[test]
fn has_a_word_in_both_languages_for_all_of_the_cv_pki() {
    let folder = cv_pki();
    let names = ["VNCVCA00001.cvcert", "VNGATE00001.chain", "VNDV00001.csr", "VNDV00002.csr"];
    let files = in_folder(&folder, &names);
    let mut arguments = vec!["--verify"];
    arguments.extend(files.iter().map(String::as_str));
    for language in ["en", "vi"] {
        let (_, out) = run_with(language, &arguments, b"");
        let raw = |line: &&str| {
            let label = line.trim_start().trim_start_matches("- ").split(':').next().unwrap();
            label.contains('_') && label.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        let missing: Vec<_> = out.lines().filter(raw).collect();
        assert!(missing.is_empty() && !out.contains("inspect."), "{language}: {missing:#?} {out}");
    }
}

#[test]
fn knows_ef_cvca_with_its_references() {
    let mut file = b"\x42\x0BVNCVCA00002\x42\x0BVNCVCA00001".to_vec();
    file.resize(36, 0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("EF_CVCA.bin");
    std::fs::write(&path, file).unwrap();
    let (code, document) = json(&[path.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert_eq!(document["files"][0]["kind"], "ef_cvca");
    let expected = serde_json::json!(["VNCVCA00002", "VNCVCA00001"]);
    assert_eq!(document["files"][0]["content"]["authorities"], expected);
}
