//! `emulate`: plugs a software card into the PC/SC system.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::{Context, ExitStatus, Failure, reader};
use crate::softcard::vpcd::{self, Event};

/// Plug a software card into the PC/SC system, until interrupted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc emulate test.card                          first virtual reader of this machine\n  \
    cancuoc emulate test.card --vpcd 127.0.0.1:35964   second one\n  \
    cancuoc emulate test.card --link 424               as slow as a contactless link of 424 kbit/s")]
pub(super) struct Arguments {
    /// The software card's file.
    #[arg(value_name = "CARD")]
    card: PathBuf,
    /// Where vsmartcard's virtual reader waits.
    #[arg(long, value_name = "HOST:PORT", default_value = vpcd::DEFAULT_ADDRESS)]
    vpcd: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let mut card = reader::soft_card(context, &arguments.card)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|e| Failure::new(ExitStatus::Defect, "defect", e.to_string()))?;
    }
    let tell = |event| {
        let key = match event {
            Event::Connected => "emulate.connected",
            Event::Disconnected => "emulate.disconnected",
        };
        eprintln!("{}", context.text(key, &[("address", &arguments.vpcd)]));
    };
    vpcd::serve(&mut card, &arguments.vpcd, &stop, tell).map_err(|e| {
        Failure::new(ExitStatus::Card, "vpcd_unreachable", e.to_string())
            .with("address", &arguments.vpcd)
    })?;
    Ok(ExitStatus::Done)
}
