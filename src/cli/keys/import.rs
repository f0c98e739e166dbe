//! `keys import`: a master key in components, each from its own custodian, straight into a token.

use std::io::Write;

use cancuoc_primitives::cipher::BlockCipher;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    Context, ExitStatus, Failure, KeyReport, ModuleOption, check_standard_input, cipher, key_store,
    method_name, output, random,
};
use crate::keystore::{
    CheckValue, CheckValueMethod, Component, KeyStoreError, KeyUri, MasterKey, SoftwareMasterKey,
    assemble,
};

/// Bring a master key into a token in components, each known to one custodian alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc keys import 'pkcs11:token=VN-DS;object=card-master' --type aes-256 --component - --component - --pin env:PIN\n  \
    cancuoc keys import 'pkcs11:token=VN-DS;object=transport' --type 3des --component file:/media/a/c1 --component file:/media/b/c2 --check-value 8BAF47 --pin file:pin\n\n\
    The key is the exclusive or of its components. On a terminal each custodian is asked in turn, nothing\n\
    typed is shown, and the check value of the component is compared with the custodian's paper.")]
pub(super) struct Arguments {
    /// Token, and the label of the key: pkcs11:token=NAME;object=LABEL.
    #[arg(value_name = "URI", value_parser = key_store::key_uri)]
    uri: KeyUri,
    /// Type of the key: aes-128, aes-192, aes-256 or 3des (two keys).
    #[arg(long = "type", value_name = "TYPE", value_parser = key_type)]
    key_type: BlockCipher,
    /// A component in hexadecimal: - (asked for on a terminal), env:NAME, file:PATH; two to nine.
    #[arg(long = "component", value_name = "SECRET", required = true)]
    components: Vec<String>,
    /// Check value that the key must have: 6 hexadecimal digits; otherwise nothing is imported.
    #[arg(long, value_name = "HEX", value_parser = check_value)]
    check_value: Option<CheckValue>,
    /// How check values are made: a block of zeros or of 01 bytes encrypted, or the CMAC of zeros;
    /// default: zeros for 3DES, ones (GlobalPlatform) for AES.
    #[arg(long, value_name = "HOW", value_enum)]
    method: Option<Method>,
    /// PIN of the token's user: -, env:NAME, file:PATH; asked for on a terminal.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    pin: String,
    #[command(flatten)]
    module: ModuleOption,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// A block of zeros encrypted: 3DES, PKCS#11.
    Zeros,
    /// A block of 01 bytes encrypted: GlobalPlatform.
    Ones,
    /// CMAC of a block of zeros: ANSI X9.24-1.
    Cmac,
}

fn key_type(name: &str) -> Result<BlockCipher, String> {
    cipher(name).ok_or_else(|| "aes-128, aes-192, aes-256, 3des".to_owned())
}

fn check_value(text: &str) -> Result<CheckValue, String> {
    let mut bytes = [0; 3];
    match hex::decode_to_slice(text, &mut bytes) {
        Ok(()) => Ok(CheckValue(bytes)),
        Err(_) => Err("6 hexadecimal digits".to_owned()),
    }
}

fn method(arguments: &Arguments) -> Result<CheckValueMethod, Failure> {
    match (arguments.method, arguments.key_type) {
        (Some(Method::Cmac), BlockCipher::Tdes) => Err(Failure::usage("--method cmac: AES")),
        (Some(Method::Zeros), _) => Ok(CheckValueMethod::Zeros),
        (Some(Method::Ones), _) => Ok(CheckValueMethod::Ones),
        (Some(Method::Cmac), _) => Ok(CheckValueMethod::Cmac),
        (None, cipher) => Ok(CheckValueMethod::usual(cipher)),
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let fail = |e: KeyStoreError| key_store::failure(&e);
    let method = method(arguments)?;
    let (uri, sources) = (&arguments.uri, &arguments.components);
    check_sources(sources)?;
    let values: Vec<&str> = sources.iter().map(String::as_str).collect();
    check_standard_input(&[&values[..], &[arguments.pin.as_str()]].concat())?;
    let pin = key_store::Secret::new(context, "--pin", &arguments.pin).pin(uri)?;
    let token = key_store::token(uri, arguments.module.module.as_deref(), Some(pin))?;
    // Before any custodian has typed anything: a name that is taken, a wrong PIN.
    token.check_free(uri).map_err(fail)?;
    let mut components = Vec::new();
    let mut shown = Vec::new();
    for (number, source) in (1..).zip(sources) {
        let component = read(context, arguments, number, source)?;
        let value = component.as_key().check_value(method).map_err(fail)?;
        confirm(context, (number, source), value)?;
        shown.push(value);
        components.push(component);
    }
    let key = assemble(arguments.key_type, &components).map_err(fail)?;
    drop(components);
    let value = compare(&key, arguments.check_value, method)?;
    let imported = token.import_master_key(uri, &key, &mut random()).map_err(fail)?;
    drop(key);
    let complete = key_store::complete(&token, &imported.uri());
    let report = KeyReport::of_master_key(&imported, complete, (method, value));
    if context.json {
        let components: Vec<_> = (1..)
            .zip(&shown)
            .map(|(number, value): (u32, _)| {
                json!({ "number": number, "check_value": value.to_string() })
            })
            .collect();
        return output::json(&json!({
            "schema": "cancuoc.keys-import/1",
            "check_value_method": method_name(method),
            "components": components,
            "key": report.to_json(),
        }))
        .map(|()| ExitStatus::Done);
    }
    report.print(context)?;
    Ok(ExitStatus::Done)
}

/// Each custodian has a source of its own.
fn check_sources(sources: &[String]) -> Result<(), Failure> {
    let shared = sources.iter().enumerate().any(|(index, source)| {
        source != "-" && sources.iter().take(index).any(|other| other == source)
    });
    if shared {
        return Err(Failure::usage("--component: each component has its own source"));
    }
    Ok(())
}

fn read(
    context: &Context,
    arguments: &Arguments,
    number: usize,
    source: &str,
) -> Result<Component, Failure> {
    let of = (number.to_string(), arguments.components.len().to_string());
    let option = context.text("keys.component", &[("number", &of.0), ("count", &of.1)]);
    let text = key_store::from_source(context, &option, source)?;
    Component::parse(arguments.key_type, number, &text).map_err(|e| key_store::failure(&e))
}

/// Shows the check value of a component; on a terminal its custodian says whether it is the one on
/// the paper.
fn confirm(
    context: &Context,
    (number, source): (usize, &str),
    value: CheckValue,
) -> Result<(), Failure> {
    use std::io::IsTerminal;
    let values = [("number", number.to_string()), ("value", value.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "{}", context.text("keys.component_value", &values));
    if source != "-" || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let _ = write!(stderr, "{} ", context.text("keys.component_confirm", &[]));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let yes = context.text("keys.yes", &[]);
    match read {
        Ok(_) if answer.trim().eq_ignore_ascii_case(&yes) => Ok(()),
        _ => Err(Failure::new(ExitStatus::BadInput, "key_component_refused", "refused")
            .with("number", number)),
    }
}

/// The check value of the key; it must be the one that was told.
fn compare(
    key: &SoftwareMasterKey,
    expected: Option<CheckValue>,
    method: CheckValueMethod,
) -> Result<CheckValue, Failure> {
    let found = key.check_value(method).map_err(|e| key_store::failure(&e))?;
    match expected.filter(|expected| *expected != found) {
        None => Ok(found),
        Some(expected) => Err(key_store::failure(&KeyStoreError::CheckValue {
            found: found.to_string(),
            expected: expected.to_string(),
        })),
    }
}
