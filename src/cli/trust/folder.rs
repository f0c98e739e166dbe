//! The trust folder on disk: its files, where they came from, and which signatures were verified.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cancuoc_primitives::hash::HashAlgorithm;

use super::{ExitStatus, Failure};
use crate::trust::{
    self, FileLists, FolderFile, Provenance, SignatureCache, TrustIndex, TrustStore,
};

/// Name of the file with the signatures that were verified.
const CACHE: &str = ".verified-signatures";
/// Name of the file that is locked while the folder is changed.
const LOCK: &str = ".lock";

/// A folder of what is trusted.
pub(super) struct TrustFolder {
    path: PathBuf,
}

/// SHA-256, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(HashAlgorithm::Sha256.digest(bytes))
}

fn bad(path: &Path, error: &dyn crate::error::ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error).with("path", path.display())
}

/// Reads a file that is given to be added.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    trust::read(path).map_err(|error| bad(path, &error))
}

/// The objects of a file that is given to be added.
pub(super) fn contents(path: &Path, bytes: &[u8]) -> Result<trust::Contents, Failure> {
    trust::contents(bytes).map_err(|error| bad(path, &error))
}

impl TrustFolder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn failure(&self, error: &std::io::Error) -> Failure {
        Failure::file(&self.path, error)
    }

    /// Makes the folder where there is none. Others may read it: it holds nothing secret.
    pub(super) fn create(&self) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.path).map_err(|error| self.failure(&error))
    }

    /// Waits until nobody else changes the folder; that lasts as long as the file is open.
    pub(super) fn lock(&self) -> Result<File, Failure> {
        let path = self.path.join(LOCK);
        let file = File::options().create(true).append(true).open(&path);
        file.and_then(|file| file.lock().map(|()| file)).map_err(|e| Failure::file(&path, &e))
    }

    pub(super) fn load(&self) -> Result<TrustStore, Failure> {
        // First, for its errors say more than those of the folder.
        self.index()?;
        TrustStore::load(&self.path).map_err(|error| self.failure(&error))
    }

    pub(super) fn index(&self) -> Result<TrustIndex, Failure> {
        let path = self.path.join(TrustIndex::FILE);
        match std::fs::read(&path) {
            Ok(bytes) => TrustIndex::from_json(&bytes).map_err(|error| bad(&path, &error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(TrustIndex::default()),
            Err(error) => Err(Failure::file(&path, &error)),
        }
    }

    pub(super) fn write_index(&self, index: &TrustIndex) -> Result<(), Failure> {
        self.write(TrustIndex::FILE, &index.to_json())
    }

    /// Writes a file as a whole, readable by all.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.write_with(name, bytes, 0o644).map_err(|e| Failure::file(&self.path.join(name), &e))
    }

    fn write_with(&self, name: &str, bytes: &[u8], mode: u32) -> std::io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(&self.path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(self.path.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        std::fs::remove_file(&path).map_err(|error| Failure::file(&path, &error))
    }

    /// The signatures that were verified before. A file that somebody else could have written is as
    /// good as none: it must be the folder owner's, and writable by no other.
    pub(super) fn cache(&self) -> SignatureCache {
        let path = self.path.join(CACHE);
        let own = std::fs::metadata(&self.path).and_then(|folder| {
            let file = std::fs::symlink_metadata(&path)?;
            Ok(file.is_file() && file.uid() == folder.uid() && file.mode() & 0o077 == 0)
        });
        match own {
            Ok(true) => SignatureCache::decode(&std::fs::read(&path).unwrap_or_default()),
            _ => SignatureCache::default(),
        }
    }

    /// Keeps the signatures that were verified. Where the folder cannot be written to they are
    /// verified again next time.
    pub(super) fn write_cache(&self, cache: &SignatureCache) {
        if let Err(error) = self.write_with(CACHE, &cache.encode(), 0o600) {
            tracing::debug!("{}: {error}", self.path.join(CACHE).display());
        }
    }

    /// Whether others than its owner can put files into the folder.
    pub(super) fn is_writable_by_others(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|folder| folder.mode() & 0o022 != 0)
    }

    /// The files in it but for the index and hidden ones.
    pub(super) fn files(&self) -> Result<Vec<FolderFile>, Failure> {
        let paths = trust::files(&self.path).map_err(|error| self.failure(&error))?;
        let file = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?.to_owned();
            let hidden = name.starts_with('.') || name == TrustIndex::FILE;
            let sha256 = trust::read(path).ok().map(|bytes| sha256(&bytes));
            (!hidden).then(|| FolderFile { name, sha256, is_read: trust::is_read(path) })
        };
        Ok(paths.iter().filter_map(file).collect())
    }

    /// The lists in its files, but for those that were changed since they were added.
    pub(super) fn lists(&self, index: &TrustIndex) -> Result<Vec<FileLists>, Failure> {
        let paths = trust::files(&self.path).map_err(|error| self.failure(&error))?;
        let lists = |path: &PathBuf| {
            let name = path.file_name()?.to_str()?;
            let bytes = trust::read(path).ok()?;
            index.check(path, &bytes).ok()?;
            Some(FileLists::new(name, &trust::contents(&bytes).ok()?.objects))
        };
        Ok(paths.iter().filter(|path| trust::is_read(path)).filter_map(lists).collect())
    }

    /// A name for a file with these bytes that is free: its own, with a part of its hash where that is
    /// taken. A file that was changed since it was added takes no name: it is replaced, or, where it
    /// is the very file, added anew.
    ///
    /// # Errors
    /// Where the very file is there already.
    pub(super) fn free_name(
        &self,
        source: &Path,
        kind: &str,
        bytes: &[u8],
        index: &TrustIndex,
    ) -> Result<String, Failure> {
        let ending = match kind {
            "crl" => "crl",
            "master_list" => "ml",
            "deviation_list" => "dvl",
            "defect_list" => "dfl",
            "ldif" => "ldif",
            _ => "cer",
        };
        let stem = source.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let stem: String = stem.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
        let stem = stem.trim_start_matches('.');
        let stem = if stem.is_empty() { kind } else { stem };
        let ending = match source.extension().and_then(|ending| ending.to_str()) {
            Some(own) if trust::is_read(source) => own,
            _ => ending,
        };
        let (hash, files) = (sha256(bytes), self.files()?);
        let was_changed = |file: &FolderFile| {
            file.sha256.as_ref().is_some_and(|hash| index.differs(&file.name, hash))
        };
        if let Some(same) = files.iter().find(|f| f.sha256.as_ref() == Some(&hash)) {
            if was_changed(same) {
                return Ok(same.name.clone());
            }
            let failure = Failure::new(ExitStatus::Protected, "trust_file_exists", &same.name);
            return Err(failure.with("path", source.display()));
        }
        let name = format!("{stem}.{ending}");
        let taken = self.path.join(&name).symlink_metadata().is_ok()
            && !files.iter().any(|file| file.name == name && was_changed(file));
        let part = hash.get(..8).unwrap_or_default();
        Ok(if taken { format!("{stem}-{part}.{ending}") } else { name })
    }
}

/// Where a file that is added now came from.
pub(super) fn provenance(
    source: &Path,
    bytes: &[u8],
    note: Option<&str>,
    anchor: bool,
) -> Provenance {
    Provenance {
        sha256: sha256(bytes),
        added: now().to_string(),
        source: source.display().to_string(),
        note: note.map(ToOwned::to_owned),
        anchor,
    }
}

/// This second.
pub(super) fn now() -> jiff::Timestamp {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)
}
