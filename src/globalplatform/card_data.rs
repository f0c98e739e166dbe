//! What a card says of itself without authentication: production data, recognition data, keys.

use const_oid::ObjectIdentifier;

use super::GlobalPlatformError;
use crate::apdu::tlv::{Reader, Tag, Tlv, TlvError};

/// The most entries that are read from one answer.
const MAX_ENTRIES: usize = 256;

fn malformed(what: &'static str) -> impl Fn(TlvError) -> GlobalPlatformError {
    move |error| GlobalPlatformError::Malformed { what, offset: error.offset }
}

/// Card production life cycle data: 42 bytes of makers, dates and serial numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cplc {
    /// Integrated circuit fabricator.
    pub fabricator: u16,
    /// Integrated circuit type.
    pub ic_type: u16,
    /// Operating system identifier.
    pub operating_system: u16,
    /// Date of the operating system's release, four decimal digits: year and day of the year.
    pub operating_system_date: u16,
    /// Level of the operating system's release.
    pub operating_system_level: u16,
    /// Date of fabrication, digits as above.
    pub fabrication_date: u16,
    /// Serial number of the integrated circuit.
    pub serial_number: u32,
    /// Batch of the integrated circuit.
    pub batch: u16,
    /// All 42 bytes as read.
    pub raw: [u8; 42],
}

impl Cplc {
    /// Reads the response of GET DATA 9F7F; some cards leave tag and length out.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`] when it has not 42 bytes.
    pub fn parse(data: &[u8]) -> Result<Self, GlobalPlatformError> {
        let value = data.strip_prefix(&[0x9F, 0x7F, 0x2A]).unwrap_or(data);
        let wrong = GlobalPlatformError::Malformed { what: "CPLC", offset: value.len() };
        let raw: [u8; 42] = value.try_into().map_err(|_| wrong)?;
        let number = |at: usize| u16::from_be_bytes([raw[at], raw[at + 1]]);
        Ok(Self {
            fabricator: number(0),
            ic_type: number(2),
            operating_system: number(4),
            operating_system_date: number(6),
            operating_system_level: number(8),
            fabrication_date: number(10),
            serial_number: u32::from_be_bytes([raw[12], raw[13], raw[14], raw[15]]),
            batch: number(16),
            raw,
        })
    }

    /// Fabricator, batch, date and serial number: what tells one chip from all others, in
    /// hexadecimal.
    #[must_use]
    pub fn chip_serial(&self) -> String {
        let [a, b, ..] = self.raw;
        let numbers = &self.raw[10..18];
        [&[a, b], numbers].concat().iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// Card recognition data (GPC appendix H.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CardRecognitionData {
    /// Version of the card specification: the arcs after `{globalPlatform 2}`.
    pub specification: Option<ObjectIdentifier>,
    /// Secure channel protocols with their "i" parameter.
    pub secure_channels: Vec<(u8, u8)>,
}

impl CardRecognitionData {
    /// Reads the response of GET DATA 66.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`].
    pub fn parse(data: &[u8]) -> Result<Self, GlobalPlatformError> {
        const WHAT: &str = "card recognition data";
        let fault = malformed(WHAT);
        let card_data = Tlv::parse_exact(data).map_err(&fault)?;
        let card_data = card_data.expect(Tag(0x66)).map_err(&fault)?;
        let recognition = card_data.children().read_tag(Tag(0x73)).map_err(&fault)?;
        let mut found = Self::default();
        let mut reader = recognition.children();
        for _ in 0..MAX_ENTRIES {
            let Some(object) = reader.read_optional().map_err(&fault)? else { break };
            match object.tag.0 {
                0x60 => found.specification = identifier(&object).map_err(&fault)?,
                0x64 => found.read_secure_channel(&object).map_err(&fault)?,
                _ => {}
            }
        }
        Ok(found)
    }

    /// The options of a secure channel protocol, where it is announced.
    #[must_use]
    pub fn options(&self, protocol: u8) -> Option<u8> {
        let channels = self.secure_channels.iter();
        channels.copied().find(|(found, _)| *found == protocol).map(|(_, options)| options)
    }

    /// `{globalPlatform 4 scp i}` (GPC appendix H.2).
    fn read_secure_channel(&mut self, object: &Tlv<'_>) -> Result<(), TlvError> {
        let mut reader = object.children();
        while let Some(child) = reader.read_optional()? {
            // iso(1) member-body(2) country-USA(840) globalPlatform(114283) 4: arcs of one byte
            // below it, or two for an "i" over 7F.
            let prefix = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04];
            let channel = match child.value.strip_prefix(&prefix) {
                Some([protocol, i]) => Some((*protocol, *i)),
                Some([protocol, high, low]) => Some((*protocol, (high << 7) | (low & 0x7F))),
                _ => None,
            };
            if child.tag == Tag(0x06) && self.secure_channels.len() < MAX_ENTRIES {
                self.secure_channels.extend(channel);
            }
        }
        Ok(())
    }
}

fn identifier(object: &Tlv<'_>) -> Result<Option<ObjectIdentifier>, TlvError> {
    let value = object.children().read_tag(Tag(0x06))?.value;
    Ok(ObjectIdentifier::from_bytes(value).ok())
}

/// One key of the key information template (GPC table 11-27).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInformation {
    /// Key identifier.
    pub identifier: u8,
    /// Key version.
    pub version: u8,
    /// Key type (GPC table 11-16): 88 is AES, 80 DES.
    pub key_type: u8,
    /// Bytes of the key.
    pub length: u16,
}

impl KeyInformation {
    /// Reads the response of GET DATA E0.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`].
    pub fn parse(data: &[u8]) -> Result<Vec<Self>, GlobalPlatformError> {
        const WHAT: &str = "key information";
        let fault = malformed(WHAT);
        let template = Tlv::parse_exact(data).map_err(&fault)?;
        let template = template.expect(Tag(0xE0)).map_err(&fault)?;
        let mut reader: Reader<'_> = template.children();
        let mut keys = Vec::new();
        while let Some(object) = reader.read_if(Tag(0xC0)).map_err(&fault)? {
            let offset = object.offset;
            let key = match *object.value {
                // Extended format: type FF and two bytes, length in two (GPC table 11-28).
                [identifier, version, 0xFF, key_type, high, low, ..] => {
                    Self { identifier, version, key_type, length: u16::from_be_bytes([high, low]) }
                }
                [identifier, version, key_type, length, ..] => {
                    Self { identifier, version, key_type, length: u16::from(length) }
                }
                _ => return Err(GlobalPlatformError::Malformed { what: WHAT, offset }),
            };
            if keys.len() == MAX_ENTRIES {
                return Err(GlobalPlatformError::Malformed { what: WHAT, offset });
            }
            keys.push(key);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    #[test]
    fn reads_recognition_data_with_scp03() {
        // GPC appendix H.2: specification 2.3.1, SCP03 with i=70.
        let data = hex!(
            "66 33 73 31 06 07 2A864886FC6B01 60 0C 06 0A 2A864886FC6B02020301"
            "63 09 06 07 2A864886FC6B03 64 0B 06 09 2A864886FC6B040370"
        );
        let mut data = data.to_vec();
        data[1] = (data.len() - 2) as u8;
        data[3] = (data.len() - 4) as u8;
        let found = CardRecognitionData::parse(&data).unwrap();
        assert_eq!(found.secure_channels, [(3, 0x70)]);
        assert_eq!(found.specification.unwrap().to_string(), "1.2.840.114283.2.2.3.1");
    }

    #[test]
    fn reads_keys_in_both_formats() {
        let data = hex!("E0 12 C0 04 01 30 88 10 C0 04 02 30 88 20 C0 06 03 31 FF 88 00 20");
        let mut data = data.to_vec();
        data[1] = (data.len() - 2) as u8;
        let keys = KeyInformation::parse(&data).unwrap();
        let key = |identifier, version, length| KeyInformation {
            identifier,
            version,
            key_type: 0x88,
            length,
        };
        assert_eq!(keys, [key(1, 0x30, 16), key(2, 0x30, 32), key(3, 0x31, 32)]);
    }

    #[test]
    fn reads_production_data_with_and_without_its_tag() {
        let mut raw = [0u8; 42];
        raw[..4].copy_from_slice(&hex!("47905168"));
        raw[10..18].copy_from_slice(&hex!("6123 00112233 4455"));
        let plain = Cplc::parse(&raw).unwrap();
        assert_eq!(
            (plain.fabricator, plain.serial_number, plain.batch),
            (0x4790, 0x0011_2233, 0x4455)
        );
        assert_eq!(plain.chip_serial(), "47906123001122334455");
        assert_eq!(Cplc::parse(&[&hex!("9F7F2A")[..], &raw].concat()).unwrap(), plain);
        assert!(Cplc::parse(&raw[..41]).is_err());
    }

    proptest! {
        #[test]
        fn reads_any_bytes_without_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Cplc::parse(&data);
            let _ = CardRecognitionData::parse(&data);
            let _ = KeyInformation::parse(&data);
        }
    }
}
