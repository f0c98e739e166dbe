//! `read`: everything that is accessible, as files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::access::AccessOptions;
use super::terminal_credentials::TerminalOptions;
use super::{Context, ExitStatus, Failure, output, reader};
use crate::biometrics::{self, FaceRecord, ImageFormat};
use crate::document::{CardProfile, Dg13, Mrz};
use crate::lds::{Dg2, DgNumber, FileId, decode_dg1};
use crate::terminal::{ChipReading, FileRead, Proof, ReadOptions, ReadStatistics, read_chip};

/// Read all that is accessible into a folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc read --can - --out card/               asks for the CAN\n  \
    cancuoc read --number env:NUMBER --out card/\n  \
    cancuoc read --pin - --out card/               asks for the PIN, whose tries the card counts\n  \
    cancuoc --reader card:test.card read --can file:can.txt --out card/\n  \
    cancuoc read --can - --out card/ --terminal-chain dv.cvcert is.cvcert \\\n    \
    --terminal-key is.key --terminal-password env:PW     reads DG3 and DG4 too")]
pub(super) struct Arguments {
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    terminal: TerminalOptions,
    /// Folder for the files: made if absent, readable by you alone.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let access = arguments.access.resolve(context)?;
    let terminal = arguments.terminal.resolve(context)?;
    let options = ReadOptions { terminal, ..ReadOptions::default() };
    let reading = read(context, &access.plan, &options)?;
    save(&reading, &arguments.out)?;
    let document = document_json(&reading);
    write(&arguments.out, "document.json", format!("{document:#}").as_bytes())?;
    // Whoever gave certificates wants DG3 or DG4: without them the command has failed, though all
    // the rest is saved.
    let refused = match &reading.terminal_authentication {
        Proof::Failed(error) => Some(reader::terminal(error)),
        _ => None,
    };
    if let (true, Some(failure)) = (context.json, &refused) {
        return Err(failure.clone());
    }
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.read/1",
            "out": arguments.out.display().to_string(),
            "files": files_json(&reading),
            "access": reading.access,
            "terminal_authentication": terminal_json(&reading),
            "statistics": statistics_json(&reading.statistics),
            "apdus": counters_json(&reading),
        }))?;
    } else {
        for file in &reading.files {
            let state = match &file.read {
                FileRead::Content { bytes, .. } => format!("{} B", bytes.len()),
                FileRead::NotFound => context.text("read.absent", &[]),
                FileRead::Denied(_) => context.text("read.denied", &[]),
                FileRead::Malformed(_) => context.text("read.malformed", &[]),
            };
            output::line(&format!("{:<12} {state}", file.file.name()))?;
        }
        if let Some(line) = terminal_line(context, &reading) {
            output::line(&line)?;
        }
        output::line(&statistics_line(context, &reading.statistics))?;
        if let Some(line) = air_line(context, reading.air) {
            output::line(&line)?;
        }
        let out = arguments.out.display().to_string();
        output::line(&context.text("read.saved", &[("out", &out)]))?;
    }
    refused.map_or(Ok(ExitStatus::Done), Err)
}

/// Reads the card on the reader of this call, showing progress.
pub(super) fn read(
    context: &Context,
    plan: &crate::terminal::AccessPlan,
    options: &ReadOptions,
) -> Result<ChipReading, Failure> {
    let card = reader::open(context)?;
    read_card(context, card, plan, options)
}

/// Reads a powered card, showing progress.
pub(super) fn read_card(
    context: &Context,
    card: Box<dyn crate::transport::CardTransport>,
    plan: &crate::terminal::AccessPlan,
    options: &ReadOptions,
) -> Result<ChipReading, Failure> {
    let bar = if context.progress { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut random = rand_core::UnwrapErr(getrandom::SysRng);
    let mut progress = |file: FileId, bytes: u64| {
        bar.set_message(format!("{} ({bytes} B)", file.name()));
        bar.tick();
    };
    let reading = read_chip(card, plan, options, &mut random, &mut progress);
    bar.finish_and_clear();
    reading.map_err(|e| reader::terminal(&e))
}

/// File name for EF.CardSecurity, whose identifier is EF.SOD's.
pub(super) const CARD_SECURITY_FILE: &str = "EF.CardSecurity.bin";

/// What came of Terminal Authentication, where it was wanted.
fn terminal_json(reading: &ChipReading) -> Value {
    match &reading.terminal_authentication {
        // What failed is the failure of the command.
        Proof::NotTried | Proof::Failed(_) => Value::Null,
        Proof::NotOffered => json!({ "status": "not_offered" }),
        Proof::Answered(outcome) => json!({
            "status": "passed",
            "trust_point": outcome.trust_point.to_string(),
            "chain": outcome.chain.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "rights": { "dg3": outcome.rights.dg3, "dg4": outcome.rights.dg4 },
        }),
    }
}

fn terminal_line(context: &Context, reading: &ChipReading) -> Option<String> {
    match &reading.terminal_authentication {
        Proof::NotTried | Proof::Failed(_) => None,
        Proof::NotOffered => Some(context.text("read.terminal_not_offered", &[])),
        Proof::Answered(outcome) => {
            let rights = [(outcome.rights.dg3, "DG3"), (outcome.rights.dg4, "DG4")];
            let rights: Vec<_> = rights.iter().filter(|(has, _)| *has).map(|(_, n)| *n).collect();
            Some(context.text("read.terminal_passed", &[("rights", &rights.join(", "))]))
        }
    }
}

/// File name for an EF in a folder of saved files.
pub(super) fn file_name(file: FileId) -> String {
    format!("{}.bin", file.name().replace(['/', ' '], "_"))
}

fn write(folder: &Path, name: &str, content: &[u8]) -> Result<(), Failure> {
    let path = folder.join(name);
    output::write_private(&path, content).map_err(|e| Failure::file(&path, &e))
}

/// Saves the bytes of all files, and the pictures in a form that people can open.
fn save(reading: &ChipReading, folder: &Path) -> Result<(), Failure> {
    output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    for file in &reading.files {
        if let Some(bytes) = file.read.content() {
            write(folder, &file_name(file.file), bytes)?;
        }
    }
    for (name, bytes) in [
        (file_name(FileId::CARD_ACCESS), &reading.access.card_access),
        (file_name(FileId::ATR_INFO), &reading.atr_info),
        (CARD_SECURITY_FILE.to_owned(), &reading.card_security),
    ] {
        if let Some(bytes) = bytes {
            write(folder, &name, bytes)?;
        }
    }
    for (index, picture) in portraits(reading).into_iter().enumerate() {
        let name = format!("portrait-{}", index + 1);
        match ImageFormat::sniff(&picture) {
            // JPEG 2000 is opened by few programs, so a PNG stands beside it.
            Some(ImageFormat::Jpeg2000) => {
                write(folder, &format!("{name}.jp2"), &picture)?;
                let png = biometrics::decode(&picture).and_then(|p| biometrics::to_png(&p));
                if let Ok(png) = png {
                    write(folder, &format!("{name}.png"), &png)?;
                }
            }
            Some(format) => {
                write(folder, &format!("{name}.{}", format.extension()), &picture)?;
            }
            None => write(folder, &format!("{name}.bin"), &picture)?,
        }
    }
    Ok(())
}

/// The pictures in DG2, as the bytes that they are.
pub(super) fn portraits(reading: &ChipReading) -> Vec<Vec<u8>> {
    let dg2 = DgNumber::new(2).and_then(|n| reading.data_group(n));
    let templates = dg2.and_then(|b| Dg2::decode(b).ok()).map(|d| d.templates).unwrap_or_default();
    let records = templates.iter().filter_map(|t| FaceRecord::decode(&t.data).ok());
    records.flat_map(|r| r.images).map(|i| i.data).collect()
}

/// The MRZ in DG1.
pub(super) fn mrz(reading: &ChipReading) -> Option<Mrz> {
    let dg1 = DgNumber::new(1).and_then(|n| reading.data_group(n))?;
    Mrz::parse(decode_dg1(dg1).ok()?).ok()
}

/// The national data in DG13.
pub(super) fn dg13(reading: &ChipReading) -> Option<Dg13> {
    Dg13::decode(DgNumber::new(13).and_then(|n| reading.data_group(n))?).ok()
}

/// What the document says, as JSON: MRZ and national data.
fn document_json(reading: &ChipReading) -> Value {
    let profile = CardProfile::can_cuoc_2021();
    json!({
        "schema": "cancuoc.document/1",
        "mrz": mrz(reading).map(|m| m.lines().map(ToOwned::to_owned).collect::<Vec<_>>()),
        "dg13": dg13(reading).map(|d| d.view(&profile.dg13).to_json()),
    })
}

fn files_json(reading: &ChipReading) -> Vec<Value> {
    let state = |read: &FileRead| match read {
        FileRead::Content { bytes, trailing } => {
            json!({ "status": "read", "bytes": bytes.len(), "trailing": trailing })
        }
        FileRead::NotFound => json!({ "status": "absent" }),
        FileRead::Denied(status) => json!({ "status": "denied", "sw": status.to_string() }),
        FileRead::Malformed(error) => {
            json!({ "status": "malformed", "error": error.to_string() })
        }
    };
    let entry = |file: &crate::terminal::ChipFile| {
        let mut entry = state(&file.read);
        entry["file"] = file.file.name().into();
        entry
    };
    reading.files.iter().map(entry).collect()
}

/// The cost of reading as JSON.
pub(super) fn statistics_json(s: &ReadStatistics) -> Value {
    json!({
        "apdus": s.apdus,
        "apdus_min": s.apdus_min,
        "bytes_up": s.bytes_up,
        "bytes_down": s.bytes_down,
        "payload": s.payload,
        "efficiency": s.efficiency,
        "efficiency_bound": s.efficiency_bound,
        "rereads": s.rereads,
        "probes": s.probes,
        "card_us": s.card_micros,
    })
}

/// Everything on the wire as JSON.
pub(super) fn counters_json(reading: &ChipReading) -> Value {
    let mut counters = json!({
        "count": reading.counters.apdus,
        "sent_bytes": reading.counters.sent_bytes,
        "received_bytes": reading.counters.received_bytes,
    });
    if let Some(air) = reading.air {
        counters["air_ms"] = (air.as_micros() as f64 / 1000.0).into();
    }
    counters
}

/// How long the modelled link took, where there is one.
pub(super) fn air_line(context: &Context, air: Option<Duration>) -> Option<String> {
    let milliseconds = format!("{:.1}", air?.as_secs_f64() * 1000.0);
    Some(context.text("read.air", &[("milliseconds", &milliseconds)]))
}

/// The cost of reading as a line: count, minimum, efficiency, bound.
pub(super) fn statistics_line(context: &Context, s: &ReadStatistics) -> String {
    let share = |value: f64| format!("{value:.3}");
    context.text(
        "read.statistics",
        &[
            ("apdus", &s.apdus.to_string()),
            ("minimum", &s.apdus_min.to_string()),
            ("efficiency", &share(s.efficiency)),
            ("bound", &share(s.efficiency_bound)),
            ("rereads", &s.rereads.to_string()),
            ("probes", &s.probes.to_string()),
        ],
    )
}
