//! Non-volatile memory that is not in a file: for tests and in-process cards.

use std::collections::BTreeMap;

use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, Write};

/// Most bytes that all records together may have: what keeps a hostile host from filling the disk.
const CAPACITY: usize = 4 << 20;

/// Records in RAM.
#[derive(Debug, Clone, Default)]
pub struct RamMemory {
    records: BTreeMap<u32, Vec<u8>>,
}

impl RamMemory {
    /// The records there are.
    #[must_use]
    pub const fn records(&self) -> &BTreeMap<u32, Vec<u8>> {
        &self.records
    }

    /// Whether all writes can be carried out one after another.
    pub(super) fn check(&self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        let mut size: usize = self.records.values().map(Vec::len).sum();
        let mut lengths: BTreeMap<u32, Option<usize>> = BTreeMap::new();
        for write in writes {
            let length = |key: &u32| match lengths.get(key) {
                Some(length) => *length,
                None => self.records.get(key).map(Vec::len),
            };
            match write {
                Write::Put { key, value } => {
                    size = size + value.len() - length(key).unwrap_or(0);
                    lengths.insert(*key, Some(value.len()));
                }
                Write::Patch { key, offset, data } => {
                    let length = length(key).ok_or(MemoryError::OutOfRange)?;
                    let end = offset.checked_add(data.len());
                    if end.is_none_or(|end| end > length) {
                        return Err(MemoryError::OutOfRange);
                    }
                }
                Write::Delete { key } => {
                    size -= length(key).unwrap_or(0);
                    lengths.insert(*key, None);
                }
            }
        }
        if size > CAPACITY { Err(MemoryError::Full) } else { Ok(()) }
    }

    fn carry_out(&mut self, write: &Write<'_>) {
        match write {
            Write::Put { key, value } => {
                self.records.insert(*key, value.to_vec());
            }
            Write::Patch { key, offset, data } => {
                let record = self.records.get_mut(key);
                let part = record.and_then(|r| r.get_mut(*offset..offset + data.len()));
                if let Some(part) = part {
                    part.copy_from_slice(data);
                }
            }
            Write::Delete { key } => {
                self.records.remove(key);
            }
        }
    }
}

impl NonVolatileMemory for RamMemory {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.records.get(&key).map(Vec::as_slice)
    }

    fn keys(&self) -> Vec<u32> {
        self.records.keys().copied().collect()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        self.check(writes)?;
        writes.iter().for_each(|write| self.carry_out(write));
        Ok(())
    }
}

/// A memory whose power goes after a number of writes: every later one fails.
#[derive(Debug, Clone)]
pub struct PowerCut<M> {
    memory: M,
    left: usize,
}

impl<M> PowerCut<M> {
    /// Lets `writes` calls of [`NonVolatileMemory::apply`] through.
    pub const fn after(memory: M, writes: usize) -> Self {
        Self { memory, left: writes }
    }
}

impl<M: NonVolatileMemory> NonVolatileMemory for PowerCut<M> {
    fn read(&self, key: u32) -> Option<&[u8]> {
        self.memory.read(key)
    }

    fn keys(&self) -> Vec<u32> {
        self.memory.keys()
    }

    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError> {
        self.left = self.left.checked_sub(1).ok_or(MemoryError::Failed)?;
        self.memory.apply(writes)
    }
}
