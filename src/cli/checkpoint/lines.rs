//! The plain view: a line for each verdict on standard output; what happens on standard error.

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::panel::{Both, Panel, Tone, verdict_word};
use super::run::View;
use crate::checkpoint::{CardOn, Checkpoint, Lane, Phase, Record};
use crate::cli::{Context, Failure, output};

/// Writes lines.
pub(super) struct Lines<'a> {
    context: &'a Context,
    consent: Option<String>,
    /// What was said last of each lane.
    said: HashMap<String, String>,
    service_down: bool,
    scanner_down: bool,
    entry_error: Option<&'static str>,
    /// The card whose holder was asked last.
    asked: Option<CardOn>,
}

impl<'a> Lines<'a> {
    /// A view that shows the notice where a holder must agree.
    pub(super) fn new(context: &'a Context, consent: Option<String>) -> Self {
        let said = HashMap::new();
        Self {
            context,
            consent,
            said,
            service_down: false,
            scanner_down: false,
            entry_error: None,
            asked: None,
        }
    }

    fn tell(&self, text: &str) {
        // Whoever closed standard error does not want to know.
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    fn both(&self, both: &Both) -> String {
        both.in_order(self.context.lang)[0].to_owned()
    }

    /// What there is to say of a lane without a decision.
    fn lane(&mut self, lane: &Lane) {
        let panel = Panel::of(lane);
        let of_phase = !matches!(lane.phase, Phase::Inspecting { .. });
        if lane.decision.is_some() || !of_phase {
            return;
        }
        let headline = self.both(&panel.headline);
        if self.said.insert(lane.reader.clone(), headline.clone()).as_ref() == Some(&headline) {
            return;
        }
        self.tell(&format!("{}: {headline}", lane.reader));
        if let (Tone::Asks, Some(line)) = (panel.tone, &panel.line) {
            self.tell(&format!("  {}", self.both(line)));
        }
    }
}

impl Lines<'_> {
    /// Asks the holder of the card that the next answer is for; the others are asked after it.
    fn ask(&mut self, asked: Option<&Lane>) {
        let card = asked.map(Lane::card_on);
        if card == self.asked {
            return;
        }
        if let Some(CardOn { reader, .. }) = &card {
            self.tell(self.consent.as_deref().unwrap_or_default());
            self.tell(&self.context.text("checkpoint.consent.answer", &[("reader", reader)]));
        }
        self.asked = card;
    }
}

impl View for Lines<'_> {
    fn record(&mut self, record: &Record) -> Result<(), Failure> {
        let color = match record.verdict {
            "genuine" => anstyle::AnsiColor::Green,
            "forged" => anstyle::AnsiColor::Red,
            _ => anstyle::AnsiColor::Yellow,
        };
        let style = color.on_default().bold();
        let reasons: Vec<&str> = record.reasons.iter().map(|reason| reason.code).collect();
        let word = self.both(&verdict_word(record.verdict));
        let seconds = record.took_ms as f64 / 1000.0;
        let time = Timestamp::now();
        let line = format!(
            "{time:.0}  {style}{word}{style:#}  {seconds:.3} s  {}  {}",
            record.reader,
            reasons.join(" ")
        );
        let line = line.trim_end();
        self.said.remove(&record.reader);
        // A card that lies there for good is asked about anew.
        self.asked.take_if(|asked| asked.reader == record.reader);
        if self.context.json {
            self.tell(line);
            Ok(())
        } else {
            output::line(line)
        }
    }

    fn draw(&mut self, checkpoint: &Checkpoint, _now: Duration) -> Result<(), Failure> {
        let state = checkpoint.state();
        if state.service_down != self.service_down {
            self.service_down = state.service_down;
            let key = if state.service_down { "down" } else { "up" };
            self.tell(&self.context.text(&format!("checkpoint.service.{key}"), &[]));
        }
        if state.scanner_down != self.scanner_down {
            self.scanner_down = state.scanner_down;
            let key = if state.scanner_down { "down" } else { "up" };
            self.tell(&self.context.text(&format!("checkpoint.scanner.{key}"), &[]));
        }
        if state.entry.error != self.entry_error {
            self.entry_error = state.entry.error;
            if let Some(code) = state.entry.error {
                self.tell(&self.context.text(&format!("error.{code}"), &[("detail", "")]));
            }
        }
        for lane in &state.lanes {
            self.lane(lane);
        }
        self.ask(state.asked());
        Ok(())
    }
}
