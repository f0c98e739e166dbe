//! Every variant of every protocol runs between reader and card, and is shown in one table:
//!
//! ```text
//! cargo test --test protocols every_variant -- --nocapture
//! ```

mod active_authentication;
mod chip_authentication;
mod pace;
mod terminal_authentication;

use std::fmt;
use std::time::{Duration, Instant};

use cancuoc_primitives::group::DomainParameters;

/// A part of the table: what runs in it, line by line.
struct Part {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<(String, Vec<String>)>,
    runs: usize,
    commands: u64,
    took: Duration,
}

/// The table, with what failed.
#[derive(Default)]
struct Table {
    parts: Vec<Part>,
    failures: Vec<String>,
}

/// A variant that the specification does not have.
const UNDEFINED: &str = "-";

impl Table {
    fn part(
        &mut self,
        title: &'static str,
        columns: impl IntoIterator<Item = String>,
        fill: impl FnOnce(&mut Self),
    ) {
        let columns = columns.into_iter().collect();
        let (rows, took) = (Vec::new(), Duration::ZERO);
        self.parts.push(Part { title, columns, rows, runs: 0, commands: 0, took });
        let start = Instant::now();
        fill(self);
        self.last().took = start.elapsed();
    }

    fn last(&mut self) -> &mut Part {
        self.parts.last_mut().unwrap()
    }

    fn row(&mut self, label: impl Into<String>) {
        self.last().rows.push((label.into(), Vec::new()));
    }

    /// The next cell of the row: the marks of its runs.
    fn cell(&mut self, marks: impl Into<String>) {
        self.last().rows.last_mut().unwrap().1.push(marks.into());
    }

    /// Counts a run, which gives the commands it took: its mark, or `!` where it failed.
    fn run<'m>(&mut self, mark: &'m str, result: Result<u64, String>) -> &'m str {
        let part = self.last();
        part.runs += 1;
        match result {
            Ok(commands) => {
                part.commands += commands;
                mark
            }
            Err(why) => {
                let (label, cells) = part.rows.last().unwrap();
                let column = &part.columns[cells.len()];
                let failure = format!("{}, {label}, {column}, {mark}: {why}", part.title);
                self.failures.push(failure);
                "!"
            }
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            write!(f, "{:<36}", part.title)?;
            for column in &part.columns {
                write!(f, " {column:<12}")?;
            }
            for (label, cells) in &part.rows {
                write!(f, "\n  {label:<34}")?;
                for cell in cells {
                    write!(f, " {cell:<12}")?;
                }
            }
            let Part { runs, commands, took, .. } = part;
            writeln!(f, "\n  {runs} runs, {commands} commands, {:.1} s\n", took.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Number and name of standardised domain parameters.
fn label(parameters: &DomainParameters) -> String {
    let id = parameters.id().unwrap();
    format!("{id:>2} {}", parameters.name())
}

fn standardised() -> impl Iterator<Item = DomainParameters> {
    DomainParameters::STANDARDISED.into_iter().filter_map(DomainParameters::standardised)
}

#[test]
fn every_variant_of_every_protocol_runs_between_reader_and_card() {
    let mut table = Table::default();
    pace::fill(&mut table);
    chip_authentication::fill(&mut table);
    active_authentication::fill(&mut table);
    terminal_authentication::fill(&mut table);
    println!("{table}");
    let failures = &table.failures;
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}
