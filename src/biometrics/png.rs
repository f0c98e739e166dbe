//! Looks through a PNG picture before it is decoded (ISO/IEC 15948 §5 and §11).

use super::image::{Announced, ImageError};

/// Most chunks.
const MAX_CHUNKS: usize = 65_536;
const SIGNATURE: usize = 8;

/// Size of the picture, after its chunks were found to be there. What follows the end is of no
/// interest.
///
/// # Errors
/// [`ImageError`].
pub(super) fn look_through(bytes: &[u8]) -> Result<Announced, ImageError> {
    let mut announced = None;
    let mut position = SIGNATURE;
    for _ in 0..MAX_CHUNKS {
        let (kind, data, next) = chunk(bytes, position)?;
        match (kind, announced) {
            (b"IHDR", None) => announced = Some(judge_header(data)?),
            (_, None) => return Err(malformed("no header chunk in front")),
            (b"IHDR", Some(_)) => return Err(malformed("more than one header chunk")),
            (b"IEND", Some(announced)) => return Ok(announced),
            _ => {}
        }
        position = next;
    }
    Err(ImageError::TooComplex { what: "chunks" })
}

fn malformed(what: &str) -> ImageError {
    ImageError::Malformed(format!("PNG: {what}"))
}

/// A chunk at a position: type, data, and where the next one begins.
fn chunk(bytes: &[u8], position: usize) -> Result<(&[u8; 4], &[u8], usize), ImageError> {
    let rest = bytes.get(position..).unwrap_or_default();
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(ImageError::Truncated)?;
    let (kind, rest) = rest.split_first_chunk::<4>().ok_or(ImageError::Truncated)?;
    let length = u32::from_be_bytes(*length) as usize;
    let data = rest.get(..length).ok_or(ImageError::Truncated)?;
    // Length, type and check value: the decoder checks it.
    Ok((kind, data, position + length + 12))
}

fn judge_header(data: &[u8]) -> Result<Announced, ImageError> {
    let side = |at: usize| data.get(at..).and_then(|rest| rest.first_chunk::<4>());
    let (Some(width), Some(height)) = (side(0), side(4)) else {
        return Err(malformed("header chunk too short"));
    };
    let (width, height) = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    if width == 0 || height == 0 {
        return Err(ImageError::Empty);
    }
    Ok(Announced { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture() -> Vec<u8> {
        super::super::to_png(&::image::RgbImage::from_pixel(3, 2, ::image::Rgb([1, 2, 3]))).unwrap()
    }

    #[test]
    fn finds_the_size() {
        assert_eq!(look_through(&picture()), Ok(Announced { width: 3, height: 2 }));
    }

    #[test]
    fn refuses_pictures_without_pixels() {
        let mut bytes = picture();
        bytes[16..20].fill(0);
        assert_eq!(look_through(&bytes), Err(ImageError::Empty));
    }

    #[test]
    fn refuses_a_picture_that_is_cut_off_anywhere() {
        let bytes = picture();
        // The check value of the last chunk holds nothing.
        for length in 8..bytes.len() - 4 {
            assert_eq!(look_through(&bytes[..length]), Err(ImageError::Truncated), "{length}");
        }
    }

    #[test]
    fn refuses_chunks_without_end() {
        let head = &picture()[..33];
        let bomb = [head, &[0, 0, 0, 0, b't', b'E', b'X', b't', 0, 0, 0, 0].repeat(MAX_CHUNKS)];
        let refused = ImageError::TooComplex { what: "chunks" };
        assert_eq!(look_through(&bomb.concat()), Err(refused));
    }

    proptest! {
        #[test]
        fn never_panics(
            changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..6),
            cut in any::<usize>(),
        ) {
            let mut bytes = picture();
            for (position, value) in changes {
                let at = 8 + position % (bytes.len() - 8);
                bytes[at] = value;
            }
            bytes.truncate(8 + cut % bytes.len());
            let _ = look_through(&bytes);
        }
    }
}
