//! The MRZ of a record: derived from the DG13 fields, and from the `mrz` object where they do not
//! suffice.

use super::fields::Fields;
use super::json::Object;
use crate::document::dg13::same_text;
use crate::document::mrz::{MrzDate, Sex, Td1Fields, vietnamese_optional_data};
use crate::document::name::{MrzName, NameError, TD1_NAME_LENGTH};
use crate::document::profile::CardProfile;
use crate::document::{Mrz, PersonalNumber};
use crate::issue::finding::{Findings, Severity};

const KEYS: [&str; 4] = ["primary_identifier", "secondary_identifier", "sex", "nationality"];

pub(super) fn read(
    object: &Object<'_>,
    fields: &Fields<'_>,
    profile: &CardProfile,
    findings: &mut Findings,
) -> Option<Mrz> {
    object.refuse_unknown_keys(&KEYS, findings);
    let sex = sex(object, fields, findings);
    let nationality = nationality(object, fields, profile, findings);
    let name = name(object, fields, findings);

    let number: &PersonalNumber = fields.personal_number.as_ref()?;
    // A checked profile always gives one.
    let document_number = profile.document_number(number).ok()?;
    let birth = MrzDate::from_partial(fields.birth?);
    let expiry = fields.expiry?.map_or_else(MrzDate::never, MrzDate::from_partial);
    let mrz = Td1Fields {
        document_code: &profile.mrz.document_code,
        issuing_state: &profile.mrz.issuing_state,
        document_number: &document_number,
        optional_1: &vietnamese_optional_data(number),
        birth: &birth,
        sex: sex?,
        expiry: &expiry,
        nationality: &nationality?,
        optional_2: "",
        names: &name?.td1(),
    };
    let built = mrz.build();
    if let Err(error) = &built {
        findings.error("$.mrz", "record_mrz", &[("reason", error)]);
    }
    built.ok()
}

fn sex(object: &Object<'_>, fields: &Fields<'_>, findings: &mut Findings) -> Option<Sex> {
    let path = object.path_of("sex");
    match object.text("sex", findings) {
        None => {
            if fields.sex_in_other_words {
                findings.error(&path, "record_mrz_sex_missing", &[]);
            }
            fields.sex
        }
        Some(letter) => {
            let sex = match letter {
                "M" => Sex::Male,
                "F" => Sex::Female,
                "X" | "<" => Sex::Unspecified,
                _ => {
                    findings.error(&path, "record_mrz_sex", &[]);
                    return None;
                }
            };
            if fields.sex.is_some_and(|said| said != sex) {
                findings.error(&path, "record_mrz_sex_differs", &[]);
            }
            Some(sex)
        }
    }
}

fn nationality(
    object: &Object<'_>,
    fields: &Fields<'_>,
    profile: &CardProfile,
    findings: &mut Findings,
) -> Option<String> {
    let path = object.path_of("nationality");
    if let Some(code) = object.text("nationality", findings) {
        if !(1..=3).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_uppercase()) {
            findings.error(&path, "record_mrz_nationality", &[]);
            return None;
        }
        return Some(code.to_owned());
    }
    let said = fields.nationality.as_deref()?;
    if same_text(said, "Việt Nam") {
        return Some(profile.mrz.nationality.clone());
    }
    findings.error(&path, "record_mrz_nationality_missing", &[]);
    None
}

fn name(object: &Object<'_>, fields: &Fields<'_>, findings: &mut Findings) -> Option<MrzName> {
    let primary = object.text("primary_identifier", findings);
    let secondary = object.text("secondary_identifier", findings);
    let (name, path) = match (primary, secondary) {
        (Some(primary), secondary) => {
            let path = object.path_of("primary_identifier");
            (MrzName::from_parts(primary, secondary.unwrap_or_default()), path)
        }
        (None, Some(_)) => {
            let path = object.path_of("secondary_identifier");
            findings.error(&path, "record_mrz_name_half", &[]);
            return None;
        }
        (None, None) => {
            let path = "$.fields.full_name".to_owned();
            (MrzName::from_full_name(fields.full_name.as_deref()?), path)
        }
    };
    match name {
        Ok(name) => {
            if name.untruncated().len() > TD1_NAME_LENGTH {
                let limit = TD1_NAME_LENGTH;
                let code = "record_name_truncated";
                findings.add(Severity::Note, &path, code, &[("limit", &limit)]);
            }
            Some(name)
        }
        Err(NameError::Character { position, .. }) => {
            findings.error(&path, "record_name_character", &[("position", &position)]);
            None
        }
        Err(NameError::Empty | NameError::TooLong) => {
            findings.error(&path, "record_name", &[]);
            None
        }
    }
}
