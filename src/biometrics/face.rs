//! Face records of ISO/IEC 19794-5:2005 §5.

use thiserror::Error;

use super::ImageFormat;
use crate::error::ErrorCode;

const HEADER_LENGTH: usize = 14;
const FACIAL_INFORMATION_LENGTH: usize = 20;
const FEATURE_POINT_LENGTH: usize = 8;
const IMAGE_INFORMATION_LENGTH: usize = 12;
const FORMAT: &[u8; 8] = b"FAC\x00010\x00";

/// A face record decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceRecord {
    /// The pictures with what is said of them.
    pub images: Vec<FaceImage>,
}

/// One picture of a face.
#[derive(Clone, PartialEq, Eq)]
pub struct FaceImage {
    /// Facial information after its first six bytes: gender, eye and hair colour, features,
    /// expression, pose and its uncertainty (14 bytes).
    pub information: [u8; 14],
    /// Feature points, eight bytes each.
    pub feature_points: Vec<[u8; 8]>,
    /// Face image type: 1 full frontal, 2 token frontal.
    pub image_type: u8,
    /// Image data type: 0 JPEG, 1 JPEG 2000.
    pub data_type: u8,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Colour space, source type, device type and quality (6 bytes).
    pub capture: [u8; 6],
    /// The picture's bytes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for FaceImage {
    // A picture is personal: only its size is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FaceImage({}x{}, {} bytes)", self.width, self.height, self.data.len())
    }
}

/// Why a face record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FaceError {
    /// Not `FAC` version `010`.
    #[error("not an ISO/IEC 19794-5:2005 face record")]
    Format,
    /// The record ends before byte `offset` is followed by all that must be there.
    #[error("face record cut off at byte {offset}")]
    Truncated {
        /// Where.
        offset: usize,
    },
    /// A length or count that does not fit the record.
    #[error("face record: {what} at byte {offset} does not fit the record")]
    Length {
        /// Which.
        what: &'static str,
        /// Where.
        offset: usize,
    },
}

impl ErrorCode for FaceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Format => "face_format_unknown",
            Self::Truncated { .. } => "face_truncated",
            Self::Length { .. } => "face_length_wrong",
        }
    }
}

/// Takes bytes off the front of a record and keeps count.
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], FaceError> {
        let truncated = FaceError::Truncated { offset: self.offset };
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(truncated)?;
        self.bytes = rest;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FaceError> {
        let offset = self.offset;
        self.take(N)?.try_into().map_err(|_| FaceError::Truncated { offset })
    }

    fn u8(&mut self) -> Result<u8, FaceError> {
        self.array::<1>().map(|[b]| b)
    }

    fn u16(&mut self) -> Result<u16, FaceError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, FaceError> {
        self.array().map(u32::from_be_bytes)
    }
}

impl FaceRecord {
    /// Reads a record.
    ///
    /// # Errors
    /// [`FaceError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FaceError> {
        let mut cursor = Cursor { bytes, offset: 0 };
        if cursor.take(8).ok() != Some(FORMAT) {
            return Err(FaceError::Format);
        }
        if cursor.u32()? as usize != bytes.len() {
            return Err(FaceError::Length { what: "record length", offset: 8 });
        }
        let count = usize::from(cursor.u16()?);
        let smallest = FACIAL_INFORMATION_LENGTH + IMAGE_INFORMATION_LENGTH;
        if count * smallest > cursor.bytes.len() {
            return Err(FaceError::Length { what: "number of images", offset: 12 });
        }
        let images =
            (0..count).map(|_| FaceImage::decode(&mut cursor)).collect::<Result<_, _>>()?;
        if !cursor.bytes.is_empty() {
            return Err(FaceError::Length { what: "end of record", offset: cursor.offset });
        }
        Ok(Self { images })
    }

    /// The record's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let blocks: Vec<u8> = self.images.iter().flat_map(FaceImage::encode).collect();
        let mut out = FORMAT.to_vec();
        out.extend(((HEADER_LENGTH + blocks.len()) as u32).to_be_bytes());
        out.extend((self.images.len() as u16).to_be_bytes());
        out.extend(blocks);
        out
    }

    /// A record with one full frontal picture, nothing said of the face itself.
    ///
    /// `width` and `height` are those of the picture.
    #[must_use]
    pub fn of_portrait(data: Vec<u8>, format: ImageFormat, width: u16, height: u16) -> Self {
        let image = FaceImage {
            information: [0; 14],
            feature_points: Vec::new(),
            image_type: 1,
            data_type: u8::from(format != ImageFormat::Jpeg),
            width,
            height,
            capture: [1, 0, 0, 0, 0, 0],
            data,
        };
        Self { images: vec![image] }
    }
}

impl FaceImage {
    fn decode(cursor: &mut Cursor<'_>) -> Result<Self, FaceError> {
        let start = cursor.offset;
        let block = cursor.u32()? as usize;
        let points = usize::from(cursor.u16()?);
        let wrong = FaceError::Length { what: "block length", offset: start };
        let fixed =
            FACIAL_INFORMATION_LENGTH + points * FEATURE_POINT_LENGTH + IMAGE_INFORMATION_LENGTH;
        let data_length = block.checked_sub(fixed).ok_or(wrong)?;
        if fixed - 6 + data_length > cursor.bytes.len() {
            return Err(wrong);
        }
        Ok(Self {
            information: cursor.array()?,
            feature_points: (0..points).map(|_| cursor.array()).collect::<Result<_, _>>()?,
            image_type: cursor.u8()?,
            data_type: cursor.u8()?,
            width: cursor.u16()?,
            height: cursor.u16()?,
            capture: cursor.array()?,
            data: cursor.take(data_length)?.to_vec(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let length = FACIAL_INFORMATION_LENGTH
            + self.feature_points.len() * FEATURE_POINT_LENGTH
            + IMAGE_INFORMATION_LENGTH
            + self.data.len();
        let mut out = (length as u32).to_be_bytes().to_vec();
        out.extend((self.feature_points.len() as u16).to_be_bytes());
        out.extend(self.information);
        out.extend(self.feature_points.concat());
        out.extend([self.image_type, self.data_type]);
        out.extend(self.width.to_be_bytes());
        out.extend(self.height.to_be_bytes());
        out.extend(self.capture);
        out.extend(&self.data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(images: usize) -> FaceRecord {
        let one = FaceRecord::of_portrait(vec![0xFF, 0xD8, 1, 2, 3], ImageFormat::Jpeg, 300, 400);
        let mut image = one.images[0].clone();
        image.feature_points = vec![[1, 2, 3, 4, 5, 6, 7, 8]];
        FaceRecord { images: vec![image; images] }
    }

    #[test]
    fn several_images_come_back() {
        let bytes = record(3).encode();
        assert_eq!(FaceRecord::decode(&bytes), Ok(record(3)));
    }

    #[test]
    fn refuses_a_count_that_the_record_cannot_hold() {
        let mut bytes = record(1).encode();
        bytes[12..14].copy_from_slice(&[0xFF, 0xFF]);
        let fault = FaceError::Length { what: "number of images", offset: 12 };
        assert_eq!(FaceRecord::decode(&bytes), Err(fault));
    }

    #[test]
    fn refuses_an_image_that_runs_past_the_end() {
        let mut bytes = record(1).encode();
        bytes[14] = 0x7F;
        let fault = FaceError::Length { what: "block length", offset: 14 };
        assert_eq!(FaceRecord::decode(&bytes), Err(fault));
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..200), valid in any::<bool>()) {
            if valid && bytes.len() >= 14 {
                bytes[..8].copy_from_slice(FORMAT);
                let length = bytes.len() as u32;
                bytes[8..12].copy_from_slice(&length.to_be_bytes());
            }
            if let Ok(record) = FaceRecord::decode(&bytes) {
                prop_assert_eq!(record.encode(), bytes);
            }
        }
    }
}
