//! One lane of the screen.

use std::time::Duration;

use image::RgbImage;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Wrap};

use super::super::panel::{Panel, Reason, Tone};
use super::{Look, Overlay, bold};
use crate::checkpoint::{Inspected, Lane, Phase};
use crate::cli::picture::{self, CellSize, Graphics};

/// Room for the portrait, in cells.
const PORTRAIT_COLUMNS: u16 = 36;
/// Room that the words beside it need.
const TEXT_COLUMNS: u16 = 34;

/// Draws the lane; gives its portrait where that is left to be drawn in pixels.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    lane: &Lane,
    look: &Look,
    is_next: bool,
    now: Duration,
) -> Option<Overlay> {
    let panel = Panel::of(lane);
    let (_, color) = look.colors(panel.tone);
    let mut title = format!(" {} ", lane.reader);
    if is_next {
        title = format!(" ▶{title}");
    }
    let border = Style::new().fg(color);
    let block = Block::bordered().border_style(border).title(Span::styled(title, bold(color)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let band = if inner.height >= 18 { 5 } else { 3 };
    let lines = lines_below(lane, &panel, look, now);
    let [headline, below, body] = Layout::vertical([
        Constraint::Length(band),
        Constraint::Length(height_of(&lines, inner.width)),
        Constraint::Fill(1),
    ])
    .areas(inner);
    draw_headline(frame, headline, &panel, look);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), below);
    draw_body(frame, body, lane, &panel, look)
}

/// A band in the colour of the tone, with the words in both languages and a sign, for nobody has
/// to tell red from green.
fn draw_headline(frame: &mut Frame<'_>, area: Rect, panel: &Panel<'_>, look: &Look) {
    let (letters, ground) = look.colors(panel.tone);
    let sign = match panel.tone {
        Tone::Good => "✔ ",
        Tone::Bad => "✘ ",
        Tone::Doubt => "? ",
        Tone::Idle | Tone::Asks | Tone::Busy => "",
    };
    let [first, second] = panel.headline.in_order(look.lang);
    let mut style = Style::new().fg(letters).bg(ground);
    if !look.color && panel.took.is_some() {
        style = style.add_modifier(Modifier::REVERSED);
    }
    let mut lines = vec![Line::default(); usize::from(area.height.saturating_sub(2) / 2)];
    let words = Span::styled(format!("{sign}{first}"), style.add_modifier(Modifier::BOLD));
    lines.push(Line::from(words).centered());
    lines.push(Line::from(Span::styled(second.to_owned(), style)).centered());
    frame.render_widget(Paragraph::new(lines).style(style), area);
}

/// What somebody has to do, or how far reading is; how long it took; an empty line.
fn lines_below<'a>(lane: &Lane, panel: &'a Panel<'_>, look: &Look, now: Duration) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    if let Some(words) = &panel.line {
        let [first, second] = words.in_order(look.lang);
        lines.push(Line::from(Span::styled(first, Modifier::BOLD)));
        lines.push(Line::from(Span::styled(second, Modifier::DIM)));
    }
    let took = match (&lane.phase, panel.took) {
        (Phase::Inspecting { since, .. }, _) => Some(now.saturating_sub(*since)),
        (_, took) => took,
    };
    if let Some(took) = took {
        lines.push(Line::from(seconds(took)));
    } else if let Some(previous) = &panel.previous {
        let words = look.say("checkpoint.previous", &[("verdict", look.first(previous))]);
        lines.push(Line::from(Span::styled(words, Modifier::DIM)));
    }
    lines.push(Line::default());
    lines
}

/// Rows that the lines take when words are wrapped: what is left of a row by a word that does not
/// fit is guessed.
fn height_of(lines: &[Line<'_>], width: u16) -> u16 {
    let usable = usize::from(width.saturating_sub(4)).max(1);
    let rows = |line: &Line<'_>| line.width().div_ceil(usable).max(1);
    u16::try_from(lines.iter().map(rows).sum::<usize>()).unwrap_or(u16::MAX)
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

fn draw_body(
    frame: &mut Frame<'_>,
    area: Rect,
    lane: &Lane,
    panel: &Panel<'_>,
    look: &Look,
) -> Option<Overlay> {
    let mut lines = Vec::new();
    if matches!(lane.phase, Phase::NeedsConsent { .. }) {
        lines.extend(look.consent.iter().flat_map(|notice| notice.lines()).map(Line::from));
    }
    if let Some(inspected) = panel.inspected {
        lines.extend(holder(inspected, look));
    }
    for reason in &panel.reasons {
        lines.extend(reason_lines(reason, panel.tone, look));
    }
    let portrait = panel.inspected.and_then(|inspected| inspected.portrait.as_ref());
    let place = portrait.filter(|_| look.graphics != Graphics::None && area.height >= 4);
    let columns = area.width.saturating_sub(TEXT_COLUMNS).min(PORTRAIT_COLUMNS);
    let Some(portrait) = place.filter(|_| columns >= 10) else {
        frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), area);
        return None;
    };
    let (columns, rows) = fit(portrait, columns, area.height, look);
    let [picture, _, words] = Layout::horizontal([
        Constraint::Length(columns),
        Constraint::Length(1),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: true }), words);
    let picture = Rect { height: rows, ..picture };
    if look.graphics == Graphics::Blocks {
        draw_blocks(frame, picture, portrait, look.true_color);
        return None;
    }
    let at = lane.decision.as_ref().map(|decision| decision.at).unwrap_or_default();
    Some(Overlay { area: picture, reader: lane.reader.clone(), arrival: lane.arrival, at })
}

fn fit(portrait: &RgbImage, columns: u16, rows: u16, look: &Look) -> (u16, u16) {
    let cell = if look.graphics == Graphics::Blocks { CellSize::BLOCKS } else { look.cell };
    let (columns, rows) = picture::fit(portrait.dimensions(), columns.into(), rows.into(), cell);
    (u16::try_from(columns).unwrap_or(u16::MAX), u16::try_from(rows).unwrap_or(u16::MAX))
}

fn draw_blocks(frame: &mut Frame<'_>, area: Rect, portrait: &RgbImage, true_color: bool) {
    let color = |[r, g, b]: [u8; 3]| match true_color {
        true => Color::Rgb(r, g, b),
        false => Color::Indexed(picture::palette_index([r, g, b])),
    };
    let rows = picture::cells(portrait, area.width.into(), area.height.into());
    for (row, y) in rows.into_iter().zip(area.top()..area.bottom()) {
        for (cell, x) in row.into_iter().zip(area.left()..area.right()) {
            if let Some(to) = frame.buffer_mut().cell_mut((x, y)) {
                to.set_symbol("▀").set_fg(color(cell.upper)).set_bg(color(cell.lower));
            }
        }
    }
}

/// Name, number and a few facts.
fn holder<'a>(inspected: &'a Inspected, look: &Look) -> Vec<Line<'a>> {
    let holder = &inspected.holder;
    let mut lines = Vec::new();
    if let Some(name) = &holder.name {
        lines.push(Line::from(Span::styled(name.as_str(), bold(Color::Reset))));
    }
    if let Some(number) = &holder.number {
        lines.push(Line::from(number.as_str()));
    }
    for (field, value) in &holder.facts {
        let label = look.say(&format!("field.{field}"), &[]);
        lines.push(Line::from(format!("{label}: {value}")));
    }
    lines.push(Line::default());
    lines
}

fn reason_lines<'a>(reason: &'a Reason, tone: Tone, look: &Look) -> Vec<Line<'a>> {
    let (_, color) = look.colors(tone);
    let mut lines = Vec::new();
    let [first, second] = reason.what.in_order(look.lang);
    let check = reason.check.as_ref().map(|check| format!("{}: ", look.first(check)));
    lines.push(Line::from(vec![
        Span::styled(check.unwrap_or_default(), bold(color)),
        Span::raw(first),
    ]));
    lines.push(Line::from(Span::styled(second, Modifier::DIM)));
    if let Some(todo) = &reason.todo {
        let [first, second] = todo.in_order(look.lang);
        lines.push(Line::from(Span::styled(format!("→ {first}"), Modifier::BOLD)));
        lines.push(Line::from(Span::styled(format!("→ {second}"), Modifier::DIM)));
    }
    lines
}
