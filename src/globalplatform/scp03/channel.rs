//! An open SCP03 session: protection of commands, and strict checks of responses
//! (Amendment D §6.2.4 to §6.2.7).

use core::fmt;

use cancuoc_primitives::cipher;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::super::keys::{Derivation, KeySet, StaticKey};
use super::super::{GlobalPlatformError, SecurityLevel};
use super::CardAnswer;
use crate::apdu::{CommandApdu, ResponseApdu};

/// Bytes of an AES block.
const BLOCK: usize = 16;

/// The session keys of one session (Amendment D §6.2.1).
pub(super) struct SessionKeys {
    encryption: StaticKey,
    pub(super) mac: StaticKey,
    response_mac: StaticKey,
    /// The static Key-DEK: SCP03 has no session key for sensitive data.
    data_encryption: StaticKey,
}

impl SessionKeys {
    /// Derives the keys; `context` is host challenge and card challenge.
    pub(super) fn derive(keys: &KeySet, context: &[u8]) -> Result<Self, GlobalPlatformError> {
        let derive = |key: &StaticKey, constant| {
            StaticKey::new(&key.derive(constant, context, key.cipher().key_len())?)
        };
        Ok(Self {
            encryption: derive(&keys.encryption, Derivation::SessionEncryption)?,
            mac: derive(&keys.mac, Derivation::SessionMac)?,
            response_mac: derive(&keys.mac, Derivation::SessionResponseMac)?,
            data_encryption: keys.data_encryption.clone(),
        })
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys(***)")
    }
}

/// An open session. After any fault in a response it is closed and protects nothing more.
pub struct Scp03Channel {
    keys: SessionKeys,
    level: SecurityLevel,
    card: CardAnswer,
    mac_chaining_value: Zeroizing<[u8; 16]>,
    /// Number of the command, from 1: the initial value of encryption comes from it.
    counter: u128,
    closed: bool,
}

impl fmt::Debug for Scp03Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scp03Channel({:?}, command {}, ***)", self.level, self.counter)
    }
}

impl Scp03Channel {
    pub(super) const fn new(
        keys: SessionKeys,
        level: SecurityLevel,
        card: CardAnswer,
        mac_chaining_value: Zeroizing<[u8; 16]>,
    ) -> Self {
        Self { keys, level, card, mac_chaining_value, counter: 0, closed: false }
    }

    /// The protection of this session.
    #[must_use]
    pub const fn level(&self) -> SecurityLevel {
        self.level
    }

    /// What the card said of itself when the session was opened.
    #[must_use]
    pub const fn card(&self) -> &CardAnswer {
        &self.card
    }

    /// The key under which sensitive data goes to the card.
    #[must_use]
    pub const fn data_encryption(&self) -> &StaticKey {
        &self.keys.data_encryption
    }

    /// Bytes of a MAC on the line.
    const fn mac_length(&self) -> usize {
        self.card.options.length()
    }

    /// The most command data that fits when the protected data may have `protected` bytes.
    #[must_use]
    pub const fn room(&self, protected: usize) -> usize {
        let room = protected.saturating_sub(self.mac_length());
        if self.level.encrypts_commands() {
            // Padding takes at least one byte of the last block.
            (room / BLOCK * BLOCK).saturating_sub(1)
        } else {
            room
        }
    }

    /// The length of `data` bytes once protected.
    #[must_use]
    pub const fn protected_length(&self, data: usize) -> usize {
        if self.level.encrypts_commands() && data > 0 {
            (data / BLOCK + 1) * BLOCK + self.mac_length()
        } else {
            data + self.mac_length()
        }
    }

    /// Protects the next command. Le stays as it is.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ChannelClosed`], [`GlobalPlatformError::CommandTooLong`].
    pub fn wrap(&mut self, command: &CommandApdu) -> Result<CommandApdu, GlobalPlatformError> {
        if self.closed {
            return Err(GlobalPlatformError::ChannelClosed);
        }
        let length = self.protected_length(command.data.len());
        let too_long = GlobalPlatformError::CommandTooLong { length: command.data.len() };
        let lc = u16::try_from(length).map_err(|_| too_long)?;
        // Every command of the session counts, with or without data (Amendment D §6.2.6).
        self.counter += 1;

        let mut wrapped = command.clone();
        wrapped.cla |= 0x04;
        if self.level.encrypts_commands() && !command.data.is_empty() {
            let iv = self.initial_value(0)?;
            let key = &self.keys.encryption;
            let padded = Zeroizing::new(cipher::pad(&command.data, BLOCK));
            wrapped.data = cipher::cbc_encrypt(key.cipher(), key.bytes(), &iv, &padded)?;
        }
        let mut input = self.mac_chaining_value.to_vec();
        // The logical channel is not under the MAC: its bits count as zero.
        input.extend([wrapped.cla & 0xFC, wrapped.ins, wrapped.p1, wrapped.p2]);
        let extended = length > 255 || wrapped.needs_extended();
        match (extended, u8::try_from(lc)) {
            (false, Ok(lc)) => input.push(lc),
            _ => input.extend([0, (lc >> 8) as u8, lc as u8]),
        }
        input.extend_from_slice(&wrapped.data);
        let mac = cipher::cmac(self.keys.mac.cipher(), self.keys.mac.bytes(), &input)?;
        wrapped.data.extend_from_slice(&mac[..self.mac_length()]);
        self.mac_chaining_value = Zeroizing::new(mac);
        Ok(wrapped)
    }

    /// Checks the response to the last command and takes its protection off.
    ///
    /// A response that tells an error has no data and no MAC (Amendment D §6.2.5); every other
    /// one must have a right MAC where the level says so.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ResponseProtection`]; the session is closed then.
    pub fn unwrap(&mut self, answer: &ResponseApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        if self.closed {
            return Err(GlobalPlatformError::ChannelClosed);
        }
        let result = self.unwrap_open(answer);
        self.closed = result.is_err();
        result
    }

    fn unwrap_open(&self, answer: &ResponseApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        let fault = |reason| GlobalPlatformError::ResponseProtection { reason };
        let succeeded = answer.status.is_ok() || matches!(answer.status.sw1(), 0x62 | 0x63);
        if !self.level.authenticates_responses() {
            return Ok(answer.clone());
        }
        if !succeeded {
            if answer.data.is_empty() {
                return Ok(answer.clone());
            }
            return Err(fault("an error came with data"));
        }
        let at = answer.data.len().checked_sub(self.mac_length());
        let (data, mac) = at
            .and_then(|at| answer.data.split_at_checked(at))
            .ok_or_else(|| fault("the MAC is missing"))?;
        let mut input = self.mac_chaining_value.to_vec();
        input.extend_from_slice(data);
        input.extend(answer.status.0.to_be_bytes());
        let key = &self.keys.response_mac;
        let expected = cipher::cmac(key.cipher(), key.bytes(), &input)?;
        if !bool::from(expected[..self.mac_length()].ct_eq(mac)) {
            return Err(fault("the MAC is wrong"));
        }
        let data = if self.level.encrypts_responses() && !data.is_empty() {
            self.decrypt(data)?
        } else {
            data.to_vec()
        };
        Ok(ResponseApdu { data, status: answer.status })
    }

    fn decrypt(&self, data: &[u8]) -> Result<Vec<u8>, GlobalPlatformError> {
        let fault = |reason| GlobalPlatformError::ResponseProtection { reason };
        let key = &self.keys.encryption;
        let iv = self.initial_value(0x80)?;
        let padded = cipher::cbc_decrypt(key.cipher(), key.bytes(), &iv, data)
            .map_err(|_| fault("the data is no whole number of blocks"))?;
        let padded = Zeroizing::new(padded);
        cipher::unpad(&padded).map(<[u8]>::to_vec).ok_or_else(|| fault("the padding is wrong"))
    }

    /// The encrypted counter; its first byte is 80 for responses (Amendment D §6.2.6, §6.2.7).
    fn initial_value(&self, first: u8) -> Result<Vec<u8>, GlobalPlatformError> {
        let mut block = self.counter.to_be_bytes();
        block[0] |= first;
        let key = &self.keys.encryption;
        Ok(cipher::encrypt_block(key.cipher(), key.bytes(), &block)?)
    }
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;
