//! What else stands in the domain's non-volatile memory: configuration, production data, life cycle,
//! tries.

use alloc::vec::Vec;

use cancuoc_card_runtime::{MemoryError, NonVolatileMemory, StatusWord, Write};

use crate::keys::KeySet;

const CONFIGURATION: u32 = 1;
const CPLC: u32 = 2;
const LIFE_CYCLE: u32 = 3;
const FAILED_TRIES: u32 = 5;
const ISSUER_NUMBER: u32 = 6;
const CARD_NUMBER: u32 = 7;
/// Stands for the options of SCP03 on a card that has none.
const NO_SCP03: u8 = 0xFF;

/// Failed authentications in a row after which the domain takes no more, unless the card was made
/// with another limit.
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

/// Which secure channels a card offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Options `i` of SCP02 for key sets of triple DES: 15 and 55, with 20 added for R-MAC. Nothing
    /// when the card has no SCP02.
    pub scp02: Option<u8>,
    /// Options `i` of SCP03 for key sets of AES: 01 S16 mode, 10 pseudo-random challenge, 20 R-MAC,
    /// 40 R-ENCRYPTION. Nothing when the card has no SCP03.
    pub scp03: Option<u8>,
}

impl Channels {
    /// Whether the options are such as the card can do.
    #[must_use]
    pub const fn are_supported(self) -> bool {
        let scp02 = match self.scp02 {
            Some(options) => matches!(options, 0x15 | 0x35 | 0x55 | 0x75),
            None => true,
        };
        let scp03 = match self.scp03 {
            Some(options) => options & !0x71 == 0 && options & 0x60 != 0x40,
            None => true,
        };
        scp02 && scp03 && (self.scp02.is_some() || self.scp03.is_some())
    }
}

/// What a card gets when it is made.
#[derive(Clone)]
pub struct Provisioning {
    /// First key set.
    pub keys: KeySet,
    /// Secure channels.
    pub channels: Channels,
    /// Failed authentications in a row after which the domain takes no more, 1 to 255.
    pub max_failed_tries: u8,
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
    let channels = provisioning.channels;
    let configuration = [
        channels.scp03.unwrap_or(NO_SCP03),
        channels.scp02.unwrap_or(0),
        provisioning.max_failed_tries,
    ];
    memory.apply(&[
        Write::Put { key: CONFIGURATION, value: &configuration },
        Write::Put { key: CPLC, value: &provisioning.cplc },
        Write::Put { key: LIFE_CYCLE, value: &[LifeCycle::OpReady.to_byte()] },
    ])?;
    provisioning.keys.write(memory, 0).map_err(|_| MemoryError::Failed)
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
    memory.apply(&[Write::Put { key, value }]).map_err(StatusWord::from)
}

fn configuration(memory: &dyn NonVolatileMemory, index: usize) -> Option<u8> {
    memory.read(CONFIGURATION).and_then(|record| record.get(index).copied())
}

/// Secure channels that the card offers.
#[must_use]
pub fn channels(memory: &dyn NonVolatileMemory) -> Channels {
    Channels {
        scp03: configuration(memory, 0).filter(|options| *options != NO_SCP03),
        scp02: configuration(memory, 1).filter(|options| *options != 0),
    }
}

/// Card production life cycle data.
pub fn cplc(memory: &dyn NonVolatileMemory) -> &[u8] {
    memory.read(CPLC).unwrap_or_default()
}

/// Issuer identification number: as stored, or else of the production data.
pub fn issuer_number(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let stored = memory.read(ISSUER_NUMBER);
    Vec::from(stored.or_else(|| cplc(memory).get(18..22)).unwrap_or_default())
}

/// Card image number: as stored, or else of the production data.
pub fn card_number(memory: &dyn NonVolatileMemory) -> Vec<u8> {
    let stored = memory.read(CARD_NUMBER);
    Vec::from(stored.or_else(|| cplc(memory).get(10..18)).unwrap_or_default())
}

/// Stores issuer identification number or card image number, whichever are given, in one step.
pub fn set_numbers(
    memory: &mut dyn NonVolatileMemory,
    issuer: Option<&[u8]>,
    card: Option<&[u8]>,
) -> Result<(), StatusWord> {
    let issuer = issuer.map(|value| Write::Put { key: ISSUER_NUMBER, value });
    let card = card.map(|value| Write::Put { key: CARD_NUMBER, value });
    let writes: Vec<Write<'_>> = issuer.into_iter().chain(card).collect();
    memory.apply(&writes).map_err(StatusWord::from)
}

/// Failed authentications in a row.
fn failed_tries(memory: &dyn NonVolatileMemory) -> u8 {
    memory.read(FAILED_TRIES).and_then(|r| r.first().copied()).unwrap_or(0)
}

/// Whether so many authentications failed in a row that the domain takes no more.
pub fn is_blocked(memory: &dyn NonVolatileMemory) -> bool {
    let most = configuration(memory, 2).unwrap_or(MAX_FAILED_TRIES);
    failed_tries(memory) >= most
}

/// Counts a try as failed. Only when this was stored may the host's proof be looked at.
pub fn count_try(memory: &mut dyn NonVolatileMemory) -> Result<(), StatusWord> {
    let tries = failed_tries(memory).saturating_add(1);
    put(memory, FAILED_TRIES, &[tries])
}

/// Gives all tries back after a success, and stores another record in the same step.
pub fn reset_tries(
    memory: &mut dyn NonVolatileMemory,
    record: Option<(u32, [u8; 3])>,
) -> Result<(), StatusWord> {
    let tries = Write::Put { key: FAILED_TRIES, value: &[0] };
    match &record {
        Some((key, value)) => memory.apply(&[tries, Write::Put { key: *key, value }]),
        None => memory.apply(&[tries]),
    }
    .map_err(StatusWord::from)
}
