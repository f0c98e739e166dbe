//! Files that a record names: the portrait, and data groups given whole.

use std::collections::BTreeMap;

use super::json::Object;
use super::{LoadError, Loader, PictureFormat, Portrait};
use crate::apdu::tlv::{Tag, Tlv};
use crate::document::profile::CardProfile;
use crate::issue::finding::Findings;

/// The largest portrait, in bytes: cards have some tens of kilobytes.
const MAX_PORTRAIT: usize = 200_000;
/// The largest data group given whole, in bytes.
const MAX_DATA_GROUP: usize = 400_000;
/// Data groups that are made from the record and therefore not given.
const MADE: [u8; 5] = [1, 2, 13, 14, 15];

/// The tags of DG1 to DG16 (ICAO 9303-10 §4.6.1).
const DATA_GROUP_TAGS: [u8; 16] = [
    0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70,
];

/// Loads a file that the record names at `path`.
pub(super) fn load(
    path: &str,
    file: &str,
    limit: usize,
    loader: &dyn Loader,
    findings: &mut Findings,
) -> Option<Vec<u8>> {
    // The record may come from outside: it must not reach files of this machine.
    let climbs = file.split(['/', '\\']).any(|part| part.is_empty() || part == "..");
    let drive = file.contains([':', '\0', '\\']);
    if climbs || drive || file.len() > 1024 {
        findings.error(path, "record_path", &[]);
        return None;
    }
    let code = match loader.load(file, limit) {
        Ok(bytes) if bytes.len() <= limit => return Some(bytes),
        Ok(_) | Err(LoadError::TooLarge) => "record_file_too_large",
        Err(LoadError::NotFound) => "record_file_missing",
        Err(LoadError::Unreadable) => "record_file_unreadable",
    };
    findings.error(path, code, &[("limit", &limit)]);
    None
}

pub(super) fn portrait(
    root: &Object<'_>,
    loader: &dyn Loader,
    findings: &mut Findings,
) -> Option<Portrait> {
    let path = root.path_of("portrait");
    let Some(file) = root.text("portrait", findings) else {
        if root.get("portrait").is_none() {
            findings.error(&path, "record_missing", &[]);
        }
        return None;
    };
    let bytes = load(&path, file, MAX_PORTRAIT, loader, findings)?;
    let Some(format) = picture_format(&bytes) else {
        findings.error(&path, "record_portrait_format", &[]);
        return None;
    };
    Some(Portrait { bytes, format })
}

/// The format by the first bytes of the file.
fn picture_format(bytes: &[u8]) -> Option<PictureFormat> {
    const JP2: &[u8] = b"\x00\x00\x00\x0CjP  \r\n\x87\n";
    const CODESTREAM: &[u8] = b"\xFF\x4F\xFF\x51";
    if bytes.starts_with(b"\xFF\xD8\xFF") {
        Some(PictureFormat::Jpeg)
    } else if bytes.starts_with(JP2) || bytes.starts_with(CODESTREAM) {
        Some(PictureFormat::Jpeg2000)
    } else {
        None
    }
}

pub(super) fn data_groups(
    root: &Object<'_>,
    profile: &CardProfile,
    loader: &dyn Loader,
    findings: &mut Findings,
) -> BTreeMap<u8, Vec<u8>> {
    let object = root.object("data_groups", findings);
    let mut groups = BTreeMap::new();
    for name in object.keys() {
        let path = object.path_of(name);
        let Some((number, tag)) = data_group(name) else {
            findings.error(&path, "record_data_group_name", &[]);
            continue;
        };
        if MADE.contains(&number) {
            findings.error(&path, "record_data_group_made", &[]);
            continue;
        }
        if !profile.lds.data_groups.contains(&number) {
            findings.error(&path, "record_data_group_not_in_profile", &[]);
            continue;
        }
        let Some(file) = object.text(name, findings) else { continue };
        let Some(bytes) = load(&path, file, MAX_DATA_GROUP, loader, findings) else { continue };
        match Tlv::parse_exact(&bytes).and_then(|tlv| tlv.expect(Tag(tag.into()))) {
            Ok(_) => {
                groups.insert(number, bytes);
            }
            Err(error) => {
                findings.error(&path, "record_data_group_malformed", &[("reason", &error)]);
            }
        }
    }
    groups
}

/// `DG3` → 3 and its tag.
fn data_group(name: &str) -> Option<(u8, u8)> {
    let digits = name.strip_prefix("DG")?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u8 = digits.parse().ok().filter(|_| plain)?;
    let tag = DATA_GROUP_TAGS.get(usize::from(number.checked_sub(1)?))?;
    Some((number, *tag))
}
