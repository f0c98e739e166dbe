//! A synthetic issuer of documents, its cards of any profile, and who inspects them.
#![allow(dead_code)] // each test binary uses a part

use std::borrow::Cow;

use cancuoc::document::{CardProfile, Pin, Puk};
use cancuoc::issue::{CardImage, DocumentSigner, LoadError, Loader, Terms, prepare, review_with};
use cancuoc::lds::ParameterForm;
use cancuoc::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue, issue_crl,
};
use cancuoc::terminal::ChipReading;
use cancuoc::trust::TrustStore;
use cancuoc::verify::{
    Check, CheckId, ChipEvidence, DocumentFiles, Expected, Inspection, Policy, Report, inspect,
};
use cancuoc_primitives::curve::Curve;
use jiff::{SignedDuration, Timestamp};

use crate::cards::random;

const RECORD: &[u8] = include_bytes!("../../testvectors/specimen/record.json");
const FINGERPRINTS: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup3.bin");
const IRISES: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup4.bin");
const PORTRAIT: &[u8] = include_bytes!("../../testvectors/specimen/portrait.jpg");

/// A country signing CA and a document signer under it.
pub struct TestIssuer {
    pub csca: Vec<u8>,
    crl: Vec<u8>,
    ds: Vec<u8>,
    ds_key: SoftwareKey,
}

struct Specimen;

impl Loader for Specimen {
    fn load(&self, _: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        Ok(PORTRAIT.to_vec())
    }
}

impl TestIssuer {
    pub fn new() -> Self {
        let kind = KeyKind::Ec(Curve::P256);
        let [csca_key, ds_key] =
            [(); 2].map(|()| SoftwareKey::generate(kind, false, &mut random()).unwrap());
        let day = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
        let validity =
            Validity { not_before: day(-1), not_after: day(3650), key_not_after: day(90) };
        let [name, subject] = ["CSCA", "DS"].map(|name| country_name("VN", "Specimen", name));
        let root = CertificateRequest {
            kind: CertificateKind::CscaRoot,
            serial: &[1],
            issuer: &name,
            subject: &name,
            country: "VN",
            public_key: &csca_key.public_key(),
            parameters: ParameterForm::Named,
            issuer_key: &csca_key.public_key(),
            validity,
        };
        let signer = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            subject: &subject,
            public_key: &ds_key.public_key(),
            ..root.clone()
        };
        let csca = issue(&root, &csca_key, &mut random()).unwrap();
        let ds = issue(&signer, &csca_key, &mut random()).unwrap();
        let times = (day(-1), day(90));
        let crl = issue_crl(&name, &[], 1, times, &csca_key, &mut random()).unwrap();
        Self { csca, crl, ds, ds_key }
    }

    /// The image of a card for the specimen's holder, by a built-in profile or TOML.
    pub fn image(&self, profile: &str) -> CardImage {
        let profile = match CardProfile::builtin(profile) {
            Ok(profile) => Cow::Borrowed(profile),
            Err(_) => Cow::Owned(CardProfile::from_toml(profile).unwrap()),
        };
        let pin = profile.passwords.pin.map(|_| Pin::new("135790").unwrap());
        let puk = profile.passwords.puk.map(|_| Puk::new("1234567890").unwrap());
        let data_groups = [(3, FINGERPRINTS.to_vec()), (4, IRISES.to_vec())].into();
        let terms = Terms { profile: Some(profile), pin, puk, data_groups, ..Terms::default() };
        let today = jiff::tz::TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let review = review_with(RECORD, &Specimen, today, &terms);
        let record = review.record.unwrap_or_else(|| panic!("{:?}", review.findings));
        let signer = DocumentSigner { signer: &self.ds_key, certificate: &self.ds };
        prepare(&record, signer, Timestamp::now(), &mut random()).unwrap()
    }

    /// Inspects what was read, trusting this issuer alone.
    pub fn inspect(&self, files: &DocumentFiles, chip: &ChipEvidence, policy: &Policy) -> Report {
        let mut trust = TrustStore::default();
        trust.add(&self.csca).unwrap();
        trust.add(&self.crl).unwrap();
        let (expected, now) = (Expected::default(), Timestamp::now());
        inspect(files, chip, &Inspection { trust: &trust, now, expected: &expected, policy })
    }

    /// The same by the strict policy.
    pub fn inspect_reading(&self, reading: &ChipReading) -> Report {
        let files = DocumentFiles::of_reading(reading);
        self.inspect(&files, &ChipEvidence::of_reading(reading), Policy::strict())
    }
}

/// The check of a report.
pub fn check(report: &Report, id: CheckId) -> &Check {
    report.checks.iter().find(|check| check.id == id).unwrap()
}
