//! Security objects and lists as JSON.

use std::collections::BTreeMap;

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use serde_json::{Value, json};

use super::certificate::{
    certificate, hexadecimal, name, oid_name, public_key, signature_algorithm,
};
use super::describe::security_infos;
use super::{Failure, lists};
use crate::cli::ExitStatus;
use crate::error::ErrorCode;
use crate::lds::sod::{LdsSecurityObject, Sod};
use crate::lds::{
    CardSecurity, CertificateParts, SignedData, SignerIdentifier, SignerInfo, decode_master_list,
};

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

fn hash_name(oid: &ObjectIdentifier) -> String {
    HashAlgorithm::from_oid(oid).map_or_else(|| oid_name(oid), |hash| hash.name().to_owned())
}

pub(super) fn sod(bytes: &[u8]) -> Result<Value, Failure> {
    let sod = Sod::decode(bytes).map_err(|e| bad(&e))?;
    let object = sod.security_object().map_err(|e| bad(&e))?;
    let mut value = json!({ "lds_security_object": security_object(&object) });
    extend(&mut value, signed_data(&sod));
    Ok(value)
}

pub(super) fn lds_security_object(bytes: &[u8]) -> Result<Value, Failure> {
    LdsSecurityObject::decode(bytes).map(|object| security_object(&object)).map_err(|e| bad(&e))
}

fn security_object(object: &LdsSecurityObject) -> Value {
    let versions = object.lds_version.as_ref();
    let hashes = object
        .hashes
        .iter()
        .map(|(number, hash)| json!({ "data_group": number, "hash": hexadecimal(hash) }));
    json!({
        "version": object.version,
        "lds_version": versions.map(|(lds, _)| lds),
        "unicode_version": versions.map(|(_, unicode)| unicode),
        "hash_algorithm": hash_name(&object.hash_algorithm),
        "data_group_hashes": hashes.collect::<Vec<_>>(),
    })
}

pub(super) fn card_security(bytes: &[u8]) -> Result<Value, Failure> {
    let file = CardSecurity::decode(bytes).map_err(|e| bad(&e))?;
    let mut value = json!({ "security_infos": security_infos(&file.infos) });
    extend(&mut value, signed_data(&file.signed_data));
    Ok(value)
}

pub(super) fn master_list(bytes: &[u8]) -> Result<Value, Failure> {
    let signed = SignedData::decode("master list", bytes).map_err(|e| bad(&e))?;
    let certificates = decode_master_list(&signed.content).map_err(|e| bad(&e))?;
    let mut countries = BTreeMap::<String, usize>::new();
    let entries: Vec<Value> = certificates
        .iter()
        .map(|bytes| {
            let Ok(parts) = CertificateParts::decode(bytes) else {
                return json!({ "malformed": true });
            };
            *countries.entry(country(&parts)).or_default() += 1;
            json!({
                "country": country(&parts),
                "subject": name(parts.subject),
                "serial": hexadecimal(parts.serial),
                "algorithm": public_key(parts.spki)["algorithm"],
            })
        })
        .collect();
    let mut value = json!({
        "certificate_count": certificates.len(),
        "countries": countries,
        "entries": entries,
    });
    extend(&mut value, signed_data(&signed));
    Ok(value)
}

/// The country in a subject's name, `??` where it has none.
fn country(parts: &CertificateParts<'_>) -> String {
    let subject = name(parts.subject);
    let subject = subject.as_str().unwrap_or_default();
    let parts = subject.split([',', '+']).map(str::trim);
    let country = parts.filter_map(|part| part.strip_prefix("C=")).next();
    country.map_or_else(|| "??".to_owned(), str::to_uppercase)
}

/// A deviation list or defect list.
pub(super) fn defects(bytes: &[u8]) -> Result<Value, Failure> {
    let signed = SignedData::decode("CMS SignedData", bytes).map_err(|e| bad(&e))?;
    let mut value = lists::defects(&signed)?;
    extend(&mut value, signed_data(&signed));
    Ok(value)
}

pub(super) fn other(bytes: &[u8]) -> Result<Value, Failure> {
    let signed = SignedData::decode("CMS SignedData", bytes).map_err(|e| bad(&e))?;
    let mut value = json!({ "content_length": signed.content.len() });
    extend(&mut value, signed_data(&signed));
    Ok(value)
}

fn signed_data(signed: &SignedData) -> Value {
    let certificates = signed.certificates.iter().map(|bytes| {
        certificate(bytes).unwrap_or_else(|error| json!({ "malformed": error.detail }))
    });
    json!({
        "content_type": oid_name(&signed.content_type),
        "signers": signed.signers.iter().map(signer).collect::<Vec<_>>(),
        "certificates": certificates.collect::<Vec<_>>(),
    })
}

fn signer(signer: &SignerInfo) -> Value {
    let digest = HashAlgorithm::from_oid(&signer.digest_algorithm);
    let mut value = match &signer.identifier {
        SignerIdentifier::IssuerAndSerial { issuer, serial } => {
            json!({ "issuer": name(issuer), "serial": hexadecimal(serial) })
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            json!({ "subject_key_identifier": hexadecimal(id) })
        }
    };
    extend(
        &mut value,
        json!({
            "digest_algorithm": hash_name(&signer.digest_algorithm),
            "signature_algorithm": signature_algorithm(&signer.signature_algorithm, digest),
        }),
    );
    let attributes = match signer.attributes() {
        Ok(Some(attributes)) => json!({
            "signing_time": attributes.signing_timestamp().map(|time| time.to_string()),
            "message_digest": attributes.message_digests.iter().map(|d| hexadecimal(d)).collect::<Vec<_>>(),
        }),
        Ok(None) => json!({}),
        Err(error) => json!({ "attributes_malformed": error.to_string() }),
    };
    extend(&mut value, attributes);
    value
}

/// Adds the members of an object to another.
fn extend(value: &mut Value, more: Value) {
    if let (Value::Object(value), Value::Object(more)) = (value, more) {
        value.extend(more);
    }
}
