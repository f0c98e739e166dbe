//! `audit show`: what was done, by whom, when.

use std::collections::VecDeque;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::{Context, ExitStatus, Failure, output};
use super::source::{Given, SourceOptions};
use crate::production::audit::{Act, Entry, Fact, Filter, Line, SealedEntry};

/// Show what the record says was done; whether it is whole says `audit verify`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc audit show --site site.toml --last 20\n  \
    cancuoc audit show audit.jsonl --run R-2026-11 --act 'card_*'\n  \
    cancuoc audit show audit.jsonl --subject REC-17 --since 2026-11-01T00:00:00Z --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: SourceOptions,
    /// Only of this station.
    #[arg(long, value_name = "NAME")]
    station: Option<String>,
    /// Only by this person or station.
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only acts of this name; of all that begin so where it ends in *.
    #[arg(long, value_name = "NAME")]
    act: Option<String>,
    /// Only in this run.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only on this record, chip or other subject.
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// Only from this time on, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only up to this time, RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Only the last so many of these.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: u32,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "2026-11-27T08:00:00Z".to_owned())
}

/// An act, and where it stands.
struct Found {
    station: String,
    sequence: u64,
    act: Act,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let filter = Filter {
        actor: arguments.actor.clone(),
        act: arguments.act.clone(),
        run: arguments.run.clone(),
        subject: arguments.subject.clone(),
        since: arguments.since,
        until: arguments.until,
    };
    let (mut found, mut matches, mut unreadable) = (VecDeque::new(), 0_u64, 0_u64);
    arguments.source.each(|given| {
        let entry = match given {
            Given::Line(Line::Whole(bytes)) => {
                SealedEntry::decode_line(&bytes).map(|(_, e)| e).ok()
            }
            Given::Row(row) => Entry::decode(&row.bytes).ok(),
            Given::Line(Line::TooLong) => None,
            Given::End(_) => return Ok(()),
        };
        let Some(entry) = entry else {
            unreadable += 1;
            return Ok(());
        };
        if arguments.station.as_ref().is_some_and(|station| *station != entry.station) {
            return Ok(());
        }
        for act in entry.acts.into_iter().filter(|act| filter.fits(act)) {
            matches += 1;
            if found.len() >= arguments.last as usize {
                found.pop_front();
            }
            let (station, sequence) = (entry.station.clone(), entry.sequence);
            found.push_back(Found { station, sequence, act });
        }
        Ok(())
    })?;
    let left_out = matches - found.len() as u64;
    if context.json {
        let acts: Vec<Value> = found.iter().map(to_json).collect();
        output::json(&json!({
            "schema": "cancuoc.audit-show/1",
            "acts": acts, "left_out": left_out, "unreadable_lines": unreadable,
        }))?;
    } else {
        print(context, &found, left_out, unreadable)?;
    }
    Ok(ExitStatus::Done)
}

fn to_json(found: &Found) -> Value {
    let act = &found.act;
    json!({
        "station": found.station, "sequence": found.sequence, "time": act.time.to_string(),
        "actor": act.actor, "act": act.act, "run": act.run, "record": act.record,
        "chip": act.chip, "subject": act.subject, "facts": act.facts,
    })
}

fn print(
    context: &Context,
    found: &VecDeque<Found>,
    left_out: u64,
    unreadable: u64,
) -> Result<(), Failure> {
    let header = ["time", "entry", "actor", "act", "on", "facts"];
    let header = header.map(|name| context.text(&format!("audit.column.{name}"), &[]));
    let mut table = output::table(&header);
    for Found { station, sequence, act } in found {
        let on = [&act.run, &act.record, &act.chip, &act.subject];
        let on: Vec<&str> = on.into_iter().flatten().map(String::as_str).collect();
        let facts: Vec<String> =
            act.facts.iter().map(|(name, fact)| format!("{name}={}", shown(fact))).collect();
        table.add_row([
            act.time.to_string(),
            format!("{station} #{sequence}"),
            act.actor.clone(),
            act.act.clone(),
            on.join(" "),
            facts.join(" "),
        ]);
    }
    if !found.is_empty() {
        output::line(&table.to_string())?;
    }
    let count = |key: &str, count: u64| match count {
        0 => Ok(()),
        count => output::line(&context.text(key, &[("count", &count.to_string())])),
    };
    count("audit.left_out", left_out)?;
    count("audit.unreadable", unreadable)?;
    if found.is_empty() { output::line(&context.text("audit.none", &[])) } else { Ok(()) }
}

fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Flag(flag) => flag.to_string(),
        Fact::Number(number) => number.to_string(),
        Fact::Text(text) => super::super::text::plain(text),
    }
}
