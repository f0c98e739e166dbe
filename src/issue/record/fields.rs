//! The DG13 fields of a record.

use jiff::civil::Date;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::dates::{self, Dates};
use super::json::Object;
use crate::document::dg13::{
    Dg13Builder, FieldInput, FieldKind, FieldLayout, StringType, same_text,
};
use crate::document::mrz::Sex;
use crate::document::profile::CardProfile;
use crate::document::{PartialDate, PersonalNumber};
use crate::issue::finding::Findings;

/// The longest text of a field, in characters.
pub(super) const MAX_CHARACTERS: usize = 500;

/// What the fields say, as far as they could be read.
pub(super) struct Fields<'a> {
    pub dg13: Dg13Builder<'a>,
    pub personal_number: Option<PersonalNumber>,
    pub full_name: Option<String>,
    pub birth: Option<PartialDate>,
    /// `Some(None)`: the card does not expire.
    pub expiry: Option<Option<PartialDate>>,
    pub sex: Option<Sex>,
    /// The field has a text that says neither Nam nor Nữ.
    pub sex_in_other_words: bool,
    pub nationality: Option<String>,
}

pub(super) fn read<'a>(
    object: &Object<'_>,
    profile: &'a CardProfile,
    today: Date,
    findings: &mut Findings,
) -> Fields<'a> {
    let layout = &profile.dg13;
    let names: Vec<&str> = layout.fields.iter().map(|field| field.name.as_str()).collect();
    object.refuse_unknown_keys(&names, findings);
    let mut reader = Reader {
        fields: Fields {
            dg13: Dg13Builder::new(layout),
            personal_number: None,
            full_name: None,
            birth: None,
            expiry: None,
            sex: None,
            sex_in_other_words: false,
            nationality: None,
        },
        dates: Dates::default(),
        findings,
    };
    for field in &layout.fields {
        let path = object.path_of(&field.name);
        match object.get(&field.name) {
            None if field.required => reader.findings.error(&path, "record_missing", &[]),
            None => {}
            Some(value) => {
                if let Some(input) = reader.field(field, value, &path) {
                    reader.fields.dg13.set(field, &input);
                }
            }
        }
    }
    let Reader { mut fields, dates, findings } = reader;
    let [birth, issue, expiry] =
        ["birth_date", "issue_date", "expiry_date"].map(|name| object.path_of(name));
    dates.compare([&birth, &issue, &expiry], today, findings);
    fields.birth = dates.birth;
    fields
}

struct Reader<'a, 'f> {
    fields: Fields<'a>,
    dates: Dates,
    findings: &'f mut Findings,
}

impl Reader<'_, '_> {
    fn field(&mut self, field: &FieldLayout, value: &Value, path: &str) -> Option<FieldInput> {
        if value.is_null() {
            if field.required {
                self.findings.error(path, "record_empty", &[]);
            }
            return Some(FieldInput::NumberOnly);
        }
        if field.kind == FieldKind::Parents {
            return self.parents(field, value, path);
        }
        let Some(text) = value.as_str() else {
            self.findings.error(path, "record_wrong_type", &[("expected", &"string")]);
            return None;
        };
        if text.is_empty() {
            if field.required {
                self.findings.error(path, "record_empty", &[]);
            }
            return Some(FieldInput::Text(String::new()));
        }
        let text = self.text(field.string, text, path)?;
        let text = self.meaning(field, text, path)?;
        Some(FieldInput::Text(text))
    }

    /// Checks a text as text and composes it.
    fn text(&mut self, string: StringType, text: &str, path: &str) -> Option<String> {
        if text.chars().nth(MAX_CHARACTERS).is_some() {
            self.findings.error(path, "record_text_too_long", &[("limit", &MAX_CHARACTERS)]);
            return None;
        }
        if text.chars().any(char::is_control) {
            self.findings.error(path, "record_text_control", &[]);
            return None;
        }
        if text.trim() != text {
            self.findings.warning(path, "record_text_space", &[]);
        }
        if !string.allows(text) {
            self.findings.error(path, "record_text_not_printable", &[]);
            return None;
        }
        let composed: String = text.nfc().collect();
        if composed != text {
            self.findings.warning(path, "record_text_not_composed", &[]);
        }
        Some(composed)
    }

    /// Checks what a text says; gives the text to write.
    fn meaning(&mut self, field: &FieldLayout, text: String, path: &str) -> Option<String> {
        match field.kind {
            FieldKind::PersonalNumber => match PersonalNumber::new(&text) {
                Ok(number) if number.as_str() == text => {
                    self.fields.personal_number = Some(number);
                }
                _ => {
                    self.findings.error(path, "record_number", &[]);
                    return None;
                }
            },
            FieldKind::OldNumber => {
                if text.len() != 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
                    self.findings.error(path, "record_old_number", &[]);
                    return None;
                }
            }
            FieldKind::Date => return self.date(field, &text, path),
            FieldKind::Expiry => return self.expiry(text, path),
            FieldKind::Sex => {
                self.fields.sex = match () {
                    () if same_text(&text, "Nam") => Some(Sex::Male),
                    () if same_text(&text, "Nữ") => Some(Sex::Female),
                    () => None,
                };
                self.fields.sex_in_other_words = self.fields.sex.is_none();
            }
            FieldKind::Text if field.name == "full_name" => {
                self.fields.full_name = Some(text.clone());
            }
            FieldKind::Text if field.name == "nationality" => {
                self.fields.nationality = Some(text.clone());
            }
            FieldKind::Text | FieldKind::Parents | FieldKind::Spouse => {}
        }
        Some(text)
    }

    fn date(&mut self, field: &FieldLayout, text: &str, path: &str) -> Option<String> {
        // Of an old birth only the year may be known; the day of issue always is.
        let birth = field.name == "birth_date";
        let date = dates::read(text, path, birth, self.findings)?;
        if birth {
            self.dates.birth = Some(date);
        } else if field.name == "issue_date" {
            self.dates.issue = Some(date);
        }
        Some(date.to_slashed())
    }

    /// A date, or words without digits that say that the card does not expire.
    fn expiry(&mut self, text: String, path: &str) -> Option<String> {
        if !text.contains(|c: char| c.is_ascii_digit()) {
            self.fields.expiry = Some(None);
            return Some(text);
        }
        let date = dates::read(&text, path, false, self.findings)?;
        self.dates.expiry = Some(date);
        self.fields.expiry = Some(Some(date));
        Some(date.to_slashed())
    }

    fn parents(&mut self, field: &FieldLayout, value: &Value, path: &str) -> Option<FieldInput> {
        let Some(_) = value.as_object() else {
            self.findings.error(path, "record_wrong_type", &[("expected", &"object")]);
            return None;
        };
        let mut parents = Object::root(value, self.findings);
        path.clone_into(&mut parents.path);
        parents.refuse_unknown_keys(&["father", "mother"], self.findings);
        let mut name = |key: &str| {
            let path = parents.path_of(key);
            match parents.get(key) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => self.text(field.string, text, &path),
                Some(_) => {
                    self.findings.error(&path, "record_wrong_type", &[("expected", &"string")]);
                    None
                }
            }
        };
        let (father, mother) = (name("father"), name("mother"));
        Some(FieldInput::Parents { father, mother })
    }
}
