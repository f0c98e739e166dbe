//! `trust`: the folder of what a verifier trusts.

mod add;
mod audit;
mod describe;
mod folder;
mod list;
mod update;

use std::path::Path;

use clap::{Args, Subcommand};

use super::{Context, ExitStatus, Failure, output};
use crate::trust::TrustStore;

/// Keep the folder of what is trusted: CSCA certificates, links, master lists, revocation lists.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(add::Arguments),
    List(list::Arguments),
    Update(update::Arguments),
    Audit(audit::Arguments),
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Add(arguments) => add::run(context, arguments),
        Command::List(arguments) => list::run(context, arguments),
        Command::Update(arguments) => update::run(context, arguments),
        Command::Audit(arguments) => audit::run(context, arguments),
    }
}

/// The trust store of a folder for commands that verify cards: what of it is not used is told on
/// standard error.
///
/// # Errors
/// A [`Failure`] where the folder or its index cannot be read.
pub(super) fn open(context: &Context, path: &Path) -> Result<TrustStore, Failure> {
    let store = folder::TrustFolder::new(path).load()?;
    if !context.is_quiet() {
        describe::warn(context, &store);
    }
    Ok(store)
}
