//! `card`: software cards: blank stock, personalised ones, what they are, forgeries.

pub(super) mod deck;
mod forge;
mod new;
mod profiles;
mod test_issuer;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{Context, ExitStatus, Failure, output};
use crate::lds::FileId;
use crate::softcard::{
    Access, ApplicationLifeCycle, CardLifeCycle, DocumentKind, DocumentObject, Location, SoftCard,
    TrustSummary,
};

/// Make and show software cards.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::Arguments),
    Profiles(profiles::Arguments),
    Show(ShowArguments),
    Forge(forge::Arguments),
}

/// Show a card's life cycle and files; no secrets, no content.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card show test.card\n  \
    cancuoc card show test.card --json")]
struct ShowArguments {
    /// The card's file.
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::New(arguments) => new::run(context, arguments),
        Command::Profiles(arguments) => profiles::run(context, arguments),
        Command::Show(arguments) => show(context, arguments),
        Command::Forge(arguments) => forge::run(context, arguments),
    }
}

fn card_failure(error: crate::softcard::SoftCardError) -> Failure {
    let exists = matches!(&error, crate::softcard::SoftCardError::File { source, .. }
        if source.kind() == std::io::ErrorKind::AlreadyExists);
    let exit = if exists { ExitStatus::Protected } else { ExitStatus::Card };
    Failure::from_error(exit, &error)
}

fn serial() -> [u8; 4] {
    let mut serial = [0; 4];
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    rand_core::Rng::fill_bytes(&mut random, &mut serial);
    serial
}

const fn card_state(state: CardLifeCycle) -> &'static str {
    match state {
        CardLifeCycle::OpReady => "OP_READY",
        CardLifeCycle::Initialized => "INITIALIZED",
        CardLifeCycle::Secured => "SECURED",
        CardLifeCycle::CardLocked => "CARD_LOCKED",
        CardLifeCycle::Terminated => "TERMINATED",
    }
}

const fn application_state(state: ApplicationLifeCycle) -> &'static str {
    match state {
        ApplicationLifeCycle::Blank => "blank",
        ApplicationLifeCycle::Personalised => "personalised",
        ApplicationLifeCycle::Locked => "locked",
    }
}

fn show(context: &Context, arguments: &ShowArguments) -> Result<ExitStatus, Failure> {
    let mut card = SoftCard::open(&arguments.path).map_err(card_failure)?;
    let summary = card.summary();
    let files: Vec<_> = summary
        .files
        .iter()
        .map(|file| {
            let name = match file.location {
                Location::MasterFile if file.identifier == FileId::SOD.0 => {
                    "EF.CardSecurity".to_owned()
                }
                // The same identifier is EF.CardAccess in the master file.
                Location::Lds1 if file.identifier == FileId::CARD_ACCESS.0 => "EF.CVCA".to_owned(),
                _ => FileId(file.identifier).name(),
            };
            let access = match file.access {
                Access::Always => "always",
                Access::AfterAccessControl => "after-access-control",
                Access::Dg3Right => "dg3-right",
                Access::Dg4Right => "dg4-right",
            };
            (name, file.size, access)
        })
        .collect();
    let (state, application) = (card_state(summary.card), application_state(summary.application));
    let trust = summary.trust.as_ref().map(trust_lines);
    let misbehaviour = card.misbehaviour().names();
    let documents: Vec<_> = summary.documents.iter().map(document).collect();
    if context.json {
        let files: Vec<_> = files
            .iter()
            .map(|(name, size, access)| json!({ "file": name, "size": size, "access": access }))
            .collect();
        output::json(&json!({
            "schema": "cancuoc.card-show/1",
            "card": state,
            "application": application,
            "files": files,
            "trust_points": trust.as_ref().map(|(references, _)| references),
            "card_date": trust.as_ref().map(|(_, date)| date),
            "misbehaviour": misbehaviour,
            "integrated_documents": documents,
        }))?;
        return Ok(ExitStatus::Done);
    }
    output::line(&context.text("card.state", &[("card", state), ("application", application)]))?;
    for (name, size, access) in files {
        output::line(&format!("{name:<14} {size:>7} B  {access}"))?;
    }
    for (kind, object) in &summary.documents {
        let (kind, counter) = (kind.number().to_string(), object.counter.to_string());
        let size = object.content.map_or(0, |content| content.size).to_string();
        let values = [("kind", &kind[..]), ("counter", &counter[..]), ("size", &size[..])];
        output::line(&context.text("card.document", &values))?;
    }
    if let Some((references, date)) = trust {
        let references = references.join(", ");
        let values = [("references", &references[..]), ("date", &date[..])];
        output::line(&context.text("card.trust", &values))?;
    }
    if !misbehaviour.is_empty() {
        let acts = misbehaviour.join(", ");
        output::line(&context.text("card.misbehaviour", &[("acts", &acts)]))?;
    }
    Ok(ExitStatus::Done)
}

/// An integrated document, without what it says.
fn document((kind, object): &(DocumentKind, DocumentObject)) -> serde_json::Value {
    json!({
        "kind": kind.number(),
        "counter": object.counter,
        "size": object.content.map(|content| content.size),
        "digest": object.content.map(|content| hex::encode_upper(content.digest)),
    })
}

/// Names of the trust points, the newest first, and the card's date as YYYY-MM-DD.
fn trust_lines(trust: &TrustSummary) -> (Vec<String>, String) {
    // ISO/IEC 8859-1 is the first 256 characters of Unicode.
    let name = |reference: &Vec<u8>| reference.iter().map(|byte| char::from(*byte)).collect();
    let [y1, y2, m1, m2, d1, d2] = trust.date;
    let date = format!("20{y1}{y2}-{m1}{m2}-{d1}{d2}");
    (trust.references.iter().map(name).collect(), date)
}
