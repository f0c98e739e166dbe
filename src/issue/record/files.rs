//! Files that a record names: the portrait, and data groups given whole.

use std::collections::BTreeMap;

use super::json::Object;
use super::{LoadError, Loader, Portrait};
use crate::apdu::tlv::Tlv;
use crate::biometrics::{self, ImageFormat};
use crate::document::profile::CardProfile;
use crate::issue::finding::Findings;
use crate::issue::prepare::trust_point_reference;
use crate::lds::DgNumber;

/// The largest portrait, in bytes: cards have some tens of kilobytes.
const MAX_PORTRAIT: usize = 200_000;
/// The largest data group given whole, in bytes.
const MAX_DATA_GROUP: usize = 400_000;
/// The largest CV certificate, in bytes: RSA with 4096 bits takes some 1200.
const MAX_CERTIFICATE: usize = 4_096;
/// Most trust points.
const MAX_TRUST_POINTS: usize = 2;
/// Data groups that are made from the record and therefore not given.
const MADE: [u8; 5] = [1, 2, 13, 14, 15];

/// The least size of a full frontal picture, in pixels (ISO/IEC 19794-5 §8.4.1, rounded).
const LEAST_SIZE: (u32, u32) = (240, 320);

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
    let format = ImageFormat::sniff(&bytes).filter(|format| *format != ImageFormat::Png);
    let Some(format) = format else {
        findings.error(&path, "record_portrait_format", &[]);
        return None;
    };
    let (width, height) = match biometrics::decode(&bytes) {
        Ok(picture) => picture.dimensions(),
        Err(error) => {
            findings.error(&path, "record_portrait_malformed", &[("reason", &error)]);
            return None;
        }
    };
    if width < LEAST_SIZE.0 || height < LEAST_SIZE.1 {
        let least = format!("{} × {}", LEAST_SIZE.0, LEAST_SIZE.1);
        findings.warning(&path, "record_portrait_small", &[("least", &least)]);
    }
    // What decodes is far below the limit of sixteen bits.
    let (width, height) = (width.try_into().ok()?, height.try_into().ok()?);
    Some(Portrait { bytes, format, width, height })
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
        let Some(number) = data_group(name) else {
            findings.error(&path, "record_data_group_name", &[]);
            continue;
        };
        if MADE.contains(&number.get()) {
            findings.error(&path, "record_data_group_made", &[]);
            continue;
        }
        if !profile.lds.data_groups.contains(&number.get()) {
            findings.error(&path, "record_data_group_not_in_profile", &[]);
            continue;
        }
        let Some(file) = object.text(name, findings) else { continue };
        let Some(bytes) = load(&path, file, MAX_DATA_GROUP, loader, findings) else { continue };
        match Tlv::parse_exact(&bytes).and_then(|tlv| tlv.expect(number.tag())) {
            Ok(_) => {
                groups.insert(number.get(), bytes);
            }
            Err(error) => {
                findings.error(&path, "record_data_group_malformed", &[("reason", &error)]);
            }
        }
    }
    groups
}

/// The certificates of country verifying CAs that the card trusts.
pub(super) fn trust_points(
    root: &Object<'_>,
    profile: &CardProfile,
    loader: &dyn Loader,
    findings: &mut Findings,
) -> Vec<Vec<u8>> {
    let path = root.path_of("trust_points");
    let names = root.texts("trust_points", findings);
    if names.len() > MAX_TRUST_POINTS {
        findings.error(&path, "record_trust_points", &[("most", &MAX_TRUST_POINTS)]);
        return Vec::new();
    }
    if !names.is_empty() && profile.access.terminal_authentication != Some(1) {
        findings.error(&path, "record_trust_points_unused", &[]);
        return Vec::new();
    }
    let mut points = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(bytes) = load(&path, name, MAX_CERTIFICATE, loader, findings) else { continue };
        if trust_point_reference(&bytes).is_none() {
            findings.error(&path, "record_trust_point_malformed", &[]);
            continue;
        }
        points.push(bytes);
    }
    points
}

/// `DG3` → 3.
fn data_group(name: &str) -> Option<DgNumber> {
    let digits = name.strip_prefix("DG")?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
    DgNumber::new(digits.parse().ok().filter(|_| plain)?)
}
