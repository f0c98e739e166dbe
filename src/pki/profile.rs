//! Checks of certificates against the profiles of ICAO 9303-12 §7.1.

use der::{Decode, Encode};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileKind {
    /// Country signing CA.
    Csca,
    /// Document signer.
    DocumentSigner,
}

/// A deviation from the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileFinding {
    /// Stable code.
    pub code: &'static str,
    /// Whether a verifier must refuse the certificate for it.
    pub fatal: bool,
}

const fn fatal(code: &'static str) -> ProfileFinding {
    ProfileFinding { code, fatal: true }
}

const fn remark(code: &'static str) -> ProfileFinding {
    ProfileFinding { code, fatal: false }
}

/// Extensions that a verifier here understands; any other that is critical forbids the certificate
/// (RFC 5280 §4.2).
const UNDERSTOOD: [&str; 11] = [
    "2.5.29.14",
    "2.5.29.15",
    "2.5.29.16",
    "2.5.29.17",
    "2.5.29.18",
    "2.5.29.19",
    "2.5.29.31",
    "2.5.29.32",
    "2.5.29.35",
    "2.5.29.37",
    "2.23.136.1.1.6.2",
];
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const PRIVATE_KEY_USAGE_PERIOD: &str = "2.5.29.16";

/// All deviations of a certificate from its profile.
#[must_use]
pub fn check_profile(certificate: &Certificate, kind: ProfileKind) -> Vec<ProfileFinding> {
    let mut findings = Vec::new();
    let tbs = certificate.tbs_certificate();
    if tbs.version() != x509_cert::certificate::Version::V3 {
        findings.push(fatal("certificate_not_v3"));
    }
    let serial = tbs.serial_number().as_bytes();
    if serial.len() > 20 || serial.first().is_some_and(|b| b & 0x80 != 0) {
        findings.push(remark("serial_number_not_positive_or_too_long"));
    }
    let same = tbs.signature().to_der().ok() == certificate.signature_algorithm().to_der().ok();
    if !same {
        findings.push(fatal("signature_algorithms_differ"));
    }
    if country(tbs.issuer()) != country(tbs.subject()) {
        findings.push(fatal("issuer_and_subject_country_differ"));
    }
    check_extensions(certificate, kind, &mut findings);
    match kind {
        ProfileKind::Csca => check_csca(certificate, &mut findings),
        ProfileKind::DocumentSigner => check_document_signer(certificate, &mut findings),
    }
    findings
}

/// The two letters of a name's country in upper case, if it has one.
#[must_use]
fn country(name: &x509_cert::name::Name) -> Option<String> {
    name.iter().find_map(|attribute| {
        let value = attribute.value.value();
        (attribute.oid == const_oid::db::rfc4519::COUNTRY_NAME)
            .then(|| String::from_utf8_lossy(value).to_ascii_uppercase())
    })
}

/// The two letters of the country in a name in DER.
#[must_use]
pub fn country_of_name(name: &[u8]) -> Option<String> {
    country(&x509_cert::name::Name::from_der(name).ok()?)
}

fn check_extensions(
    certificate: &Certificate,
    kind: ProfileKind,
    findings: &mut Vec<ProfileFinding>,
) {
    let extensions = certificate.tbs_certificate().extensions().map(|e| &e[..]);
    let extensions = extensions.unwrap_or_default();
    let mut seen = Vec::new();
    for extension in extensions {
        let oid = extension.extn_id.to_string();
        if extension.critical && !UNDERSTOOD.contains(&oid.as_str()) {
            findings.push(fatal("unknown_critical_extension"));
        }
        if oid == EXTENDED_KEY_USAGE && kind == ProfileKind::DocumentSigner {
            // Document signers have none; one for another purpose is somebody else's certificate.
            findings.push(fatal("extended_key_usage_not_allowed"));
        }
        if seen.contains(&oid) {
            findings.push(fatal("extension_repeated"));
        }
        seen.push(oid);
    }
    if !seen.iter().any(|oid| oid == PRIVATE_KEY_USAGE_PERIOD) {
        findings.push(remark("private_key_usage_period_missing"));
    }
}

/// An extension of the type, or nothing where it is absent or malformed.
fn get<'a, T: Decode<'a> + const_oid::AssociatedOid>(
    certificate: &'a Certificate,
) -> Option<(bool, T)> {
    certificate.tbs_certificate().get_extension::<T>().ok().flatten()
}

fn check_csca(certificate: &Certificate, findings: &mut Vec<ProfileFinding>) {
    match get::<KeyUsage>(certificate) {
        Some((_, usage)) if usage.key_cert_sign() => {}
        _ => findings.push(fatal("key_usage_without_cert_sign")),
    }
    match get::<BasicConstraints>(certificate) {
        Some((critical, constraints)) if constraints.ca => {
            if !critical || constraints.path_len_constraint != Some(0) {
                findings.push(remark("basic_constraints_not_as_profiled"));
            }
        }
        _ => findings.push(fatal("not_a_ca")),
    }
    if get::<SubjectKeyIdentifier>(certificate).is_none() {
        findings.push(remark("subject_key_identifier_missing"));
    }
}

fn check_document_signer(certificate: &Certificate, findings: &mut Vec<ProfileFinding>) {
    match get::<KeyUsage>(certificate) {
        Some((critical, usage)) if usage.digital_signature() => {
            if usage.key_cert_sign() {
                findings.push(fatal("document_signer_may_sign_certificates"));
            } else if !critical {
                findings.push(remark("key_usage_not_critical"));
            }
        }
        _ => findings.push(fatal("key_usage_without_digital_signature")),
    }
    if get::<BasicConstraints>(certificate).is_some_and(|(_, c)| c.ca) {
        findings.push(fatal("document_signer_is_a_ca"));
    }
    let authority = get::<AuthorityKeyIdentifier>(certificate);
    if authority.is_none_or(|(_, a)| a.key_identifier.is_none()) {
        findings.push(remark("authority_key_identifier_missing"));
    }
}
