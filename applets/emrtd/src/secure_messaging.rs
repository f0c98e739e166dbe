//! Secure messaging, the card's end (ICAO 9303-11 §9.8, ISO/IEC 7816-4 §10).

use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, Response};
use cancuoc_primitives::cipher::{self, BlockCipher, CipherError};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::key_derivation::{self, derive};

/// Why a protected command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmError {
    /// A data object that must be there is not.
    Missing,
    /// A data object is wrong.
    Incorrect,
}

/// Session keys and send sequence counter.
pub struct SecureMessaging {
    cipher: BlockCipher,
    encryption: Zeroizing<Vec<u8>>,
    authentication: Zeroizing<Vec<u8>>,
    counter: Vec<u8>,
}

/// A command after its protection came off.
pub struct Unwrapped {
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    ne: Option<usize>,
    extended: bool,
}

impl Unwrapped {
    /// The plain command.
    pub fn command(&self) -> Command<'_> {
        let [cla, ins, p1, p2] = self.header;
        // Bits of the class byte that said "protected" are gone; chaining stays.
        let cla = cla & !0x0C;
        Command { cla, ins, p1, p2, data: &self.data, ne: self.ne, extended: self.extended }
    }
}

impl Drop for SecureMessaging {
    fn drop(&mut self) {
        self.counter.zeroize();
    }
}

impl SecureMessaging {
    /// Keys from a shared secret, the counter at zero: after PACE and Chip Authentication.
    pub fn new(cipher: BlockCipher, secret: &[u8]) -> Self {
        Self::with_counter(cipher, secret, vec![0; cipher.block_len()])
    }

    /// Keys from a shared secret and a first counter: after BAC.
    pub fn with_counter(cipher: BlockCipher, secret: &[u8], counter: Vec<u8>) -> Self {
        Self {
            cipher,
            encryption: derive(cipher, secret, key_derivation::ENCRYPTION),
            authentication: derive(cipher, secret, key_derivation::AUTHENTICATION),
            counter,
        }
    }

    #[cfg(test)]
    fn from_keys(cipher: BlockCipher, encryption: &[u8], mac: &[u8], counter: &[u8]) -> Self {
        Self {
            cipher,
            encryption: Zeroizing::new(encryption.to_vec()),
            authentication: Zeroizing::new(mac.to_vec()),
            counter: counter.to_vec(),
        }
    }

    /// Most plain bytes whose protected response fits into `ne` bytes.
    pub fn room(&self, ne: usize) -> usize {
        // DO99 and DO8E take 14 bytes, DO87 four or more before its blocks, the padding one.
        let overhead = if ne <= 256 { 18 } else { 19 };
        let blocks = ne.saturating_sub(overhead) / self.cipher.block_len();
        (blocks * self.cipher.block_len()).saturating_sub(1)
    }

    /// Bytes of a block of the cipher.
    pub fn block_len(&self) -> usize {
        self.cipher.block_len()
    }

    /// Cipher of the session.
    pub const fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    /// Moves the send sequence counter on.
    pub fn count(&mut self) {
        for byte in self.counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    fn iv(&self) -> Result<Vec<u8>, CipherError> {
        match self.cipher {
            BlockCipher::Tdes => Ok(vec![0; 8]),
            aes => cipher::encrypt_block(aes, &self.encryption, &self.counter),
        }
    }

    /// Encrypts whole blocks under the counter.
    pub fn encrypt(&self, padded: &[u8]) -> Result<Vec<u8>, CipherError> {
        cipher::cbc_encrypt(self.cipher, &self.encryption, &self.iv()?, padded)
    }

    /// MAC over the counter and a message whose end is padded to whole blocks.
    pub fn mac(&self, message: &[u8]) -> Result<[u8; 8], CipherError> {
        let input = [&self.counter[..], message].concat();
        match self.cipher {
            BlockCipher::Tdes => cipher::retail_mac(&self.authentication, &input),
            aes => {
                let padded = cipher::pad(&input, aes.block_len());
                cipher::cmac(aes, &self.authentication, &padded).map(|mac| {
                    let [first @ .., _, _, _, _, _, _, _, _] = mac;
                    first
                })
            }
        }
    }

    /// Checks a protected command and takes its protection off.
    pub fn unwrap(&mut self, command: &Command<'_>) -> Result<Unwrapped, SmError> {
        self.count();
        let objects = ProtectedObjects::read(command)?;
        let header = [command.cla, command.ins, command.p1, command.p2];
        let mut message = header.to_vec();
        if !objects.authenticated.is_empty() {
            message = cipher::pad(&message, self.cipher.block_len());
            message.extend_from_slice(objects.authenticated);
        }
        let mac = self.mac(&message).map_err(|_| SmError::Incorrect)?;
        if !bool::from(mac.ct_eq(objects.mac)) {
            return Err(SmError::Incorrect);
        }
        let data = match objects.cryptogram {
            Some(cryptogram) => self.decrypt(cryptogram)?,
            None => Zeroizing::new(Vec::new()),
        };
        let extended = objects.extended_le.unwrap_or(command.extended);
        Ok(Unwrapped { header, data, ne: objects.ne, extended })
    }

    fn decrypt(&self, cryptogram: &[u8]) -> Result<Zeroizing<Vec<u8>>, SmError> {
        let padded = self
            .iv()
            .and_then(|iv| cipher::cbc_decrypt(self.cipher, &self.encryption, &iv, cryptogram));
        let padded = Zeroizing::new(padded.map_err(|_| SmError::Incorrect)?);
        let plain = cipher::unpad(&padded).ok_or(SmError::Incorrect)?;
        // Padding of a whole block or more was never asked for.
        if padded.len() - plain.len() > self.cipher.block_len() {
            return Err(SmError::Incorrect);
        }
        Ok(Zeroizing::new(plain.to_vec()))
    }

    /// Protects a response. With an odd instruction the cryptogram has no padding indicator.
    pub fn wrap(&mut self, response: &Response, odd_instruction: bool) -> Response {
        self.count();
        match self.try_wrap(response, odd_instruction) {
            Ok(data) => Response { data, status: response.status },
            // Keys and counter have the right lengths from the start, so this does not happen.
            Err(_) => cancuoc_card_runtime::StatusWord::SM_INCORRECT.into(),
        }
    }

    fn try_wrap(&self, response: &Response, odd_instruction: bool) -> Result<Vec<u8>, CipherError> {
        let mut message = Vec::with_capacity(response.data.len() + 48);
        if !response.data.is_empty() {
            let padded = Zeroizing::new(cipher::pad(&response.data, self.cipher.block_len()));
            let cryptogram = self.encrypt(&padded)?;
            if odd_instruction {
                tlv::put(&mut message, 0x85, &cryptogram);
            } else {
                tlv::put(&mut message, 0x87, &[&[1], &cryptogram[..]].concat());
            }
        }
        tlv::put(&mut message, 0x99, &response.status.0.to_be_bytes());
        let mac = self.mac(&message)?;
        tlv::put(&mut message, 0x8E, &mac);
        Ok(message)
    }
}

/// The data objects of a protected command, in the only order there is: cryptogram, Le, MAC.
struct ProtectedObjects<'a> {
    cryptogram: Option<&'a [u8]>,
    ne: Option<usize>,
    /// Whether Le has two bytes: that of the command is its own, not its protection's.
    extended_le: Option<bool>,
    mac: &'a [u8],
    /// What the MAC covers besides the header.
    authenticated: &'a [u8],
}

impl<'a> ProtectedObjects<'a> {
    fn read(command: &Command<'a>) -> Result<Self, SmError> {
        let incorrect = |_| SmError::Incorrect;
        if command.data.is_empty() {
            return Err(SmError::Missing);
        }
        let mut objects = Objects::new(command.data);
        let odd = command.ins & 1 == 1;
        let cryptogram = if odd {
            objects.take_if(0x85).map_err(incorrect)?.map(|object| object.value)
        } else {
            match objects.take_if(0x87).map_err(incorrect)?.map(|object| object.value) {
                Some([1, cryptogram @ ..]) => Some(cryptogram),
                Some(_) => return Err(SmError::Incorrect),
                None => None,
            }
        };
        if cryptogram.is_some_and(<[u8]>::is_empty) {
            return Err(SmError::Incorrect);
        }
        let le = objects.take_if(0x97).map_err(incorrect)?.map(|object| object.value);
        let ne = match le {
            None => None,
            Some([0]) => Some(256),
            Some([le]) => Some(usize::from(*le)),
            Some([0, 0]) => Some(65_536),
            Some([high, low]) => Some(usize::from(u16::from_be_bytes([*high, *low]))),
            Some(_) => return Err(SmError::Incorrect),
        };
        let mac = objects.take_if(0x8E).map_err(incorrect)?.ok_or(SmError::Missing)?;
        if !objects.is_empty() || mac.value.len() != 8 {
            return Err(SmError::Incorrect);
        }
        let authenticated = command.data.len() - mac.raw.len();
        Ok(Self {
            cryptogram,
            ne,
            extended_le: le.map(|le| le.len() == 2),
            mac: mac.value,
            authenticated: command.data.get(..authenticated).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests;
