//! Files that `cancuoc read` saved.

use std::path::Path;

use super::super::{Failure, read};
use crate::lds::{DgNumber, FileId};
use crate::verify::DocumentFiles;

/// The files of a folder.
pub(super) fn load(folder: &Path) -> Result<DocumentFiles, Failure> {
    let mut files = DocumentFiles::default();
    let groups = DgNumber::all().map(DgNumber::file);
    for file in groups.chain([FileId::COM, FileId::SOD]) {
        if let Some(bytes) = load_file(folder, &read::file_name(file))? {
            files.insert(file, bytes);
        }
    }
    files.card_access = load_file(folder, &read::file_name(FileId::CARD_ACCESS))?;
    files.card_security = load_file(folder, read::CARD_SECURITY_FILE)?;
    if files.files.is_empty() {
        return Err(Failure::file(folder, &std::io::ErrorKind::NotFound.into()));
    }
    // DG3 and DG4 come out only with Terminal Authentication, so saved files lack them.
    files.protected = [3, 4].into_iter().filter_map(DgNumber::new).map(DgNumber::file).collect();
    Ok(files)
}

fn load_file(folder: &Path, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    use std::io::Read;
    let path = folder.join(name);
    let mut bytes = Vec::new();
    match std::fs::File::open(&path).and_then(|f| f.take(4 << 20).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::file(&path, &error)),
    }
}
