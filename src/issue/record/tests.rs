use super::*;
use crate::document::dg13::FieldState;
use crate::issue::finding::Severity;
use jiff::civil::date;
use proptest::prelude::*;

struct Specimen;

impl Loader for Specimen {
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError> {
        match path {
            "portrait.jpg" => {
                Ok(include_bytes!("../../../testvectors/specimen/portrait.jpg").to_vec())
            }
            "portrait.jp2" => {
                Ok(include_bytes!("../../../testvectors/specimen/portrait.jp2").to_vec())
            }
            "dg3.bin" => Ok(vec![0x63, 0x03, 0x02, 0x01, 0x00]),
            "text.txt" => Ok(b"no picture".to_vec()),
            "broken.jpg" => Ok(vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 0]),
            "picture.png" => Ok(b"\x89PNG\r\n\x1a\n".to_vec()),
            "huge.jpg" => Ok(vec![0; limit + 1]),
            "locked.jpg" => Err(LoadError::Unreadable),
            "own.toml" => Ok(include_bytes!("../../../profiles/can-cuoc-2024.toml").to_vec()),
            "bad.toml" => Ok(b"schema = 1".to_vec()),
            _ => Err(LoadError::NotFound),
        }
    }
}

const RECORD: &str = include_str!("../../../testvectors/specimen/record.json");
const TODAY: Date = date(2026, 11, 23);

fn review_text(source: &str) -> Review {
    review(source.as_bytes(), &Specimen, TODAY)
}

/// The specimen with one alteration: `pointer` set to `value`, or removed.
fn altered(pointer: &str, value: Option<Value>) -> Review {
    let mut record: Value = serde_json::from_str(RECORD).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = record.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(key.to_owned(), value),
        None => parent.shift_remove(key),
    };
    review_text(&record.to_string())
}

fn found(review: &Review) -> Vec<(&str, &str)> {
    review.findings.iter().map(|f| (f.path.as_str(), f.code)).collect()
}

#[test]
fn finds_nothing_wrong_with_the_specimens() {
    for source in [RECORD, include_str!("../../../testvectors/specimen/record-2024.json")] {
        let review = review_text(source);
        assert_eq!(review.findings, []);
        assert!(review.record.is_some());
    }
}

#[test]
fn makes_the_published_dg13_and_mrz_from_the_specimen() {
    let record = review_text(RECORD).record.unwrap();
    let hex = include_str!("../../../testvectors/dg13-synthetic.hex");
    let dg13 = hex::decode(hex.split_whitespace().collect::<String>()).unwrap();
    assert_eq!(record.dg13.as_bytes(), dg13);
    assert_eq!(
        record.mrz.lines().collect::<Vec<_>>(),
        [
            "IDVNM2000000185001200000018<<6",
            "0001018F4001016VNM<<<<<<<<<<<0",
            "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<",
        ]
    );
    let portrait = &record.portrait;
    assert_eq!((portrait.format, portrait.width, portrait.height), (ImageFormat::Jpeg, 413, 531));
}

#[test]
fn writes_991231_for_a_card_without_expiry() {
    let source = include_str!("../../../testvectors/specimen/record-2024.json");
    let record = review_text(source).record.unwrap();
    let lines: Vec<&str> = record.mrz.lines().collect();
    assert_eq!(lines[1], "5501018M9912315VNM<<<<<<<<<<<2");
    let view = record.dg13.view(&record.profile.dg13);
    assert_eq!(view.state("expiry_date"), FieldState::Text("Không thời hạn"));
    assert_eq!(view.state("ethnicity"), FieldState::Text(""));
    assert_eq!(view.state("religion"), FieldState::NumberOnly);
    assert_eq!(view.state("identifying_features"), FieldState::Absent);
    let parents = view.parents().unwrap();
    assert_eq!(parents.father, FieldState::NumberOnly);
    assert_eq!(parents.mother, FieldState::Text("Lê Thị Mẫu"));
}

#[test]
fn reports_all_ten_mistakes_of_a_record_at_once() {
    let review = review_text(include_str!("../../../testvectors/specimen/ten-mistakes.json"));
    assert!(review.record.is_none());
    assert_eq!(
        found(&review),
        [
            ("$.fields.birth_day", "record_unknown_key_similar"),
            ("$.fields.personal_number", "record_number"),
            ("$.fields.birth_date", "record_date_impossible"),
            ("$.fields.ethnicity", "record_wrong_type"),
            ("$.fields.issue_date", "record_date_partial"),
            ("$.fields.expiry_date", "record_empty"),
            ("$.fields.old_number", "record_old_number"),
            ("$.mrz.sex", "record_mrz_sex_differs"),
            ("$.fields.full_name", "record_name_character"),
            ("$.portrait", "record_path"),
        ]
    );
    assert!(review.findings.iter().all(|f| f.severity == Severity::Error));
}

#[test]
fn finds_each_mistake_at_its_place() {
    let text = |t: &str| Some(Value::from(t));
    let long = "a".repeat(501);
    let cases = [
        ("/schema", None, "record_schema"),
        ("/schema", text("cancuoc.record/2"), "record_schema"),
        ("/profile", None, "record_profile_missing"),
        ("/profile", text("passport"), "record_profile_unknown"),
        ("/profile", text("bad.toml"), "record_profile_invalid"),
        ("/fields/full_name", None, "record_missing"),
        ("/fields/full_name", Some(Value::Null), "record_empty"),
        ("/fields/residence", text(&long), "record_text_too_long"),
        ("/fields/residence", text("a\nb"), "record_text_control"),
        ("/fields/field_16", text("Mẫu"), "record_text_not_printable"),
        ("/fields/birth_date", text("1.1.2000"), "record_date"),
        ("/fields/birth_date", text("2027-01-01"), "record_birth_in_future"),
        ("/fields/issue_date", text("1999-12-31"), "record_issue_before_birth"),
        ("/fields/expiry_date", text("2021-07-01"), "record_expiry_before_issue"),
        ("/fields/expiry_date", text("2099-12-31"), "record_expiry_not_in_mrz"),
        ("/fields/parents", text("Cha"), "record_wrong_type"),
        ("/portrait", None, "record_missing"),
        ("/portrait", text("none.jpg"), "record_file_missing"),
        ("/portrait", text("huge.jpg"), "record_file_too_large"),
        ("/portrait", text("locked.jpg"), "record_file_unreadable"),
        ("/portrait", text("/etc/passwd"), "record_path"),
        ("/portrait", text("text.txt"), "record_portrait_format"),
        ("/portrait", text("picture.png"), "record_portrait_format"),
        ("/portrait", text("broken.jpg"), "record_portrait_malformed"),
    ];
    for (pointer, value, code) in cases {
        let review = altered(pointer, value);
        let path = format!("${}", pointer.replace('/', "."));
        assert_eq!(found(&review), [(path.as_str(), code)]);
        assert!(review.record.is_none(), "{code}");
    }
}

#[test]
fn finds_mistakes_in_the_optional_objects() {
    let cases = [
        (r#"{"primary_identifer": "A"}"#, "$.mrz.primary_identifer", "record_unknown_key_similar"),
        (r#"{"secondary_identifier": "A"}"#, "$.mrz.secondary_identifier", "record_mrz_name_half"),
        (r#"{"primary_identifier": "-"}"#, "$.mrz.primary_identifier", "record_name"),
        (r#"{"sex": "W"}"#, "$.mrz.sex", "record_mrz_sex"),
        (r#"{"nationality": "Viet"}"#, "$.mrz.nationality", "record_mrz_nationality"),
    ];
    for (mrz, path, code) in cases {
        let review = altered("/mrz", Some(serde_json::from_str(mrz).unwrap()));
        assert_eq!(found(&review), [(path, code)]);
    }
    let cases = [
        (r#"{"bac": false, "pace": false}"#, "$.access", "record_access_none"),
        (r#"{"bac": 1}"#, "$.access.bac", "record_wrong_type"),
        (r#"{"files": {"EF.DG5": "always"}}"#, "$.access.files.EF.DG5", "record_access_file"),
        (r#"{"files": {"EF.DG1": "never"}}"#, "$.access.files.EF.DG1", "record_access_rule"),
        (r#"{"files": {"EF.DG1": "always"}}"#, "$.access.files.EF.DG1", "record_access_open"),
    ];
    for (access, path, code) in cases {
        let review = altered("/access", Some(serde_json::from_str(access).unwrap()));
        assert_eq!(found(&review), [(path, code)]);
    }
    let cases = [
        (r#"{"DG13": "dg3.bin"}"#, "$.data_groups.DG13", "record_data_group_made"),
        (r#"{"DG17": "dg3.bin"}"#, "$.data_groups.DG17", "record_data_group_name"),
        (r#"{"DG7": "dg3.bin"}"#, "$.data_groups.DG7", "record_data_group_not_in_profile"),
        (r#"{"DG3": "text.txt"}"#, "$.data_groups.DG3", "record_data_group_malformed"),
    ];
    for (groups, path, code) in cases {
        let review = altered("/data_groups", Some(serde_json::from_str(groups).unwrap()));
        assert_eq!(found(&review), [(path, code)]);
    }
}

#[test]
fn wants_the_mrz_fields_that_the_others_do_not_give() {
    let review = altered("/fields/nationality", Some("Lào".into()));
    assert_eq!(found(&review), [("$.mrz.nationality", "record_mrz_nationality_missing")]);
    let review = altered("/fields/sex", Some("Khác".into()));
    assert_eq!(found(&review), [("$.mrz.sex", "record_mrz_sex_missing")]);
}

#[test]
fn composes_text_and_says_so() {
    let review = altered("/fields/residence", Some("Ha\u{300} No\u{323}\u{302}i".into()));
    assert_eq!(found(&review), [("$.fields.residence", "record_text_not_composed")]);
    let record = review.record.unwrap();
    let view = record.dg13.view(&record.profile.dg13);
    assert_eq!(view.text("residence"), Some("Hà Nội"));
}

#[test]
fn carries_data_groups_given_whole() {
    let groups = serde_json::from_str(r#"{"DG3": "dg3.bin"}"#).unwrap();
    let record = altered("/data_groups", Some(groups)).record.unwrap();
    assert_eq!(record.data_groups[&3], [0x63, 0x03, 0x02, 0x01, 0x00]);
}

#[test]
fn takes_a_profile_beside_the_record() {
    let mut record: Value =
        serde_json::from_str(include_str!("../../../testvectors/specimen/record-2024.json"))
            .unwrap();
    record["profile"] = "own.toml".into();
    assert_eq!(review_text(&record.to_string()).findings, []);
}

#[test]
fn says_when_the_mrz_name_is_truncated() {
    let review = altered("/fields/full_name", Some("Nguyễn Hoàng Thị Phương Thảo Nguyên".into()));
    assert_eq!(found(&review), [("$.fields.full_name", "record_name_truncated")]);
    assert_eq!(review.findings[0].severity, Severity::Note);
    assert!(review.record.is_some());
}

#[test]
fn refuses_what_is_no_json_object() {
    assert_eq!(found(&review_text("{")), [("$", "record_not_json")]);
    assert_eq!(found(&review_text("[]")), [("$", "record_wrong_type")]);
    let large = vec![b' '; MAX_LENGTH + 1];
    assert_eq!(found(&review(&large, &Specimen, TODAY)), [("$", "record_too_large")]);
}

#[test]
fn shows_nothing_personal_in_findings() {
    let review = review_text(include_str!("../../../testvectors/specimen/ten-mistakes.json"));
    let all = format!("{:?}", review.findings);
    assert!(!all.contains("00120000001") && !all.contains("Nguy"), "{all}");
}

/// Any JSON, with the keys of a record often among its keys.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "schema",
            "profile",
            "fields",
            "mrz",
            "portrait",
            "data_groups",
            "access",
            "files",
            "full_name",
            "parents",
            "father",
            "birth_date",
            "personal_number",
            "expiry_date",
        ])
        .prop_map(ToOwned::to_owned),
        "\\PC{0,12}",
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = review(&bytes, &Specimen, TODAY);
    }

    #[test]
    fn never_makes_a_record_of_an_erroneous_document(fields in json(), mrz in json(), access in json()) {
        let record = serde_json::json!({
            "schema": SCHEMA, "profile": "can-cuoc-2021", "portrait": "portrait.jpg",
            "fields": fields, "mrz": mrz, "access": access
        });
        let review = review_text(&record.to_string());
        prop_assert!(review.record.is_none());
        prop_assert!(review.findings.iter().any(|f| f.severity == Severity::Error));
    }

    #[test]
    fn survives_any_field_value(field in 0usize..16, value in json()) {
        let layout = &CardProfile::can_cuoc_2021().dg13;
        let review = altered(&format!("/fields/{}", layout.fields[field].name), Some(value));
        if let Some(record) = review.record {
            prop_assert_eq!(record.mrz.faults(), []);
            prop_assert!(record.dg13.findings(layout).is_empty());
        }
    }
}

#[test]
fn wants_two_digits_for_day_and_month() {
    let review = altered("/fields/birth_date", Some("1/1/2000".into()));
    assert_eq!(found(&review), [("$.fields.birth_date", "record_date")]);
}
