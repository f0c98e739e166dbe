//! Biometric records and pictures: ISO/IEC 19794-5 faces, decoding of pictures under limits.

mod face;
mod image;
mod jpeg2000;

pub use face::{FaceError, FaceImage, FaceRecord};
pub use image::{ImageError, ImageFormat, MAX_PIXELS, decode, dimensions, find_picture, to_png};
