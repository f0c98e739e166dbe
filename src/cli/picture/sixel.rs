//! Sixels (DEC VT330/VT340 Programmer Reference Manual, chapter 14): bands of six rows of pixels, a
//! run of characters for each colour in them.

use std::fmt::Write;

use image::RgbImage;
use image::imageops::{ColorMap, dither};

use super::scaled;

/// Levels of red, green and blue: 252 colours, within the 256 that terminals have. The eye tells
/// most levels of green apart.
const LEVELS: [u16; 3] = [6, 7, 6];
const COLORS: usize = 252;

/// A palette of evenly spread colours.
struct Cube;

impl Cube {
    fn level(value: u8, levels: u16) -> u16 {
        (u16::from(value) * (levels - 1) + 127) / 255
    }

    fn value(level: u16, levels: u16) -> u8 {
        (level * 255 / (levels - 1)) as u8
    }

    fn index([r, g, b]: [u8; 3]) -> usize {
        let [red, green, blue] = LEVELS;
        let index = (Self::level(r, red) * green + Self::level(g, green)) * blue;
        usize::from(index + Self::level(b, blue))
    }
}

impl ColorMap for Cube {
    type Color = image::Rgb<u8>;

    fn index_of(&self, color: &Self::Color) -> usize {
        Self::index(color.0)
    }

    fn map_color(&self, color: &mut Self::Color) {
        for (value, levels) in color.0.iter_mut().zip(LEVELS) {
            *value = Self::value(Self::level(*value, levels), levels);
        }
    }
}

/// The picture at a size in pixels.
#[must_use]
pub fn encode(picture: &RgbImage, width: u32, height: u32) -> String {
    if picture.is_empty() || width == 0 || height == 0 {
        return String::new();
    }
    let mut small = scaled(picture, width, height);
    dither(&mut small, &Cube);
    // Aspect ratio 1:1; pixels that are not set stay as they are.
    let mut out = format!("\x1bP0;1;0q\"1;1;{width};{height}");
    let mut defined = [false; COLORS];
    for top in (0..height).step_by(6) {
        band(&small, top, &mut defined, &mut out);
    }
    out.push_str("\x1b\\");
    out
}

/// Six rows of pixels, a line for each of their colours.
fn band(picture: &RgbImage, top: u32, defined: &mut [bool; COLORS], out: &mut String) {
    let width = picture.width() as usize;
    let mut colors: Vec<(usize, [u8; 3], Vec<u8>)> = Vec::new();
    for (bit, y) in (top..picture.height().min(top + 6)).enumerate() {
        for x in 0..picture.width() {
            let color = picture.get_pixel(x, y).0;
            let index = Cube::index(color);
            let line = match colors.iter().position(|(known, ..)| *known == index) {
                Some(position) => colors.get_mut(position),
                None => {
                    colors.push((index, color, vec![0; width]));
                    colors.last_mut()
                }
            };
            if let Some(sixel) = line.and_then(|(.., line)| line.get_mut(x as usize)) {
                *sixel |= 1 << bit;
            }
        }
    }
    for (index, color, line) in colors {
        let _ = write!(out, "#{index}");
        if let Some(defined) = defined.get_mut(index).filter(|defined| !**defined) {
            *defined = true;
            // Colours are in hundredths.
            let [r, g, b] = color.map(|value| u16::from(value) * 100 / 255);
            let _ = write!(out, ";2;{r};{g};{b}#{index}");
        }
        runs(&line, out);
        out.push('$');
    }
    out.push('-');
}

/// A line of sixels, runs of equal ones counted.
fn runs(line: &[u8], out: &mut String) {
    for run in line.chunk_by(|a, b| a == b) {
        let Some(sixel) = run.first() else { continue };
        let character = char::from(b'?' + sixel);
        match run.len() {
            length @ 0..=3 => out.extend(std::iter::repeat_n(character, length)),
            length => {
                let _ = write!(out, "!{length}{character}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws what was encoded, as a terminal does.
    fn draw(text: &str) -> RgbImage {
        let body = text.strip_prefix("\x1bP0;1;0q\"1;1;").unwrap().strip_suffix("\x1b\\").unwrap();
        let (width, rest) = body.split_once(';').unwrap();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        let (height, mut rest) = rest.split_at(digits);
        let mut picture = RgbImage::new(width.parse().unwrap(), height.parse().unwrap());
        let mut palette = std::collections::HashMap::new();
        let (mut x, mut top, mut color) = (0, 0, 0);
        let number = |rest: &mut &str| -> u32 {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, tail) = rest.split_at(end);
            *rest = tail;
            digits.parse().unwrap()
        };
        while let Some(character) = rest.chars().next() {
            rest = &rest[1..];
            let mut count = 1;
            let sixel = match character {
                '#' => {
                    color = number(&mut rest);
                    if rest.starts_with(";2;") {
                        let mut values = [0; 3];
                        rest = &rest[2..];
                        for value in &mut values {
                            rest = &rest[1..];
                            *value = (number(&mut rest) * 255 / 100) as u8;
                        }
                        palette.insert(color, values);
                    }
                    continue;
                }
                '$' => {
                    x = 0;
                    continue;
                }
                '-' => {
                    (x, top) = (0, top + 6);
                    continue;
                }
                '!' => {
                    count = number(&mut rest);
                    let sixel = rest.chars().next().unwrap();
                    rest = &rest[1..];
                    sixel
                }
                other => other,
            };
            for _ in 0..count {
                for bit in 0..6 {
                    if (sixel as u8 - b'?') >> bit & 1 == 1 {
                        picture.put_pixel(x, top + bit, image::Rgb(palette[&color]));
                    }
                }
                x += 1;
            }
        }
        picture
    }

    #[test]
    fn a_terminal_draws_what_was_given() {
        // Colours of the palette, so that nothing is dithered; 13 rows end within a band.
        let colors = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
        let picture = RgbImage::from_fn(17, 13, |x, y| {
            image::Rgb(colors[(x / 3 + y) as usize % colors.len()])
        });
        assert_eq!(draw(&encode(&picture, 17, 13)), picture);
    }

    #[test]
    fn comes_near_to_colours_between_those_of_the_palette() {
        let picture = RgbImage::from_pixel(60, 60, image::Rgb([200, 150, 120]));
        let drawn = draw(&encode(&picture, 60, 60));
        for channel in 0..3 {
            let sum: u32 = drawn.pixels().map(|p| u32::from(p.0[channel])).sum();
            let mean = sum / 3_600;
            let wanted = u32::from([200u8, 150, 120][channel]);
            assert!(mean.abs_diff(wanted) <= 8, "channel {channel}: {mean}");
        }
    }

    #[test]
    fn encodes_nothing_of_a_picture_without_pixels() {
        assert_eq!(encode(&RgbImage::new(0, 0), 10, 10), "");
    }
}
