//! EF.DIR: the applications on the card (ISO/IEC 7816-4 §8.2.1, ICAO 9303-10 §3.11.2).

use super::{Element, LdsError};
use crate::apdu::tlv::{Reader, Tag, encode};

const FILE: &str = "EF.DIR";

/// EF.DIR decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dir {
    /// Application identifiers, in the file's order.
    pub applications: Vec<Vec<u8>>,
}

impl Dir {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut applications = Vec::new();
        let mut reader = Reader::new(bytes);
        while let Some(tlv) = reader.read_optional().map_err(LdsError::tlv(FILE))? {
            tlv.expect(Tag(0x61)).map_err(LdsError::tlv(FILE))?;
            let aid = Element::parse(FILE, tlv.raw)?.children().tagged(Tag(0x4F))?;
            if !(5..=16).contains(&aid.value().len()) {
                return Err(aid.fault("application identifier is not 5 to 16 bytes"));
            }
            applications.push(aid.value().to_vec());
        }
        Ok(Self { applications })
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let template = |aid: &Vec<u8>| encode(Tag(0x61), &encode(Tag(0x4F), aid));
        self.applications.iter().flat_map(template).collect()
    }
}
