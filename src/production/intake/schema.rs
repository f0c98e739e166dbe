//! The JSON Schema of a line of a batch.

use serde_json::{Value, json};

use super::SCHEMA;
use crate::issue::record;

/// The schema (JSON Schema 2020-12) of one line, the schema of a record within it.
#[must_use]
pub fn schema() -> Value {
    let mut record = record::schema::schema();
    if let Some(map) = record.as_object_mut() {
        map.remove("$schema");
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "One line of a file of approved records: see cancuoc batch import --help",
        "type": "object",
        "required": ["schema", "id", "record"],
        "additionalProperties": false,
        "properties": {
            "schema": { "const": SCHEMA },
            "id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "pattern": "^[A-Za-z0-9._:/-]+$",
                "description": "what the approving system calls the record; not made of personal data"
            },
            "record": record
        }
    })
}
