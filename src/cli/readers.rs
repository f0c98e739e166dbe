//! `readers`: which readers there are and what lies on them.

use clap::Args;
use serde_json::{Value, json};

use super::{Context, ExitStatus, Failure, output};
use crate::terminal::Session;
use crate::terminal::identify::{CardIdentity, CardKind, identify};
use crate::transport::pcsc::{PcscCard, ReaderInfo, readers};

/// List readers, whether a card lies on them, its answer to reset, and what the card is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc readers                  which readers there are and what lies on them\n  \
    cancuoc readers --json           the same for scripts\n  \
    cancuoc readers --no-ask         without sending anything to the cards")]
pub(super) struct Arguments {
    /// Send nothing to the cards: only what PC/SC knows.
    #[arg(long)]
    no_ask: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let found = readers().map_err(|e| Failure::from_error(ExitStatus::Card, &e))?;
    let cards: Vec<_> = found.iter().map(|reader| ask(reader, arguments.no_ask)).collect();
    if context.json {
        let list: Vec<Value> = found.iter().zip(&cards).map(|(r, c)| to_json(r, c)).collect();
        output::json(&json!({ "schema": "cancuoc.readers/1", "readers": list }))?;
    } else {
        print(context, &found, &cards)?;
    }
    Ok(ExitStatus::Done)
}

/// What the card on a reader is; nothing where there is none or it cannot be asked.
fn ask(reader: &ReaderInfo, no_ask: bool) -> Option<CardIdentity> {
    if no_ask || reader.atr.is_none() || reader.in_use {
        return None;
    }
    let card = PcscCard::connect(Some(&reader.name));
    let mut session = Session::new(card.inspect_err(|e| tracing::info!("{e}")).ok()?);
    let identity = identify(&mut session).inspect_err(|e| tracing::info!("{e}")).ok();
    // The next program finds the card as after power on.
    let _ = session.reset();
    identity
}

fn to_json(reader: &ReaderInfo, card: &Option<CardIdentity>) -> Value {
    json!({
        "index": reader.index,
        "name": reader.name,
        "card": reader.atr.is_some(),
        "in_use": reader.in_use,
        "atr": reader.atr.as_ref().map(hex::encode_upper),
        "kind": card.as_ref().map(|card| card.kind.name()),
        "pace": card.as_ref().map(|card| &card.pace),
    })
}

fn print(
    context: &Context,
    readers: &[ReaderInfo],
    cards: &[Option<CardIdentity>],
) -> Result<(), Failure> {
    if readers.is_empty() {
        return output::line(&context.text("readers.none", &[]));
    }
    let heads = ["index", "name", "card", "atr"];
    let heads = heads.map(|name| context.text(&format!("readers.head.{name}"), &[]));
    let mut table = output::table(&heads);
    for (reader, card) in readers.iter().zip(cards) {
        let atr = reader.atr.as_ref().map(hex::encode_upper).unwrap_or_default();
        let what = describe(context, reader, card.as_ref());
        table.add_row([reader.index.to_string(), reader.name.clone(), what, atr]);
    }
    output::line(&table.to_string())
}

fn describe(context: &Context, reader: &ReaderInfo, card: Option<&CardIdentity>) -> String {
    let key = match card {
        _ if reader.atr.is_none() => "readers.card.absent",
        _ if reader.in_use => "readers.card.in_use",
        None => "readers.card.present",
        Some(card) => match card.kind {
            CardKind::Document if card.pace.is_empty() => "readers.card.document_without_pace",
            CardKind::Document => "readers.card.document",
            CardKind::Blank => "readers.card.blank",
            CardKind::Unknown => "readers.card.unknown",
        },
    };
    let pace = card.map(|card| card.pace.join(", ")).unwrap_or_default();
    context.text(key, &[("pace", &pace)])
}
