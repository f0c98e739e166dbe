//! `completions`: shell completions.

use clap::Args;

use super::{ExitStatus, Failure, Lang, output};

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc completions bash > ~/.local/share/bash-completion/completions/cancuoc\n  \
    cancuoc completions zsh > ~/.zfunc/_cancuoc")]
pub(super) struct Arguments {
    /// Shell to make completions for.
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut command = super::command(Lang::En);
    // Written here and not by the generator, which panics where its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "cancuoc", &mut script);
    output::bytes(&script)?;
    Ok(ExitStatus::Done)
}
