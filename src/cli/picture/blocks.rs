//! Half blocks: the upper half of a cell in the colour of the letter, the lower in that of the
//! ground.

use anstyle::{Ansi256Color, Color, RgbColor, Style};
use image::RgbImage;

use super::{CellSize, fit, scaled};

/// Most rows of a picture in the flow of text.
const MOST_ROWS: u32 = 200;

/// Upper and lower half of a character cell, as red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Upper half.
    pub upper: [u8; 3],
    /// Lower half.
    pub lower: [u8; 3],
}

/// The picture as rows of cells.
#[must_use]
pub fn cells(picture: &RgbImage, columns: u32, rows: u32) -> Vec<Vec<Cell>> {
    if columns == 0 || rows == 0 || picture.is_empty() {
        return Vec::new();
    }
    let small = scaled(picture, columns, rows * 2);
    let pixel = |x, y| small.get_pixel(x, y).0;
    let cell = |x, row| Cell { upper: pixel(x, 2 * row), lower: pixel(x, 2 * row + 1) };
    (0..rows).map(|row| (0..columns).map(|x| cell(x, row)).collect()).collect()
}

/// The picture as lines of half blocks, at most `columns` wide, its proportions kept.
#[must_use]
pub fn half_blocks(picture: &RgbImage, columns: u32) -> String {
    let columns = columns.clamp(1, 200).min(picture.width());
    let (columns, rows) = fit(picture.dimensions(), columns, MOST_ROWS, CellSize::BLOCKS);
    let true_color = has_true_color();
    let mut out = String::new();
    for row in cells(picture, columns, rows) {
        for cell in row {
            let [upper, lower] = [cell.upper, cell.lower].map(|c| Some(color(c, true_color)));
            let style = Style::new().fg_color(upper).bg_color(lower);
            out.push_str(&format!("{style}▀"));
        }
        out.push_str(&format!("{}\n", anstyle::Reset));
    }
    out
}

/// Whether the terminal says that it shows all colours.
#[must_use]
pub fn has_true_color() -> bool {
    std::env::var("COLORTERM").is_ok_and(|v| v == "truecolor" || v == "24bit")
}

fn color([r, g, b]: [u8; 3], true_color: bool) -> Color {
    if true_color {
        return Color::Rgb(RgbColor(r, g, b));
    }
    Color::Ansi256(Ansi256Color(palette_index([r, g, b])))
}

/// The nearest colour of the 6 × 6 × 6 cube of the 256-colour palette.
#[must_use]
pub fn palette_index([r, g, b]: [u8; 3]) -> u8 {
    let level = |v: u8| (u16::from(v) * 5 + 127) / 255;
    (16 + 36 * level(r) + 6 * level(g) + level(b)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_two_rows_of_pixels_in_a_line() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([255, 0, 0]));
        let text = half_blocks(&picture, 4);
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.matches('▀').count(), 8);
    }

    #[test]
    fn puts_the_upper_pixel_above_the_lower() {
        let mut picture = RgbImage::new(1, 2);
        picture.put_pixel(0, 0, image::Rgb([250, 0, 0]));
        picture.put_pixel(0, 1, image::Rgb([0, 0, 250]));
        let expected = Cell { upper: [250, 0, 0], lower: [0, 0, 250] };
        assert_eq!(cells(&picture, 1, 1), [[expected]]);
    }

    #[test]
    fn draws_nothing_of_a_picture_without_pixels() {
        assert_eq!(half_blocks(&RgbImage::new(0, 0), 36), "");
    }
}
