//! The wrappers of DG1, DG14 and DG15 (ICAO 9303-10 §4.7).

use super::{Element, LdsError, ParameterForm, PublicKey, PublicKeyError, SecurityInfos};
use crate::apdu::tlv::{Tag, encode};

const MRZ: Tag = Tag(0x5F1F);

/// The characters of the MRZ in DG1: 72, 88 or 90 of them, lines joined.
///
/// # Errors
/// [`LdsError`]; the characters themselves are not judged.
pub fn decode_dg1(bytes: &[u8]) -> Result<&[u8], LdsError> {
    let mut children = Element::parse("EF.DG1", bytes)?.expect(Tag(0x61))?.children();
    let mrz = children.tagged(MRZ)?;
    children.finish()?;
    match mrz.value().len() {
        72 | 88 | 90 => Ok(mrz.value()),
        _ => Err(mrz.fault("MRZ is not 72, 88 or 90 characters long")),
    }
}

/// DG1 with the characters of an MRZ.
#[must_use]
pub fn encode_dg1(mrz: &[u8]) -> Vec<u8> {
    encode(Tag(0x61), &encode(MRZ, mrz))
}

/// The security infos in DG14.
///
/// # Errors
/// [`LdsError`].
pub fn security_infos_of_dg14(bytes: &[u8]) -> Result<SecurityInfos, LdsError> {
    let file = Element::parse("EF.DG14", bytes)?.expect(Tag(0x6E))?;
    SecurityInfos::decode("EF.DG14", file.value())
}

/// DG14 with security infos.
#[must_use]
pub fn encode_dg14(infos: &SecurityInfos) -> Vec<u8> {
    encode(Tag(0x6E), &infos.encode())
}

/// The Active Authentication public key in DG15.
///
/// # Errors
/// [`PublicKeyError`].
pub fn decode_dg15(bytes: &[u8]) -> Result<PublicKey, PublicKeyError> {
    let file = Element::parse("EF.DG15", bytes)?.expect(Tag(0x6F))?;
    PublicKey::from_spki_der(file.value()).map(|(key, _)| key)
}

/// DG15 with a public key; a curve goes in by explicit parameters (ICAO 9303-11 §6.1.2.2).
#[must_use]
pub fn encode_dg15(key: &PublicKey) -> Vec<u8> {
    encode(Tag(0x6F), &key.to_spki_der(ParameterForm::Explicit))
}
