//! DG2: the holder's face, and the container that DG3 and DG4 share (ICAO 9303-10 §4.7.2, ISO/IEC
//! 7816-11 biometric information templates in a CBEFF patron format).

use super::{Element, LdsError, write};
use crate::apdu::tlv::{Tag, encode};

/// Most templates in one file.
const MAX_TEMPLATES: usize = 16;
/// Biometric data in a primitive data object: ISO/IEC 19794 records.
const DATA: Tag = Tag(0x5F2E);
/// Biometric data in a constructed data object: ISO/IEC 39794 records.
const CONSTRUCTED_DATA: Tag = Tag(0x7F2E);

/// DG2 decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dg2 {
    /// The templates in the file's order.
    pub templates: Vec<BiometricTemplate>,
}

/// One biometric information template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BiometricTemplate {
    /// Value of the biometric header template `A1`, as read.
    pub header: Vec<u8>,
    /// The biometric data block, as read.
    pub data: Vec<u8>,
    /// Whether the block is constructed: ISO/IEC 39794 instead of 19794.
    pub constructed: bool,
}

impl Dg2 {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`]; also when the number of templates is not the one announced.
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        Ok(Self { templates: BiometricTemplate::decode_file("EF.DG2", Tag(0x75), bytes)? })
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        BiometricTemplate::encode_file(Tag(0x75), &self.templates)
    }
}

impl BiometricTemplate {
    /// Reads the templates of a data group: DG2, DG3 or DG4, by its name and tag.
    ///
    /// # Errors
    /// [`LdsError`]; also when the number of templates is not the one announced.
    pub fn decode_file(file: &'static str, tag: Tag, bytes: &[u8]) -> Result<Vec<Self>, LdsError> {
        let mut children = Element::parse(file, bytes)?.expect(tag)?.children();
        let group = children.tagged(Tag(0x7F61))?;
        children.finish()?;
        let mut children = group.children();
        let count = children.any()?.small_integer()?;
        let templates = children.all(MAX_TEMPLATES)?;
        if templates.len() != count as usize {
            return Err(group.fault("number of templates is not the one announced"));
        }
        templates.iter().map(Self::decode).collect()
    }

    /// A data group of templates.
    #[must_use]
    pub fn encode_file(tag: Tag, templates: &[Self]) -> Vec<u8> {
        let bytes: Vec<u8> = templates.iter().flat_map(Self::encode).collect();
        let group = [write::integer(templates.len() as u32), bytes].concat();
        encode(tag, &encode(Tag(0x7F61), &group))
    }

    /// A template around an ISO/IEC 19794-5 face record (ICAO 9303-10 table 37): biometric type
    /// facial features, format owner ISO/IEC JTC 1/SC 37, format type 8.
    #[must_use]
    pub fn face(record: Vec<u8>) -> Self {
        let header = [
            encode(Tag(0x80), &[0x01, 0x01]),
            encode(Tag(0x81), &[0x02]),
            encode(Tag(0x87), &[0x01, 0x01]),
            encode(Tag(0x88), &[0x00, 0x08]),
        ];
        Self { header: header.concat(), data: record, constructed: false }
    }

    fn decode(element: &Element<'_>) -> Result<Self, LdsError> {
        let mut children = element.expect(Tag(0x7F60))?.children();
        let header = children.tagged(Tag(0xA1))?.value().to_vec();
        let data = children.any()?;
        let constructed = match data.tag() {
            DATA => false,
            CONSTRUCTED_DATA => true,
            _ => return Err(data.fault("no biometric data block")),
        };
        children.finish()?;
        Ok(Self { header, data: data.value().to_vec(), constructed })
    }

    fn encode(&self) -> Vec<u8> {
        let tag = if self.constructed { CONSTRUCTED_DATA } else { DATA };
        let value = [encode(Tag(0xA1), &self.header), encode(tag, &self.data)].concat();
        encode(Tag(0x7F60), &value)
    }
}
