//! `emulate`: plugs a software card into the PC/SC system, or those of a deck one after another.

mod deck;
mod steps;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::{Context, ExitStatus, Failure, reader};
use crate::softcard::vpcd::{self, Event};

/// Plug a software card into the PC/SC system, until interrupted; or a deck, one card after another.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc emulate test.card                          first virtual reader of this machine\n  \
    cancuoc emulate test.card --vpcd 127.0.0.1:35964   second one\n  \
    cancuoc emulate test.card --link 424               as slow as a contactless link of 424 kbit/s\n  \
    cancuoc emulate --deck deck/                       every card, the next when the reader lets go of one\n  \
    cancuoc emulate --deck deck/ --only N15 --events events.jsonl\n  \
    cancuoc emulate --deck deck/ --step                a program says when: lines in and out on standard input")]
pub(super) struct Arguments {
    /// The software card's file.
    #[arg(value_name = "CARD", required_unless_present = "deck")]
    card: Option<PathBuf>,
    /// Play the cards of a deck that card forge --deck made, one after another.
    #[arg(long, value_name = "DIR", conflicts_with = "card")]
    deck: Option<PathBuf>,
    /// Only cards whose names begin so, such as N15; repeat for more.
    #[arg(long, value_name = "ROW", requires = "deck")]
    only: Vec<String>,
    /// Take a card of the deck out after so long at the latest.
    #[arg(long, value_name = "SECONDS", requires = "deck", default_value_t = 60)]
    seconds: u16,
    /// Wait so long between two cards of the deck, for the reader to notice.
    #[arg(long, value_name = "SECONDS", requires = "deck", default_value_t = 2)]
    pause: u16,
    /// Put the next card of the deck in at a line "in" on standard input, take it out at a line "out", and never
    /// otherwise.
    #[arg(long, requires = "deck", conflicts_with_all = ["seconds", "pause"])]
    step: bool,
    /// Write to FILE when a card of the deck goes in and out, one JSON object a line.
    #[arg(long, value_name = "FILE", requires = "deck")]
    events: Option<PathBuf>,
    /// Where vsmartcard's virtual reader waits.
    #[arg(long, value_name = "HOST:PORT", default_value = vpcd::DEFAULT_ADDRESS)]
    vpcd: String,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|e| Failure::new(ExitStatus::Defect, "defect", e.to_string()))?;
    }
    match (&arguments.card, &arguments.deck) {
        (Some(card), _) => one(context, card, &arguments.vpcd, &stop),
        (None, Some(folder)) => deck::play(context, folder, arguments, &stop),
        (None, None) => Err(Failure::usage("CARD | --deck")),
    }
}

fn one(
    context: &Context,
    card: &std::path::Path,
    address: &str,
    stop: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let mut card = reader::soft_card(context, card)?;
    let tell = |event| {
        let key = match event {
            Event::Connected => "emulate.connected",
            Event::Disconnected => "emulate.disconnected",
        };
        eprintln!("{}", context.text(key, &[("address", address)]));
    };
    vpcd::serve(&mut card, address, stop, tell).map_err(|e| unreachable(address, &e))?;
    Ok(ExitStatus::Done)
}

fn unreachable(address: &str, error: &std::io::Error) -> Failure {
    Failure::new(ExitStatus::Card, "vpcd_unreachable", error.to_string()).with("address", address)
}
