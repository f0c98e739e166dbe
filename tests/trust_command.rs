//! `trust` and `pki masterlist` by the built binary: what is taken, what is refused, and what is said.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod support;

use std::path::{Path, PathBuf};

use cancuoc::lds::{CertificateParts, SignedData, decode_master_list};
use cancuoc::trust::TrustStore;
use cancuoc_primitives::hash::HashAlgorithm;
use serde_json::Value;

const GERMAN: &str = "masterlist-de-2026-05-28.ml";

fn testvector(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testvectors").join(path)
}

/// Runs the program in a folder; exit code and JSON.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = support::cancuoc();
    command.current_dir(folder).env("PW", "secret").arg("--json").args(arguments);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}")))
}

fn code(answer: &(Option<i32>, Value)) -> (Option<i32>, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default())
}

fn done(folder: &Path, arguments: &[&str]) -> Value {
    let (exit, document) = run(folder, arguments);
    assert_eq!(exit, Some(0), "{document:#}");
    document
}

/// A folder with an issuer, `pki/`, and its certificate as the anchor of a trust folder, `trust/`.
fn issuer(country: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let new = ["pki", "csca", "--out", "pki", "--country", country, "--key", "P-256"];
    done(path, &[&new, &["--password", "env:PW"][..]].concat());
    done(path, &["trust", "add", "--anchor", "pki/csca.crt", "--trust", "trust"]);
    folder
}

fn masterlist(folder: &Path, more: &[&str]) {
    let list = ["pki", "masterlist", "--issuer", "pki", "--password", "env:PW"];
    done(folder, &[&list, more].concat());
}

#[test]
fn takes_the_german_list_once_its_anchor_is_trusted_and_says_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let list = testvector(GERMAN);
    let list = list.to_str().unwrap();
    let add = ["trust", "add", list, "--trust", "trust", "--from", "published in May"];
    assert_eq!(code(&run(path, &add)), (Some(6), "list_signer_unknown"));
    assert!(!path.join("trust").join(GERMAN).exists());
    let root = testvector("roots/de-csca07.cer");
    let root = root.to_str().unwrap();
    let plain = ["trust", "add", root, "--trust", "trust"];
    assert_eq!(code(&run(path, &plain)), (Some(7), "trust_anchor_needed"));
    done(path, &[&plain[..], &["--anchor"]].concat());
    let added = done(path, &add);
    assert_eq!(added["added"][0]["master_lists"][0]["certificates"], 588);

    let shown = done(path, &["trust", "list", "--trust", "trust", "--country", "vn"]);
    let summary = &shown["summary"];
    assert_eq!((&summary["trusted"], &summary["not_trusted"]), (&566.into(), &22.into()));
    let certificates = shown["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1);
    let vietnamese = &certificates[0];
    assert_eq!(vietnamese["key"], "brainpoolP512r1");
    assert_eq!(vietnamese["explicit_parameters"], true);
    assert_eq!(vietnamese["through"], GERMAN);
    let file = shown["files"].as_array().unwrap().iter().find(|f| f["file"] == GERMAN).unwrap();
    assert_eq!(file["provenance"]["note"], "published in May");
    // What is remembered of it changes nothing, and is nobody else's to write.
    use std::os::unix::fs::PermissionsExt;
    let memory = path.join("trust/.verified-signatures");
    assert_eq!(std::fs::metadata(&memory).unwrap().permissions().mode() & 0o777, 0o600);
    let again = done(path, &["trust", "list", "--trust", "trust", "--problems"]);
    assert_eq!(&again["summary"], summary);
    let problems = again["certificates"].as_array().unwrap();
    assert_eq!(problems.len(), 22);
    assert!(problems.iter().all(|p| p["reason"]["message"].as_str().is_some_and(|m| m.len() > 9)));
}

#[test]
fn a_list_made_here_serves_a_verifier_that_trusts_its_ca() {
    let german = issuer("DE");
    let vietnamese = issuer("VN");
    let path = german.path();
    let other = vietnamese.path().join("pki/csca.crt");
    masterlist(path, &[other.to_str().unwrap()]);
    let added = done(path, &["trust", "add", "pki/masterlist.ml", "--trust", "trust"]);
    assert_eq!(added["added"][0]["master_lists"][0]["country"], "DE");
    let shown = done(path, &["trust", "list", "--trust", "trust", "--country", "VN"]);
    assert_eq!(shown["certificates"][0]["basis"], "master_list");
    // The same list is refused whole by whoever does not trust the CA that signed it.
    let list = path.join("pki/masterlist.ml");
    let add = ["trust", "add", list.to_str().unwrap(), "--trust", "trust"];
    assert_eq!(code(&run(vietnamese.path(), &add)), (Some(6), "list_signer_unknown"));
}

#[test]
fn a_list_is_replaced_by_a_newer_one_and_never_by_an_older() {
    let folder = issuer("DE");
    let other = issuer("VN");
    let path = folder.path();
    let certificate = other.path().join("pki/csca.crt");
    masterlist(path, &[certificate.to_str().unwrap()]);
    std::fs::rename(path.join("pki/masterlist.ml"), path.join("first.ml")).unwrap();
    // Signing times count whole seconds.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    masterlist(path, &[]);
    std::fs::rename(path.join("pki/masterlist.ml"), path.join("second.ml")).unwrap();
    let update = |file: &str| run(path, &["trust", "update", file, "--trust", "trust"]);
    let add = |file: &str| run(path, &["trust", "add", file, "--trust", "trust"]);
    assert_eq!(code(&update("first.ml")), (Some(7), "trust_nothing_to_update"));
    assert_eq!(add("first.ml").0, Some(0));
    assert_eq!(code(&add("first.ml")), (Some(7), "trust_same"));
    assert_eq!(code(&add("second.ml")), (Some(7), "trust_use_update"));
    let (exit, updated) = update("second.ml");
    assert_eq!(exit, Some(0), "{updated:#}");
    let update_of = &updated["updates"][0];
    assert_eq!(update_of["replaced"][0], "first.ml");
    assert_eq!(
        (update_of["came"].as_array().unwrap().len(), &update_of["went"][0]),
        (0, &{
            let words = update_of["went"][0].as_str().unwrap();
            assert!(words.starts_with("VN: C=VN"), "{words}");
            words.into()
        })
    );
    assert!(!path.join("trust/first.ml").exists());
    assert_eq!(code(&update("first.ml")), (Some(7), "trust_older"));
    assert_eq!(code(&add("first.ml")), (Some(7), "trust_older"));
    assert!(path.join("trust/second.ml").exists());
}

#[test]
fn a_revocation_list_is_taken_from_its_ca_alone() {
    let (folder, stranger) = (issuer("VN"), issuer("VN"));
    let path = folder.path();
    let foreign = stranger.path().join("pki/csca.crl");
    let add = |file: &str| run(path, &["trust", "add", file, "--trust", "trust"]);
    assert_eq!(code(&add(foreign.to_str().unwrap())), (Some(6), "crl_issuer_unknown"));
    assert_eq!(add("pki/csca.crl").0, Some(0));
    let shown = done(path, &["trust", "list", "--trust", "trust"]);
    assert_eq!(shown["crls"][0]["verified"], true);
}

/// A directory with these files, each an entry.
fn directory(path: &Path, lists: &[PathBuf]) {
    use base64::Engine;
    let mut text = "version: 1\n".to_owned();
    for (number, list) in lists.iter().enumerate() {
        let value = base64::engine::general_purpose::STANDARD.encode(std::fs::read(list).unwrap());
        let attribute = "certificateRevocationList;binary";
        text += &format!("\ndn: cn={number},o=crl,c=VN\n{attribute}:: {value}\n");
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn a_directory_takes_the_place_of_no_list_that_it_forges_or_leaves_out() {
    let (folder, other) = (issuer("VN"), issuer("LA"));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let (stranger, later) = (issuer("VN"), issuer("LA"));
    let path = folder.path();
    let list = |of: &tempfile::TempDir| of.path().join("pki/csca.crl");
    let ca = |of: &tempfile::TempDir| of.path().join("pki/csca.crt").to_str().unwrap().to_owned();
    for anchor in [ca(&other), ca(&later)] {
        done(path, &["trust", "add", "--anchor", &anchor, "--trust", "trust"]);
    }
    directory(&path.join("first.ldif"), &[list(&folder), list(&other)]);
    done(path, &["trust", "add", "first.ldif", "--trust", "trust"]);
    let update = |file: &str| run(path, &["trust", "update", file, "--trust", "trust"]);
    directory(&path.join("forged.ldif"), &[list(&stranger), list(&later)]);
    assert_eq!(code(&update("forged.ldif")), (Some(7), "trust_update_loses"));
    directory(&path.join("less.ldif"), &[list(&later)]);
    assert_eq!(code(&update("less.ldif")), (Some(7), "trust_update_loses"));
    assert!(path.join("trust/first.ldif").exists());
    directory(&path.join("second.ldif"), &[list(&folder), list(&later)]);
    assert_eq!(update("second.ldif").0, Some(0));
    assert!(!path.join("trust/first.ldif").exists());
}

#[test]
fn files_are_taken_all_or_none() {
    let folder = issuer("VN");
    let path = folder.path();
    std::fs::write(path.join("broken.cer"), b"0\x03hello").unwrap();
    let both = ["trust", "add", "pki/csca.crl", "broken.cer", "--trust", "trust"];
    assert_eq!(run(path, &both).0, Some(6));
    assert!(!path.join("trust/csca.crl").exists());
}

fn findings(folder: &Path) -> (Option<i32>, Vec<(String, String)>) {
    let (exit, document) = run(folder, &["trust", "audit", "--trust", "trust"]);
    let found = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    (exit, found.iter().map(|f| (text(f, "code"), text(f, "file"))).collect())
}

#[test]
fn an_audit_names_what_is_wrong_with_a_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = issuer("VN");
    let path = folder.path();
    done(path, &["trust", "add", "pki/csca.crl", "--trust", "trust"]);
    assert_eq!(findings(path), (Some(0), vec![]));
    let trust = path.join("trust");
    std::fs::write(trust.join("notes.txt"), b"by hand").unwrap();
    std::fs::copy(testvector(GERMAN), trust.join("de.ml")).unwrap();
    std::fs::copy(trust.join("csca.crl"), trust.join("copy.crl")).unwrap();
    std::fs::set_permissions(&trust, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (exit, found) = findings(path);
    assert_eq!(exit, Some(6));
    for (code, file) in [
        ("list_refused", "de.ml"),
        ("file_not_indexed", "de.ml"),
        ("file_unused", "notes.txt"),
        ("file_duplicate", "csca.crl"),
        ("folder_writable_by_others", ""),
    ] {
        assert!(found.contains(&(code.to_owned(), file.to_owned())), "{code} {file}: {found:?}");
    }
}

#[test]
fn a_memory_of_signatures_that_lies_is_found_and_believed_by_no_verification() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (root, list) = (testvector("roots/de-csca07.cer"), testvector(GERMAN));
    let trust = path.join("trust");
    std::fs::create_dir(&trust).unwrap();
    std::fs::copy(root, trust.join("de.cer")).unwrap();
    std::fs::copy(list, trust.join(GERMAN)).unwrap();
    let shown = done(path, &["trust", "list", "--trust", "trust", "--problems"]);
    let before = shown["summary"].clone();
    // The claim that a certificate signs itself which does not.
    let wanted = |c: &&Value| c["reason"]["code"] == "csca_issuer_unknown";
    let problem = shown["certificates"].as_array().unwrap().iter().find(wanted).unwrap();
    let claim = claim_of(problem["sha256"].as_str().unwrap());
    let memory = trust.join(".verified-signatures");
    let mut bytes = std::fs::read(&memory).unwrap();
    bytes.extend(claim);
    std::fs::write(&memory, &bytes).unwrap();
    let (exit, found) = findings(path);
    assert_eq!(exit, Some(6));
    assert!(found.iter().any(|(code, _)| code == "memory_wrong"), "{found:?}");
    // Whoever verifies a document asks the certificates themselves.
    let store = TrustStore::load(&trust).unwrap();
    let trusted = store.survey(None).certificates.iter().filter(|c| c.trust.is_ok()).count();
    assert_eq!(before["trusted"], trusted);
    // One that somebody else could have written to is as good as none.
    std::fs::set_permissions(&memory, std::fs::Permissions::from_mode(0o644)).unwrap();
    let after = done(path, &["trust", "list", "--trust", "trust"]);
    assert_eq!(after["summary"], before);
    assert_eq!(findings(path).1.iter().filter(|(code, _)| code == "memory_wrong").count(), 0);
}

/// What a memory of signatures says of a certificate of the German list that signs itself.
fn claim_of(sha256: &str) -> Vec<u8> {
    let hash = |bytes: &[u8]| HashAlgorithm::Sha256.digest(bytes);
    let list = std::fs::read(testvector(GERMAN)).unwrap();
    let signed = SignedData::decode("master list", &list).unwrap();
    let certificates = decode_master_list(&signed.content).unwrap();
    let certificate = certificates.iter().find(|c| hex::encode(hash(c)) == sha256).unwrap();
    let key = CertificateParts::decode(certificate).unwrap().spki;
    hash(&[b"cancuoc verified signatures 1\n", &hash(certificate)[..], &hash(key)].concat())
}

#[test]
fn everything_is_said_in_vietnamese_too() {
    let folder = issuer("VN");
    for command in ["list", "audit"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_cancuoc"))
            .current_dir(folder.path())
            .args(["--lang", "vi", "trust", command, "--trust", "trust"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("tin cậy") || text.contains("thu hồi"), "{text}");
        assert!(!text.contains("trust."), "{text}");
    }
}

/// What a command says, and how it ends, where nobody reads its standard output.
fn unread(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = support::cancuoc();
    command.current_dir(folder).env("PW", "secret").args(arguments).stdout(writer);
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_ends_without_a_word_when_its_reader_goes_away() {
    let folder = issuer("VN");
    for arguments in [
        &["trust", "list", "--trust", "trust"][..],
        &["--json", "trust", "list", "--trust", "trust"],
        &["trust", "audit", "--trust", "trust"],
        &["trust", "add", "pki/csca.crl", "--trust", "trust"],
        &["inspect", "pki/csca.crt"],
        &["completions", "bash"],
        &["man"],
        &["verify", "--replay", "missing", "--trust", "trust", "--json"],
    ] {
        let (exit, said) = unread(folder.path(), arguments);
        assert_eq!(said, "", "{arguments:?}");
        // An error that nobody could be told keeps its own exit code.
        let expected = if arguments.contains(&"missing") { 6 } else { 141 };
        assert_eq!(exit, Some(expected), "{arguments:?}");
    }
    // What was asked for was done all the same.
    let list = done(folder.path(), &["trust", "list", "--trust", "trust"]);
    assert_eq!(list["crls"].as_array().unwrap().len(), 1);
}

#[test]
fn an_anchor_that_was_changed_is_marked_and_trusted_by_nobody_until_it_is_added_again() {
    let (folder, other) = (issuer("VN"), issuer("VN"));
    let path = folder.path();
    std::fs::copy(other.path().join("pki/csca.crt"), path.join("trust/csca.crt")).unwrap();
    let list = done(path, &["trust", "list", "--trust", "trust"]);
    assert_eq!(list["summary"]["trusted"], 0);
    assert_eq!(list["problems"][0]["code"], "trust_file_changed");
    let text = |arguments: &[&str]| {
        let output = support::cancuoc().current_dir(path).args(arguments).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
        (out, err)
    };
    let (shown, _) = text(&["trust", "list", "--trust", "trust"]);
    assert!(shown.contains("changed: not used") && shown.contains("trust add FILE"), "{shown}");
    let (exit, audit) = run(path, &["trust", "audit", "--trust", "trust"]);
    assert_eq!((exit, &audit["findings"][0]["code"]), (Some(6), &"file_changed".into()));
    let (_, warned) = text(&["verify", "--files", "trust", "--trust", "trust"]);
    assert!(
        warned.contains("csca.crt") && warned.contains("not the one that was added"),
        "{warned}"
    );
    // Whoever changed it on purpose adds it again, as it lies there or in its own place.
    for source in ["trust/csca.crt", "pki/csca.crt"] {
        done(path, &["trust", "add", "--anchor", source, "--trust", "trust"]);
        let list = done(path, &["trust", "list", "--trust", "trust"]);
        assert_eq!(
            (&list["summary"]["trusted"], &list["problems"]),
            (&1.into(), &serde_json::json!([]))
        );
        assert_eq!(list["files"].as_array().unwrap().len(), 1);
        std::fs::write(path.join("trust/csca.crt"), "spoiled").unwrap();
    }
}

#[test]
fn a_directory_with_a_broken_entry_is_added_and_the_entry_is_named() {
    use base64::Engine;
    let folder = issuer("VN");
    let path = folder.path();
    let list = std::fs::read(path.join("pki/csca.crl")).unwrap();
    let list = base64::engine::general_purpose::STANDARD.encode(list);
    let directory = format!(
        "version: 1\n\ndn: cn=good,c=VN\ncertificateRevocationList;binary:: {list}\n\n\
         dn: cn=broken,c=VN\ncertificateRevocationList;binary:: MAEC\n"
    );
    std::fs::write(path.join("pkd.ldif"), directory).unwrap();
    let added = done(path, &["trust", "add", "pkd.ldif", "--trust", "trust"]);
    let problem = &added["added"][0]["problems"][0];
    assert_eq!((&problem["entry"], &problem["name"]), (&2.into(), &"cn=broken,c=VN".into()));
    let listed = done(path, &["trust", "list", "--trust", "trust"]);
    assert_eq!(listed["problems"][0]["code"], "ldif_entry_unusable");
    assert_eq!(listed["problems"][0]["reason"], "trust_file_malformed");
    assert_eq!(listed["crls"].as_array().unwrap().len(), 1);
    let (exit, audit) = run(path, &["trust", "audit", "--trust", "trust"]);
    let finding = &audit["findings"][0];
    assert_eq!((exit, &finding["code"]), (Some(0), &"entry_unusable".into()));
    assert_eq!(
        (&finding["severity"], &finding["subject"]),
        (&"warning".into(), &"2: cn=broken,c=VN".into())
    );
}

#[test]
fn an_audit_sets_errors_apart_from_notes() {
    let folder = issuer("VN");
    let path = folder.path();
    let audit = || run(path, &["trust", "audit", "--trust", "trust"]);
    let (exit, found) = audit();
    assert_eq!((exit, &found["counts"]["error"]), (Some(0), &0.into()));
    std::fs::write(path.join("trust/spoiled.crt"), "no certificate").unwrap();
    let (exit, found) = audit();
    assert_eq!((exit, &found["counts"]["error"]), (Some(6), &1.into()));
    let severities = found["findings"].as_array().unwrap().iter().map(|f| f["severity"].as_str());
    let severities: Vec<_> = severities.flatten().collect();
    assert_eq!(severities.first(), Some(&"error"), "{severities:?}");
    let mut command = support::cancuoc();
    command.current_dir(path).args(["--color", "always", "trust", "audit", "--trust", "trust"]);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let [error, warning] = ["\u{1b}[31merror", "\u{1b}[33mwarning"];
    let text = text.replace("\u{1b}[1m", "");
    assert!(text.contains(error) && text.contains(warning), "{text:?}");
    assert!(text.contains("errors: 1, "), "{text}");
}
