//! The application for integrated documents in a profile (docs/en/integrated-documents.md).

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use super::{CardProfile, ProfileError, notation};

/// How the card names the application for integrated documents, and what may stand in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntegratedDocumentsProfile {
    /// Application identifier of the instance and of its module, 5 to 16 bytes.
    #[serde(with = "notation::hex_bytes")]
    pub aid: Vec<u8>,
    /// Application identifier of the executable load file, 5 to 16 bytes.
    #[serde(with = "notation::hex_bytes")]
    pub load_file: Vec<u8>,
    /// Content type of the signed objects.
    #[serde(with = "notation::oid_text")]
    pub content_type: ObjectIdentifier,
    /// The only purpose (extended key usage) of a certificate that signs them.
    #[serde(with = "notation::oid_text")]
    pub signer_purpose: ObjectIdentifier,
    /// The kinds of documents by number.
    pub kinds: Vec<DocumentKind>,
}

/// A kind of integrated document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentKind {
    /// 1 to 28: the short identifier of its file.
    pub number: u8,
    /// Name: lower case letters, digits and underscores.
    pub name: String,
}

impl IntegratedDocumentsProfile {
    /// Name of a kind, where the profile has one.
    #[must_use]
    pub fn kind_name(&self, number: u8) -> Option<&str> {
        self.kinds.iter().find(|kind| kind.number == number).map(|kind| kind.name.as_str())
    }

    /// Number of a kind by its name.
    #[must_use]
    pub fn kind_number(&self, name: &str) -> Option<u8> {
        self.kinds.iter().find(|kind| kind.name == name).map(|kind| kind.number)
    }
}

impl CardProfile {
    pub(super) fn check_integrated_documents(&self) -> Result<(), ProfileError> {
        let Some(profile) = &self.integrated_documents else { return Ok(()) };
        let require = |holds: bool, field, reason: &str| {
            let invalid = || ProfileError::Invalid { field, reason: reason.to_owned() };
            if holds { Ok(()) } else { Err(invalid()) }
        };
        let aid = |aid: &[u8]| (5..=16).contains(&aid.len());
        require(aid(&profile.aid), "integrated_documents.aid", "5 to 16 bytes")?;
        require(aid(&profile.load_file), "integrated_documents.load_file", "5 to 16 bytes")?;
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let kinds = &profile.kinds;
        let right = kinds.iter().all(|kind| {
            let length = (1..=32).contains(&kind.name.len());
            (1..=28).contains(&kind.number) && length && kind.name.chars().all(word)
        });
        let field = "integrated_documents.kinds";
        require(right, field, "numbers 1 to 28, names of lower case letters, digits and _")?;
        let once = kinds.iter().enumerate().all(|(index, kind)| {
            kinds.iter().skip(index + 1).all(|k| k.number != kind.number && k.name != kind.name)
        });
        require(once, field, "each number and name once")
    }
}
