//! `keys`: the keys of an issuer in tokens (HSMs): made, brought in by custodians, listed, checked.

mod check;
mod import;
mod init;
mod list;

use std::path::PathBuf;

use cancuoc_primitives::cipher::BlockCipher;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Context, ExitStatus, Failure, key_store, output, secret};
use crate::keystore::{
    CheckValue, CheckValueMethod, Environment, KeyUri, MasterKey, TokenMasterKey, TokenSigner,
    fingerprint,
};
use crate::lds::PublicKey;
use crate::pki::Signer;

/// Keys in tokens (HSMs) behind PKCS#11: make them, bring them in under dual control, list them.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Import(import::Arguments),
    List(list::Arguments),
    Check(check::Arguments),
}

/// The module of the key store.
#[derive(Debug, Args)]
struct ModuleOption {
    /// PKCS#11 module of the key store, where the URI names none (module-path=…).
    #[arg(long, value_name = "FILE", env = key_store::MODULE_VARIABLE, hide_env_values = true)]
    module: Option<PathBuf>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EnvironmentName {
    /// Cards for people.
    Production,
    /// Anything else.
    Test,
}

impl From<EnvironmentName> for Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Production => Self::Production,
            EnvironmentName::Test => Self::Test,
        }
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Init(arguments) => init::run(context, arguments),
        Command::Import(arguments) => import::run(context, arguments),
        Command::List(arguments) => list::run(context, arguments),
        Command::Check(arguments) => check::run(context, arguments),
    }
}

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// The cipher of a master key by its name.
fn cipher(name: &str) -> Option<BlockCipher> {
    const ALL: [BlockCipher; 4] =
        [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];
    ALL.into_iter().find(|cipher| cipher.name().eq_ignore_ascii_case(name))
}

/// Several values from standard input can only be asked for on a terminal.
fn check_standard_input(values: &[&str]) -> Result<(), Failure> {
    use std::io::IsTerminal;
    let several = values.iter().filter(|value| **value == "-").count() > 1;
    if several && !std::io::stdin().is_terminal() {
        let what = "only one secret can come from standard input: give the others as env:NAME or file:PATH";
        return Err(Failure::usage(what));
    }
    Ok(())
}

/// A new PIN: on a terminal asked for twice.
fn new_pin(context: &Context, option: &str, value: &str) -> Result<crate::keystore::Pin, Failure> {
    use std::io::IsTerminal;
    let pin = key_store::from_source(context, option, value)?;
    if value == "-" && std::io::stdin().is_terminal() {
        let again = secret::ask(context, &context.text("keys.again", &[("option", option)]))?;
        if again != pin {
            return Err(Failure::new(ExitStatus::BadInput, "pin_repeated_wrong", option));
        }
    }
    Ok(pin)
}

fn method_name(method: CheckValueMethod) -> &'static str {
    match method {
        CheckValueMethod::Zeros => "zeros",
        CheckValueMethod::Ones => "ones",
        CheckValueMethod::Cmac => "cmac",
    }
}

/// A key, as it is told to people and scripts: what tells it from others, and nothing secret.
struct KeyReport {
    uri: KeyUri,
    kind: String,
    /// What it is known by: name of the text, value.
    mark: (&'static str, String),
    method: Option<&'static str>,
}

impl KeyReport {
    fn of_signer(signer: &TokenSigner, uri: KeyUri) -> Self {
        let key = signer.public_key();
        let kind = match &key {
            PublicKey::Ec(point) => point.curve().name().to_owned(),
            PublicKey::Rsa(key) => format!("RSA {}", key.bits()),
            PublicKey::Dh(_) => String::new(),
        };
        Self { uri, kind, mark: ("fingerprint", fingerprint(&key)), method: None }
    }

    fn of_master_key(
        key: &TokenMasterKey,
        uri: KeyUri,
        (method, value): (CheckValueMethod, CheckValue),
    ) -> Self {
        Self {
            uri,
            kind: key.cipher().name().to_owned(),
            mark: ("check_value", value.to_string()),
            method: Some(method_name(method)),
        }
    }

    fn to_json(&self) -> Value {
        let mut document = json!({ "uri": self.uri.to_string(), "key": self.kind });
        if let Some(members) = document.as_object_mut() {
            members.insert(self.mark.0.to_owned(), json!(self.mark.1));
            if let Some(method) = self.method {
                members.insert("check_value_method".to_owned(), json!(method));
            }
        }
        document
    }

    fn print(&self, context: &Context) -> Result<(), Failure> {
        let uri = self.uri.to_string();
        output::line(&context.text("keys.made", &[("uri", &uri), ("key", &self.kind)]))?;
        let text = format!("keys.{}", self.mark.0);
        output::line(&context.text(&text, &[("value", &self.mark.1)]))
    }
}
