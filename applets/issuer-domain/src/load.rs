//! LOAD (GlobalPlatform Card Specification 2.3.1 §11.6). The code of a load file is in the ROM: what
//! comes is checked to be whole and to have its hash, and then not kept.

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, ManagedCard, StatusWord};
use cancuoc_primitives::hash::HashAlgorithm;
use subtle::ConstantTimeEq;

use crate::Session;

const LAST_BLOCK: u8 = 0x80;
/// Tag of the load file data block.
const LOAD_FILE: u8 = 0xC4;
/// Largest load file in bytes.
const MAX_SIZE: usize = 256 * 1024;

/// An executable load file that INSTALL [for load] announced.
pub struct Loading {
    /// Its place in the ROM.
    index: usize,
    hash: Option<(HashAlgorithm, Vec<u8>)>,
    /// Number of the next block.
    block: u8,
    data: Vec<u8>,
}

impl Loading {
    /// A load file by its place in the ROM, with a hash of SHA-1 or SHA-256 or none.
    ///
    /// # Errors
    /// 6A80 for a hash of another length.
    pub fn new(index: usize, hash: &[u8]) -> Result<Self, StatusWord> {
        let algorithm = match hash.len() {
            0 => None,
            20 => Some(HashAlgorithm::Sha1),
            32 => Some(HashAlgorithm::Sha256),
            _ => return Err(StatusWord::WRONG_DATA),
        };
        let hash = algorithm.map(|algorithm| (algorithm, hash.to_vec()));
        Ok(Self { index, hash, block: 0, data: Vec::new() })
    }

    fn check(&self) -> Result<(), StatusWord> {
        let content = content(&self.data).ok_or(StatusWord::WRONG_DATA)?;
        let right = match &self.hash {
            Some((algorithm, hash)) => bool::from(algorithm.digest(content).ct_eq(hash)),
            None => true,
        };
        if right { Ok(()) } else { Err(StatusWord::WRONG_DATA) }
    }
}

/// The load file data block: one data object of up to three length bytes, and nothing after it.
fn content(data: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match data {
        [LOAD_FILE, length @ 0..=0x7F, rest @ ..] => (usize::from(*length), rest),
        [LOAD_FILE, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [LOAD_FILE, 0x82, high, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        [LOAD_FILE, 0x83, high, middle, low, rest @ ..] => {
            (u32::from_be_bytes([0, *high, *middle, *low]) as usize, rest)
        }
        _ => return None,
    };
    (length > 0 && rest.len() == length).then_some(rest)
}

/// One LOAD command. A refused one ends the loading.
pub fn load(
    session: &mut Session,
    card: &mut dyn ManagedCard,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let mut loading = session.loading.take().ok_or(StatusWord::CONDITIONS)?;
    if command.p1 & !LAST_BLOCK != 0 || command.p2 != loading.block {
        return Err(StatusWord::WRONG_P1P2);
    }
    if loading.data.len() + command.data.len() > MAX_SIZE {
        return Err(StatusWord::NO_MEMORY);
    }
    loading.data.extend_from_slice(command.data);
    if command.p1 & LAST_BLOCK == 0 {
        loading.block = loading.block.wrapping_add(1);
        session.loading = Some(loading);
        return Ok(alloc::vec![0]);
    }
    loading.check()?;
    let mut registry = card.registry();
    let entry = registry.entry_mut(loading.index).ok_or(StatusWord::CONDITIONS)?;
    entry.loaded = true;
    card.register(&registry, None)?;
    Ok(alloc::vec![0])
}
