//! Certificates of a country signing CA and of document signers by ICAO 9303-12 §7.1.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::profile::{DEVIATION_LIST_SIGNING_KEY, MASTER_LIST_SIGNING_KEY};
use super::{Signer, SignerError};
use crate::apdu::tlv::{Tag, encode};
use crate::lds::{ParameterForm, PublicKey, tag, write};

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const PRIVATE_KEY_USAGE_PERIOD: &str = "2.5.29.16";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const ISSUER_ALT_NAME: &str = "2.5.29.18";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// Document types that a signer may sign (ICAO 9303-12 §7.1.1.6).
const DOCUMENT_TYPE_LIST: &str = "2.23.136.1.1.6.2";

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateKind {
    /// A country signing CA that signs itself.
    CscaRoot,
    /// A new key of a country signing CA, signed by its last one (ICAO 9303-12 §3.2).
    CscaLink,
    /// A document signer.
    DocumentSigner,
    /// A signer of CSCA master lists.
    MasterListSigner,
    /// A signer of deviation lists.
    DeviationListSigner,
}

/// From when to when a certificate, and the private key, may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: Timestamp,
    /// Last moment.
    pub not_after: Timestamp,
    /// Last moment at which the private key signs.
    pub key_not_after: Timestamp,
}

/// What goes into a certificate.
#[derive(Debug, Clone)]
pub struct CertificateRequest<'a> {
    /// What it is for.
    pub kind: CertificateKind,
    /// Serial number, big-endian, up to 20 bytes, positive.
    pub serial: &'a [u8],
    /// Name of the issuer in DER.
    pub issuer: &'a [u8],
    /// Name of the subject in DER.
    pub subject: &'a [u8],
    /// Two letters of the country in lower or upper case, for the alternative names' locality.
    pub country: &'a str,
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// How the key tells its curve.
    pub parameters: ParameterForm,
    /// Key of the issuer.
    pub issuer_key: &'a PublicKey,
    /// Validity.
    pub validity: Validity,
}

/// Name of C, O and CN in DER (ICAO 9303-12 §7.1.1.1): the country as PrintableString, the rest as
/// UTF8String.
#[must_use]
pub fn country_name(country: &str, organization: &str, common_name: &str) -> Vec<u8> {
    let part = |oid: &str, tag: u32, text: &str| {
        let value = encode(Tag(tag), text.as_bytes());
        let pair = write::sequence(&[&write::oid(&ObjectIdentifier::new_unwrap(oid)), &value]);
        write::set_of(vec![pair])
    };
    write::sequence(&[
        &part("2.5.4.6", 0x13, &country.to_ascii_uppercase()),
        &part("2.5.4.10", 0x0C, organization),
        &part("2.5.4.3", 0x0C, common_name),
    ])
}

/// UTCTime up to 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5).
pub(super) fn time(moment: Timestamp) -> Vec<u8> {
    let civil = TimeZone::UTC.to_datetime(moment);
    if civil.year() < 2050 {
        encode(tag::UTC_TIME, civil.strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        generalized(tag::GENERALIZED_TIME, moment)
    }
}

fn generalized(tag: Tag, moment: Timestamp) -> Vec<u8> {
    let text = TimeZone::UTC.to_datetime(moment).strftime("%Y%m%d%H%M%SZ").to_string();
    encode(tag, text.as_bytes())
}

/// Identifier of a key: SHA-1 of its bits (RFC 5280 §4.2.1.2).
pub(super) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    HashAlgorithm::Sha1.digest(&key.key_bytes())
}

pub(super) fn extension(oid: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xFF] } else { &[] };
    let oid = write::oid(&ObjectIdentifier::new_unwrap(oid));
    write::sequence(&[&oid, critical, &write::octets(value)])
}

pub(super) fn authority_key_identifier(issuer: &PublicKey) -> Vec<u8> {
    let value = write::sequence(&[&encode(Tag(0x80), &key_identifier(issuer))]);
    extension(AUTHORITY_KEY_IDENTIFIER, false, &value)
}

/// A directory name with the country as locality, as ICAO 9303-12 wants it in alternative names.
fn alternative_name(oid: &str, country: &str) -> Vec<u8> {
    let three = if country.eq_ignore_ascii_case("VN") {
        "VNM".to_owned()
    } else {
        country.to_ascii_uppercase()
    };
    let locality = write::sequence(&[
        &write::oid(&ObjectIdentifier::new_unwrap("2.5.4.7")),
        &encode(Tag(0x13), three.as_bytes()),
    ]);
    let name = write::sequence(&[&write::set_of(vec![locality])]);
    extension(oid, false, &write::sequence(&[&encode(Tag(0xA4), &name)]))
}

fn extensions(request: &CertificateRequest<'_>) -> Vec<u8> {
    let v = request.validity;
    let usage_period = write::sequence(&[
        &generalized(Tag(0x80), v.not_before),
        &generalized(Tag(0x81), v.key_not_after),
    ]);
    // An .invalid name is reserved for exactly this (RFC 2606): tests fetch nothing.
    let uri = encode(Tag(0x86), b"http://csca.invalid/csca.crl");
    let point = write::sequence(&[&encode(Tag(0xA0), &encode(Tag(0xA0), &uri))]);
    let mut parts = vec![
        authority_key_identifier(request.issuer_key),
        extension(
            SUBJECT_KEY_IDENTIFIER,
            false,
            &write::octets(&key_identifier(request.public_key)),
        ),
        extension(PRIVATE_KEY_USAGE_PERIOD, false, &usage_period),
        alternative_name(SUBJECT_ALT_NAME, request.country),
        alternative_name(ISSUER_ALT_NAME, request.country),
        extension(CRL_DISTRIBUTION_POINTS, false, &write::sequence(&[&point])),
    ];
    match request.kind {
        CertificateKind::DocumentSigner => {
            parts.push(extension(KEY_USAGE, true, &[3, 2, 7, 0x80]));
            let kinds = write::set_of(vec![encode(tag::PRINTABLE_STRING, b"I")]);
            let list = write::sequence(&[&write::integer(0), &kinds]);
            parts.push(extension(DOCUMENT_TYPE_LIST, false, &list));
        }
        CertificateKind::MasterListSigner => {
            parts.extend(list_signer_extensions(&MASTER_LIST_SIGNING_KEY));
        }
        CertificateKind::DeviationListSigner => {
            parts.extend(list_signer_extensions(&DEVIATION_LIST_SIGNING_KEY));
        }
        CertificateKind::CscaRoot | CertificateKind::CscaLink => {
            parts.push(extension(KEY_USAGE, true, &[3, 2, 1, 0x06]));
            let constraints = write::sequence(&[&[1, 1, 0xFF], &write::integer(0)]);
            parts.push(extension(BASIC_CONSTRAINTS, true, &constraints));
        }
    }
    write::sequence(&[&parts.concat()])
}

/// What a signer of lists may do: sign, and that kind of list alone (ICAO 9303-12 §7.1.1).
fn list_signer_extensions(purpose: &ObjectIdentifier) -> [Vec<u8>; 2] {
    let purposes = write::sequence(&[&write::oid(purpose)]);
    [extension(KEY_USAGE, true, &[3, 2, 7, 0x80]), extension(EXTENDED_KEY_USAGE, true, &purposes)]
}

/// Issues a certificate; DER.
///
/// # Errors
/// [`SignerError`]; also when the signature that came does not verify.
pub fn issue(
    request: &CertificateRequest<'_>,
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let algorithm = signer.algorithm().to_der();
    let validity =
        write::sequence(&[&time(request.validity.not_before), &time(request.validity.not_after)]);
    let tbs = write::sequence(&[
        &write::constructed(Tag(0xA0), &[&write::integer(2)]),
        &write::positive_integer(request.serial),
        &algorithm,
        request.issuer,
        &validity,
        request.subject,
        &request.public_key.to_spki_der(request.parameters),
        &write::constructed(Tag(0xA3), &[&extensions(request)]),
    ]);
    sign(&tbs, signer, random)
}

/// SEQUENCE of what is signed, algorithm and signature, once the signature verifies.
pub(super) fn sign(
    tbs: &[u8],
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let signature = signer.sign_verified(tbs, random)?;
    Ok(write::sequence(&[tbs, &signer.algorithm().to_der(), &write::bits(&signature)]))
}
