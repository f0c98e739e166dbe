//! The JSON Schema of records, read by an independent validator, must describe what the project's
//! own reader takes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use boon::{Compiler, SchemaIndex, Schemas};
use cancuoc::cli::finding::RecordFolder;
use cancuoc::issue::record::schema::schema;
use cancuoc::issue::{Severity, check};
use serde_json::{Value, json};

struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("record.json", schema()).unwrap();
        let index = compiler.compile("record.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn accepts(&self, record: &Value) -> bool {
        self.schemas.validate(record, self.index).is_ok()
    }
}

fn specimens() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../testvectors/specimen"))
}

fn specimen(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(specimens().join(name)).unwrap()).unwrap()
}

fn reader_accepts(record: &Value) -> bool {
    let today = jiff::civil::date(2026, 11, 23);
    let findings = check(record.to_string().as_bytes(), &RecordFolder::new(specimens()), today);
    !findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[test]
fn accepts_the_specimens() {
    let validator = Validator::new();
    for name in ["record.json", "record-2024.json"] {
        assert!(validator.accepts(&specimen(name)), "{name}");
    }
}

#[test]
fn refuses_the_record_with_ten_mistakes() {
    assert!(!Validator::new().accepts(&specimen("ten-mistakes.json")));
}

#[test]
fn refuses_nothing_that_the_reader_takes() {
    let validator = Validator::new();
    let mut seen = (0, 0);
    for record in altered_records() {
        let (schema, reader) = (validator.accepts(&record), reader_accepts(&record));
        assert!(schema || !reader, "the schema refuses what the reader takes: {record:#}");
        seen.0 += usize::from(reader);
        seen.1 += usize::from(!schema);
    }
    assert!(seen.0 > 50 && seen.1 > 200, "too little tried: {seen:?}");
}

/// The specimens with every value of a list at every place.
fn altered_records() -> Vec<Value> {
    let long = "a".repeat(501);
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!([]),
        json!({}),
        json!(""),
        json!("Mẫu"),
        json!("001200000018"),
        json!("123456789"),
        json!("1950"),
        json!("1950-07"),
        json!("07/1950"),
        json!("00/00/1950"),
        json!("--/07/1950"),
        json!("__/1950"),
        json!("1/7/1950"),
        json!("2020-02-29"),
        json!("29/02/2020"),
        json!("Không thời hạn"),
        json!("Nam"),
        json!("Nữ"),
        json!("M"),
        json!("X"),
        json!("VNM"),
        json!(long),
        json!({ "father": null }),
        json!({ "mother": "Mẹ" }),
        json!({ "uncle": "Chú" }),
        json!({ "father": 1 }),
        json!({ "sex": "F" }),
        json!({ "primary_identifier": "Nguyen" }),
        json!({ "secondary_identifier": "Mau" }),
        json!({ "bac": false }),
        json!({ "files": { "EF.DG1": "after_access_control" } }),
        json!({ "files": { "EF.DG1": "never" } }),
        json!({ "DG3": "portrait.jpg" }),
        json!({ "DG1": "portrait.jpg" }),
        json!("can-cuoc-2024"),
        json!("portrait.jp2"),
    ];
    let mut records = Vec::new();
    for name in ["record.json", "record-2024.json"] {
        let original = specimen(name);
        let mut places = vec!["/mrz".to_owned(), "/access".to_owned(), "/data_groups".to_owned()];
        places.extend(original.as_object().unwrap().keys().map(|key| format!("/{key}")));
        let fields = original["fields"].as_object().unwrap();
        places.extend(fields.keys().map(|key| format!("/fields/{key}")));
        for place in places {
            let (parent, key) = place.rsplit_once('/').unwrap();
            let mut without = original.clone();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            records.push(without);
            for value in &values {
                let mut record = original.clone();
                let object = record.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                object.insert(key.to_owned(), value.clone());
                records.push(record);
            }
        }
    }
    records
}
