//! `--verify`: signatures of what is signed, with the certificates at hand, and the hashes of the
//! data groups at hand. Integrity alone: nothing here decides whom to trust.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use serde_json::{Value, json};

use super::certificate::SignedParts;
use super::kind::Kind;
use super::{Subject, cv, lists};
use crate::error::ErrorCode;
use crate::lds::sod::{LDS_SECURITY_OBJECT_TYPES, Sod};
use crate::lds::{
    CertificateParts, MASTER_LIST, PublicKey, SECURITY_OBJECT, SignatureAlgorithm, SignedData,
};
use crate::trust::{DEFECT_LIST, DEVIATION_LIST};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Passed,
    Failed,
    /// What it needs is not at hand.
    Skipped,
}

/// One check of a file.
pub(super) struct Check {
    pub id: &'static str,
    pub status: Status,
    pub code: Option<&'static str>,
    /// What was compared with what, or why it failed.
    pub detail: String,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl Check {
    pub(super) fn passed(id: &'static str, detail: impl Into<String>) -> Self {
        Self { id, status: Status::Passed, code: None, detail: detail.into() }
    }

    pub(super) fn failed(id: &'static str, error: &dyn ErrorCode) -> Self {
        Self { id, status: Status::Failed, code: Some(error.code()), detail: error.to_string() }
    }

    pub(super) fn coded(
        id: &'static str,
        status: Status,
        code: &'static str,
        detail: String,
    ) -> Self {
        Self { id, status, code: Some(code), detail }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "status": self.status.name(), "code": self.code, "detail": self.detail,
        })
    }
}

/// The checks of one file, with all files given as help.
pub(super) fn verify(subject: &Subject, all: &[Subject]) -> Vec<Check> {
    match subject.kind {
        Kind::Certificate => vec![certificate(&subject.bytes, all)],
        Kind::Crl => vec![crl(&subject.bytes, all)],
        Kind::Sod => sod(&subject.bytes, all),
        Kind::CardSecurity => signed_data(subject, &[SECURITY_OBJECT], all),
        Kind::MasterList => list(subject, MASTER_LIST, all),
        Kind::DeviationList => list(subject, DEVIATION_LIST, all),
        Kind::DefectList => list(subject, DEFECT_LIST, all),
        Kind::Ldif => lists::verify(subject, all),
        Kind::CvCertificate | Kind::CvRequest | Kind::CvAuthenticatedRequest => {
            cv::verify(subject, all)
        }
        _ => Vec::new(),
    }
}

fn certificates(all: &[Subject]) -> impl Iterator<Item = (&str, CertificateParts<'_>)> {
    let certificates = all.iter().filter(|subject| subject.kind == Kind::Certificate);
    certificates.filter_map(|subject| {
        Some((subject.name.as_str(), CertificateParts::decode(&subject.bytes).ok()?))
    })
}

fn certificate(bytes: &[u8], all: &[Subject]) -> Check {
    const ID: &str = "certificate.signature";
    let parts = match CertificateParts::decode(bytes) {
        Ok(parts) => parts,
        Err(error) => return Check::failed(ID, &error),
    };
    let own = parts.is_self_issued().then(|| ("itself", parts.clone()));
    by_issuer(ID, bytes, parts.issuer, own, all)
}

fn crl(bytes: &[u8], all: &[Subject]) -> Check {
    const ID: &str = "crl.signature";
    let issuer = der::Decode::from_der(bytes)
        .and_then(|list: x509_cert::crl::CertificateList| {
            der::Encode::to_der(&list.tbs_cert_list.issuer)
        })
        .unwrap_or_default();
    by_issuer(ID, bytes, &issuer, None, all)
}

/// Tries the keys of all certificates with the issuer's name: names prove nothing, keys do.
fn by_issuer<'a>(
    id: &'static str,
    bytes: &[u8],
    issuer: &[u8],
    own: Option<(&'a str, CertificateParts<'a>)>,
    all: &'a [Subject],
) -> Check {
    let signed = match SignedParts::decode(bytes) {
        Ok(signed) => signed,
        Err(error) => return Check::failed(id, &error),
    };
    let algorithm = match SignatureAlgorithm::from_der(signed.algorithm, None) {
        Ok(algorithm) => algorithm,
        Err(error) => return Check::failed(id, &error),
    };
    let named = certificates(all).filter(|(_, c)| c.subject == issuer && c.raw != bytes);
    let mut failure = None;
    for (name, candidate) in own.into_iter().chain(named) {
        let verified = match PublicKey::from_spki_der(candidate.spki) {
            Ok((key, _)) => algorithm
                .verify(&key, signed.message, signed.signature)
                .map_err(|error| Check::failed(id, &error)),
            Err(error) => Err(Check::failed(id, &error)),
        };
        match verified {
            Ok(()) => return Check::passed(id, name),
            Err(check) => failure = Some(check),
        }
    }
    let skipped =
        || Check::coded(id, Status::Skipped, "inspect_no_issuer", "no issuer at hand".into());
    failure.unwrap_or_else(skipped)
}

fn sod(bytes: &[u8], all: &[Subject]) -> Vec<Check> {
    let sod = match Sod::decode(bytes) {
        Ok(sod) => sod,
        Err(error) => return vec![Check::failed("pa.sod_structure", &error)],
    };
    let mut checks = signature(&sod, &LDS_SECURITY_OBJECT_TYPES, all);
    checks.extend(hashes(&sod, all));
    checks
}

/// What any signed data must hold, then whether a verifier would take the list.
fn list(subject: &Subject, content_type: ObjectIdentifier, all: &[Subject]) -> Vec<Check> {
    let mut checks = signed_data(subject, &[content_type], all);
    checks.extend(lists::verify(subject, all));
    checks
}

fn signed_data(subject: &Subject, types: &[ObjectIdentifier], all: &[Subject]) -> Vec<Check> {
    match SignedData::decode("CMS SignedData", &subject.bytes) {
        Ok(signed) => signature(&signed, types, all),
        Err(error) => vec![Check::failed("pa.sod_structure", &error)],
    }
}

/// Structure and signature by the certificate inside, and that certificate by its issuer.
fn signature(signed: &SignedData, types: &[ObjectIdentifier], all: &[Subject]) -> Vec<Check> {
    const ID: &str = "pa.sod_signature";
    let signer = match signed.checked_signer(types) {
        Ok(signer) => signer,
        Err(fault) => return vec![Check::failed("pa.sod_structure", &fault)],
    };
    match signer.verify_with_embedded_certificate() {
        Ok(found) => {
            let mut issued = certificate(found.raw, all);
            issued.id = "pa.chain";
            // The other certificates inside may hold the issuer; only its key counts.
            vec![Check::passed(ID, signer.algorithm.description()), issued]
        }
        Err(fault) => vec![Check::failed(ID, &fault)],
    }
}

/// The data groups at hand against the signed hashes.
fn hashes(sod: &Sod, all: &[Subject]) -> Vec<Check> {
    const ID: &str = "pa.hashes";
    let Ok(object) = sod.security_object() else { return Vec::new() };
    let Some(hash) = HashAlgorithm::from_oid(&object.hash_algorithm) else {
        let detail = format!("hash function {}", object.hash_algorithm);
        return vec![Check::coded(ID, Status::Failed, "cms_digest_unsupported", detail)];
    };
    let groups = all.iter().filter_map(|subject| match subject.kind {
        Kind::DataGroup(number) => Some((number, subject)),
        _ => None,
    });
    let check = |(number, subject): (crate::lds::DgNumber, &Subject)| {
        let detail = format!("{number}, {}", subject.name);
        match object.hash_of(number) {
            None => Check::coded(ID, Status::Failed, "inspect_dg_not_signed", detail),
            Some(signed) if signed == hash.digest(&subject.bytes) => Check::passed(ID, detail),
            Some(_) => Check::coded(ID, Status::Failed, "inspect_dg_hash_differs", detail),
        }
    };
    groups.map(check).collect()
}
