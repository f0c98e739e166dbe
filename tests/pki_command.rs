//! `pki`, by the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use assert_cmd::Command;
use cancuoc::cvc::{AuthenticatedRequest, CvCertificate, CvChain, CvRequest, Rights, Role};
use cancuoc::lds::SignatureAlgorithm;
use cancuoc::pki::cv::{CvFolder, authenticate};
use cancuoc::pki::{IssuerDirectory, Signer};
use cancuoc_primitives::hash::HashAlgorithm;

fn pki(folder: &Path, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("cancuoc").unwrap();
    command.current_dir(folder).env("PW", "specimen").args(["--lang", "en", "pki"]);
    command.args(arguments).args(["--password", "env:PW"]).assert()
}

#[test]
fn a_document_signer_made_for_pss_signs_so_when_its_key_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    pki(folder.path(), &["csca", "--out", "p", "--key", "P-256"]).success();
    pki(folder.path(), &["ds", "--issuer", "p", "--key", "rsa-2048", "--pss"]).success();
    let key = IssuerDirectory::new(&folder.path().join("p")).key("ds", "specimen").unwrap();
    let pss = SignatureAlgorithm::RsaPss { hash: HashAlgorithm::Sha256, salt_len: 32 };
    assert_eq!(key.algorithm(), pss);
}

#[test]
fn refuses_pss_for_a_key_on_a_curve() {
    let folder = tempfile::tempdir().unwrap();
    pki(folder.path(), &["csca", "--out", "p", "--key", "P-256", "--pss"]).code(2);
}

fn stdout(assert: assert_cmd::assert::Assert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// The code of a failure and the exit code of the process.
fn failure(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["--json"], arguments].concat();
    let assert = pki(folder, &arguments).failure();
    let exit = assert.get_output().status.code();
    let document: serde_json::Value = serde_json::from_str(&stdout(assert)).unwrap();
    (exit, document["error"]["code"].as_str().unwrap().to_owned())
}

fn cv(folder: &Path, file: &str) -> CvCertificate {
    CvCertificate::decode(&std::fs::read(folder.join(file)).unwrap()).unwrap()
}

/// A CVCA and a verifier with its certificate, each in its folder.
fn cvca_and_dv() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pki(path, &["cvca", "new", "--out", "cvca", "--holder", "VNCVCA"]).success();
    dv_request(path, &[]).success();
    sign_dv(path, "VNDV00001", &[]).success();
    folder
}

fn dv_request(folder: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let cvca = "cvca/VNCVCA00001.cvcert";
    let arguments = ["dv", "request", "--out", "dv", "--holder", "VNDV", "--cvca", cvca];
    pki(folder, &[&arguments, more].concat())
}

fn sign_dv(folder: &Path, holder: &str, more: &[&str]) -> assert_cmd::assert::Assert {
    let request = format!("dv/{holder}.csr");
    pki(folder, &[&["cvca", "sign", &request, "--issuer", "cvca"], more].concat())
}

fn is_new(folder: &Path, more: &[&str]) -> assert_cmd::assert::Assert {
    let arguments = ["is", "new", "--issuer", "dv", "--out", "is", "--holder", "VNGATE"];
    pki(folder, &[&arguments, more].concat())
}

#[test]
fn a_terminal_gets_key_certificate_and_chain_in_one_step() {
    let folder = cvca_and_dv();
    let path = folder.path();
    is_new(path, &["--rights", "dg3"]).success();
    let chain = std::fs::read(path.join("is/VNGATE00001.chain")).unwrap();
    let chain = CvCertificate::decode_all(&chain).unwrap();
    let root = cv(path, "cvca/VNCVCA00001.cvcert");
    let found = CvChain::find(&chain, &[root.holder().clone()]).unwrap();
    let effective = found.verify(Some(&root), root.body().effective).unwrap();
    assert_eq!(effective.rights, Rights { dg3: true, dg4: false });
    assert!(effective.domestic);
}

#[test]
fn keys_are_encrypted_and_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = cvca_and_dv();
    is_new(folder.path(), &[]).success();
    for file in ["cvca/VNCVCA00001.key", "dv/VNDV00001.key", "is/VNGATE00001.key"] {
        let path = folder.path().join(file);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{file}");
    }
}

#[test]
fn no_key_or_certificate_is_ever_replaced() {
    let folder = cvca_and_dv();
    let path = folder.path();
    let new = ["cvca", "new", "--out", "cvca", "--holder", "VNCVCA"];
    let before = std::fs::read(path.join("cvca/VNCVCA00001.key")).unwrap();
    assert_eq!(failure(path, &new), (Some(7), "pki_file_exists".into()));
    assert_eq!(std::fs::read(path.join("cvca/VNCVCA00001.key")).unwrap(), before);
    let again = ["cvca", "sign", "dv/VNDV00001.csr", "--issuer", "cvca", "--out", "other.cvcert"];
    assert_eq!(failure(path, &again), (Some(7), "cv_reference_issued".into()));
    assert!(!path.join("other.cvcert").exists());
}

#[test]
fn the_next_request_counts_up_and_is_signed_by_the_current_key_too() {
    let folder = cvca_and_dv();
    let path = folder.path();
    dv_request(path, &[]).success();
    let bytes = std::fs::read(path.join("dv/VNDV00002.csr")).unwrap();
    let request = AuthenticatedRequest::decode(&bytes).unwrap();
    assert_eq!(request.authority().as_str(), "VNDV00001");
    sign_dv(path, "VNDV00002", &["--require-authentication"]).success();
    assert_eq!(cv(path, "dv/VNDV00002.cvcert").holder().as_str(), "VNDV00002");
}

#[test]
fn an_initial_request_is_not_answered_where_authentication_is_required() {
    let folder = cvca_and_dv();
    let path = folder.path();
    dv_request(path, &["--initial"]).success();
    let arguments = ["cvca", "sign", "dv/VNDV00002.csr", "--issuer", "cvca"];
    let arguments = [&arguments[..], &["--require-authentication"]].concat();
    assert_eq!(failure(path, &arguments), (Some(6), "cv_request_not_authenticated".into()));
}

#[test]
fn an_outer_signature_of_an_unknown_key_is_refused_until_its_certificate_is_given() {
    let folder = cvca_and_dv();
    let path = folder.path();
    pki(path, &["cvca", "new", "--out", "foreign", "--holder", "DECVCA"]).success();
    let arguments = ["dv", "request", "--out", "abroad", "--holder", "VNDV"];
    pki(path, &[&arguments[..], &["--cvca", "foreign/DECVCA00001.cvcert"]].concat()).success();
    let request = "abroad/VNDV00001.csr";
    pki(path, &["cvca", "authenticate", request, "--issuer", "cvca"]).success();
    let request = "abroad/VNDV00001.authenticated.csr";
    let sign = ["cvca", "sign", request, "--issuer", "foreign"];
    assert_eq!(failure(path, &sign), (Some(6), "cv_authenticator_unknown".into()));
    let given = ["--authenticated-by", "cvca/VNCVCA00001.cvcert"];
    pki(path, &[&sign[..], &given].concat()).success();
    let issued = cv(path, "abroad/VNDV00001.cvcert");
    assert_eq!(issued.body().authorization.role(), Role::ForeignDv);
}

#[test]
fn a_verifier_cannot_vouch_for_another_one() {
    let folder = cvca_and_dv();
    let path = folder.path();
    // The key of VNDV00001, which the CVCA knows, signs around a request of VNEVIL.
    let cvca = "cvca/VNCVCA00001.cvcert";
    let request = ["dv", "request", "--out", "evil", "--holder", "VNEVIL", "--cvca", cvca];
    pki(path, &request).success();
    let folder_of_dv = CvFolder::new(&path.join("dv"));
    let certificate = cv(path, "dv/VNDV00001.cvcert");
    let key = folder_of_dv.key(&certificate, "specimen").unwrap();
    let bytes = std::fs::read(path.join("evil/VNEVIL00001.csr")).unwrap();
    let request = CvRequest::decode(&bytes).unwrap();
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let outer = authenticate(&request, &certificate, &key, &mut random).unwrap();
    std::fs::write(path.join("evil.csr"), outer.raw()).unwrap();
    let sign = ["cvca", "sign", "evil.csr", "--issuer", "cvca"];
    assert_eq!(failure(path, &sign), (Some(6), "cv_authenticator_unknown".into()));
}

#[test]
fn a_link_certificate_leads_from_the_old_key_to_a_new_one_of_another_kind() {
    let folder = cvca_and_dv();
    let path = folder.path();
    let link = ["cvca", "link", "--issuer", "cvca", "--key", "rsa-2048", "--hash", "SHA-512"];
    pki(path, &[&link[..], &["--pss"]].concat()).success();
    let (old, new) = (cv(path, "cvca/VNCVCA00001.cvcert"), cv(path, "cvca/VNCVCA00002.cvcert"));
    let link = cv(path, "cvca/VNCVCA00002.link.cvcert");
    assert_eq!(link.verify(&old, None), Ok(()));
    assert_eq!(new.verify(&new, None), Ok(()));
    assert_eq!(link.body().public_key, new.body().public_key);
    assert_eq!(new.body().public_key.algorithm.name(), "id-TA-RSA-PSS-SHA-512");
    // From now on the new key signs.
    let cvca = ["--cvca", "cvca/VNCVCA00002.cvcert"];
    pki(path, &[&["dv", "request", "--out", "dv", "--holder", "VNDV"][..], &cvca].concat())
        .success();
    sign_dv(path, "VNDV00002", &[]).success();
    assert_eq!(cv(path, "dv/VNDV00002.cvcert").authority().as_str(), "VNCVCA00002");
}

#[test]
fn a_terminals_request_gets_a_certificate_for_a_week_and_one_right() {
    let folder = cvca_and_dv();
    let path = folder.path();
    let (cvca, dv) = ("cvca/VNCVCA00001.cvcert", "dv/VNDV00001.cvcert");
    let request = ["is", "request", "--out", "is", "--holder", "VNGATE", "--cvca", cvca];
    pki(path, &[&request[..], &["--dv", dv]].concat()).success();
    let sign = ["dv", "sign", "is/VNGATE00001.csr", "--issuer", "dv"];
    let terms = ["--rights", "dg4", "--valid-from", "", "--days", "7"];
    let today = cv(path, dv).body().effective.to_string();
    let terms = terms.map(|t| if t.is_empty() { today.as_str() } else { t });
    pki(path, &[&sign[..], &terms].concat()).success();
    let body = cv(path, "is/VNGATE00001.cvcert").body().clone();
    assert_eq!(body.authorization.rights(), Rights { dg3: false, dg4: true });
    let days = (body.expiration.date() - body.effective.date()).get_days();
    assert_eq!(days, 6);
}

#[test]
fn rights_and_validity_beyond_the_issuers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let new = ["cvca", "new", "--out", "cvca", "--holder", "VNCVCA", "--rights", "dg3"];
    pki(path, &[&new[..], &["--days", "30"]].concat()).success();
    dv_request(path, &[]).success();
    let sign = ["cvca", "sign", "dv/VNDV00001.csr", "--issuer", "cvca"];
    let both = [&sign[..], &["--rights", "dg3,dg4"]].concat();
    assert_eq!(failure(path, &both), (Some(6), "cv_rights_exceed_issuer".into()));
    let long = [&sign[..], &["--days", "31"]].concat();
    assert_eq!(failure(path, &long), (Some(6), "cv_validity_outlives_issuer".into()));
    // Without a wish it ends with its issuer.
    pki(path, &sign).success();
    let ends = ["cvca/VNCVCA00001.cvcert", "dv/VNDV00001.cvcert"];
    let [cvca, dv] = ends.map(|file| cv(path, file).body().expiration);
    assert_eq!(dv, cvca);
}

#[test]
fn a_folder_with_all_holders_in_it_serves_each_with_its_own_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    pki(path, &["cvca", "new", "--out", "p", "--holder", "VNCVCA"]).success();
    let cvca = ["--cvca", "p/VNCVCA00001.cvcert"];
    pki(path, &[&["dv", "request", "--out", "p", "--holder", "VNDV"][..], &cvca].concat())
        .success();
    pki(path, &["cvca", "sign", "p/VNDV00001.csr", "--issuer", "p"]).success();
    pki(path, &["is", "new", "--issuer", "p", "--out", "p", "--holder", "VNGATE"]).success();
    pki(path, &["cvca", "link", "--issuer", "p"]).success();
    assert_eq!(cv(path, "p/VNGATE00001.cvcert").authority().as_str(), "VNDV00001");
    assert_eq!(cv(path, "p/VNCVCA00002.link.cvcert").authority().as_str(), "VNCVCA00001");
}

#[test]
fn a_wrong_password_and_a_missing_key_are_told_apart() {
    let folder = cvca_and_dv();
    let path = folder.path();
    std::fs::write(path.join("wrong"), "wrong").unwrap();
    let mut command = Command::cargo_bin("cancuoc").unwrap();
    let arguments = ["--json", "pki", "cvca", "link", "--issuer", "cvca"];
    let assert = command
        .current_dir(path)
        .args(arguments)
        .args(["--password", "file:wrong"])
        .assert()
        .code(6);
    assert!(stdout(assert).contains("key_password_wrong"));
    std::fs::remove_file(path.join("cvca/VNCVCA00001.key")).unwrap();
    let link = ["cvca", "link", "--issuer", "cvca"];
    assert_eq!(failure(path, &link), (Some(6), "cv_issuer_missing".into()));
}
