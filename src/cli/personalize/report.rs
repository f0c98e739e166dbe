//! What `personalize` shows: progress while it runs, and what was done.

use std::time::Instant;

use serde_json::{Value, json};

use super::super::{Context, Failure, output};
use crate::globalplatform::link::Traffic;
use crate::globalplatform::personalize::{Progress, Report, Step};
use crate::issue::{CardImage, Record};

/// The steps of a run with their times, and the bar on the terminal.
pub(super) struct Steps {
    start: Instant,
    current: (&'static str, Instant),
    done: Vec<(&'static str, f64)>,
    bar: Option<indicatif::ProgressBar>,
    names: Vec<(Step, String)>,
}

impl Steps {
    /// Starts with the preparation of the image.
    pub(super) fn new(context: &Context) -> Self {
        let steps = [
            Step::Identify,
            Step::Authenticate,
            Step::Keys,
            Step::Write,
            Step::ReadBack,
            Step::Lock,
        ];
        let name = |step: Step| context.text(&format!("personalize.step.{}", step.name()), &[]);
        let bar = context.progress.then(|| {
            let style = indicatif::ProgressStyle::with_template("{msg:<28} {bar:30} {percent:>3}%");
            let bar = indicatif::ProgressBar::new(1);
            if let Ok(style) = style { bar.with_style(style) } else { bar }
        });
        let start = Instant::now();
        Self {
            start,
            current: ("prepare", start),
            done: Vec::new(),
            bar,
            names: steps.map(|step| (step, name(step))).to_vec(),
        }
    }

    /// The image is made; the card is next.
    pub(super) fn prepared(&mut self) {
        self.change("connect");
    }

    fn change(&mut self, next: &'static str) {
        let (name, since) = self.current;
        if name != next {
            self.done.push((name, milliseconds(since)));
            self.current = (next, Instant::now());
        }
    }

    /// Takes note of where the personalisation is.
    pub(super) fn progress(&mut self, progress: Progress) {
        self.change(progress.step.name());
        let Some(bar) = &self.bar else { return };
        if let Some((_, name)) = self.names.iter().find(|(step, _)| *step == progress.step) {
            bar.set_message(name.clone());
        }
        bar.set_length(progress.total.max(1) as u64);
        bar.set_position(progress.done as u64);
    }

    /// Ends the bar and gives the times.
    pub(super) fn finish(mut self) -> Times {
        let (name, since) = self.current;
        self.done.push((name, milliseconds(since)));
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        Times { steps: self.done, total: milliseconds(self.start) }
    }
}

/// Milliseconds with three decimals.
fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_micros() as f64 / 1000.0
}

/// How long each step took, in milliseconds.
pub(super) struct Times {
    steps: Vec<(&'static str, f64)>,
    total: f64,
}

/// A personalised card.
pub(super) struct Outcome<'a> {
    pub(super) record: &'a Record,
    pub(super) image: &'a CardImage,
    pub(super) report: &'a Report,
    pub(super) times: &'a Times,
}

/// The number with all digits masked that open the card.
fn masked(number: &str) -> String {
    number.chars().enumerate().map(|(i, c)| if i < 3 { c } else { '*' }).collect()
}

fn traffic(traffic: Traffic) -> Value {
    json!({
        "count": traffic.apdus,
        "sent_bytes": traffic.sent,
        "received_bytes": traffic.received,
    })
}

impl Outcome<'_> {
    fn number(&self) -> String {
        masked(self.record.personal_number.as_str())
    }

    fn serial(&self) -> Option<String> {
        self.report.identity.production.as_ref().map(|cplc| cplc.chip_serial())
    }

    fn total(&self) -> Traffic {
        let (write, read) = (self.report.traffic, self.report.read_back.as_ref());
        let read = read.map(|read| read.traffic).unwrap_or_default();
        Traffic {
            apdus: write.apdus + read.apdus,
            sent: write.sent + read.sent,
            received: write.received + read.received,
        }
    }

    /// `cancuoc.personalize/1`.
    pub(super) fn to_json(&self) -> Value {
        let report = self.report;
        let steps: Vec<_> =
            self.times.steps.iter().map(|(name, ms)| json!({ "name": name, "ms": ms })).collect();
        json!({
            "schema": "cancuoc.personalize/1",
            "document": { "number": self.number(), "profile": self.record.profile.name },
            "card": {
                "serial": self.serial(),
                "scp03_options": (report.protocol.number == 3)
                    .then(|| format!("{:02X}", report.protocol.options)),
                "secure_channel": report.protocol.to_string(),
                "key_version": format!("{:02X}", report.key_version),
                "security_level": format!("{:02X}", report.level.byte()),
                "life_cycle": report.life_cycle.name(),
            },
            "resumed": report.resumed,
            "files": { "count": self.image.files.len(), "bytes": report.file_bytes },
            "write": {
                "store_data": report.blocks,
                "max_data": report.max_data,
                "apdus": traffic(report.write_traffic),
                "overhead": report.overhead(),
            },
            "read_back": report.read_back.as_ref().map(|read| json!({
                "files": read.files,
                "bytes": read.bytes,
                "access": read.access,
                "keys_proven": read.keys_proven,
                "unread": read.unread.iter().map(|fid| format!("{fid:04X}")).collect::<Vec<_>>(),
                "apdus": traffic(read.traffic),
            })),
            "apdus": traffic(self.total()),
            "steps": steps,
            "timing_ms": { "total": self.times.total },
        })
    }

    /// The same as sentences.
    pub(super) fn print(&self, context: &Context) -> Result<(), Failure> {
        let report = self.report;
        let line = |key: &str, values: &[(&str, String)]| {
            let values: Vec<_> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
            output::line(&context.text(key, &values))
        };
        let serial = self.serial().unwrap_or_else(|| "–".to_owned());
        line("personalize.done", &[("number", self.number()), ("serial", serial)])?;
        if report.resumed {
            line("personalize.resumed", &[])?;
        }
        let ratio = report.overhead().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.3}"));
        line(
            "personalize.written",
            &[
                ("files", self.image.files.len().to_string()),
                ("bytes", report.file_bytes.to_string()),
                ("blocks", report.blocks.to_string()),
                ("ratio", ratio),
            ],
        )?;
        if let Some(read) = &report.read_back {
            let access = read.access.clone().unwrap_or_else(|| "–".to_owned());
            line(
                "personalize.read_back",
                &[
                    ("files", read.files.to_string()),
                    ("bytes", read.bytes.to_string()),
                    ("access", access),
                    ("keys", read.keys_proven.join(", ")),
                ],
            )?;
            if !read.unread.is_empty() {
                let unread: Vec<_> = read.unread.iter().map(|fid| format!("{fid:04X}")).collect();
                line("personalize.unread", &[("files", unread.join(", "))])?;
            }
        }
        let total = self.total();
        line(
            "personalize.locked",
            &[
                ("state", report.life_cycle.name().to_owned()),
                ("apdus", total.apdus.to_string()),
                ("ms", format!("{:.0}", self.times.total)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn masks_the_digits_that_open_the_card() {
        assert_eq!(super::masked("001200000018"), "001*********");
    }
}
