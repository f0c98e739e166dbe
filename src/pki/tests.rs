use super::*;
use crate::lds::{CertificateParts, ParameterForm, PublicKey, SignatureAlgorithm};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;
use std::process::Command;

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn validity() -> Validity {
    Validity {
        not_before: moment("2026-01-01T00:00:00Z"),
        not_after: moment("2046-01-01T00:00:00Z"),
        key_not_after: moment("2031-01-01T00:00:00Z"),
    }
}

/// A country signing CA and one of its document signers.
fn issuer(kind: KeyKind, parameters: ParameterForm) -> (SoftwareKey, Vec<u8>, Vec<u8>) {
    issuer_with(kind, false, parameters)
}

fn issuer_with(
    kind: KeyKind,
    pss: bool,
    parameters: ParameterForm,
) -> (SoftwareKey, Vec<u8>, Vec<u8>) {
    let csca = SoftwareKey::generate(kind, pss, &mut random()).unwrap();
    let name = country_name("VN", "Specimen", "CSCA test");
    let request = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &[1],
        issuer: &name,
        subject: &name,
        country: "VN",
        public_key: &csca.public_key(),
        parameters,
        issuer_key: &csca.public_key(),
        validity: validity(),
    };
    let root = issue(&request, &csca, &mut random()).unwrap();
    let ds = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let signer = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[0x80, 2],
        subject: &country_name("VN", "Specimen", "DS test"),
        public_key: &ds.public_key(),
        parameters: ParameterForm::Named,
        ..request
    };
    let certificate = issue(&signer, &csca, &mut random()).unwrap();
    (csca, root, certificate)
}

#[test]
fn certificates_keep_their_profiles() {
    let (_, root, ds) = issuer(KeyKind::Ec(Curve::BrainpoolP512r1), ParameterForm::Explicit);
    let root = CertificateParts::decode(&root).unwrap();
    let ds = CertificateParts::decode(&ds).unwrap();
    assert_eq!(check_profile(&root, ProfileKind::Csca), []);
    assert_eq!(check_profile(&ds, ProfileKind::DocumentSigner), []);
    let codes: Vec<_> = check_profile(&ds, ProfileKind::Csca).iter().map(|f| f.code).collect();
    assert_eq!(codes, ["key_usage_without_cert_sign", "not_a_ca"]);
}

#[test]
fn a_key_comes_back_from_its_encrypted_file_and_only_with_its_password() {
    for kind in [KeyKind::Ec(Curve::BrainpoolP256r1), KeyKind::Rsa(2048)] {
        let key = SoftwareKey::generate(kind, false, &mut random()).unwrap();
        let file = key.encrypt("right", &mut random()).unwrap();
        let again = SoftwareKey::decrypt(&file, "right").unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(SoftwareKey::decrypt(&file, "wrong").unwrap_err(), KeyError::Password);
    }
}

#[test]
fn signatures_of_all_kinds_verify() {
    for (kind, pss) in [(KeyKind::Ec(Curve::P384), false), (KeyKind::Rsa(2048), true)] {
        let key = SoftwareKey::generate(kind, pss, &mut random()).unwrap();
        let signature = key.sign(b"message", &mut random()).unwrap();
        assert_eq!(key.algorithm().verify(&key.public_key(), b"message", &signature), Ok(()));
        assert!(key.algorithm().verify(&key.public_key(), b"other", &signature).is_err());
    }
}

#[test]
fn a_key_file_keeps_the_choice_of_pss_and_its_hash() {
    let key = SoftwareKey::generate(KeyKind::Rsa(2048), true, &mut random()).unwrap();
    let strong = SignatureAlgorithm::RsaPss { hash: HashAlgorithm::Sha512, salt_len: 64 };
    for algorithm in [key.algorithm(), strong] {
        let key = key.clone().with_algorithm(algorithm).unwrap();
        let file = key.encrypt("right", &mut random()).unwrap();
        let again = SoftwareKey::decrypt(&file, "right").unwrap();
        assert_eq!(again.algorithm(), algorithm);
        let signature = again.sign(b"message", &mut random()).unwrap();
        assert_eq!(algorithm.verify(&key.public_key(), b"message", &signature), Ok(()));
    }
}

#[test]
fn a_key_takes_no_algorithm_of_another_kind() {
    let ec = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let rsa = SoftwareKey::generate(KeyKind::Rsa(2048), false, &mut random()).unwrap();
    let pkcs1 = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256);
    let plain = SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256);
    let short_salt = SignatureAlgorithm::RsaPss { hash: HashAlgorithm::Sha256, salt_len: 20 };
    assert_eq!(ec.clone().with_algorithm(pkcs1).unwrap_err(), KeyError::Unsupported);
    assert_eq!(rsa.clone().with_algorithm(plain).unwrap_err(), KeyError::Unsupported);
    assert_eq!(rsa.with_algorithm(short_salt).unwrap_err(), KeyError::Unsupported);
    let signature = ec.clone().with_algorithm(plain).unwrap().sign(b"m", &mut random()).unwrap();
    assert_eq!(signature.len(), 64);
    assert_eq!(plain.verify(&ec.public_key(), b"m", &signature), Ok(()));
}

/// Runs openssl on files; `None` where it is not installed.
fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("openssl").args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn openssl_accepts_certificates_lists_and_keys() {
    for (kind, pss) in [
        (KeyKind::Ec(Curve::BrainpoolP512r1), false),
        (KeyKind::Rsa(2048), false),
        (KeyKind::Rsa(2048), true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (csca, root, ds) = issuer_with(kind, pss, ParameterForm::Named);
        let name = country_name("VN", "Specimen", "CSCA test");
        let revoked =
            RevokedCertificate { serial: vec![0x80, 2], since: moment("2026-06-01T00:00:00Z") };
        let times = (moment("2026-06-01T00:00:00Z"), moment("2036-07-01T00:00:00Z"));
        let crl = issue_crl(&name, &[revoked], 1, times, &csca, &mut random()).unwrap();
        let key = csca.encrypt("secret", &mut random()).unwrap();
        std::fs::write(file("csca.crt"), to_pem("CERTIFICATE", &root)).unwrap();
        std::fs::write(file("ds.crt"), to_pem("CERTIFICATE", &ds)).unwrap();
        std::fs::write(file("crl"), to_pem("X509 CRL", &crl)).unwrap();
        std::fs::write(file("key"), to_pem("ENCRYPTED PRIVATE KEY", &key)).unwrap();
        let (root, ds, crl, key) = (file("csca.crt"), file("ds.crt"), file("crl"), file("key"));
        let Some((good, text)) = openssl(&["verify", "-no_check_time", "-CAfile", &root, &ds])
        else {
            eprintln!("skipped: openssl is not installed");
            return;
        };
        assert!(good, "{text}");
        let check =
            ["verify", "-no_check_time", "-crl_check", "-CRLfile", &crl, "-CAfile", &root, &ds];
        let (good, text) = openssl(&check).unwrap();
        assert!(!good && text.contains("revoked"), "{text}");
        let (good, text) =
            openssl(&["pkey", "-in", &key, "-passin", "pass:secret", "-noout", "-check"]).unwrap();
        assert!(good, "{text}");
    }
}

#[test]
fn explicit_parameters_name_the_same_key() {
    let (_, root, _) = issuer(KeyKind::Ec(Curve::BrainpoolP512r1), ParameterForm::Explicit);
    let root = CertificateParts::decode(&root).unwrap();
    let (key, form) = PublicKey::from_spki_der(root.spki).unwrap();
    assert_eq!((key.description().as_str(), form), ("brainpoolP512r1", ParameterForm::Explicit));
}
