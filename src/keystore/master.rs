//! Master keys, from which the keys of each card are derived: what the derivations need of them,
//! with the key in a token or, where that was asked for, in memory.

use std::fmt;
use std::sync::Arc;

use cancuoc_primitives::cipher::{self, BlockCipher};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass};
use zeroize::Zeroizing;

use super::token::Failed;
use super::{KeyStoreError, KeyUri, Token};

/// A key that diversifies: it encrypts and authenticates, and is never seen. The results are
/// keys themselves or parts of them, so they are wiped when dropped.
///
/// That is all that the derivation of SCP03 (AES-CMAC in counter mode), of EMV CPS and of VISA2
/// (3DES in ECB mode) need.
pub trait MasterKey {
    /// The cipher it is a key of: two-key triple DES or AES.
    fn cipher(&self) -> BlockCipher;

    /// AES-CMAC of a message, 16 bytes (NIST SP 800-38B).
    ///
    /// # Errors
    /// [`KeyStoreError::KeyUnsuitable`] for a key that is not for AES; what the store says.
    fn cmac(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;

    /// Encrypts whole blocks in ECB mode.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyUnsuitable`] for data that is not whole blocks; what the store says.
    fn encrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;

    /// Encrypts whole blocks in CBC mode with an initialisation vector of one block.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyUnsuitable`] for lengths that do not fit; what the store says.
    fn encrypt_cbc(&self, iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError>;

    /// Its check value.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    fn check_value(&self, method: CheckValueMethod) -> Result<CheckValue, KeyStoreError> {
        let block = match method {
            CheckValueMethod::Zeros => self.encrypt_ecb(&vec![0; self.cipher().block_len()])?,
            CheckValueMethod::Ones => self.encrypt_ecb(&vec![1; self.cipher().block_len()])?,
            CheckValueMethod::Cmac => self.cmac(&[0; 16])?,
        };
        let mut value = [0; 3];
        value.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
        Ok(CheckValue(value))
    }
}

/// How a check value is made of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckValueMethod {
    /// A block of zeros encrypted: 3DES keys everywhere, CKA_CHECK_VALUE of PKCS#11.
    Zeros,
    /// A block of `01` bytes encrypted: AES keys of GlobalPlatform cards (GPC B.5).
    Ones,
    /// The CMAC of a block of zeros: AES keys by ANSI X9.24-1.
    Cmac,
}

impl CheckValueMethod {
    /// The usual one for cards with keys of a cipher.
    #[must_use]
    pub const fn usual(cipher: BlockCipher) -> Self {
        match cipher {
            BlockCipher::Tdes => Self::Zeros,
            _ => Self::Ones,
        }
    }
}

/// The first three bytes of something computed with a key, by which people tell keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckValue(pub [u8; 3]);

impl fmt::Display for CheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

/// Lengths that the operations take.
fn check_lengths(cipher: BlockCipher, iv: Option<&[u8]>, data: &[u8]) -> Result<(), KeyStoreError> {
    let block = cipher.block_len();
    let whole = !data.is_empty() && data.len().is_multiple_of(block);
    if whole && iv.is_none_or(|iv| iv.len() == block) {
        return Ok(());
    }
    let what = format!("{} works on whole blocks of {block} bytes", cipher.name());
    Err(KeyStoreError::KeyUnsuitable(what))
}

fn only_aes(cipher: BlockCipher) -> Result<(), KeyStoreError> {
    match cipher {
        BlockCipher::Tdes => Err(KeyStoreError::KeyUnsuitable("CMAC is for AES".to_owned())),
        _ => Ok(()),
    }
}

/// A master key in memory, wiped when dropped.
pub struct SoftwareMasterKey {
    cipher: BlockCipher,
    bytes: Zeroizing<Vec<u8>>,
}

impl SoftwareMasterKey {
    /// Takes the bytes of a key.
    ///
    /// # Errors
    /// [`KeyStoreError::KeyUnsuitable`] for another length than the cipher's.
    pub fn new(cipher: BlockCipher, bytes: &[u8]) -> Result<Self, KeyStoreError> {
        if bytes.len() != cipher.key_len() {
            let what = format!("{} bytes are no key for {}", bytes.len(), cipher.name());
            return Err(KeyStoreError::KeyUnsuitable(what));
        }
        Ok(Self { cipher, bytes: Zeroizing::new(bytes.to_vec()) })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for SoftwareMasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareMasterKey({}, ***)", self.cipher.name())
    }
}

fn lengths(error: cipher::CipherError) -> KeyStoreError {
    KeyStoreError::KeyUnsuitable(error.to_string())
}

impl MasterKey for SoftwareMasterKey {
    fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    fn cmac(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        only_aes(self.cipher)?;
        let mac = Zeroizing::new(cipher::cmac(self.cipher, &self.bytes, message).map_err(lengths)?);
        Ok(Zeroizing::new(mac.to_vec()))
    }

    fn encrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        check_lengths(self.cipher, None, data)?;
        let mut out = Zeroizing::new(Vec::with_capacity(data.len()));
        for block in data.chunks(self.cipher.block_len()) {
            let block = cipher::encrypt_block(self.cipher, &self.bytes, block).map_err(lengths)?;
            out.extend_from_slice(&Zeroizing::new(block));
        }
        Ok(out)
    }

    fn encrypt_cbc(&self, iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        check_lengths(self.cipher, Some(iv), data)?;
        let out = cipher::cbc_encrypt(self.cipher, &self.bytes, iv, data);
        out.map(Zeroizing::new).map_err(lengths)
    }
}

/// A master key in a token: it never leaves it.
pub struct TokenMasterKey {
    token: Arc<Token>,
    uri: KeyUri,
    cipher: BlockCipher,
}

impl Token {
    /// The master key that a URI names.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    pub fn master_key(self: &Arc<Self>, uri: &KeyUri) -> Result<TokenMasterKey, KeyStoreError> {
        let cipher = self.run("master key", |connection| {
            let handle = self.handle(connection, uri, ObjectClass::SECRET_KEY)?;
            let wanted = [AttributeType::KeyType, AttributeType::ValueLen];
            let attributes = connection.session.get_attributes(handle, &wanted)?;
            cipher_of(&attributes).ok_or_else(|| {
                let what = "it is neither two-key 3DES nor AES".to_owned();
                Failed::from(KeyStoreError::KeyUnsuitable(what))
            })
        })?;
        Ok(TokenMasterKey { token: Arc::clone(self), uri: uri.clone(), cipher })
    }
}

/// The cipher of a secret key, by its attributes.
pub(super) fn cipher_of(attributes: &[Attribute]) -> Option<BlockCipher> {
    let length = attributes.iter().find_map(|attribute| match attribute {
        Attribute::ValueLen(length) => usize::try_from(**length).ok(),
        _ => None,
    });
    attributes.iter().find_map(|attribute| match attribute {
        Attribute::KeyType(KeyType::DES2) => Some(BlockCipher::Tdes),
        Attribute::KeyType(KeyType::AES) => BlockCipher::aes(length?),
        _ => None,
    })
}

impl TokenMasterKey {
    /// The URI of the key.
    #[must_use]
    pub fn uri(&self) -> KeyUri {
        self.token.uri_of(&self.uri)
    }

    fn encrypt(
        &self,
        mechanism: &Mechanism<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        self.token.run("encryption", |connection| {
            let key = self.token.handle(connection, &self.uri, ObjectClass::SECRET_KEY)?;
            Ok(Zeroizing::new(connection.session.encrypt(mechanism, key, data)?))
        })
    }
}

impl MasterKey for TokenMasterKey {
    fn cipher(&self) -> BlockCipher {
        self.cipher
    }

    fn cmac(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        only_aes(self.cipher)?;
        self.token.run("CMAC", |connection| {
            let key = self.token.handle(connection, &self.uri, ObjectClass::SECRET_KEY)?;
            Ok(Zeroizing::new(connection.session.sign(&Mechanism::AesCMac, key, message)?))
        })
    }

    fn encrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        check_lengths(self.cipher, None, data)?;
        let mechanism = match self.cipher {
            BlockCipher::Tdes => Mechanism::Des3Ecb,
            _ => Mechanism::AesEcb,
        };
        self.encrypt(&mechanism, data)
    }

    fn encrypt_cbc(&self, iv: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyStoreError> {
        check_lengths(self.cipher, Some(iv), data)?;
        let length = || KeyStoreError::KeyUnsuitable("initialisation vector".to_owned());
        let mechanism = match self.cipher {
            BlockCipher::Tdes => Mechanism::Des3Cbc(iv.try_into().map_err(|_| length())?),
            _ => Mechanism::AesCbc(iv.try_into().map_err(|_| length())?),
        };
        self.encrypt(&mechanism, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn check_values_are_the_ones_that_others_give() {
        // GlobalPlatform: pySim, tests/unittests/test_globalplatform.py (SCP03_KCV_Test). CMAC:
        // RFC 4493 has none over zeros, so openssl mac -cipher AES-128-CBC gave it, as openssl enc
        // -des-ede and -aes-128-ecb gave those over zeros.
        let aes = hex!("000102030405060708090a0b0c0d0e0f");
        let aes = SoftwareMasterKey::new(BlockCipher::Aes128, &aes).unwrap();
        let value = |method| aes.check_value(method).unwrap().to_string();
        assert_eq!(value(CheckValueMethod::Ones), "C35280");
        assert_eq!(value(CheckValueMethod::Zeros), "C6A13B");
        assert_eq!(value(CheckValueMethod::Cmac), "BE7ED6");
        let tdes = hex!("404142434445464748494A4B4C4D4E4F");
        let tdes = SoftwareMasterKey::new(BlockCipher::Tdes, &tdes).unwrap();
        assert_eq!(tdes.check_value(CheckValueMethod::Zeros).unwrap().to_string(), "8BAF47");
    }

    #[test]
    fn modes_are_the_published_ones() {
        // NIST SP 800-38A F.1.1 and F.2.1; RFC 4493 §4.
        let key = hex!("2b7e151628aed2a6abf7158809cf4f3c");
        let key = SoftwareMasterKey::new(BlockCipher::Aes128, &key).unwrap();
        let plain = hex!("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        let ecb = hex!("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf");
        assert_eq!(key.encrypt_ecb(&plain).unwrap().as_slice(), ecb);
        let iv = hex!("000102030405060708090a0b0c0d0e0f");
        let cbc = hex!("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2");
        assert_eq!(key.encrypt_cbc(&iv, &plain).unwrap().as_slice(), cbc);
        let mac = hex!("070a16b46b4d4144f79bdd9dd04a287c");
        assert_eq!(key.cmac(&plain[..16]).unwrap().as_slice(), mac);
    }

    #[test]
    fn refuses_lengths_and_operations_that_do_not_fit() {
        let tdes = SoftwareMasterKey::new(BlockCipher::Tdes, &[7; 16]).unwrap();
        assert!(tdes.cmac(b"x").is_err());
        assert!(tdes.encrypt_ecb(&[0; 7]).is_err());
        assert!(tdes.encrypt_ecb(&[]).is_err());
        assert!(tdes.encrypt_cbc(&[0; 16], &[0; 8]).is_err());
        assert!(SoftwareMasterKey::new(BlockCipher::Aes192, &[0; 16]).is_err());
    }

    #[test]
    fn shows_no_key() {
        let key = SoftwareMasterKey::new(BlockCipher::Aes128, &[0xAB; 16]).unwrap();
        let shown = format!("{key:?}");
        assert!(!shown.contains("171") && shown.contains("***"), "{shown}");
    }
}
