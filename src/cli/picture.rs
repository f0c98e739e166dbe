//! Pictures in the terminal, as half blocks: each character cell shows two pixels.

use std::io::IsTerminal;

use anstyle::{Ansi256Color, Color, RgbColor, Style};
use image::RgbImage;
use image::imageops::FilterType;

/// Width of a portrait in character cells.
pub const PORTRAIT_COLUMNS: u32 = 36;

/// Whether standard output shows pictures: a terminal, or one that was asked for colours.
#[must_use]
pub fn can_show() -> bool {
    match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => std::io::stdout().is_terminal(),
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
    }
}

/// The picture as lines of half blocks, at most `columns` wide, its proportions kept.
#[must_use]
pub fn half_blocks(picture: &RgbImage, columns: u32) -> String {
    let true_color = std::env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit");
    let (width, height) = scaled_size(picture.dimensions(), columns);
    if width == 0 || height == 0 {
        return String::new();
    }
    let small = image::imageops::resize(picture, width, height, FilterType::Triangle);
    let color = |x, y| pixel_color(small.get_pixel(x, y).0, true_color);
    let mut out = String::new();
    for y in (0..height).step_by(2) {
        for x in 0..width {
            let style = Style::new().fg_color(Some(color(x, y))).bg_color(Some(color(x, y + 1)));
            out.push_str(&format!("{style}▀{style:#}"));
        }
        out.push('\n');
    }
    out
}

/// Size in pixels for the terminal; the height is even, since a cell shows two rows.
fn scaled_size((width, height): (u32, u32), columns: u32) -> (u32, u32) {
    if width == 0 || height == 0 {
        return (0, 0);
    }
    let columns = columns.clamp(1, 200).min(width);
    let rows = u64::from(height) * u64::from(columns) / u64::from(width);
    let rows = rows.clamp(2, 400) as u32;
    (columns, rows + rows % 2)
}

fn pixel_color([r, g, b]: [u8; 3], true_color: bool) -> Color {
    if true_color {
        return Color::Rgb(RgbColor(r, g, b));
    }
    // The 6×6×6 cube of the 256-colour palette.
    let level = |v: u8| (u16::from(v) * 5 + 127) / 255;
    Color::Ansi256(Ansi256Color((16 + 36 * level(r) + 6 * level(g) + level(b)) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_proportions() {
        assert_eq!(scaled_size((480, 640), 36), (36, 48));
        assert_eq!(scaled_size((10, 1), 36), (10, 2));
        assert_eq!(scaled_size((0, 5), 36), (0, 0));
    }

    #[test]
    fn draws_two_rows_of_pixels_in_a_line() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([255, 0, 0]));
        let text = half_blocks(&picture, 4);
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.matches('▀').count(), 8);
    }
}
