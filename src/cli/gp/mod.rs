//! `gp`: the card as GlobalPlatform sees it.

mod content;
mod diagnose;
mod info;
mod keys;
mod life_cycle;
mod list;
pub(super) mod open;

use clap::{Args, Subcommand};

use super::{Context, ExitStatus, Failure};

/// The card as GlobalPlatform sees it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Info(info::Arguments),
    List(list::Arguments),
    Diagnose(diagnose::Arguments),
    Keys(keys::Arguments),
    Lifecycle(life_cycle::Arguments),
    Install(content::InstallArguments),
    Delete(content::DeleteArguments),
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    match &arguments.command {
        Command::Info(arguments) => info::run(context, arguments),
        Command::List(arguments) => list::run(context, arguments),
        Command::Diagnose(arguments) => diagnose::run(context, arguments),
        Command::Keys(arguments) => keys::run(context, arguments),
        Command::Lifecycle(arguments) => life_cycle::run(context, arguments),
        Command::Install(arguments) => content::install(context, arguments),
        Command::Delete(arguments) => content::delete(context, arguments),
    }
}

/// Bytes in hexadecimal.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.replace(' ', "")).map_err(|error| error.to_string())
}

/// An application identifier: 5 to 16 bytes in hexadecimal.
fn application(text: &str) -> Result<Vec<u8>, String> {
    let aid = bytes(text)?;
    if (5..=16).contains(&aid.len()) { Ok(aid) } else { Err("5 to 16 bytes".to_owned()) }
}

/// Refuses what cannot be taken back, unless it was said twice.
fn confirmed(yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    Err(Failure::new(ExitStatus::Protected, "gp_not_confirmed", what))
}
