//! Block ciphers and MACs of secure messaging (ICAO 9303-11 §9.8, GlobalPlatform SCP03).

use alloc::vec;
use alloc::vec::Vec;

use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use cipher::{BlockCipherEncrypt, KeyInit};
use cmac::Mac;
use thiserror::Error;

/// A block cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockCipher {
    /// Two-key triple DES, 16-byte key.
    Tdes,
    /// AES with a 16-byte key.
    Aes128,
    /// AES with a 24-byte key.
    Aes192,
    /// AES with a 32-byte key.
    Aes256,
}

/// Lengths that a cipher cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CipherError {
    /// The key has the wrong number of bytes.
    #[error("key of {0} bytes does not fit the cipher")]
    KeyLength(usize),
    /// The initialisation vector is not one block.
    #[error("initialisation vector of {0} bytes is not one block")]
    IvLength(usize),
    /// The data is not a whole number of blocks.
    #[error("data of {0} bytes is not a whole number of blocks")]
    DataLength(usize),
}

impl BlockCipher {
    /// Bytes of a key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Tdes | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Bytes of a block.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Tdes => 8,
            _ => 16,
        }
    }

    /// Name: `3DES`, `AES-128`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tdes => "3DES",
            Self::Aes128 => "AES-128",
            Self::Aes192 => "AES-192",
            Self::Aes256 => "AES-256",
        }
    }

    /// AES with a key of that many bytes.
    #[must_use]
    pub const fn aes(key_len: usize) -> Option<Self> {
        match key_len {
            16 => Some(Self::Aes128),
            24 => Some(Self::Aes192),
            32 => Some(Self::Aes256),
            _ => None,
        }
    }

    fn check(self, iv: &[u8], data: &[u8]) -> Result<(), CipherError> {
        if iv.len() != self.block_len() {
            return Err(CipherError::IvLength(iv.len()));
        }
        if !data.len().is_multiple_of(self.block_len()) {
            return Err(CipherError::DataLength(data.len()));
        }
        Ok(())
    }
}

/// Encrypts in CBC mode without padding.
///
/// # Errors
/// [`CipherError`] when a length does not fit.
pub fn cbc_encrypt(
    cipher: BlockCipher,
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, CipherError> {
    fn run<E: KeyIvInit + BlockModeEncrypt>(
        key: &[u8],
        iv: &[u8],
        data: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let mode = E::new_from_slices(key, iv).map_err(|_| CipherError::KeyLength(key.len()))?;
        let mut out = vec![0; data.len()];
        mode.encrypt_padded_b2b::<NoPadding>(data, &mut out)
            .map_err(|_| CipherError::DataLength(data.len()))?;
        Ok(out)
    }
    cipher.check(iv, data)?;
    match cipher {
        BlockCipher::Tdes => run::<cbc::Encryptor<des::TdesEde2>>(key, iv, data),
        BlockCipher::Aes128 => run::<cbc::Encryptor<aes::Aes128>>(key, iv, data),
        BlockCipher::Aes192 => run::<cbc::Encryptor<aes::Aes192>>(key, iv, data),
        BlockCipher::Aes256 => run::<cbc::Encryptor<aes::Aes256>>(key, iv, data),
    }
}

/// Decrypts in CBC mode; padding stays.
///
/// # Errors
/// [`CipherError`] when a length does not fit.
pub fn cbc_decrypt(
    cipher: BlockCipher,
    key: &[u8],
    iv: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, CipherError> {
    fn run<D: KeyIvInit + BlockModeDecrypt>(
        key: &[u8],
        iv: &[u8],
        data: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let mode = D::new_from_slices(key, iv).map_err(|_| CipherError::KeyLength(key.len()))?;
        let mut out = vec![0; data.len()];
        mode.decrypt_padded_b2b::<NoPadding>(data, &mut out)
            .map_err(|_| CipherError::DataLength(data.len()))?;
        Ok(out)
    }
    cipher.check(iv, data)?;
    match cipher {
        BlockCipher::Tdes => run::<cbc::Decryptor<des::TdesEde2>>(key, iv, data),
        BlockCipher::Aes128 => run::<cbc::Decryptor<aes::Aes128>>(key, iv, data),
        BlockCipher::Aes192 => run::<cbc::Decryptor<aes::Aes192>>(key, iv, data),
        BlockCipher::Aes256 => run::<cbc::Decryptor<aes::Aes256>>(key, iv, data),
    }
}

/// Encrypts one block.
///
/// # Errors
/// [`CipherError`] when a length does not fit.
pub fn encrypt_block(
    cipher: BlockCipher,
    key: &[u8],
    block: &[u8],
) -> Result<Vec<u8>, CipherError> {
    fn run<C: KeyInit + BlockCipherEncrypt>(
        key: &[u8],
        block: &[u8],
    ) -> Result<Vec<u8>, CipherError> {
        let cipher = C::new_from_slice(key).map_err(|_| CipherError::KeyLength(key.len()))?;
        let mut out = cipher::Block::<C>::try_from(block)
            .map_err(|_| CipherError::DataLength(block.len()))?;
        cipher.encrypt_block(&mut out);
        Ok(out.to_vec())
    }
    match cipher {
        BlockCipher::Tdes => run::<des::TdesEde2>(key, block),
        BlockCipher::Aes128 => run::<aes::Aes128>(key, block),
        BlockCipher::Aes192 => run::<aes::Aes192>(key, block),
        BlockCipher::Aes256 => run::<aes::Aes256>(key, block),
    }
}

/// Encrypts whole blocks one by one, without chaining: what diversification of keys and key
/// transport under SCP02 ask for, and nothing else should.
///
/// # Errors
/// [`CipherError`] when a length does not fit.
pub fn ecb_encrypt(cipher: BlockCipher, key: &[u8], data: &[u8]) -> Result<Vec<u8>, CipherError> {
    if !data.len().is_multiple_of(cipher.block_len()) {
        return Err(CipherError::DataLength(data.len()));
    }
    let mut out = Vec::with_capacity(data.len());
    for block in data.chunks(cipher.block_len()) {
        out.extend(encrypt_block(cipher, key, block)?);
    }
    Ok(out)
}

/// AES-CMAC, all 16 bytes (NIST SP 800-38B).
///
/// # Errors
/// [`CipherError::KeyLength`] when the key does not fit the cipher, or the cipher is not AES.
pub fn cmac(cipher: BlockCipher, key: &[u8], data: &[u8]) -> Result<[u8; 16], CipherError> {
    fn run<M: Mac + KeyInit>(key: &[u8], data: &[u8]) -> Result<[u8; 16], CipherError> {
        let wrong = CipherError::KeyLength(key.len());
        let mut mac = <M as KeyInit>::new_from_slice(key).map_err(|_| wrong)?;
        mac.update(data);
        <[u8; 16]>::try_from(mac.finalize().into_bytes().as_slice()).map_err(|_| wrong)
    }
    match cipher {
        BlockCipher::Tdes => Err(CipherError::KeyLength(key.len())),
        BlockCipher::Aes128 => run::<cmac::Cmac<aes::Aes128>>(key, data),
        BlockCipher::Aes192 => run::<cmac::Cmac<aes::Aes192>>(key, data),
        BlockCipher::Aes256 => run::<cmac::Cmac<aes::Aes256>>(key, data),
    }
}

/// Retail MAC: ISO/IEC 9797-1 MAC algorithm 3 with DES, 16-byte key, zero IV; pads the data by
/// method 2 itself.
///
/// # Errors
/// [`CipherError::KeyLength`] unless the key has 16 bytes.
pub fn retail_mac(key: &[u8], data: &[u8]) -> Result<[u8; 8], CipherError> {
    retail_mac_chained(key, &[0; 8], data)
}

/// [`retail_mac()`] with an initial chaining value: what a MAC over several commands goes on from.
///
/// # Errors
/// [`CipherError::KeyLength`] unless the key has 16 bytes.
pub fn retail_mac_chained(key: &[u8], icv: &[u8; 8], data: &[u8]) -> Result<[u8; 8], CipherError> {
    use retail_mac::{KeyInit, Mac};
    let wrong = CipherError::KeyLength(key.len());
    let mut mac = retail_mac::RetailMac::<des::Des>::new_from_slice(key).map_err(|_| wrong)?;
    // The crate pads with zeros only (method 1); the padding of method 2 makes whole blocks, to
    // which it adds nothing.
    let mut padded = pad(data, 8);
    // In CBC mode a chaining value is what the first block is added to.
    for (byte, chained) in padded.iter_mut().zip(icv) {
        *byte ^= chained;
    }
    mac.update(&padded);
    <[u8; 8]>::try_from(mac.finalize().into_bytes().as_slice()).map_err(|_| wrong)
}

/// Pads by ISO/IEC 9797-1 method 2: `80`, then zeros up to a whole block.
#[must_use]
pub fn pad(data: &[u8], block_len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + block_len);
    out.extend_from_slice(data);
    out.push(0x80);
    out.resize(out.len().next_multiple_of(block_len.max(1)), 0);
    out
}

/// Takes the padding of method 2 off; `None` when there is none.
#[must_use]
pub fn unpad(data: &[u8]) -> Option<&[u8]> {
    let marker = data.iter().rposition(|b| *b != 0)?;
    if data[marker] == 0x80 { data.get(..marker) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    #[test]
    fn cmac_gives_the_published_values() {
        // RFC 4493 §4.
        let key = hex!("2b7e151628aed2a6abf7158809cf4f3c");
        assert_eq!(
            cmac(BlockCipher::Aes128, &key, b"").unwrap(),
            hex!("bb1d6929e95937287fa37d129b756746")
        );
        assert_eq!(
            cmac(BlockCipher::Aes128, &key, &hex!("6bc1bee22e409f96e93d7e117393172a")).unwrap(),
            hex!("070a16b46b4d4144f79bdd9dd04a287c")
        );
    }

    #[test]
    fn retail_mac_and_3des_give_the_values_of_the_bac_example() {
        // ICAO 9303-11 appendix D.3: E_IFD and M_IFD.
        let k_enc = hex!("AB94FDECF2674FDFB9B391F85D7F76F2");
        let k_mac = hex!("7962D9ECE03D1ACD4C76089DCE131543");
        let s = hex!("781723860C06C2264608F919887022120B795240CB7049B01C19B33E32804F0B");
        let e = cbc_encrypt(BlockCipher::Tdes, &k_enc, &[0; 8], &s).unwrap();
        assert_eq!(e, hex!("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2"));
        assert_eq!(retail_mac(&k_mac, &e).unwrap(), hex!("5F1448EEA8AD90A7"));
        assert_eq!(cbc_decrypt(BlockCipher::Tdes, &k_enc, &[0; 8], &e).unwrap(), s);
    }

    #[test]
    fn aes_gives_the_published_value() {
        // FIPS 197 appendix B.
        let key = hex!("2b7e151628aed2a6abf7158809cf4f3c");
        let block = hex!("3243f6a8885a308d313198a2e0370734");
        assert_eq!(
            encrypt_block(BlockCipher::Aes128, &key, &block).unwrap(),
            hex!("3925841d02dc09fbdc118597196a0b32")
        );
    }

    #[test]
    fn refuses_wrong_lengths() {
        let aes = BlockCipher::Aes128;
        assert_eq!(cbc_encrypt(aes, &[0; 15], &[0; 16], &[]), Err(CipherError::KeyLength(15)));
        assert_eq!(cbc_encrypt(aes, &[0; 16], &[0; 8], &[]), Err(CipherError::IvLength(8)));
        assert_eq!(cbc_decrypt(aes, &[0; 16], &[0; 16], &[0; 9]), Err(CipherError::DataLength(9)));
        assert_eq!(encrypt_block(aes, &[0; 16], &[0; 9]), Err(CipherError::DataLength(9)));
        assert_eq!(retail_mac(&[0; 8], &[]), Err(CipherError::KeyLength(8)));
    }

    #[test]
    fn refuses_padding_without_its_mark() {
        assert_eq!(unpad(&[1, 2, 0, 0]), None);
        assert_eq!(unpad(&[0, 0]), None);
        assert_eq!(unpad(&[]), None);
    }

    proptest! {
        #[test]
        fn padding_comes_off_again(data in prop::collection::vec(any::<u8>(), 0..100), block in 1usize..33) {
            let padded = pad(&data, block);
            prop_assert!(padded.len().is_multiple_of(block) && padded.len() > data.len());
            prop_assert_eq!(unpad(&padded), Some(&data[..]));
        }

        #[test]
        fn cbc_decrypts_what_it_encrypted(
            cipher in prop::sample::select(vec![BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256]),
            key in prop::collection::vec(any::<u8>(), 32), iv in prop::collection::vec(any::<u8>(), 16),
            blocks in 0usize..5, byte in any::<u8>(),
        ) {
            let (key, iv) = (&key[..cipher.key_len()], &iv[..cipher.block_len()]);
            let data = vec![byte; blocks * cipher.block_len()];
            let e = cbc_encrypt(cipher, key, iv, &data).unwrap();
            prop_assert_eq!(cbc_decrypt(cipher, key, iv, &e).unwrap(), data);
        }
    }
}
