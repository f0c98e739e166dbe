//! Pictures that attack whoever decodes them, given to the built binary under a limit of memory:
//! each ends in an error with a name, and none takes the program down.
#![allow(clippy::unwrap_used)] // helpers of tests

mod support;

use std::path::Path;
use std::process::Command;

use image::RgbImage;
use serde_json::Value;

const JPEG: &[u8] = include_bytes!("../testvectors/specimen/portrait.jpg");
const JPEG2000: &[u8] = include_bytes!("../testvectors/specimen/portrait.jp2");
/// Address space that the program may take, in kibibytes. The largest picture that is decoded takes
/// 205 MiB; a bomb of 65 535 x 65 535 pixels would take 12 GiB.
const MEMORY: u32 = 700_000;

/// The picture with other bytes from a marker on.
fn changed(picture: &[u8], marker: [u8; 2], offset: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = picture.to_vec();
    let start = bytes.windows(2).position(|w| w == marker).unwrap() + offset;
    bytes[start..start + to.len()].copy_from_slice(to);
    bytes
}

/// What `inspect` says of the picture.
fn inspect(folder: &Path, bytes: &[u8]) -> Value {
    let path = folder.join("picture");
    std::fs::write(&path, bytes).unwrap();
    let limited = format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_cancuoc"), "inspect", "--json"])
        .arg(&path)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["files"][0]["content"]["picture"].clone()
}

#[test]
fn each_ends_in_an_error_with_a_name_and_within_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let png = cancuoc::biometrics::to_png(&RgbImage::new(2, 2)).unwrap();
    let (frame, siz, cod) = ([0xFF, 0xC0], [0xFF, 0x51], [0xFF, 0x52]);
    let huge = [0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF];
    let one_tile = [huge, [0; 8], huge].concat();
    let scan = JPEG.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
    let scans = [&JPEG[..scan], &[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0].repeat(100)].concat();
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("JPEG bomb", changed(JPEG, frame, 5, &[0xFF; 4]), "image_too_large"),
        ("JPEG 2000 bomb", changed(JPEG2000, siz, 6, &one_tile), "image_too_large"),
        ("PNG bomb", changed(&png, *b"IH", 4, &huge), "image_too_large"),
        ("JPEG without pixels", changed(JPEG, frame, 5, &[0, 0]), "image_empty"),
        ("PNG without pixels", changed(&png, *b"IH", 4, &[0; 4]), "image_empty"),
        ("JPEG of 255 components", changed(JPEG, frame, 9, &[0xFF]), "image_components"),
        ("JPEG 2000 of 16384", changed(JPEG2000, siz, 38, &[0x40, 0]), "image_components"),
        ("JPEG 2000 of layers", changed(JPEG2000, cod, 6, &[0xFF, 0xFF]), "image_too_complex"),
        ("JPEG of scans", scans, "image_too_complex"),
        ("JPEG cut off", JPEG[..JPEG.len() / 2].to_vec(), "image_truncated"),
        ("JPEG 2000 cut off", JPEG2000[..120].to_vec(), "image_truncated"),
        ("PNG cut off", png[..50].to_vec(), "image_truncated"),
    ];
    for (name, bytes, code) in cases {
        let picture = inspect(folder.path(), &bytes);
        assert_eq!(picture["not_shown"]["code"], code, "{name}: {picture}");
    }
}

#[test]
fn the_largest_picture_that_is_decoded_fits_too() {
    let folder = tempfile::tempdir().unwrap();
    // 8192 x 976 pixels, a tile as large: all that is behind the header is of a smaller picture.
    let size = [0, 0, 0x20, 0, 0, 0, 0x03, 0xD0];
    let one_tile = [size, [0; 8], size].concat();
    for bytes in [
        changed(JPEG, [0xFF, 0xC0], 5, &[0x03, 0xD0, 0x20, 0]),
        changed(JPEG2000, [0xFF, 0x51], 6, &one_tile),
    ] {
        let picture = inspect(folder.path(), &bytes);
        assert_eq!(picture["size"], "8192 x 976");
    }
}

#[test]
fn a_picture_that_is_something_else_too_is_decoded_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let polyglot = [JPEG, b"<html><script>alert(1)</script>PK\x03\x04"].concat();
    let picture = inspect(folder.path(), &polyglot);
    assert_eq!((&picture["format"], &picture["not_shown"]), (&"jpg".into(), &Value::Null));
}
