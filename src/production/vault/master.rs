//! A site key that never leaves its key store: it derives the keys that wrap, one for each data key.
//!
//! A token computes AES-CMAC with the key. By the key derivation function of NIST SP 800-108 in counter mode
//! (one byte of counter, label, zero byte, context, length in bits) it gives the 32 bytes of a wrapping key
//! whose context is the nonce of the wrapping. So no wrapping key is used with two nonces, and two
//! wrappings have the same key only if they have the same random 96 bits.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::cipher::BlockCipher;
use zeroize::Zeroizing;

use super::site_key::{KEY, gcm_open, gcm_seal};
use super::{DataKey, NONCE, SiteKey, SiteKeyId, VaultError, WrappedKey};
use crate::keystore::{KeyStoreError, MasterKey};

const LABEL: &[u8] = b"cancuoc.vault/1 wrapping key";
const IDENTIFIER: &[u8] = b"cancuoc.site-key-id/1";

/// An AES-256 key of a key store as the key of a site.
pub struct MasterSiteKey<K> {
    key: K,
    id: SiteKeyId,
}

impl<K: MasterKey + Send> MasterSiteKey<K> {
    /// Takes the key.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`] where the store does not answer, or the key is not for AES-256.
    pub fn new(key: K) -> Result<Self, VaultError> {
        if key.cipher() != BlockCipher::Aes256 {
            return Err(VaultError::Unavailable("the site key is not for AES-256".to_owned()));
        }
        let mac = key.cmac(IDENTIFIER).map_err(unavailable)?;
        let id = mac.first_chunk().ok_or_else(short)?;
        Ok(Self { id: SiteKeyId::new(*id), key })
    }

    fn wrapping_key(&self, nonce: &[u8; NONCE]) -> Result<Zeroizing<[u8; KEY]>, VaultError> {
        let mut key = Zeroizing::new([0; KEY]);
        for (counter, half) in (1_u8..).zip(key.chunks_mut(16)) {
            let bits = (KEY as u16 * 8).to_be_bytes();
            let message = [&[counter][..], LABEL, &[0], nonce, &bits].concat();
            let mac = self.key.cmac(&message).map_err(unavailable)?;
            half.copy_from_slice(mac.first_chunk::<16>().ok_or_else(short)?);
        }
        Ok(key)
    }
}

fn unavailable(error: KeyStoreError) -> VaultError {
    VaultError::Unavailable(error.to_string())
}

fn short() -> VaultError {
    VaultError::Unavailable("a CMAC that is too short".to_owned())
}

impl<K: MasterKey + Send> SiteKey for MasterSiteKey<K> {
    fn id(&self) -> SiteKeyId {
        self.id
    }

    fn wrap(
        &self,
        key: &DataKey,
        associated_data: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<WrappedKey, VaultError> {
        let mut nonce = [0; NONCE];
        random.fill_bytes(&mut nonce);
        let wrapping = self.wrapping_key(&nonce)?;
        let encrypted = gcm_seal(&wrapping, &nonce, associated_data, key.as_bytes())?;
        WrappedKey::of(&nonce, &encrypted)
    }

    fn unwrap(&self, key: &WrappedKey, associated_data: &[u8]) -> Result<DataKey, VaultError> {
        let (nonce, encrypted) = key.parts()?;
        let wrapping = self.wrapping_key(nonce)?;
        DataKey::from_bytes(&gcm_open(&wrapping, nonce, associated_data, encrypted)?)
    }
}

impl<K> std::fmt::Debug for MasterSiteKey<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterSiteKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::SoftwareMasterKey;
    use crate::production::vault::{Binding, open, rewrap, seal};

    const BINDING: Binding<'static> = Binding { record: "REC-1", run: "R1" };

    fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
        rand_core::UnwrapErr(getrandom::SysRng)
    }

    fn site_key(byte: u8) -> MasterSiteKey<SoftwareMasterKey> {
        let key = SoftwareMasterKey::new(BlockCipher::Aes256, &[byte; 32]).unwrap();
        MasterSiteKey::new(key).unwrap()
    }

    #[test]
    fn what_a_key_store_wraps_opens_under_it_alone() {
        let (key, other) = (site_key(1), site_key(2));
        let sealed = seal(&key, &BINDING, b"record", &mut random()).unwrap();
        assert_eq!(*open(&[&other, &key], &BINDING, &sealed).unwrap(), b"record");
        assert_eq!(open(&[&other], &BINDING, &sealed), Err(VaultError::OtherKey(key.id())));
        let elsewhere = Binding { run: "R2", ..BINDING };
        assert_eq!(open(&[&key], &elsewhere, &sealed), Err(VaultError::Altered));
    }

    #[test]
    fn each_data_key_has_a_wrapping_key_of_its_own() {
        let key = site_key(1);
        let one = key.wrapping_key(&[1; NONCE]).unwrap();
        assert_ne!(one[..16], one[16..]);
        assert_ne!(one, key.wrapping_key(&[2; NONCE]).unwrap());
        assert_eq!(one, key.wrapping_key(&[1; NONCE]).unwrap());
    }

    #[test]
    fn a_site_moves_from_a_file_to_a_key_store() {
        let (old, new) = (super::super::SoftwareSiteKey::random(&mut random()), site_key(1));
        let sealed = seal(&old, &BINDING, b"record", &mut random()).unwrap();
        let moved = rewrap(&old, &new, &BINDING, &sealed, &mut random()).unwrap().unwrap();
        assert_eq!(*open(&[&new], &BINDING, &moved).unwrap(), b"record");
    }

    #[test]
    fn a_shorter_key_is_no_site_key() {
        let key = SoftwareMasterKey::new(BlockCipher::Aes128, &[1; 16]).unwrap();
        assert!(matches!(MasterSiteKey::new(key), Err(VaultError::Unavailable(_))));
    }
}
