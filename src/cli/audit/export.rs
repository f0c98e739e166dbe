//! `audit export`: the record out of the journal, for an auditor without the database.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{Context, ExitStatus, Failure, output};
use super::source::{Given, each_row, open_journal};

/// Write the record of a site into a file of lines of JSON, each entry as the bytes that were signed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit export --site site.toml --out audit.jsonl\n  \
    cancuoc audit verify audit.jsonl --station-key station.pub --anchor anchors.json")]
pub(super) struct Arguments {
    /// The site: its site.toml.
    #[arg(long, value_name = "FILE")]
    site: PathBuf,
    /// New file for the record.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let path = &arguments.out;
    let fail = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::new(ExitStatus::Protected, "pki_file_exists", "exists")
                .with("path", path.display())
        }
        _ => Failure::file(path, &e),
    };
    let mut journal = open_journal(&arguments.site)?;
    let mut file = BufWriter::new(output::create_private(path).map_err(fail)?);
    let mut entries = 0_u64;
    each_row(&mut journal, |given| {
        if let Given::Row(row) = given {
            entries += 1;
            file.write_all(&[&row.line()[..], b"\n"].concat()).map_err(fail)?;
        }
        Ok(())
    })?;
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(fail)?;
    let name = path.display().to_string();
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.audit-export/1", "file": name, "entries": entries,
        }))?;
    } else {
        let values = [("file", &*name), ("count", &entries.to_string())];
        output::line(&context.text("audit.exported", &values))?;
    }
    Ok(ExitStatus::Done)
}
