//! Portraits of people who do not exist, drawn from a few ellipses.

use std::io::Cursor;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ImageFormat, Rgb, RgbImage};

/// Width and height in pixels: the least of a full frontal picture.
pub(super) const SIZE: (u16, u16) = (240, 320);

/// Colours of a face.
pub(super) struct Face {
    pub background: [u8; 3],
    pub hair: [u8; 3],
    pub skin: [u8; 3],
    pub clothes: [u8; 3],
}

/// The first holder.
pub(super) const FIRST: Face = Face {
    background: [0xDF, 0xE8, 0xEE],
    hair: [0x2A, 0x20, 0x1C],
    skin: [0xE8, 0xC3, 0x9E],
    clothes: [0x27, 0x43, 0x6B],
};
/// The second holder.
pub(super) const SECOND: Face = Face {
    background: [0xE6, 0xE2, 0xD6],
    hair: [0x8A, 0x8A, 0x90],
    skin: [0xD9, 0xAB, 0x82],
    clothes: [0x6B, 0x27, 0x30],
};

impl Face {
    fn draw(&self) -> RgbImage {
        let inside = |x: u32, y: u32, center: (i64, i64), radius: (i64, i64)| {
            let (dx, dy) = (i64::from(x) - center.0, i64::from(y) - center.1);
            let (rx, ry) = (radius.0 * radius.0, radius.1 * radius.1);
            dx * dx * ry + dy * dy * rx <= rx * ry
        };
        RgbImage::from_fn(SIZE.0.into(), SIZE.1.into(), |x, y| {
            let within = |center, radius| inside(x, y, center, radius);
            Rgb(if within((98, 136), (6, 5)) || within((142, 136), (6, 5)) {
                self.hair
            } else if within((120, 144), (56, 72)) {
                self.skin
            } else if within((120, 120), (66, 82)) {
                self.hair
            } else if within((120, 320), (100, 92)) {
                self.clothes
            } else {
                self.background
            })
        })
    }

    /// As JPEG.
    pub(super) fn jpeg(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing into memory does not fail, and the picture has the size that it says.
        let _ = self.draw().write_with_encoder(JpegEncoder::new_with_quality(&mut out, 30));
        out
    }

    /// As PNG.
    pub(super) fn png(&self) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let _ = self.draw().write_to(&mut out, ImageFormat::Png);
        out.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_two_small_pictures_that_can_be_decoded() {
        for face in [&FIRST, &SECOND] {
            for picture in [face.jpeg(), face.png()] {
                let decoded = crate::biometrics::decode(&picture).unwrap();
                assert_eq!(decoded.dimensions(), (240, 320));
                assert!(picture.len() < 8_000, "{} bytes", picture.len());
            }
        }
        assert_ne!(FIRST.jpeg(), SECOND.jpeg());
    }
}
