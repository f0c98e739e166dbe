//! Biometric files and pictures as JSON, and the picture to show.

use image::RgbImage;
use serde_json::{Value, json};

use super::certificate::hexadecimal;
use super::kind::Kind;
use super::{Failure, dump};
use crate::apdu::tlv::Tag;
use crate::biometrics::{self, FaceImage, FaceRecord, ImageFormat, PixelBudget};
use crate::cli::ExitStatus;
use crate::error::ErrorCode;
use crate::lds::{BiometricTemplate, Dg2, DgNumber};

/// Most pictures of one file that are described.
const MAX_PICTURES: usize = 256;

pub(super) fn data_group(number: u8, bytes: &[u8]) -> Result<Value, Failure> {
    let name = match number {
        2 => "EF.DG2",
        3 => "EF.DG3",
        _ => "EF.DG4",
    };
    let tag = DgNumber::new(number).map_or(Tag(0), DgNumber::tag);
    let templates = BiometricTemplate::decode_file(name, tag, bytes)
        .map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
    Ok(json!({ "templates": templates.iter().map(template).collect::<Vec<_>>() }))
}

fn template(template: &BiometricTemplate) -> Value {
    let mut value = json!({
        "header": dump::dump(&template.header),
        "format": format_name(template),
        "data_length": template.data.len(),
    });
    if template.data.starts_with(b"FAC\0") {
        match FaceRecord::decode(&template.data) {
            Ok(record) => value["images"] = images(&record),
            Err(error) => value["malformed"] = json!(error.to_string()),
        }
    }
    value
}

/// The format that the data block's first bytes or its tag tell.
fn format_name(template: &BiometricTemplate) -> &'static str {
    if template.constructed {
        return "ISO/IEC 39794";
    }
    match template.data.get(..4) {
        Some(b"FAC\0") => "ISO/IEC 19794-5",
        Some(b"FIR\0") => "ISO/IEC 19794-4",
        Some(b"FMR\0") => "ISO/IEC 19794-2",
        Some(b"IIR\0") => "ISO/IEC 19794-6",
        _ => "?",
    }
}

pub(super) fn face_record(bytes: &[u8]) -> Result<Value, Failure> {
    let record =
        FaceRecord::decode(bytes).map_err(|e| Failure::from_error(ExitStatus::BadInput, &e))?;
    Ok(json!({ "images": images(&record) }))
}

fn images(record: &FaceRecord) -> Value {
    let mut budget = PixelBudget::default();
    record.images.iter().take(MAX_PICTURES).map(|image| face_image(image, &mut budget)).collect()
}

fn face_image(image: &FaceImage, budget: &mut PixelBudget) -> Value {
    let image_type = match image.image_type {
        0 => "basic",
        1 => "full frontal",
        2 => "token frontal",
        _ => "?",
    };
    let data_type = match image.data_type {
        0 => "JPEG",
        1 => "JPEG 2000",
        _ => "?",
    };
    json!({
        "image_type": image_type,
        "data_type": data_type,
        "announced_size": size((image.width.into(), image.height.into())),
        "feature_points": image.feature_points.len(),
        "information": hexadecimal(&image.information),
        "picture": picture(&image.data, budget),
    })
}

fn size((width, height): (u32, u32)) -> String {
    format!("{width} x {height}")
}

/// Format and size of a picture, and why it cannot be shown where it cannot.
fn picture(data: &[u8], budget: &mut PixelBudget) -> Value {
    let format = ImageFormat::sniff(data).map(ImageFormat::extension);
    let mut picture = json!({ "format": format });
    if let Ok(found) = biometrics::dimensions(data) {
        picture["size"] = size(found).into();
    }
    picture["length"] = data.len().into();
    if let Err(error) = budget.decode(data) {
        picture["not_shown"] = json!({ "code": error.code(), "error": error.to_string() });
    }
    picture
}

pub(super) fn image(bytes: &[u8]) -> Result<Value, Failure> {
    Ok(json!({ "picture": picture(bytes, &mut PixelBudget::default()) }))
}

/// The first picture in a file that can be shown.
pub(super) fn portrait(kind: Kind, bytes: &[u8]) -> Option<RgbImage> {
    let record = match kind {
        Kind::Image(_) => return biometrics::decode(bytes).ok(),
        Kind::FaceRecord => bytes.to_vec(),
        Kind::DataGroup(number) if number.get() == 2 => {
            Dg2::decode(bytes).ok()?.templates.into_iter().next()?.data
        }
        _ => return None,
    };
    let data = match FaceRecord::decode(&record) {
        Ok(record) => record.images.into_iter().next()?.data,
        Err(_) => biometrics::find_picture(&record)?.to_vec(),
    };
    biometrics::decode(&data).ok()
}
