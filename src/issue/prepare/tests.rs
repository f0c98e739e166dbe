use std::cell::Cell;

use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::PublicElement;
use cancuoc_primitives::hash::HashAlgorithm;
use hex_literal::hex;
use jiff::civil::date;
use rand_core::UnwrapErr;
use serde_json::{Value, json};

use super::*;
use crate::document::AccessKeys;
use crate::issue::image::ActiveAuthenticationKey;
use crate::issue::record::{LoadError, Loader, review};
use crate::lds::sod::Sod;
use crate::lds::{
    CardSecurity, Com, Dg2, FileId, ParameterForm, PublicKey, SECURITY_OBJECT, SecurityInfos,
    SignatureAlgorithm, decode_dg1, decode_dg15, security_infos_of_dg14,
};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, SoftwareKey, Validity, country_name, issue,
};

/// Randomness of the system.
pub(super) fn system_random() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

struct Specimen;

impl Loader for Specimen {
    fn load(&self, path: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen/");
        match path {
            "dg3.bin" => Ok(hex!("6303020100").to_vec()),
            _ => std::fs::read(format!("{folder}{path}")).map_err(|_| LoadError::NotFound),
        }
    }
}

/// The specimen with these keys set.
fn record(changes: Value) -> Record {
    let source = include_str!("../../../testvectors/specimen/record.json");
    let mut record: Value = serde_json::from_str(source).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    let review = review(record.to_string().as_bytes(), &Specimen, date(2026, 11, 23));
    review.record.unwrap_or_else(|| panic!("{:?}", review.findings))
}

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

/// A document signer made for a test, with its certificate and that of its CSCA.
struct TestSigner {
    key: SoftwareKey,
    certificate: Vec<u8>,
    csca: Vec<u8>,
    /// Alters the signatures.
    faulty: Cell<bool>,
}

impl Signer for TestSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        let mut message = message.to_vec();
        if self.faulty.get() {
            message.push(0);
        }
        self.key.sign(&message, random)
    }
}

impl TestSigner {
    fn new() -> Self {
        Self::of_kinds(KeyKind::Ec(Curve::P256), KeyKind::Ec(Curve::P256), false)
    }

    /// Certificates valid from 2026 to 2045; the document signer signs until the end of 2026.
    fn of_kinds(csca: KeyKind, ds: KeyKind, pss: bool) -> Self {
        let csca = SoftwareKey::generate(csca, false, &mut system_random()).unwrap();
        let key = SoftwareKey::generate(ds, pss, &mut system_random()).unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let name = country_name("VN", "Specimen", "CSCA test");
        let root = CertificateRequest {
            kind: CertificateKind::CscaRoot,
            serial: &[1],
            issuer: &name,
            subject: &name,
            country: "VN",
            public_key: &csca.public_key(),
            // openssl refuses chains with explicit parameters.
            parameters: ParameterForm::Named,
            issuer_key: &csca.public_key(),
            validity: Validity {
                not_before: moment("2026-01-01T00:00:00Z"),
                not_after: moment("2045-12-31T23:59:59Z"),
                key_not_after: moment("2026-12-31T23:59:59Z"),
            },
        };
        let document_signer = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[0x12, 0x34],
            subject: &country_name("VN", "Specimen", "DS test"),
            public_key: &key.public_key(),
            parameters: ParameterForm::Named,
            ..root.clone()
        };
        let mut random = system_random();
        Self {
            certificate: issue(&document_signer, &csca, &mut random).unwrap(),
            csca: issue(&root, &csca, &mut random).unwrap(),
            key,
            faulty: Cell::new(false),
        }
    }

    fn with_certificate<'a>(&'a self, certificate: &'a [u8]) -> DocumentSigner<'a> {
        DocumentSigner { signer: self, certificate }
    }
}

fn prepare_with(signer: &TestSigner, record: &Record) -> Result<CardImage, PrepareError> {
    let signer = signer.with_certificate(&signer.certificate);
    prepare(record, signer, now(), &mut system_random())
}

fn image(changes: Value) -> CardImage {
    prepare_with(&TestSigner::new(), &record(changes)).unwrap()
}

fn lds(image: &CardImage, fid: u16) -> &[u8] {
    &image.file(Location::Lds1, fid).unwrap().content
}

#[test]
fn writes_the_card_access_of_the_cards() {
    let image = image(json!({}));
    let file = image.file(Location::MasterFile, FileId::CARD_ACCESS.0).unwrap();
    assert_eq!(
        file.content,
        hex!(
            "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f00"
            "07020204020202010202010d"
        )
    );
    assert_eq!((file.sfi, file.access), (Some(0x1C), AccessRule::Always));
}

#[test]
fn lists_the_data_groups_in_the_order_of_the_cards() {
    let image = image(json!({ "data_groups": { "DG3": "dg3.bin" } }));
    let com = Com::decode(lds(&image, FileId::COM.0)).unwrap();
    assert_eq!(com.tags, hex!("61 75 63 6D 6F 6E"));
    assert_eq!(lds(&image, 0x0103), hex!("6303020100"));
    assert_eq!(image.file(Location::Lds1, 0x0103).unwrap().access, AccessRule::Dg3Right);
}

#[test]
fn leaves_out_a_data_group_that_the_record_does_not_give() {
    let image = image(json!({}));
    let com = Com::decode(lds(&image, FileId::COM.0)).unwrap();
    assert_eq!(com.tags, hex!("61 75 6D 6F 6E"));
    assert_eq!(image.file(Location::Lds1, 0x0103), None);
}

#[test]
fn puts_mrz_portrait_and_dg13_of_the_record_into_their_files() {
    let record = record(json!({}));
    let image = prepare_with(&TestSigner::new(), &record).unwrap();
    assert_eq!(decode_dg1(lds(&image, 0x0101)).unwrap(), record.mrz.as_str().as_bytes());
    assert_eq!(lds(&image, 0x010D), record.dg13.as_bytes());
    let dg2 = Dg2::decode(lds(&image, 0x0102)).unwrap();
    let face = crate::biometrics::FaceRecord::decode(&dg2.templates[0].data).unwrap();
    assert_eq!(face.images[0].data, record.portrait.bytes);
    assert_eq!((face.images[0].width, face.images[0].height), (413, 531));
}

#[test]
fn publishes_the_chip_keys_and_repeats_card_access_under_the_signature() {
    let image = image(json!({}));
    let infos = security_infos_of_dg14(lds(&image, 0x010E)).unwrap();
    let spki = &infos.chip_authentication_keys().next().unwrap().spki;
    let key = image.chip_authentication[0].key.public_element();
    let PublicElement::Ec(key) = key else { panic!("the profile has a curve") };
    assert_eq!(PublicKey::from_spki_der(spki).unwrap().0, PublicKey::Ec(key));

    let open = &image.file(Location::MasterFile, FileId::CARD_ACCESS.0).unwrap().content;
    let open = SecurityInfos::decode("EF.CardAccess", open).unwrap();
    assert!(open.infos.iter().all(|info| infos.infos.contains(info)));

    let Some(ActiveAuthenticationKey::Ecdsa { key, .. }) = &image.active_authentication else {
        panic!("the profile has ECDSA");
    };
    assert_eq!(decode_dg15(lds(&image, 0x010F)).unwrap(), PublicKey::Ec(key.public_point()));
    let plain_sha256 = const_oid::ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3");
    assert_eq!(infos.active_authentication_algorithm(), Some(plain_sha256));
}

#[test]
fn gives_the_card_the_keys_that_open_it() {
    let record = record(json!({}));
    let image = prepare_with(&TestSigner::new(), &record).unwrap();
    let keys = AccessKeys::from_mrz(&record.mrz, &record.profile).unwrap();
    assert_eq!(image.can, keys.can);
    assert_eq!(image.mrz_key.as_deref(), keys.mrz.as_ref().map(|key| key.as_bytes()));
    assert!(image.bac);
    assert_eq!(image.pace[0].domain_parameter_id, 13);
}

#[test]
fn makes_fresh_keys_for_every_card() {
    let (record, signer) = (record(json!({})), TestSigner::new());
    let [a, b] = [(); 2].map(|()| prepare_with(&signer, &record).unwrap());
    assert_ne!(lds(&a, 0x010E), lds(&b, 0x010E));
    assert_ne!(lds(&a, 0x010F), lds(&b, 0x010F));
}

#[test]
fn signs_at_the_time_given() {
    let image = image(json!({}));
    let sod = Sod::decode(lds(&image, FileId::SOD.0)).unwrap();
    let attributes = sod.signers[0].attributes().unwrap().unwrap();
    assert_eq!(attributes.signing_time.as_deref(), Some("261123120000Z"));
    assert_eq!(sod.security_object().unwrap().hash_algorithm, HashAlgorithm::Sha256.oid());
}

#[test]
fn writes_no_card_access_where_pace_is_off() {
    let image = image(json!({ "access": { "pace": false } }));
    assert_eq!(image.file(Location::MasterFile, FileId::CARD_ACCESS.0), None);
    assert!(image.pace.is_empty() && image.can.is_none() && image.bac);
    let infos = security_infos_of_dg14(lds(&image, 0x010E)).unwrap();
    assert_eq!(infos.pace().count(), 0);
}

#[test]
fn signs_card_security_with_the_key_of_pace_cam() {
    let signer = TestSigner::new();
    let image = prepare_with(&signer, &record(json!({ "profile": "icao-pace-cam" }))).unwrap();
    let file = image.file(Location::MasterFile, FileId::SOD.0).unwrap();
    assert_eq!((file.sfi, file.access), (Some(0x1D), AccessRule::AfterAccessControl));
    let object = CardSecurity::decode(&file.content).unwrap();
    let signed = object.signed_data.checked_signer(&[SECURITY_OBJECT]).unwrap();
    signed.verify_with_embedded_certificate().unwrap();
    let key = image.chip_authentication[0].key.public_element().to_bytes();
    let [info] = &object.infos.chip_authentication_keys().collect::<Vec<_>>()[..] else {
        panic!("one key")
    };
    let (public, _) = PublicKey::from_spki_der(&info.spki).unwrap();
    assert_eq!(public.key_bytes(), key);
    let open = &image.file(Location::MasterFile, FileId::CARD_ACCESS.0).unwrap().content;
    let open = SecurityInfos::decode("EF.CardAccess", open).unwrap();
    assert!(open.infos.iter().all(|info| object.infos.infos.contains(info)));
}

#[test]
fn finds_an_altered_card_security_in_a_finished_image() {
    let signer = TestSigner::new();
    let mut image = prepare_with(&signer, &record(json!({ "profile": "icao-pace-cam" }))).unwrap();
    let file = image
        .files
        .iter_mut()
        .find(|f| f.location == Location::MasterFile && f.fid == FileId::SOD.0);
    *file.unwrap().content.last_mut().unwrap() ^= 1;
    let error = sod::check(&image, signer.with_certificate(&signer.certificate), &[]).unwrap_err();
    assert!(matches!(error, PrepareError::SelfCheck { what: "EF.CardSecurity" }), "{error}");
}

#[test]
fn writes_no_card_security_without_pace_cam() {
    let image = image(json!({ "profile": "domain-13" }));
    assert_eq!(image.file(Location::MasterFile, FileId::SOD.0), None);
}

#[test]
fn leaves_the_signing_time_out_where_the_profile_says_so() {
    let mut record = record(json!({}));
    record.profile.to_mut().sod.signing_time = false;
    let image = prepare_with(&TestSigner::new(), &record).unwrap();
    let sod = Sod::decode(lds(&image, FileId::SOD.0)).unwrap();
    assert_eq!(sod.signers[0].attributes().unwrap().unwrap().signing_time, None);
}

#[test]
fn follows_the_access_rules_of_the_record() {
    let image = image(json!({ "access": { "files": { "EF.DG13": "dg3_right" } } }));
    assert_eq!(image.file(Location::Lds1, 0x010D).unwrap().access, AccessRule::Dg3Right);
}

#[test]
fn refuses_a_signature_that_does_not_verify() {
    let signer = TestSigner::new();
    signer.faulty.set(true);
    let error = prepare_with(&signer, &record(json!({}))).unwrap_err();
    let wrong = PrepareError::Signer(SignerError::WrongSignatures { count: 3 });
    assert_eq!(error.to_string(), wrong.to_string());
}

#[test]
fn refuses_the_certificate_of_another_key() {
    let (signer, other) = (TestSigner::new(), TestSigner::new());
    let signer = signer.with_certificate(&other.certificate);
    let error = prepare(&record(json!({})), signer, now(), &mut system_random()).unwrap_err();
    assert!(matches!(error, PrepareError::CertificateKey), "{error}");
}

#[test]
fn refuses_a_certificate_out_of_its_time() {
    let signer = TestSigner::new();
    let signer = signer.with_certificate(&signer.certificate);
    for time in ["2025-12-31T23:59:59Z", "2046-01-01T00:00:00Z"] {
        let time = time.parse().unwrap();
        let error = prepare(&record(json!({})), signer, time, &mut system_random()).unwrap_err();
        assert!(matches!(error, PrepareError::CertificateExpired), "{error}");
    }
}

#[test]
fn refuses_to_sign_after_the_private_key_usage_period() {
    let signer = TestSigner::new();
    let signer = signer.with_certificate(&signer.certificate);
    let time = "2027-01-01T00:00:00Z".parse().unwrap();
    let error = prepare(&record(json!({})), signer, time, &mut system_random()).unwrap_err();
    assert!(matches!(error, PrepareError::KeyPeriodOver), "{error}");
}

#[test]
fn refuses_the_certificate_of_a_csca_as_document_signer() {
    let signer = TestSigner::new();
    let own = TestSigner { key: signer.key.clone(), ..TestSigner::new() };
    // The key of the document signer in a certificate with the profile of a CSCA.
    let name = country_name("VN", "Specimen", "CSCA test");
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    let request = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &[1],
        issuer: &name,
        subject: &name,
        country: "VN",
        public_key: &own.key.public_key(),
        parameters: ParameterForm::Named,
        issuer_key: &own.key.public_key(),
        validity: Validity {
            not_before: moment("2026-01-01T00:00:00Z"),
            not_after: moment("2045-12-31T23:59:59Z"),
            key_not_after: moment("2026-12-31T23:59:59Z"),
        },
    };
    let certificate = issue(&request, &own.key, &mut system_random()).unwrap();
    let signer = own.with_certificate(&certificate);
    let error = prepare(&record(json!({})), signer, now(), &mut system_random()).unwrap_err();
    assert!(matches!(error, PrepareError::Certificate { .. }), "{error}");
}

#[test]
fn signs_with_every_kind_of_key_that_document_signers_have() {
    let record = record(json!({}));
    let curve = KeyKind::Ec;
    let kinds = [
        (curve(Curve::BrainpoolP256r1), false),
        (curve(Curve::P384), false),
        (curve(Curve::BrainpoolP512r1), false),
        (KeyKind::Rsa(2048), false),
        (KeyKind::Rsa(2048), true),
    ];
    for (kind, pss) in kinds {
        let signer = TestSigner::of_kinds(curve(Curve::P256), kind, pss);
        prepare_with(&signer, &record).unwrap();
    }
}

#[test]
fn signs_what_openssl_verifies_up_to_the_csca() {
    let csca = KeyKind::Ec(Curve::BrainpoolP512r1);
    let signer = TestSigner::of_kinds(csca, KeyKind::Ec(Curve::BrainpoolP256r1), false);
    let image = prepare_with(&signer, &record(json!({}))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let root = crate::pki::to_pem("CERTIFICATE", &signer.csca);
    std::fs::write(folder.path().join("csca.pem"), root).unwrap();
    // Without the wrapper 77 it is a CMS ContentInfo.
    let sod = crate::apdu::tlv::Tlv::parse_exact(lds(&image, FileId::SOD.0)).unwrap();
    let verify = |cms: &[u8]| {
        std::fs::write(folder.path().join("sod.der"), cms).unwrap();
        let output = std::process::Command::new("openssl")
            .current_dir(folder.path())
            .args(["cms", "-verify", "-inform", "DER", "-in", "sod.der", "-CAfile", "csca.pem"])
            .args(["-purpose", "any", "-binary", "-out", "content"])
            .args(["-attime", &now().as_second().to_string()])
            .output()
            .expect("openssl is installed");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (verified, said) = verify(sod.value);
    assert!(verified, "{said}");
    let mut altered = sod.value.to_vec();
    let digest = HashAlgorithm::Sha256.digest(lds(&image, 0x0101));
    let place = altered.windows(32).position(|window| window == digest).unwrap();
    altered[place] ^= 1;
    assert!(!verify(&altered).0);
}

#[test]
fn finds_an_altered_data_group_in_a_finished_image() {
    let signer = TestSigner::new();
    let mut image = prepare_with(&signer, &record(json!({}))).unwrap();
    let signer = signer.with_certificate(&signer.certificate);
    sod::check(&image, signer, &[]).unwrap();
    let dg13 = image.files.iter_mut().find(|file| file.fid == 0x010D).unwrap();
    *dg13.content.last_mut().unwrap() ^= 1;
    assert!(matches!(sod::check(&image, signer, &[]), Err(PrepareError::SelfCheck { .. })));
}

#[test]
fn prepares_the_card_of_2024_with_a_jpeg_2000_portrait() {
    let source = include_bytes!("../../../testvectors/specimen/record-2024.json");
    let record = review(source, &Specimen, date(2026, 11, 23)).record.unwrap();
    let image = prepare_with(&TestSigner::new(), &record).unwrap();
    let dg2 = Dg2::decode(lds(&image, 0x0102)).unwrap();
    let face = crate::biometrics::FaceRecord::decode(&dg2.templates[0].data).unwrap();
    assert_eq!((face.images[0].data_type, face.images[0].width), (1, 413));
}

#[test]
fn shows_no_key_and_nothing_personal_in_debug_output() {
    let image = image(json!({}));
    let all = format!("{image:?} {:?} {:?}", image.chip_authentication, image.files);
    assert!(all.contains("***") && !all.contains("NGUYEN"), "{all}");
}
