//! An issuer, a specimen holder and a personalised software card, for tests against foreign
//! implementations.
#![allow(dead_code)] // each test binary uses a part

pub mod compiled;
pub mod cv_chain;
pub mod plugged;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use cancuoc::cli::finding::RecordFolder;
use cancuoc::document::profile::CardProfile;
use cancuoc::globalplatform::personalize::{Inspection, Settings, personalize};
use cancuoc::globalplatform::read_back::TerminalInspection;
use cancuoc::globalplatform::{KeySet, NotReadBack};
use cancuoc::issue::{CardImage, DocumentSigner, Location, Terms, prepare, review_with};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, RevokedCertificate, Signer, SoftwareKey,
    Validity, country_name, issue, issue_crl,
};
use cancuoc::softcard::{BlankOptions, SoftCard};
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
        let mut profile = include_str!("../../../profiles/can-cuoc-2021.toml").to_owned();
        for (from, to) in changes {
            assert!(profile.contains(from), "{from:?} stands in the profile");
            profile = profile.replacen(from, to, 1);
        }
        self.image_with(&profile, Terms::default())
    }

    /// The same under a profile of one's own and with what the caller adds to the record.
    pub fn image_with(&self, profile: &str, mut terms: Terms) -> CardImage {
        let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../testvectors/specimen"));
        let source = std::fs::read(folder.join("record.json")).unwrap();
        terms.profile = Some(Cow::Owned(CardProfile::from_toml(profile).unwrap()));
        let review = review_with(&source, &RecordFolder::new(folder), date(2026, 11, 23), &terms);
        let record = review.record.expect("the record has no errors");
        let signer = DocumentSigner { signer: &self.signer, certificate: &self.signer_certificate };
        prepare(&record, signer, now(), &mut random()).unwrap()
    }
}

/// A profile of a card with DG1, DG2 and what the text adds.
pub fn profile(body: &str) -> String {
    let head = "schema = \"cancuoc.profile/1\"\nextends = \"icao-base\"\nname = \"foreign\"\n\
                title_en = \"For tests\"\ntitle_vi = \"Để thử\"\n";
    format!("{head}{body}")
}

/// Protocols with the standardised domain parameters to run them over; every curve, prime field and
/// cipher is there.
pub type Variants = &'static [(&'static str, &'static [u8])];

/// Of PACE with Generic Mapping.
pub const GENERIC_MAPPING: Variants = &[
    ("ECDH-GM-3DES-CBC-CBC", &[10]),
    ("ECDH-GM-AES-CBC-CMAC-128", &[8, 9, 11, 12, 13]),
    ("ECDH-GM-AES-CBC-CMAC-192", &[14, 15]),
    ("ECDH-GM-AES-CBC-CMAC-256", &[16, 17, 18]),
    ("DH-GM-3DES-CBC-CBC", &[0]),
    ("DH-GM-AES-CBC-CMAC-128", &[0, 1]),
    ("DH-GM-AES-CBC-CMAC-192", &[1]),
    ("DH-GM-AES-CBC-CMAC-256", &[2]),
];

/// Of PACE with Integrated Mapping; P-224, parameter 10, cannot have it.
pub const INTEGRATED_MAPPING: Variants = &[
    ("ECDH-IM-3DES-CBC-CBC", &[9, 13]),
    ("ECDH-IM-AES-CBC-CMAC-128", &[8, 11, 12]),
    ("ECDH-IM-AES-CBC-CMAC-192", &[14, 15]),
    ("ECDH-IM-AES-CBC-CMAC-256", &[16, 17, 18]),
    ("DH-IM-3DES-CBC-CBC", &[0]),
    ("DH-IM-AES-CBC-CMAC-128", &[0, 2]),
    ("DH-IM-AES-CBC-CMAC-192", &[1]),
    ("DH-IM-AES-CBC-CMAC-256", &[2]),
];

/// Cipher and parameter of PACE with Chip Authentication Mapping.
pub const CHIP_AUTHENTICATION_MAPPING: [(u16, u8); 6] =
    [(128, 13), (128, 12), (192, 15), (256, 16), (256, 17), (256, 18)];

/// Of Chip Authentication.
pub const CHIP_AUTHENTICATION: Variants = &[
    ("ECDH-3DES-CBC-CBC", &[10, 13]),
    ("ECDH-AES-CBC-CMAC-128", &[8, 9, 11, 12, 13]),
    ("ECDH-AES-CBC-CMAC-192", &[14, 15]),
    ("ECDH-AES-CBC-CMAC-256", &[16, 17, 18]),
    ("DH-3DES-CBC-CBC", &[1]),
    ("DH-AES-CBC-CMAC-128", &[0, 2]),
    ("DH-AES-CBC-CMAC-192", &[1]),
    ("DH-AES-CBC-CMAC-256", &[2]),
];

/// Each protocol with each of its parameters.
pub fn each(variants: Variants) -> impl Iterator<Item = (&'static str, u8)> {
    variants.iter().flat_map(|(protocol, parameters)| parameters.iter().map(|p| (*protocol, *p)))
}

/// Of a profile: one configuration of PACE.
pub fn pace(protocol: &str, parameter: u8) -> String {
    format!("[access]\npace = [{{ protocol = \"id-PACE-{protocol}\", parameter = {parameter} }}]\n")
}

/// Of a profile: one key of Chip Authentication, over standardised domain parameters.
pub fn chip_key(protocol: &str, parameter: u8) -> String {
    format!("[chip_authentication]\nprotocol = \"id-CA-{protocol}\"\nparameter = {parameter}\n")
}

/// Of a profile: PACE-CAM with its key; Generic Mapping beside it, as ICAO 9303-11 §4.4 wants.
pub fn mapped(cipher: u16, generic: u16, parameter: u8) -> String {
    format!(
        "[access]\nbac = false\npace = [\
         {{ protocol = \"id-PACE-ECDH-GM-AES-CBC-CMAC-{generic}\", parameter = {parameter} }},\
         {{ protocol = \"id-PACE-ECDH-CAM-AES-CBC-CMAC-{cipher}\", parameter = {parameter} }}]\n\
         [chip_authentication]\nprotocol = \"id-CA-ECDH-AES-CBC-CMAC-{cipher}\"\n\
         parameter = {parameter}\nkey_id = {parameter}\n"
    )
}

/// A data group of 300 bytes.
pub const DG3: [u8; 300] = {
    let mut bytes = [0x5A; 300];
    (bytes[0], bytes[1], bytes[2], bytes[3]) = (0x63, 0x82, 0x01, 0x28);
    bytes
};

/// A card with DG3 behind Terminal Authentication from the chain's CVCA.
pub fn guarded(issuer: &Issuer, chain: &cv_chain::Chain, access: &str) -> CardImage {
    let terms = Terms {
        data_groups: [(3, DG3.to_vec())].into(),
        trust_points: vec![chain.cvca.raw().to_vec()],
        ..Terms::default()
    };
    let access = access.replace("[access]\n", "[access]\nterminal_authentication = 1\n");
    issuer.image_with(&profile(&(access + "[lds]\ndata_groups = [1, 2, 3, 14]\n")), terms)
}

/// Writes an image onto a new card, through the whole of personalisation.
pub fn card(image: &CardImage) -> SoftCard {
    let mut for_inspection = random();
    write(image, &mut TerminalInspection::new(&mut for_inspection))
}

/// The same in a new file.
pub fn card_in_file(image: &CardImage, path: &Path) {
    let mut for_inspection = random();
    write_in_file(image, path, &mut TerminalInspection::new(&mut for_inspection));
}

fn write_in_file(image: &CardImage, path: &Path, inspection: &mut dyn Inspection) {
    let card = SoftCard::create(path, &BlankOptions::test([0, 0, 0, 8])).unwrap();
    write_on(card, image, inspection);
}

fn write(image: &CardImage, inspection: &mut dyn Inspection) -> SoftCard {
    let card = SoftCard::in_memory(&BlankOptions::test([0, 0, 0, 7])).unwrap();
    write_on(card, image, inspection)
}

fn write_on(mut card: SoftCard, image: &CardImage, inspection: &mut dyn Inspection) -> SoftCard {
    let keys = KeySet::test_keys().unwrap();
    let settings = Settings::new(&keys);
    personalize(&mut card, image, &settings, &mut random(), inspection, &mut |_| {}).unwrap();
    card.power_on();
    card
}

/// Writes an image onto a new card and believes that it is there: for forgeries that reading back
/// would find.
pub fn card_without_inspection(image: &CardImage) -> SoftCard {
    write(image, &mut NotReadBack)
}

/// The same in a new file.
pub fn card_in_file_without_inspection(image: &CardImage, path: &Path) {
    write_in_file(image, path, &mut NotReadBack);
}

/// The content of a file of the LDS1 application.
pub fn content(image: &CardImage, fid: u16) -> &[u8] {
    &image.file(Location::Lds1, fid).unwrap().content
}
