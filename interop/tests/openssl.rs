//! A foreign verifier, our data: `openssl` reads and verifies what we issue.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;
use std::process::Command;

use cancuoc::lds::{ParameterForm, PublicKey};
use cancuoc::pki::{KeyKind, to_pem};
use cancuoc_primitives::curve::{Curve, SecretScalar};
use support::{Issuer, IssuerKeys, content};

struct Run {
    succeeded: bool,
    output: String,
}

/// Whether there is an `openssl` here; with `CI` set there must be one.
fn available() -> bool {
    let found = Command::new("openssl").arg("version").output().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "no openssl on this machine");
    if !found {
        eprintln!("skipped: no openssl on this machine");
    }
    found
}

fn openssl(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let output_text = String::from_utf8_lossy(&text).into_owned();
    Run { succeeded: output.status.success(), output: output_text }
}

fn kinds() -> [IssuerKeys; 4] {
    [
        IssuerKeys::default(),
        IssuerKeys {
            csca: KeyKind::Ec(Curve::BrainpoolP512r1),
            signer: KeyKind::Ec(Curve::BrainpoolP256r1),
            parameters: ParameterForm::Named,
            pss: false,
        },
        IssuerKeys {
            csca: KeyKind::Rsa(3072),
            signer: KeyKind::Rsa(2048),
            ..IssuerKeys::default()
        },
        IssuerKeys {
            csca: KeyKind::Rsa(3072),
            signer: KeyKind::Rsa(2048),
            pss: true,
            ..IssuerKeys::default()
        },
    ]
}

/// The files of an issuer and the SOD of a card in a folder: `csca.pem`, `sod.der`.
fn write(folder: &Path, issuer: &Issuer, sod: &[u8]) {
    std::fs::write(folder.join("csca.pem"), to_pem("CERTIFICATE", &issuer.csca_certificate))
        .unwrap();
    // The CMS structure stands in the value of the EF.SOD's tag 77, whose length takes two bytes.
    assert_eq!(sod[..2], [0x77, 0x82]);
    std::fs::write(folder.join("sod.der"), &sod[4..]).unwrap();
}

fn verify(folder: &Path) -> Run {
    // The certificates of tests are valid from 2026 on: the time is the signature's.
    let arguments = [
        "cms",
        "-verify",
        "-inform",
        "DER",
        "-in",
        "sod.der",
        "-CAfile",
        "csca.pem",
        "-purpose",
        "any",
        "-attime",
        "1795435200",
        "-out",
        "content.der",
    ];
    openssl(folder, &arguments)
}

#[test]
fn verifies_our_security_object_against_our_csca() {
    if !available() {
        return;
    }
    for (index, keys) in kinds().iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::new(keys);
        let image = issuer.image(&[]);
        write(folder.path(), &issuer, content(&image, 0x011D));
        let run = verify(folder.path());
        assert!(run.succeeded, "case {index}: {}", run.output);
        let parsed = openssl(folder.path(), &["asn1parse", "-inform", "DER", "-in", "content.der"]);
        assert!(parsed.succeeded && parsed.output.contains("sha256"), "{}", parsed.output);
    }
}

#[test]
fn refuses_our_security_object_with_a_hash_altered() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(&IssuerKeys::default());
    let image = issuer.image(&[]);
    let mut sod = content(&image, 0x011D).to_vec();
    // The hash of DG1 stands in the signed content.
    let hash = cancuoc_primitives::hash::HashAlgorithm::Sha256.digest(content(&image, 0x0101));
    let at = sod.windows(32).position(|window| window == hash).expect("the hash of DG1");
    sod[at] ^= 1;
    write(folder.path(), &issuer, &sod);
    let run = verify(folder.path());
    assert!(!run.succeeded && run.output.contains("verification failure"), "{}", run.output);
}

#[test]
fn refuses_our_security_object_against_another_csca() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(&IssuerKeys::default());
    let other = Issuer::new(&IssuerKeys::default());
    let image = issuer.image(&[]);
    write(folder.path(), &other, content(&image, 0x011D));
    assert!(!verify(folder.path()).succeeded);
}

#[test]
fn reads_our_certificates_and_verifies_their_chain() {
    if !available() {
        return;
    }
    for (index, keys) in kinds().iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::new(keys);
        let pem = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), to_pem("CERTIFICATE", bytes)).unwrap();
        };
        pem("csca.pem", &issuer.csca_certificate);
        pem("ds.pem", &issuer.signer_certificate);
        let shown = openssl(folder.path(), &["x509", "-in", "csca.pem", "-noout", "-text"]);
        assert!(shown.succeeded && shown.output.contains("C = VN"), "{}", shown.output);
        assert!(shown.output.contains("CA:TRUE"), "{}", shown.output);
        let arguments =
            ["verify", "-attime", "1795435200", "-CAfile", "csca.pem", "-purpose", "any", "ds.pem"];
        let chain = openssl(folder.path(), &arguments);
        assert!(chain.succeeded, "case {index}: {}", chain.output);
    }
}

#[test]
fn reads_our_revocation_list_and_verifies_its_signature() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::new(&IssuerKeys::default());
    std::fs::write(folder.path().join("csca.pem"), to_pem("CERTIFICATE", &issuer.csca_certificate))
        .unwrap();
    std::fs::write(folder.path().join("csca.crl"), issuer.crl()).unwrap();
    let arguments =
        ["crl", "-inform", "DER", "-in", "csca.crl", "-noout", "-text", "-CAfile", "csca.pem"];
    let run = openssl(folder.path(), &arguments);
    assert!(run.succeeded && run.output.contains("verify OK"), "{}", run.output);
    assert!(run.output.contains("Serial Number: 09"), "{}", run.output);
}

#[test]
fn parses_every_file_of_a_card() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let image = Issuer::new(&IssuerKeys::default()).image(&[]);
    for file in &image.files {
        // EF.ATR/INFO and EF.DIR are a row of data objects, DG1 holds text in tags of two bytes.
        if !matches!(file.fid, 0x011C | 0x011D | 0x010D | 0x010E | 0x010F) {
            continue;
        }
        std::fs::write(folder.path().join("file"), &file.content).unwrap();
        let run = openssl(folder.path(), &["asn1parse", "-inform", "DER", "-in", "file"]);
        assert!(run.succeeded, "{:04X}: {}", file.fid, run.output);
    }
}

/// Derives the secret of our key and its own with every curve: brainpoolP192r1 has no published
/// vectors.
#[test]
fn agrees_with_our_keys_on_a_secret_on_every_curve() {
    if !available() {
        return;
    }
    for curve in Curve::ALL {
        let folder = tempfile::tempdir().unwrap();
        // It calls two of the curves by their names in ANSI X9.62.
        let name = match curve {
            Curve::P192 => "prime192v1",
            Curve::P256 => "prime256v1",
            Curve::P224 => "secp224r1",
            Curve::P384 => "secp384r1",
            Curve::P521 => "secp521r1",
            brainpool => brainpool.name(),
        };
        let option = format!("ec_paramgen_curve:{name}");
        let run = |arguments: &[&str]| {
            let run = openssl(folder.path(), arguments);
            assert!(run.succeeded, "{name}: {}", run.output);
        };
        run(&["genpkey", "-algorithm", "EC", "-pkeyopt", &option, "-out", "theirs.pem"]);
        run(&["pkey", "-in", "theirs.pem", "-pubout", "-outform", "DER", "-out", "theirs.der"]);
        let own = SecretScalar::random(curve, &mut support::random());
        let public = PublicKey::Ec(own.public_point()).to_spki_der(ParameterForm::Named);
        std::fs::write(folder.path().join("ours.der"), public).unwrap();
        run(&[
            "pkey", "-pubin", "-inform", "DER", "-in", "ours.der", "-out", "ours.pem", "-pubout",
        ]);
        run(&[
            "pkeyutl",
            "-derive",
            "-inkey",
            "theirs.pem",
            "-peerkey",
            "ours.pem",
            "-out",
            "secret",
        ]);
        let theirs = std::fs::read(folder.path().join("theirs.der")).unwrap();
        let (PublicKey::Ec(theirs), _) = PublicKey::from_spki_der(&theirs).unwrap() else {
            unreachable!("a key on a curve");
        };
        let shared = theirs.multiply(&own).unwrap().x_coordinate();
        assert_eq!(shared, std::fs::read(folder.path().join("secret")).unwrap(), "{name}");
    }
}
