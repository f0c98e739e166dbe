//! The graphics protocol of kitty: a PNG in base64, in pieces of at most 4 096 characters.

use std::fmt::Write;

use base64ct::{Base64, Encoding};
use image::RgbImage;

use super::scaled;
use crate::biometrics::to_png;

/// Most characters of a piece.
const PIECE: usize = 4_096;
/// Most pixels on a side that are sent: what is beyond only makes it slower.
const MOST_PIXELS: u32 = 640;

/// Where the cursor is afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Behind the picture.
    After,
    /// Where it was.
    Stays,
}

/// The picture, shown over this many columns and rows.
#[must_use]
pub fn encode(picture: &RgbImage, columns: u32, rows: u32, cursor: Cursor) -> String {
    let longest = picture.width().max(picture.height());
    let png = if longest > MOST_PIXELS {
        let side =
            |length: u32| (u64::from(length) * u64::from(MOST_PIXELS) / u64::from(longest)) as u32;
        to_png(&scaled(picture, side(picture.width()), side(picture.height())))
    } else {
        to_png(picture)
    };
    // A picture without pixels is none.
    let Ok(png) = png else { return String::new() };
    let data = Base64::encode_string(&png);
    let mut out = String::with_capacity(data.len() + 256);
    let stays = if cursor == Cursor::Stays { ",C=1" } else { "" };
    let mut rest = data.as_str();
    let mut first = true;
    while !rest.is_empty() {
        // Base64 is ASCII: any position is between characters.
        let (piece, tail) = rest.split_at(rest.len().min(PIECE));
        let more = u8::from(!tail.is_empty());
        // q=2: the terminal answers nothing, or the answer would be taken for keys.
        let control = match first {
            true => format!("a=T,f=100,q=2,c={columns},r={rows}{stays},m={more}"),
            false => format!("m={more}"),
        };
        let _ = write!(out, "\x1b_G{control};{piece}\x1b\\");
        rest = tail;
        first = false;
    }
    out
}

/// Takes all pictures off the screen.
#[must_use]
pub fn delete_all() -> &'static str {
    "\x1b_Ga=d,d=A,q=2\x1b\\"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the pieces hold together, and their controls.
    fn decode(text: &str) -> (Vec<&str>, Vec<u8>) {
        let pieces = text.split("\x1b\\").filter(|piece| !piece.is_empty());
        let pieces: Vec<_> =
            pieces.map(|p| p.strip_prefix("\x1b_G").unwrap().split_once(';').unwrap()).collect();
        let data: String = pieces.iter().map(|(_, data)| *data).collect();
        assert!(pieces.iter().all(|(_, data)| data.len() <= PIECE));
        (pieces.iter().map(|(control, _)| *control).collect(), Base64::decode_vec(&data).unwrap())
    }

    #[test]
    fn sends_a_png_in_pieces() {
        let picture = RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([(x * y * 7) as u8, (x * 31 + y) as u8, (x ^ (y * 13)) as u8])
        });
        let text = encode(&picture, 20, 10, Cursor::Stays);
        let (controls, png) = decode(&text);
        assert!(controls.len() > 1);
        assert_eq!(controls[0], "a=T,f=100,q=2,c=20,r=10,C=1,m=1");
        assert_eq!(controls.last(), Some(&"m=0"));
        assert_eq!(crate::biometrics::decode(&png), Ok(picture));
    }

    #[test]
    fn sends_no_more_pixels_than_are_seen() {
        let (_, png) = decode(&encode(&RgbImage::new(2_000, 1_000), 20, 10, Cursor::After));
        assert_eq!(crate::biometrics::dimensions(&png), Ok((640, 320)));
    }
}
