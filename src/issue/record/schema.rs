//! The JSON Schema of a record, made from the card profiles so that it cannot fall behind them.

use serde_json::{Map, Value, json};

use super::fields::MAX_CHARACTERS;
use super::{KEYS, SCHEMA};
use crate::document::dg13::{FieldKind, FieldLayout, StringType};
use crate::document::profile::CardProfile;

const ISO_DATE: &str = r"[0-9]{4}-[0-9]{2}-[0-9]{2}";
const SLASHED_DATE: &str = r"[0-9]{2}/[0-9]{2}/[0-9]{4}";

/// The schema (JSON Schema 2020-12). What it accepts may still have faults that only
/// [`super::review`] can find, a day that the calendar lacks for instance; what it refuses, that
/// refuses too.
#[must_use]
pub fn schema() -> Value {
    let built_in: Vec<&CardProfile> =
        CardProfile::NAMES.iter().filter_map(|name| CardProfile::builtin(name).ok()).collect();
    // Profiles with the same fields share a condition.
    let mut layouts: Vec<Vec<&CardProfile>> = Vec::new();
    for profile in &built_in {
        let same =
            layouts.iter_mut().find(|l| l.iter().all(|p| p.dg13.fields == profile.dg13.fields));
        match same {
            Some(layout) => layout.push(profile),
            None => layouts.push(vec![profile]),
        }
    }
    let by_profile: Vec<Value> = layouts.iter().filter_map(|layout| condition(layout)).collect();
    let names = built_in.iter().map(|profile| profile.name.as_str());
    let mut choices: Vec<Value> = vec![json!({ "enum": names.collect::<Vec<_>>() })];
    choices.push(json!({ "type": "string", "pattern": r"\.toml$" }));
    let path = json!({
        "type": "string", "minLength": 1, "maxLength": 1024,
        "description": "a path relative to the record, without .."
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "What goes onto one card: see cancuoc personalize --help",
        "type": "object",
        "required": ["schema", "profile", "fields", "portrait"],
        "additionalProperties": false,
        "properties": {
            KEYS[0]: { "const": SCHEMA },
            KEYS[1]: {
                "description": "a built-in card profile, or the path of a profile file",
                "anyOf": choices
            },
            KEYS[2]: {
                "type": "object",
                "description": "the fields of DG13 by name; null writes a field without value, \"\" one with an empty text"
            },
            KEYS[3]: mrz(),
            KEYS[4]: path,
            KEYS[5]: {
                "type": "object",
                "description": "whole data groups as files, fingerprints for instance",
                "propertyNames": { "pattern": "^DG(3|4|5|6|7|8|9|10|11|12|16)$" },
                "additionalProperties": path
            },
            KEYS[6]: access(),
            KEYS[7]: {
                "type": "array",
                "description": "certificates of country verifying CAs that the card trusts, the newer last",
                "items": path,
                "maxItems": 2
            }
        },
        "allOf": by_profile
    })
}

/// The fields that a record of a built-in profile has; `profiles` have the same.
fn condition(profiles: &[&CardProfile]) -> Option<Value> {
    let fields = &profiles.first()?.dg13.fields;
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.clone(), field_schema(field))).collect();
    let required: Vec<&str> =
        fields.iter().filter(|f| f.required).map(|f| f.name.as_str()).collect();
    Some(json!({
        "if": { "properties": { "profile": { "enum": names } }, "required": ["profile"] },
        "then": { "properties": { "fields": {
            "type": "object",
            "required": required,
            "additionalProperties": false,
            "properties": properties
        } } }
    }))
}

/// Dates of which day and month may be unknown.
const PARTIAL_DATE: &str =
    r"[0-9]{4}|[0-9]{4}-[0-9]{2}|([0-9]{2}|--|__)/[0-9]{4}|(00|--|__)/([0-9]{2}|--|__)/[0-9]{4}";

fn field_schema(field: &FieldLayout) -> Value {
    let nullable = |kind: &str| {
        if field.required { json!(kind) } else { json!([kind, "null"]) }
    };
    let least = usize::from(field.required);
    // An optional field may be an empty text.
    let pattern = |pattern: &str| {
        let empty = if field.required { "" } else { "|" };
        json!({ "type": nullable("string"), "pattern": format!("^({pattern}{empty})$") })
    };
    let parent = json!({ "type": ["string", "null"], "maxLength": MAX_CHARACTERS });
    match field.kind {
        FieldKind::PersonalNumber => pattern("[0-9]{12}"),
        FieldKind::OldNumber => pattern("[0-9]{9}"),
        FieldKind::Date if field.name == "birth_date" => {
            pattern(&format!("{ISO_DATE}|{SLASHED_DATE}|{PARTIAL_DATE}"))
        }
        FieldKind::Date => pattern(&format!("{ISO_DATE}|{SLASHED_DATE}")),
        // Words without digits say that there is no expiry.
        FieldKind::Expiry => pattern(&format!("{ISO_DATE}|{SLASHED_DATE}|[^0-9]+")),
        FieldKind::Parents => json!({
            "type": nullable("object"),
            "additionalProperties": false,
            "properties": { "father": parent, "mother": parent }
        }),
        FieldKind::Text | FieldKind::Sex | FieldKind::Spouse => {
            let mut text = json!({
                "type": nullable("string"), "minLength": least, "maxLength": MAX_CHARACTERS
            });
            if field.string == StringType::Printable {
                text["pattern"] = json!(r"^[A-Za-z0-9 '()+,\-./:=?]*$");
            }
            text
        }
    }
}

fn mrz() -> Value {
    json!({
        "type": "object",
        "description": "fields of the MRZ that the DG13 fields do not give",
        "additionalProperties": false,
        "dependentRequired": { "secondary_identifier": ["primary_identifier"] },
        "properties": {
            "primary_identifier": { "type": "string", "minLength": 1 },
            "secondary_identifier": { "type": "string" },
            "sex": { "enum": ["M", "F", "X", "<"] },
            "nationality": { "type": "string", "pattern": "^[A-Z]{1,3}$" }
        }
    })
}

fn access() -> Value {
    json!({
        "type": "object",
        "description": "where the card differs from its profile",
        "additionalProperties": false,
        "properties": {
            "bac": { "type": "boolean" },
            "pace": { "type": "boolean" },
            "pin": {
                "type": "string", "pattern": "^[0-9]{4,12}$",
                "description": "the PIN, where the profile has one"
            },
            "puk": {
                "type": "string", "pattern": "^[0-9]{4,16}$",
                "description": "the PUK, where the profile has one"
            },
            "files": {
                "type": "object",
                "additionalProperties": {
                    "enum": ["always", "after_access_control", "dg3_right", "dg4_right"]
                }
            }
        }
    })
}
