//! What a file says, as JSON.

use cancuoc_primitives::cipher::BlockCipher;
use serde_json::{Value, json};

use super::certificate::{self, hexadecimal, oid_name, public_key};
use super::kind::Kind;
use super::{Failure, biometric, cv, dump, lists, signed};
use crate::cli::ExitStatus;
use crate::document::mrz::Sex;
use crate::document::{CardProfile, Dg13, Mrz, QrText};
use crate::error::ErrorCode;
use crate::lds::{
    AtrInfo, Com, Dir, PublicKey, SecurityInfo, SecurityInfoKind, SecurityInfos, decode_dg1,
    decode_dg15, security_infos_of_dg14,
};

fn bad(error: impl ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, &error)
}

/// Describes the bytes as what they are.
pub(super) fn describe(kind: Kind, bytes: &[u8]) -> Result<Value, Failure> {
    match kind {
        Kind::Com => com(bytes),
        Kind::Dir => {
            let dir = Dir::decode(bytes).map_err(bad)?;
            let aids: Vec<Value> = dir.applications.iter().map(|aid| hexadecimal(aid)).collect();
            Ok(json!({ "applications": aids }))
        }
        Kind::AtrInfo => atr_info(bytes),
        Kind::Sod => signed::sod(bytes),
        Kind::SecurityInfos => {
            let infos = SecurityInfos::decode("SecurityInfos", bytes).map_err(bad)?;
            Ok(json!({ "security_infos": security_infos(&infos) }))
        }
        Kind::CardSecurity => signed::card_security(bytes),
        Kind::DataGroup(number) => data_group(number.get(), bytes),
        Kind::MasterList => signed::master_list(bytes),
        Kind::DeviationList | Kind::DefectList => signed::defects(bytes),
        Kind::Ldif => lists::ldif(bytes),
        Kind::SignedData => signed::other(bytes),
        Kind::LdsSecurityObject => signed::lds_security_object(bytes),
        Kind::Certificate => certificate::certificate(bytes),
        Kind::Crl => certificate::crl(bytes),
        Kind::PublicKey => Ok(public_key(bytes)),
        Kind::PrivateKey => Ok(certificate::private_key(bytes, false)),
        Kind::EncryptedPrivateKey => Ok(certificate::private_key(bytes, true)),
        Kind::FaceRecord => biometric::face_record(bytes),
        Kind::Image(_) => biometric::image(bytes),
        Kind::Mrz => mrz(&Mrz::parse_text(&String::from_utf8_lossy(bytes)).map_err(bad)?),
        Kind::QrText => qr(&QrText::parse(&String::from_utf8_lossy(bytes)).map_err(bad)?),
        Kind::CvCertificate => cv::certificate(bytes),
        Kind::CvRequest => cv::request(bytes),
        Kind::CvAuthenticatedRequest => cv::authenticated_request(bytes),
        Kind::Cvca => cv::ef_cvca(bytes),
        Kind::CertificateRequest | Kind::Tlv => Ok(json!({ "tlv": dump::dump(bytes) })),
        Kind::Unknown => Err(Failure::new(
            ExitStatus::BadInput,
            "inspect_unknown",
            format!("{} bytes, no known structure", bytes.len()),
        )),
    }
}

fn data_group(number: u8, bytes: &[u8]) -> Result<Value, Failure> {
    match number {
        1 => mrz(&Mrz::parse(decode_dg1(bytes).map_err(bad)?).map_err(bad)?),
        2..=4 => biometric::data_group(number, bytes),
        13 => dg13(bytes),
        14 => {
            let infos = security_infos_of_dg14(bytes).map_err(bad)?;
            Ok(json!({ "security_infos": security_infos(&infos) }))
        }
        15 => {
            let key: PublicKey = decode_dg15(bytes).map_err(bad)?;
            Ok(json!({ "algorithm": key.description(), "key": hexadecimal(&key.key_bytes()) }))
        }
        _ => Ok(json!({ "tlv": dump::dump(bytes) })),
    }
}

fn com(bytes: &[u8]) -> Result<Value, Failure> {
    let com = Com::decode(bytes).map_err(bad)?;
    let groups: Vec<String> = com.data_groups().iter().map(ToString::to_string).collect();
    Ok(json!({
        "lds_version": com.lds_version,
        "unicode_version": com.unicode_version,
        "data_groups": groups,
        "tag_list": hexadecimal(&com.tags),
    }))
}

fn atr_info(bytes: &[u8]) -> Result<Value, Failure> {
    let info = AtrInfo::decode(bytes).map_err(bad)?;
    Ok(json!({
        "card_capabilities": hexadecimal(&info.card_capabilities),
        "extended_length": info.extended_length(),
        "max_command_length": info.max_command_length,
        "max_response_length": info.max_response_length,
        "tlv": dump::dump(bytes),
    }))
}

fn dg13(bytes: &[u8]) -> Result<Value, Failure> {
    let dg13 = Dg13::decode(bytes).map_err(bad)?;
    let layout = &CardProfile::can_cuoc_2021().dg13;
    let faults: Vec<Value> = dg13.findings(layout).iter().map(|f| fault(f)).collect();
    Ok(json!({ "fields": dg13.view(layout).to_json(), "faults": faults }))
}

fn fault(fault: &dyn ErrorCode) -> Value {
    json!({ "code": fault.code(), "message": fault.to_string() })
}

fn mrz(mrz: &Mrz) -> Result<Value, Failure> {
    let names = mrz.names();
    let sex = match mrz.sex() {
        Sex::Male => "M",
        Sex::Female => "F",
        Sex::Unspecified => "<",
    };
    let (optional_1, optional_2) = mrz.optional_data();
    let faults: Vec<Value> = mrz.faults().iter().map(|f| fault(f)).collect();
    Ok(json!({
        "lines": mrz.lines().collect::<Vec<_>>(),
        "document_code": mrz.document_code(),
        "issuing_state": mrz.issuing_state(),
        "document_number": mrz.document_number().as_str(),
        "personal_number": mrz.personal_number().map(|n| n.as_str().to_owned()),
        "primary_name": names.primary,
        "secondary_name": names.secondary,
        "birth": mrz.birth().as_str(),
        "sex": sex,
        "expiry": mrz.expiry().as_str(),
        "nationality": mrz.nationality(),
        "optional_data": [optional_1, optional_2],
        "faults": faults,
    }))
}

fn qr(qr: &QrText) -> Result<Value, Failure> {
    let faults: Vec<Value> = qr.faults().iter().map(|f| fault(f)).collect();
    Ok(json!({
        "personal_number": qr.personal_number().as_str(),
        "old_number": qr.old_number(),
        "full_name": qr.name(),
        "birth": qr.birth().map(|d| d.to_string()),
        "sex": qr.sex(),
        "residence": qr.residence(),
        "issue": qr.issue().map(|d| d.to_string()),
        "more": qr.more(),
        "faults": faults,
    }))
}

const fn cipher_name(cipher: BlockCipher) -> &'static str {
    match cipher {
        BlockCipher::Tdes => "3DES",
        BlockCipher::Aes128 => "AES-128",
        BlockCipher::Aes192 => "AES-192",
        BlockCipher::Aes256 => "AES-256",
    }
}

/// Security infos in the order of the file.
pub(super) fn security_infos(infos: &SecurityInfos) -> Vec<Value> {
    infos.infos.iter().map(security_info).collect()
}

fn security_info(info: &SecurityInfo) -> Value {
    let key_id = |id: &Option<Vec<u8>>| id.as_deref().map(hexadecimal);
    let oid = info.oid.to_string();
    match &info.kind {
        SecurityInfoKind::Pace(pace) => json!({
            "protocol": "PACE",
            "key_agreement": pace.protocol.agreement.name(),
            "mapping": pace.protocol.mapping.name(),
            "cipher": cipher_name(pace.protocol.cipher),
            "version": pace.version,
            "parameter_id": pace.parameter_id,
            "oid": oid,
        }),
        SecurityInfoKind::PaceDomainParameters(parameters) => json!({
            "protocol": "PACE domain parameters",
            "key_agreement": parameters.agreement.name(),
            "mapping": parameters.mapping.name(),
            "parameter_id": parameters.parameter_id,
            "bytes": hexadecimal(&parameters.parameters),
            "oid": oid,
        }),
        SecurityInfoKind::ChipAuthentication(ca) => json!({
            "protocol": "Chip Authentication",
            "key_agreement": ca.agreement.name(),
            "cipher": cipher_name(ca.cipher),
            "version": ca.version,
            "key_id": key_id(&ca.key_id),
            "oid": oid,
        }),
        SecurityInfoKind::ChipAuthenticationPublicKey(key) => json!({
            "protocol": "Chip Authentication public key",
            "public_key": public_key(&key.spki),
            "key_id": key_id(&key.key_id),
            "oid": oid,
        }),
        SecurityInfoKind::ActiveAuthentication { algorithm, version } => json!({
            "protocol": "Active Authentication",
            "signature_algorithm": oid_name(algorithm),
            "version": version,
            "oid": oid,
        }),
        SecurityInfoKind::TerminalAuthentication { version } => json!({
            "protocol": "Terminal Authentication", "version": version, "oid": oid,
        }),
        SecurityInfoKind::Other => json!({
            "protocol": oid_name(&info.oid), "oid": oid, "bytes": hexadecimal(info.raw()),
        }),
    }
}
