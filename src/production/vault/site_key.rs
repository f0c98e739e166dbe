//! The key of a site, which wraps the data keys of records: in a key store, or in a file.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::hash::HashAlgorithm;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{NONCE, VaultError};
use crate::error::ErrorCode;

/// Bytes of a tag.
pub(super) const TAG: usize = 16;
/// Bytes of a key.
pub(super) const KEY: usize = 32;

/// A data key: of one record, for one encryption.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY]);

impl DataKey {
    pub(super) fn random(random: &mut dyn CryptoRng) -> Self {
        let mut key = Self([0; KEY]);
        random.fill_bytes(&mut key.0);
        key
    }

    /// Takes what was unwrapped.
    ///
    /// # Errors
    /// [`VaultError::Altered`] where it is no key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VaultError> {
        bytes.try_into().map(Self).map_err(|_| VaultError::Altered)
    }

    /// The bytes, to be wrapped.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}

/// Tells a site key: nothing can be learned of the key from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SiteKeyId([u8; Self::LENGTH]);

impl SiteKeyId {
    /// Bytes of an identifier.
    pub const LENGTH: usize = 8;

    /// Takes the bytes. They must not be taken from an encryption of the zero block under the key, as key
    /// check values are: that block is the key of GCM's own authentication.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Display for SiteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for SiteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteKeyId({self})")
    }
}

/// A wrapped data key: nonce, encrypted key, tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrappedKey([u8; Self::LENGTH]);

impl WrappedKey {
    /// Bytes of a wrapped key.
    pub const LENGTH: usize = NONCE + KEY + TAG;

    /// Takes the bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Nonce, encrypted key with its tag.
    pub(super) fn of(nonce: &[u8; NONCE], encrypted: &[u8]) -> Result<Self, VaultError> {
        let wrapped = [&nonce[..], encrypted].concat();
        wrapped.try_into().map(Self).map_err(|_| VaultError::Altered)
    }

    /// Nonce, encrypted key with its tag.
    pub(super) fn parts(&self) -> Result<(&[u8; NONCE], &[u8]), VaultError> {
        self.0.split_first_chunk().ok_or(VaultError::Altered)
    }
}

/// What wraps data keys, by AES-256-GCM: a key in an HSM, or in software.
pub trait SiteKey: Send {
    /// Tells it from other site keys.
    fn id(&self) -> SiteKeyId;

    /// Wraps a data key with a fresh random nonce.
    ///
    /// # Errors
    /// [`VaultError::Unavailable`].
    fn wrap(
        &self,
        key: &DataKey,
        associated_data: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<WrappedKey, VaultError>;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`VaultError::Altered`] where it was wrapped otherwise; [`VaultError::Unavailable`].
    fn unwrap(&self, key: &WrappedKey, associated_data: &[u8]) -> Result<DataKey, VaultError>;
}

/// A site key in software, wiped when dropped, for sites without an HSM.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SoftwareSiteKey([u8; KEY]);

/// Why the file of a site key cannot be used.
#[derive(Debug, Error)]
pub enum SiteKeyFileError {
    /// It cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// File.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read or write it.
    #[error("{path}: others may read or write it (mode {mode:04o})", path = path.display())]
    Mode {
        /// File.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds something else.
    #[error("{path}: not a key of 64 hexadecimal digits", path = path.display())]
    Malformed {
        /// File.
        path: PathBuf,
    },
}

impl ErrorCode for SiteKeyFileError {
    fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "site_key_file_access",
            Self::Mode { .. } => "site_key_file_mode",
            Self::Malformed { .. } => "site_key_file_malformed",
        }
    }
}

impl SoftwareSiteKey {
    /// Draws a key.
    #[must_use]
    pub fn random(random: &mut dyn CryptoRng) -> Self {
        let mut key = Self([0; KEY]);
        random.fill_bytes(&mut key.0);
        key
    }

    /// Writes the key into a new file that only its owner can read: 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`SiteKeyFileError::File`], where a file is there already too.
    pub fn save(&self, path: &Path) -> Result<(), SiteKeyFileError> {
        let text = Zeroizing::new(hex::encode(self.0));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options
            .open(path)
            .and_then(|mut file| writeln!(file, "{}", *text).and_then(|()| file.sync_all()));
        written.map_err(|source| SiteKeyFileError::File { path: path.to_owned(), source })
    }

    /// Reads the key from its file, which nobody else may read or write.
    ///
    /// # Errors
    /// [`SiteKeyFileError`].
    pub fn load(path: &Path) -> Result<Self, SiteKeyFileError> {
        let owned = || path.to_owned();
        let fail = |source| SiteKeyFileError::File { path: owned(), source };
        let file = std::fs::File::open(path).map_err(fail)?;
        let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SiteKeyFileError::Mode { path: owned(), mode });
        }
        let mut text = Zeroizing::new(String::with_capacity(128));
        let read = file.take(128).read_to_string(&mut text);
        let mut key = Self([0; KEY]);
        read.ok()
            .and_then(|_| hex::decode_to_slice(text.trim(), &mut key.0).ok())
            .ok_or_else(|| SiteKeyFileError::Malformed { path: owned() })?;
        Ok(key)
    }
}

impl SiteKey for SoftwareSiteKey {
    fn id(&self) -> SiteKeyId {
        let digest = HashAlgorithm::Sha256.digest_parts(&[b"cancuoc.site-key-id/1", &self.0]);
        let mut id = [0; SiteKeyId::LENGTH];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        SiteKeyId(id)
    }

    fn wrap(
        &self,
        key: &DataKey,
        associated_data: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<WrappedKey, VaultError> {
        let mut nonce = [0; NONCE];
        random.fill_bytes(&mut nonce);
        let encrypted = gcm_seal(&self.0, &nonce, associated_data, &key.0)?;
        WrappedKey::of(&nonce, &encrypted)
    }

    fn unwrap(&self, key: &WrappedKey, associated_data: &[u8]) -> Result<DataKey, VaultError> {
        let (nonce, encrypted) = key.parts()?;
        DataKey::from_bytes(&gcm_open(&self.0, nonce, associated_data, encrypted)?)
    }
}

impl fmt::Debug for SoftwareSiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftwareSiteKey(***)")
    }
}

/// AES-256-GCM: encrypted message and tag.
pub(super) fn gcm_seal(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    associated_data: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, VaultError> {
    let cipher = Aes256Gcm::new(key.into());
    // Fails only for messages longer than 64 GiB.
    cipher
        .encrypt(nonce.into(), Payload { msg: message, aad: associated_data })
        .map_err(|_| VaultError::TooLong)
}

/// The message; nothing of it where anything was altered.
pub(super) fn gcm_open(
    key: &[u8; KEY],
    nonce: &[u8; NONCE],
    associated_data: &[u8],
    encrypted: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let cipher = Aes256Gcm::new(key.into());
    cipher
        .decrypt(nonce.into(), Payload { msg: encrypted, aad: associated_data })
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Altered)
}
