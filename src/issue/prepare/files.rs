//! The contents of the files, all but the EF.SOD.

use cancuoc_primitives::group::{DomainParameters, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::PrepareError;
use crate::biometrics::FaceRecord;
use crate::document::profile::{
    CardProfile, ChipAuthenticationProfile, DomainParameterProfile, KeyUse, PaceProfile,
};
use crate::issue::image::{ActiveAuthenticationKey, ChipAuthenticationKey, ChipKeyUse};
use crate::issue::record::{Portrait, Record};
use crate::lds::{
    AtrInfo, BiometricTemplate, ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, Com, Dg2,
    DgNumber, Dir, KeyAgreement, LDS1_AID, Mapping, PaceDomainParameterInfo, PaceInfo,
    PaceProtocol, ParameterForm, PublicKey, SecurityInfoKind, SecurityInfos, encode_dg1,
    encode_dg14, encode_dg15, encode_domain_parameters,
};

/// Data groups by number, in ascending order.
pub(super) type DataGroups = Vec<(DgNumber, Vec<u8>)>;

/// The security infos of the three files.
pub(super) struct Infos {
    pub card_access: SecurityInfos,
    /// Those of EF.CardAccess, signed, and the keys of Chip Authentication.
    pub dg14: SecurityInfos,
    /// Those of EF.CardAccess, signed, and the keys of PACE-CAM, where there are any.
    pub card_security: Option<SecurityInfos>,
}

pub(super) fn security_infos(
    profile: &CardProfile,
    pace: bool,
    ca_keys: &[ChipAuthenticationKey],
    aa_key: Option<&ActiveAuthenticationKey>,
) -> Result<Infos, PrepareError> {
    let mut open = Vec::new();
    if let Some(version) = profile.access.terminal_authentication {
        open.push(SecurityInfoKind::TerminalAuthentication { version: version.into() });
    }
    for ca in &profile.chip_authentication {
        if ca.info && ca.is_for(KeyUse::ChipAuthentication) {
            open.push(SecurityInfoKind::ChipAuthentication(chip_authentication_info(ca)?));
        }
    }
    let mut mapped = false;
    if pace {
        for own in &profile.access.domain_parameters {
            open.push(SecurityInfoKind::PaceDomainParameters(domain_parameter_info(own)?));
        }
        for pace in &profile.access.pace {
            let info = pace_info(pace)?;
            mapped |= info.protocol.mapping == Mapping::ChipAuthentication;
            open.push(SecurityInfoKind::Pace(info));
        }
    }
    let keys = |wanted: fn(&ChipKeyUse) -> bool| {
        ca_keys.iter().filter(move |key| wanted(&key.uses)).map(public_key_info)
    };
    let mut signed = open.clone();
    signed.extend(keys(|uses| uses.chip_authentication));
    // With RSA the signature tells its hash itself (ICAO 9303-11 §6.1.2.3).
    if let Some(ActiveAuthenticationKey::Ecdsa { hash, .. }) = aa_key {
        let algorithm = ecdsa_plain(*hash);
        signed.push(SecurityInfoKind::ActiveAuthentication { algorithm, version: 1 });
    }
    let card_security = open.iter().cloned().chain(keys(|uses| uses.pace_cam));
    Ok(Infos {
        card_security: mapped.then(|| SecurityInfos::from_kinds(card_security)),
        card_access: SecurityInfos::from_kinds(open),
        dg14: SecurityInfos::from_kinds(signed),
    })
}

fn public_key_info(key: &ChipAuthenticationKey) -> SecurityInfoKind {
    let public = key.key.public_element();
    let ec = key.key.domain_parameters().is_ec();
    SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: if ec { KeyAgreement::Ecdh } else { KeyAgreement::Dh },
        spki: spki(public),
        key_id: key.key_id.clone(),
    })
}

/// Standardised parameters by all their numbers, under the card's own identifier.
fn domain_parameter_info(
    own: &DomainParameterProfile,
) -> Result<PaceDomainParameterInfo, PrepareError> {
    let parameters = DomainParameters::standardised(own.parameter)
        .ok_or(PrepareError::Profile { what: "access.domain_parameters" })?;
    let algorithm = encode_domain_parameters(&parameters, ParameterForm::Explicit);
    PaceDomainParameterInfo::new(&own.protocol, algorithm, Some(own.id.into()))
        .ok_or(PrepareError::Profile { what: "access.domain_parameters" })
}

fn pace_info(pace: &PaceProfile) -> Result<PaceInfo, PrepareError> {
    let unknown = PrepareError::Profile { what: "access.pace names an unknown protocol" };
    Ok(PaceInfo {
        protocol: PaceProtocol::from_oid(&pace.protocol).ok_or(unknown)?,
        version: pace.version.into(),
        parameter_id: Some(pace.parameter.into()),
    })
}

fn chip_authentication_info(
    ca: &ChipAuthenticationProfile,
) -> Result<ChipAuthenticationInfo, PrepareError> {
    let unknown = PrepareError::Profile { what: "chip_authentication names an unknown protocol" };
    let (agreement, cipher) =
        ChipAuthenticationInfo::protocol_from_oid(&ca.protocol).ok_or(unknown)?;
    Ok(ChipAuthenticationInfo {
        agreement,
        cipher,
        version: ca.version.into(),
        key_id: ca.key_id.map(|id| vec![id]),
    })
}

/// By explicit parameters, as cards carry it (ICAO 9303-11 §6.2.2).
fn spki(public: PublicElement) -> Vec<u8> {
    let key = match public {
        PublicElement::Ec(point) => PublicKey::Ec(point),
        PublicElement::Dh(value) => PublicKey::Dh(value),
    };
    key.to_spki_der(ParameterForm::Explicit)
}

/// ecdsa-plain-SHA… (BSI TR-03111 §5.2.1.1).
fn ecdsa_plain(hash: HashAlgorithm) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(match hash {
        HashAlgorithm::Sha1 => "0.4.0.127.0.7.1.1.4.1.1",
        HashAlgorithm::Sha224 => "0.4.0.127.0.7.1.1.4.1.2",
        HashAlgorithm::Sha256 => "0.4.0.127.0.7.1.1.4.1.3",
        HashAlgorithm::Sha384 => "0.4.0.127.0.7.1.1.4.1.4",
        HashAlgorithm::Sha512 => "0.4.0.127.0.7.1.1.4.1.5",
    })
}

pub(super) fn data_groups(
    record: &Record,
    infos: &Infos,
    aa_key: Option<&ActiveAuthenticationKey>,
) -> DataGroups {
    let mut groups = Vec::new();
    for number in DgNumber::all() {
        if !record.profile.lds.data_groups.contains(&number.get()) {
            continue;
        }
        let content = match number.get() {
            1 => Some(encode_dg1(record.mrz.as_str().as_bytes())),
            2 => Some(dg2(&record.portrait)),
            13 => Some(record.dg13.as_bytes().to_vec()),
            14 => (!infos.dg14.infos.is_empty()).then(|| encode_dg14(&infos.dg14)),
            15 => aa_key.map(|key| encode_dg15(&public_key(key))),
            other => record.data_groups.get(&other).cloned(),
        };
        groups.extend(content.map(|content| (number, content)));
    }
    groups
}

fn public_key(key: &ActiveAuthenticationKey) -> PublicKey {
    match key {
        ActiveAuthenticationKey::Ecdsa { key, .. } => PublicKey::Ec(key.public_point()),
        ActiveAuthenticationKey::Rsa { key, .. } => PublicKey::Rsa(key.public_key()),
    }
}

/// The picture as it is, its metadata included, in one face record.
fn dg2(portrait: &Portrait) -> Vec<u8> {
    let Portrait { bytes, format, width, height } = portrait;
    let face = FaceRecord::of_portrait(bytes.clone(), *format, *width, *height);
    Dg2 { templates: vec![BiometricTemplate::face(face.encode())] }.encode()
}

/// EF.COM: the data groups there are, in the order of the profile.
pub(super) fn com(profile: &CardProfile, groups: &DataGroups) -> Vec<u8> {
    let there = |number: &&u8| groups.iter().any(|(n, _)| n.get() == **number);
    let numbers = profile.lds.data_groups.iter().filter(there);
    // Tags of data groups have one byte.
    let tag = |number: &u8| DgNumber::new(*number)?.tag().to_bytes().first().copied();
    Com {
        lds_version: profile.lds.version.clone(),
        unicode_version: profile.lds.unicode_version.clone(),
        tags: numbers.filter_map(tag).collect(),
    }
    .encode()
}

pub(super) fn atr_info(profile: &CardProfile) -> Vec<u8> {
    let info = &profile.atr_info;
    AtrInfo {
        card_capabilities: info.card_capabilities.clone(),
        max_command_length: Some(info.max_command_length),
        max_response_length: Some(info.max_response_length),
    }
    .encode()
}

pub(super) fn dir() -> Vec<u8> {
    Dir { applications: vec![LDS1_AID.to_vec()] }.encode()
}
