//! The full screen: lanes side by side, each with headline, portrait, name and reasons.
//!
//! Drawing is a function of the state alone, so that a test draws into memory. What only a real
//! terminal has, modes, keys and pictures of pixels, is in [`super::terminal`].

mod lane;

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::panel::{Both, Tone, next_lane, shown_lanes, verdict_word};
use crate::checkpoint::{Checkpoint, Lane, State};
use crate::cli::picture::{CellSize, Graphics};
use crate::cli::text::{Lang, plain, text};

/// A lane needs so much room.
const LEAST_WIDTH: u16 = 40;
const LEAST_HEIGHT: u16 = 12;

/// How a screen looks.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// The language that stands first.
    pub lang: Lang,
    /// Colours are used.
    pub color: bool,
    /// How portraits are shown.
    pub graphics: Graphics,
    /// The terminal shows all colours, not 256.
    pub true_color: bool,
    /// Size of a character cell.
    pub cell: CellSize,
    /// The notice that holders agree to.
    pub consent: Option<String>,
}

/// A portrait that is to be drawn in pixels over the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Overlay {
    /// Where.
    pub area: Rect,
    /// Which reader.
    pub reader: String,
    /// Which card of it.
    pub arrival: u64,
    /// When its decision was made.
    pub at: Duration,
}

/// Draws everything; gives the portraits that are left to be drawn in pixels.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    checkpoint: &Checkpoint,
    look: &Look,
    now: Duration,
) -> Vec<Overlay> {
    let rows = [Constraint::Length(1), Constraint::Min(3), Constraint::Length(2)];
    let [title, middle, bottom] = Layout::vertical(rows).areas(frame.area());
    let state = checkpoint.state();
    draw_title(frame, title, state, look);
    draw_bottom(frame, bottom, state, look, now);
    let lanes: Vec<&Lane> = shown_lanes(state).collect();
    if lanes.is_empty() {
        draw_nothing(frame, middle, state, look);
        return Vec::new();
    }
    let next = next_lane(state);
    let areas = grid(middle, lanes.len());
    let mut overlays = Vec::new();
    for (lane, area) in lanes.iter().zip(areas) {
        // Where several holders wait for the same keys, it is said which card they are for.
        let is_asked = state.asked().is_some_and(|asked| asked.reader == lane.reader);
        let is_next = lanes.len() > 1 && (is_asked || next == Some(lane.reader.as_str()));
        overlays.extend(lane::draw(frame, area, lane, look, is_next, now));
    }
    overlays
}

/// Equal parts for as many lanes as there is room for.
fn grid(area: Rect, lanes: usize) -> Vec<Rect> {
    let most_columns = usize::from((area.width / LEAST_WIDTH).max(1));
    let most_rows = usize::from((area.height / LEAST_HEIGHT).max(1));
    let columns = lanes.min(most_columns);
    let rows = lanes.div_ceil(columns.max(1)).min(most_rows);
    let lines = Layout::vertical(vec![Constraint::Fill(1); rows]).split(area);
    let split = |line: &Rect| Layout::horizontal(vec![Constraint::Fill(1); columns]).split(*line);
    lines.iter().flat_map(|line| split(line).to_vec()).take(lanes).collect()
}

impl Look {
    /// The colours of a tone: of letters on it, and of itself.
    pub(super) fn colors(&self, tone: Tone) -> (Color, Color) {
        match tone {
            _ if !self.color => (Color::Reset, Color::Reset),
            Tone::Good => (Color::Black, Color::Green),
            Tone::Bad => (Color::White, Color::Red),
            Tone::Doubt => (Color::Black, Color::Yellow),
            Tone::Asks | Tone::Busy => (Color::White, Color::Blue),
            Tone::Idle => (Color::Reset, Color::Reset),
        }
    }

    fn first<'b>(&self, both: &'b Both) -> &'b str {
        both.in_order(self.lang)[0]
    }

    fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        text(self.lang, key, values)
    }
}

/// A word that stands out: bold, and in its colour where there are colours.
fn bold(color: Color) -> Style {
    Style::new().fg(color).add_modifier(Modifier::BOLD)
}

fn draw_title(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let tally = &state.tally;
    let counts = [
        ("genuine", tally.genuine, Tone::Good),
        ("forged", tally.forged, Tone::Bad),
        ("inconclusive", tally.inconclusive, Tone::Doubt),
        ("unread", tally.unread, Tone::Doubt),
    ];
    let mut spans = vec![Span::styled(
        format!(" cancuoc · {}  ", look.say("checkpoint.title", &[])),
        bold(Color::Reset),
    )];
    for (name, count, tone) in counts {
        let word = verdict_word(name);
        let color = if look.color { look.colors(tone).1 } else { Color::Reset };
        spans.push(Span::styled(format!("{} {count}", look.first(&word)), bold(color)));
        spans.push(Span::raw("  "));
    }
    frame.render_widget(Line::from(spans), area);
}

fn draw_bottom(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look, now: Duration) {
    let [first, second] = Layout::vertical([Constraint::Length(1); 2]).areas(area);
    let asks = look.colors(Tone::Asks).1;
    let entry = &state.entry;
    let bad = bold(look.colors(Tone::Bad).1);
    let line = if state.service_down {
        Span::styled(look.say("checkpoint.service.down", &[]), bad)
    } else if let Some(pending) = &state.pending {
        let seconds = now.saturating_sub(pending.since).as_secs().to_string();
        let kind = look.say(&format!("checkpoint.kind.{}", pending.given.kind()), &[]);
        let values = [("kind", kind.as_str()), ("seconds", seconds.as_str())];
        Span::styled(look.say("checkpoint.entry.pending", &values), bold(asks))
    } else if entry.characters > 0 || entry.lines > 0 {
        // What is typed opens a card: only how much of it there is is shown.
        let dots = "•".repeat(entry.characters.min(60));
        let values = [("dots", dots.as_str()), ("lines", &*entry.lines.to_string())];
        let key = if entry.lines > 0 { "checkpoint.entry.lines" } else { "checkpoint.entry.typed" };
        Span::raw(look.say(key, &values))
    } else if state.scanner_down {
        Span::styled(look.say("checkpoint.scanner.down", &[]), bad)
    } else if let Some(code) = entry.error {
        let words = look.say(&format!("error.{code}"), &[("detail", "")]);
        Span::styled(words, bad)
    } else if state.queued > 0 {
        Span::raw(look.say("checkpoint.entry.list", &[]))
    } else {
        Span::raw(look.say("checkpoint.entry.empty", &[]))
    };
    frame.render_widget(Line::from(vec![Span::raw(" "), line]), first);
    let keys = match (state.asked(), &look.consent) {
        (Some(lane), _) => {
            let reader = plain(&lane.reader);
            let keys = look.say("checkpoint.keys.asked", &[("reader", &reader)]);
            Span::styled(format!(" {keys}"), bold(asks))
        }
        (None, Some(_)) => dim(look, "checkpoint.keys.consent"),
        (None, None) => dim(look, "checkpoint.keys"),
    };
    frame.render_widget(Line::from(keys), second);
}

fn dim(look: &Look, key: &str) -> Span<'static> {
    Span::styled(format!(" {}", look.say(key, &[])), Modifier::DIM)
}

/// No reader at all.
fn draw_nothing(frame: &mut Frame<'_>, area: Rect, state: &State, look: &Look) {
    let key = if state.service_down { "checkpoint.service.down" } else { "checkpoint.line.gone" };
    let words = Both::text(key, &[]);
    let lines = words.in_order(look.lang).map(|words| Line::from(words.to_owned()).centered());
    let [_, middle, _] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(2), Constraint::Fill(1)])
            .areas(area);
    frame.render_widget(Paragraph::new(lines.to_vec()), middle);
}

#[cfg(test)]
#[path = "screen/tests.rs"]
mod tests;
