//! Looks through a JPEG picture before it is decoded (ITU-T T.81 annex B).
//!
//! A decoder reserves memory by the frame header, and works through the whole picture once for each
//! scan: both are judged here first. Marker codes are those of T.81 table B.1.

use super::image::{Announced, ImageError};

/// Most scans: a progressive picture of an encoder has ten or so; each costs as much as the picture
/// has pixels.
const MAX_SCANS: usize = 64;
/// Most marker segments.
const MAX_SEGMENTS: usize = 4_096;

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const TEM: u8 = 0x01;

/// Size of the picture, after what takes memory and time was judged. What follows the end of the
/// picture is of no interest: whatever else the bytes may be, they are decoded as this picture.
///
/// # Errors
/// [`ImageError`].
pub(super) fn look_through(bytes: &[u8]) -> Result<Announced, ImageError> {
    let mut announced = None;
    let (mut position, mut scans) = (0, 0);
    for _ in 0..MAX_SEGMENTS {
        let (marker, data) = next_marker(bytes, position)?;
        position = match marker {
            EOI => return announced.ok_or_else(|| malformed("no frame")),
            SOI | TEM | 0xD0..=0xD7 => data,
            SOS => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(ImageError::TooComplex { what: "scans" });
                }
                end_of_scan(bytes, data + segment(bytes, data)?.len())
            }
            // Frames: C0 to CF without Huffman tables, JPG and arithmetic conditioning.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let frame = segment(bytes, data)?;
                if announced.replace(judge_frame(frame)?).is_some() {
                    return Err(malformed("more than one frame"));
                }
                data + frame.len()
            }
            _ => data + segment(bytes, data)?.len(),
        };
    }
    Err(ImageError::TooComplex { what: "marker segments" })
}

fn malformed(what: &str) -> ImageError {
    ImageError::Malformed(format!("JPEG: {what}"))
}

/// The marker at a position, and where what follows it begins. Any number of fill bytes may stand
/// before a marker.
fn next_marker(bytes: &[u8], position: usize) -> Result<(u8, usize), ImageError> {
    let rest = bytes.get(position..).unwrap_or_default();
    let fill = rest.iter().take_while(|b| **b == 0xFF).count();
    match (rest.get(fill), fill) {
        (None, _) => Err(ImageError::Truncated),
        (Some(0), _) | (_, 0) => Err(malformed("no marker where one must be")),
        (Some(marker), _) => Ok((*marker, position + fill + 1)),
    }
}

/// A marker segment with its length field.
fn segment(bytes: &[u8], data: usize) -> Result<&[u8], ImageError> {
    let [high, low] = array(bytes, data)?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 2 {
        return Err(malformed("impossible length"));
    }
    bytes.get(data..data + length).ok_or(ImageError::Truncated)
}

fn array<const N: usize>(bytes: &[u8], position: usize) -> Result<[u8; N], ImageError> {
    let found = bytes.get(position..).and_then(|rest| rest.first_chunk::<N>());
    found.copied().ok_or(ImageError::Truncated)
}

/// The frame header: length, precision, height, width, components (T.81 B.2.2).
fn judge_frame(frame: &[u8]) -> Result<Announced, ImageError> {
    let short = |_| malformed("frame header too short");
    let [_, _, _, y1, y2, x1, x2, components] = array(frame, 0).map_err(short)?;
    let (height, width) = (u16::from_be_bytes([y1, y2]), u16::from_be_bytes([x1, x2]));
    if height == 0 || width == 0 {
        return Err(ImageError::Empty);
    }
    // Grey, colour, or colour with black.
    if !matches!(components, 1 | 3 | 4) {
        return Err(ImageError::Components { found: components.into() });
    }
    Ok(Announced { width: width.into(), height: height.into() })
}

/// Where the entropy-coded data of a scan end: at the first marker that does not belong to them.
fn end_of_scan(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let ends =
        |pair: &[u8]| pair.first() == Some(&0xFF) && !matches!(pair.get(1), Some(0 | 0xD0..=0xD7));
    rest.windows(2).position(ends).map_or(bytes.len(), |offset| start + offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PORTRAIT: &[u8] = include_bytes!("../../testvectors/specimen/portrait.jpg");

    fn frame() -> usize {
        PORTRAIT.windows(2).position(|w| w == [0xFF, 0xC0] || w == [0xFF, 0xC2]).unwrap()
    }

    fn changed(offset: usize, to: &[u8]) -> Vec<u8> {
        let mut bytes = PORTRAIT.to_vec();
        bytes[frame() + offset..][..to.len()].copy_from_slice(to);
        bytes
    }

    #[test]
    fn finds_the_size_that_the_decoder_finds() {
        let announced = look_through(PORTRAIT).unwrap();
        let decoded = super::super::decode(PORTRAIT).unwrap();
        assert_eq!((announced.width, announced.height), decoded.dimensions());
    }

    #[test]
    fn refuses_pictures_without_pixels_and_of_too_many_components() {
        assert_eq!(look_through(&changed(5, &[0, 0])), Err(ImageError::Empty));
        assert_eq!(look_through(&changed(7, &[0, 0])), Err(ImageError::Empty));
        assert_eq!(look_through(&changed(9, &[255])), Err(ImageError::Components { found: 255 }));
    }

    #[test]
    fn refuses_a_picture_that_is_cut_off_anywhere() {
        for length in [2, 3, 20, frame() + 4, PORTRAIT.len() / 2, PORTRAIT.len() - 1] {
            assert_eq!(look_through(&PORTRAIT[..length]), Err(ImageError::Truncated), "{length}");
        }
    }

    #[test]
    fn refuses_thousands_of_scans() {
        let scan = PORTRAIT.windows(2).position(|w| w == [0xFF, SOS]).unwrap();
        let bomb =
            [&PORTRAIT[..scan], &[0xFF, SOS, 0, 8, 1, 1, 0, 0, 63, 0].repeat(2_000)].concat();
        assert_eq!(look_through(&bomb), Err(ImageError::TooComplex { what: "scans" }));
        let comments = [&PORTRAIT[..2], &[0xFF, 0xFE, 0, 2].repeat(5_000)].concat();
        assert_eq!(
            look_through(&comments),
            Err(ImageError::TooComplex { what: "marker segments" })
        );
    }

    #[test]
    fn takes_what_follows_the_picture_for_nothing() {
        let page = b"<html><script>alert(1)</script>PK\x03\x04";
        let polyglot = [PORTRAIT, page].concat();
        assert_eq!(look_through(&polyglot), look_through(PORTRAIT));
        assert_eq!(super::super::decode(&polyglot), super::super::decode(PORTRAIT));
    }

    proptest! {
        #[test]
        fn never_panics(
            changes in prop::collection::vec((0usize..700, any::<u8>()), 0..8),
            cut in 1usize..2_000,
        ) {
            let mut bytes = PORTRAIT.to_vec();
            for (position, value) in changes {
                bytes[position] = value;
            }
            bytes.truncate(cut);
            let _ = look_through(&bytes);
        }
    }
}
