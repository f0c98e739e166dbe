//! `keys list`: tokens, what lies in them, and which certificate belongs to which key.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{Context, ExitStatus, Failure, ModuleOption, key_store, output};
use crate::keystore::{
    Environment, KeyUri, ObjectKind, ObjectSummary, TokenSummary, fingerprint, tokens,
};
use crate::pki::IssuerDirectory;
use crate::trust::X509;

/// List tokens and the keys in them: types, check values, certificates, what the token is for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc keys list                                              all tokens of the module\n  \
    cancuoc keys list 'pkcs11:token=VN-DS' --pin -                 the keys in a token\n  \
    cancuoc keys list 'pkcs11:token=VN-DS' --pin - --issuer pki/   and which certificates are theirs")]
pub(super) struct Arguments {
    /// Which tokens and keys: pkcs11:token=NAME;object=LABEL; default: all tokens.
    #[arg(value_name = "URI", value_parser = key_store::key_uri)]
    uri: Option<KeyUri>,
    /// PIN of the token's user: -, env:NAME, file:PATH; without it only what is public is seen.
    #[arg(long, value_name = "SECRET", requires = "uri")]
    pin: Option<String>,
    /// Folder of an issuer, whose certificates are compared with the keys.
    #[arg(long, value_name = "DIR")]
    issuer: Option<PathBuf>,
    #[command(flatten)]
    module: ModuleOption,
}

/// A token and what is in it.
struct Listed {
    token: TokenSummary,
    environment: Option<Environment>,
    objects: Vec<ObjectSummary>,
}

/// A certificate that may belong to a key.
struct Certificate {
    name: String,
    fingerprint: String,
    until: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let uri = arguments.uri.clone().unwrap_or_default();
    let pin = match (&arguments.pin, &uri.pin_source) {
        (Some(pin), _) => Some(key_store::Secret::new(context, "--pin", pin).pin(&uri)?),
        (None, Some(source)) => Some(key_store::from_source(context, "pin-source", source)?),
        (None, None) => None,
    };
    let module = arguments.module.module.as_deref();
    let found = tokens(&uri.of_token(), module).map_err(|e| key_store::failure(&e))?;
    // A PIN is for one token: no other one is to count it as a wrong try.
    let count = found.iter().filter(|token| token.initialized).count();
    if pin.is_some() && count > 1 {
        let error = crate::keystore::KeyStoreError::TokenAmbiguous { uri: uri.to_string(), count };
        return Err(key_store::failure(&error));
    }
    let mut listed = Vec::new();
    for summary in found {
        let (mut environment, mut objects) = (None, Vec::new());
        if summary.initialized {
            let token = key_store::token(&summary.uri, module, pin.clone())?;
            objects = token.objects(&uri).map_err(|e| key_store::failure(&e))?;
            environment = token.environment().map_err(|e| key_store::failure(&e))?;
        }
        listed.push(Listed { token: summary, environment, objects });
    }
    let mut certificates = Vec::new();
    if let Some(folder) = &arguments.issuer {
        certificates = issuer_certificates(&IssuerDirectory::new(folder));
    }
    let in_tokens = listed.iter().flat_map(|listed| &listed.objects).filter_map(|object| {
        let name = object.uri.object.clone().unwrap_or_default();
        certificate(name, object.certificate.as_ref()?)
    });
    certificates.extend(in_tokens);
    if context.json {
        let tokens: Vec<Value> = listed.iter().map(|l| to_json(l, &certificates)).collect();
        output::json(&json!({ "schema": "cancuoc.keys-list/1", "tokens": tokens }))?;
    } else {
        print(context, &listed, &certificates)?;
    }
    Ok(ExitStatus::Done)
}

/// The certificates of an issuer's folder that are there.
fn issuer_certificates(directory: &IssuerDirectory) -> Vec<Certificate> {
    let read = |name: &str| {
        let der = directory.certificate(name).ok()?;
        certificate(format!("{name}.crt"), &der)
    };
    ["csca", "ds", "mls"].into_iter().filter_map(read).collect()
}

fn certificate(name: String, der: &[u8]) -> Option<Certificate> {
    let decoded = X509::decode(der).ok()?;
    let until = decoded.validity().1.strftime("%Y-%m-%d").to_string();
    Some(Certificate { name, fingerprint: fingerprint(&decoded.key), until })
}

const fn kind_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Certificate => "certificate",
        ObjectKind::Public => "public",
        ObjectKind::Private => "private",
        ObjectKind::Secret => "master",
        ObjectKind::Data => "data",
    }
}

fn matching<'a>(object: &ObjectSummary, all: &'a [Certificate]) -> Vec<&'a Certificate> {
    let own = |c: &&Certificate| {
        object.kind == ObjectKind::Private && object.fingerprint.as_ref() == Some(&c.fingerprint)
    };
    all.iter().filter(own).collect()
}

fn to_json(listed: &Listed, certificates: &[Certificate]) -> Value {
    let objects: Vec<Value> = listed
        .objects
        .iter()
        .map(|object| {
            let own: Vec<Value> = matching(object, certificates)
                .iter()
                .map(|c| json!({ "name": c.name, "until": c.until }))
                .collect();
            json!({
                "uri": object.uri.to_string(),
                "label": object.uri.object,
                "id": object.uri.id.as_ref().map(hex::encode),
                "kind": kind_name(object.kind),
                "key": object.key,
                "check_value": object.check_value,
                "fingerprint": object.fingerprint,
                "protected": object.protected,
                "certificates": own,
            })
        })
        .collect();
    json!({
        "uri": listed.token.uri.to_string(),
        "label": listed.token.uri.token,
        "slot": listed.token.slot_id,
        "initialized": listed.token.initialized,
        "environment": listed.environment.map(Environment::name),
        "pin_locked": listed.token.pin_locked,
        "pin_count_low": listed.token.pin_count_low,
        "objects": objects,
    })
}

fn print(
    context: &Context,
    listed: &[Listed],
    certificates: &[Certificate],
) -> Result<(), Failure> {
    if listed.is_empty() {
        return output::line(&context.text("keys.no_tokens", &[]));
    }
    let heads = ["label", "kind", "key", "mark", "protected", "certificate"];
    let heads = heads.map(|head| context.text(&format!("keys.head.{head}"), &[]));
    for Listed { token, environment, objects } in listed {
        output::line(&token_line(context, token, *environment))?;
        if objects.is_empty() {
            continue;
        }
        let mut table = output::table(&heads);
        for object in objects {
            let own = matching(object, certificates);
            let own: Vec<String> =
                own.iter().map(|c| format!("{} ({})", c.name, c.until)).collect();
            let short = object.fingerprint.as_ref().map(|f| f.chars().take(16).collect());
            let protected = object.protected.map(|yes| if yes { "yes" } else { "no" });
            let protected = protected.map(|word| context.text(&format!("keys.word.{word}"), &[]));
            table.add_row([
                super::super::text::plain(object.uri.object.as_deref().unwrap_or_default()),
                context.text(&format!("keys.kind.{}", kind_name(object.kind)), &[]),
                object.key.clone().unwrap_or_default(),
                object.check_value.clone().or(short).unwrap_or_default(),
                protected.unwrap_or_default(),
                own.join(", "),
            ]);
        }
        output::line(&table.to_string())?;
    }
    Ok(())
}

fn token_line(context: &Context, token: &TokenSummary, environment: Option<Environment>) -> String {
    let slot = token.slot_id.to_string();
    let label = super::super::text::plain(token.uri.token.as_deref().unwrap_or_default());
    if !token.initialized {
        return context.text("keys.token_empty", &[("slot", &slot)]);
    }
    let tag = environment.map_or("none", Environment::name);
    let purpose = context.text(&format!("keys.environment.{tag}"), &[]);
    let mut line = context.text("keys.token", &[("token", &label), ("for", &purpose)]);
    for (is, key) in [(token.pin_locked, "keys.locked"), (token.pin_count_low, "keys.count_low")] {
        if is {
            line.push(' ');
            line.push_str(&context.text(key, &[]));
            break;
        }
    }
    line
}
