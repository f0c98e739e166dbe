//! Static key sets of a security domain, and what is derived from them.

use core::fmt;

use cancuoc_primitives::cipher::{self, BlockCipher};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::GlobalPlatformError;

/// A static AES key of a security domain, 16, 24 or 32 bytes. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StaticKey {
    bytes: Vec<u8>,
    #[zeroize(skip)]
    cipher: BlockCipher,
}

impl StaticKey {
    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`].
    pub fn new(bytes: &[u8]) -> Result<Self, GlobalPlatformError> {
        let length = bytes.len();
        let cipher = BlockCipher::aes(length).ok_or(GlobalPlatformError::KeyLength { length })?;
        Ok(Self { bytes: bytes.to_vec(), cipher })
    }

    /// The cipher that the key's length makes.
    #[must_use]
    pub const fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    /// Key check value: the first three bytes of a block of `01` bytes encrypted under the key
    /// (GPC B.5 for AES).
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`], never for a key made by [`StaticKey::new`].
    pub fn check_value(&self) -> Result<[u8; 3], GlobalPlatformError> {
        let block = cipher::encrypt_block(self.cipher, &self.bytes, &[1; 16])?;
        match block.as_slice() {
            [a, b, c, ..] => Ok([*a, *b, *c]),
            _ => Err(GlobalPlatformError::KeyLength { length: self.bytes.len() }),
        }
    }

    /// Encrypts whole blocks in CBC mode with a zero IV, as sensitive data under Key-DEK
    /// (Amendment D §6.2.8).
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] when `data` is not a whole number of blocks.
    pub fn encrypt_sensitive(&self, data: &[u8]) -> Result<Vec<u8>, GlobalPlatformError> {
        Ok(cipher::cbc_encrypt(self.cipher, &self.bytes, &[0; 16], data)?)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Derives `length` bytes (Amendment D §4.1.5): the label is eleven zeros and the constant, then
    /// a zero, the length in bits, the counter, and the context.
    pub(super) fn derive(
        &self,
        constant: Derivation,
        context: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, GlobalPlatformError> {
        let bits =
            u16::try_from(length * 8).map_err(|_| GlobalPlatformError::KeyLength { length })?;
        let mut fixed = [0u8; 15];
        fixed[11] = constant as u8;
        fixed[13..].copy_from_slice(&bits.to_be_bytes());
        kdf_counter_cmac(self, &fixed, context, length)
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticKey({}, ***)", self.cipher.name())
    }
}

/// Data derivation constants (Amendment D, table 4-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Derivation {
    CardCryptogram = 0x00,
    HostCryptogram = 0x01,
    #[cfg(test)]
    CardChallenge = 0x02,
    SessionEncryption = 0x04,
    SessionMac = 0x06,
    SessionResponseMac = 0x07,
}

/// The key derivation function in counter mode of NIST SP 800-108 §4.1 with AES-CMAC and a counter
/// of one byte between `before` and `after`.
fn kdf_counter_cmac(
    key: &StaticKey,
    before: &[u8],
    after: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, GlobalPlatformError> {
    let mut out = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(16)));
    for counter in 1..=length.div_ceil(16) {
        let counter =
            u8::try_from(counter).map_err(|_| GlobalPlatformError::KeyLength { length })?;
        let input = [before, &[counter], after].concat();
        let block = Zeroizing::new(cipher::cmac(key.cipher, &key.bytes, &input)?);
        out.extend_from_slice(block.as_slice());
    }
    out.truncate(length);
    Ok(out)
}

/// The three static keys of an SCP03 key set, all of one length.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// Version of the keys, 01 to 7F; 00 leaves the choice to the card.
    pub version: u8,
    /// Key-ENC: session keys for encryption.
    pub encryption: StaticKey,
    /// Key-MAC: session keys for MACs, and both cryptograms.
    pub mac: StaticKey,
    /// Key-DEK: encrypts keys and other sensitive data.
    pub data_encryption: StaticKey,
}

impl KeySet {
    /// Takes three keys of one length.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`].
    pub fn new(
        version: u8,
        enc: &[u8],
        mac: &[u8],
        dek: &[u8],
    ) -> Result<Self, GlobalPlatformError> {
        for key in [mac, dek] {
            if key.len() != enc.len() {
                return Err(GlobalPlatformError::KeyLength { length: key.len() });
            }
        }
        Ok(Self {
            version,
            encryption: StaticKey::new(enc)?,
            mac: StaticKey::new(mac)?,
            data_encryption: StaticKey::new(dek)?,
        })
    }

    /// Reads what an operator writes: `test` for the public test keys, one key in hexadecimal for
    /// all three purposes, or `ENC:MAC:DEK`. White space is ignored.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`], for text that is no hexadecimal too.
    pub fn parse(text: &str, version: u8) -> Result<Self, GlobalPlatformError> {
        let text: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        if text.as_str() == "test" {
            let test = Self::test_keys()?;
            return Ok(Self { version: if version == 0 { test.version } else { version }, ..test });
        }
        let key = |part: &str| {
            let length = part.len() / 2;
            let bytes = hex::decode(part).map(Zeroizing::new);
            bytes.map_err(|_| GlobalPlatformError::KeyLength { length })
        };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            [one] => {
                let one = key(one)?;
                Self::new(version, &one, &one, &one)
            }
            [enc, mac, dek] => Self::new(version, &key(enc)?, &key(mac)?, &key(dek)?),
            _ => Err(GlobalPlatformError::KeyLength { length: text.len() / 2 }),
        }
    }

    /// The test keys that public samples of cards come with, version 30.
    ///
    /// # Errors
    /// Never; the keys have 16 bytes.
    pub fn test_keys() -> Result<Self, GlobalPlatformError> {
        const KEY: [u8; 16] = [
            0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D,
            0x4E, 0x4F,
        ];
        Self::new(0x30, &KEY, &KEY, &KEY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn derives_the_key_that_another_host_derives() {
        // GlobalPlatformPro, tool/src/test/java/pro/javacard/gp/TestSCP03.java: the same function
        // diversifies an AES-256 master key; nothing before the counter.
        let master = StaticKey::new(&hex!(
            "8C72C72CF908411653018807950D82FBAD947562F0828A0B10B8B9606ABF3BCD"
        ))
        .unwrap();
        let after = hex!("0000000100 D9B1DE5D0362DEDCE4FB");
        let derived = kdf_counter_cmac(&master, &[], &after, 32).unwrap();
        let expected = hex!("9AAC5D0B3601F89438A0D9D0B6B256CFB47E6462DFA5228D3420C4AC7C224781");
        assert_eq!(derived.as_slice(), expected);
    }

    #[test]
    fn gives_the_published_check_values() {
        // pySim, tests/unittests/test_globalplatform.py: SCP03_KCV_Test.
        let value = |key: [u8; 16]| StaticKey::new(&key).unwrap().check_value().unwrap();
        assert_eq!(value(hex!("000102030405060708090a0b0c0d0e0f")), hex!("C35280"));
        assert_eq!(value(hex!("101112131415161718191a1b1c1d1e1f")), hex!("013808"));
        assert_eq!(value(hex!("202122232425262728292a2b2c2d2e2f")), hex!("840DE5"));
    }

    #[test]
    fn refuses_keys_that_are_no_aes_keys_or_differ_in_length() {
        for length in [0, 8, 15, 17, 33] {
            let error = StaticKey::new(&vec![0; length]).unwrap_err();
            assert_eq!(error, GlobalPlatformError::KeyLength { length });
        }
        let error = KeySet::new(1, &[0; 16], &[0; 32], &[0; 16]).unwrap_err();
        assert_eq!(error, GlobalPlatformError::KeyLength { length: 32 });
    }

    #[test]
    fn reads_one_key_three_keys_and_the_test_keys() {
        let test = KeySet::parse("test", 0).unwrap();
        assert_eq!((test.version, test.mac.bytes()[0]), (0x30, 0x40));
        let one = KeySet::parse(&"0A".repeat(16), 1).unwrap();
        assert_eq!(one.data_encryption.bytes(), [0x0A; 16]);
        let three = format!("{}:{}:{}", "01".repeat(32), "02".repeat(32), "03".repeat(32));
        assert_eq!(KeySet::parse(&three, 1).unwrap().data_encryption.bytes(), [3; 32]);
        for wrong in ["", "0", "zz", "0102", "a:b", "01:02:03:04"] {
            assert!(KeySet::parse(wrong, 1).is_err(), "{wrong}");
        }
    }

    #[test]
    fn does_not_show_keys() {
        let shown = format!("{:?}", KeySet::test_keys().unwrap());
        assert!(!shown.contains("40, 41") && !shown.contains("64, 65"), "{shown}");
        assert!(shown.contains("***"));
    }
}
