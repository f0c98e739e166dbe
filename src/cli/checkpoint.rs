//! `checkpoint`: stands and waits for cards, verdict after verdict.
//!
//! The rules are those of [`crate::checkpoint`]; here are the threads that watch readers, read
//! scanned data and inspect cards, and the views that show what comes out.

mod evidence;
mod inspection;
mod journal;
mod lines;
mod page;
pub(super) mod panel;
mod readers;
pub(super) mod run;
mod scanned;
mod screen;
mod site_secret;
mod terminal;
mod web;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::picture::{self, CellSize};
use super::terminal_credentials::TerminalOptions;
use super::verify::EvidenceForm;
use super::{Context, ExitStatus, Failure, output, reader, secret, verify};
use crate::checkpoint::{Salt, Settings, Tally};
use evidence::EvidenceFolder;
use inspection::{Inspector, Loaded};
use journal::JournalFile;
use lines::Lines;
use panel::Both;
use readers::Readers;
use run::{Ending, Station, View};
use scanned::Source;
use screen::Look;
use terminal::FullScreen;
use web::WebOptions;

/// The notice that comes along.
const LAW: &str = "law";

/// Stand and wait for cards: verdict after verdict.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc checkpoint --trust csca/ --journal /var/log/cancuoc/journal.jsonl\n  \
    cancuoc checkpoint --trust csca/ --input /dev/ttyACM0     a scanner on a serial line\n  \
    cancuoc checkpoint --trust csca/ --evidence cases/ --evidence-key checkpoint.key --evidence-password file:pw\n  \
    cancuoc checkpoint --trust csca/ --lane 'Reader A' --lane 'Reader B' --consent law\n  \
    cancuoc checkpoint --trust csca/ --web 127.0.0.1:8080      as a page, opened by the printed address
  \
    cancuoc checkpoint --trust csca/ --lane card:test.card --input cans.txt --json\n\n\
    What opens a card is scanned or typed, each line ended by Enter: the MRZ in three lines or one, the\n\
    text of the QR code, the 12-digit number or the CAN. Ctrl-C ends.\n\n\
    Exit codes: 0 ended after the list or the number of cards asked for, 130 interrupted,\n\
    6 a line of the list is wrong, 8 the journal or an evidence file cannot be written.")]
pub(super) struct Arguments {
    /// Folder with the certificates of country signing CAs and their revocation lists.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// What is accepted: strict, standard, or a file with a policy.
    #[arg(long, value_name = "NAME|FILE", default_value = "strict")]
    policy: String,
    #[command(flatten)]
    terminal: TerminalOptions,
    /// Allow BAC where the card offers no PACE; never where PACE fails.
    #[arg(long)]
    allow_bac: bool,
    /// A reader, named as for --reader; repeat for several. Left out: all readers.
    #[arg(long = "lane", value_name = "SEL")]
    lanes: Vec<String>,
    /// Data that open the cards, one after another: a file, - for standard input, or the device of
    /// a serial scanner.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Append each verdict to FILE, a line of JSON without personal data.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// The secret with which document numbers are hashed for the journal and the names of evidence
    /// files; made if absent. Left out: the name of the journal, or else of the folder of evidence
    /// files, with .salt.
    #[arg(long, value_name = "FILE")]
    journal_salt: Option<PathBuf>,
    /// Keep an evidence file of each card in DIR, made if absent: all that its verdict rests on, to
    /// verify it again without the card. It holds personal data: readable by you alone.
    #[arg(long, value_name = "DIR")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    evidence_form: EvidenceForm,
    /// A notice that each holder must agree to before the card is read: the text, file:PATH, or law
    /// for one that names the Vietnamese law.
    #[arg(long, value_name = "TEXT")]
    consent: Option<String>,
    /// End after N cards.
    #[arg(long, value_name = "N")]
    cards: Option<u64>,
    /// Write lines even where standard output is a terminal.
    #[arg(long)]
    lines: bool,
    #[command(flatten)]
    web: WebOptions,
    /// How long a verdict is shown and scanned data wait for their card.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    keep: u64,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    if context.trace.is_some() {
        return Err(Failure::usage("--trace is for one card: read, verify"));
    }
    if arguments.journal.is_none()
        && arguments.evidence.is_none()
        && arguments.journal_salt.is_some()
    {
        return Err(Failure::usage("--journal-salt: --journal | --evidence"));
    }
    if arguments.consent.as_deref() == Some(LAW) && arguments.evidence.is_some() {
        // That notice says that nothing is stored.
        return Err(Failure::new(ExitStatus::Usage, "consent_law_evidence", "--evidence"));
    }
    let consent = arguments.consent.as_deref().map(|v| notice(context, v)).transpose()?;
    let readers = Readers::resolve(context, &arguments.lanes)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let page = arguments.web.is_given();
    let full_screen = terminal && !context.json && !arguments.lines && !page;
    // Where there is a page, standard input is a source only if it is asked for.
    let keys = full_screen || (page && arguments.input.is_none());
    let sources = Source::open(arguments.input.as_deref(), keys)?;
    if consent.is_some() && sources.iter().any(Source::is_piped) {
        return Err(Failure::usage("--consent, --input FILE: answers come from standard input"));
    }
    let journal = open_journal(arguments)?;
    let evidence = open_evidence(context, arguments)?;
    let inspector = inspector(context, arguments, evidence, &readers)?;
    let settings = Settings {
        consent: consent.is_some(),
        keep_scanned: Duration::from_secs(arguments.keep),
        keep_shown: Duration::from_secs(arguments.keep),
        end_with_list: sources.iter().any(Source::is_list),
        cards: arguments.cards,
    };
    let station = Station { settings, inspector, journal };
    let mut page = arguments.web.page(context, consent.clone())?;
    let mut view: Box<dyn View> = match full_screen {
        true => Box::new(FullScreen::new(look(context, consent))),
        false => Box::new(Lines::new(context, consent)),
    };
    let mut views: Vec<&mut dyn View> = vec![&mut *view];
    views.extend(page.as_mut().map(|page| page as &mut dyn View));
    let result = run::run(station, readers, sources, &mut views);
    // The terminal is given back before anything is told.
    drop(view);
    let (tally, ending) = result?;
    summarize(context, &tally, ending)?;
    Ok(match ending {
        Ending::Done => ExitStatus::Done,
        Ending::Interrupted => ExitStatus::Interrupted,
    })
}

/// How the screen looks on this terminal.
fn look(context: &Context, consent: Option<String>) -> Look {
    Look {
        lang: context.lang,
        color: context.color,
        graphics: context.graphics.resolve(),
        true_color: picture::has_true_color(),
        cell: CellSize::of_terminal(),
        consent,
    }
}

/// The notice: a text, one in a file, or the one that comes along, in both languages.
fn notice(context: &Context, value: &str) -> Result<String, Failure> {
    if value == LAW {
        let both = Both::text("checkpoint.consent.law", &[]);
        return Ok(both.in_order(context.lang).join("\n\n"));
    }
    match value.starts_with("file:") {
        true => secret::read(context, "--consent", value).map(|text| text.to_string()),
        false => Ok(value.to_owned()),
    }
}

fn open_journal(arguments: &Arguments) -> Result<Option<JournalFile>, Failure> {
    let Some(path) = &arguments.journal else { return Ok(None) };
    JournalFile::open(path, &salt_of(arguments)?).map(Some)
}

/// The file of the site's secret: the one that is named, or the one beside the journal or else beside
/// the folder of evidence files.
fn salt_of(arguments: &Arguments) -> Result<PathBuf, Failure> {
    if let Some(path) = &arguments.journal_salt {
        return Ok(path.clone());
    }
    let beside = arguments.journal.as_ref().or(arguments.evidence.as_ref());
    let beside = beside.ok_or_else(|| Failure::usage("--journal-salt: --journal | --evidence"))?;
    let name = beside.file_name().unwrap_or_default().to_string_lossy();
    Ok(beside.with_file_name(format!("{name}.salt")))
}

fn open_evidence(
    context: &Context,
    arguments: &Arguments,
) -> Result<Option<EvidenceFolder>, Failure> {
    let Some(path) = &arguments.evidence else { return Ok(None) };
    let form = arguments.evidence_form.resolve(context)?;
    let salt = Salt::new(*site_secret::load(&salt_of(arguments)?, "salt_malformed")?);
    EvidenceFolder::open(path, form, salt).map(Some)
}

fn inspector(
    context: &Context,
    arguments: &Arguments,
    evidence: Option<EvidenceFolder>,
    readers: &Readers,
) -> Result<Inspector, Failure> {
    let trust = super::trust::open(context, &arguments.trust)?;
    let policy = verify::policy(&arguments.policy)?;
    let loaded = Loaded {
        trust,
        policy,
        terminal: arguments.terminal.resolve(context)?,
        allow_bac: arguments.allow_bac,
        limits: reader::limits(context),
        link: context.link,
        evidence,
    };
    Inspector::new(loaded, readers.names())
}

/// What came of it, once at the end.
fn summarize(context: &Context, tally: &Tally, ending: Ending) -> Result<(), Failure> {
    let Tally { genuine, forged, inconclusive, unread } = tally;
    if context.json {
        return output::json(&json!({
            "schema": "cancuoc.checkpoint/1",
            "ended": match ending { Ending::Done => "done", Ending::Interrupted => "interrupted" },
            "cards": tally.total(),
            "verdicts": { "genuine": genuine, "forged": forged, "inconclusive": inconclusive,
                          "unread": unread },
        }));
    }
    let values = [
        ("cards", tally.total().to_string()),
        ("genuine", genuine.to_string()),
        ("forged", forged.to_string()),
        ("inconclusive", inconclusive.to_string()),
        ("unread", unread.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let line = context.text("checkpoint.summary", &values);
    // A verdict a line is what standard output holds; this is not one.
    if std::io::stdout().is_terminal() {
        output::line(&line)
    } else {
        let _ = writeln!(std::io::stderr(), "{line}");
        Ok(())
    }
}
