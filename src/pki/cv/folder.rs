//! A folder with the files of a holder of the CV PKI.
//!
//! ```text
//! VNCVCA00001.key   VNCVCA00001.cvcert   VNCVCA00002.link.cvcert   VNDV00001.csr   issued/
//! ```
//!
//! Certificates and requests are in binary, keys encrypted PKCS#8 in PEM. The name of a file
//! before its extension is the holder reference.

use std::io::Read;
use std::path::{Path, PathBuf};

use cancuoc_primitives::curve::Curve;

use super::super::{DirectoryError, IssuerDirectory, SoftwareKey};
use crate::cvc::{CvCertificate, HolderReference, Role};

/// Longest certificate or request in a file, in bytes.
const MAX_FILE: u64 = 8 * 1024;
/// Most certificates between a CVCA and a terminal that are followed.
const MAX_DEPTH: usize = 16;
/// Most files of a folder that are looked at.
const MAX_FILES: usize = 10_000;

/// A folder with keys, certificates and requests.
#[derive(Debug, Clone)]
pub struct CvFolder {
    path: PathBuf,
}

/// The part that a holder plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Country verifying CA.
    Cvca,
    /// Document verifier, domestic or foreign.
    Dv,
    /// Inspection system.
    Terminal,
}

impl Part {
    /// The part of a role.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        match role {
            Role::Cvca => Self::Cvca,
            Role::DomesticDv | Role::ForeignDv => Self::Dv,
            Role::Terminal => Self::Terminal,
        }
    }
}

/// The name of a holder's files: its reference, with `_` for characters that would mean something
/// in a path.
#[must_use]
pub fn file_stem(holder: &HolderReference) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    holder.as_str().chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// Reads a certificate or request from a file, 8192 bytes at most.
///
/// # Errors
/// [`DirectoryError::File`].
pub fn read_cv_file(path: &Path) -> Result<Vec<u8>, DirectoryError> {
    let fail = |source| DirectoryError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(fail(std::io::Error::other("longer than 8192 bytes")));
    }
    Ok(bytes)
}

impl CvFolder {
    /// The folder at a path, whether or not it exists.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Path of a holder's file: `key`, `cvcert`, `link.cvcert`, `csr`, `chain`.
    #[must_use]
    pub fn file(&self, holder: &HolderReference, extension: &str) -> PathBuf {
        self.path.join(format!("{}.{extension}", file_stem(holder)))
    }

    /// The folder with copies of what this holder has issued.
    #[must_use]
    pub fn issued(&self) -> Self {
        Self { path: self.path.join("issued") }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.take(MAX_FILES).collect();
        names.sort();
        names
    }

    /// The certificates in the folder that can be read, links and CVCAs of others included.
    #[must_use]
    pub fn certificates(&self) -> Vec<CvCertificate> {
        let paths = self.names().into_iter().filter(|name| name.ends_with(".cvcert"));
        paths
            .filter_map(|name| read_cv_file(&self.path.join(name)).ok())
            .filter_map(|bytes| CvCertificate::decode(&bytes).ok())
            .collect()
    }

    /// The certificates with the part whose key is in the folder: the newest last. Of a CVCA with
    /// link certificates the ones that it signed itself.
    #[must_use]
    pub fn own(&self, part: Part) -> Vec<CvCertificate> {
        let is_own = |c: &CvCertificate| {
            let root = part != Part::Cvca || c.body().is_self_signed();
            let own = Part::of(c.body().authorization.role());
            root && own == part && self.file(c.holder(), "key").exists()
        };
        let mut own = self.certificates();
        own.retain(is_own);
        own.sort_by_key(|c| (c.body().effective, c.holder().clone()));
        own
    }

    /// The curve of the CVCA above a certificate, by what is in the folder; none for RSA, and where
    /// the CVCA's certificate is missing.
    #[must_use]
    pub fn curve_above(&self, certificate: &CvCertificate) -> Option<Curve> {
        let own = |c: &CvCertificate| c.body().public_key.curve();
        let known = self.certificates();
        let mut at = certificate.clone();
        for _ in 0..MAX_DEPTH {
            if let Some(curve) = own(&at) {
                return Some(curve);
            }
            let mut issuers = known.iter().filter(|c| c.holder() == at.authority());
            at = issuers.next()?.clone();
        }
        None
    }

    /// The highest reference of the holder in the folder, by the names of keys, certificates and
    /// requests.
    #[must_use]
    pub fn last_reference(&self, country: &str, mnemonic: &str) -> Option<HolderReference> {
        let stems = self.names();
        let references = stems
            .iter()
            .filter_map(|name| HolderReference::new(name.split('.').next()?.as_bytes()).ok());
        references.filter(|r| (r.country(), r.mnemonic()) == (country, mnemonic)).max()
    }

    /// The private key of a certificate, signing by the algorithm that the certificate says.
    ///
    /// # Errors
    /// [`DirectoryError`]; the key's own [`crate::pki::KeyError`] where it cannot have the algorithm.
    pub fn key(
        &self,
        certificate: &CvCertificate,
        password: &str,
    ) -> Result<SoftwareKey, DirectoryError> {
        let stem = file_stem(certificate.holder());
        let key = IssuerDirectory::new(&self.path).key(&stem, password)?;
        let algorithm = certificate.body().public_key.algorithm.signature_algorithm();
        let path = self.file(certificate.holder(), "key");
        key.with_algorithm(algorithm).map_err(|source| DirectoryError::Key { path, source })
    }
}
