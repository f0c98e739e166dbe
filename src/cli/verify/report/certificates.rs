//! The certificates that a verdict rests on.

use cancuoc_primitives::hash::HashAlgorithm;
use der::Decode;
use serde_json::{Value, json};
use x509_cert::name::Name;

use super::super::Outcome;
use crate::cli::text;
use crate::lds::FileId;
use crate::lds::sod::{LDS_SECURITY_OBJECT_TYPES, Sod};
use crate::trust::X509;

/// The document signer's certificate, and that of the country signing CA where it was found.
pub(super) fn all(outcome: &Outcome) -> Vec<Value> {
    let authorities = &outcome.report.material.certificates;
    let signer = signer(outcome).map(|der| facts("document_signer", &der));
    let authorities = authorities.iter().map(|der| facts("country_signing_ca", der));
    signer.into_iter().chain(authorities).flatten().collect()
}

/// The certificate that the security object's signer names.
fn signer(outcome: &Outcome) -> Option<Vec<u8>> {
    let sod = Sod::decode(outcome.files.files.get(&FileId::SOD)?).ok()?;
    let signer = sod.checked_signer(&LDS_SECURITY_OBJECT_TYPES).ok()?;
    Some(signer.certificate().ok()?.raw.to_vec())
}

fn facts(kind: &str, der: &[u8]) -> Option<Value> {
    let certificate = X509::decode(der).ok()?;
    let name = |der: &[u8]| {
        let name = Name::from_der(der).map(|name| name.to_string());
        text::plain(&name.unwrap_or_else(|_| hex::encode(der)))
    };
    let (from, until) = certificate.validity();
    Some(json!({
        "kind": kind,
        "subject": name(&certificate.subject),
        "issuer": name(&certificate.issuer),
        "serial": hex::encode(&certificate.serial),
        "valid_from": from.to_string(),
        "valid_until": until.to_string(),
        "key": certificate.key.description(),
        "sha256": hex::encode(HashAlgorithm::Sha256.digest(der)),
    }))
}
