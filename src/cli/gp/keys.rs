//! `gp keys`: new keys in the place of those that a card came with.

use clap::Args;
use serde_json::json;

use super::super::attempts::Attempt;
use super::super::card_keys::{CardKeys, version};
use super::super::{Context, ExitStatus, Failure, output, personalize, reader, secret};
use super::{confirmed, open};
use crate::globalplatform::diversification::Diversification;
use crate::globalplatform::link::Link;
use crate::globalplatform::{GlobalPlatformError, KeySet, session};

/// Replace the keys of the card, from the transport keys to those of production. A card that has
/// the new keys already is left as it is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp keys --card-keys file:transport.txt --new-keys file:card.txt --new-version 31 --yes\n  \
    cancuoc gp keys --card-keys file:transport.txt --new-keys file:master.txt --new-version 31 \\\n      \
    --new-derivation kdf3 --yes")]
pub(super) struct Arguments {
    #[command(flatten)]
    keys: CardKeys,
    /// The new keys, as in --card-keys.
    #[arg(long, value_name = "KEYS")]
    new_keys: String,
    /// Their version, two hexadecimal digits, 01 to 7F.
    #[arg(long, value_name = "HEX", value_parser = version)]
    new_version: u8,
    /// The new keys are master keys: derive this card's from them (kdf3, emv, visa2, visa or a
    /// template).
    #[arg(long, value_name = "DERIVATION", value_parser = Diversification::parse)]
    new_derivation: Option<Diversification>,
    /// Do it: who loses the new keys loses the card.
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    if arguments.new_version == 0 {
        return Err(Failure::usage("--new-version 01 to 7F"));
    }
    let fail = |error: &GlobalPlatformError| personalize::card_failure(error);
    let text = secret::read(context, "--new-keys", &arguments.new_keys)?;
    let given = KeySet::parse(&text, arguments.new_version)
        .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
    confirmed(arguments.yes, "gp keys")?;
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    let identity = open::identify(&mut link)?;
    let old = open::card_keys(context, &arguments.keys, &mut link, &identity)?;
    let new = match &arguments.new_derivation {
        None => given,
        Some(derivation) => open::derive(&mut link, &identity, &given, derivation)?,
    };
    let attempt = Attempt::begin(context, &arguments.keys, &identity)?;
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    // A card that was torn out of an earlier run may have either.
    let held = session::authenticate_with_any(&mut link, &[&old, &new], None, &mut random);
    attempt.end(held.as_ref().err())?;
    let changed = held.map_err(|error| fail(&error))? == 0;
    if changed {
        session::change_keys(&mut link, &new).map_err(|error| fail(&error))?;
    }
    report(context, &new, changed)
}

fn report(context: &Context, new: &KeySet, changed: bool) -> Result<ExitStatus, Failure> {
    let value = |key: &crate::globalplatform::StaticKey| {
        key.check_value().map(hex::encode_upper).unwrap_or_default()
    };
    let values = [&new.encryption, &new.mac, &new.data_encryption].map(value);
    let version = format!("{:02X}", new.version);
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.gp-keys/1",
            "changed": changed,
            "key_version": version,
            "check_values": { "enc": values[0], "mac": values[1], "dek": values[2] },
        }))?;
        return Ok(ExitStatus::Done);
    }
    let key = if changed { "gp.keys.changed" } else { "gp.keys.there_already" };
    let values = values.join(" ");
    output::line(&context.text(key, &[("version", &version), ("values", &values)]))?;
    Ok(ExitStatus::Done)
}
