//! `keys check`: whether a document signer will do for a run, before the first card.

use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Context, EnvironmentName, ExitStatus, Failure, key_store, output, random};
use crate::error::ErrorCode;
use crate::keystore::{Environment, Fitness, KeySource, SelfTestFinding, self_test};
use crate::pki::{IssuerDirectory, from_pem};

/// Check a document signer before a run: key, certificate, validity, chain, what its token is for.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc keys check --issuer pki/ --password env:PIN\n  \
    cancuoc keys check --issuer pki/ --anchor csca-production.crt --environment production --days 7 --password -")]
pub(super) struct Arguments {
    /// Folder with the document signer: ds.crt, and ds.key or ds.uri.
    #[arg(long, value_name = "DIR")]
    issuer: PathBuf,
    /// CSCA certificate under which the documents of this site must verify, in PEM or DER.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// What the token of the key must be for.
    #[arg(long, value_name = "FOR", value_enum)]
    environment: Option<EnvironmentName>,
    /// Days for which the run goes on signing.
    #[arg(long, value_name = "N", default_value_t = 1)]
    days: u16,
    /// Last day of validity of the documents, YYYY-MM-DD: the certificate must last as long.
    #[arg(long, value_name = "DATE")]
    documents_until: Option<Date>,
    /// Password of the key, or PIN of its token: -, env:NAME, file:PATH; asked for on a terminal.
    #[arg(long, value_name = "SECRET", default_value = "-")]
    password: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let directory = IssuerDirectory::new(&arguments.issuer);
    let fail = |e| key_store::failure(&e);
    let certificate = directory.certificate("ds").map_err(|e| fail(e.into()))?;
    let anchor = arguments.anchor.as_ref().map(read_anchor).transpose()?;
    let secret = key_store::Secret::new(context, "--password", &arguments.password);
    let signer = secret.issuer_key(&directory, "ds")?;
    let mut faults = Vec::new();
    if let Some(wanted) = arguments.environment {
        faults.extend(environment_fault(&directory, &secret, wanted.into())?);
    }
    let from = Timestamp::now();
    let run = SignedDuration::from_hours(24 * i64::from(arguments.days));
    let documents_until = arguments.documents_until.map(end_of).transpose()?;
    let fitness = Fitness {
        signer: &signer,
        certificate: &certificate,
        anchor: anchor.as_deref(),
        from,
        until: from.saturating_add(run).unwrap_or(from),
        documents_until,
    };
    let findings = self_test(&fitness, &mut random());
    let unavailable = findings.iter().any(|f| matches!(f, SelfTestFinding::Trial(_)));
    faults.extend(
        findings.iter().map(|f| Failure::from_error(ExitStatus::BadInput, f as &dyn ErrorCode)),
    );
    report(context, &faults)?;
    Ok(match faults.is_empty() {
        true => ExitStatus::Done,
        false if unavailable => ExitStatus::Unavailable,
        false => ExitStatus::BadInput,
    })
}

fn end_of(date: Date) -> Result<Timestamp, Failure> {
    let end = jiff::tz::Offset::UTC.to_timestamp(date.at(23, 59, 59, 0));
    end.map_err(|_| Failure::usage("--documents-until"))
}

fn read_anchor(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| Failure::file(path, &e))?;
    let pem = std::str::from_utf8(&bytes).ok().and_then(|text| from_pem(text, "CERTIFICATE"));
    Ok(pem.unwrap_or(bytes))
}

/// What is wrong with what the key's token is for. A key in a file is for nothing in particular.
fn environment_fault(
    directory: &IssuerDirectory,
    secret: &key_store::Secret<'_>,
    wanted: Environment,
) -> Result<Option<Failure>, Failure> {
    let fail = |e| key_store::failure(&e);
    match KeySource::of(directory, "ds").map_err(fail)? {
        KeySource::File => {
            let code = "key_in_file";
            let failure = Failure::new(ExitStatus::BadInput, code, "ds.key");
            Ok((wanted == Environment::Production).then_some(failure))
        }
        KeySource::Token(uri) => {
            let token = key_store::token(&uri, None, Some(secret.pin(&uri)?))?;
            Ok(token.require(wanted).err().map(fail))
        }
    }
}

fn report(context: &Context, faults: &[Failure]) -> Result<(), Failure> {
    if context.json {
        let findings: Vec<Value> = faults
            .iter()
            .map(|fault| {
                json!({
                    "code": fault.code,
                    "message": fault.message(context.lang),
                    "hint": fault.hint(context.lang),
                })
            })
            .collect();
        return output::json(&json!({
            "schema": "cancuoc.keys-check/1",
            "fit": faults.is_empty(),
            "findings": findings,
        }));
    }
    if faults.is_empty() {
        return output::line(&context.text("keys.fit", &[]));
    }
    for fault in faults {
        output::line(&format!("- {}", fault.message(context.lang)))?;
        if let Some(hint) = fault.hint(context.lang) {
            output::line(&format!("  → {hint}"))?;
        }
    }
    Ok(())
}
