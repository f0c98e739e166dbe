//! `completions`: shell completions.

use clap::Args;

use super::{ExitStatus, Failure, Lang};

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
    clap_complete::generate(arguments.shell, &mut command, "cancuoc", &mut std::io::stdout());
    Ok(ExitStatus::Done)
}
