//! The record of a holder (schema `cancuoc.record/1`): what goes onto one card.
//!
//! A JSON document with the DG13 fields by name, the MRZ fields that cannot be derived from them,
//! paths of pictures relative to the record, the card profile and the access rules.
//! [`review`] finds everything that is wrong in one go; a card is made from a [`Record`] only, and
//! there is no other way to get one.

mod access;
mod dates;
mod fields;
mod files;
mod json;
mod mrz;
pub mod schema;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::Value;

pub use json::MAX_LENGTH;
pub(crate) use json::parse;

use self::json::Object;
use super::finding::{Finding, Findings};
use crate::biometrics::ImageFormat;
use crate::document::dg13::Dg13;
use crate::document::profile::{CardProfile, FileAccess};
use crate::document::{Mrz, PersonalNumber, Pin, Puk};

/// The schema a record names.
pub const SCHEMA: &str = "cancuoc.record/1";

/// Gives the bytes of a file that a record names.
pub trait Loader {
    /// The file at a path relative to the record, if it has at most `limit` bytes. The path was
    /// checked: it is relative and does not climb.
    ///
    /// # Errors
    /// [`LoadError`].
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError>;
}

/// Why a file of a record cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadError {
    /// There is none.
    NotFound,
    /// It is larger than the limit.
    TooLarge,
    /// It cannot be read.
    Unreadable,
}

/// What the record says about access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRules {
    /// Whether BAC opens the card.
    pub bac: bool,
    /// Whether PACE opens the card.
    pub pace: bool,
    /// Files whose rule differs from the profile's, by name.
    pub files: BTreeMap<String, FileAccess>,
    /// The PIN, where the profile has one.
    pub pin: Option<Pin>,
    /// The PUK, where the profile has one.
    pub puk: Option<Puk>,
}

/// What the caller says of the card besides the record.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// The profile, whatever the record names.
    pub profile: Option<Cow<'static, CardProfile>>,
    /// The PIN where the record has none.
    pub pin: Option<Pin>,
    /// The PUK where the record has none.
    pub puk: Option<Puk>,
    /// Data groups given whole that the profile has and the record does not give, by number.
    pub data_groups: BTreeMap<u8, Vec<u8>>,
    /// Certificates of country verifying CAs in place of the record's, the newer last.
    pub trust_points: Vec<Vec<u8>>,
}

/// The portrait as the record gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct Portrait {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its format: JPEG or JPEG 2000.
    pub format: ImageFormat,
    /// Its width in pixels.
    pub width: u16,
    /// Its height in pixels.
    pub height: u16,
}

/// A record without errors.
#[derive(Clone)]
pub struct Record {
    /// The profile named.
    pub profile: Cow<'static, CardProfile>,
    /// The holder's number.
    pub personal_number: PersonalNumber,
    /// The national data group, built.
    pub dg13: Dg13,
    /// The MRZ, built.
    pub mrz: Mrz,
    /// The portrait.
    pub portrait: Portrait,
    /// Data groups given as whole files, by number.
    pub data_groups: BTreeMap<u8, Vec<u8>>,
    /// Access.
    pub access: AccessRules,
    /// Certificates of country verifying CAs that the card trusts, the newer last; the profile's
    /// where there are none.
    pub trust_points: Vec<Vec<u8>>,
}

/// Personal data: not shown.
impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Record({}, ***)", self.profile.name)
    }
}

/// What a review says.
#[derive(Debug)]
pub struct Review {
    /// Everything found, in the order of the document.
    pub findings: Vec<Finding>,
    /// The record, if no finding is an error.
    pub record: Option<Record>,
}

/// Everything that is wrong with a record: [`review`] without the record.
#[must_use]
pub fn check(source: &[u8], loader: &dyn Loader, today: Date) -> Vec<Finding> {
    review(source, loader, today).findings
}

/// Reads a record and finds everything that is wrong with it.
#[must_use]
pub fn review(source: &[u8], loader: &dyn Loader, today: Date) -> Review {
    review_with(source, loader, today, &Terms::default())
}

/// [`review`] of a record of which not everything stands in it.
#[must_use]
pub fn review_with(source: &[u8], loader: &dyn Loader, today: Date, terms: &Terms) -> Review {
    let mut findings = Findings::default();
    let record = parse(source, MAX_LENGTH, &mut findings)
        .and_then(|value| read(&value, loader, today, terms, &mut findings));
    if record.is_none() && !findings.has_errors() {
        // Every part that is missing has its own finding; this keeps it so.
        findings.error("$", "record_incomplete", &[]);
    }
    let record = record.filter(|_| !findings.has_errors());
    Review { findings: findings.into_list(), record }
}

/// The keys of a record.
pub(crate) const KEYS: [&str; 8] =
    ["schema", "profile", "fields", "mrz", "portrait", "data_groups", "access", "trust_points"];

fn read(
    value: &Value,
    loader: &dyn Loader,
    today: Date,
    terms: &Terms,
    findings: &mut Findings,
) -> Option<Record> {
    let root = Object::root(value, findings);
    if !value.is_object() {
        return None;
    }
    root.refuse_unknown_keys(&KEYS, findings);
    let schema = root.text("schema", findings);
    if schema != Some(SCHEMA) && (schema.is_some() || root.get("schema").is_none()) {
        findings.error("$.schema", "record_schema", &[("expected", &SCHEMA)]);
    }
    // Without a profile nothing more can be said about the fields.
    let profile = match &terms.profile {
        Some(profile) => profile.clone(),
        None => profile(&root, loader, findings)?,
    };

    if root.get("fields").is_none() {
        findings.error("$.fields", "record_missing", &[]);
    }
    let fields = root.object("fields", findings);
    let fields = fields::read(&fields, &profile, today, findings);
    let mrz = mrz::read(&root.object("mrz", findings), &fields, &profile, findings);
    let portrait = files::portrait(&root, loader, findings);
    let mut data_groups = files::data_groups(&root, &profile, loader, findings);
    for (number, content) in &terms.data_groups {
        if profile.lds.data_groups.contains(number) {
            data_groups.entry(*number).or_insert_with(|| content.clone());
        }
    }
    let access = access::read(&root.object("access", findings), &profile, terms, findings);
    let mut trust_points = files::trust_points(&root, &profile, loader, findings);
    if !terms.trust_points.is_empty() {
        trust_points.clone_from(&terms.trust_points);
    }

    let dg13 = fields.dg13.build().map_err(|_| {
        findings.error("$.fields", "record_fields_too_long", &[]);
    });
    Some(Record {
        personal_number: fields.personal_number?,
        dg13: dg13.ok()?,
        mrz: mrz?,
        portrait: portrait?,
        data_groups,
        access,
        trust_points,
        profile: profile.clone(),
    })
}

fn profile(
    root: &Object<'_>,
    loader: &dyn Loader,
    findings: &mut Findings,
) -> Option<Cow<'static, CardProfile>> {
    let Some(name) = root.text("profile", findings) else {
        if root.get("profile").is_none() {
            let names = CardProfile::NAMES.join(", ");
            findings.error("$.profile", "record_profile_missing", &[("names", &names)]);
        }
        return None;
    };
    if !name.ends_with(".toml") {
        let known = CardProfile::builtin(name).ok();
        if known.is_none() {
            let names = CardProfile::NAMES.join(", ");
            findings.error("$.profile", "record_profile_unknown", &[("names", &names)]);
        }
        return known.map(Cow::Borrowed);
    }
    let source = files::load("$.profile", name, 256 * 1024, loader, findings)?;
    let source = String::from_utf8_lossy(&source);
    match CardProfile::from_toml(&source) {
        Ok(profile) => Some(Cow::Owned(profile)),
        Err(error) => {
            findings.error("$.profile", "record_profile_invalid", &[("reason", &error)]);
            None
        }
    }
}

#[cfg(test)]
mod tests;
