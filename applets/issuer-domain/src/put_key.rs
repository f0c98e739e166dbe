//! PUT KEY for an AES key set (GlobalPlatform Card Specification 2.3.1 §11.8, Amendment D §7.2).

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secure_channel::SecureChannel;
use crate::store::KeySet;

const AES: u8 = 0x88;
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
    let mut next = || {
        let (key, check_value, rest) = read_key(fields, channel)?;
        fields = rest;
        answer.extend(check_value);
        Ok(key)
    };
    let keys =
        KeySet { version: *version, encryption: next()?, authentication: next()?, data: next()? };
    let length = keys.encryption.len();
    if !fields.is_empty() || keys.authentication.len() != length || keys.data.len() != length {
        return Err(StatusWord::WRONG_DATA);
    }
    keys.write(memory, replaced)?;
    Ok(answer)
}

type Key<'a> = (Zeroizing<Vec<u8>>, [u8; 3], &'a [u8]);

/// Type, length, length of the clear key, encrypted key, key check value; and what follows.
fn read_key<'a>(field: &'a [u8], channel: &SecureChannel) -> Result<Key<'a>, StatusWord> {
    let wrong = StatusWord::WRONG_DATA;
    let [AES, length, rest @ ..] = field else { return Err(wrong) };
    let (component, rest) = rest.split_at_checked(usize::from(*length)).ok_or(wrong)?;
    let (clear_length, encrypted) = component.split_first().ok_or(wrong)?;
    let cipher = BlockCipher::aes(usize::from(*clear_length)).ok_or(wrong)?;
    let mut key = channel.decrypt_data(encrypted)?;
    if key.len() != cipher.key_len().next_multiple_of(16) {
        return Err(wrong);
    }
    key.truncate(cipher.key_len());
    let [3, k1, k2, k3, rest @ ..] = rest else { return Err(wrong) };
    let check = cipher::encrypt_block(cipher, &key, &[1; 16]).map_err(|_| wrong)?;
    let check = check.first_chunk::<3>().copied().ok_or(wrong)?;
    if !bool::from(check[..].ct_eq(&[*k1, *k2, *k3])) {
        return Err(wrong);
    }
    Ok((key, check, rest))
}
