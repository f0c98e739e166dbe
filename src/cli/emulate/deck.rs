//! Plays the cards of a deck in the virtual reader, each until somebody has read it.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::steps::{Step, Steps};
use super::{Arguments, unreachable};
use crate::cli::card::deck::{LIST, SCHEMA};
use crate::cli::{Context, ExitStatus, Failure, output, reader};
use crate::softcard::vpcd::{self, Out, Visit};

/// Largest list that is read.
const MAX_LIST: u64 = 16 << 20;
/// How often a pause looks whether it shall end.
const STEP: Duration = Duration::from_millis(50);

#[derive(Deserialize)]
struct List {
    schema: String,
    entries: Vec<Value>,
}

/// What playing a card takes of its entry.
#[derive(Deserialize)]
struct Card {
    name: String,
    card: String,
    meaning: Meaning,
    verdict: Option<String>,
    error: Option<String>,
    exit: u8,
}

#[derive(Deserialize)]
struct Meaning {
    en: String,
    vi: String,
}

pub(super) fn play(
    context: &Context,
    folder: &Path,
    arguments: &Arguments,
    stop: &AtomicBool,
) -> Result<ExitStatus, Failure> {
    let entries = entries(&folder.join(LIST), &arguments.only)?;
    let mut events = Events::new(arguments.events.as_deref())?;
    let mover = Mover::new(context, arguments);
    let mut played = Vec::new();
    for (card, entry) in &entries {
        if !mover.may_go_in(&arguments.vpcd, stop)? {
            return Ok(ExitStatus::Interrupted);
        }
        // The name of a file in the folder, and of nothing else on this machine.
        let file = Path::new(&card.card).file_name().unwrap_or_default();
        let mut soft_card = reader::soft_card(context, &folder.join(file))?;
        announce(context, card)?;
        events.write(&json!({ "event": "in", "name": card.name, "entry": entry }))?;
        let start = Instant::now();
        let taken = || stop.load(Ordering::Relaxed) || mover.takes_out();
        let visit = vpcd::visit(&mut soft_card, &arguments.vpcd, mover.most(), &taken)
            .map_err(|e| unreachable(&arguments.vpcd, &e))?;
        let out = visit_json(card, visit, start.elapsed());
        events.write(&out)?;
        played.push(out);
        if !mover.went_out(stop)? {
            return Ok(ExitStatus::Interrupted);
        }
    }
    if context.json {
        let schema = "cancuoc.emulate-deck/1";
        output::json(&json!({ "schema": schema, "played": played }))?;
    }
    Ok(ExitStatus::Done)
}

/// The entries of the list, those whose names begin as asked for.
fn entries(path: &Path, only: &[String]) -> Result<Vec<(Card, Value)>, Failure> {
    let malformed =
        |detail: String| Failure::new(ExitStatus::BadInput, "deck_list_malformed", detail);
    let mut source = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_LIST).read_to_end(&mut source))
        .map_err(|e| Failure::file(path, &e))?;
    let list: List = serde_json::from_slice(&source).map_err(|e| malformed(e.to_string()))?;
    if list.schema != SCHEMA {
        return Err(malformed(format!("schema {}, not {SCHEMA}", list.schema)));
    }
    let mut entries = Vec::new();
    for entry in list.entries {
        let card: Card =
            serde_json::from_value(entry.clone()).map_err(|e| malformed(e.to_string()))?;
        if only.is_empty() || only.iter().any(|start| card.name.starts_with(start.as_str())) {
            entries.push((card, entry));
        }
    }
    if entries.is_empty() {
        return Err(Failure::new(ExitStatus::Usage, "deck_empty", only.join(", ")));
    }
    Ok(entries)
}

/// Who moves the cards.
enum Mover {
    /// A card goes in by itself after a pause, and out when the reader lets go of it, its time is up
    /// or somebody presses Enter.
    Itself { most: Duration, pause: Duration, enter: Arc<AtomicBool> },
    /// Standard input.
    Input(Steps),
}

impl Mover {
    fn new(context: &Context, arguments: &Arguments) -> Self {
        if arguments.step {
            return Self::Input(Steps::read(BufReader::new(std::io::stdin())));
        }
        Self::Itself {
            most: Duration::from_secs(arguments.seconds.into()),
            pause: Duration::from_secs(arguments.pause.into()),
            enter: enter(context),
        }
    }

    /// Waits until the next card may go in; `false` where it shall not.
    fn may_go_in(&self, address: &str, stop: &AtomicBool) -> Result<bool, Failure> {
        let stopped = || stop.load(Ordering::Relaxed);
        if let Self::Input(steps) = self {
            if !steps.wait(Step::In, stop)? {
                return Ok(false);
            }
            // A card that left in mid-command is gone for the program that talked with it, and may be
            // there still for the daemon.
            vpcd::leave_empty(address, &stopped).map_err(|e| unreachable(address, &e))?;
        }
        Ok(!stopped())
    }

    /// Whether the card shall go out now.
    fn takes_out(&self) -> bool {
        match self {
            Self::Itself { enter, .. } => enter.load(Ordering::Relaxed),
            Self::Input(steps) => steps.has_come(),
        }
    }

    /// How long a card lies there; `None` for as long as nobody takes it out.
    const fn most(&self) -> Option<Duration> {
        match self {
            Self::Itself { most, .. } => Some(*most),
            Self::Input(_) => None,
        }
    }

    /// After a card went out; `false` where it was the last.
    fn went_out(&self, stop: &AtomicBool) -> Result<bool, Failure> {
        match self {
            Self::Itself { pause, enter, .. } => {
                enter.store(false, Ordering::Relaxed);
                wait(*pause, stop);
                Ok(true)
            }
            // Also of a card that left by itself, so that each has its two lines.
            Self::Input(steps) => steps.wait(Step::Out, stop),
        }
    }
}

/// Set when somebody presses Enter, where somebody is there.
fn enter(context: &Context) -> Arc<AtomicBool> {
    let pressed = Arc::new(AtomicBool::new(false));
    if std::io::stdin().is_terminal() {
        eprintln!("{}", context.text("emulate.next", &[]));
        let flag = pressed.clone();
        // It ends with the program: reading a terminal cannot be interrupted.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines() {
                if line.is_err() {
                    break;
                }
                flag.store(true, Ordering::Relaxed);
            }
        });
    }
    pressed
}

/// Says which card goes in and what is expected of it.
fn announce(context: &Context, card: &Card) -> Result<(), Failure> {
    let meaning = context.lang.pick(&card.meaning.en, &card.meaning.vi);
    let verdict = card.verdict.as_ref().or(card.error.as_ref());
    let expected = format!("{} ({})", verdict.map_or("", String::as_str), card.exit);
    let values = [("card", &card.name[..]), ("meaning", meaning), ("expected", &expected)];
    let line = context.text("emulate.card", &values);
    if context.json {
        eprintln!("{line}");
        return Ok(());
    }
    output::line(&line)
}

fn visit_json(card: &Card, visit: Visit, time: Duration) -> Value {
    let why = match visit.out {
        Out::Finished => "finished",
        Out::TimeUp => "time_up",
        Out::Taken => "taken",
        Out::Gone => "gone",
    };
    let seconds = (time.as_secs_f64() * 10.0).round() / 10.0;
    json!({
        "event": "out",
        "name": card.name,
        "commands": visit.commands,
        "seconds": seconds,
        "why": why,
    })
}

/// Where it is written down which card is in.
struct Events<'a>(Option<(&'a Path, File)>);

impl<'a> Events<'a> {
    fn new(path: Option<&'a Path>) -> Result<Self, Failure> {
        let open = |path| Ok((path, File::create(path).map_err(|e| Failure::file(path, &e))?));
        path.map(open).transpose().map(Self)
    }

    fn write(&mut self, event: &Value) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.0 else { return Ok(()) };
        writeln!(file, "{event}").map_err(|e| Failure::file(path, &e))
    }
}

fn wait(time: Duration, stop: &AtomicBool) {
    let end = Instant::now() + time;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(STEP);
    }
}
