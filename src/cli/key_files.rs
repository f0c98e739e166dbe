//! Files of keys and certificates.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{ExitStatus, Failure};
use crate::pki::{SoftwareKey, from_pem};

/// Largest key or certificate that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// Bytes of a file in DER or PEM.
pub(super) fn read_der(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(|e| Failure::file(path, &e))?;
    Ok(der::pem::decode_vec(&bytes).map(|(_, der)| der).unwrap_or(bytes))
}

/// A private key: encrypted PKCS #8 in PEM.
pub(super) fn load_key(path: &Path, password: &str) -> Result<SoftwareKey, Failure> {
    let mut text = String::new();
    let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|e| Failure::file(path, &e))?;
    let encrypted = from_pem(&text, "ENCRYPTED PRIVATE KEY").ok_or_else(|| {
        let what = "not an encrypted key in PEM";
        Failure::new(ExitStatus::BadInput, "key_malformed", what).with("file", path.display())
    })?;
    SoftwareKey::decrypt(&encrypted, password)
        .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e).with("file", path.display()))
}
