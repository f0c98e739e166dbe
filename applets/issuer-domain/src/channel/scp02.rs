//! SCP02 with explicit initiation, the card's end (GlobalPlatform Card Specification 2.3.1 appendix
//! E): three keys, C-MAC on the modified APDU, encryption of its chaining vector.

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, Environment, Response, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher, CipherError};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Begun, Protocol};
use crate::keys::{self, KeySet};

/// Constants of the session keys (§E.4.1).
mod constant {
    pub const C_MAC: u16 = 0x0101;
    pub const R_MAC: u16 = 0x0102;
    pub const DATA: u16 = 0x0181;
    pub const ENCRYPTION: u16 = 0x0182;
}

/// Options: a pseudo-random card challenge, R-MAC.
const PSEUDO_RANDOM: u8 = 0x40;
const R_MAC_OPTION: u8 = 0x20;
/// The counter has two bytes.
const LAST_COUNTER: u32 = 0xFFFF;

const TDES: BlockCipher = BlockCipher::Tdes;
type Key = Zeroizing<Vec<u8>>;

/// Session keys and chaining vectors.
pub struct Channel {
    authentication: Key,
    response_authentication: Key,
    encryption: Key,
    data: Key,
    /// C-MAC of the last command; nothing before the first.
    last_mac: Option<[u8; 8]>,
    /// R-MAC of the last response, the first time the C-MAC of EXTERNAL AUTHENTICATE.
    response_chaining: [u8; 8],
}

/// Keys and vectors have the right lengths from the start, so this does not happen.
fn broken(_: CipherError) -> StatusWord {
    StatusWord::MEMORY_FAILURE
}

/// A session key: constant, counter and zeros encrypted under the static key.
fn session_key(key: &[u8], constant: u16, counter: u16) -> Result<Key, StatusWord> {
    let mut data = [0; 16];
    data[..2].copy_from_slice(&constant.to_be_bytes());
    data[2..4].copy_from_slice(&counter.to_be_bytes());
    cipher::cbc_encrypt(TDES, key, &[0; 8], &data).map(Zeroizing::new).map_err(broken)
}

fn last_block(data: &[u8]) -> Result<[u8; 8], StatusWord> {
    data.last_chunk::<8>().copied().ok_or(StatusWord::MEMORY_FAILURE)
}

/// The key with which triple DES is single DES with the first half.
fn single(key: &[u8]) -> Key {
    let half = key.get(..8).unwrap_or_default();
    Zeroizing::new([half, half].concat())
}

/// MAC with triple DES throughout, for cryptograms (§B.1.2.1).
fn full_mac(key: &[u8], message: &[u8]) -> Result<[u8; 8], StatusWord> {
    let out = cipher::cbc_encrypt(TDES, key, &[0; 8], &cipher::pad(message, 8)).map_err(broken)?;
    last_block(&out)
}

/// MAC with single DES and a last block of triple DES, over a chaining vector (§B.1.2.2).
fn chained_mac(key: &[u8], vector: &[u8; 8], message: &[u8]) -> Result<[u8; 8], StatusWord> {
    let padded = cipher::pad(message, 8);
    let (first, last) = padded.split_at(padded.len() - 8);
    let mut vector = *vector;
    if !first.is_empty() {
        let out = cipher::cbc_encrypt(TDES, &single(key), &vector, first).map_err(broken)?;
        vector = last_block(&out)?;
    }
    last_block(&cipher::cbc_encrypt(TDES, key, &vector, last).map_err(broken)?)
}

/// INITIALIZE UPDATE. The counter goes on when the host has proved itself (§E.1.2).
pub fn begin(
    environment: &mut Environment<'_>,
    keys: &KeySet,
    options: u8,
    host_challenge: &[u8],
) -> Result<Begun, StatusWord> {
    let host_challenge: &[u8; 8] =
        host_challenge.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
    let stored = keys::sequence_counter(environment.memory, keys.version);
    let counter = u16::try_from(stored).map_err(|_| StatusWord::CONDITIONS)?;
    if stored >= LAST_COUNTER {
        return Err(StatusWord::CONDITIONS);
    }
    let channel = Channel {
        authentication: session_key(&keys.authentication, constant::C_MAC, counter)?,
        response_authentication: session_key(&keys.authentication, constant::R_MAC, counter)?,
        encryption: session_key(&keys.encryption, constant::ENCRYPTION, counter)?,
        data: session_key(&keys.data, constant::DATA, counter)?,
        last_mac: None,
        response_chaining: [0; 8],
    };
    let challenge = card_challenge(environment, &channel, options)?;
    let counter = counter.to_be_bytes();
    let card = [&host_challenge[..], &counter, &challenge].concat();
    let host = [&counter[..], &challenge, host_challenge].concat();
    let cryptogram = full_mac(&channel.encryption, &card)?;
    let host_cryptogram = full_mac(&channel.encryption, &host)?.to_vec();
    let answer = [&[keys.version, 0x02][..], &counter, &challenge, &cryptogram].concat();
    let levels: &[u8] = if options & R_MAC_OPTION == 0 {
        &[0x00, 0x01, 0x03]
    } else {
        &[0x00, 0x01, 0x03, 0x10, 0x11, 0x13]
    };
    let protocol = Protocol::Scp02(channel);
    Ok(Begun { protocol, host_cryptogram, levels, counts: Some(stored + 1), answer })
}

/// Random, or by the well-known algorithm: the MAC of the domain's identifier (§E.4.2.3).
fn card_challenge(
    environment: &mut Environment<'_>,
    channel: &Channel,
    options: u8,
) -> Result<[u8; 6], StatusWord> {
    let mut challenge = [0; 6];
    if options & PSEUDO_RANDOM == 0 {
        environment.random.fill_bytes(&mut challenge);
    } else {
        challenge = pseudo_random(channel, &crate::AID)?;
    }
    Ok(challenge)
}

fn pseudo_random(channel: &Channel, domain: &[u8]) -> Result<[u8; 6], StatusWord> {
    let mac = chained_mac(&channel.authentication, &[0; 8], domain)?;
    let [challenge @ .., _, _] = mac;
    Ok(challenge)
}

impl Channel {
    /// The first R-MAC chains to the C-MAC of EXTERNAL AUTHENTICATE.
    pub fn open(&mut self) {
        self.response_chaining = self.last_mac.unwrap_or_default();
    }

    /// Checks the MAC of a command and decrypts its data. The MAC is over the data in the clear, and
    /// over the length that they have with it (§E.4.4, §E.4.6).
    pub fn unwrap(&mut self, command: &Command<'_>, decrypts: bool) -> Result<Key, StatusWord> {
        let wrong = StatusWord::SECURITY_STATUS;
        let (data, mac) = command.data.split_last_chunk::<8>().ok_or(wrong)?;
        let plain = if decrypts && !data.is_empty() {
            let padded = cipher::cbc_decrypt(TDES, &self.encryption, &[0; 8], data);
            let padded = Zeroizing::new(padded.map_err(|_| wrong)?);
            Zeroizing::new(cipher::unpad(&padded).ok_or(wrong)?.to_vec())
        } else {
            Zeroizing::new(data.to_vec())
        };
        let mut message = Zeroizing::new(Vec::with_capacity(plain.len() + 7));
        message.extend([command.cla, command.ins, command.p1, command.p2]);
        let length = plain.len() + mac.len();
        if command.extended {
            message.extend([0, (length >> 8) as u8, length as u8]);
        } else {
            message.push(length as u8);
        }
        message.extend_from_slice(&plain);
        let vector = match &self.last_mac {
            None => [0; 8],
            Some(last) => {
                let out = cipher::encrypt_block(TDES, &single(&self.authentication), last);
                last_block(&out.map_err(broken)?)?
            }
        };
        let expected = chained_mac(&self.authentication, &vector, &message)?;
        if !bool::from(expected.ct_eq(mac)) {
            return Err(wrong);
        }
        self.last_mac = Some(expected);
        Ok(plain)
    }

    /// Adds the R-MAC: over the command as it was without protection, and the response (§E.4.5).
    pub fn protect(
        &mut self,
        command: &Command<'_>,
        response: &Response,
    ) -> Result<Vec<u8>, StatusWord> {
        let mut message = Zeroizing::new(Vec::new());
        message.extend([command.cla, command.ins, command.p1, command.p2]);
        message.push(command.data.len() as u8);
        message.extend_from_slice(command.data);
        message.push(response.data.len() as u8);
        message.extend_from_slice(&response.data);
        message.extend(response.status.0.to_be_bytes());
        let key = &self.response_authentication;
        self.response_chaining = chained_mac(key, &self.response_chaining, &message)?;
        Ok([&response.data[..], &self.response_chaining].concat())
    }

    /// Decrypts block by block under the session's data encryption key (§E.4.7).
    pub fn decrypt_data(&self, data: &[u8]) -> Result<Key, StatusWord> {
        let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
        for block in data.chunks(8) {
            let plain = cipher::cbc_decrypt(TDES, &self.data, &[0; 8], block);
            out.extend_from_slice(&Zeroizing::new(plain.map_err(|_| StatusWord::WRONG_DATA)?));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
