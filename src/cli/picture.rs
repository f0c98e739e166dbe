//! Pictures in the terminal, by what it can: the graphics protocol of kitty, sixel, or half blocks.
//!
//! What the terminal can is told by `--graphics`, or else asked of it. Where nothing is known half
//! blocks are drawn, which every terminal with colours shows; a pipe gets no pictures.

mod ask;
mod blocks;
mod kitty;
mod sixel;

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use image::RgbImage;
use image::imageops::FilterType;

pub use blocks::{Cell, cells, half_blocks, has_true_color, palette_index};
pub use kitty::{Cursor, delete_all as kitty_delete_all, encode as kitty};
pub use sixel::encode as sixel;

/// Width of a portrait in character cells, as half blocks.
pub const PORTRAIT_COLUMNS: u32 = 36;
/// The same where the terminal shows pixels.
const PIXEL_COLUMNS: u32 = 24;
/// Most rows that a picture in the flow of text takes.
const MOST_ROWS: u32 = 40;

/// How pictures are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphics {
    /// Not at all.
    None,
    /// As half blocks: each character cell shows two pixels.
    Blocks,
    /// As sixels.
    Sixel,
    /// By the graphics protocol of kitty.
    Kitty,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphicsChoice {
    /// By what the terminal can.
    Auto,
    /// The graphics protocol of kitty.
    Kitty,
    /// Sixel.
    Sixel,
    /// Half blocks.
    Blocks,
    /// No pictures.
    None,
}

impl GraphicsChoice {
    /// What standard output shows; asks the terminal where that is not clear.
    #[must_use]
    pub fn resolve(self) -> Graphics {
        match self {
            Self::Kitty => Graphics::Kitty,
            Self::Sixel => Graphics::Sixel,
            Self::Blocks => Graphics::Blocks,
            Self::None => Graphics::None,
            Self::Auto => match anstream::AutoStream::choice(&std::io::stdout()) {
                anstream::ColorChoice::Never => Graphics::None,
                _ if std::io::stdout().is_terminal() => ask::what_the_terminal_can(),
                // Colours were asked for on a pipe: what is a picture there is of characters.
                anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => {
                    Graphics::Blocks
                }
                anstream::ColorChoice::Auto => Graphics::None,
            },
        }
    }
}

/// Size of a character cell in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellSize {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl CellSize {
    /// What is taken where the terminal does not tell: smaller than most, so that a picture never
    /// runs over its place.
    const SMALL: Self = Self { width: 8, height: 16 };
    /// What half blocks make of a cell.
    pub const BLOCKS: Self = Self { width: 1, height: 2 };

    /// The size that the terminal tells.
    #[must_use]
    pub fn of_terminal() -> Self {
        let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout()) else { return Self::SMALL };
        let side = |pixels: u16, cells: u16| u32::from(pixels).checked_div(u32::from(cells));
        match (side(size.ws_xpixel, size.ws_col), side(size.ws_ypixel, size.ws_row)) {
            (Some(width @ 1..=256), Some(height @ 1..=256)) => Self { width, height },
            _ => Self::SMALL,
        }
    }
}

/// The largest size in cells within `columns` and `rows` that keeps the picture's proportions;
/// zero for a picture without pixels.
#[must_use]
pub fn fit((width, height): (u32, u32), columns: u32, rows: u32, cell: CellSize) -> (u32, u32) {
    if width == 0 || height == 0 || columns == 0 || rows == 0 {
        return (0, 0);
    }
    let (width, height) = (u64::from(width), u64::from(height));
    let (cell_width, cell_height) = (u64::from(cell.width), u64::from(cell.height));
    let rows_for =
        |columns: u64| (columns * cell_width * height).div_ceil(width * cell_height).max(1);
    let columns = u64::from(columns);
    let needed = rows_for(columns);
    if needed <= u64::from(rows) {
        return (columns as u32, needed as u32);
    }
    let rows = u64::from(rows);
    let fitting = (rows * cell_height * width / (height * cell_width)).clamp(1, columns);
    (fitting as u32, rows as u32)
}

/// The picture at a size in pixels; at most as large as it is needed.
fn scaled(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    image::imageops::resize(picture, width.max(1), height.max(1), FilterType::Triangle)
}

/// Writes a picture to standard output, where pictures are shown there.
pub fn print(picture: &RgbImage, graphics: Graphics) {
    let columns = match graphics {
        Graphics::Blocks => PORTRAIT_COLUMNS,
        _ => PIXEL_COLUMNS,
    };
    let cell = CellSize::of_terminal();
    let (width, rows) = fit(picture.dimensions(), columns, MOST_ROWS, cell);
    let shown = match graphics {
        Graphics::None => return,
        Graphics::Blocks => half_blocks(picture, columns),
        Graphics::Kitty => format!("{}\n", kitty(picture, width, rows, Cursor::After)),
        Graphics::Sixel => {
            format!("{}\n", sixel(picture, width * cell.width, rows * cell.height))
        }
    };
    // Not through what drops colours: a picture was asked for, or the terminal shows it.
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", shown.trim_end_matches('\n')).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_the_proportions() {
        assert_eq!(fit((480, 640), 36, 100, CellSize::BLOCKS), (36, 24));
        assert_eq!(fit((480, 640), 36, 10, CellSize::BLOCKS), (15, 10));
        assert_eq!(fit((300, 400), 30, 20, CellSize { width: 10, height: 20 }), (30, 20));
        assert_eq!(fit((0, 5), 36, 10, CellSize::BLOCKS), (0, 0));
    }

    proptest! {
        #[test]
        fn never_runs_over_its_place(
            width in 1u32..9_000, height in 1u32..9_000,
            columns in 1u32..300, rows in 1u32..100,
            cell_width in 1u32..40, cell_height in 1u32..40,
        ) {
            let cell = CellSize { width: cell_width, height: cell_height };
            let (c, r) = fit((width, height), columns, rows, cell);
            prop_assert!((1..=columns).contains(&c) && (1..=rows).contains(&r));
        }
    }
}
