//! `gp lifecycle`: the state of the card.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::card_keys::CardKeys;
use super::super::{Context, ExitStatus, Failure, output, personalize, reader};
use super::{confirmed, open};
use crate::globalplatform::command::{self, CardLifeCycle};
use crate::globalplatform::life_cycle::way;
use crate::globalplatform::link::Link;
use crate::globalplatform::{GlobalPlatformError, session};

/// Bring the card to another state of its life. Only a lock has a way back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc gp lifecycle --to secured --card-keys file:keys.txt --yes\n  \
    cancuoc gp lifecycle --to card-locked --card-keys file:keys.txt        can be taken back\n  \
    cancuoc gp lifecycle --to terminated --card-keys file:keys.txt --yes   the end of the card")]
pub(super) struct Arguments {
    /// The state.
    #[arg(long, value_enum, value_name = "STATE")]
    to: State,
    #[command(flatten)]
    keys: CardKeys,
    /// Do what no command takes back.
    #[arg(long)]
    yes: bool,
}

/// States that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    /// Prepared by the issuer.
    Initialized,
    /// Issued.
    Secured,
    /// Locked by the issuer, until it is set to secured again.
    CardLocked,
    /// At its end, for ever.
    Terminated,
}

impl State {
    const fn life_cycle(self) -> CardLifeCycle {
        match self {
            Self::Initialized => CardLifeCycle::Initialized,
            Self::Secured => CardLifeCycle::Secured,
            Self::CardLocked => CardLifeCycle::CardLocked,
            Self::Terminated => CardLifeCycle::Terminated,
        }
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let fail = |error: GlobalPlatformError| personalize::card_failure(&error);
    let to = arguments.to.life_cycle();
    let mut card = reader::open(context)?;
    let mut link = Link::new(&mut *card);
    open::authenticate(context, &arguments.keys, &mut link)?;
    let from = session::card_life_cycle(&mut link).map_err(fail)?;
    let way = way(from, to).ok_or_else(|| {
        let detail = format!("{} → {}", from.name(), to.name());
        Failure::new(ExitStatus::Protected, "gp_life_cycle", detail)
    })?;
    if way.irreversible {
        confirmed(arguments.yes, to.name())?;
    }
    for state in &way.states {
        link.secure_ok("SET STATUS", &command::set_card_status(*state)).map_err(fail)?;
    }
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.gp-lifecycle/1",
            "from": from.name(),
            "to": to.name(),
        }))?;
    } else {
        let values = [("from", from.name()), ("to", to.name())];
        output::line(&context.text("gp.lifecycle.done", &values))?;
    }
    Ok(ExitStatus::Done)
}
