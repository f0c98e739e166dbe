//! `card profiles`: the built-in card profiles.

use clap::Args;
use serde_json::json;

use crate::cli::text::Lang;
use crate::cli::{Context, ExitStatus, Failure, output};
use crate::document::CardProfile;
use crate::lds::{ChipAuthenticationInfo, PaceProtocol};

/// List the built-in card profiles and what protects their cards.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc card profiles\n  \
    cancuoc card profiles --json")]
pub(super) struct Arguments {}

pub(super) fn run(context: &Context, _: &Arguments) -> Result<ExitStatus, Failure> {
    let profiles: Vec<&CardProfile> =
        CardProfile::NAMES.iter().filter_map(|name| CardProfile::builtin(name).ok()).collect();
    if context.json {
        let list: Vec<_> = profiles
            .iter()
            .map(|profile| {
                json!({
                    "name": profile.name,
                    "title": { "en": profile.title_en, "vi": profile.title_vi },
                    "protocols": protocols(profile),
                })
            })
            .collect();
        output::json(&json!({ "schema": "cancuoc.card-profiles/1", "profiles": list }))?;
        return Ok(ExitStatus::Done);
    }
    let header = ["card.profiles.name", "card.profiles.title", "card.profiles.protocols"];
    let mut table = output::table(&header.map(|key| context.text(key, &[])));
    for profile in profiles {
        let title = match context.lang {
            Lang::Vi => &profile.title_vi,
            Lang::En => &profile.title_en,
        };
        table.add_row([&profile.name, title, &protocols(profile).join(", ")]);
    }
    output::line(&table.to_string())?;
    Ok(ExitStatus::Done)
}

/// What protects the card, briefly: `BAC`, `PACE-ECDH-GM`, `CA-DH`, `AA`, `TA`; each once.
fn protocols(profile: &CardProfile) -> Vec<String> {
    let mut names = Vec::new();
    names.extend(profile.access.bac.then(|| "BAC".to_owned()));
    let pace = profile.access.pace.iter().filter_map(|p| PaceProtocol::from_oid(&p.protocol));
    names.extend(pace.map(|p| format!("PACE-{}-{}", p.agreement.name(), p.mapping.name())));
    let keys = profile.chip_authentication.iter();
    let keys = keys.filter_map(|key| ChipAuthenticationInfo::protocol_from_oid(&key.protocol));
    names.extend(keys.map(|(agreement, _)| format!("CA-{}", agreement.name())));
    names.extend(profile.active_authentication.map(|_| "AA".to_owned()));
    names.extend(profile.access.terminal_authentication.map(|_| "TA".to_owned()));
    let mut once = Vec::new();
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    once
}
