//! What commands that make cards share: a new issuer, images copied for forgeries.

use cancuoc_primitives::CryptoRng;
use jiff::{SignedDuration, Timestamp};

use super::{ExitStatus, Failure};
use crate::error::ErrorCode;
use crate::globalplatform::KeySet;
use crate::globalplatform::personalize::{Inspection, Report, Settings, personalize};
use crate::issue::CardImage;
use crate::lds::ParameterForm;
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, Signer, SoftwareKey, Validity, country_name,
    issue, issue_crl,
};
use crate::softcard::SoftCard;

/// What issuer to make.
pub(super) struct IssuerRequest<'a> {
    /// Two letters.
    pub country: &'a str,
    /// O of the names.
    pub organization: &'a str,
    /// CN of the country signing CA.
    pub name: &'a str,
    /// Key of the country signing CA.
    pub csca: KeyKind,
    /// Key of the document signer.
    pub document_signer: KeyKind,
    /// Start of validity.
    pub now: Timestamp,
}

/// An issuer in memory.
pub(super) struct Issuer {
    /// Key of the country signing CA.
    pub csca: SoftwareKey,
    /// Its name in DER.
    pub csca_name: Vec<u8>,
    /// Its certificate in DER.
    pub csca_certificate: Vec<u8>,
    /// Key of the document signer.
    pub ds: SoftwareKey,
    /// Its certificate in DER.
    pub ds_certificate: Vec<u8>,
    /// An empty revocation list in DER.
    pub crl: Vec<u8>,
}

fn fail(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

/// Makes a country signing CA, a document signer and a revocation list.
pub(super) fn new_issuer(
    request: &IssuerRequest<'_>,
    random: &mut dyn CryptoRng,
) -> Result<Issuer, Failure> {
    let csca = SoftwareKey::generate(request.csca, false, random).map_err(|e| fail(&e))?;
    let ds = SoftwareKey::generate(request.document_signer, false, random).map_err(|e| fail(&e))?;
    let name = country_name(request.country, request.organization, request.name);
    let (csca_key, ds_key) = (csca.public_key(), ds.public_key());
    let root = CertificateRequest {
        kind: CertificateKind::CscaRoot,
        serial: &serial(random),
        issuer: &name,
        subject: &name,
        country: request.country,
        public_key: &csca_key,
        parameters: ParameterForm::Named,
        issuer_key: &csca_key,
        validity: validity(request.now, 15 * 365, 5 * 365),
    };
    let csca_certificate = issue(&root, &csca, random).map_err(|e| fail(&e))?;
    let subject = country_name(request.country, request.organization, "Document Signer");
    let signer = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &serial(random),
        subject: &subject,
        public_key: &ds_key,
        validity: validity(request.now, 10 * 365, 92),
        ..root
    };
    let ds_certificate = issue(&signer, &csca, random).map_err(|e| fail(&e))?;
    let times = (request.now, later(request.now, 90));
    let crl = issue_crl(&name, &[], 1, times, &csca, random).map_err(|e| fail(&e))?;
    Ok(Issuer { csca, csca_name: name, csca_certificate, ds, ds_certificate, crl })
}

/// A random positive serial number of 16 bytes.
pub(super) fn serial(random: &mut dyn CryptoRng) -> Vec<u8> {
    let mut serial = vec![0; 16];
    random.fill_bytes(&mut serial);
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7F | 0x40;
    }
    serial
}

/// A validity from a day before now on, so that clocks that differ a little do no harm.
pub(super) fn validity(now: Timestamp, days: i64, key_days: i64) -> Validity {
    Validity {
        not_before: later(now, -1),
        not_after: later(now, days),
        key_not_after: later(now, key_days),
    }
}

fn later(now: Timestamp, days: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(now)
}

/// Writes an image onto a software card with the test keys, and locks it.
pub(super) fn write_card(
    card: &mut SoftCard,
    image: &CardImage,
    inspection: &mut dyn Inspection,
    random: &mut dyn CryptoRng,
) -> Result<Report, Failure> {
    let keys = KeySet::test_keys().map_err(|e| Failure::from_error(ExitStatus::Defect, &e))?;
    let settings = Settings::new(&keys);
    personalize(card, image, &settings, random, inspection, &mut |_| {})
        .map_err(|e| Failure::from_error(ExitStatus::Refused, &e))
}
