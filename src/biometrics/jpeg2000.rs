//! Looks through a JPEG 2000 picture before it is decoded (ISO/IEC 15444-1 annexes A and I).
//!
//! A decoder reserves memory by what the headers say: pixels, components, tiles, precincts. Each of
//! them is judged here first, in the main header and in those of the tile-parts.

use super::image::{Announced, ImageError};

/// Most components: colour and transparency.
const MAX_COMPONENTS: u16 = 4;
/// Most tiles.
const MAX_TILES: u64 = 1_024;
/// Smallest exponent of a precinct's sides.
const MIN_PRECINCT_EXPONENT: u8 = 4;
/// The same at the lowest resolution, where it is no more than an eighth of the picture.
const MIN_LOWEST_PRECINCT_EXPONENT: u8 = 2;
const LEVELS_OF_AN_EIGHTH: u8 = 3;
/// Most quality layers: a packet of each is looked for in each precinct.
const MAX_LAYERS: u16 = 256;
/// Most boxes of a file.
const MAX_BOXES: usize = 64;
/// Most marker segments that are looked through.
const MAX_SEGMENTS: usize = 65_536;

const SIZ: u16 = 0xFF51;
const COD: u16 = 0xFF52;
const COC: u16 = 0xFF53;
const SOT: u16 = 0xFF90;
const SOD: u16 = 0xFF93;
const EOC: u16 = 0xFFD9;

fn malformed(what: &str) -> ImageError {
    ImageError::Malformed(format!("JPEG 2000: {what}"))
}

/// Size of the picture, after all that takes memory was judged.
///
/// # Errors
/// [`ImageError::Malformed`] for what is broken or asks for too much.
pub(super) fn look_through(bytes: &[u8]) -> Result<Announced, ImageError> {
    let codestream = find_codestream(bytes)?;
    let mut position = 2;
    let mut announced = None;
    let mut tiles = 0;
    for _ in 0..MAX_SEGMENTS {
        let Some(marker) = u16_at(codestream, position) else {
            // Data that are cut off give a worse picture; headers that are give none.
            if tiles == 0 {
                return Err(ImageError::Truncated);
            }
            break;
        };
        let data = position + 2;
        match marker {
            SOD | EOC => break,
            SOT => {
                judge_tile_part(codestream, position)?;
                tiles += 1;
                let length = u32_at(codestream, data + 4).ok_or(ImageError::Truncated)?;
                if length == 0 {
                    break; // The last tile-part: it runs to the end.
                }
                position = advance(position, length as usize, 14)?;
                continue;
            }
            SIZ if announced.is_some() => return Err(malformed("more than one image size")),
            SIZ => announced = Some(judge_size(codestream, data)?),
            COD | COC => judge_coding(codestream, marker, data)?,
            _ => {}
        }
        position = next_segment(codestream, data)?;
    }
    announced.ok_or_else(|| malformed("no image size"))
}

/// The codestream itself, or the one in the boxes of a JP2 file.
fn find_codestream(bytes: &[u8]) -> Result<&[u8], ImageError> {
    if bytes.starts_with(&[0xFF, 0x4F]) {
        return Ok(bytes);
    }
    let mut rest = bytes;
    // Boxes on the top level are few; empty ones cannot hold this up.
    for _ in 0..MAX_BOXES {
        let kind = rest.get(4..8).ok_or(ImageError::Truncated)?;
        let (header, length) = match u32_at(rest, 0).ok_or(ImageError::Truncated)? {
            0 => (8, rest.len()),
            1 => {
                let length = rest.get(8..).and_then(|rest| rest.first_chunk::<8>());
                let length = u64::from_be_bytes(*length.ok_or(ImageError::Truncated)?);
                (16, usize::try_from(length).unwrap_or(usize::MAX))
            }
            length => (8, length as usize),
        };
        if kind == b"jp2c" {
            let codestream = rest.get(header..length.min(rest.len()));
            return codestream.ok_or(ImageError::Truncated);
        }
        if length < header {
            return Err(malformed("impossible length"));
        }
        rest = rest.get(length..).ok_or(ImageError::Truncated)?;
    }
    Err(ImageError::TooComplex { what: "boxes" })
}

fn judge_size(codestream: &[u8], data: usize) -> Result<Announced, ImageError> {
    let cut = ImageError::Truncated;
    let field = |index: usize| u32_at(codestream, data + 4 + 4 * index).ok_or(cut.clone());
    let (x_end, y_end, x, y) = (field(0)?, field(1)?, field(2)?, field(3)?);
    let (tile_width, tile_height) = (field(4)?, field(5)?);
    let components = u16_at(codestream, data + 36).ok_or(cut.clone())?;
    let (Some(width), Some(height)) = (x_end.checked_sub(x), y_end.checked_sub(y)) else {
        return Err(malformed("negative size"));
    };
    if width == 0 || height == 0 {
        return Err(ImageError::Empty);
    }
    if components == 0 || components > MAX_COMPONENTS {
        return Err(ImageError::Components { found: components });
    }
    if tile_width == 0 || tile_height == 0 {
        return Err(malformed("empty tiles"));
    }
    // Counted from the origin of the grid, so never too few.
    let tiles = u64::from(x_end.div_ceil(tile_width)) * u64::from(y_end.div_ceil(tile_height));
    if tiles > MAX_TILES {
        return Err(ImageError::TooComplex { what: "tiles" });
    }
    Ok(Announced { width, height })
}

/// Layers and precinct sizes of a coding style, for all components (COD) or for one (COC).
fn judge_coding(codestream: &[u8], marker: u16, data: usize) -> Result<(), ImageError> {
    let length = usize::from(u16_at(codestream, data).ok_or(ImageError::Truncated)?);
    let end = data.saturating_add(length);
    let segment = codestream.get(data..end).ok_or(ImageError::Truncated)?;
    let short = || malformed("coding style too short");
    let field = |at: usize| segment.get(at).copied().ok_or_else(short);
    // Where style, decomposition levels and precinct sizes stand: at most four components, so the
    // number of one takes a single byte.
    let (style, levels, sizes) = if marker == COD { (2, 7, 12) } else { (3, 4, 9) };
    if marker == COD && u16_at(segment, 4).ok_or_else(short)? > MAX_LAYERS {
        return Err(ImageError::TooComplex { what: "layers" });
    }
    if field(style)? & 1 == 0 {
        return Ok(());
    }
    let lowest = match field(levels)? {
        LEVELS_OF_AN_EIGHTH.. => MIN_LOWEST_PRECINCT_EXPONENT,
        _ => MIN_PRECINCT_EXPONENT,
    };
    let sizes = segment.get(sizes..).ok_or_else(short)?;
    let least = std::iter::once(lowest).chain(std::iter::repeat(MIN_PRECINCT_EXPONENT));
    let small = |(size, least): (&u8, u8)| size & 0x0F < least || size >> 4 < least;
    if sizes.iter().zip(least).any(small) {
        return Err(ImageError::TooComplex { what: "precincts" });
    }
    Ok(())
}

/// The marker segments between a tile-part's start and its data.
fn judge_tile_part(codestream: &[u8], start: usize) -> Result<(), ImageError> {
    let mut position = next_segment(codestream, start + 2)?;
    for _ in 0..MAX_SEGMENTS {
        let marker = u16_at(codestream, position).ok_or(ImageError::Truncated)?;
        match marker {
            SOD => return Ok(()),
            COD | COC => judge_coding(codestream, marker, position + 2)?,
            _ => {}
        }
        position = next_segment(codestream, position + 2)?;
    }
    Err(ImageError::TooComplex { what: "marker segments" })
}

/// Where the segment after the one whose length stands at `data` begins.
fn next_segment(codestream: &[u8], data: usize) -> Result<usize, ImageError> {
    let length = u16_at(codestream, data).ok_or(ImageError::Truncated)?;
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
        assert_eq!(look_through(&bomb), Err(ImageError::TooComplex { what: "tiles" }));
    }

    #[test]
    fn refuses_thousands_of_components() {
        let bomb = changed(find([0xFF, 0x51]) + 38, &[0x40, 0]);
        assert_eq!(look_through(&bomb), Err(ImageError::Components { found: 0x4000 }));
    }

    /// The specimen with another coding style: decomposition levels, and a precinct size for each.
    fn with_precincts(levels: u8, sizes: &[u8]) -> Vec<u8> {
        let cod = find([0xFF, 0x52]);
        let mut picture = PORTRAIT[find([0xFF, 0x4F])..cod].to_vec();
        picture.extend([0xFF, 0x52, 0, 12 + sizes.len() as u8, PORTRAIT[cod + 4] | 1]);
        picture.extend(&PORTRAIT[cod + 5..cod + 9]);
        picture.push(levels);
        picture.extend(&PORTRAIT[cod + 10..cod + 14]);
        picture.extend(sizes);
        picture.extend(&PORTRAIT[cod + 14..]);
        picture
    }

    #[test]
    fn refuses_precincts_of_a_few_pixels() {
        let refused = Err(ImageError::TooComplex { what: "precincts" });
        assert_eq!(look_through(&with_precincts(5, &[0; 6])), refused);
        assert_eq!(
            look_through(&with_precincts(5, &[0x22, 0x33, 0x88, 0x88, 0x88, 0x88])),
            refused
        );
        // Without levels the lowest resolution is the picture itself.
        assert_eq!(look_through(&with_precincts(0, &[0x22])), refused);
        assert!(look_through(&with_precincts(5, &[0x22, 0x44, 0x88, 0x88, 0x88, 0x88])).is_ok());
    }

    #[test]
    fn refuses_thousands_of_layers() {
        let bomb = changed(find([0xFF, 0x52]) + 6, &[0xFF, 0xFF]);
        assert_eq!(look_through(&bomb), Err(ImageError::TooComplex { what: "layers" }));
    }

    #[test]
    fn refuses_a_picture_without_pixels_and_one_of_two_sizes() {
        let empty = changed(find([0xFF, 0x51]) + 6, &[0; 4]);
        assert_eq!(look_through(&empty), Err(ImageError::Empty));
        let (start, siz) = (find([0xFF, 0x4F]), find([0xFF, 0x51]));
        let length = 2 + usize::from(u16::from_be_bytes([PORTRAIT[siz + 2], PORTRAIT[siz + 3]]));
        let twice = [&PORTRAIT[start..siz + length], &PORTRAIT[siz..]].concat();
        assert_eq!(look_through(&twice), Err(malformed("more than one image size")));
    }

    #[test]
    fn refuses_headers_that_are_cut_off() {
        for length in [10, 40, 120, find([0xFF, 0x52]) + 3] {
            assert_eq!(look_through(&PORTRAIT[..length]), Err(ImageError::Truncated), "{length}");
        }
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
