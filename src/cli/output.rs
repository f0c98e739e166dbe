//! Writing results: one JSON document, tables, files with personal data.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Serialize;

use super::{ExitStatus, Failure};

/// Prints a JSON document on standard output. It carries its own `schema` member.
///
/// # Errors
/// A [`Failure`] when standard output is closed.
pub fn json(document: &impl Serialize) -> Result<(), Failure> {
    let defect = |e: serde_json::Error| Failure::new(ExitStatus::Defect, "defect", e.to_string());
    let text = serde_json::to_string_pretty(document).map_err(defect)?;
    line(&text)
}

/// Prints a line on standard output; colours are dropped where it is no terminal.
///
/// # Errors
/// A [`Failure`] when standard output is closed.
pub fn line(text: &str) -> Result<(), Failure> {
    writeln!(anstream::stdout(), "{text}").map_err(|e| unwritable(&e))
}

/// Prints bytes on standard output as they are.
///
/// # Errors
/// A [`Failure`] when standard output is closed.
pub fn bytes(content: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(content).and_then(|()| out.flush()).map_err(|e| unwritable(&e))
}

/// Standard output cannot be written. Where its reader went away the program ends without a word.
#[must_use]
pub fn unwritable(error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::BrokenPipe => ExitStatus::PipeClosed,
        _ => ExitStatus::BadInput,
    };
    Failure::new(exit, "stdout_closed", error.to_string())
}

/// A table without frame lines for a pipe, with light ones on a terminal.
#[must_use]
pub fn table(header: &[String]) -> comfy_table::Table {
    use std::io::IsTerminal;
    let mut table = comfy_table::Table::new();
    if io::stdout().is_terminal() {
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    } else {
        table.load_style(comfy_table::presets::NOTHING);
    }
    table.set_header(header);
    table
}

/// Creates a file that may hold personal data or keys: mode 0600, replaced as a whole.
///
/// # Errors
/// Whatever the system says.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is created 0600, and the rename makes it appear whole.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

/// Creates a new file with mode 0600.
///
/// # Errors
/// Whatever the system says; `AlreadyExists` where one is.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a folder with mode 0700, parents included.
///
/// # Errors
/// Whatever the system says.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn private_files_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write_private(&path, b"x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
