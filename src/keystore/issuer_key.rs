//! The key of an issuer: in an encrypted file, or in a token that a file beside the certificate
//! names.
//!
//! ```text
//! ds.crt   ds.key        a key in a file
//! ds.crt   ds.uri        a key in a token: one pkcs11: URI, lines with # are comments
//! ```

use std::path::Path;

use cancuoc_primitives::CryptoRng;

use super::{KeyStoreError, KeyUri, Pin, RetryPolicy, Token, TokenSigner};
use crate::lds::{PublicKey, SignatureAlgorithm};
use crate::pki::{IssuerDirectory, Signer, SignerError, SoftwareKey};

/// Where the private key of an issuer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In an encrypted file.
    File,
    /// In a token.
    Token(Box<KeyUri>),
}

/// An opened key of an issuer.
pub enum IssuerKey {
    /// From a file.
    Software(Box<SoftwareKey>),
    /// In a token.
    Token(Box<TokenSigner>),
}

impl KeySource {
    /// Where the key `name` (`csca`, `ds`, `mls`) of an issuer's folder is.
    ///
    /// # Errors
    /// [`KeyStoreError`]: a file with a URI that is none, or both kinds of files at once.
    pub fn of(directory: &IssuerDirectory, name: &str) -> Result<Self, KeyStoreError> {
        let file = format!("{name}.uri");
        let Some(text) = directory.text(&file)? else { return Ok(Self::File) };
        let path = directory.file(&file);
        if directory.file(&format!("{name}.key")).exists() {
            let uri = path.display().to_string();
            return Err(KeyStoreError::KeyAmbiguous { uri, count: 2 });
        }
        let lines = text.lines().map(str::trim);
        let mut uris = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let uri = KeyUri::parse(uris.next().unwrap_or_default());
        let uri = uri.map_err(|source| KeyStoreError::UriFile { path: path.clone(), source })?;
        if uris.next().is_some() {
            let uri = path.display().to_string();
            return Err(KeyStoreError::KeyAmbiguous { uri, count: 2 });
        }
        Ok(Self::Token(Box::new(uri)))
    }

    /// Where the URI says that its PIN comes from.
    #[must_use]
    pub fn pin_source(&self) -> Option<&str> {
        match self {
            Self::File => None,
            Self::Token(uri) => uri.pin_source.as_deref(),
        }
    }

    /// Opens the key with the password of its file or the PIN of its token.
    ///
    /// # Errors
    /// [`KeyStoreError`].
    pub fn open(
        &self,
        directory: &IssuerDirectory,
        name: &str,
        secret: Pin,
        default_module: Option<&Path>,
    ) -> Result<IssuerKey, KeyStoreError> {
        match self {
            Self::File => Ok(IssuerKey::Software(Box::new(directory.key(name, &secret)?))),
            Self::Token(uri) => {
                let policy = RetryPolicy::default();
                let token = Token::open(uri, default_module, Some(secret), policy)?;
                Ok(IssuerKey::Token(Box::new(token.signer(uri)?)))
            }
        }
    }
}

impl IssuerKey {
    fn signer(&self) -> &dyn Signer {
        match self {
            Self::Software(key) => &**key,
            Self::Token(key) => &**key,
        }
    }
}

impl Signer for IssuerKey {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer().algorithm()
    }

    fn public_key(&self) -> PublicKey {
        self.signer().public_key()
    }

    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        self.signer().sign(message, random)
    }

    fn sign_verified(
        &self,
        message: &[u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, SignerError> {
        self.signer().sign_verified(message, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn source(files: &[(&str, &str)]) -> Result<KeySource, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        KeySource::of(&IssuerDirectory::new(folder.path()), "ds").map_err(|error| error.code())
    }

    #[test]
    fn a_key_is_in_its_file_unless_a_file_names_a_token() {
        assert_eq!(source(&[]), Ok(KeySource::File));
        let uri = "# HSM of room 2\n\npkcs11:token=VN;object=ds\n";
        let named = KeyUri::parse("pkcs11:token=VN;object=ds").unwrap();
        assert_eq!(source(&[("ds.uri", uri)]), Ok(KeySource::Token(Box::new(named))));
    }

    #[test]
    fn refuses_what_leaves_in_doubt_which_key_is_meant() {
        let uri = "pkcs11:token=VN;object=ds";
        let both = source(&[("ds.uri", uri), ("ds.key", "")]);
        assert_eq!(both, Err("key_store_key_ambiguous"));
        let two = source(&[("ds.uri", &format!("{uri}\n{uri}2\n"))]);
        assert_eq!(two, Err("key_store_key_ambiguous"));
        assert_eq!(source(&[("ds.uri", "\n")]), Err("key_uri_file_malformed"));
    }
}
