//! Keys of issuers for the commands that sign: from files or from tokens.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::secret::{self, Source};
use super::{Context, ExitStatus, Failure};
use crate::keystore::{IssuerKey, KeySource, KeyStoreError, KeyUri, Pin, RetryPolicy, Token};
use crate::pki::{DirectoryError, IssuerDirectory, SignerError};

/// Names the module of the key store where a URI does not.
pub(super) const MODULE_VARIABLE: &str = "CANCUOC_PKCS11_MODULE";

/// The module of the key store for URIs that name none.
pub(super) fn default_module() -> Option<PathBuf> {
    std::env::var_os(MODULE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// An option's value that is a URI.
pub(super) fn key_uri(text: &str) -> Result<KeyUri, String> {
    KeyUri::parse(text).map_err(|error| error.to_string())
}

/// The failure of a command: 8 where the store is not available, 7 where something is protected.
pub(super) fn failure(error: &KeyStoreError) -> Failure {
    let exit = match error {
        KeyStoreError::KeyExists(_) | KeyStoreError::TokenInitialized(_) => ExitStatus::Protected,
        KeyStoreError::PinMissing | KeyStoreError::NoModule => ExitStatus::Usage,
        error if error.is_unavailable() => ExitStatus::Unavailable,
        _ => ExitStatus::BadInput,
    };
    let failure = Failure::from_error(exit, error);
    match error {
        KeyStoreError::Directory(
            DirectoryError::File { path, .. }
            | DirectoryError::Pem { path, .. }
            | DirectoryError::Key { path, .. },
        ) => failure.with("path", path.display()),
        _ => failure,
    }
}

/// The failure of signing: 8 where the key store is to blame.
pub(super) fn signer_failure(error: &SignerError) -> Failure {
    let exit = match error {
        SignerError::Key => ExitStatus::BadInput,
        SignerError::Unavailable(_) | SignerError::WrongSignatures { .. } => {
            ExitStatus::Unavailable
        }
    };
    Failure::from_error(exit, error)
}

/// The secret of an option, read when it is first needed and only once: standard input has it but
/// once.
pub(super) struct Secret<'a> {
    context: &'a Context,
    option: &'static str,
    value: &'a str,
    known: OnceCell<Pin>,
}

impl<'a> Secret<'a> {
    pub(super) const fn new(context: &'a Context, option: &'static str, value: &'a str) -> Self {
        Self { context, option, value, known: OnceCell::new() }
    }

    /// The secret.
    pub(super) fn get(&self) -> Result<&Pin, Failure> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let read = secret::read(self.context, self.option, self.value)?;
        Ok(self.known.get_or_init(|| read))
    }

    /// The secret as the PIN of a token: from where the option says; where it was left to be asked
    /// for, from where the URI says. Never from the command line itself, which other users of the
    /// machine can read.
    pub(super) fn pin(&self, uri: &KeyUri) -> Result<Pin, Failure> {
        match &uri.pin_source {
            Some(source) if self.value == "-" => from_source(self.context, self.option, source),
            _ if Source::of(self.value) == Source::Literal => Err(on_command_line(self.option)),
            _ => self.get().cloned(),
        }
    }

    /// Opens the key `name` of an issuer: with the secret as the password of its file, or the PIN
    /// of its token.
    pub(super) fn issuer_key(
        &self,
        directory: &IssuerDirectory,
        name: &str,
    ) -> Result<IssuerKey, Failure> {
        let source = KeySource::of(directory, name).map_err(|e| failure(&e))?;
        let secret = match &source {
            KeySource::File => self.get()?.clone(),
            KeySource::Token(uri) => self.pin(uri)?,
        };
        let module = default_module();
        source.open(directory, name, secret, module.as_deref()).map_err(|e| failure(&e))
    }
}

fn on_command_line(option: &str) -> Failure {
    Failure::new(ExitStatus::Usage, "secret_on_command_line", option).with("option", option)
}

/// A secret that may not stand on the command line itself.
pub(super) fn from_source(context: &Context, option: &str, value: &str) -> Result<Pin, Failure> {
    match Source::of(value) {
        Source::Literal => Err(on_command_line(option)),
        _ => secret::read(context, option, value),
    }
}

/// The token of a URI, with a PIN.
pub(super) fn token(
    uri: &KeyUri,
    module: Option<&Path>,
    pin: Option<Pin>,
) -> Result<std::sync::Arc<Token>, Failure> {
    let default = default_module();
    let module = module.or(default.as_deref());
    Token::open(uri, module, pin, RetryPolicy::default()).map_err(|e| failure(&e))
}

/// The URI as it goes into a file: with the module, so that it can be opened without more.
pub(super) fn complete(token: &Token, uri: &KeyUri) -> KeyUri {
    let module = Some(token.module_path().to_owned());
    KeyUri { module_path: module, ..token.uri_of(uri) }
}
