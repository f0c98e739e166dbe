//! The commands of a security domain, one function each (GPC chapter 11).

use cancuoc_primitives::cipher;
use zeroize::Zeroizing;

use super::{GlobalPlatformError, KeySet, StaticKey};
use crate::apdu::{CommandApdu, Ne, tlv};

/// SELECT by application identifier (GPC §11.9).
#[must_use]
pub fn select(aid: &[u8]) -> CommandApdu {
    CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(aid).with_ne(Ne::MAX_SHORT)
}

/// INITIALIZE UPDATE of the key set of a version, 00 for the one that the card prefers (GPC §E.5.1,
/// Amendment D §7.1.1).
#[must_use]
pub fn initialize_update(version: u8, host_challenge: &[u8]) -> CommandApdu {
    CommandApdu::new(0x80, 0x50, version, 0x00).with_data(host_challenge).with_ne(Ne::MAX_SHORT)
}

/// Data objects that GET DATA gives (GPC §11.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataObject {
    /// Card production life cycle data.
    Cplc,
    /// Card data with the card recognition data (GPC appendix H.2).
    CardData,
    /// Key information template (GPC §11.3.3.1).
    KeyInformation,
    /// Issuer identification number.
    IssuerNumber,
    /// Card image number.
    CardNumber,
}

impl DataObject {
    /// The tag: P1-P2.
    #[must_use]
    pub const fn tag(self) -> u16 {
        match self {
            Self::Cplc => 0x9F7F,
            Self::CardData => 0x0066,
            Self::KeyInformation => 0x00E0,
            Self::IssuerNumber => 0x0042,
            Self::CardNumber => 0x0045,
        }
    }
}

/// GET DATA (GPC §11.3).
#[must_use]
pub const fn get_data(object: DataObject) -> CommandApdu {
    let [p1, p2] = object.tag().to_be_bytes();
    CommandApdu::new(0x80, 0xCA, p1, p2).with_ne(Ne::MAX_SHORT)
}

/// What GET STATUS tells of (GPC §11.4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registry {
    /// The issuer security domain.
    IssuerSecurityDomain,
    /// Applications and other security domains.
    Applications,
    /// Executable load files.
    LoadFiles,
    /// Executable load files with their modules.
    LoadFilesAndModules,
}

impl Registry {
    const fn p1(self) -> u8 {
        match self {
            Self::IssuerSecurityDomain => 0x80,
            Self::Applications => 0x40,
            Self::LoadFiles => 0x20,
            Self::LoadFilesAndModules => 0x10,
        }
    }
}

/// GET STATUS of all entries in the TLV form; `next` for those that did not fit the answer before
/// (GPC §11.4).
#[must_use]
pub fn get_status(registry: Registry, next: bool) -> CommandApdu {
    CommandApdu::new(0x80, 0xF2, registry.p1(), 0x02 | u8::from(next))
        .with_data([0x4F, 0x00])
        .with_ne(Ne::MAX_SHORT)
}

/// INSTALL [for personalization] of an application (GPC §11.5.2.3.6).
#[must_use]
pub fn install_for_personalization(aid: &[u8]) -> CommandApdu {
    let mut data = vec![0, 0, aid.len() as u8];
    data.extend_from_slice(aid);
    data.extend([0, 0, 0]); // no privileges, no parameters, no token
    CommandApdu::new(0x80, 0xE6, 0x20, 0x00).with_data(data)
}

/// STORE DATA of whole data groupings (GPC §11.11): block `number` of a sequence, `last` or not,
/// its values encrypted under Key-DEK or not.
#[must_use]
pub fn store_data(groupings: &[u8], encrypted: bool, last: bool, number: u8) -> CommandApdu {
    let p1 = 0x08 | if encrypted { 0x60 } else { 0 } | if last { 0x80 } else { 0 };
    CommandApdu::new(0x80, 0xE2, p1, number).with_data(groupings)
}

/// Life cycle states of the card (GPC table 11-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CardLifeCycle {
    /// Delivered by the maker.
    OpReady = 0x01,
    /// Prepared by the issuer.
    Initialized = 0x07,
    /// Issued.
    Secured = 0x0F,
    /// Locked by the issuer; can be unlocked.
    CardLocked = 0x7F,
    /// At its end.
    Terminated = 0xFF,
}

impl CardLifeCycle {
    /// The state that a byte means.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0x01 => Self::OpReady,
            0x07 => Self::Initialized,
            0x0F => Self::Secured,
            0x7F => Self::CardLocked,
            0xFF => Self::Terminated,
            _ => return None,
        })
    }

    /// The name in the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpReady => "OP_READY",
            Self::Initialized => "INITIALIZED",
            Self::Secured => "SECURED",
            Self::CardLocked => "CARD_LOCKED",
            Self::Terminated => "TERMINATED",
        }
    }
}

/// SET STATUS of the issuer security domain, which is the card's (GPC §11.10).
#[must_use]
pub const fn set_card_status(state: CardLifeCycle) -> CommandApdu {
    CommandApdu::new(0x80, 0xF0, 0x80, state as u8)
}

/// PUT KEY of a whole key set (GPC §11.8, Amendment D §7.2), and the response data that a card
/// which took it gives: version and check values.
///
/// `replaces` is the version of the key set to overwrite, 00 to add one; `current` is the key for
/// sensitive data of the open session.
///
/// # Errors
/// [`GlobalPlatformError::KeyTypes`]: a key goes to the card under one of its own kind only, so
/// that no AES key is worth as little as the triple DES key that it came under.
pub fn put_key_set(
    replaces: u8,
    new: &KeySet,
    current: &StaticKey,
) -> Result<(CommandApdu, Vec<u8>), GlobalPlatformError> {
    if new.is_triple_des() != current.is_triple_des() {
        return Err(GlobalPlatformError::KeyTypes);
    }
    let mut data = vec![new.version];
    let mut confirmation = vec![new.version];
    for key in [&new.encryption, &new.mac, &new.data_encryption] {
        let check_value = key.check_value()?;
        data.extend(key_data_field(key, current)?);
        data.push(check_value.len() as u8);
        data.extend(check_value);
        confirmation.extend(check_value);
    }
    // P2: several keys, the first of them with key identifier 01.
    let command =
        CommandApdu::new(0x80, 0xD8, replaces, 0x81).with_data(data).with_ne(Ne::MAX_SHORT);
    Ok((command, confirmation))
}

/// Key type, length, and the key encrypted under the current Key-DEK (GPC tables 11-68 to 11-71).
fn key_data_field(key: &StaticKey, current: &StaticKey) -> Result<Vec<u8>, GlobalPlatformError> {
    let length = key.bytes().len();
    let block_length = current.cipher().block_len();
    let mut padded = Zeroizing::new(key.bytes().to_vec());
    padded.resize(length.next_multiple_of(block_length), 0);
    let encrypted = current.encrypt_sensitive(&padded)?;
    let (key_type, mut block) = if key.is_triple_des() {
        (0x80, Vec::new())
    } else {
        // Amendment D §7.2: the block always starts with the length of the key.
        (0x88, tlv::encode_length(length))
    };
    block.extend(encrypted);
    let mut field = vec![key_type];
    field.extend(tlv::encode_length(block.len()));
    field.extend(block);
    Ok(field)
}

/// Encrypts the value of a data grouping under Key-DEK: padded by ISO/IEC 9797-1 method 2 to the
/// blocks of its cipher, then as [`StaticKey::encrypt_sensitive`] does.
///
/// # Errors
/// [`GlobalPlatformError::Cipher`], never for a key made by [`StaticKey::new`].
pub fn encrypt_value(value: &[u8], key: &StaticKey) -> Result<Vec<u8>, GlobalPlatformError> {
    key.encrypt_sensitive(&Zeroizing::new(cipher::pad(value, key.cipher().block_len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn install_for_personalization_names_the_application() {
        let sent = install_for_personalization(&hex!("A0000002471001")).encode().unwrap();
        assert_eq!(sent, hex!("80E620000D 0000 07 A0000002471001 00 00 00"));
    }

    #[test]
    fn store_data_tells_last_block_encryption_and_format() {
        let p1 = |encrypted, last| store_data(&[], encrypted, last, 5).header();
        assert_eq!(p1(false, false), [0x80, 0xE2, 0x08, 5]);
        assert_eq!(p1(true, false), [0x80, 0xE2, 0x68, 5]);
        assert_eq!(p1(false, true), [0x80, 0xE2, 0x88, 5]);
        assert_eq!(p1(true, true), [0x80, 0xE2, 0xE8, 5]);
    }

    #[test]
    fn get_status_asks_in_the_tlv_form() {
        let sent = get_status(Registry::IssuerSecurityDomain, false).encode().unwrap();
        assert_eq!(sent, hex!("80F28002024F0000"));
        assert_eq!(get_status(Registry::Applications, true).header(), [0x80, 0xF2, 0x40, 0x03]);
    }

    #[test]
    fn put_key_carries_three_encrypted_keys_with_check_values() {
        let current = KeySet::test_keys().unwrap();
        for length in [16usize, 24, 32] {
            let new =
                KeySet::new(0x31, &vec![1; length], &vec![2; length], &vec![3; length]).unwrap();
            let (command, confirmation) =
                put_key_set(0x30, &new, &current.data_encryption).unwrap();
            assert_eq!(command.header(), [0x80, 0xD8, 0x30, 0x81]);
            let field = 2 + 1 + length.next_multiple_of(16) + 1 + 3;
            assert_eq!(command.data.len(), 1 + 3 * field);
            assert_eq!(command.data[1..4], [0x88, (field - 6) as u8, length as u8]);
            let encrypted = &command.data[4..4 + length.next_multiple_of(16)];
            let plain = cipher::cbc_decrypt(
                cipher::BlockCipher::Aes128,
                current.data_encryption.bytes(),
                &[0; 16],
                encrypted,
            )
            .unwrap();
            assert_eq!(plain[..length], vec![1; length]);
            assert_eq!(confirmation.len(), 10);
            assert_eq!(confirmation[1..4], new.encryption.check_value().unwrap());
        }
    }

    #[test]
    fn encrypted_values_are_padded_even_when_whole() {
        let keys = KeySet::test_keys().unwrap();
        assert_eq!(encrypt_value(&[7; 16], &keys.data_encryption).unwrap().len(), 32);
        assert_eq!(encrypt_value(&[], &keys.data_encryption).unwrap().len(), 16);
    }
}
