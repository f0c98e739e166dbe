//! Certificates, revocation lists and keys as JSON.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use der::Decode;
use serde_json::{Map, Value, json};
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::name::Name;
use x509_cert::time::Validity;

use super::Failure;
use crate::cli::ExitStatus;
use crate::lds::{
    CertificateExtension, CertificateParts, Element, ParameterForm, PublicKey, SignatureAlgorithm,
    oids, tag,
};

/// Names that no database of object identifiers has.
const NAMES: &[(&str, &str)] = &[
    ("2.23.136.1.1.1", "id-icao-mrtd-security-ldsSecurityObject"),
    ("2.23.136.1.1.2", "id-icao-cscaMasterList"),
    ("2.23.136.1.1.3", "id-icao-cscaMasterListSigningKey"),
    ("2.23.136.1.1.6.1", "id-icao-mrtd-security-extensions-nameChange"),
    ("2.23.136.1.1.6.2", "id-icao-mrtd-security-extensions-documentTypeList"),
    ("2.5.29.16", "id-ce-privateKeyUsagePeriod"),
    ("1.2.840.113549.1.1.10", "id-RSASSA-PSS"),
    ("0.4.0.127.0.7.3.2.1", "id-SecurityObject"),
];

/// An object identifier with its name, where one is known.
pub(super) fn oid_name(oid: &ObjectIdentifier) -> String {
    let text = oid.to_string();
    let own = NAMES.iter().find(|(number, _)| *number == text).map(|(_, name)| *name);
    let own = own.or_else(|| {
        let bases = [
            (oids::ID_PK, "id-PK"),
            (oids::ID_TA, "id-TA"),
            (oids::ID_CA, "id-CA"),
            (oids::ID_PACE, "id-PACE"),
            (oids::ID_AA, "id-AA"),
        ];
        let base =
            |(base, _): &&(ObjectIdentifier, &str)| oid.as_bytes().starts_with(base.as_bytes());
        bases.iter().find(base).map(|(_, name)| *name)
    });
    match own.or_else(|| const_oid::db::DB.by_oid(oid)) {
        Some(name) => format!("{name} ({text})"),
        None => text,
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> Value {
    json!(hex::encode_upper(bytes))
}

/// A name in the usual notation, or its bytes.
pub(super) fn name(bytes: &[u8]) -> Value {
    Name::from_der(bytes).map_or_else(|_| hexadecimal(bytes), |name| json!(name.to_string()))
}

pub(super) fn signature_algorithm(bytes: &[u8], digest: Option<HashAlgorithm>) -> Value {
    match SignatureAlgorithm::from_der(bytes, digest) {
        Ok(algorithm) => json!(algorithm.description()),
        Err(error) => json!({ "unsupported": error.to_string() }),
    }
}

/// A SubjectPublicKeyInfo.
pub(super) fn public_key(spki: &[u8]) -> Value {
    match PublicKey::from_spki_der(spki) {
        Ok((key, form)) => {
            let mut object = Map::new();
            object.insert("algorithm".into(), json!(key.description()));
            if matches!(key, PublicKey::Ec(_)) {
                let form = if form == ParameterForm::Named { "named" } else { "explicit" };
                object.insert("curve_parameters".into(), json!(form));
            }
            object.insert("key".into(), hexadecimal(&key.key_bytes()));
            Value::Object(object)
        }
        Err(error) => json!({ "unsupported": error.to_string() }),
    }
}

pub(super) fn certificate(bytes: &[u8]) -> Result<Value, Failure> {
    let parts = CertificateParts::decode(bytes)
        .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
    let validity = <Validity>::from_der(parts.validity).ok();
    let time = |time: x509_cert::time::Time| time.to_date_time().to_string();
    Ok(json!({
        "subject": name(parts.subject),
        "issuer": name(parts.issuer),
        "self_issued": parts.is_self_issued(),
        "serial": hexadecimal(parts.serial),
        "not_before": validity.as_ref().map(|v| time(v.not_before)),
        "not_after": validity.as_ref().map(|v| time(v.not_after)),
        "public_key": public_key(parts.spki),
        "signature_algorithm": signature_algorithm(parts.signature_algorithm, None),
        "extensions": parts.extensions.iter().map(extension).collect::<Vec<_>>(),
        "sha256": hexadecimal(&HashAlgorithm::Sha256.digest(bytes)),
    }))
}

fn extension(extension: &CertificateExtension<'_>) -> Value {
    json!({
        "name": oid_name(&extension.oid),
        "critical": extension.critical,
        "value": extension_value(extension).unwrap_or_else(|| hexadecimal(extension.value)),
    })
}

/// What an extension says, where it is a known one.
fn extension_value(extension: &CertificateExtension<'_>) -> Option<Value> {
    let value = extension.value;
    match extension.oid.to_string().as_str() {
        "2.5.29.14" => Some(hexadecimal(Element::parse("extension", value).ok()?.octets().ok()?)),
        "2.5.29.15" => {
            let usage = KeyUsage::from_der(value).ok()?;
            let names: Vec<_> =
                usage.0.into_iter().map(|u| camel_case(&format!("{u:?}"))).collect();
            Some(json!(names.join(", ")))
        }
        "2.5.29.19" => {
            let constraints = BasicConstraints::from_der(value).ok()?;
            let length = constraints.path_len_constraint;
            Some(json!({ "ca": constraints.ca, "path_length": length }))
        }
        "2.5.29.35" => {
            let id = AuthorityKeyIdentifier::from_der(value).ok()?.key_identifier?;
            Some(hexadecimal(id.as_bytes()))
        }
        "2.5.29.37" => {
            let usage = ExtendedKeyUsage::from_der(value).ok()?;
            Some(usage.0.iter().map(oid_name).collect())
        }
        "2.5.29.16" => usage_period(value),
        "2.5.29.17" | "2.5.29.18" | "2.5.29.31" => general_names(value),
        "2.23.136.1.1.6.2" => document_types(value),
        _ => None,
    }
}

fn camel_case(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}

/// The mail addresses, domain names, addresses and directory names in alternative names and
/// distribution points.
fn general_names(value: &[u8]) -> Option<Value> {
    fn collect(element: &Element<'_>, depth: usize, found: &mut Vec<Value>) -> Option<()> {
        match element.tag().0 {
            0x81 | 0x82 | 0x86 => found.push(json!(std::str::from_utf8(element.value()).ok()?)),
            0xA4 => found.push(name(element.value())),
            _ if element.tag().is_constructed() && depth < 6 => {
                for child in element.children().all(64).ok()? {
                    collect(&child, depth + 1, found)?;
                }
            }
            _ => {}
        }
        Some(())
    }
    let mut found = Vec::new();
    collect(&Element::parse("extension", value).ok()?, 0, &mut found)?;
    (!found.is_empty()).then_some(Value::Array(found))
}

/// PrivateKeyUsagePeriod (RFC 3280 §4.2.1.4).
fn usage_period(value: &[u8]) -> Option<Value> {
    let mut period = Map::new();
    let times = Element::parse("extension", value).ok()?.children().all(2).ok()?;
    for time in times {
        let key = if time.tag().0 == 0x80 { "not_before" } else { "not_after" };
        period.insert(key.into(), json!(std::str::from_utf8(time.value()).ok()?));
    }
    Some(Value::Object(period))
}

/// DocumentTypeList (ICAO 9303-12 §7.1.1).
fn document_types(value: &[u8]) -> Option<Value> {
    let mut children = Element::parse("extension", value).ok()?.children();
    children.any().ok()?.small_integer().ok()?;
    let types = children.tagged(tag::SET).ok()?.children().all(64).ok()?;
    types.iter().map(|t| std::str::from_utf8(t.value()).ok().map(Value::from)).collect()
}

pub(super) fn crl(bytes: &[u8]) -> Result<Value, Failure> {
    let list = <CertificateList>::from_der(bytes)
        .map_err(|e| Failure::new(ExitStatus::BadInput, "crl_malformed", e.to_string()))?;
    let signed =
        SignedParts::decode(bytes).map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
    let tbs = &list.tbs_cert_list;
    let revoked = tbs.revoked_certificates.iter().flatten().map(|revoked| {
        json!({
            "serial": hexadecimal(revoked.serial_number.as_bytes()),
            "since": revoked.revocation_date.to_date_time().to_string(),
        })
    });
    Ok(json!({
        "issuer": tbs.issuer.to_string(),
        "this_update": tbs.this_update.to_date_time().to_string(),
        "next_update": tbs.next_update.map(|t| t.to_date_time().to_string()),
        "signature_algorithm": signature_algorithm(signed.algorithm, None),
        "revoked_count": tbs.revoked_certificates.as_ref().map_or(0, Vec::len),
        "revoked": revoked.collect::<Vec<_>>(),
    }))
}

/// What certificates and revocation lists share: what is signed, by which algorithm, signature.
pub(super) struct SignedParts<'a> {
    pub message: &'a [u8],
    pub algorithm: &'a [u8],
    pub signature: &'a [u8],
}

impl<'a> SignedParts<'a> {
    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, crate::lds::LdsError> {
        let mut outer = Element::parse("signed object", bytes)?.expect(tag::SEQUENCE)?.children();
        let message = outer.tagged(tag::SEQUENCE)?.raw();
        let algorithm = outer.tagged(tag::SEQUENCE)?.raw();
        let signature = outer.tagged(tag::BIT_STRING)?.bits()?;
        outer.finish()?;
        Ok(Self { message, algorithm, signature })
    }
}

/// A private key: its algorithm and nothing else of it.
pub(super) fn private_key(bytes: &[u8], encrypted: bool) -> Value {
    let algorithm = || {
        let mut children = Element::parse("private key", bytes).ok()?.children();
        let first = children.any().ok()?;
        let algorithm = if encrypted { first } else { children.any().ok()? };
        let mut members = algorithm.expect(tag::SEQUENCE).ok()?.children();
        let name = oid_name(&members.any().ok()?.oid().ok()?);
        let parameters = members.next_element().ok().flatten();
        let curve = parameters.and_then(|p| p.oid().ok()).map(|oid| oid_name(&oid));
        Some((name, curve))
    };
    let (algorithm, curve) = algorithm().unzip();
    json!({
        "encrypted": encrypted,
        "algorithm": algorithm,
        "curve": curve.flatten(),
        "key_material": "***",
    })
}
