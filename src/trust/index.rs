//! Where the files of a trust folder came from: a file beside them. Nothing is trusted for standing in
//! it; what is another file than stands in it is not used. That finds a file that was spoiled or
//! replaced without care, not somebody who may write to the folder, and so to the index.

use std::collections::BTreeMap;
use std::path::Path;

use cancuoc_primitives::hash::HashAlgorithm;
use serde::{Deserialize, Serialize};

use super::TrustError;

/// Longest index that is read, in bytes.
pub const MAX_INDEX: usize = 16 << 20;
const SCHEMA: &str = "cancuoc.trust-index/1";

/// The index of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustIndex {
    schema: String,
    /// Provenance by name of file.
    pub files: BTreeMap<String, Provenance>,
}

/// Where a file came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// SHA-256 of the file when it was added, hexadecimal.
    pub sha256: String,
    /// When it was added, RFC 3339.
    pub added: String,
    /// The file that it was added from.
    pub source: String,
    /// What whoever added it said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it was added as an anchor.
    #[serde(default)]
    pub anchor: bool,
}

impl Default for TrustIndex {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), files: BTreeMap::new() }
    }
}

impl TrustIndex {
    /// Name of the index in its folder.
    pub const FILE: &'static str = "trust-index.json";

    /// Reads an index.
    ///
    /// # Errors
    /// [`TrustError::Index`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > MAX_INDEX {
            return Err(TrustError::TooLarge { limit: MAX_INDEX as u64 });
        }
        let index: Self =
            serde_json::from_slice(bytes).map_err(|error| TrustError::Index(error.to_string()))?;
        if index.schema != SCHEMA {
            return Err(TrustError::Index(format!("schema is not {SCHEMA}")));
        }
        Ok(index)
    }

    /// Whether the file of this name is another one than was added. One that was put into the folder
    /// by hand is none that was.
    #[must_use]
    pub fn differs(&self, name: &str, sha256: &str) -> bool {
        self.files.get(name).is_some_and(|known| known.sha256 != sha256)
    }

    /// Refuses a file that is another one than was added under its name.
    ///
    /// # Errors
    /// [`TrustError::Changed`].
    pub fn check(&self, path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(known) = self.files.get(name) else { return Ok(()) };
        if known.sha256 == hex::encode(HashAlgorithm::Sha256.digest(bytes)) {
            return Ok(());
        }
        Err(TrustError::Changed { added: known.added.clone() })
    }

    /// The index as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        // Strings and booleans always serialize.
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_back_what_it_writes() {
        let mut index = TrustIndex::default();
        let provenance = Provenance {
            sha256: "00".repeat(32),
            added: "2026-11-23T12:00:00Z".to_owned(),
            source: "csca.cer".to_owned(),
            note: Some("compared by telephone".to_owned()),
            anchor: true,
        };
        index.files.insert("csca.cer".to_owned(), provenance);
        assert_eq!(TrustIndex::from_json(&index.to_json()), Ok(index));
    }

    #[test]
    fn refuses_another_schema() {
        let other = br#"{"schema": "cancuoc.trust-index/2", "files": {}}"#;
        assert!(matches!(TrustIndex::from_json(other), Err(TrustError::Index(_))));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in "[ -~]{0,100}") {
            let _ = TrustIndex::from_json(text.as_bytes());
        }
    }
}
