//! `audit`: the record of a production site, and the people who answer for what is done there.

mod anchor;
mod approve;
mod export;
mod key;
mod people;
mod show;
mod source;
mod verify;

use clap::{Args, Subcommand};

use super::{Context, ExitStatus, Failure};

/// Read and verify the record of a production site; keep the list of its people; approve acts.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(verify::Arguments),
    Show(show::Arguments),
    Anchor(anchor::Arguments),
    Export(export::Arguments),
    Approve(approve::Arguments),
    People(people::Arguments),
    Key(key::Arguments),
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Verify(arguments) => verify::run(context, arguments),
        Command::Show(arguments) => show::run(context, arguments),
        Command::Anchor(arguments) => anchor::run(context, arguments),
        Command::Export(arguments) => export::run(context, arguments),
        Command::Approve(arguments) => approve::run(context, arguments),
        Command::People(arguments) => people::run(context, arguments),
        Command::Key(arguments) => key::run(context, arguments),
    }
}
