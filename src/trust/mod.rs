//! Trust anchors and revocation lists of a verifier, from a folder.

mod certificate;
mod crl;

use std::path::{Path, PathBuf};

pub use certificate::{X509, X509Error, country_of};
pub use crl::Crl;

/// Largest file that is read.
const MAX_FILE: u64 = 4 << 20;
/// Most files that are read.
const MAX_FILES: usize = 10_000;

/// What a verifier trusts.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    /// Certificates of country signing CAs.
    pub anchors: Vec<X509>,
    /// Revocation lists; their signatures are checked when they are used.
    pub crls: Vec<Crl>,
    /// Files that are neither, or cannot be used, with the reason.
    pub problems: Vec<(PathBuf, String)>,
}

impl TrustStore {
    /// Reads all certificates and revocation lists of a folder, in DER or PEM. What is no CA's
    /// certificate is passed over; what cannot be read is listed, and does not stop the rest.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub fn load(folder: &Path) -> std::io::Result<Self> {
        let mut store = Self::default();
        let mut paths = std::fs::read_dir(folder)?
            .take(MAX_FILES)
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        for path in paths {
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if matches!(extension, "crt" | "cer" | "pem" | "der" | "crl") {
                store.load_file(path);
            }
        }
        Ok(store)
    }

    fn load_file(&mut self, path: PathBuf) {
        let bytes = match read_limited(&path) {
            Ok(bytes) => bytes,
            Err(error) => return self.problems.push((path, error.to_string())),
        };
        let der = match der::pem::decode_vec(&bytes) {
            Ok((_, der)) => der,
            Err(_) => bytes,
        };
        if let Err(reason) = self.add(&der) {
            self.problems.push((path, reason));
        }
    }

    /// Adds a CA's certificate or a revocation list in DER; other certificates are passed over.
    ///
    /// # Errors
    /// The reason why it is neither.
    pub fn add(&mut self, der: &[u8]) -> Result<(), String> {
        match X509::decode(der) {
            Ok(certificate) if certificate.is_ca() => self.anchors.push(certificate),
            Ok(_) => {}
            Err(error) => match Crl::decode(der) {
                Some(crl) => self.crls.push(crl),
                None => return Err(error.to_string()),
            },
        }
        Ok(())
    }
}

fn read_limited(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}
