//! What stands in the domain's non-volatile memory.

use alloc::vec::Vec;

use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, StatusWord, Write};
use zeroize::Zeroizing;

const CONFIGURATION: u32 = 1;
const CPLC: u32 = 2;
const LIFE_CYCLE: u32 = 3;
const SEQUENCE_COUNTER: u32 = 4;
const FAILED_TRIES: u32 = 5;
const KEY_SET: u32 = 0x100;

/// Failed authentications in a row after which the domain takes no more.
pub const MAX_FAILED_TRIES: u8 = 10;

/// Life cycle of the card (GlobalPlatform Card Specification 2.3.1 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeCycle {
    /// Ready for the issuer.
    OpReady,
    /// Set up, not yet issued.
    Initialized,
    /// Issued.
    Secured,
    /// Locked by the issuer.
    CardLocked,
    /// Dead.
    Terminated,
}

impl LifeCycle {
    /// The coding of table 11-6.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::OpReady => 0x01,
            Self::Initialized => 0x07,
            Self::Secured => 0x0F,
            Self::CardLocked => 0x7F,
            Self::Terminated => 0xFF,
        }
    }

    /// From the coding of table 11-6.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::OpReady),
            0x07 => Some(Self::Initialized),
            0x0F => Some(Self::Secured),
            0x7F => Some(Self::CardLocked),
            0xFF => Some(Self::Terminated),
            _ => None,
        }
    }
}

/// The three static AES keys of a key set, all of one length.
#[derive(Clone)]
pub struct KeySet {
    /// Key version number, 01 to 7F.
    pub version: u8,
    /// Key-ENC.
    pub encryption: Zeroizing<Vec<u8>>,
    /// Key-MAC.
    pub authentication: Zeroizing<Vec<u8>>,
    /// Key-DEK.
    pub data: Zeroizing<Vec<u8>>,
}

/// What a card gets when it is made.
#[derive(Clone)]
pub struct Provisioning {
    /// First key set.
    pub keys: KeySet,
    /// SCP03 options `i`: 10 pseudo-random challenge, 20 R-MAC, 40 R-ENCRYPTION.
    pub options: u8,
    /// Card production life cycle data, 42 bytes.
    pub cplc: [u8; 42],
}

/// Makes the domain of a blank card.
///
/// # Errors
/// [`MemoryError`].
pub fn provision(
    memory: &mut dyn NonVolatileMemory,
    provisioning: &Provisioning,
) -> Result<(), MemoryError> {
    let keys = provisioning.keys.to_record();
    memory.apply(&[
        Write::Put { key: CONFIGURATION, value: &[provisioning.options] },
        Write::Put { key: CPLC, value: &provisioning.cplc },
        Write::Put { key: LIFE_CYCLE, value: &[LifeCycle::OpReady.to_byte()] },
        Write::Put { key: SEQUENCE_COUNTER, value: &[0, 0, 0] },
        Write::Put { key: KEY_SET | u32::from(provisioning.keys.version), value: &keys },
    ])
}

/// Life cycle of the card.
#[must_use]
pub fn life_cycle(memory: &dyn NonVolatileMemory) -> LifeCycle {
    let byte = memory.read(LIFE_CYCLE).and_then(|r| r.first().copied());
    byte.and_then(LifeCycle::from_byte).unwrap_or(LifeCycle::OpReady)
}

/// Moves the life cycle.
///
/// # Errors
/// 6581 when the memory cannot be written.
pub fn set_life_cycle(
    memory: &mut dyn NonVolatileMemory,
    life_cycle: LifeCycle,
) -> Result<(), StatusWord> {
    put(memory, LIFE_CYCLE, &[life_cycle.to_byte()])
}

fn put(memory: &mut dyn NonVolatileMemory, key: u32, value: &[u8]) -> Result<(), StatusWord> {
    memory.apply(&[Write::Put { key, value }]).map_err(|_| StatusWord::MEMORY_FAILURE)
}

/// SCP03 options `i`.
pub fn options(memory: &dyn NonVolatileMemory) -> u8 {
    memory.read(CONFIGURATION).and_then(|r| r.first().copied()).unwrap_or(0)
}

/// Card production life cycle data.
pub fn cplc(memory: &dyn NonVolatileMemory) -> &[u8] {
    memory.read(CPLC).unwrap_or_default()
}

/// The next sequence counter; it is counted before it is used.
pub fn next_sequence_counter(memory: &mut dyn NonVolatileMemory) -> Result<[u8; 3], StatusWord> {
    let old = memory.read(SEQUENCE_COUNTER).and_then(|r| r.first_chunk::<3>().copied());
    let [a, b, c] = old.unwrap_or_default();
    let next = u32::from_be_bytes([0, a, b, c]) + 1;
    let [overflow, a, b, c] = next.to_be_bytes();
    if overflow != 0 {
        return Err(StatusWord::CONDITIONS);
    }
    put(memory, SEQUENCE_COUNTER, &[a, b, c])?;
    Ok([a, b, c])
}

/// Failed authentications in a row.
pub fn failed_tries(memory: &dyn NonVolatileMemory) -> u8 {
    memory.read(FAILED_TRIES).and_then(|r| r.first().copied()).unwrap_or(0)
}

/// Sets the number of failed authentications.
pub fn set_failed_tries(memory: &mut dyn NonVolatileMemory, tries: u8) -> Result<(), StatusWord> {
    put(memory, FAILED_TRIES, &[tries])
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
        let record = memory.read(KEY_SET | u32::from(version))?;
        let length = record.len() / 3;
        let part = |index: usize| {
            record.get(index * length..(index + 1) * length).map(|k| Zeroizing::new(k.to_vec()))
        };
        Some(Self { version, encryption: part(0)?, authentication: part(1)?, data: part(2)? })
    }

    /// Versions of the key sets there are, ascending.
    pub fn versions(memory: &dyn NonVolatileMemory) -> Vec<u8> {
        let own = |key: &u32| key & !0xFF == KEY_SET;
        memory.keys().into_iter().filter(own).map(|key| (key & 0xFF) as u8).collect()
    }

    /// Adds this key set, in the place of the one with version `replaced`; both or neither.
    pub fn write(
        &self,
        memory: &mut dyn NonVolatileMemory,
        replaced: u8,
    ) -> Result<(), StatusWord> {
        let record = self.to_record();
        let new = Write::Put { key: KEY_SET | u32::from(self.version), value: &record };
        let old = Write::Delete { key: KEY_SET | u32::from(replaced) };
        let writes =
            if replaced == 0 || replaced == self.version { &[new][..] } else { &[old, new][..] };
        memory.apply(writes).map_err(|_| StatusWord::MEMORY_FAILURE)
    }
}
