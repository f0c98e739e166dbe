//! Biometric records and pictures: ISO/IEC 19794-5 faces, decoding of pictures under limits.

mod face;
mod image;
mod jpeg;
mod jpeg2000;
mod png;

pub use face::{FaceError, FaceImage, FaceRecord};
pub use image::{
    ImageError, ImageFormat, MAX_PIXELS, PixelBudget, decode, dimensions, find_picture, to_png,
};
