//! Looks through a JPEG 2000 picture before it is decoded (ISO/IEC 15444-1 annexes A and I).
//!
//! A decoder reserves memory by what the headers say: pixels, components, tiles, precincts. Each of
//! them is judged here first, in the main header and in those of the tile-parts.

use super::ImageError;

/// Most components: colour and transparency.
const MAX_COMPONENTS: u16 = 4;
/// Most tiles.
const MAX_TILES: u64 = 1_024;
/// Smallest exponent of a precinct's sides above the lowest resolution.
const MIN_PRECINCT_EXPONENT: u8 = 4;
/// Most marker segments that are looked through.
const MAX_SEGMENTS: usize = 65_536;

const SIZ: u16 = 0xFF51;
const COD: u16 = 0xFF52;
const COC: u16 = 0xFF53;
const SOT: u16 = 0xFF90;
const SOD: u16 = 0xFF93;
const EOC: u16 = 0xFFD9;

/// What the picture announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    pub width: u32,
    pub height: u32,
}

fn malformed(what: &str) -> ImageError {
    ImageError::Malformed(format!("JPEG 2000: {what}"))
}

/// Size of the picture, after all that takes memory was judged.
///
/// # Errors
/// [`ImageError::Malformed`] for what is broken or asks for too much.
pub(super) fn look_through(bytes: &[u8]) -> Result<Announced, ImageError> {
    let codestream = find_codestream(bytes).ok_or_else(|| malformed("no codestream"))?;
    let mut position = 2;
    let mut announced = None;
    for _ in 0..MAX_SEGMENTS {
        let Some(marker) = u16_at(codestream, position) else { break };
        let data = position + 2;
        match marker {
            SOD | EOC => break,
            SOT => {
                judge_tile_part(codestream, position)?;
                let length = u32_at(codestream, data + 4).ok_or_else(|| malformed("tile-part"))?;
                if length == 0 {
                    break; // The last tile-part: it runs to the end.
                }
                position = advance(position, length as usize, 14)?;
                continue;
            }
            SIZ => announced = Some(judge_size(codestream, data)?),
            COD | COC => judge_coding(codestream, marker, data)?,
            _ => {}
        }
        position = next_segment(codestream, data)?;
    }
    announced.ok_or_else(|| malformed("no image size"))
}

/// The codestream itself, or the one in the boxes of a JP2 file.
fn find_codestream(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(&[0xFF, 0x4F]) {
        return Some(bytes);
    }
    let mut rest = bytes;
    // Boxes on the top level are few; empty ones cannot hold this up.
    for _ in 0..64 {
        let kind = rest.get(4..8)?;
        let (header, length) = match u32_at(rest, 0)? {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64::from_be_bytes(rest.get(8..16)?.try_into().ok()?)).ok()?),
            length => (8, length as usize),
        };
        if kind == b"jp2c" {
            return rest.get(header..length.min(rest.len()));
        }
        if length < header {
            return None;
        }
        rest = rest.get(length..)?;
    }
    None
}

fn judge_size(codestream: &[u8], data: usize) -> Result<Announced, ImageError> {
    let cut = || malformed("image size cut off");
    let field = |index: usize| u32_at(codestream, data + 4 + 4 * index).ok_or_else(cut);
    let (x_end, y_end, x, y) = (field(0)?, field(1)?, field(2)?, field(3)?);
    let (tile_width, tile_height) = (field(4)?, field(5)?);
    let components = u16_at(codestream, data + 36).ok_or_else(cut)?;
    let (Some(width), Some(height)) = (x_end.checked_sub(x), y_end.checked_sub(y)) else {
        return Err(malformed("negative size"));
    };
    if components == 0 || components > MAX_COMPONENTS {
        return Err(malformed("too many colour components"));
    }
    if tile_width == 0 || tile_height == 0 {
        return Err(malformed("empty tiles"));
    }
    // Counted from the origin of the grid, so never too few.
    let tiles = u64::from(x_end.div_ceil(tile_width)) * u64::from(y_end.div_ceil(tile_height));
    if tiles > MAX_TILES {
        return Err(malformed("too many tiles"));
    }
    Ok(Announced { width, height })
}

/// Precinct sizes of a coding style, for all components or for one.
fn judge_coding(codestream: &[u8], marker: u16, data: usize) -> Result<(), ImageError> {
    let cut = || malformed("coding style cut off");
    let length = usize::from(u16_at(codestream, data).ok_or_else(cut)?);
    let segment = codestream.get(data..data.saturating_add(length)).ok_or_else(cut)?;
    // At most four components, so the number of one takes a single byte.
    let (style, sizes) = if marker == COD { (2, 12) } else { (3, 9) };
    if segment.get(style).ok_or_else(cut)? & 1 == 0 {
        return Ok(());
    }
    let sizes = segment.get(sizes..).ok_or_else(cut)?;
    let small =
        |size: &u8| size & 0x0F < MIN_PRECINCT_EXPONENT || size >> 4 < MIN_PRECINCT_EXPONENT;
    if sizes.iter().skip(1).any(small) {
        return Err(malformed("precincts too small"));
    }
    Ok(())
}

/// The marker segments between a tile-part's start and its data.
fn judge_tile_part(codestream: &[u8], start: usize) -> Result<(), ImageError> {
    let mut position = next_segment(codestream, start + 2)?;
    for _ in 0..MAX_SEGMENTS {
        let marker = u16_at(codestream, position).ok_or_else(|| malformed("tile-part"))?;
        match marker {
            SOD => return Ok(()),
            COD | COC => judge_coding(codestream, marker, position + 2)?,
            _ => {}
        }
        position = next_segment(codestream, position + 2)?;
    }
    Err(malformed("too many marker segments"))
}

/// Where the segment after the one whose length stands at `data` begins.
fn next_segment(codestream: &[u8], data: usize) -> Result<usize, ImageError> {
    let length = u16_at(codestream, data).ok_or_else(|| malformed("marker segment cut off"))?;
    advance(data, usize::from(length), 2)
}

/// Forward by a length that counts at least its own header.
fn advance(position: usize, length: usize, least: usize) -> Result<usize, ImageError> {
    let next = position.checked_add(length).filter(|_| length >= least);
    next.ok_or_else(|| malformed("impossible length"))
}

fn u16_at(bytes: &[u8], position: usize) -> Option<u16> {
    let field = bytes.get(position..position.checked_add(2)?)?;
    field.try_into().ok().map(u16::from_be_bytes)
}

fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    let field = bytes.get(position..position.checked_add(4)?)?;
    field.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PORTRAIT: &[u8] = include_bytes!("../../testvectors/specimen/portrait.jp2");

    /// Position of a marker in the specimen.
    fn find(marker: [u8; 2]) -> usize {
        PORTRAIT.windows(2).position(|w| w == marker).unwrap()
    }

    fn changed(position: usize, bytes: &[u8]) -> Vec<u8> {
        let mut picture = PORTRAIT.to_vec();
        picture[position..position + bytes.len()].copy_from_slice(bytes);
        picture
    }

    #[test]
    fn finds_the_size_in_a_file_and_in_a_bare_codestream() {
        let announced = Announced { width: 413, height: 531 };
        assert_eq!(look_through(PORTRAIT), Ok(announced));
        assert_eq!(look_through(&PORTRAIT[find([0xFF, 0x4F])..]), Ok(announced));
    }

    #[test]
    fn tells_a_bomb_by_its_header() {
        let huge = [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF];
        let one_tile = [huge, [0; 8], huge].concat();
        let bomb = changed(find([0xFF, 0x51]) + 6, &one_tile);
        let refused = ImageError::TooLarge { width: 65_535, height: 65_535 };
        assert_eq!(super::super::decode(&bomb), Err(refused));
    }

    #[test]
    fn refuses_thousands_of_tiles() {
        let bomb = changed(find([0xFF, 0x51]) + 22, &[0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(look_through(&bomb), Err(malformed("too many tiles")));
    }

    #[test]
    fn refuses_thousands_of_components() {
        let bomb = changed(find([0xFF, 0x51]) + 38, &[0x40, 0]);
        assert_eq!(look_through(&bomb), Err(malformed("too many colour components")));
    }

    #[test]
    fn refuses_precincts_of_one_pixel() {
        // A coding style with precinct sizes, where the specimen has none.
        let cod = find([0xFF, 0x52]);
        let levels = usize::from(PORTRAIT[cod + 9]);
        let length = 12 + levels + 1;
        let mut bomb = PORTRAIT[find([0xFF, 0x4F])..cod].to_vec();
        bomb.extend([0xFF, 0x52, 0, length as u8, PORTRAIT[cod + 4] | 1]);
        bomb.extend(&PORTRAIT[cod + 5..cod + 14]);
        bomb.extend(vec![0; levels + 1]);
        bomb.extend(&PORTRAIT[cod + 14..]);
        assert_eq!(look_through(&bomb), Err(malformed("precincts too small")));
    }

    #[test]
    fn refuses_a_file_without_codestream() {
        assert_eq!(look_through(&PORTRAIT[..40]), Err(malformed("no codestream")));
    }

    proptest! {
        #[test]
        fn never_panics_and_never_hangs(
            changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..8),
            cut in any::<usize>(),
        ) {
            let mut picture = PORTRAIT.to_vec();
            for (position, value) in changes {
                // Headers stand in front: most changes shall hit them.
                picture[position % 300] = value;
            }
            picture.truncate(1 + cut % picture.len());
            let _ = look_through(&picture);
        }
    }
}
