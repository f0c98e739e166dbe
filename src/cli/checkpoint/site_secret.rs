//! A secret of the site in a file of its own: 32 random bytes as 64 hexadecimal digits.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use rand_core::Rng;
use zeroize::Zeroizing;

use crate::cli::{ExitStatus, Failure};

/// Bytes of a secret.
const LENGTH: usize = 32;

/// Reads the secret, or makes one where the file is absent.
///
/// # Errors
/// A [`Failure`] that names the file; of this code where it holds something else.
pub(super) fn load(path: &Path, malformed: &str) -> Result<Zeroizing<[u8; LENGTH]>, Failure> {
    let fail = |e: &io::Error| Failure::file(path, e);
    if !path.exists() {
        make(path).map_err(|e| fail(&e))?;
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)
        .and_then(|file| file.take(1_024).read_to_string(&mut text))
        .map_err(|e| fail(&e))?;
    let mut bytes = Zeroizing::new([0; LENGTH]);
    hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|e| {
        Failure::new(ExitStatus::BadInput, malformed, e.to_string()).with("path", path.display())
    })?;
    Ok(bytes)
}

/// Writes a new secret, whole before it has its name; one that came meanwhile is left alone.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = Zeroizing::new([0; LENGTH]);
    rand_core::UnwrapErr(getrandom::SysRng).fill_bytes(&mut *bytes);
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", *Zeroizing::new(hex::encode(*bytes)))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}
