//! The image of a card as the data groupings that write it (docs/en/personalisation.md).

use cancuoc_primitives::cipher;
use cancuoc_primitives::hash::HashAlgorithm;
use zeroize::Zeroizing;

use super::dgi::DataGrouping;
use crate::apdu::tlv::{self, Tag};
use crate::issue::{
    AccessRule, ActiveAuthenticationKey, CardImage, ChipKeyUse, ImageFile, Location,
};

/// Creates a file.
pub const CREATE_FILE: u16 = 0x0101;
/// Writes bytes of a file.
pub const WRITE_FILE: u16 = 0x0102;
/// The key of the MRZ.
pub const MRZ_KEY: u16 = 0x0201;
/// The card access number.
pub const CARD_ACCESS_NUMBER: u16 = 0x0202;
/// The PIN and its tries.
pub const PIN: u16 = 0x0203;
/// The PUK and its tries.
pub const PUK: u16 = 0x0204;
/// A key of Chip Authentication or PACE-CAM.
pub const CHIP_AUTHENTICATION_KEY: u16 = 0x0301;
/// The key of Active Authentication, ECDSA.
pub const ACTIVE_AUTHENTICATION_ECDSA: u16 = 0x0302;
/// The key of Active Authentication, RSA.
pub const ACTIVE_AUTHENTICATION_RSA: u16 = 0x0303;
/// Which protocols the card offers.
pub const PROTOCOLS: u16 = 0x0401;
/// A certificate of a country verifying CA that the card trusts.
pub const TRUST_POINT: u16 = 0x0501;
/// The date that the card takes for today.
pub const CARD_DATE: u16 = 0x0502;
/// Names the chip for Terminal Authentication after BAC.
pub const CHIP_IDENTIFIER: u16 = 0x0503;
/// Makes files readable; personalisation stays possible.
pub const ACTIVATE: u16 = 0x0F01;
/// Ends personalisation for ever.
pub const LOCK: u16 = 0x0F02;

/// Why an image cannot go onto a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A file longer than its size field can say.
    #[error("file {fid:04X} has {length} bytes; at most 16777215 fit")]
    FileTooLong {
        /// File identifier.
        fid: u16,
        /// Bytes.
        length: usize,
    },
    /// Two files with one identifier in one place.
    #[error("file {fid:04X} stands twice in the image")]
    FileTwice {
        /// File identifier.
        fid: u16,
    },
    /// A chip key over domain parameters that are not standardised.
    #[error("a key of Chip Authentication is over domain parameters without a standardised number")]
    DomainParameters,
    /// The numbers of an RSA key cannot be had.
    #[error("the RSA key of Active Authentication is not usable")]
    RsaKey,
}

impl crate::error::ErrorCode for ImageError {
    fn code(&self) -> &'static str {
        match self {
            Self::FileTooLong { .. } => "image_file_too_long",
            Self::FileTwice { .. } => "image_file_twice",
            Self::RsaKey | Self::DomainParameters => "image_key_unusable",
        }
    }
}

/// Everything that is written before activation: keys and protocols first, files after them.
///
/// # Errors
/// [`ImageError`].
pub fn groupings(image: &CardImage) -> Result<Vec<DataGrouping>, ImageError> {
    let mut list = secrets(image)?;
    list.push(DataGrouping::new(PROTOCOLS, protocols(image)));
    list.extend(terminal_authentication(image));
    for (index, file) in image.files.iter().enumerate() {
        let same = |other: &ImageFile| other.location == file.location && other.fid == file.fid;
        if image.files[..index].iter().any(same) {
            return Err(ImageError::FileTwice { fid: file.fid });
        }
        list.push(create(file)?);
        list.push(DataGrouping::write(WRITE_FILE, &place(file), &file.content));
    }
    Ok(list)
}

/// Location and file identifier.
fn place(file: &ImageFile) -> [u8; 3] {
    let location = match file.location {
        Location::MasterFile => 0x00,
        Location::Lds1 => 0x01,
    };
    let [high, low] = file.fid.to_be_bytes();
    [location, high, low]
}

fn create(file: &ImageFile) -> Result<DataGrouping, ImageError> {
    let length = file.content.len();
    let size = u32::try_from(length).ok().filter(|size| *size <= 0xFF_FFFF);
    let size = size.ok_or(ImageError::FileTooLong { fid: file.fid, length })?;
    let access = match file.access {
        AccessRule::Always => 0x00,
        AccessRule::AfterAccessControl => 0x01,
        AccessRule::Dg3Right => 0x02,
        AccessRule::Dg4Right => 0x03,
    };
    let mut value = place(file).to_vec();
    value.extend([file.sfi.unwrap_or(0), access]);
    value.extend(&size.to_be_bytes()[1..]);
    Ok(DataGrouping::new(CREATE_FILE, value))
}

fn secrets(image: &CardImage) -> Result<Vec<DataGrouping>, ImageError> {
    let mut list = Vec::new();
    if let Some(key) = &image.mrz_key {
        list.push(DataGrouping::secret(MRZ_KEY, Zeroizing::new(key.to_vec())));
    }
    if let Some(can) = &image.can {
        let digits = Zeroizing::new(can.as_bytes().to_vec());
        list.push(DataGrouping::secret(CARD_ACCESS_NUMBER, digits));
    }
    let with_tries = |digits: &[u8], tries: u8| {
        let mut value = object(0x81, digits);
        append(&mut value, object(0x82, &[tries]));
        value
    };
    if let Some((pin, tries)) = &image.pin {
        list.push(DataGrouping::secret(PIN, with_tries(pin.as_bytes(), *tries)));
    }
    if let Some((puk, tries)) = &image.puk {
        list.push(DataGrouping::secret(PUK, with_tries(puk.as_bytes(), *tries)));
    }
    for chip in &image.chip_authentication {
        let id = chip.key.domain_parameters().id().ok_or(ImageError::DomainParameters)?;
        let mut value = object(0x80, &[id]);
        if let Some(id) = &chip.key_id {
            append(&mut value, object(0x82, id));
        }
        append(&mut value, object(0x83, &chip.key.to_bytes()));
        if chip.uses != ChipKeyUse::ANY {
            append(&mut value, object(0x87, &[key_use(chip.uses)]));
        }
        list.push(DataGrouping::secret(CHIP_AUTHENTICATION_KEY, value));
    }
    match &image.active_authentication {
        Some(ActiveAuthenticationKey::Ecdsa { key, hash }) => {
            let mut value = object(0x80, &[key.curve().domain_parameter_id()]);
            append(&mut value, object(0x83, &key.to_bytes()));
            append(&mut value, object(0x85, &[hash_number(*hash)]));
            list.push(DataGrouping::secret(ACTIVE_AUTHENTICATION_ECDSA, value));
        }
        Some(ActiveAuthenticationKey::Rsa { key, hash }) => {
            let numbers = key.components().map_err(|_| ImageError::RsaKey)?;
            let mut value = object(0x90, &numbers.n);
            append(&mut value, object(0x91, &numbers.e));
            append(&mut value, object(0x92, &numbers.d));
            append(&mut value, object(0x93, &numbers.p));
            append(&mut value, object(0x94, &numbers.q));
            append(&mut value, object(0x85, &[hash_number(*hash)]));
            list.push(DataGrouping::secret(ACTIVE_AUTHENTICATION_RSA, value));
        }
        None => {}
    }
    Ok(list)
}

/// Bits of what a chip key is for.
const fn key_use(uses: ChipKeyUse) -> u8 {
    (uses.chip_authentication as u8) | (uses.pace_cam as u8) << 1
}

fn protocols(image: &CardImage) -> Vec<u8> {
    let chip_authentication =
        || image.chip_authentication.iter().filter(|key| key.uses.chip_authentication);
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    let flags = flag(image.bac, 0x01)
        | flag(!image.pace.is_empty(), 0x02)
        | flag(chip_authentication().next().is_some(), 0x04)
        | flag(image.active_authentication.is_some(), 0x08)
        | flag(image.terminal_authentication.is_some(), 0x10);
    let mut value = object(0x80, &[flags]).to_vec();
    for pace in &image.pace {
        let info = [pace.protocol.as_bytes(), &[pace.domain_parameter_id]].concat();
        value.extend_from_slice(&object(0x81, &info));
    }
    let mut named = Vec::new();
    for chip in chip_authentication() {
        // Several keys may have the same protocol.
        if !named.contains(&chip.protocol) {
            named.push(chip.protocol);
            value.extend_from_slice(&object(0x82, chip.protocol.as_bytes()));
        }
    }
    for own in &image.domain_parameters {
        value.extend_from_slice(&object(0x85, &[own.id, own.domain_parameter_id]));
    }
    value
}

fn terminal_authentication(image: &CardImage) -> Vec<DataGrouping> {
    let Some(start) = &image.terminal_authentication else { return Vec::new() };
    let points = start.trust_points.iter();
    let mut list: Vec<_> =
        points.map(|point| DataGrouping::new(TRUST_POINT, point.as_slice())).collect();
    list.push(DataGrouping::new(CARD_DATE, start.date.encode()));
    list.push(DataGrouping::new(CHIP_IDENTIFIER, start.chip_identifier.as_bytes()));
    list
}

const fn hash_number(hash: HashAlgorithm) -> u8 {
    match hash {
        HashAlgorithm::Sha1 => 1,
        HashAlgorithm::Sha224 => 2,
        HashAlgorithm::Sha256 => 3,
        HashAlgorithm::Sha384 => 4,
        HashAlgorithm::Sha512 => 5,
    }
}

fn object(tag: u32, value: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(tlv::encode(Tag(tag), value))
}

fn append(value: &mut Zeroizing<Vec<u8>>, more: Zeroizing<Vec<u8>>) {
    // Growing would leave the old bytes behind in memory: make a new buffer, wipe the old one.
    *value = Zeroizing::new([value.as_slice(), more.as_slice()].concat());
}

/// Bytes that the groupings take when their secrets are encrypted: what the packing starts from.
#[must_use]
pub fn encoded_length(groupings: &[DataGrouping]) -> usize {
    let length = |grouping: &DataGrouping| {
        let value = grouping.value.len();
        DataGrouping::encoded_length(if grouping.secret {
            cipher::pad(&grouping.value, 16).len()
        } else {
            value
        })
    };
    groupings.iter().map(length).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cvc::CvDate;
    use crate::document::{Can, Pin, Puk};
    use crate::issue::{
        ChipAuthenticationKey, ExplicitDomainParameters, PaceConfiguration, TerminalAuthentication,
    };
    use cancuoc_primitives::curve::{Curve, SecretScalar};
    use const_oid::ObjectIdentifier;
    use hex_literal::hex;

    pub(crate) fn image() -> CardImage {
        let file = |location, fid: u16, access, length: usize| ImageFile {
            location,
            fid,
            sfi: Some(fid as u8 & 0x1F),
            access,
            content: (0..length).map(|i| i as u8 ^ fid as u8).collect(),
        };
        let scalar = SecretScalar::from_bytes(Curve::BrainpoolP256r1, &[0x5A; 32]).unwrap();
        let oid = ObjectIdentifier::new_unwrap;
        CardImage {
            files: vec![
                file(Location::MasterFile, 0x011C, AccessRule::Always, 54),
                file(Location::Lds1, 0x0101, AccessRule::AfterAccessControl, 95),
                file(Location::Lds1, 0x0102, AccessRule::AfterAccessControl, 2000),
            ],
            mrz_key: Some(Zeroizing::new([7; 20])),
            can: Some(Can::new("000018").unwrap()),
            bac: true,
            pace: vec![PaceConfiguration {
                protocol: oid("0.4.0.127.0.7.2.2.4.2.2"),
                domain_parameter_id: 13,
            }],
            chip_authentication: vec![ChipAuthenticationKey {
                protocol: oid("0.4.0.127.0.7.2.2.3.2.2"),
                key_id: Some(vec![1]),
                uses: ChipKeyUse::ANY,
                key: scalar.clone().into(),
            }],
            active_authentication: Some(ActiveAuthenticationKey::Ecdsa {
                key: scalar,
                hash: HashAlgorithm::Sha256,
            }),
            ..CardImage::default()
        }
    }

    fn find(list: &[DataGrouping], identifier: u16) -> &DataGrouping {
        list.iter().find(|grouping| grouping.identifier == identifier).unwrap()
    }

    #[test]
    fn lays_out_files_as_the_contract_says() {
        let list = groupings(&image()).unwrap();
        assert_eq!(*find(&list, CREATE_FILE).value, hex!("00 011C 1C 00 000036"));
        assert_eq!(find(&list, WRITE_FILE).value[..6], hex!("00 011C 000000"));
        let last = &list[list.len() - 2];
        assert_eq!(*last.value, hex!("01 0102 02 01 0007D0"));
    }

    #[test]
    fn marks_every_key_as_secret() {
        let list = groupings(&image()).unwrap();
        for identifier in
            [MRZ_KEY, CARD_ACCESS_NUMBER, CHIP_AUTHENTICATION_KEY, ACTIVE_AUTHENTICATION_ECDSA]
        {
            assert!(find(&list, identifier).secret, "{identifier:04X}");
        }
        assert!(!find(&list, PROTOCOLS).secret);
        assert_eq!(*find(&list, CARD_ACCESS_NUMBER).value, *b"000018");
        let chip = find(&list, CHIP_AUTHENTICATION_KEY);
        assert_eq!(chip.value[..8], hex!("80 01 0D 82 01 01 83 20"));
        let active = find(&list, ACTIVE_AUTHENTICATION_ECDSA);
        assert_eq!(active.value[..5], hex!("80 01 0D 83 20"));
        assert_eq!(active.value[37..], hex!("85 01 03"));
    }

    #[test]
    fn names_protocols_with_their_parameters() {
        let list = groupings(&image()).unwrap();
        assert_eq!(
            *find(&list, PROTOCOLS).value,
            hex!("80 01 0F 81 0B 04007F00070202040202 0D 82 0A 04007F00070202030202")
        );
    }

    #[test]
    fn says_which_key_is_for_what_where_not_for_both() {
        let mut image = image();
        image.chip_authentication[0].uses =
            ChipKeyUse { chip_authentication: false, pace_cam: true };
        let list = groupings(&image).unwrap();
        assert!(find(&list, CHIP_AUTHENTICATION_KEY).value.ends_with(&hex!("87 01 02")));
        // A key for PACE-CAM alone switches no Chip Authentication on.
        assert_eq!(find(&list, PROTOCOLS).value[..3], hex!("80 01 0B"));
        assert!(!find(&list, PROTOCOLS).value.contains(&0x82));
    }

    #[test]
    fn names_explicit_domain_parameters() {
        let mut image = image();
        image
            .domain_parameters
            .push(ExplicitDomainParameters { id: 0x20, domain_parameter_id: 16 });
        let list = groupings(&image).unwrap();
        assert!(find(&list, PROTOCOLS).value.ends_with(&hex!("85 02 20 10")));
    }

    #[test]
    fn writes_pin_and_puk_with_their_tries_as_secrets() {
        let mut image = image();
        image.pin = Some((Pin::new("123456").unwrap(), 3));
        image.puk = Some((Puk::new("0123456789").unwrap(), 10));
        let list = groupings(&image).unwrap();
        let (pin, puk) = (find(&list, PIN), find(&list, PUK));
        assert!(pin.secret && puk.secret);
        assert_eq!(*pin.value, hex!("81 06 313233343536 82 01 03"));
        assert_eq!(*puk.value, hex!("81 0A 30313233343536373839 82 01 0A"));
    }

    #[test]
    fn writes_what_terminal_authentication_starts_from() {
        let mut image = image();
        image.terminal_authentication = Some(TerminalAuthentication {
            trust_points: vec![hex!("7F2100").to_vec(), hex!("7F210100").to_vec()],
            date: CvDate::new(jiff::civil::date(2026, 11, 4)).unwrap(),
            chip_identifier: Zeroizing::new("2000000185".to_owned()),
        });
        let list = groupings(&image).unwrap();
        let points: Vec<_> = list.iter().filter(|g| g.identifier == TRUST_POINT).collect();
        assert_eq!(points[0].value[..], hex!("7F2100"));
        assert_eq!(points[1].value[..], hex!("7F210100"));
        assert_eq!(*find(&list, CARD_DATE).value, [2, 6, 1, 1, 0, 4]);
        assert_eq!(*find(&list, CHIP_IDENTIFIER).value, *b"2000000185");
        assert_eq!(find(&list, PROTOCOLS).value[..3], hex!("80 01 1F"));
    }

    #[test]
    fn refuses_a_file_that_stands_twice() {
        let mut image = image();
        let again = image.files[1].clone();
        image.files.push(again);
        assert_eq!(groupings(&image).unwrap_err(), ImageError::FileTwice { fid: 0x0101 });
    }
}
