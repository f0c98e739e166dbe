use std::cell::Cell;

use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::ecdsa::sign_prehashed;
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
    Com, Dg2, FileId, ParameterForm, PublicKey, SecurityInfos, SignatureAlgorithm, decode_dg1,
    decode_dg15, security_infos_of_dg14, write,
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

/// A document signer made for a test.
struct TestSigner {
    key: SecretScalar,
    /// Alters the signatures.
    faulty: Cell<bool>,
}

impl Signer for TestSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256)
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::Ec(self.key.public_point())
    }

    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        let digest = HashAlgorithm::Sha256.digest(message);
        let mut signature = sign_prehashed(&self.key, &digest, random).unwrap();
        if self.faulty.get() {
            signature.r[5] ^= 1;
        }
        Ok(signature.to_der().unwrap())
    }
}

impl TestSigner {
    fn new() -> Self {
        let key = SecretScalar::random(Curve::P256, &mut system_random());
        Self { key, faulty: Cell::new(false) }
    }

    /// A certificate for the key, valid for the year 2026; its own signature is of no matter here.
    fn certificate(&self) -> Vec<u8> {
        let algorithm = self.algorithm().to_der();
        let name = write::sequence(&[&write::constructed(
            crate::apdu::tlv::Tag(0x31),
            &[&write::sequence(&[
                &write::oid(&const_oid::ObjectIdentifier::new_unwrap("2.5.4.6")),
                &hex!("1302564E"),
            ])],
        )]);
        let time =
            |text: &str| crate::apdu::tlv::encode(crate::lds::tag::UTC_TIME, text.as_bytes());
        let validity = write::sequence(&[&time("260101000000Z"), &time("261231235959Z")]);
        let key = self.public_key().to_spki_der(ParameterForm::Named);
        let version = hex!("A003020102");
        let tbs = write::sequence(&[
            &version,
            &write::integer(0x1234),
            &algorithm,
            &name,
            &validity,
            &name,
            &key,
        ]);
        write::sequence(&[&tbs, &algorithm, &write::bits(&[0])])
    }
}

fn prepare_with(signer: &TestSigner, record: &Record) -> Result<CardImage, PrepareError> {
    let certificate = signer.certificate();
    let signer = DocumentSigner { signer, certificate: &certificate };
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
    let key = image.chip_authentication[0].key.public_point();
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
fn follows_the_access_rules_of_the_record() {
    let image = image(json!({ "access": { "files": { "EF.DG13": "dg3_right" } } }));
    assert_eq!(image.file(Location::Lds1, 0x010D).unwrap().access, AccessRule::Dg3Right);
}

#[test]
fn refuses_a_signature_that_does_not_verify() {
    let signer = TestSigner::new();
    signer.faulty.set(true);
    let error = prepare_with(&signer, &record(json!({}))).unwrap_err();
    assert!(matches!(error, PrepareError::WrongSignature), "{error}");
}

#[test]
fn refuses_the_certificate_of_another_key() {
    let (signer, other) = (TestSigner::new(), TestSigner::new());
    let certificate = other.certificate();
    let signer = DocumentSigner { signer: &signer, certificate: &certificate };
    let error = prepare(&record(json!({})), signer, now(), &mut system_random()).unwrap_err();
    assert!(matches!(error, PrepareError::CertificateKey), "{error}");
}

#[test]
fn refuses_a_certificate_out_of_its_time() {
    let signer = TestSigner::new();
    let certificate = signer.certificate();
    let signer = DocumentSigner { signer: &signer, certificate: &certificate };
    for time in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z"] {
        let time = time.parse().unwrap();
        let error = prepare(&record(json!({})), signer, time, &mut system_random()).unwrap_err();
        assert!(matches!(error, PrepareError::CertificateExpired), "{error}");
    }
}

#[test]
fn finds_an_altered_data_group_in_a_finished_image() {
    let signer = TestSigner::new();
    let mut image = prepare_with(&signer, &record(json!({}))).unwrap();
    let certificate = signer.certificate();
    let signer = DocumentSigner { signer: &signer, certificate: &certificate };
    sod::check(&image, signer).unwrap();
    let dg13 = image.files.iter_mut().find(|file| file.fid == 0x010D).unwrap();
    *dg13.content.last_mut().unwrap() ^= 1;
    assert!(matches!(sod::check(&image, signer), Err(PrepareError::SelfCheck { .. })));
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
