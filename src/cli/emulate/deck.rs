//! Plays the cards of a deck in the virtual reader, each until somebody has read it.

use std::fs::File;
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

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
    let next = next_card(context);
    let mut played = Vec::new();
    for (card, entry) in &entries {
        if stop.load(Ordering::Relaxed) {
            return Ok(ExitStatus::Interrupted);
        }
        // The name of a file in the folder, and of nothing else on this machine.
        let file = Path::new(&card.card).file_name().unwrap_or_default();
        let mut soft_card = reader::soft_card(context, &folder.join(file))?;
        announce(context, card)?;
        events.write(&json!({ "event": "in", "name": card.name, "entry": entry }))?;
        let start = Instant::now();
        let most = Duration::from_secs(arguments.seconds.into());
        let taken = || stop.load(Ordering::Relaxed) || next.load(Ordering::Relaxed);
        let visit = vpcd::visit(&mut soft_card, &arguments.vpcd, most, &taken)
            .map_err(|e| unreachable(&arguments.vpcd, &e))?;
        let out = visit_json(card, visit, start.elapsed());
        events.write(&out)?;
        played.push(out);
        next.store(false, Ordering::Relaxed);
        wait(Duration::from_secs(arguments.pause.into()), stop);
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

/// Set when somebody presses Enter, where somebody is there.
fn next_card(context: &Context) -> Arc<AtomicBool> {
    let next = Arc::new(AtomicBool::new(false));
    if std::io::stdin().is_terminal() {
        eprintln!("{}", context.text("emulate.next", &[]));
        let flag = next.clone();
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
    next
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
