//! The options that name the keys of a card's issuer security domain.

use std::path::{Path, PathBuf};

use clap::Args;

use super::reader::CARD_PREFIX;
use super::{Context, ExitStatus, Failure, secret};
use crate::globalplatform::KeySet;
use crate::globalplatform::diversification::Diversification;

/// Where the keys of a card come from.
#[derive(Debug, Args)]
pub(super) struct CardKeys {
    /// Keys of the card: -, env:NAME or file:PATH with a key or ENC:MAC:DEK in hexadecimal; test
    /// for the public test keys; 3des: before it for keys of SCP02.
    #[arg(long, value_name = "KEYS")]
    card_keys: Option<String>,
    /// Version of the keys, two hexadecimal digits; 00 lets the card choose.
    #[arg(long, value_name = "HEX", value_parser = version, default_value = "00")]
    key_version: u8,
    /// The keys given are master keys: derive this card's from them (kdf3, emv, visa2, visa or a
    /// template).
    #[arg(long, value_name = "DERIVATION", value_parser = Diversification::parse)]
    key_derivation: Option<Diversification>,
    /// Try a card again with which an authentication failed before.
    #[arg(long)]
    again: bool,
    /// The file that counts failed authentications by chip; left out, one for this user.
    #[arg(long, value_name = "FILE", env = "CANCUOC_ATTEMPTS", hide_env_values = true)]
    attempts: Option<PathBuf>,
}

pub(super) fn version(text: &str) -> Result<u8, String> {
    let version = u8::from_str_radix(text, 16).ok().filter(|version| *version <= 0x7F);
    version.ok_or_else(|| "00 to 7F".to_owned())
}

impl CardKeys {
    /// The keys, where they were given. A software card in a file has the public test keys unless
    /// others are named; for a card in a reader there is no default, since each wrong key counts
    /// against it.
    pub(super) fn read(&self, context: &Context) -> Result<Option<KeySet>, Failure> {
        let software =
            context.reader.as_deref().is_some_and(|reader| reader.starts_with(CARD_PREFIX));
        let value = match self.card_keys.as_deref() {
            Some(value) => value,
            None if software => "test",
            None => return Ok(None),
        };
        let text = secret::read(context, "--card-keys", value)?;
        let keys = KeySet::parse(&text, self.key_version);
        keys.map(Some).map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))
    }

    /// How the keys of a card come from the keys given, where they are master keys.
    pub(super) const fn derivation(&self) -> Option<&Diversification> {
        self.key_derivation.as_ref()
    }

    /// Whether a card may be tried after a failure.
    pub(super) const fn again(&self) -> bool {
        self.again
    }

    /// The file named for the count of failures.
    pub(super) fn attempts(&self) -> Option<&Path> {
        self.attempts.as_deref()
    }

    /// The keys, which the command cannot do without.
    pub(super) fn required(&self, context: &Context) -> Result<KeySet, Failure> {
        let missing = || Failure::new(ExitStatus::Usage, "card_keys_missing", "--card-keys");
        self.read(context)?.ok_or_else(missing)
    }
}
