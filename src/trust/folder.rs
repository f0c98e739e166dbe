//! A trust folder on disk.

use std::path::{Path, PathBuf};

use super::{TrustError, TrustIndex, TrustStore};

/// Longest file that is read: the whole directory of ICAO has some 80 MB.
const MAX_FILE: u64 = 256 << 20;
/// Most files that are read.
const MAX_FILES: usize = 10_000;
/// Endings of the files that are read.
const ENDINGS: [&str; 10] = ["crt", "cer", "pem", "der", "crl", "ml", "ldif", "dvl", "dfl", "dl"];

/// Whether a file of the folder is one that is read.
#[must_use]
pub fn is_read(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !name.starts_with('.') && ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
}

/// The files of a folder in the order of their names.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?.take(MAX_FILES);
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_file());
    paths.sort();
    Ok(paths)
}

/// Reads a file, up to the longest that belongs here.
///
/// # Errors
/// [`TrustError`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| TrustError::Unreadable(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(TrustError::TooLarge { limit: MAX_FILE });
    }
    Ok(bytes)
}

impl TrustStore {
    /// Reads a folder: certificates in DER or PEM, revocation lists, master lists, deviation and
    /// defect lists, LDIF. What cannot be used is listed in [`Self::problems`], and does not stop the
    /// rest; nor does a file that is not the one that was added. No signature is verified yet.
    ///
    /// # Errors
    /// When the folder itself or its index cannot be read.
    pub fn load(folder: &Path) -> std::io::Result<Self> {
        let (mut store, index) = (Self::default(), index(folder)?);
        for path in files(folder)?.into_iter().filter(|path| is_read(path)) {
            let added = read(&path).and_then(|bytes| {
                index.check(&path, &bytes)?;
                store.add_file(&path, &bytes)
            });
            if let Err(problem) = added {
                store.problems.push((path, problem));
            }
        }
        Ok(store)
    }
}

/// The index of a folder; an empty one where it has none.
fn index(folder: &Path) -> std::io::Result<TrustIndex> {
    match std::fs::read(folder.join(TrustIndex::FILE)) {
        Ok(bytes) => TrustIndex::from_json(&bytes).map_err(std::io::Error::other),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(TrustIndex::default()),
        Err(error) => Err(error),
    }
}
