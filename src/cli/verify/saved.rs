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
    let card_access = load_file(folder, &read::file_name(FileId::CARD_ACCESS))?;
    files.card_access = card_access.map(DocumentFiles::content_of);
    let card_security = load_file(folder, read::CARD_SECURITY_FILE)?;
    files.card_security = card_security.map(DocumentFiles::content_of);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::tlv::{Tag, encode};

    #[test]
    fn bytes_after_the_end_of_a_file_are_no_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let whole = |tag| encode(Tag(tag), &[4, 1, 7]);
        let save = |name: &str, tag| {
            let bytes = [whole(tag), vec![0; 5]].concat();
            std::fs::write(folder.path().join(name), bytes).unwrap();
        };
        save(&read::file_name(FileId::CARD_ACCESS), 0x31);
        save(read::CARD_SECURITY_FILE, 0x30);
        save(&read::file_name(FileId::COM), 0x60);
        let files = load(folder.path()).unwrap();
        assert_eq!(files.card_access, Some(whole(0x31)));
        assert_eq!(files.card_security, Some(whole(0x30)));
        assert_eq!(files.files[&FileId::COM], whole(0x60));
        assert_eq!(files.trailing[&FileId::COM], 5);
    }
}
