//! `keys init`: an empty token is made ready, and keys are made in it.

use cancuoc_primitives::cipher::BlockCipher;
use clap::Args;
use serde_json::json;

use super::{
    Context, EnvironmentName, ExitStatus, Failure, KeyReport, ModuleOption, check_standard_input,
    cipher, key_store, new_pin, output, random,
};
use crate::keystore::{CheckValueMethod, Environment, KeyUri, MasterKey, Token, initialize_token};
use crate::pki::KeyKind;

/// Make an empty token ready, and make a signing key or a master key in it that never leaves it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc keys init 'pkcs11:token=VN-DS' --so-pin - --pin - --environment production    a new token\n  \
    cancuoc keys init 'pkcs11:token=VN-DS;object=ds-2026' --key P-256 --pin -             a document signer's key\n  \
    cancuoc keys init 'pkcs11:token=VN-DS;object=card-master' --key aes-256 --pin env:PIN  a master key of cards")]
pub(super) struct Arguments {
    /// Token, and for a new key its label: pkcs11:token=NAME;object=LABEL.
    #[arg(value_name = "URI", value_parser = key_store::key_uri)]
    uri: KeyUri,
    /// Key to make: a curve (P-256, brainpoolP384r1, …), rsa-2048 to rsa-4096, aes-128, aes-192,
    /// aes-256 or 3des.
    #[arg(long, value_name = "KEY", value_parser = new_key, required_unless_present = "so_pin")]
    key: Option<NewKey>,
    /// Make an empty token ready first, with this PIN for its security officer: -, env:NAME, file:PATH.
    #[arg(long, value_name = "SECRET", requires = "environment")]
    so_pin: Option<String>,
    /// What the new token is for; it cannot be changed.
    #[arg(long, value_name = "FOR", value_enum, requires = "so_pin")]
    environment: Option<EnvironmentName>,
    /// PIN of the token's user: -, env:NAME, file:PATH; asked for on a terminal.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    pin: String,
    #[command(flatten)]
    module: ModuleOption,
}

/// What key to make.
#[derive(Debug, Clone, Copy)]
enum NewKey {
    Signing(KeyKind),
    Master(BlockCipher),
}

fn new_key(name: &str) -> Result<NewKey, String> {
    let signing = KeyKind::from_name(name).map(NewKey::Signing);
    let key = signing.or_else(|| cipher(name).map(NewKey::Master));
    key.ok_or_else(|| "P-256, brainpoolP256r1, rsa-3072, aes-256, 3des, …".to_owned())
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let (uri, module) = (&arguments.uri, arguments.module.module.as_deref());
    let so_pin = arguments.so_pin.as_deref();
    check_standard_input(&[so_pin.unwrap_or_default(), &arguments.pin])?;
    let mut ready = None;
    let pin = match (so_pin, arguments.environment) {
        (Some(so_pin), Some(environment)) => {
            let so_pin = new_pin(context, "--so-pin", so_pin)?;
            let pin = new_pin(context, "--pin", &arguments.pin)?;
            let environment = Environment::from(environment);
            initialize_token(uri, module, &so_pin, &pin, environment)
                .map_err(|e| key_store::failure(&e))?;
            ready = Some(environment);
            pin
        }
        _ => key_store::Secret::new(context, "--pin", &arguments.pin).pin(uri)?,
    };
    let token = key_store::token(uri, module, Some(pin))?;
    let key = arguments.key.map(|key| make(&token, uri, key)).transpose()?;
    if context.json {
        let document = json!({
            "schema": "cancuoc.keys-init/1",
            "token": key_store::complete(&token, &KeyUri::default()).to_string(),
            "environment": ready.map(Environment::name),
            "key": key.as_ref().map(KeyReport::to_json),
        });
        output::json(&document)?;
        return Ok(ExitStatus::Done);
    }
    if let Some(environment) = ready {
        let label = uri.token.as_deref().unwrap_or_default();
        let purpose = context.text(&format!("keys.environment.{}", environment.name()), &[]);
        output::line(&context.text("keys.token_ready", &[("token", label), ("for", &purpose)]))?;
    }
    if let Some(key) = key {
        key.print(context)?;
    }
    Ok(ExitStatus::Done)
}

fn make(token: &std::sync::Arc<Token>, uri: &KeyUri, key: NewKey) -> Result<KeyReport, Failure> {
    let fail = |e| key_store::failure(&e);
    match key {
        NewKey::Signing(kind) => {
            let signer = token.generate_signing_key(uri, kind, &mut random()).map_err(fail)?;
            let complete = key_store::complete(token, &signer.uri());
            Ok(KeyReport::of_signer(&signer, complete))
        }
        NewKey::Master(cipher) => {
            let key = token.generate_master_key(uri, cipher, &mut random()).map_err(fail)?;
            let complete = key_store::complete(token, &key.uri());
            let method = CheckValueMethod::usual(cipher);
            let value = key.check_value(method).map_err(fail)?;
            Ok(KeyReport::of_master_key(&key, complete, (method, value)))
        }
    }
}
