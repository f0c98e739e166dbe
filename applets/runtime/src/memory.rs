//! Non-volatile memory of an application.

use alloc::vec::Vec;

/// One change to the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write<'a> {
    /// Sets a record, creating it when absent.
    Put {
        /// Record.
        key: u32,
        /// New content.
        value: &'a [u8],
    },
    /// Overwrites a part of an existing record, which keeps its length.
    Patch {
        /// Record.
        key: u32,
        /// First byte to overwrite.
        offset: usize,
        /// New bytes; they end within the record.
        data: &'a [u8],
    },
    /// Removes a record and its bytes; an absent one is no fault.
    Delete {
        /// Record.
        key: u32,
    },
}

/// Why a write did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryError {
    /// No room left.
    Full,
    /// A patch outside its record.
    OutOfRange,
    /// The memory cannot be written: power lost or hardware fault. Nothing was changed.
    Failed,
}

/// Records of bytes under numbers, which survive loss of power.
pub trait NonVolatileMemory {
    /// A record's content.
    fn read(&self, key: u32) -> Option<&[u8]>;

    /// Numbers of the records there are, ascending.
    fn keys(&self) -> Vec<u32>;

    /// Makes all changes or none, whenever the power goes: afterwards either all are there or the
    /// memory is as it was.
    ///
    /// # Errors
    /// [`MemoryError`]; then nothing was changed.
    fn apply(&mut self, writes: &[Write<'_>]) -> Result<(), MemoryError>;
}
