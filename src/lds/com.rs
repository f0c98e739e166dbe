//! EF.COM: versions and the list of data groups (ICAO 9303-10 §4.6.1).
//!
//! Nothing protects this file: it is a hint, never evidence.

use super::{DgNumber, Element, LdsError};
use crate::apdu::tlv::{Tag, encode};

const FILE: &str = "EF.COM";

/// EF.COM decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Com {
    /// LDS version as four digits `aabb`: `0107` or `0108`.
    pub lds_version: String,
    /// Unicode version as six digits: `040000`.
    pub unicode_version: String,
    /// The tag list as it stands, in its order.
    pub tags: Vec<u8>,
}

impl Com {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut children = Element::parse(FILE, bytes)?.expect(Tag(0x60))?.children();
        let lds = children.tagged(Tag(0x5F01))?;
        let unicode = children.tagged(Tag(0x5F36))?;
        let tags = children.tagged(Tag(0x5C))?;
        children.finish()?;
        Ok(Self {
            lds_version: digits(&lds, 4)?,
            unicode_version: digits(&unicode, 6)?,
            tags: tags.value().to_vec(),
        })
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let value = [
            encode(Tag(0x5F01), self.lds_version.as_bytes()),
            encode(Tag(0x5F36), self.unicode_version.as_bytes()),
            encode(Tag(0x5C), &self.tags),
        ];
        encode(Tag(0x60), &value.concat())
    }

    /// The data groups of the tag list; tags of no data group are left out.
    #[must_use]
    pub fn data_groups(&self) -> Vec<DgNumber> {
        self.tags.iter().filter_map(|t| DgNumber::from_tag(Tag(u32::from(*t)))).collect()
    }
}

fn digits(element: &Element<'_>, count: usize) -> Result<String, LdsError> {
    let value = element.value();
    if value.len() != count || !value.iter().all(u8::is_ascii_digit) {
        return Err(element.fault("version is not digits of the right number"));
    }
    Ok(value.iter().map(|b| char::from(*b)).collect())
}
