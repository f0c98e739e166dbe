//! Key sets in the domain's non-volatile memory, each with its own sequence counter.

use alloc::vec::Vec;

use cancuoc_card_runtime::{NonVolatileMemory, StatusWord, Write};
use zeroize::Zeroizing;

const KEY_SET: u32 = 0x100;
/// Kind of a key set; absent for AES.
const KEY_TYPE: u32 = 0x200;
/// Sequence counter of a key set.
const COUNTER: u32 = 0x300;
/// The one counter of cards that have none for each key set.
const COMMON_COUNTER: u32 = 4;

/// What the keys of a set are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// Two-key triple DES, 16 bytes: SCP02.
    Tdes,
    /// AES with 16, 24 or 32 bytes: SCP03.
    Aes,
}

impl KeyType {
    /// The coding in key information and PUT KEY (GlobalPlatform Card Specification 2.3.1 table
    /// 11-16).
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Tdes => 0x80,
            Self::Aes => 0x88,
        }
    }

    /// From that coding; 81 and 82 are triple DES too, said with its mode.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x80..=0x82 => Some(Self::Tdes),
            0x88 => Some(Self::Aes),
            _ => None,
        }
    }

    /// Whether keys can have this many bytes.
    #[must_use]
    pub const fn takes(self, length: usize) -> bool {
        match self {
            Self::Tdes => length == 16,
            Self::Aes => matches!(length, 16 | 24 | 32),
        }
    }
}

/// The three static keys of a key set, all of one length.
#[derive(Clone)]
pub struct KeySet {
    /// Key version number, 01 to 7F.
    pub version: u8,
    /// Triple DES or AES.
    pub key_type: KeyType,
    /// Key-ENC.
    pub encryption: Zeroizing<Vec<u8>>,
    /// Key-MAC.
    pub authentication: Zeroizing<Vec<u8>>,
    /// Key-DEK.
    pub data: Zeroizing<Vec<u8>>,
}

const fn record(base: u32, version: u8) -> u32 {
    base | version as u32
}

/// Whether a record belongs to a group of one for each version.
const fn is_of(key: u32, base: u32) -> bool {
    key & !0xFF == base
}

impl KeySet {
    fn to_record(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&self.encryption[..], &self.authentication, &self.data].concat())
    }

    /// The key set of a version; version 0 is the first there is.
    pub fn read(memory: &dyn NonVolatileMemory, version: u8) -> Option<Self> {
        let version = match version {
            0 => *Self::versions(memory).first()?,
            version => version,
        };
        let stored = memory.read(record(KEY_SET, version))?;
        let key_type = match memory.read(record(KEY_TYPE, version)) {
            Some([byte]) => KeyType::from_byte(*byte)?,
            Some(_) => return None,
            None => KeyType::Aes,
        };
        let length = stored.len() / 3;
        let part = |index: usize| {
            stored.get(index * length..(index + 1) * length).map(|k| Zeroizing::new(k.to_vec()))
        };
        Some(Self {
            version,
            key_type,
            encryption: part(0)?,
            authentication: part(1)?,
            data: part(2)?,
        })
    }

    /// Versions of the key sets there are, ascending.
    pub fn versions(memory: &dyn NonVolatileMemory) -> Vec<u8> {
        let own = |key: &u32| is_of(*key, KEY_SET);
        memory.keys().into_iter().filter(own).map(|key| (key & 0xFF) as u8).collect()
    }

    /// Adds this key set with its counter at zero, in the place of the one with version `replaced`:
    /// both or neither.
    pub fn write(
        &self,
        memory: &mut dyn NonVolatileMemory,
        replaced: u8,
    ) -> Result<(), StatusWord> {
        let keys = self.to_record();
        let key_type = [self.key_type.to_byte()];
        let mut writes = Vec::with_capacity(6);
        if replaced != 0 && replaced != self.version {
            writes.extend(deletion(replaced));
        }
        writes.extend([
            Write::Put { key: record(KEY_SET, self.version), value: &keys },
            Write::Put { key: record(KEY_TYPE, self.version), value: &key_type },
            Write::Put { key: record(COUNTER, self.version), value: &[0, 0, 0] },
        ]);
        memory.apply(&writes).map_err(StatusWord::from)
    }

    /// Removes the key set of a version, its counter with it.
    pub fn delete(memory: &mut dyn NonVolatileMemory, version: u8) -> Result<(), StatusWord> {
        memory.apply(&deletion(version)).map_err(StatusWord::from)
    }
}

const fn deletion(version: u8) -> [Write<'static>; 3] {
    [
        Write::Delete { key: record(KEY_SET, version) },
        Write::Delete { key: record(KEY_TYPE, version) },
        Write::Delete { key: record(COUNTER, version) },
    ]
}

/// Sequence counter of a key set.
pub fn sequence_counter(memory: &dyn NonVolatileMemory, version: u8) -> u32 {
    let stored = memory.read(record(COUNTER, version)).or_else(|| memory.read(COMMON_COUNTER));
    match stored {
        Some([a, b, c]) => u32::from_be_bytes([0, *a, *b, *c]),
        _ => 0,
    }
}

/// The write that sets the sequence counter of a key set, for a caller who writes more with it.
pub fn counter_record(version: u8, counter: u32) -> (u32, [u8; 3]) {
    let [_, a, b, c] = counter.to_be_bytes();
    (record(COUNTER, version), [a, b, c])
}
