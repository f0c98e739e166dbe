//! `gp list`: all that the card's registry has.

use clap::Args;
use serde_json::{Value, json};

use super::super::card_keys::CardKeys;
use super::super::{Context, ExitStatus, Failure, output, personalize, reader};
use super::open;
use crate::globalplatform::GlobalPlatformError;
use crate::globalplatform::command::{CardLifeCycle, Registry};
use crate::globalplatform::link::Link;
use crate::globalplatform::session;
use crate::globalplatform::status::RegistryEntry;

/// List the issuer domain, applications and load files with their modules.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp list --card-keys file:keys.txt\n  \
    cancuoc --reader card:test.card gp list --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    keys: CardKeys,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    open::authenticate(context, &arguments.keys, &mut link)?;
    let domain = session::list(&mut link, Registry::IssuerSecurityDomain).map_err(fail)?;
    let applications = session::list(&mut link, Registry::Applications).map_err(fail)?;
    // Some cards tell nobody of their load files.
    let load_files = match session::list_load_files(&mut link) {
        Err(GlobalPlatformError::Refused { .. }) => None,
        found => Some(found.map_err(fail)?),
    };
    if context.json {
        let list = |entries: &[RegistryEntry]| entries.iter().map(entry).collect::<Vec<_>>();
        output::json(&json!({
            "schema": "cancuoc.gp-list/1",
            "issuer_domain": list(&domain),
            "applications": list(&applications),
            "load_files": load_files.as_deref().map(list),
        }))?;
        return Ok(ExitStatus::Done);
    }
    for found in &domain {
        let state = CardLifeCycle::from_byte(found.life_cycle).map_or("?", CardLifeCycle::name);
        line(context, "gp.list.domain", found, state)?;
    }
    for found in &applications {
        line(context, "gp.info.application", found, &found.application_state())?;
    }
    for found in load_files.iter().flatten() {
        line(context, "gp.list.load_file", found, &format!("{:02X}", found.life_cycle))?;
        for module in &found.modules {
            let aid = hex::encode_upper(module);
            output::line(&context.text("gp.list.module", &[("aid", &aid)]))?;
        }
    }
    Ok(ExitStatus::Done)
}

fn line(context: &Context, key: &str, entry: &RegistryEntry, state: &str) -> Result<(), Failure> {
    let aid = hex::encode_upper(&entry.aid);
    output::line(&context.text(key, &[("aid", &aid), ("state", state)]))
}

fn entry(entry: &RegistryEntry) -> Value {
    json!({
        "aid": hex::encode_upper(&entry.aid),
        "life_cycle": format!("{:02X}", entry.life_cycle),
        "privileges": hex::encode_upper(&entry.privileges),
        "modules": entry.modules.iter().map(hex::encode_upper).collect::<Vec<_>>(),
    })
}
