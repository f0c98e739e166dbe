//! What stands around a record in a batch: its identifier.

use serde_json::Value;

use super::SCHEMA;
use crate::issue::finding::Findings;
use crate::production::journal::RecordId;

const KEYS: [&str; 3] = ["schema", "id", "record"];

/// The envelope as far as it could be read; what could not has its finding.
pub(super) struct Envelope<'a> {
    pub id: Option<String>,
    pub record: Option<&'a Value>,
}

pub(super) fn read<'a>(value: &'a Value, findings: &mut Findings) -> Envelope<'a> {
    let Some(map) = value.as_object() else {
        findings.error("$", "record_wrong_type", &[("expected", &"object")]);
        return Envelope { id: None, record: None };
    };
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        // A stranger's key is shown cut and escaped.
        let shown: String = key.chars().take(60).flat_map(char::escape_default).collect();
        findings.error(&format!("$.{shown}"), "record_unknown_key", &[]);
    }
    if map.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        findings.error("$.schema", "record_schema", &[("expected", &SCHEMA)]);
    }
    if map.get("id").is_none() {
        findings.error("$.id", "record_missing", &[]);
    }
    let id = identifier(map.get("id"), findings);
    let record = map.get("record");
    if record.is_none() {
        findings.error("$.record", "record_missing", &[]);
    }
    Envelope { id, record }
}

fn identifier(value: Option<&Value>, findings: &mut Findings) -> Option<String> {
    let Some(text) = value?.as_str() else {
        findings.error("$.id", "record_wrong_type", &[("expected", &"string")]);
        return None;
    };
    if RecordId::new(text).is_err() {
        findings.error("$.id", "intake_id_form", &[]);
        return None;
    }
    Some(text.to_owned())
}
