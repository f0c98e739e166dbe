//! Secure messaging of the terminal (ICAO 9303-11 §9.8): wraps commands, checks and unwraps
//! responses.
//!
//! Checking is strict and tells nothing but yes or no: the data objects must stand in the order of
//! the specification, each once and nothing else; DO'99' and DO'8E' must be there; the status word
//! outside must be the one inside; the MAC is compared in constant time, before anything is
//! decrypted.

use cancuoc_primitives::cipher::{
    BlockCipher, CipherError, cbc_decrypt, cbc_encrypt, cmac, encrypt_block, pad, retail_mac, unpad,
};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use super::key_derivation::{KeyPurpose, derive_key};
use crate::apdu::tlv::{Reader, Tag, encode};
use crate::apdu::{CommandApdu, Ne, ResponseApdu, StatusWord};

/// DO'85': cryptogram of BER-TLV data, for odd instructions.
const CRYPTOGRAM_TLV: Tag = Tag(0x85);
/// DO'87': padding indicator and cryptogram, for even instructions.
const CRYPTOGRAM: Tag = Tag(0x87);
/// DO'97': Le.
const LE: Tag = Tag(0x97);
/// DO'99': status word.
const STATUS: Tag = Tag(0x99);
/// DO'8E': MAC.
const MAC: Tag = Tag(0x8E);
/// Bytes of a MAC.
const MAC_LEN: usize = 8;

/// A protected response is not what the card's session would have made. It is one error for
/// all faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("secure messaging failed")]
pub struct SecureMessagingError;

impl From<CipherError> for SecureMessagingError {
    fn from(_: CipherError) -> Self {
        Self
    }
}

/// Session keys and send sequence counter.
#[derive(Clone)]
pub struct SecureMessaging {
    cipher: BlockCipher,
    encryption_key: Zeroizing<Vec<u8>>,
    mac_key: Zeroizing<Vec<u8>>,
    counter: u128,
    ins_is_odd: bool,
}

impl SecureMessaging {
    /// Derives the session keys from a shared secret; the counter starts at zero
    /// (ICAO 9303-11 §9.7.1, §9.8.6.3, §9.8.7.3).
    #[must_use]
    pub fn from_secret(cipher: BlockCipher, secret: &[u8]) -> Self {
        Self {
            cipher,
            encryption_key: derive_key(cipher, secret, KeyPurpose::Encryption),
            mac_key: derive_key(cipher, secret, KeyPurpose::Mac),
            counter: 0,
            ins_is_odd: false,
        }
    }

    /// The same with a send sequence counter to start from, as BAC has it.
    #[must_use]
    pub const fn with_counter(mut self, counter: u64) -> Self {
        self.counter = counter as u128;
        self
    }

    /// The cipher of the session.
    #[must_use]
    pub const fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    /// Protects a command.
    ///
    /// Le outside is extended where the data or what is expected need it, else short.
    ///
    /// # Errors
    /// [`SecureMessagingError`] when the data is too long for any command.
    pub fn wrap(&mut self, command: &CommandApdu) -> Result<CommandApdu, SecureMessagingError> {
        self.step();
        self.ins_is_odd = command.ins & 1 == 1;
        let cla = command.cla | 0x0C;
        let mut data = Vec::new();
        if !command.data.is_empty() {
            let cryptogram = self.encrypt(&command.data)?;
            data.extend(if self.ins_is_odd {
                encode(CRYPTOGRAM_TLV, &cryptogram)
            } else {
                encode(CRYPTOGRAM, &[&[1], &cryptogram[..]].concat())
            });
        }
        let mut extended = false;
        if let Some(ne) = command.ne {
            extended = ne.get() > 256;
            // 256 is 00, 65 536 is 0000.
            let le = (ne.get() as u16).to_be_bytes();
            data.extend(encode(LE, if extended { &le } else { &le[1..] }));
        }
        let mut header = vec![cla, command.ins, command.p1, command.p2];
        // The header is padded apart from the data objects; where none follow, the padding of the
        // whole is its own (ISO/IEC 7816-4 §10.2.3.1).
        if !data.is_empty() {
            header = pad(&header, self.cipher.block_len());
        }
        let mac = self.mac(&[&header, &data])?;
        data.extend(encode(MAC, &mac));
        extended |= data.len() > 255;
        let ne = if extended { Ne::MAX_EXTENDED } else { Ne::MAX_SHORT };
        let wrapped = CommandApdu::new(cla, command.ins, command.p1, command.p2);
        Ok(wrapped.with_data(data).with_ne(ne))
    }

    /// Checks a response and takes its protection off.
    ///
    /// # Errors
    /// [`SecureMessagingError`]; the session must then end.
    pub fn unwrap(
        &mut self,
        response: &ResponseApdu,
    ) -> Result<ResponseApdu, SecureMessagingError> {
        self.step();
        let objects =
            Objects::parse(&response.data, self.ins_is_odd).ok_or(SecureMessagingError)?;
        let mac = self.mac(&[objects.authenticated])?;
        if !bool::from(mac.ct_eq(objects.mac)) || objects.status != response.status {
            return Err(SecureMessagingError);
        }
        let data = match objects.cryptogram {
            Some(cryptogram) => self.decrypt(cryptogram)?,
            None => Vec::new(),
        };
        Ok(ResponseApdu { data, status: objects.status })
    }

    /// Increments the send sequence counter, which wraps at its width.
    const fn step(&mut self) {
        self.counter = self.counter.wrapping_add(1);
        if matches!(self.cipher, BlockCipher::Tdes) {
            self.counter &= u64::MAX as u128;
        }
    }

    fn counter_block(&self) -> Vec<u8> {
        let bytes = self.counter.to_be_bytes();
        let skip = bytes.len() - self.cipher.block_len();
        bytes.get(skip..).unwrap_or_default().to_vec()
    }

    /// MAC over counter and datagram, padded by method 2 up to a whole block.
    fn mac(&self, parts: &[&[u8]]) -> Result<[u8; MAC_LEN], SecureMessagingError> {
        let datagram = [&self.counter_block()[..], &parts.concat()].concat();
        if self.cipher == BlockCipher::Tdes {
            return Ok(retail_mac(&self.mac_key, &datagram)?); // pads itself
        }
        let padded = pad(&datagram, self.cipher.block_len());
        let full = cmac(self.cipher, &self.mac_key, &padded)?;
        full.first_chunk().copied().ok_or(SecureMessagingError)
    }

    fn iv(&self) -> Result<Vec<u8>, CipherError> {
        match self.cipher {
            BlockCipher::Tdes => Ok(vec![0; 8]),
            aes => encrypt_block(aes, &self.encryption_key, &self.counter_block()),
        }
    }

    fn encrypt(&self, data: &[u8]) -> Result<Vec<u8>, CipherError> {
        let padded = Zeroizing::new(pad(data, self.cipher.block_len()));
        cbc_encrypt(self.cipher, &self.encryption_key, &self.iv()?, &padded)
    }

    fn decrypt(&self, cryptogram: &[u8]) -> Result<Vec<u8>, SecureMessagingError> {
        let padded = cbc_decrypt(self.cipher, &self.encryption_key, &self.iv()?, cryptogram)?;
        let padded = Zeroizing::new(padded);
        let data = unpad(&padded).ok_or(SecureMessagingError)?;
        // Method 2 adds at most one block.
        if padded.len() - data.len() > self.cipher.block_len() {
            return Err(SecureMessagingError);
        }
        Ok(data.to_vec())
    }
}

#[cfg(test)]
impl SecureMessaging {
    /// The session keys, for encryption and for MACs.
    pub(crate) fn keys_for_tests(&self) -> (Vec<u8>, Vec<u8>) {
        (self.encryption_key.to_vec(), self.mac_key.to_vec())
    }

    /// The MAC of a response of these data objects: the counter moves on.
    pub(crate) fn mac_for_tests(&mut self, objects: &[u8]) -> Vec<u8> {
        self.step();
        self.mac(&[objects]).unwrap().to_vec()
    }

    /// The card's end of the session in tests: takes a protected command.
    pub(crate) fn open_for_tests(&mut self, command: &[u8]) -> CommandApdu {
        self.step();
        self.ins_is_odd = command[1] & 1 == 1;
        let (data, extended) = match command[4] {
            0 => (&command[7..command.len() - 2], true),
            length => (&command[5..5 + usize::from(length)], false),
        };
        let mut out = CommandApdu::new(0, command[1], command[2], command[3]);
        let mut reader = Reader::new(data);
        while let Some(object) = reader.read_optional().unwrap() {
            match object.tag {
                CRYPTOGRAM => out.data = self.decrypt(&object.value[1..]).unwrap(),
                CRYPTOGRAM_TLV => out.data = self.decrypt(object.value).unwrap(),
                LE => {
                    let le = object.value.iter().fold(0, |n, b| n << 8 | usize::from(*b));
                    let max = if extended && object.value.len() > 1 { 65_536 } else { 256 };
                    out.ne = Some(Ne::new(if le == 0 { max } else { le }));
                }
                _ => assert_eq!(object.tag, MAC),
            }
        }
        out
    }

    /// The card's end of the session in tests: a command that it cannot read.
    pub(crate) fn step_for_tests(&mut self) {
        self.step();
    }

    /// The card's end of the session in tests: makes a protected response.
    pub(crate) fn seal_for_tests(&mut self, data: &[u8], status: u16) -> Vec<u8> {
        self.step();
        let mut out = Vec::new();
        if !data.is_empty() {
            let cryptogram = self.encrypt(data).unwrap();
            out = if self.ins_is_odd {
                encode(CRYPTOGRAM_TLV, &cryptogram)
            } else {
                encode(CRYPTOGRAM, &[&[1], &cryptogram[..]].concat())
            };
        }
        out.extend(encode(STATUS, &status.to_be_bytes()));
        let mac = self.mac(&[&out]).unwrap();
        out.extend(encode(MAC, &mac));
        out.extend(status.to_be_bytes());
        out
    }
}

impl std::fmt::Debug for SecureMessaging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecureMessaging({}, ***)", self.cipher.name())
    }
}

/// The data objects of a protected response.
struct Objects<'a> {
    cryptogram: Option<&'a [u8]>,
    status: StatusWord,
    mac: &'a [u8],
    /// What the MAC is over.
    authenticated: &'a [u8],
}

impl<'a> Objects<'a> {
    /// [DO'85' or DO'87'] DO'99' DO'8E', in this order and nothing else.
    fn parse(data: &'a [u8], ins_is_odd: bool) -> Option<Self> {
        let mut reader = Reader::new(data);
        let cryptogram = if ins_is_odd {
            reader.read_if(CRYPTOGRAM_TLV).ok()?.map(|object| object.value)
        } else {
            match reader.read_if(CRYPTOGRAM).ok()? {
                Some(object) => Some(object.value.strip_prefix(&[1])?),
                None => None,
            }
        };
        if cryptogram.is_some_and(<[u8]>::is_empty) {
            return None;
        }
        let status = reader.read_tag(STATUS).ok()?;
        let status = StatusWord(u16::from_be_bytes(status.value.try_into().ok()?));
        let authenticated = data.get(..reader.offset())?;
        let mac = reader.read_tag(MAC).ok()?.value;
        reader.finish().ok()?;
        (mac.len() == MAC_LEN).then_some(Self { cryptogram, status, mac, authenticated })
    }
}

#[cfg(test)]
mod tests;
