//! SCP03, the card's end (GlobalPlatform Card Specification 2.3.1 Amendment D 1.2), in S8 and S16
//! mode.

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, Environment, Response, StatusWord, Write};
use cancuoc_primitives::cipher::{self, BlockCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Begun, Protocol};
use crate::keys::{self, KeySet};

/// Derivation constants (table 4-1).
mod constant {
    pub const CARD_CRYPTOGRAM: u8 = 0x00;
    pub const HOST_CRYPTOGRAM: u8 = 0x01;
    pub const CARD_CHALLENGE: u8 = 0x02;
    pub const S_ENC: u8 = 0x04;
    pub const S_MAC: u8 = 0x06;
    pub const S_RMAC: u8 = 0x07;
}

/// Options (table 5-1).
const S16: u8 = 0x01;
const PSEUDO_RANDOM: u8 = 0x10;
const R_MAC_OPTION: u8 = 0x20;
const R_ENCRYPTION_OPTION: u8 = 0x40;
/// The counter has three bytes.
const LAST_COUNTER: u32 = 0x00FF_FFFF;

/// Session keys, chaining value and counter.
pub struct Channel {
    cipher: BlockCipher,
    /// Bytes of challenges, cryptograms and MACs: 8 or 16.
    length: usize,
    encryption: Zeroizing<Vec<u8>>,
    authentication: Zeroizing<Vec<u8>>,
    response_authentication: Zeroizing<Vec<u8>>,
    data_key: Zeroizing<Vec<u8>>,
    /// MAC chaining value.
    chaining: [u8; 16],
    /// Commands since the channel was opened, for the initial chaining vectors of encryption.
    counter: u128,
}

/// Key derivation in counter mode with CMAC (NIST SP 800-108, §4.1.5).
fn derive(
    cipher: BlockCipher,
    key: &[u8],
    constant: u8,
    length: usize,
    context: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
    let mut out = Zeroizing::new(Vec::new());
    let [high, low] = ((length * 8) as u16).to_be_bytes();
    for counter in 1..=length.div_ceil(16) as u8 {
        let mut input = alloc::vec![0; 11];
        input.extend([constant, 0, high, low, counter]);
        input.extend_from_slice(context);
        let block = cipher::cmac(cipher, key, &input).map_err(|_| StatusWord::MEMORY_FAILURE)?;
        out.extend(block);
    }
    out.truncate(length);
    Ok(out)
}

/// INITIALIZE UPDATE.
pub fn begin(
    environment: &mut Environment<'_>,
    keys: &KeySet,
    options: u8,
    host_challenge: &[u8],
) -> Result<Begun, StatusWord> {
    let length = if options & S16 == 0 { 8 } else { 16 };
    if host_challenge.len() != length {
        return Err(StatusWord::WRONG_LENGTH);
    }
    let cipher = BlockCipher::aes(keys.encryption.len()).ok_or(StatusWord::MEMORY_FAILURE)?;
    let (challenge, sequence) = card_challenge(environment, keys, cipher, length, options)?;
    let context = [host_challenge, &challenge].concat();
    let key = |static_key: &[u8], c| derive(cipher, static_key, c, cipher.key_len(), &context);
    let channel = Channel {
        cipher,
        length,
        encryption: key(&keys.encryption, constant::S_ENC)?,
        authentication: key(&keys.authentication, constant::S_MAC)?,
        response_authentication: key(&keys.authentication, constant::S_RMAC)?,
        data_key: keys.data.clone(),
        chaining: [0; 16],
        counter: 0,
    };
    let cryptogram = |c| derive(cipher, &channel.authentication, c, length, &context);
    let card_cryptogram = cryptogram(constant::CARD_CRYPTOGRAM)?;
    let host_cryptogram = cryptogram(constant::HOST_CRYPTOGRAM)?.to_vec();
    let information = [keys.version, 0x03, options];
    let answer = [&information[..], &challenge, &card_cryptogram, &sequence].concat();
    let levels: &[u8] = match options & (R_MAC_OPTION | R_ENCRYPTION_OPTION) {
        0x60 => &[0x00, 0x01, 0x03, 0x11, 0x13, 0x33],
        0x20 => &[0x00, 0x01, 0x03, 0x11, 0x13],
        _ => &[0x00, 0x01, 0x03],
    };
    Ok(Begun { protocol: Protocol::Scp03(channel), host_cryptogram, levels, counts: None, answer })
}

/// A random card challenge, or a pseudo-random one with its sequence counter, which is counted and
/// stored before it is used (§6.2.2.1).
fn card_challenge(
    environment: &mut Environment<'_>,
    keys: &KeySet,
    cipher: BlockCipher,
    length: usize,
    options: u8,
) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), StatusWord> {
    if options & PSEUDO_RANDOM == 0 {
        let mut challenge = Zeroizing::new(alloc::vec![0; length]);
        environment.random.fill_bytes(&mut challenge);
        return Ok((challenge, Vec::new()));
    }
    let counter = keys::sequence_counter(environment.memory, keys.version);
    if counter >= LAST_COUNTER {
        return Err(StatusWord::CONDITIONS);
    }
    let (key, sequence) = keys::counter_record(keys.version, counter + 1);
    environment.memory.apply(&[Write::Put { key, value: &sequence }]).map_err(StatusWord::from)?;
    let challenge = pseudo_random(cipher, &keys.encryption, length, sequence, &crate::AID)?;
    Ok((challenge, sequence.to_vec()))
}

fn pseudo_random(
    cipher: BlockCipher,
    key: &[u8],
    length: usize,
    sequence: [u8; 3],
    domain: &[u8],
) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
    let context = [&sequence[..], domain].concat();
    derive(cipher, key, constant::CARD_CHALLENGE, length, &context)
}

impl Channel {
    /// Bytes of a MAC.
    pub const fn mac_len(&self) -> usize {
        self.length
    }

    /// EXTERNAL AUTHENTICATE has a MAC, but the encryption counter begins behind it.
    pub fn open(&mut self) {
        self.counter = 0;
    }

    /// Checks the C-MAC and decrypts the data (§6.2.4, §6.2.6).
    pub fn unwrap(
        &mut self,
        command: &Command<'_>,
        decrypts: bool,
    ) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        let wrong = StatusWord::SECURITY_STATUS;
        let data = self.check_mac(command)?;
        // Counted for every command, data or not.
        self.counter += 1;
        if !decrypts || data.is_empty() {
            return Ok(Zeroizing::new(data.to_vec()));
        }
        let iv = self.chaining_vector(self.counter)?;
        let padded = cipher::cbc_decrypt(self.cipher, &self.encryption, &iv, data);
        let padded = Zeroizing::new(padded.map_err(|_| wrong)?);
        Ok(Zeroizing::new(cipher::unpad(&padded).ok_or(wrong)?.to_vec()))
    }

    fn check_mac<'a>(&mut self, command: &Command<'a>) -> Result<&'a [u8], StatusWord> {
        let wrong = StatusWord::SECURITY_STATUS;
        let length = command.data.len();
        let split = length.checked_sub(self.length).ok_or(wrong)?;
        let (data, mac) = command.data.split_at_checked(split).ok_or(wrong)?;
        let mut input = self.chaining.to_vec();
        input.extend([command.cla, command.ins, command.p1, command.p2]);
        if command.extended {
            input.extend([0, (length >> 8) as u8, length as u8]);
        } else {
            input.push(length as u8);
        }
        input.extend_from_slice(data);
        let full = cipher::cmac(self.cipher, &self.authentication, &input).map_err(|_| wrong)?;
        if !bool::from(full[..self.length].ct_eq(mac)) {
            return Err(wrong);
        }
        self.chaining = full;
        Ok(data)
    }

    fn chaining_vector(&self, block: u128) -> Result<Vec<u8>, StatusWord> {
        cipher::encrypt_block(self.cipher, &self.encryption, &block.to_be_bytes())
            .map_err(|_| StatusWord::SECURITY_STATUS)
    }

    /// Encrypts the data of a response and adds the R-MAC (§6.2.5, §6.2.7).
    pub fn protect(&self, response: &Response, encrypts: bool) -> Result<Vec<u8>, StatusWord> {
        let broken = |_| StatusWord::MEMORY_FAILURE;
        let mut data = response.data.clone();
        if encrypts && !data.is_empty() {
            // The counter's first byte tells responses from commands.
            let iv = self.chaining_vector(self.counter | 0x80 << 120)?;
            let padded = Zeroizing::new(cipher::pad(&data, 16));
            data =
                cipher::cbc_encrypt(self.cipher, &self.encryption, &iv, &padded).map_err(broken)?;
        }
        let status = response.status.0.to_be_bytes();
        let input = [&self.chaining[..], &data, &status].concat();
        let mac =
            cipher::cmac(self.cipher, &self.response_authentication, &input).map_err(broken)?;
        data.extend_from_slice(&mac[..self.length]);
        Ok(data)
    }

    /// Decrypts data under the static data encryption key (§6.2.8).
    pub fn decrypt_data(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
        cipher::cbc_decrypt(self.cipher, &self.data_key, &[0; 16], data)
            .map(Zeroizing::new)
            .map_err(|_| StatusWord::WRONG_DATA)
    }
}

#[cfg(test)]
mod tests;
