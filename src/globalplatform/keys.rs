//! Static key sets of a security domain, and what is derived from them.

use core::fmt;

use cancuoc_primitives::cipher::{self, BlockCipher};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::GlobalPlatformError;

/// A static key of a security domain: AES of 16, 24 or 32 bytes for SCP03, triple DES of 16 bytes
/// for SCP02. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StaticKey {
    bytes: Vec<u8>,
    #[zeroize(skip)]
    cipher: BlockCipher,
}

impl StaticKey {
    /// Takes the bytes of an AES key.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`].
    pub fn new(bytes: &[u8]) -> Result<Self, GlobalPlatformError> {
        let length = bytes.len();
        let cipher = BlockCipher::aes(length).ok_or(GlobalPlatformError::KeyLength { length })?;
        Ok(Self { bytes: bytes.to_vec(), cipher })
    }

    /// Takes the bytes of a triple DES key with two halves; parity bits do not matter.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`]; [`GlobalPlatformError::WeakKey`] for two equal halves,
    /// which are single DES.
    pub fn triple_des(bytes: &[u8]) -> Result<Self, GlobalPlatformError> {
        let wrong = GlobalPlatformError::KeyLength { length: bytes.len() };
        let key: &[u8; 16] = bytes.try_into().map_err(|_| wrong)?;
        let (first, second) = key.split_at(8);
        let without_parity = |byte: &u8| byte & 0xFE;
        if first.iter().map(without_parity).eq(second.iter().map(without_parity)) {
            return Err(GlobalPlatformError::WeakKey);
        }
        Ok(Self { bytes: key.to_vec(), cipher: BlockCipher::Tdes })
    }

    /// The cipher that the key is for.
    #[must_use]
    pub const fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    /// Key check value: the first three bytes of a block encrypted under the key, of `01` bytes for
    /// AES, of zeros for triple DES (GPC §B.5).
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`], never for a key made by [`StaticKey::new`].
    pub fn check_value(&self) -> Result<[u8; 3], GlobalPlatformError> {
        let block: &[u8] = if self.is_triple_des() { &[0; 8] } else { &[1; 16] };
        let block = cipher::encrypt_block(self.cipher, &self.bytes, block)?;
        match block.as_slice() {
            [a, b, c, ..] => Ok([*a, *b, *c]),
            _ => Err(GlobalPlatformError::KeyLength { length: self.bytes.len() }),
        }
    }

    /// Whether this is a key for SCP02.
    #[must_use]
    pub const fn is_triple_des(&self) -> bool {
        matches!(self.cipher, BlockCipher::Tdes)
    }

    /// Encrypts whole blocks as sensitive data: with AES in CBC mode with a zero IV (Amendment D
    /// §6.2.8), with triple DES block by block (GPC §E.4.7).
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] when `data` is not a whole number of blocks.
    pub fn encrypt_sensitive(&self, data: &[u8]) -> Result<Vec<u8>, GlobalPlatformError> {
        if self.is_triple_des() {
            return Ok(cipher::ecb_encrypt(self.cipher, &self.bytes, data)?);
        }
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

/// The three static keys of a key set, all of one cipher and length. The cipher says the protocol:
/// AES keys speak SCP03 and triple DES keys SCP02, never one in the place of the other.
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
    /// Takes three AES keys of one length.
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

    /// Takes three triple DES keys, for SCP02.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`], [`GlobalPlatformError::WeakKey`].
    pub fn new_triple_des(
        version: u8,
        enc: &[u8],
        mac: &[u8],
        dek: &[u8],
    ) -> Result<Self, GlobalPlatformError> {
        Ok(Self {
            version,
            encryption: StaticKey::triple_des(enc)?,
            mac: StaticKey::triple_des(mac)?,
            data_encryption: StaticKey::triple_des(dek)?,
        })
    }

    /// Whether these are keys for SCP02.
    #[must_use]
    pub const fn is_triple_des(&self) -> bool {
        self.encryption.is_triple_des()
    }

    /// Reads what an operator writes: `test` for the public test keys, one key in hexadecimal for
    /// all three purposes, or `ENC:MAC:DEK`; `3des:` before it for keys of SCP02. White space is
    /// ignored.
    ///
    /// # Errors
    /// [`GlobalPlatformError::KeyLength`], for text that is no hexadecimal too;
    /// [`GlobalPlatformError::WeakKey`].
    pub fn parse(text: &str, version: u8) -> Result<Self, GlobalPlatformError> {
        let text: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
        let (triple_des, text) = match text.strip_prefix("3des:") {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let make = if triple_des { Self::new_triple_des } else { Self::new };
        if text == "test" {
            let version = if version == 0 { TEST_VERSION } else { version };
            return make(version, &TEST_KEY, &TEST_KEY, &TEST_KEY);
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
                make(version, &one, &one, &one)
            }
            [enc, mac, dek] => make(version, &key(enc)?, &key(mac)?, &key(dek)?),
            _ => Err(GlobalPlatformError::KeyLength { length: text.len() / 2 }),
        }
    }

    /// The test keys that public samples of cards come with, version 30.
    ///
    /// # Errors
    /// Never; the keys have 16 bytes.
    pub fn test_keys() -> Result<Self, GlobalPlatformError> {
        Self::new(TEST_VERSION, &TEST_KEY, &TEST_KEY, &TEST_KEY)
    }
}

/// The public test key.
const TEST_KEY: [u8; 16] = [
    0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F,
];
/// The version that public samples have it under.
const TEST_VERSION: u8 = 0x30;

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
    fn reads_triple_des_keys_only_where_they_are_named_so() {
        let test = KeySet::parse("3des:test", 0).unwrap();
        assert!(test.is_triple_des());
        // GlobalPlatformPro, TestPlaintextKeys.java: 3DES check value of 40…4F.
        assert_eq!(test.mac.check_value().unwrap(), hex!("8BAF47"));
        assert!(!KeySet::parse("test", 0).unwrap().is_triple_des());
        let error = KeySet::parse(&format!("3des:{}", "0A".repeat(24)), 1).unwrap_err();
        assert_eq!(error, GlobalPlatformError::KeyLength { length: 24 });
    }

    #[test]
    fn refuses_triple_des_keys_that_are_single_des() {
        let single = hex!("0102030405060708 0002030405060709");
        assert_eq!(StaticKey::triple_des(&single).unwrap_err(), GlobalPlatformError::WeakKey);
    }

    #[test]
    fn does_not_show_keys() {
        let shown = format!("{:?}", KeySet::test_keys().unwrap());
        assert!(!shown.contains("40, 41") && !shown.contains("64, 65"), "{shown}");
        assert!(shown.contains("***"));
    }
}
