//! A folder with an issuer's files: certificates in PEM, keys as encrypted PKCS#8 in PEM, the
//! revocation list in DER.
//!
//! ```text
//! csca.crt   csca.key   ds.crt   ds.key   csca.crl
//! ```
//!
//! In place of `csca.key` or `ds.key` a file `csca.uri` or `ds.uri` may name a key in a token: see
//! [`crate::keystore::KeySource`].

use std::path::{Path, PathBuf};

use der::pem::LineEnding;
use thiserror::Error;

use super::{KeyError, SoftwareKey};
use crate::error::ErrorCode;

/// Largest file that is read.
const MAX_FILE: u64 = 1 << 20;

/// Why an issuer's files cannot be used.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// A file cannot be read.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not PEM of the right kind.
    #[error("{path}: not PEM with label {label}", path = path.display())]
    Pem {
        /// File.
        path: PathBuf,
        /// Label that it should have.
        label: &'static str,
    },
    /// A key cannot be opened.
    #[error("{path}: {source}", path = path.display())]
    Key {
        /// File.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
}

impl ErrorCode for DirectoryError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "issuer_file_access",
            Self::Pem { .. } => "issuer_file_malformed",
            Self::Key { source, .. } => source.code(),
        }
    }
}

/// A document signer from its files.
#[derive(Debug, Clone)]
pub struct DocumentSignerFiles {
    /// Key.
    pub key: SoftwareKey,
    /// Certificate in DER.
    pub certificate: Vec<u8>,
}

/// The folder.
#[derive(Debug, Clone)]
pub struct IssuerDirectory {
    path: PathBuf,
}

impl IssuerDirectory {
    /// The folder at a path, whether or not it exists.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Path of a file in it: `csca.crt`, `ds.key`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A certificate in DER: `csca` or `ds`.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn certificate(&self, name: &str) -> Result<Vec<u8>, DirectoryError> {
        self.read_pem(&format!("{name}.crt"), "CERTIFICATE")
    }

    /// A private key: `csca` or `ds`.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn key(&self, name: &str, password: &str) -> Result<SoftwareKey, DirectoryError> {
        let file = format!("{name}.key");
        let encrypted = self.read_pem(&file, "ENCRYPTED PRIVATE KEY")?;
        SoftwareKey::decrypt(&encrypted, password)
            .map_err(|source| DirectoryError::Key { path: self.file(&file), source })
    }

    /// A file of text, where there is one.
    ///
    /// # Errors
    /// [`DirectoryError::File`] for one that cannot be read.
    pub fn text(&self, name: &str) -> Result<Option<String>, DirectoryError> {
        match self.read(name) {
            Ok(text) => Ok(Some(text)),
            Err(DirectoryError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The document signer.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub fn document_signer(&self, password: &str) -> Result<DocumentSignerFiles, DirectoryError> {
        let key = self.key("ds", password)?;
        Ok(DocumentSignerFiles { key, certificate: self.certificate("ds")? })
    }

    fn read(&self, name: &str) -> Result<String, DirectoryError> {
        use std::io::Read;
        let path = self.file(name);
        let mut text = String::new();
        std::fs::File::open(&path)
            .and_then(|file| file.take(MAX_FILE).read_to_string(&mut text))
            .map_err(|source| DirectoryError::File { path, source })?;
        Ok(text)
    }

    fn read_pem(&self, name: &str, label: &'static str) -> Result<Vec<u8>, DirectoryError> {
        let text = self.read(name)?;
        from_pem(&text, label).ok_or_else(|| DirectoryError::Pem { path: self.file(name), label })
    }
}

/// DER from PEM with the label.
#[must_use]
pub fn from_pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (found, bytes) = der::pem::decode_vec(text.as_bytes()).ok()?;
    (found == label).then_some(bytes)
}

/// PEM with the label.
#[must_use]
pub fn to_pem(label: &str, bytes: &[u8]) -> String {
    // Fails only for labels that are no labels.
    der::pem::encode_string(label, LineEnding::LF, bytes).unwrap_or_default()
}
