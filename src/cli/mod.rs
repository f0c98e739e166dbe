//! The command line: one file per command; text, JSON, Vietnamese and English; progress.
//!
//! Commands return a [`Failure`] and never print an error or exit on their own.

mod access;
mod attempts;
mod audit;
mod card;
mod card_keys;
mod checkpoint;
mod completions;
mod context;
mod demo;
#[cfg(test)]
mod documents;
mod emulate;
mod failure;
pub mod finding;
mod gp;
mod help;
mod inspect;
mod issuing;
mod key_files;
mod key_store;
mod keys;
mod man;
pub mod output;
mod personalize;
pub mod picture;
mod pki;
mod read;
mod reader;
mod readers;
pub mod secret;
mod terminal_credentials;
pub mod text;
mod trust;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::softcard::air::BitRate;

pub use context::{ColorChoice, Context};
pub use failure::{ExitStatus, Failure};
pub use text::Lang;

/// Write, read and verify the chip on Vietnamese identity cards.
#[derive(Debug, Parser)]
#[command(name = "cancuoc", version, about, long_about = None, disable_help_subcommand = true)]
#[command(after_help = "Examples:\n  \
    cancuoc demo                                   a whole life of a card, without hardware\n  \
    cancuoc readers                                which readers there are and what lies on them\n  \
    cancuoc verify --can - --trust csca/           is this card genuine? (asks for the CAN)\n  \
    cancuoc read --number - --out card/            read all that is accessible into a folder")]
struct Cli {
    #[command(flatten)]
    global: GlobalOptions,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
pub struct GlobalOptions {
    /// Reader: index, unique part of its name, or card:PATH for a software card in a file.
    #[arg(long, global = true, value_name = "SEL", env = "CANCUOC_READER", hide_env_values = true)]
    pub reader: Option<String>,
    /// Language of all messages; default from LC_ALL, LC_MESSAGES, LANG.
    #[arg(long, global = true, value_enum, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// Print exactly one JSON document on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Write every APDU and its answer to FILE, one JSON object a line, secrets redacted.
    #[arg(long, global = true, value_name = "FILE")]
    pub trace: Option<std::path::PathBuf>,
    /// Keep the plain text under secure messaging in the trace: it holds personal data.
    #[arg(long, global = true, requires = "trace")]
    pub trace_secrets: bool,
    /// Give up on a card that has not answered for so long, or has taken twenty times as long in all.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    pub card_timeout: u16,
    /// Make a software card (card:PATH, emulate) as slow as a contactless link of that many kbit/s:
    /// 106, 212, 424 or 848.
    #[arg(long, global = true, value_name = "KBIT", value_parser = reader::bit_rate)]
    pub link: Option<BitRate>,
    /// When to use colour.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// How pictures are shown on the terminal.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "HOW",
        default_value = "auto",
        env = "CANCUOC_GRAPHICS",
        hide_env_values = true
    )]
    pub graphics: picture::GraphicsChoice,
    /// Show no progress.
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Log more; repeat for still more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(audit::Arguments),
    Card(card::Arguments),
    Checkpoint(checkpoint::Arguments),
    Emulate(emulate::Arguments),
    Pki(pki::Arguments),
    Demo(demo::Arguments),
    Readers(readers::Arguments),
    Read(read::Arguments),
    Verify(Box<verify::Arguments>),
    Completions(completions::Arguments),
    Gp(gp::Arguments),
    Inspect(inspect::Arguments),
    Keys(keys::Arguments),
    Man(man::Arguments),
    Personalize(personalize::Arguments),
    Trust(trust::Arguments),
}

impl Command {
    fn run(&self, context: &Context) -> Result<ExitStatus, Failure> {
        match self {
            Self::Audit(arguments) => audit::run(context, arguments),
            Self::Card(arguments) => card::run(context, arguments),
            Self::Checkpoint(arguments) => checkpoint::run(context, arguments),
            Self::Emulate(arguments) => emulate::run(context, arguments),
            Self::Pki(arguments) => pki::run(context, arguments),
            Self::Demo(arguments) => demo::run(context, arguments),
            Self::Readers(arguments) => readers::run(context, arguments),
            Self::Read(arguments) => read::run(context, arguments),
            Self::Verify(arguments) => verify::run(context, arguments),
            Self::Completions(arguments) => completions::run(arguments),
            Self::Gp(arguments) => gp::run(context, arguments),
            Self::Inspect(arguments) => inspect::run(context, arguments),
            Self::Keys(arguments) => keys::run(context, arguments),
            Self::Man(arguments) => man::run(context, arguments),
            Self::Personalize(arguments) => personalize::run(context, arguments),
            Self::Trust(arguments) => trust::run(context, arguments),
        }
    }
}

/// The whole command line in a language, as clap knows it.
fn command(lang: Lang) -> clap::Command {
    help::localize(Cli::command(), lang)
}

/// Runs the program with the arguments it was started with.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let lang = Lang::from_arguments(&arguments).unwrap_or_else(Lang::from_environment);
    let json = arguments.iter().any(|a| a == "--json");
    let parsed = command(lang)
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error, lang, json),
    };
    let context = Context::new(&cli.global, lang);
    context.start_logging();
    match cli.command.run(&context) {
        Ok(status) => status.into(),
        Err(failure) => failure.report(&context).into(),
    }
}

/// Help and version go to standard output with 0; everything else is a usage error.
fn usage_error(error: &clap::Error, lang: Lang, json: bool) -> ExitCode {
    if !error.use_stderr() {
        let _ = write!(anstream::stdout(), "{}", error.render().ansi());
        return ExitCode::SUCCESS;
    }
    if json {
        let failure = Failure::usage(error.to_string().trim());
        failure.print_json(lang);
    } else {
        let _ = write!(anstream::stderr(), "{}", error.render().ansi());
        if lang == Lang::Vi {
            let _ = writeln!(anstream::stderr(), "\n{}", text::text(lang, "usage.wrong", &[]));
        }
    }
    ExitStatus::Usage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        command(Lang::Vi).debug_assert();
    }

    #[test]
    fn every_command_has_an_example_in_its_help() {
        fn check(command: &clap::Command, path: &str) {
            if command.get_subcommands().next().is_none() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("cancuoc "), "{path} has no example in its after_help");
            }
            for sub in command.get_subcommands() {
                check(sub, &format!("{path} {}", sub.get_name()));
            }
        }
        check(&Cli::command(), "cancuoc");
    }
}
