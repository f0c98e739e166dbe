//! `audit anchor`: the ends of the chains, to be kept where nobody of the site can change them.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::{Context, ExitStatus, Failure, output};
use super::source::{SourceOptions, TrustOptions};
use super::verify::{print, status};
use crate::production::audit::{Anchors, Verdict};

/// Write down what the chains end with, after verifying them; the next verification starts from it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit anchor audit.jsonl --station-key station.pub --out anchors.json\n  \
    cancuoc audit anchor audit.jsonl --station-key station.pub --anchor anchors.json\n\n\
    Exit codes: 0 written, 1 the record is not whole and nothing is anchored, 3 no key was given.")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    trust: TrustOptions,
    /// File for the anchors; standard output if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let (keys, before) = (arguments.trust.keys()?, arguments.trust.anchors()?);
    let verification = arguments.source.verify(&keys, &before)?;
    let verdict = verification.verdict(true);
    if verdict != Verdict::Intact {
        if context.json {
            let codes: Vec<_> = verification.findings.iter().map(|f| f.code).collect();
            let detail = codes.join(", ");
            return Err(Failure::new(status(verdict), "audit_not_anchored", detail));
        }
        print(context, &verification, verdict)?;
        return Ok(status(verdict));
    }
    let heads: Vec<_> = verification.stations.values().map(|s| s.head.clone()).collect();
    let mut anchors = Anchors::default();
    for head in &heads {
        let inserted = anchors.insert(head);
        inserted.map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
    }
    if let Some(path) = &arguments.out {
        let written = output::write_private(path, anchors.encode().as_bytes());
        written.map_err(|e| Failure::file(path, &e))?;
    }
    if context.json {
        output::json(&json!({ "schema": "cancuoc.audit-anchor/1", "heads": heads }))?;
    } else {
        heads.iter().try_for_each(|head| output::line(&head.to_string()))?;
    }
    Ok(ExitStatus::Done)
}
