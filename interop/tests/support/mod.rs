//! An issuer, a specimen holder and a personalised software card, for tests against foreign
//! implementations.
#![allow(dead_code)] // each test binary uses a part

pub mod compiled;
pub mod plugged;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use cancuoc::cli::finding::RecordFolder;
use cancuoc::document::profile::CardProfile;
use cancuoc::globalplatform::KeySet;
use cancuoc::globalplatform::personalize::{
    Inspection, ReadBack, ReadBackError, Settings, personalize,
};
use cancuoc::globalplatform::read_back::TerminalInspection;
use cancuoc::issue::{CardImage, DocumentSigner, Location, prepare, review};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, RevokedCertificate, Signer, SoftwareKey,
    Validity, country_name, issue, issue_crl,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
use cancuoc::transport::CardTransport;
use cancuoc_primitives::curve::Curve;
use jiff::Timestamp;
use jiff::civil::date;

/// The specimen holder's CAN.
pub const CAN: &str = "000018";
/// Document number of the MRZ.
pub const DOCUMENT_NUMBER: &str = "200000018";

pub fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

pub fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn csca_name() -> Vec<u8> {
    country_name("VN", "Specimen", "CSCA of tests")
}

/// A CSCA with one document signer.
pub struct Issuer {
    pub csca: SoftwareKey,
    pub csca_certificate: Vec<u8>,
    pub signer: SoftwareKey,
    pub signer_certificate: Vec<u8>,
}

/// How the keys of an issuer are.
pub struct IssuerKeys {
    pub csca: KeyKind,
    pub signer: KeyKind,
    pub parameters: ParameterForm,
    pub pss: bool,
}

impl Default for IssuerKeys {
    fn default() -> Self {
        Self {
            csca: KeyKind::Ec(Curve::P384),
            signer: KeyKind::Ec(Curve::P256),
            parameters: ParameterForm::Named,
            pss: false,
        }
    }
}

impl Issuer {
    pub fn new(keys: &IssuerKeys) -> Self {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let csca = SoftwareKey::generate(keys.csca, keys.pss, &mut random()).unwrap();
        let signer = SoftwareKey::generate(keys.signer, keys.pss, &mut random()).unwrap();
        let name = csca_name();
        let request = CertificateRequest {
            kind: CertificateKind::CscaRoot,
            serial: &[1],
            issuer: &name,
            subject: &name,
            country: "VN",
            public_key: &csca.public_key(),
            parameters: keys.parameters,
            issuer_key: &csca.public_key(),
            validity: Validity {
                not_before: moment("2026-01-01T00:00:00Z"),
                not_after: moment("2046-01-01T00:00:00Z"),
                key_not_after: moment("2031-01-01T00:00:00Z"),
            },
        };
        let csca_certificate = issue(&request, &csca, &mut random()).unwrap();
        let request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            subject: &country_name("VN", "Specimen", "DS of tests"),
            public_key: &signer.public_key(),
            ..request
        };
        let signer_certificate = issue(&request, &csca, &mut random()).unwrap();
        Self { csca, csca_certificate, signer, signer_certificate }
    }

    /// A revocation list with one certificate that is not the document signer's.
    pub fn crl(&self) -> Vec<u8> {
        let revoked = [RevokedCertificate { serial: vec![9], since: now() }];
        let issuer = csca_name();
        let next: Timestamp = "2027-02-23T12:00:00Z".parse().unwrap();
        issue_crl(&issuer, &revoked, 1, (now(), next), &self.csca, &mut random()).unwrap()
    }

    /// The image of a card for the specimen holder, under a changed profile: each pair replaces
    /// text in the profile of the 2021 card.
    pub fn image(&self, changes: &[(&str, &str)]) -> CardImage {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../testvectors/specimen"));
        let source = std::fs::read(folder.join("record.json")).unwrap();
        let review = review(&source, &RecordFolder::new(folder), date(2026, 11, 23));
        let mut record = review.record.expect("the specimen record has no errors");
        let mut profile = include_str!("../../../profiles/can-cuoc-2021.toml").to_owned();
        for (from, to) in changes {
            assert!(profile.contains(from), "{from:?} stands in the profile");
            profile = profile.replacen(from, to, 1);
        }
        record.profile = Cow::Owned(CardProfile::from_toml(&profile).unwrap());
        let signer = DocumentSigner { signer: &self.signer, certificate: &self.signer_certificate };
        prepare(&record, signer, now(), &mut random()).unwrap()
    }
}

/// Writes an image onto a new card, through the whole of personalisation.
pub fn card(image: &CardImage) -> SoftCard {
    let mut for_inspection = random();
    write(image, &mut TerminalInspection::new(&mut for_inspection))
}

/// The same in a new file.
pub fn card_in_file(image: &CardImage, path: &Path) {
    let card = SoftCard::create(path, &BlankOptions::test([0, 0, 0, 8])).unwrap();
    let mut for_inspection = random();
    write_on(card, image, &mut TerminalInspection::new(&mut for_inspection));
}

fn write(image: &CardImage, inspection: &mut dyn Inspection) -> SoftCard {
    let card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 7])).unwrap();
    write_on(card, image, inspection)
}

fn write_on(mut card: SoftCard, image: &CardImage, inspection: &mut dyn Inspection) -> SoftCard {
    let keys = KeySet::test_keys().unwrap();
    let settings = Settings { keys: &keys, level: None, max_data: None };
    personalize(&mut card, image, &settings, &mut random(), inspection, &mut |_| {}).unwrap();
    card.power_on();
    card
}

/// Writes an image onto a new card and believes that it is there: for forgeries that reading back
/// would find.
pub fn card_without_inspection(image: &CardImage) -> SoftCard {
    struct Blind;
    impl Inspection for Blind {
        fn is_same_document(
            &mut self,
            _: &mut dyn CardTransport,
            _: &CardImage,
        ) -> Result<bool, ReadBackError> {
            Ok(false)
        }
        fn read_back(
            &mut self,
            _: &mut dyn CardTransport,
            _: &CardImage,
        ) -> Result<ReadBack, ReadBackError> {
            Ok(ReadBack::default())
        }
    }
    write(image, &mut Blind)
}

/// The content of a file of the LDS1 application.
pub fn content(image: &CardImage, fid: u16) -> &[u8] {
    &image.file(Location::Lds1, fid).unwrap().content
}
