//! An open SCP02 session: MAC and encryption of commands (GPC §E.4.4 to §E.4.7). Responses are not
//! protected.

use core::fmt;

use cancuoc_primitives::cipher::{self, BlockCipher};
use zeroize::Zeroizing;

use super::super::keys::{KeySet, StaticKey};
use super::super::{GlobalPlatformError, SecurityLevel};
use super::{CardAnswer, Options};
use crate::apdu::{CommandApdu, ResponseApdu};

/// Bytes of a DES block, of an ICV and of a MAC.
const BLOCK: usize = 8;
/// The longest data field of a short APDU; SCP02 knows no other.
const SHORT: usize = 255;

/// What a session key is for, as the constant of its derivation (GPC §E.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    CommandMac = 0x0101,
    DataEncryption = 0x0181,
    Encryption = 0x0182,
}

impl Use {
    /// The session key: constant, sequence counter and twelve zeros, encrypted in CBC mode.
    pub(super) fn derive(
        self,
        key: &StaticKey,
        sequence_counter: [u8; 2],
    ) -> Result<SessionKey, GlobalPlatformError> {
        let mut input = [0; 16];
        input[..2].copy_from_slice(&(self as u16).to_be_bytes());
        input[2..4].copy_from_slice(&sequence_counter);
        let derived = cipher::cbc_encrypt(BlockCipher::Tdes, key.bytes(), &[0; BLOCK], &input)?;
        Ok(SessionKey(Zeroizing::new(derived)))
    }
}

/// A triple DES key of a session, 16 bytes.
pub(super) struct SessionKey(Zeroizing<Vec<u8>>);

impl SessionKey {
    /// Single DES and a final triple DES (GPC §B.1.2.2).
    pub(super) fn retail_mac(
        &self,
        icv: &[u8; BLOCK],
        data: &[u8],
    ) -> Result<[u8; BLOCK], GlobalPlatformError> {
        Ok(cipher::retail_mac_chained(&self.0, icv, data)?)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Encrypts a block by single DES with the first half of the key (GPC §E.3.4).
    fn encrypt_icv(&self, icv: &[u8; BLOCK]) -> Result<[u8; BLOCK], GlobalPlatformError> {
        // Triple DES with two equal halves is DES.
        let half = self.0.first_chunk::<BLOCK>().unwrap_or(&[0; BLOCK]);
        let twice = Zeroizing::new([*half, *half].concat());
        let block = cipher::encrypt_block(BlockCipher::Tdes, &twice, icv)?;
        let length = block.len();
        block.try_into().map_err(|_| cipher::CipherError::DataLength(length).into())
    }
}

/// The keys of one session.
pub(super) struct SessionKeys {
    encryption: SessionKey,
    mac: SessionKey,
    data_encryption: StaticKey,
}

impl SessionKeys {
    pub(super) fn derive(
        keys: &KeySet,
        sequence_counter: [u8; 2],
    ) -> Result<Self, GlobalPlatformError> {
        let data = Use::DataEncryption.derive(&keys.data_encryption, sequence_counter)?;
        Ok(Self {
            encryption: Use::Encryption.derive(&keys.encryption, sequence_counter)?,
            mac: Use::CommandMac.derive(&keys.mac, sequence_counter)?,
            data_encryption: StaticKey::triple_des(&data.0)?,
        })
    }

    #[cfg(test)]
    pub(super) fn from_static(keys: &KeySet) -> Self {
        let copy = |key: &StaticKey| SessionKey(Zeroizing::new(key.bytes().to_vec()));
        Self {
            encryption: copy(&keys.encryption),
            mac: copy(&keys.mac),
            data_encryption: keys.data_encryption.clone(),
        }
    }

    #[cfg(test)]
    pub(super) const fn data_encryption(&self) -> &StaticKey {
        &self.data_encryption
    }

    /// A cryptogram of the authentication: full triple DES in CBC mode over the padded input, the
    /// last block (GPC §E.4.2, §B.1.2.1).
    pub(super) fn cryptogram(&self, input: &[u8]) -> Result<[u8; BLOCK], GlobalPlatformError> {
        let padded = cipher::pad(input, BLOCK);
        let key = &self.encryption.0;
        let all = cipher::cbc_encrypt(BlockCipher::Tdes, key, &[0; BLOCK], &padded)?;
        let last = all.last_chunk::<BLOCK>();
        last.copied().ok_or_else(|| cipher::CipherError::DataLength(all.len()).into())
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKeys(***)")
    }
}

/// An open session.
#[derive(Debug)]
pub struct Scp02Channel {
    keys: SessionKeys,
    level: SecurityLevel,
    options: Options,
    card: CardAnswer,
    /// The MAC of the last command; none before the first.
    last_mac: Option<[u8; BLOCK]>,
}

impl Scp02Channel {
    pub(super) const fn new(
        keys: SessionKeys,
        level: SecurityLevel,
        options: Options,
        card: CardAnswer,
    ) -> Self {
        Self { keys, level, options, card, last_mac: None }
    }

    pub(super) const fn set_level(&mut self, level: SecurityLevel) {
        self.level = level;
    }

    /// The protection of this session.
    #[must_use]
    pub const fn level(&self) -> SecurityLevel {
        self.level
    }

    /// The options that the card announces.
    #[must_use]
    pub const fn options(&self) -> Options {
        self.options
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

    /// The most command data that fits when the protected data may have `protected` bytes, of
    /// which SCP02 takes at most 255.
    #[must_use]
    pub const fn room(&self, protected: usize) -> usize {
        let protected = if protected > SHORT { SHORT } else { protected };
        let room = protected.saturating_sub(BLOCK);
        if self.level.encrypts_commands() {
            // Padding takes at least one byte of the last block.
            (room / BLOCK * BLOCK).saturating_sub(1)
        } else {
            room
        }
    }

    /// The length of `data` bytes once protected.
    const fn protected_length(&self, data: usize) -> usize {
        if self.level.encrypts_commands() && data > 0 {
            (data / BLOCK + 1) * BLOCK + BLOCK
        } else {
            data + BLOCK
        }
    }

    /// Protects the next command. Le stays as it is.
    ///
    /// # Errors
    /// [`GlobalPlatformError::CommandTooLong`].
    pub fn wrap(&mut self, command: &CommandApdu) -> Result<CommandApdu, GlobalPlatformError> {
        let length = command.data.len();
        if self.protected_length(length) > SHORT {
            return Err(GlobalPlatformError::CommandTooLong { length });
        }
        let mut wrapped = command.clone();
        wrapped.cla |= 0x04;
        // The MAC is over the plain data, with the length that it has with the MAC; the logical
        // channel counts as zero.
        let lc = (length + BLOCK) as u8;
        let mut input = vec![wrapped.cla & 0xFC, wrapped.ins, wrapped.p1, wrapped.p2, lc];
        input.extend_from_slice(&command.data);
        let icv = match &self.last_mac {
            None => [0; BLOCK],
            Some(mac) => self.keys.mac.encrypt_icv(mac)?,
        };
        let mac = self.keys.mac.retail_mac(&icv, &input)?;
        self.last_mac = Some(mac);
        if self.level.encrypts_commands() && length > 0 {
            let padded = Zeroizing::new(cipher::pad(&command.data, BLOCK));
            let key = &self.keys.encryption.0;
            wrapped.data = cipher::cbc_encrypt(BlockCipher::Tdes, key, &[0; BLOCK], &padded)?;
        }
        wrapped.data.extend_from_slice(&mac);
        Ok(wrapped)
    }

    /// The response to the last command: without R-MAC it comes as it is.
    ///
    /// # Errors
    /// None today; the signature is that of a channel that can fail.
    pub fn unwrap(&self, answer: &ResponseApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        Ok(answer.clone())
    }
}
