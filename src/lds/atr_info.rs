//! EF.ATR/INFO: what the card can do (ISO/IEC 7816-4 §8.2.2, ICAO 9303-10 §3.11.1).

use super::{Element, LdsError, write};
use crate::apdu::tlv::{Reader, Tag, encode};

const FILE: &str = "EF.ATR/INFO";
const CARD_CAPABILITIES: Tag = Tag(0x47);
const EXTENDED_LENGTH: Tag = Tag(0x7F66);

/// EF.ATR/INFO decoded; unknown data objects are skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtrInfo {
    /// Card capabilities: up to three software function bytes.
    pub card_capabilities: Vec<u8>,
    /// Most bytes of a command APDU, header and length fields included.
    pub max_command_length: Option<u32>,
    /// Most bytes of a response APDU, status word included.
    pub max_response_length: Option<u32>,
}

impl AtrInfo {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut info = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some(tlv) = reader.read_optional().map_err(LdsError::tlv(FILE))? {
            if tlv.tag == CARD_CAPABILITIES {
                info.card_capabilities = tlv.value.to_vec();
            } else if tlv.tag == EXTENDED_LENGTH {
                let mut children = Element::parse(FILE, tlv.raw)?.children();
                info.max_command_length = Some(children.any()?.small_integer()?);
                info.max_response_length = Some(children.any()?.small_integer()?);
            }
        }
        Ok(info)
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.card_capabilities.is_empty() {
            out.extend(encode(CARD_CAPABILITIES, &self.card_capabilities));
        }
        if let (Some(command), Some(response)) = (self.max_command_length, self.max_response_length)
        {
            let lengths = [write::integer(command), write::integer(response)].concat();
            out.extend(encode(EXTENDED_LENGTH, &lengths));
        }
        out
    }

    /// Whether extended length is announced: bit 7 of the third software function byte.
    #[must_use]
    pub fn extended_length(&self) -> bool {
        self.card_capabilities.get(2).is_some_and(|b| b & 0x40 != 0)
    }
}
