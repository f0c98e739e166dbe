//! Non-volatile memory in one file.
//!
//! The file is a header and then a log of batches: length, writes, checksum. A batch counts once its
//! checksum stands; whatever a loss of power leaves after the last whole batch is dropped on
//! opening. When the log has grown well beyond what it says, it is written anew beside the old one
//! and put in its place by renaming.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, Write};
use cancuoc_primitives::hash::HashAlgorithm;

use super::{RamMemory, SoftCardError};

const HEADER: &[u8; 16] = b"cancuoc card 1\n\0";
/// Largest file that is opened.
const MAX_FILE: u64 = 64 << 20;
const CHECKSUM: usize = 8;
/// A log this many times longer than its records is written anew.
const SLACK: u64 = 4;

/// Memory in a file that this process holds alone.
pub struct FileMemory {
    path: PathBuf,
    file: File,
    length: u64,
    ram: RamMemory,
}

impl FileMemory {
    /// Makes an empty memory in a new file of mode 0600.
    ///
    /// # Errors
    /// [`SoftCardError`]; also when the file exists.
    pub fn create(path: &Path) -> Result<Self, SoftCardError> {
        Self::create_with(path, &RamMemory::default())
    }

    /// Makes a memory with the records of another in a new file of mode 0600.
    ///
    /// # Errors
    /// [`SoftCardError`]; also when the file exists.
    pub fn create_with(path: &Path, content: &RamMemory) -> Result<Self, SoftCardError> {
        let fault = |source| SoftCardError::File { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(fault)?;
        lock(&file, path)?;
        let bytes = whole_file(content);
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(fault)?;
        Ok(Self { path: path.to_owned(), file, length: bytes.len() as u64, ram: content.clone() })
    }

    /// Opens a memory and drops a torn batch at its end.
    ///
    /// # Errors
    /// [`SoftCardError`].
    pub fn open(path: &Path) -> Result<Self, SoftCardError> {
        let fault = |source| SoftCardError::File { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).append(true).open(path).map_err(fault)?;
        lock(&file, path)?;
        let mut bytes = Vec::new();
        (&file).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(fault)?;
        let malformed =
            |what, offset| SoftCardError::Malformed { path: path.to_owned(), what, offset };
        if bytes.len() as u64 > MAX_FILE {
            return Err(malformed("file is larger than any card", MAX_FILE));
        }
        let log = bytes.strip_prefix(HEADER).ok_or_else(|| malformed("no software card", 0))?;
        let (ram, used) = replay(log)
            .map_err(|offset| malformed("damaged record", HEADER.len() as u64 + offset as u64))?;
        let length = (HEADER.len() + used) as u64;
        if length < bytes.len() as u64 {
            file.set_len(length).and_then(|()| file.sync_all()).map_err(fault)?;
        }
        let mut memory = Self { path: path.to_owned(), file, length, ram };
        memory.compact_if_needed().map_err(fault)?;
        Ok(memory)
    }

    /// Writes the log anew when most of it is history.
    fn compact_if_needed(&mut self) -> std::io::Result<()> {
        let live: u64 = self.ram.records().values().map(|r| r.len() as u64 + 32).sum();
        if self.length <= (live + 4096) * SLACK {
            return Ok(());
        }
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        let bytes = whole_file(&self.ram);
        new.write_all(&bytes)?;
        new.as_file().sync_all()?;
        new.persist(&self.path).map_err(|e| e.error)?;
        self.file = OpenOptions::new().read(true).append(true).open(&self.path)?;
        self.file.try_lock().map_err(std::io::Error::from)?;
        self.length = bytes.len() as u64;
        Ok(())
    }
}

/// How often and how long apart a lock is asked for. A process that is being started holds copies of
/// all open files of the one that starts it, and so their locks, until its program is loaded.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn lock(file: &File, path: &Path) -> Result<(), SoftCardError> {
    for _ in 1..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            other => return other.map_err(|error| refusal(error, path)),
        }
    }
    file.try_lock().map_err(|error| refusal(error, path))
}

fn refusal(error: TryLockError, path: &Path) -> SoftCardError {
    match error {
        TryLockError::WouldBlock => SoftCardError::InUse(path.to_owned()),
        TryLockError::Error(source) => SoftCardError::File { path: path.to_owned(), source },
    }
}

impl NonVolatileMemory for FileMemory {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.ram.read(key)
    }

    fn keys(&self) -> Vec<u32> {
        self.ram.keys()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        self.ram.check(writes)?;
        let batch = encode(writes);
        let written = self.file.write_all(&batch).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // Half a batch may stand there now: take it back, or it would hide later ones.
            let _ = self.file.set_len(self.length);
            return Err(MemoryError::Failed);
        }
        self.length += batch.len() as u64;
        self.ram.apply(writes)
    }
}

/// A file that says what a memory holds and nothing of how it came about.
fn whole_file(memory: &RamMemory) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for (key, value) in memory.records() {
        bytes.extend(encode(&[Write::Put { key: *key, value }]));
    }
    bytes
}

/// A batch: length of the writes (4 bytes), the writes, the first bytes of their SHA-256.
fn encode(writes: &[Write<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for write in writes {
        let (kind, key, offset, data) = match write {
            Write::Put { key, value } => (0u8, key, 0, *value),
            Write::Patch { key, offset, data } => (1, key, *offset, *data),
            Write::Delete { key } => (2, key, 0, &[][..]),
        };
        body.push(kind);
        body.extend(key.to_be_bytes());
        body.extend((offset as u32).to_be_bytes());
        body.extend((data.len() as u32).to_be_bytes());
        body.extend_from_slice(data);
    }
    let mut out = (body.len() as u32).to_be_bytes().to_vec();
    let checksum = HashAlgorithm::Sha256.digest(&body);
    out.extend(&body);
    out.extend(&checksum[..CHECKSUM]);
    out
}

/// Carries out all whole batches; gives the memory and how many bytes they took.
///
/// A batch that is cut off, or whose checksum is wrong, at the end of the log was torn. A wrong one
/// with more behind it is damage, whose offset is the error.
fn replay(log: &[u8]) -> Result<(RamMemory, usize), usize> {
    let mut ram = RamMemory::default();
    let mut used = 0;
    while let Some((length, rest)) = log.get(used..).and_then(|l| l.split_first_chunk::<4>()) {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((body, checksum)) = length
            .checked_add(CHECKSUM)
            .and_then(|end| rest.get(..end))
            .and_then(|batch| batch.split_at_checked(length))
        else {
            break;
        };
        let next = used + 4 + length + CHECKSUM;
        if HashAlgorithm::Sha256.digest(body).get(..CHECKSUM) != Some(checksum) {
            if next == log.len() { break } else { return Err(used) }
        }
        let writes = decode(body).ok_or(used)?;
        ram.apply(&writes).map_err(|_| used)?;
        used = next;
    }
    Ok((ram, used))
}

fn decode(mut body: &[u8]) -> Option<Vec<Write<'_>>> {
    let mut writes = Vec::new();
    while !body.is_empty() {
        let (header, rest) = body.split_first_chunk::<13>()?;
        let number = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (key, offset) = (number(1)?, number(5)? as usize);
        let (data, rest) = rest.split_at_checked(number(9)? as usize)?;
        writes.push(match header[0] {
            0 => Write::Put { key, value: data },
            1 => Write::Patch { key, offset, data },
            2 => Write::Delete { key },
            _ => return None,
        });
        body = rest;
    }
    Some(writes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    const PUT: Write<'_> = Write::Put { key: 7, value: b"first value" };

    fn card() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        (folder, path)
    }

    #[test]
    fn what_was_written_is_there_after_opening() {
        let (_folder, path) = card();
        let mut memory = FileMemory::create(&path).unwrap();
        memory.apply(&[PUT, Write::Patch { key: 7, offset: 0, data: b"F" }]).unwrap();
        memory.apply(&[Write::Put { key: 8, value: b"x" }, Write::Delete { key: 8 }]).unwrap();
        drop(memory);
        let memory = FileMemory::open(&path).unwrap();
        assert_eq!((memory.read(7), memory.read(8)), (Some(&b"First value"[..]), None));
    }

    #[test]
    fn a_batch_torn_at_any_byte_is_as_if_never_written() {
        let (_folder, path) = card();
        let mut memory = FileMemory::create(&path).unwrap();
        memory.apply(&[PUT]).unwrap();
        let before = memory.length;
        memory
            .apply(&[Write::Put { key: 7, value: b"second" }, Write::Put { key: 9, value: b"n" }])
            .unwrap();
        drop(memory);
        let whole = std::fs::read(&path).unwrap();
        for end in before as usize..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let memory = FileMemory::open(&path).unwrap();
            assert_eq!(
                (memory.read(7), memory.read(9)),
                (Some(&b"first value"[..]), None),
                "{end}"
            );
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error() {
        let (_folder, path) = card();
        let mut memory = FileMemory::create(&path).unwrap();
        memory.apply(&[PUT]).unwrap();
        memory.apply(&[PUT]).unwrap();
        drop(memory);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[HEADER.len() + 20] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(
            FileMemory::open(&path),
            Err(SoftCardError::Malformed { offset: 16, .. })
        ));
    }

    #[test]
    fn a_second_opener_is_refused() {
        let (_folder, path) = card();
        let _memory = FileMemory::create(&path).unwrap();
        assert!(matches!(FileMemory::open(&path), Err(SoftCardError::InUse(_))));
    }

    #[test]
    fn a_lock_that_is_given_back_in_a_moment_is_waited_for() {
        let (_folder, path) = card();
        let memory = FileMemory::create(&path).unwrap();
        let copy = memory.file.try_clone().unwrap();
        drop(memory);
        let holder = std::thread::spawn(move || {
            std::thread::sleep(2 * LOCK_PAUSE);
            drop(copy);
        });
        assert!(FileMemory::open(&path).is_ok());
        holder.join().unwrap();
    }

    #[test]
    fn only_the_owner_can_read_the_file() {
        let (_folder, path) = card();
        let mut memory = FileMemory::create(&path).unwrap();
        for _ in 0..1000 {
            memory.apply(&[PUT]).unwrap();
        }
        drop(memory);
        let long = std::fs::metadata(&path).unwrap().len();
        let memory = FileMemory::open(&path).unwrap();
        assert!(memory.length < long, "the log was written anew");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    proptest! {
        #[test]
        fn any_log_is_read_or_refused(log in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = replay(&log);
        }

        #[test]
        fn any_body_is_read_or_refused(body in prop::collection::vec(0u8..3, 0..60)) {
            let mut log = (body.len() as u32).to_be_bytes().to_vec();
            log.extend(&body);
            log.extend(&HashAlgorithm::Sha256.digest(&body)[..CHECKSUM]);
            let _ = replay(&log);
        }
    }
}
