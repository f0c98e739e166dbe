//! `trust`: the folder of what a verifier trusts.

mod add;
mod audit;
mod describe;
mod folder;
mod list;
mod update;

use clap::{Args, Subcommand};

use super::{Context, ExitStatus, Failure, output};

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
