//! `pki`, by the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use assert_cmd::Command;
use cancuoc::lds::SignatureAlgorithm;
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
