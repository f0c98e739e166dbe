//! What stands in non-volatile memory: for each kind an object in one of two slots, and what is being
//! written into the other.

use alloc::vec::Vec;

use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};

const OBJECT: u32 = 0x100;
const STAGED: u32 = 0x200;
const CONTENT: u32 = 0x300;
/// Stands for the slot of an object that was removed.
const NO_SLOT: u8 = 0xFF;

/// Largest object in bytes: what an offset of 15 bits reaches.
pub const MAX_SIZE: usize = 0x7FFF;

/// A kind of document: 1 to 28, the short identifier of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind(u8);

impl Kind {
    /// The last kind.
    pub const LAST: u8 = 28;

    /// A kind by its number.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= Self::LAST { Some(Self(number)) } else { None }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    const fn object_key(self) -> u32 {
        OBJECT | self.0 as u32
    }

    const fn staged_key(self) -> u32 {
        STAGED | self.0 as u32
    }

    const fn content_key(self, slot: u8) -> u32 {
        CONTENT | (self.0 as u32) << 1 | (slot & 1) as u32
    }
}

/// An object that is there, or that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    /// Version counter: it only grows.
    pub counter: u32,
    /// Where the content is; nothing when the object was removed.
    pub content: Option<Content>,
}

/// The content of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Slot, 0 or 1.
    slot: u8,
    /// Bytes.
    pub size: usize,
    /// SHA-256.
    pub digest: [u8; 32],
}

impl Object {
    /// The object of a kind, if there ever was one.
    pub fn read(memory: &dyn NonVolatileMemory, kind: Kind) -> Option<Self> {
        let record = memory.read(kind.object_key())?;
        let (slot, rest) = record.split_first()?;
        let (counter, rest) = rest.split_first_chunk::<4>()?;
        let (size, digest) = rest.split_first_chunk::<3>()?;
        let counter = u32::from_be_bytes(*counter);
        let content = match slot {
            0 | 1 => Some(Content {
                slot: *slot,
                size: size_of_bytes(*size),
                digest: digest.try_into().ok()?,
            }),
            _ => None,
        };
        Some(Self { counter, content })
    }

    fn to_record(self) -> Vec<u8> {
        let (slot, size, digest) = match &self.content {
            Some(content) => (content.slot, content.size, &content.digest[..]),
            None => (NO_SLOT, 0, &[0; 32][..]),
        };
        [&[slot][..], &self.counter.to_be_bytes(), &size_bytes(size), digest].concat()
    }
}

fn size_of_bytes([high, middle, low]: [u8; 3]) -> usize {
    u32::from_be_bytes([0, high, middle, low]) as usize
}

/// A size of an object in three bytes.
pub const fn size_bytes(size: usize) -> [u8; 3] {
    let [_, high, middle, low] = (size as u32).to_be_bytes();
    [high, middle, low]
}

/// The objects that there are or were, ascending by kind.
#[must_use]
pub fn objects(memory: &dyn NonVolatileMemory) -> Vec<(Kind, Object)> {
    let kinds = (1..=Kind::LAST).filter_map(Kind::new);
    kinds.filter_map(|kind| Object::read(memory, kind).map(|object| (kind, object))).collect()
}

/// The bytes of a kind's object.
pub fn content(memory: &dyn NonVolatileMemory, kind: Kind) -> Option<&[u8]> {
    let content = Object::read(memory, kind)?.content?;
    memory.read(kind.content_key(content.slot))
}

/// The counter of a kind: 0 before its first object.
pub fn counter(memory: &dyn NonVolatileMemory, kind: Kind) -> u32 {
    Object::read(memory, kind).map_or(0, |object| object.counter)
}

/// An object that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged {
    /// The kind.
    pub kind: Kind,
    /// Counter that it will have.
    pub counter: u32,
    /// Bytes that it will have.
    pub size: usize,
    /// SHA-256 that it must have.
    pub digest: [u8; 32],
    /// Bytes from the start that were written without a gap.
    pub written: usize,
}

impl Staged {
    /// What was begun of a kind.
    pub fn read(memory: &dyn NonVolatileMemory, kind: Kind) -> Option<Self> {
        let record = memory.read(kind.staged_key())?;
        let (counter, rest) = record.split_first_chunk::<4>()?;
        let (size, rest) = rest.split_first_chunk::<3>()?;
        let (digest, written) = rest.split_first_chunk::<32>()?;
        Some(Self {
            kind,
            counter: u32::from_be_bytes(*counter),
            size: size_of_bytes(*size),
            digest: *digest,
            written: size_of_bytes(written.try_into().ok()?),
        })
    }

    fn to_record(self) -> Vec<u8> {
        let size = size_bytes(self.size);
        let written = size_bytes(self.written);
        [&self.counter.to_be_bytes()[..], &size, &self.digest, &written].concat()
    }

    /// The slot that the object of this kind is not in.
    fn slot(&self, memory: &dyn NonVolatileMemory) -> u8 {
        let content = Object::read(memory, self.kind).and_then(|object| object.content);
        content.map_or(0, |content| content.slot ^ 1)
    }

    /// The bytes so far.
    pub fn content<'a>(&self, memory: &'a dyn NonVolatileMemory) -> Option<&'a [u8]> {
        memory.read(self.kind.content_key(self.slot(memory)))
    }

    /// Begins, dropping what was begun before.
    pub fn begin(&self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        let empty = alloc::vec![0; self.size];
        let key = self.kind.content_key(self.slot(memory));
        let record = self.to_record();
        memory
            .apply(&[
                Write::Put { key: self.kind.staged_key(), value: &record },
                Write::Put { key, value: &empty },
            ])
            .map_err(StatusWord::from)
    }

    /// Writes a part. The caller has checked that it leaves no gap and ends within the object.
    pub fn write(
        mut self,
        memory: &mut dyn NonVolatileMemory,
        offset: usize,
        data: &[u8],
    ) -> Result<(), StatusWord> {
        self.written = self.written.max(offset + data.len());
        let key = self.kind.content_key(self.slot(memory));
        let record = self.to_record();
        memory
            .apply(&[
                Write::Patch { key, offset, data },
                Write::Put { key: self.kind.staged_key(), value: &record },
            ])
            .map_err(StatusWord::from)
    }

    /// Puts what was written in the place of the object, in one step.
    pub fn commit(&self, memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
        let slot = self.slot(memory);
        let content = Some(Content { slot, size: self.size, digest: self.digest });
        let record = Object { counter: self.counter, content }.to_record();
        memory
            .apply(&[
                Write::Put { key: self.kind.object_key(), value: &record },
                Write::Delete { key: self.kind.staged_key() },
                Write::Delete { key: self.kind.content_key(slot ^ 1) },
            ])
            .map_err(StatusWord::from)
    }
}

/// Removes a kind's object and whatever was begun; its counter stays.
pub fn remove(
    memory: &mut dyn NonVolatileMemory,
    kind: Kind,
    counter: u32,
) -> Result<(), StatusWord> {
    let record = Object { counter, content: None }.to_record();
    memory
        .apply(&[
            Write::Put { key: kind.object_key(), value: &record },
            Write::Delete { key: kind.staged_key() },
            Write::Delete { key: kind.content_key(0) },
            Write::Delete { key: kind.content_key(1) },
        ])
        .map_err(StatusWord::from)
}
