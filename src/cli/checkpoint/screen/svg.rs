//! A screen as a picture for the documents.

use std::fmt::Write;

use base64ct::{Base64, Encoding};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::super::Overlay;

/// Size of a cell in the picture.
const WIDTH: u16 = 8;
const HEIGHT: u16 = 17;
/// Letters and ground where the terminal's own are used.
const LETTERS: &str = "#d8dee9";
const GROUND: &str = "#14181f";

/// Draws the buffer, and a picture where the screen leaves room for one.
pub(super) fn draw(buffer: &Buffer, overlays: &[Overlay], jpeg: &[u8]) -> String {
    let area = buffer.area;
    let (width, height) = (area.width * WIDTH, area.height * HEIGHT);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{GROUND}\"/>\n"
    );
    for y in 0..area.height {
        let row: Vec<&Cell> = (0..area.width).map(|x| &buffer[(x, y)]).collect();
        let mut x = 0;
        for run in row.chunk_by(|a, b| (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)) {
            draw_run(run, x, y, &mut out);
            x += run.len() as u16;
        }
    }
    for overlay in overlays {
        let place = overlay.area;
        let _ = writeln!(
            out,
            "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" href=\"data:image/jpeg;base64,{}\"/>",
            place.x * WIDTH,
            place.y * HEIGHT,
            place.width * WIDTH,
            place.height * HEIGHT,
            Base64::encode_string(jpeg)
        );
    }
    out.push_str("</svg>\n");
    out
}

fn draw_run(run: &[&Cell], x: u16, y: u16, out: &mut String) {
    let Some(first) = run.first() else { return };
    let (left, top, width) = (x * WIDTH, y * HEIGHT, run.len() as u16 * WIDTH);
    if first.bg != Color::Reset {
        let color = name(first.bg, GROUND);
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{color}\" shape-rendering=\"crispEdges\"/>"
        );
    }
    let text: String = run.iter().map(|cell| cell.symbol()).collect();
    let shown = text.trim_end();
    let start = shown.chars().take_while(|c| *c == ' ').count() as u16;
    let shown = shown.trim_start();
    if shown.is_empty() {
        return;
    }
    let (left, base) = ((x + start) * WIDTH, top + 13);
    // As wide as its cells, whatever letters the viewer has.
    let length = shown.chars().count() as u16 * WIDTH;
    let weight = if first.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let dim = if first.modifier.contains(Modifier::DIM) { " opacity=\"0.65\"" } else { "" };
    let color = name(first.fg, LETTERS);
    let escaped = shown.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"{base}\" textLength=\"{length}\" xml:space=\"preserve\" \
         fill=\"{color}\"{weight}{dim}>{escaped}</text>"
    );
}

fn name(color: Color, own: &str) -> String {
    match color {
        Color::Green => "#2ea043".to_owned(),
        Color::Red => "#d13438".to_owned(),
        Color::Yellow => "#e3b341".to_owned(),
        Color::Blue => "#2f6fdb".to_owned(),
        Color::Black => "#000000".to_owned(),
        Color::White => "#ffffff".to_owned(),
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        _ => own.to_owned(),
    }
}
