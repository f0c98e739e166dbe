//! What every command gets to know of how it was called.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;

use super::picture::GraphicsChoice;
use super::{GlobalOptions, Lang};
use crate::softcard::air::BitRate;

/// Log events are dropped while a screen is drawn where they would be written.
static LOGS_HELD: AtomicBool = AtomicBool::new(false);

/// Drops log events until they are let through again: they would run over a full screen.
pub(super) fn hold_logs(held: bool) {
    LOGS_HELD.store(held, Ordering::Relaxed);
}

/// Standard error, where it is not held.
fn log_writer() -> Box<dyn std::io::Write> {
    match LOGS_HELD.load(Ordering::Relaxed) {
        true => Box::new(std::io::sink()),
        false => Box::new(std::io::stderr()),
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the program was called: language, form of output, reader.
#[derive(Debug, Clone)]
pub struct Context {
    /// Language of messages.
    pub lang: Lang,
    /// One JSON document on standard output.
    pub json: bool,
    /// The reader asked for, if any.
    pub reader: Option<String>,
    /// File for the trace of APDUs.
    pub trace: Option<PathBuf>,
    /// Keep plain text in the trace.
    pub trace_secrets: bool,
    /// Seconds after which a card that does not answer is given up.
    pub card_timeout: u16,
    /// Bit rate of the contactless link that a software card is given.
    pub link: Option<BitRate>,
    /// Show progress on standard error.
    pub progress: bool,
    /// Use colours on standard output.
    pub color: bool,
    /// How pictures are shown.
    pub graphics: GraphicsChoice,
    verbosity: i8,
}

impl Context {
    /// Takes the global options; sets colour for the whole process.
    #[must_use]
    pub fn new(options: &GlobalOptions, lang: Lang) -> Self {
        match options.color {
            ColorChoice::Auto => {}
            ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
            ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self {
            lang,
            json: options.json,
            reader: options.reader.clone().filter(|r| !r.is_empty()),
            trace: options.trace.clone(),
            trace_secrets: options.trace_secrets,
            card_timeout: options.card_timeout,
            link: options.link,
            progress: !options.no_progress && !options.quiet && std::io::stderr().is_terminal(),
            color: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
            graphics: options.graphics,
            verbosity: if options.quiet { -1 } else { options.verbose.min(3) as i8 },
        }
    }

    /// A message of the catalogue in the language of this call.
    #[must_use]
    pub fn text(&self, key: &str, values: &[(&str, &str)]) -> String {
        super::text::text(self.lang, key, values)
    }

    /// Whether standard error is told nothing but errors.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.verbosity < 0
    }

    /// Sends log events to standard error.
    pub fn start_logging(&self) {
        let level = match self.verbosity {
            i8::MIN..0 => tracing::Level::ERROR,
            0 => tracing::Level::WARN,
            1 => tracing::Level::INFO,
            2 => tracing::Level::DEBUG,
            3.. => tracing::Level::TRACE,
        };
        // Only the first call in a process counts; a second one changes nothing.
        let _ = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_writer(log_writer)
            .with_ansi(std::io::stderr().is_terminal())
            .without_time()
            .try_init();
    }
}
