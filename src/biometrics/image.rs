//! Pictures from cards: what they are, and decoding them under limits.
//!
//! A picture is hostile. Its headers are looked through and judged before memory is taken for its
//! pixels and time for its scans; the decoders are memory-safe; a panic of one is an error of the
//! picture. What a picture is besides, a web page or an archive in the same bytes, does not matter:
//! it is decoded as what its first bytes say, and what is shown is encoded anew.

use std::io::Cursor;

use ::image::{DynamicImage, ImageReader, Limits, RgbImage};
use thiserror::Error;

use super::{jpeg, jpeg2000, png};
use crate::error::ErrorCode;

/// Most pixels of a picture that is decoded: ten times those of a portrait of 35 × 45 mm at 600 dpi
/// (ICAO 9303-3 §3.9), far below a bomb. The JPEG 2000 decoder takes about 25 bytes for each.
pub const MAX_PIXELS: u64 = 8_000_000;
const MAX_SIDE: u32 = 8_192;
/// Most bytes that the JPEG and PNG decoders take: eight for a pixel, red, green, blue and
/// transparency of 16 bits.
const MAX_MEMORY: u64 = MAX_PIXELS * 8;

/// What a picture says of itself before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    /// Width in pixels, not 0.
    pub width: u32,
    /// Height in pixels, not 0.
    pub height: u32,
}

/// The format of a picture by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// JPEG 2000, in a JP2 file or as a bare codestream.
    Jpeg2000,
    /// PNG.
    Png,
}

/// Why a picture cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    /// Neither JPEG, JPEG 2000 nor PNG.
    #[error("picture of unknown format")]
    UnknownFormat,
    /// Larger than any portrait is.
    #[error("picture of {width} x {height} pixels is too large to decode")]
    TooLarge {
        /// Width announced.
        width: u32,
        /// Height announced.
        height: u32,
    },
    /// It has no pixels.
    #[error("picture without pixels")]
    Empty,
    /// More colour components than a picture of a face has.
    #[error("picture with {found} colour components")]
    Components {
        /// How many.
        found: u16,
    },
    /// More parts than any encoder makes: they would take time without end.
    #[error("picture with too many {what}")]
    TooComplex {
        /// Parts of what kind.
        what: &'static str,
    },
    /// It ends before its end.
    #[error("picture cut off")]
    Truncated,
    /// The decoder refused it.
    #[error("picture cannot be decoded: {0}")]
    Malformed(String),
}

impl ErrorCode for ImageError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat => "image_format_unknown",
            Self::TooLarge { .. } => "image_too_large",
            Self::Empty => "image_empty",
            Self::Components { .. } => "image_components",
            Self::TooComplex { .. } => "image_too_complex",
            Self::Truncated => "image_truncated",
            Self::Malformed(_) => "image_malformed",
        }
    }
}

impl ImageFormat {
    /// The format that the first bytes tell.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        const JP2_SIGNATURE: &[u8] = &[0, 0, 0, 12, b'j', b'P', b' ', b' '];
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(JP2_SIGNATURE) || bytes.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
            Some(Self::Jpeg2000)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else {
            None
        }
    }

    /// Ending of a file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Jpeg2000 => "jp2",
            Self::Png => "png",
        }
    }
}

/// The first picture in a record that is not read otherwise: from where one begins to the end.
/// What follows the picture is left to the decoder, which stops where the picture does.
#[must_use]
pub fn find_picture(record: &[u8]) -> Option<&[u8]> {
    let begins = |at: &usize| record.get(*at..).is_some_and(|b| ImageFormat::sniff(b).is_some());
    (0..record.len()).find(begins).and_then(|at| record.get(at..))
}

/// Width and height that a picture announces, without decoding it.
///
/// # Errors
/// [`ImageError`].
pub fn dimensions(bytes: &[u8]) -> Result<(u32, u32), ImageError> {
    look_through(bytes).map(|(_, announced)| (announced.width, announced.height))
}

fn look_through(bytes: &[u8]) -> Result<(ImageFormat, Announced), ImageError> {
    let format = ImageFormat::sniff(bytes).ok_or(ImageError::UnknownFormat)?;
    let announced = match format {
        ImageFormat::Jpeg => jpeg::look_through(bytes),
        ImageFormat::Jpeg2000 => jpeg2000::look_through(bytes),
        ImageFormat::Png => png::look_through(bytes),
    };
    announced.map(|announced| (format, announced))
}

/// How much of a record with many pictures is decoded: as many pixels as of one picture, so that
/// many bombs take no longer than one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelBudget(u64);

impl Default for PixelBudget {
    fn default() -> Self {
        Self(MAX_PIXELS)
    }
}

impl PixelBudget {
    /// Decodes a picture where its pixels are left.
    ///
    /// # Errors
    /// [`ImageError`]; [`ImageError::TooComplex`] where too many pictures came before.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<RgbImage, ImageError> {
        let (_, announced) = look_through(bytes)?;
        check_size(announced.width, announced.height)?;
        let pixels = u64::from(announced.width) * u64::from(announced.height);
        let exhausted = ImageError::TooComplex { what: "pixels in all its pictures" };
        self.0 = self.0.checked_sub(pixels).ok_or(exhausted)?;
        decode(bytes)
    }
}

/// Decodes a picture.
///
/// # Errors
/// [`ImageError`].
pub fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    let (format, announced) = look_through(bytes)?;
    check_size(announced.width, announced.height)?;
    // The decoders are memory-safe, but index by what the picture says: a panic of one is a
    // malformed picture, not a defect of ours.
    let decoded = std::panic::catch_unwind(|| match format {
        ImageFormat::Jpeg2000 => decode_jpeg2000(bytes),
        ImageFormat::Jpeg => decode_with_limits(bytes, ::image::ImageFormat::Jpeg),
        ImageFormat::Png => decode_with_limits(bytes, ::image::ImageFormat::Png),
    });
    let picture = decoded.unwrap_or_else(|_| Err(malformed("the decoder gave up")))?;
    if picture.dimensions() == (announced.width, announced.height) {
        Ok(picture)
    } else {
        Err(malformed("another size than announced"))
    }
}

fn check_size(width: u32, height: u32) -> Result<(), ImageError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || width > MAX_SIDE || height > MAX_SIDE {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}

fn malformed(error: impl ToString) -> ImageError {
    ImageError::Malformed(error.to_string())
}

fn decode_with_limits(bytes: &[u8], format: ::image::ImageFormat) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    reader.decode().map(DynamicImage::into_rgb8).map_err(malformed)
}

fn decode_jpeg2000(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    let refused = |e| ImageError::Malformed(format!("{e:?}"));
    let settings = hayro_jpeg2000::DecodeSettings::default();
    let picture = hayro_jpeg2000::Image::new(bytes, &settings).map_err(refused)?;
    let (width, height) = (picture.width(), picture.height());
    check_size(width, height)?;
    let mut context = hayro_jpeg2000::DecoderContext::default();
    let decoded = picture.decode(&mut context).map_err(refused)?;
    let channels = decoded.components().len();
    let samples = decoded.data_u8();
    let rgb: Vec<u8> = match channels {
        1 => samples.iter().flat_map(|g| [*g; 3]).collect(),
        2 => samples.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        3 => samples,
        4 => samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        n => return Err(ImageError::Components { found: u16::try_from(n).unwrap_or(u16::MAX) }),
    };
    RgbImage::from_raw(width, height, rgb).ok_or_else(|| malformed("size does not fit the pixels"))
}

/// A decoded picture as a PNG file.
///
/// # Errors
/// [`ImageError::Malformed`] when the picture has no pixels.
pub fn to_png(picture: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, ::image::ImageFormat::Png).map_err(malformed)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encodes_as_png() {
        let picture = RgbImage::from_pixel(3, 2, ::image::Rgb([1, 2, 3]));
        assert_eq!(decode(&to_png(&picture).unwrap()), Ok(picture));
    }

    #[test]
    fn refuses_a_huge_picture_by_its_header() {
        // A JPEG whose frame header announces 65 535 x 65 535 pixels.
        let bomb = [
            0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8, 0xFF, 0xFF, 0xFF, 0xFF, 3, 1, 0x11, 0, 2, 0x11, 0, 3,
            0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0, 0xFF, 0xD9,
        ];
        assert_eq!(decode(&bomb), Err(ImageError::TooLarge { width: 65_535, height: 65_535 }));
    }

    #[test]
    fn many_pictures_take_no_longer_than_a_large_one() {
        let picture = to_png(&RgbImage::new(2_000, 2_000)).unwrap();
        let mut budget = PixelBudget::default();
        assert!(budget.decode(&picture).is_ok() && budget.decode(&picture).is_ok());
        let refused = ImageError::TooComplex { what: "pixels in all its pictures" };
        assert_eq!(budget.decode(&picture), Err(refused));
    }

    #[test]
    fn finds_the_picture_in_a_record_of_another_format() {
        let dg2 = include_bytes!("../../testvectors/iso39794/dg2-icao-profile-all-fields.bin");
        let picture = decode(find_picture(dg2).unwrap()).unwrap();
        assert!(picture.width() > 100 && picture.height() > 100, "{:?}", picture.dimensions());
        assert_eq!(find_picture(b"no picture"), None);
    }

    #[test]
    fn refuses_a_picture_that_is_cut_off_before_its_pixels() {
        let whole = include_bytes!("../../testvectors/specimen/portrait.jp2");
        assert_eq!(decode(&whole[..120]), Err(ImageError::Truncated));
    }

    #[test]
    fn refuses_what_is_no_picture() {
        assert_eq!(decode(b"GIF89a"), Err(ImageError::UnknownFormat));
        assert!(matches!(decode(&[0xFF, 0xD8, 0xFF, 0xD9]), Err(ImageError::Malformed(_))));
    }
}
