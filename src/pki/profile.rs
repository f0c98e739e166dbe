//! Checks of certificates against the profiles of ICAO 9303-12 §7.1.

use const_oid::ObjectIdentifier;

use crate::lds::{CertificateParts, country_of_name};

/// Which profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileKind {
    /// Country signing CA.
    Csca,
    /// Document signer.
    DocumentSigner,
    /// Signer of CSCA master lists.
    MasterListSigner,
    /// Signer of deviation lists of ICAO.
    DeviationListSigner,
    /// Signer of defect lists of BSI TR-03129.
    DefectListSigner,
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
const UNDERSTOOD: [ObjectIdentifier; 11] = [
    ObjectIdentifier::new_unwrap("2.5.29.14"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.16"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
    ObjectIdentifier::new_unwrap("2.5.29.18"),
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.31"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("2.5.29.35"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.23.136.1.1.6.2"),
];
/// id-icao-cscaMasterListSigningKey.
pub(super) const MASTER_LIST_SIGNING_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.23.136.1.1.3");
/// id-icao-DeviationListSigningKey.
pub(super) const DEVIATION_LIST_SIGNING_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.23.136.1.1.8");
const MISSING: &str = "extended_key_usage_missing";
const PRIVATE_KEY_USAGE_PERIOD: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.16");

/// All deviations of a certificate from its profile.
#[must_use]
pub fn check_profile(certificate: &CertificateParts<'_>, kind: ProfileKind) -> Vec<ProfileFinding> {
    let mut findings = Vec::new();
    if certificate.version != 2 {
        findings.push(fatal("certificate_not_v3"));
    }
    let serial = certificate.serial;
    if serial.len() > 20 || serial.first().is_none_or(|b| b & 0x80 != 0) {
        findings.push(remark("serial_number_not_positive_or_too_long"));
    }
    if country_of_name(certificate.issuer) != country_of_name(certificate.subject) {
        findings.push(fatal("issuer_and_subject_country_differ"));
    }
    check_extensions(certificate, &mut findings);
    match kind {
        ProfileKind::Csca => check_csca(certificate, &mut findings),
        _ => check_signer(certificate, kind, &mut findings),
    }
    findings
}

fn check_extensions(certificate: &CertificateParts<'_>, findings: &mut Vec<ProfileFinding>) {
    let mut seen = Vec::new();
    for extension in &certificate.extensions {
        if extension.critical && !UNDERSTOOD.contains(&extension.oid) {
            findings.push(fatal("unknown_critical_extension"));
        }
        if seen.contains(&extension.oid) {
            findings.push(fatal("extension_repeated"));
        }
        seen.push(extension.oid);
    }
    if !seen.contains(&PRIVATE_KEY_USAGE_PERIOD) {
        findings.push(remark("private_key_usage_period_missing"));
    }
}

fn check_csca(certificate: &CertificateParts<'_>, findings: &mut Vec<ProfileFinding>) {
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.key_cert_sign() => {}
        // Without the extension a key may do anything (RFC 5280 §4.2.1.3).
        Ok(None) => findings.push(remark("key_usage_missing")),
        Ok(Some(_)) => findings.push(fatal("key_usage_without_cert_sign")),
        Err(_) => findings.push(fatal("extension_malformed")),
    }
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.ca => {
            if !constraints.critical || constraints.path_length != Some(0) {
                findings.push(remark("basic_constraints_not_as_profiled"));
            }
        }
        Ok(_) => findings.push(fatal("not_a_ca")),
        Err(_) => findings.push(fatal("extension_malformed")),
    }
    if certificate.subject_key_identifier().is_none() {
        findings.push(remark("subject_key_identifier_missing"));
    }
}

/// What signers of documents and of lists have in common, and what each of them alone may do.
fn check_signer(
    certificate: &CertificateParts<'_>,
    kind: ProfileKind,
    findings: &mut Vec<ProfileFinding>,
) {
    match certificate.key_usage() {
        Ok(Some(usage)) if usage.digital_signature() => {
            if usage.key_cert_sign() {
                findings.push(fatal("document_signer_may_sign_certificates"));
            } else if !usage.critical {
                findings.push(remark("key_usage_not_critical"));
            }
        }
        Ok(_) => findings.push(fatal("key_usage_without_digital_signature")),
        Err(_) => findings.push(fatal("extension_malformed")),
    }
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.ca => findings.push(fatal("document_signer_is_a_ca")),
        Ok(_) => {}
        Err(_) => findings.push(fatal("extension_malformed")),
    }
    // Document signers have no extended key usage; one for another purpose is somebody else's
    // certificate. Signers of lists must have the one for lists.
    let purposes = match certificate.extended_key_usage() {
        Ok(purposes) => purposes,
        Err(_) => return findings.push(fatal("extension_malformed")),
    };
    let has = |wanted: &ObjectIdentifier| purposes.as_ref().is_some_and(|p| p.contains(wanted));
    let (fits, code) = match kind {
        ProfileKind::MasterListSigner => (has(&MASTER_LIST_SIGNING_KEY), MISSING),
        ProfileKind::DeviationListSigner => (has(&DEVIATION_LIST_SIGNING_KEY), MISSING),
        // The guideline has a purpose of its own; no document signer has any.
        ProfileKind::DefectListSigner => (purposes.is_some(), MISSING),
        ProfileKind::DocumentSigner | ProfileKind::Csca => {
            (purposes.is_none(), "extended_key_usage_not_allowed")
        }
    };
    if !fits {
        findings.push(fatal(code));
    }
    if certificate.authority_key_identifier().is_none() {
        findings.push(remark("authority_key_identifier_missing"));
    }
}
