//! What the field numbers of DG13 mean: data of a card profile.

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use super::{TAG_PRINTABLE, TAG_UTF8};
use crate::apdu::tlv::Tag;

/// Version, object identifier and fields of DG13 in one generation of cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dg13Layout {
    /// The version written and expected.
    pub version: u32,
    /// The object identifier written and expected.
    #[serde(with = "crate::document::profile::notation::oid_text")]
    pub oid: ObjectIdentifier,
    /// The fields known, in ascending number order.
    pub fields: Vec<FieldLayout>,
}

/// One field of DG13.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldLayout {
    /// Number in the SET.
    pub number: u32,
    /// Name in records and reports, in `snake_case`.
    pub name: String,
    /// What it holds.
    pub kind: FieldKind,
    /// The string type written; both are read.
    pub string: StringType,
    /// Whether every card has it.
    #[serde(default)]
    pub required: bool,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// The 12-digit personal number.
    PersonalNumber,
    /// The 9-digit number of the card before.
    OldNumber,
    /// Free text.
    Text,
    /// Sex in words.
    Sex,
    /// `dd/MM/yyyy`, perhaps partial.
    Date,
    /// A date, or words that say that there is no expiry.
    Expiry,
    /// Father and mother.
    Parents,
    /// Husband or wife, in a SEQUENCE.
    Spouse,
}

/// ASN.1 string types of DG13.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StringType {
    /// UTF8String.
    Utf8,
    /// PrintableString.
    Printable,
}

impl StringType {
    /// Its tag.
    #[must_use]
    pub const fn tag(self) -> Tag {
        match self {
            Self::Utf8 => TAG_UTF8,
            Self::Printable => TAG_PRINTABLE,
        }
    }

    /// Whether the text has only characters of the type (X.680 §41.4 for PrintableString).
    #[must_use]
    pub fn allows(self, text: &str) -> bool {
        let printable = |c: char| c.is_ascii_alphanumeric() || " '()+,-./:=?".contains(c);
        self == Self::Utf8 || text.chars().all(printable)
    }
}

impl Dg13Layout {
    /// The field of this number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<&FieldLayout> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The field of this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<&FieldLayout> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The first field of this kind.
    #[must_use]
    pub fn by_kind(&self, kind: FieldKind) -> Option<&FieldLayout> {
        self.fields.iter().find(|field| field.kind == kind)
    }
}
