//! PUT KEY for a whole key set of triple DES or AES (GlobalPlatform Card Specification 2.3.1 §11.8,
//! Amendment D §7.2).

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::channel::SecureChannel;
use crate::keys::{KeySet, KeyType};
use crate::store;

/// Key identifier 1, with two more keys following.
const THREE_KEYS: u8 = 0x81;

/// Adds or replaces a key set. All three keys come in one command, and all or none take effect.
pub fn put_key(
    memory: &mut dyn NonVolatileMemory,
    command: &Command<'_>,
    channel: &SecureChannel,
) -> Result<Vec<u8>, StatusWord> {
    if command.p2 != THREE_KEYS {
        return Err(StatusWord::WRONG_P1P2);
    }
    let replaced = command.p1;
    if replaced != 0 && !KeySet::versions(memory).contains(&replaced) {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    let (version, mut fields) = command.data.split_first().ok_or(StatusWord::WRONG_DATA)?;
    let taken = *version != replaced && KeySet::versions(memory).contains(version);
    if !(0x01..=0x7F).contains(version) || taken {
        return Err(StatusWord::WRONG_DATA);
    }
    let mut answer = alloc::vec![*version];
    let mut next = || -> Result<Key, StatusWord> {
        let (key, rest) = read_key(fields, channel)?;
        fields = rest;
        answer.extend(key.check_value);
        Ok(key)
    };
    let keys = [next()?, next()?, next()?];
    let [first, second, third] = &keys;
    let alike = |key: &Key| key.key_type == first.key_type && key.value.len() == first.value.len();
    let channels = store::channels(memory);
    let usable = match first.key_type {
        KeyType::Tdes => channels.scp02.is_some(),
        KeyType::Aes => channels.scp03.is_some(),
    };
    if !fields.is_empty() || !alike(second) || !alike(third) || !usable {
        return Err(StatusWord::WRONG_DATA);
    }
    let keys = KeySet {
        version: *version,
        key_type: first.key_type,
        encryption: first.value.clone(),
        authentication: second.value.clone(),
        data: third.value.clone(),
    };
    keys.write(memory, replaced)?;
    Ok(answer)
}

struct Key {
    key_type: KeyType,
    value: Zeroizing<Vec<u8>>,
    check_value: [u8; 3],
}

/// Type, length, key component, key check value; and what follows.
fn read_key<'a>(field: &'a [u8], channel: &SecureChannel) -> Result<(Key, &'a [u8]), StatusWord> {
    let wrong = StatusWord::WRONG_DATA;
    let [key_type, length, rest @ ..] = field else { return Err(wrong) };
    let key_type = KeyType::from_byte(*key_type).ok_or(wrong)?;
    let (component, rest) = rest.split_at_checked(usize::from(*length)).ok_or(wrong)?;
    let value = decrypt(component, channel).filter(|value| key_type.takes(value.len()));
    let value = value.ok_or(wrong)?;
    let [3, k1, k2, k3, rest @ ..] = rest else { return Err(wrong) };
    let check_value = check_value(key_type, &value).ok_or(wrong)?;
    if !bool::from(check_value[..].ct_eq(&[*k1, *k2, *k3])) {
        return Err(wrong);
    }
    Ok((Key { key_type, value, check_value }, rest))
}

/// A key component (tables 11-70, 11-71): encrypted, and before it the length in the clear, which may
/// be left out where whole blocks were encrypted.
fn decrypt(component: &[u8], channel: &SecureChannel) -> Option<Zeroizing<Vec<u8>>> {
    let (length, encrypted) = if component.len().is_multiple_of(channel.data_block_len()) {
        (component.len(), component)
    } else {
        let (length, encrypted) = component.split_first()?;
        (usize::from(*length), encrypted)
    };
    if encrypted.is_empty() || encrypted.len() != length.next_multiple_of(channel.data_block_len())
    {
        return None;
    }
    let mut value = channel.decrypt_data(encrypted).ok()?;
    value.truncate(length);
    Some(value)
}

/// First bytes of a block encrypted under the key: of zeros for triple DES (§B.5), of ones for AES
/// (§B.6).
fn check_value(key_type: KeyType, key: &[u8]) -> Option<[u8; 3]> {
    let block = match key_type {
        KeyType::Tdes => cipher::encrypt_block(BlockCipher::Tdes, key, &[0; 8]),
        KeyType::Aes => cipher::encrypt_block(BlockCipher::aes(key.len())?, key, &[1; 16]),
    };
    block.ok()?.first_chunk::<3>().copied()
}
