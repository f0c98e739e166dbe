//! Master lists both ways: `openssl` verifies ours, and we verify one that it signed, in BER.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::process::Command;

use cancuoc::lds::{ParameterForm, encode_master_list};
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, ListSigner, Signer, SoftwareKey, Validity,
    country_name, from_pem, issue, issue_master_list, to_pem,
};
use cancuoc::trust::{Basis, TrustStore, X509};
use cancuoc_primitives::curve::Curve;
use support::{Issuer, IssuerKeys, now, random};

/// Whether there is an `openssl` here; with `CI` set there must be one.
fn available() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "no openssl on this machine");
    found
}

/// Runs it in a folder; what it says where it fails.
fn openssl(folder: &Path, arguments: &str) -> Result<(), String> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments.split(' ')).current_dir(folder).output().unwrap();
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    output.status.success().then_some(()).ok_or_else(said)
}

#[test]
fn verifies_our_list_and_takes_out_what_we_put_in() {
    if !available() {
        return;
    }
    for kind in [KeyKind::Ec(Curve::BrainpoolP384r1), KeyKind::Rsa(3072)] {
        let issuer = Issuer::new(&IssuerKeys { csca: kind, ..IssuerKeys::default() });
        let key = SoftwareKey::generate(kind, false, &mut random()).unwrap();
        let moment = |text: &str| text.parse().unwrap();
        let request = CertificateRequest {
            kind: CertificateKind::MasterListSigner,
            serial: &[3],
            issuer: &X509::decode(&issuer.csca_certificate).unwrap().subject,
            subject: &country_name("VN", "Specimen", "Lists"),
            country: "VN",
            public_key: &key.public_key(),
            parameters: ParameterForm::Named,
            issuer_key: &issuer.csca.public_key(),
            validity: Validity {
                not_before: moment("2026-01-01T00:00:00Z"),
                not_after: moment("2030-01-01T00:00:00Z"),
                key_not_after: moment("2030-01-01T00:00:00Z"),
            },
        };
        let certificate = issue(&request, &issuer.csca, &mut random()).unwrap();
        let signer =
            ListSigner { key: &key, certificate: &certificate, issuer: &issuer.csca_certificate };
        let members: [&[u8]; 1] = [&issuer.csca_certificate];
        let list = issue_master_list(&members, signer, now(), &mut random()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("list.ml"), &list).unwrap();
        std::fs::write(path.join("csca.pem"), to_pem("CERTIFICATE", members[0])).unwrap();
        let verify = "cms -verify -inform DER -in list.ml -CAfile csca.pem -purpose any \
                      -attime 1795435200 -out content.der";
        openssl(path, verify).unwrap();
        assert_eq!(std::fs::read(path.join("content.der")).unwrap(), encode_master_list(&members));
    }
}

#[test]
fn we_take_a_list_that_it_signed_in_ber() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let other = Issuer::new(&IssuerKeys::default());
    std::fs::write(path.join("content"), encode_master_list(&[&other.csca_certificate])).unwrap();
    std::fs::write(path.join("mls.cnf"), "extendedKeyUsage=critical,2.23.136.1.1.3\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for arguments in [
        format!("req -x509 {key} -keyout csca.key -out csca.pem -subj /C=FR/O=Specimen/CN=CSCA -days 99 -addext keyUsage=critical,keyCertSign,cRLSign"),
        format!("req {key} -keyout mls.key -out mls.csr -subj /C=FR/O=Specimen/CN=Lists"),
        "x509 -req -in mls.csr -CA csca.pem -CAkey csca.key -days 30 -extfile mls.cnf -out mls.pem".into(),
        "cms -sign -binary -nodetach -stream -md sha256 -econtent_type 2.23.136.1.1.2 -in content -signer mls.pem -inkey mls.key -certfile csca.pem -outform DER -out list.ml".into(),
    ] {
        openssl(path, &arguments).unwrap();
    }
    let list = std::fs::read(path.join("list.ml")).unwrap();
    assert_eq!(list[..2], [0x30, 0x80], "a length that is not told beforehand");
    let pem = std::fs::read_to_string(path.join("csca.pem")).unwrap();
    let mut store = TrustStore::default();
    store.add(&from_pem(&pem, "CERTIFICATE").unwrap()).unwrap();
    store.add(&list).unwrap();
    let survey = store.survey(None);
    assert!(survey.lists[0].state.is_ok(), "{:?}", survey.lists[0].state);
    let listed =
        survey.certificates.iter().filter(|c| matches!(c.trust, Ok(Basis::MasterList { .. })));
    assert_eq!(listed.count(), 1);
}
