//! Personal data at rest: what the journal keeps of a record until its card is made, and its erasure.
//!
//! # Form
//!
//! A sealed record is, in this order:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `CCV1` |
//! | 8 | identifier of the site key |
//! | 60 | the data key, wrapped by the site key: nonce (12), encrypted key (32), tag (16) |
//! | 12 | nonce |
//! | length of the record | encrypted record |
//! | 16 | tag |
//!
//! Both encryptions are AES-256-GCM (NIST SP 800-38D) with tags of 16 bytes. The associated data of both
//! bind the record's identifier and its run, so that nothing that is sealed can be put in another's place;
//! the wrapped key is bound to the site key's identifier besides. Sizes but the record's own are constant.
//!
//! # No nonce twice
//!
//! A data key is drawn for one sealing and encrypts one message, so no nonce of it can come twice. The site
//! key wraps with random nonces of 96 bits. SP 800-38D §8.3 allows 2^32 of them under one key, which is
//! some forty times the cards of the whole country; a site changes its key long before ([`rewrap`]).
//!
//! # Erasure
//!
//! When the time of a [`Retention`] is over, the journal deletes what was sealed, wrapped data key and encrypted
//! record together, and puts the digest of what is gone, the time and the rule into the audit record in the
//! same transaction. Copies, of a database in a backup for instance, still hold the wrapped key; they become
//! unreadable when the site key is changed and the old one destroyed.

mod master;
mod retention;
mod site_key;

use cancuoc_primitives::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

pub use master::MasterSiteKey;
pub use retention::Retention;
pub use site_key::{DataKey, SiteKey, SiteKeyFileError, SiteKeyId, SoftwareSiteKey, WrappedKey};

use crate::error::ErrorCode;
use site_key::{TAG, gcm_open, gcm_seal};

/// The largest record that is sealed, in bytes.
pub const MAX_RECORD: usize = 4 << 20;
/// Bytes that sealing adds.
pub const OVERHEAD: usize = HEADER + NONCE + TAG;

const MARK: &[u8; 4] = b"CCV1";
const NONCE: usize = 12;
/// Mark, identifier of the site key, wrapped data key.
const HEADER: usize = 4 + SiteKeyId::LENGTH + WrappedKey::LENGTH;

/// Why something is not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VaultError {
    /// Longer than any record.
    #[error("a record of more than {MAX_RECORD} bytes")]
    TooLong,
    /// Not a sealed record.
    #[error("not a sealed record: {0}")]
    Malformed(&'static str),
    /// Sealed under a site key that is not at hand.
    #[error("sealed under the site key {0}, which is not given")]
    OtherKey(SiteKeyId),
    /// It was altered, or belongs to another record or run.
    #[error("a sealed record was altered, or belongs to another record")]
    Altered,
    /// The key store does not answer.
    #[error("the site key is not available: {0}")]
    Unavailable(String),
}

impl ErrorCode for VaultError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "vault_too_long",
            Self::Malformed(_) => "vault_malformed",
            Self::OtherKey(_) => "vault_other_key",
            Self::Altered => "vault_altered",
            Self::Unavailable(_) => "vault_key_unavailable",
        }
    }
}

/// What a sealed record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// Opaque identifier of the record.
    pub record: &'a str,
    /// Its run.
    pub run: &'a str,
}

impl Binding<'_> {
    /// Associated data: each part with its length before it, so that no two bindings give the same.
    fn associated_data(&self, purpose: &str) -> Vec<u8> {
        let mut data = Vec::new();
        for part in ["cancuoc.vault/1", purpose, self.record, self.run] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part.as_bytes());
        }
        data
    }

    fn for_key(&self, site_key: SiteKeyId) -> Vec<u8> {
        let mut data = self.associated_data("key");
        data.extend(site_key.as_bytes());
        data
    }

    fn for_record(&self) -> Vec<u8> {
        self.associated_data("record")
    }
}

/// Seals a record under a data key of its own.
///
/// # Errors
/// [`VaultError::TooLong`], [`VaultError::Unavailable`].
pub fn seal(
    site_key: &dyn SiteKey,
    binding: &Binding<'_>,
    record: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, VaultError> {
    if record.len() > MAX_RECORD {
        return Err(VaultError::TooLong);
    }
    let data_key = DataKey::random(random);
    let mut nonce = [0; NONCE];
    random.fill_bytes(&mut nonce);
    let encrypted = gcm_seal(data_key.as_bytes(), &nonce, &binding.for_record(), record)?;
    let header = header(site_key, &data_key, binding, random)?;
    Ok([&header[..], &nonce, &encrypted].concat())
}

fn header(
    site_key: &dyn SiteKey,
    data_key: &DataKey,
    binding: &Binding<'_>,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, VaultError> {
    let id = site_key.id();
    let wrapped = site_key.wrap(data_key, &binding.for_key(id), random)?;
    Ok([&MARK[..], id.as_bytes(), wrapped.as_bytes()].concat())
}

/// A sealed record taken apart.
struct Parts<'a> {
    site_key: SiteKeyId,
    wrapped: WrappedKey,
    nonce: [u8; NONCE],
    encrypted: &'a [u8],
}

fn parts(bytes: &[u8]) -> Result<Parts<'_>, VaultError> {
    if bytes.len() > MAX_RECORD + OVERHEAD {
        return Err(VaultError::TooLong);
    }
    let short = VaultError::Malformed("too short");
    let (mark, rest) = bytes.split_first_chunk::<4>().ok_or(short.clone())?;
    if mark != MARK {
        return Err(VaultError::Malformed("another mark"));
    }
    let (id, rest) = rest.split_first_chunk().ok_or(short.clone())?;
    let (wrapped, rest) = rest.split_first_chunk().ok_or(short.clone())?;
    let (nonce, encrypted) = rest.split_first_chunk().ok_or(short.clone())?;
    if encrypted.len() < TAG {
        return Err(short);
    }
    Ok(Parts {
        site_key: SiteKeyId::new(*id),
        wrapped: WrappedKey::new(*wrapped),
        nonce: *nonce,
        encrypted,
    })
}

fn data_key(
    site_keys: &[&dyn SiteKey],
    binding: &Binding<'_>,
    parts: &Parts<'_>,
) -> Result<DataKey, VaultError> {
    let key = site_keys.iter().find(|key| key.id() == parts.site_key);
    let key = key.ok_or(VaultError::OtherKey(parts.site_key))?;
    key.unwrap(&parts.wrapped, &binding.for_key(parts.site_key))
}

/// Opens a sealed record with the one of the site keys that it was sealed under.
///
/// # Errors
/// [`VaultError`].
pub fn open(
    site_keys: &[&dyn SiteKey],
    binding: &Binding<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let parts = parts(sealed)?;
    let key = data_key(site_keys, binding, &parts)?;
    gcm_open(key.as_bytes(), &parts.nonce, &binding.for_record(), parts.encrypted)
}

/// Wraps the data key of a sealed record under another site key; the record is not encrypted anew. None
/// where it is wrapped under that key already.
///
/// # Errors
/// [`VaultError`].
pub fn rewrap(
    old: &dyn SiteKey,
    new: &dyn SiteKey,
    binding: &Binding<'_>,
    sealed: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<Option<Vec<u8>>, VaultError> {
    let parts = parts(sealed)?;
    if parts.site_key == new.id() {
        return Ok(None);
    }
    let data_key = data_key(&[old], binding, &parts)?;
    // A record that does not open now would not open later either, when the old key is gone.
    gcm_open(data_key.as_bytes(), &parts.nonce, &binding.for_record(), parts.encrypted)?;
    let header = header(new, &data_key, binding, random)?;
    Ok(Some([&header[..], &parts.nonce, parts.encrypted].concat()))
}

/// The site key that a sealed record is under.
///
/// # Errors
/// [`VaultError::Malformed`], [`VaultError::TooLong`].
pub fn site_key_of(sealed: &[u8]) -> Result<SiteKeyId, VaultError> {
    Ok(parts(sealed)?.site_key)
}

#[cfg(test)]
mod tests;
