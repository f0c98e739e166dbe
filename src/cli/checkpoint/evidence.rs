//! Evidence files of a checkpoint: one for each card, under names that tell nothing of its holder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::checkpoint::Salt;
use crate::cli::verify::Form;
use crate::cli::{ExitStatus, Failure, output};
use crate::verify::evidence::InspectionRecord;

/// Ending of the files, as `verify --replay` looks for it in a folder.
const ENDING: &str = "evidence";
/// Most cards of one number in one millisecond.
const MOST_ALIKE: u32 = 1_000;

/// Where evidence files are kept.
pub(in crate::cli) struct EvidenceFolder {
    path: PathBuf,
    form: Form,
    salt: Salt,
}

impl EvidenceFolder {
    /// Takes a folder, made with mode 0700 where it is absent.
    ///
    /// # Errors
    /// A [`Failure`] that names it.
    pub(super) fn open(path: &Path, form: Form, salt: Salt) -> Result<Self, Failure> {
        output::create_private_folder(path).map_err(|e| Failure::file(path, &e))?;
        Ok(Self { path: path.to_owned(), form, salt })
    }

    /// Keeps the evidence of a card in a file of its own, mode 0600, and waits until it is on the disk.
    ///
    /// # Errors
    /// A [`Failure`] of exit code 8: no verdict goes without the evidence that was asked for.
    pub(super) fn keep(
        &self,
        record: InspectionRecord,
        number: Option<&str>,
    ) -> Result<(), Failure> {
        let stem = stem(record.time, number, &self.salt);
        let file = self.form.file(record)?;
        self.write(&stem, &file).map_err(|e| {
            Failure::new(ExitStatus::Unavailable, "evidence_unwritable", e.to_string())
                .with("path", self.path.display())
        })
    }

    /// Writes a file whole, over no other.
    fn write(&self, stem: &str, content: &[u8]) -> io::Result<()> {
        // A temporary file is created 0600, and the rename makes it appear whole.
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        for number in 1..=MOST_ALIKE {
            let name = match number {
                1 => format!("{stem}.{ENDING}"),
                _ => format!("{stem}-{number}.{ENDING}"),
            };
            match file.persist_noclobber(self.path.join(name)) {
                Ok(_) => return Ok(()),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    file = error.file;
                }
                Err(error) => return Err(error.error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// The name of a file without its ending: when, and the number as the journal has it.
fn stem(time: Timestamp, number: Option<&str>, salt: &Salt) -> String {
    let number = number.map_or_else(|| "unknown".to_owned(), |number| salt.hash(number));
    format!("{}-{number}", time.strftime("%Y%m%dT%H%M%S.%3fZ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_and_the_salted_hash_of_the_number() {
        let time = "2026-11-23T01:02:03.0456Z".parse().unwrap();
        let salt = Salt::new([7; 32]);
        let hash = salt.hash("001200000018");
        assert_eq!(stem(time, Some("001200000018"), &salt), format!("20261123T010203.045Z-{hash}"));
        assert_eq!(stem(time, None, &salt), "20261123T010203.045Z-unknown");
    }
}
