//! The journal's file: lines are appended whole, or not at all.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::site_secret;
use crate::checkpoint::Salt;
use crate::cli::{ExitStatus, Failure};

/// An open journal.
pub(in crate::cli) struct JournalFile {
    path: PathBuf,
    file: File,
    salt: Salt,
}

impl JournalFile {
    /// Opens the journal, made with mode 0600 where it is absent, and the salt beside it.
    ///
    /// # Errors
    /// A [`Failure`] that names the file.
    pub(in crate::cli) fn open(path: &Path, salt: &Path) -> Result<Self, Failure> {
        let salt = Salt::new(*site_secret::load(salt, "salt_malformed")?);
        let file = open(path).map_err(|e| Failure::file(path, &e))?;
        Ok(Self { path: path.to_owned(), file, salt })
    }

    /// The secret of the site.
    pub(in crate::cli) const fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Appends a line in one write, so that whatever kills the program leaves whole lines, and
    /// waits until it is on the disk. A journal that was moved away is begun anew.
    ///
    /// # Errors
    /// A [`Failure`] of exit code 8: no verdict goes unrecorded.
    pub(in crate::cli) fn append(&mut self, line: &str) -> Result<(), Failure> {
        self.try_append(line).map_err(|e| {
            Failure::new(ExitStatus::Unavailable, "journal_unwritable", e.to_string())
                .with("path", self.path.display())
        })
    }

    fn try_append(&mut self, line: &str) -> io::Result<()> {
        if self.was_moved()? {
            self.file = open(&self.path)?;
        }
        let whole = format!("{line}\n");
        let written = self.file.write(whole.as_bytes())?;
        if written < whole.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk is full"));
        }
        match self.file.sync_data() {
            // A pipe or a terminal has nothing to wait for.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }

    fn was_moved(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) != (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let is_file = std::fs::metadata(path).map_or(true, |m| m.is_file());
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).read(is_file);
    let mut file = options.open(path)?;
    if is_file {
        file.set_permissions(Permissions::from_mode(0o600))?;
        // A line that the power failure of a machine tore ends here; the next begins on its own.
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn appends_lines_to_a_private_file_with_one_salt() {
        let folder = tempfile::tempdir().unwrap();
        let (path, salt) = (folder.path().join("j"), folder.path().join("s"));
        let mut first = JournalFile::open(&path, &salt).unwrap();
        first.append("one").unwrap();
        let mut second = JournalFile::open(&path, &salt).unwrap();
        second.append("two").unwrap();
        first.append("three").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        assert_eq!((mode(&path), mode(&salt)), (0o600, 0o600));
        assert_eq!(first.salt().hash("001200000018"), second.salt().hash("001200000018"));
    }

    #[test]
    fn ends_a_line_that_was_torn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        std::fs::write(&path, "{\"torn").unwrap();
        let mut journal = JournalFile::open(&path, &folder.path().join("s")).unwrap();
        journal.append("{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"torn\n{}\n");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn begins_anew_when_the_journal_was_moved_away() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("j"), folder.path().join("j.1"));
        let mut journal = JournalFile::open(&path, &folder.path().join("s")).unwrap();
        journal.append("one").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        journal.append("two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "one\n");
    }

    #[test]
    fn says_when_it_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal =
            JournalFile::open(Path::new("/dev/full"), &folder.path().join("s")).unwrap();
        let failure = journal.append("one").unwrap_err();
        assert_eq!((failure.exit, &*failure.code), (ExitStatus::Unavailable, "journal_unwritable"));
    }

    #[test]
    fn refuses_a_salt_that_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let salt = folder.path().join("s");
        std::fs::write(&salt, "short").unwrap();
        let failure = JournalFile::open(&folder.path().join("j"), &salt).err().unwrap();
        assert_eq!(failure.code, "salt_malformed");
    }
}
