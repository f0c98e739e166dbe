//! `man`: manual pages.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Context, ExitStatus, Failure, output};

/// Print the manual page, or write one for each command into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc man | man -l -\n  \
    cancuoc man --out man/man1")]
pub(super) struct Arguments {
    /// Folder for one page for each command, made if absent.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut command = super::command(context.lang);
    command.build();
    match &arguments.out {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(|e| output::unwritable(&e))?;
            output::bytes(&page)?;
        }
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
            write_pages(&command, "cancuoc", folder)?;
        }
    }
    Ok(ExitStatus::Done)
}

fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> Result<(), Failure> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone().name(name.to_owned()))
        .render(&mut page)
        .and_then(|()| std::fs::write(&path, page))
        .map_err(|e| Failure::file(&path, &e))?;
    for sub in command.get_subcommands() {
        write_pages(sub, &format!("{name}-{}", sub.get_name()), folder)?;
    }
    Ok(())
}
