//! Data groupings that the issuer security domain passes on: begin, write, commit, remove.

use cancuoc_card_runtime::{NonVolatileMemory, StatusWord};
use cancuoc_primitives::hash::HashAlgorithm;

use crate::store::{self, Kind, MAX_SIZE, Staged};

/// Carries out one data grouping.
///
/// # Errors
/// 6A88 for an unknown grouping, 6A80 for a malformed one, 6985 where counter or state forbid it, 6581
/// and 6A84 when the memory cannot be written; then nothing was changed.
pub fn data_grouping(
    memory: &mut dyn NonVolatileMemory,
    identifier: u16,
    data: &[u8],
) -> Result<(), StatusWord> {
    match identifier {
        0x0601 => begin(memory, data),
        0x0602 => write(memory, data),
        0x0603 => commit(memory, data),
        0x0604 => remove(memory, data),
        _ => Err(StatusWord::REFERENCE_NOT_FOUND),
    }
}

/// The kind that a grouping begins with, and what follows.
fn kind(data: &[u8]) -> Result<(Kind, &[u8]), StatusWord> {
    let (number, rest) = data.split_first().ok_or(StatusWord::WRONG_DATA)?;
    Ok((Kind::new(*number).ok_or(StatusWord::WRONG_DATA)?, rest))
}

/// A counter that is greater than the last one of the kind.
fn greater(
    memory: &dyn NonVolatileMemory,
    kind: Kind,
    counter: [u8; 4],
) -> Result<u32, StatusWord> {
    let counter = u32::from_be_bytes(counter);
    if counter > store::counter(memory, kind) { Ok(counter) } else { Err(StatusWord::CONDITIONS) }
}

fn begin(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let (kind, rest) = kind(data)?;
    let (counter, rest) = rest.split_first_chunk::<4>().ok_or(StatusWord::WRONG_DATA)?;
    let ([s1, s2, s3], digest) = rest.split_first_chunk::<3>().ok_or(StatusWord::WRONG_DATA)?;
    let digest: [u8; 32] = digest.try_into().map_err(|_| StatusWord::WRONG_DATA)?;
    let size = u32::from_be_bytes([0, *s1, *s2, *s3]) as usize;
    if !(1..=MAX_SIZE).contains(&size) {
        return Err(StatusWord::WRONG_DATA);
    }
    let counter = greater(memory, kind, *counter)?;
    Staged { kind, counter, size, digest, written: 0 }.begin(memory)
}

fn write(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let (kind, rest) = kind(data)?;
    let ([o1, o2, o3], bytes) = rest.split_first_chunk::<3>().ok_or(StatusWord::WRONG_DATA)?;
    let offset = u32::from_be_bytes([0, *o1, *o2, *o3]) as usize;
    let staged = Staged::read(memory, kind).ok_or(StatusWord::CONDITIONS)?;
    if bytes.is_empty() || offset > staged.written || offset + bytes.len() > staged.size {
        return Err(StatusWord::WRONG_DATA);
    }
    staged.write(memory, offset, bytes)
}

fn commit(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let (kind, counter) = kind(data)?;
    let counter = counter.try_into().map_err(|_| StatusWord::WRONG_DATA)?;
    let staged = Staged::read(memory, kind).ok_or(StatusWord::CONDITIONS)?;
    // Compared again with the object's: another may have been removed since this one was begun.
    let right = greater(memory, kind, counter)? == staged.counter && staged.written == staged.size;
    let content = staged.content(memory).filter(|_| right).ok_or(StatusWord::CONDITIONS)?;
    if HashAlgorithm::Sha256.digest(content) != staged.digest {
        return Err(StatusWord::CONDITIONS);
    }
    staged.commit(memory)
}

fn remove(memory: &mut dyn NonVolatileMemory, data: &[u8]) -> Result<(), StatusWord> {
    let (kind, counter) = kind(data)?;
    let counter = counter.try_into().map_err(|_| StatusWord::WRONG_DATA)?;
    let counter = greater(memory, kind, counter)?;
    store::remove(memory, kind, counter)
}
