use std::collections::BTreeMap;

use jiff::civil::date;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::issue::{LoadError, Terms};

const TODAY: Date = date(2026, 11, 27);

struct Pictures(BTreeMap<&'static str, Vec<u8>>);

impl Loader for Pictures {
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError> {
        let bytes = self.0.get(path).ok_or(LoadError::NotFound)?;
        if bytes.len() > limit { Err(LoadError::TooLarge) } else { Ok(bytes.clone()) }
    }
}

fn pictures() -> Pictures {
    let portrait = include_bytes!("../../../testvectors/specimen/portrait.jpg").to_vec();
    Pictures(BTreeMap::from([("portrait.jpg", portrait)]))
}

fn specimen() -> Value {
    serde_json::from_str(include_str!("../../../testvectors/specimen/record.json")).unwrap()
}

fn envelope(id: &str, record: &Value) -> String {
    json!({ "schema": SCHEMA, "id": id, "record": record }).to_string()
}

fn with_number(number: &str) -> Value {
    let mut record = specimen();
    record["fields"]["personal_number"] = json!(number);
    record
}

fn read(rows: &mut dyn Rows) -> Vec<Item> {
    let pictures = pictures();
    let mut intake = Intake::new(rows, &pictures, TODAY);
    let mut items = Vec::new();
    while let Some(item) = intake.next_item().unwrap() {
        items.push(item);
    }
    items
}

fn read_lines(lines: &str) -> Vec<Item> {
    read(&mut JsonLines::new(lines.as_bytes()))
}

fn read_csv(text: &str) -> Vec<Item> {
    read(&mut CsvRows::new(text.as_bytes()).unwrap())
}

/// Line, place and code of each finding.
fn faults(items: &[Item]) -> Vec<(u64, &str, &str)> {
    items
        .iter()
        .flat_map(|item| item.findings.iter().map(|f| (item.line, f.path.as_str(), f.code)))
        .collect()
}

#[test]
fn accepts_a_line_and_keeps_its_picture_with_it() {
    let items = read_lines(&envelope("HN-1", &specimen()));
    assert_eq!(faults(&items), []);
    let accepted = items[0].accepted.as_ref().unwrap();
    assert_eq!((accepted.id.as_str(), accepted.number.as_str()), ("HN-1", "001200000018"));
    let payload = Payload::decode(&accepted.payload).unwrap();
    let review = payload.review(TODAY, &Terms::default());
    assert_eq!(review.findings, []);
    let portrait = review.record.unwrap().portrait.bytes;
    assert_eq!(portrait, include_bytes!("../../../testvectors/specimen/portrait.jpg"));
}

#[test]
fn gives_the_same_payload_for_the_same_line() {
    let line = envelope("HN-1", &specimen());
    let payload = |items: Vec<Item>| items[0].accepted.as_ref().unwrap().payload.to_vec();
    assert_eq!(payload(read_lines(&line)), payload(read_lines(&line)));
}

#[test]
fn names_line_and_place_of_every_fault() {
    let mut wrong = specimen();
    wrong["fields"]["birth_date"] = json!("2000-02-31");
    wrong["portrait"] = json!("none.jpg");
    let lines = [
        envelope("HN-1", &wrong),
        String::new(),
        "{".to_owned(),
        json!({ "schema": SCHEMA, "id": "a b", "more": 1 }).to_string(),
    ];
    let items = read_lines(&lines.join("\n"));
    assert_eq!(
        faults(&items),
        [
            (1, "$.record.fields.birth_date", "record_date_impossible"),
            (1, "$.record.portrait", "record_file_missing"),
            (3, "$", "record_not_json"),
            (4, "$.more", "record_unknown_key"),
            (4, "$.id", "intake_id_form"),
            (4, "$.record", "record_missing"),
        ]
    );
    assert!(items.iter().all(|item| item.accepted.is_none()));
}

#[test]
fn finds_an_identifier_and_a_number_that_come_twice_and_says_where_they_came_first() {
    let lines = [
        envelope("HN-1", &specimen()),
        envelope("HN-1", &with_number("001200000019")),
        envelope("HN-2", &specimen()),
    ];
    let items = read_lines(&lines.join("\n"));
    assert_eq!(
        faults(&items),
        [
            (2, "$.id", "intake_id_repeated"),
            (3, "$.record.fields.personal_number", "intake_number_repeated")
        ]
    );
    assert_eq!(items[2].findings[0].values, [("line", "1".to_owned())]);
}

#[test]
fn passes_over_a_line_that_is_too_long_and_reads_the_next() {
    let long = "x".repeat(2 << 20);
    let items = read_lines(&format!("{long}\n{}", envelope("HN-1", &specimen())));
    assert_eq!(faults(&items), [(1, "$", "record_too_large")]);
    assert!(items[1].accepted.is_some());
}

const HEADER: &str = "id,profile,portrait,fields.personal_number,fields.full_name,\
    fields.birth_date,fields.sex,fields.nationality,fields.ethnicity,fields.religion,\
    fields.place_of_origin,fields.residence,fields.identifying_features,fields.issue_date,\
    fields.expiry_date,fields.parents.father,fields.parents.mother,fields.field_16";
const ROW: &str = "HN-1,can-cuoc-2021,portrait.jpg,001200000018,Nguyễn Thị Mẫu,2000-01-01,Nữ,\
    Việt Nam,Kinh,Không,\"Phường Mẫu, Hà Nội\",\"Số 1, Phường Mẫu,\nHà Nội\",Nốt ruồi mẫu,\
    2021-07-01,2040-01-01,Nguyễn Văn Cha,Trần Thị Mẹ,0123456789ABCDEF";

#[test]
fn accepts_a_row_of_csv_with_the_picture_beside_it() {
    let residence = ROW.replace(",\nHà Nội", ", Hà Nội");
    let items = read_csv(&format!("\u{FEFF}{HEADER}\r\n{residence}\r\n"));
    assert_eq!(faults(&items), []);
    assert_eq!(items[0].line, 2);
    assert_eq!(items[0].accepted.as_ref().unwrap().id, "HN-1");
}

#[test]
fn takes_semicolons_where_the_header_has_them() {
    let residence = ROW.replace("\"", "").replace(", ", " ").replace(",\n", " ");
    let text = format!("{HEADER}\n{residence}").replace(',', ";");
    let items = read_csv(&text);
    assert_eq!(faults(&items), []);
}

#[test]
fn counts_the_lines_within_quotes_and_names_the_column() {
    let row = ROW.replace(",\nHà Nội", "\nHà Nội");
    let wrong = ROW.replace(",\nHà Nội", "").replace("HN-1", "HN-2").replace("2000-01-01", "2000");
    let wrong = wrong.replace("001200000018", "00120000001X");
    let items = read_csv(&format!("{HEADER}\n{row}\n{wrong}\n"));
    let last = items.last().unwrap();
    assert_eq!(last.line, 4);
    assert!(
        last.findings.iter().any(|finding| finding.path == "fields.personal_number"),
        "{:?}",
        last.findings
    );
}

#[test]
fn refuses_a_header_with_unknown_or_repeated_columns_and_reads_no_row() {
    let items = read_csv("id,colour,id,fields.parents,fields.parents.father\nA,b,c,d,e\n");
    assert_eq!(
        faults(&items),
        [
            (1, "#2", "intake_column_unknown"),
            (1, "#3", "intake_column_repeated"),
            (1, "#5", "intake_column_repeated"),
        ]
    );
    assert_eq!(items.len(), 1);
}

#[test]
fn a_row_with_too_few_cells_is_a_fault_of_that_row_alone() {
    let row = ROW.replace(",\nHà Nội", ", Hà Nội");
    let items = read_csv(&format!("{HEADER}\nHN-0,x\n{row}\n"));
    assert_eq!(faults(&items), [(2, "$", "intake_cells")]);
    assert!(items[1].accepted.is_some());
}

#[test]
fn gives_up_at_a_quote_that_nobody_closes() {
    let text = format!("{HEADER}\n\"{}", "x\n".repeat(1 << 21));
    let items = read_csv(&text);
    assert_eq!(faults(&items), [(2, "$", "record_too_large")]);
}

#[test]
fn the_schema_has_the_keys_that_are_read() {
    let schema = schema::schema();
    let mut keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["id", "record", "schema"]);
    assert_eq!(schema["properties"]["record"]["title"], "cancuoc.record/1");
}

proptest! {
    #[test]
    fn any_lines_end_in_items(text in "\\PC{0,200}(\n\\PC{0,80}){0,4}") {
        let items = read_lines(&text);
        prop_assert!(items.iter().all(|item| item.accepted.is_none()));
    }

    #[test]
    fn any_csv_ends_in_items(header in "(id|fields\\.sex|[a-z.]{1,8})(,[a-z._]{0,12}){0,4}",
                             rows in "([^\u{0}]{0,40}\n){0,5}") {
        let _ = read_csv(&format!("{header}\n{rows}"));
    }

    #[test]
    fn any_payload_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Payload::decode(&bytes);
    }

    #[test]
    fn any_json_payload_reviews_without_panic(record in "\\{\"record\":\\{.{0,40}\\},\"files\":\\{\\}\\}") {
        if let Ok(payload) = Payload::decode(record.as_bytes()) {
            let _ = payload.review(TODAY, &Terms::default());
        }
    }
}
