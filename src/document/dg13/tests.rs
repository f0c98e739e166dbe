use super::*;
use crate::document::profile::CardProfile;
use hex_literal::hex;
use proptest::prelude::*;

fn layout() -> Dg13Layout {
    CardProfile::can_cuoc_2021().dg13.clone()
}

fn specimen() -> Vec<u8> {
    let text = include_str!("../../../testvectors/dg13-synthetic.hex");
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// A DG13 with these members in its SET.
fn with_members(members: &[u8]) -> Dg13 {
    let oid = encode(TAG_OID, &hex!("28D316010008"));
    let content = [&hex!("020101")[..], &oid, &encode(TAG_SET, members)].concat();
    Dg13::decode(&encode(TAG_DG13, &encode(TAG_SEQUENCE, &content))).unwrap()
}

fn faults_of(dg13: &Dg13, number: u32) -> Vec<Dg13Fault> {
    let findings = dg13.findings(&layout());
    findings.into_iter().filter(|f| f.field == Some(number)).map(|f| f.fault).collect()
}

fn member(number: u8, content: &[u8]) -> Vec<u8> {
    encode(TAG_SEQUENCE, &[&[0x02, 1, number], content].concat())
}

fn utf8(text: &str) -> Vec<u8> {
    encode(TAG_UTF8, text.as_bytes())
}

#[test]
fn reads_every_field_of_the_specimen() {
    let dg13 = Dg13::decode(&specimen()).unwrap();
    let layout = layout();
    let view = dg13.view(&layout);
    let texts = [
        ("personal_number", "001200000018"),
        ("full_name", "Nguyễn Thị Mẫu"),
        ("birth_date", "01/01/2000"),
        ("sex", "Nữ"),
        ("nationality", "Việt Nam"),
        ("ethnicity", "Kinh"),
        ("religion", "Không"),
        ("place_of_origin", "Phường Mẫu, Hà Nội"),
        ("residence", "Số 1, Phường Mẫu, Hà Nội"),
        ("identifying_features", "Nốt ruồi mẫu"),
        ("issue_date", "01/07/2021"),
        ("expiry_date", "01/01/2040"),
        ("old_number", "000000000"),
        ("field_16", "0123456789ABCDEF"),
    ];
    for (name, text) in texts {
        assert_eq!(view.state(name), FieldState::Text(text), "{name}");
    }
    let parents = view.parents().unwrap();
    assert_eq!(parents.shape, ParentShape::Siblings);
    assert_eq!(parents.father, FieldState::Text("Nguyễn Văn Cha"));
    assert!(matches!(parents.mother, FieldState::Text(name) if name.starts_with("Trần Thị M")));
    assert_eq!(view.spouse(), FieldState::NumberOnly);
    assert_eq!(dg13.fields().len(), 16);
}

#[test]
fn finds_nothing_odd_in_the_specimen() {
    assert_eq!(Dg13::decode(&specimen()).unwrap().findings(&layout()), []);
}

#[test]
fn encodes_the_specimen_to_the_same_bytes() {
    let dg13 = Dg13::decode(&specimen()).unwrap();
    assert_eq!(dg13.encode(), specimen());
    assert_eq!(dg13.as_bytes(), specimen());
}

#[test]
fn builds_the_specimen_from_its_values() {
    let (dg13, layout) = (Dg13::decode(&specimen()).unwrap(), layout());
    let view = dg13.view(&layout);
    let mut builder = Dg13Builder::new(&layout);
    // In any order: the numbers decide.
    for field in layout.fields.iter().rev() {
        let input = match (field.kind, view.state(&field.name)) {
            (FieldKind::Parents, _) => {
                let parents = view.parents().unwrap();
                let name = |state: FieldState<'_>| state.non_empty().map(ToOwned::to_owned);
                FieldInput::Parents { father: name(parents.father), mother: name(parents.mother) }
            }
            (_, FieldState::Text(text)) => FieldInput::Text(text.to_owned()),
            (_, FieldState::NumberOnly) => FieldInput::NumberOnly,
            (_, other) => panic!("{other:?}"),
        };
        builder.set(field, &input);
    }
    assert_eq!(builder.build().unwrap().as_bytes(), specimen());
}

#[test]
fn keeps_absent_number_only_and_empty_text_apart() {
    let dg13 = with_members(&[member(6, &[]), member(7, &utf8(""))].concat());
    let layout = layout();
    let view = dg13.view(&layout);
    assert_eq!(view.state("ethnicity"), FieldState::NumberOnly);
    assert_eq!(view.state("religion"), FieldState::Text(""));
    assert_eq!(view.state("residence"), FieldState::Absent);
}

#[test]
fn reads_both_shapes_of_the_parents() {
    let (father, mother) = (utf8("Cha"), utf8("Mẹ"));
    let siblings = [encode(TAG_SEQUENCE, &father), encode(TAG_SEQUENCE, &mother)].concat();
    let one = encode(TAG_SEQUENCE, &[father, mother].concat());
    let layout = layout();
    for (content, shape) in [(siblings, ParentShape::Siblings), (one, ParentShape::OneSequence)] {
        let dg13 = with_members(&member(13, &content));
        let parents = dg13.view(&layout).parents().unwrap();
        let (father, mother) = (FieldState::Text("Cha"), FieldState::Text("Mẹ"));
        assert_eq!(parents, Parents { shape, father, mother });
    }
}

#[test]
fn holds_the_place_of_an_empty_father() {
    let content = [encode(TAG_SEQUENCE, &[]), encode(TAG_SEQUENCE, &utf8("Mẹ"))].concat();
    let dg13 = with_members(&member(13, &content));
    let layout = layout();
    let parents = dg13.view(&layout).parents().unwrap();
    assert_eq!(parents.father, FieldState::NumberOnly);
    assert_eq!(parents.mother, FieldState::Text("Mẹ"));
}

#[test]
fn keeps_unknown_fields() {
    let dg13 = with_members(&member(17, &hex!("A1 03 04 01 FF")));
    assert_eq!(faults_of(&dg13, 17), [Dg13Fault::UnknownField]);
    let element = Element::Other { tag: Tag(0xA1), value: hex!("0401FF").to_vec() };
    assert_eq!(dg13.field(17).unwrap().elements, [element]);
    assert_eq!(dg13.encode(), dg13.as_bytes());
}

#[test]
fn reads_texts_longer_than_127_bytes() {
    let long = "ẫ".repeat(100);
    let dg13 = with_members(&member(9, &utf8(&long)));
    assert_eq!(dg13.view(&layout()).text("residence"), Some(&long[..]));
    assert_eq!(dg13.encode(), dg13.as_bytes());
}

#[test]
fn finds_repeated_fields_and_wrong_order() {
    let dg13 = with_members(&[member(7, &[]), member(6, &[]), member(7, &[])].concat());
    assert_eq!(faults_of(&dg13, 6), [Dg13Fault::OutOfOrder]);
    assert_eq!(faults_of(&dg13, 7), [Dg13Fault::Repeated]);
}

#[test]
fn finds_text_that_is_not_utf8_and_text_that_is_not_printable() {
    let dg13 = with_members(&member(9, &hex!("0C 02 C3 28")));
    assert_eq!(faults_of(&dg13, 9), [Dg13Fault::InvalidText]);
    assert_eq!(dg13.view(&layout()).state("residence"), FieldState::Other);
    let dg13 = with_members(&member(16, &encode(TAG_PRINTABLE, "ẫ".as_bytes())));
    assert_eq!(faults_of(&dg13, 16), [Dg13Fault::InvalidText]);
}

#[test]
fn finds_decomposed_text_and_compares_it_as_equal() {
    let decomposed = "Ma\u{302}\u{303}u";
    let dg13 = with_members(&member(9, &utf8(decomposed)));
    assert_eq!(faults_of(&dg13, 9), [Dg13Fault::NotComposed]);
    assert_eq!(dg13.view(&layout()).text("residence"), Some(decomposed));
    assert!(same_text(decomposed, "Mẫu"));
}

#[test]
fn finds_a_number_that_is_not_twelve_digits() {
    let dg13 = with_members(&member(1, &encode(TAG_PRINTABLE, b"00120000001")));
    assert_eq!(faults_of(&dg13, 1), [Dg13Fault::Number]);
}

#[test]
fn finds_dates_that_the_calendar_lacks() {
    let date = |number, text: &[u8]| with_members(&member(number, &encode(TAG_PRINTABLE, text)));
    assert_eq!(faults_of(&date(3, b"31/02/2000"), 3), [Dg13Fault::ImpossibleDate]);
    assert_eq!(faults_of(&date(3, b"1950"), 3), []);
}

#[test]
fn takes_words_for_no_expiry() {
    let dg13 = with_members(&member(12, &utf8("Không thời hạn")));
    assert_eq!(faults_of(&dg13, 12), []);
}

#[test]
fn finds_missing_required_fields() {
    let dg13 = with_members(&member(2, &[]));
    assert_eq!(faults_of(&dg13, 1), [Dg13Fault::Missing]);
    assert_eq!(faults_of(&dg13, 2), [Dg13Fault::Missing]);
}

#[test]
fn finds_a_member_that_is_no_field_and_keeps_it() {
    let dg13 = with_members(&hex!("0C 01 41"));
    let findings = dg13.findings(&layout());
    assert_eq!(findings[0].fault, Dg13Fault::Member);
    assert_eq!(findings[0].offset, dg13.fields()[0].offset);
    assert_eq!(dg13.encode(), dg13.as_bytes());
}

#[test]
fn finds_long_form_lengths_and_trailing_bytes() {
    let mut bytes = specimen();
    bytes.extend([0, 0]);
    let findings = Dg13::decode(&bytes).unwrap().findings(&layout());
    let trailing = Dg13Finding { fault: Dg13Fault::TrailingBytes, field: None, offset: 362 };
    assert_eq!(findings, [trailing]);

    let mut bytes = specimen();
    // 6D 82 0166 becomes 6D 83 000166.
    bytes.splice(1..4, [0x83, 0x00, 0x01, 0x66]);
    let findings = Dg13::decode(&bytes).unwrap().findings(&layout());
    assert_eq!(findings[0].fault, Dg13Fault::NotCanonical);
}

#[test]
fn says_at_which_byte_the_structure_breaks() {
    let mut bytes = specimen();
    bytes[8] = 0x04;
    let error = Dg13::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("byte 8"), "{error}");
}

#[test]
fn survives_deep_nesting() {
    let mut nested = Vec::new();
    for _ in 0..2_000 {
        nested = encode(TAG_SEQUENCE, &nested);
    }
    let dg13 = with_members(&member(20, &nested));
    assert_eq!(dg13.encode(), dg13.as_bytes());
}

#[test]
fn gives_the_fields_of_the_record_as_json() {
    let source = include_str!("../../../testvectors/specimen/record.json");
    let record: serde_json::Value = serde_json::from_str(source).unwrap();
    let mut expected = record["fields"].clone();
    for (name, date) in
        [("birth_date", "01/01/2000"), ("issue_date", "01/07/2021"), ("expiry_date", "01/01/2040")]
    {
        expected[name] = date.into();
    }
    let dg13 = Dg13::decode(&specimen()).unwrap();
    assert_eq!(dg13.view(&layout()).to_json(), expected);
}

#[test]
fn gives_unknown_and_invalid_fields_as_hexadecimal_json() {
    let members = [member(9, &hex!("0C 02 C3 28")), member(17, &hex!("04 01 FF"))].concat();
    let expected = serde_json::json!({
        "residence": { "hex": "0C02C328" }, "field_17": { "hex": "0401FF" }
    });
    assert_eq!(with_members(&members).view(&layout()).to_json(), expected);
}

#[test]
fn shows_nothing_personal_in_debug_output() {
    let dg13 = Dg13::decode(&specimen()).unwrap();
    let text = format!("{dg13:?} {:?}", dg13.fields());
    assert!(!text.contains("Nguy") && !text.contains("0012"), "{text}");
}

fn elements() -> impl Strategy<Value = Element> {
    let string = prop_oneof![Just(StringType::Utf8), Just(StringType::Printable)];
    let text = (string, prop::collection::vec(any::<u8>(), 0..300))
        .prop_map(|(string, bytes)| Element::Text { string, bytes });
    let other = prop::collection::vec(any::<u8>(), 0..20)
        .prop_map(|value| Element::Other { tag: Tag(0x04), value });
    let leaf = prop_oneof![text, other];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Element::Sequence)
    })
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(dg13) = Dg13::decode(&bytes) {
            let _ = dg13.findings(&layout());
        }
    }

    #[test]
    fn never_panics_on_an_altered_specimen(position in 0usize..362, byte in any::<u8>()) {
        let mut bytes = specimen();
        bytes[position] = byte;
        if let Ok(dg13) = Dg13::decode(&bytes) {
            let layout = layout();
            let _ = (dg13.findings(&layout), dg13.view(&layout).parents(), dg13.encode());
            prop_assert_eq!(dg13.as_bytes(), &bytes[..]);
        }
    }

    #[test]
    fn encodes_what_it_decodes_to_the_same_bytes(
        fields in prop::collection::btree_map(any::<u16>(), prop::collection::vec(elements(), 0..3), 0..8)
    ) {
        let fields: Vec<Dg13Field> = fields.into_iter()
            .map(|(n, elements)| Dg13Field { number: Some(n.into()), elements, offset: 0 })
            .collect();
        let bytes = encode_dg13(1, layout().oid, &fields);
        let dg13 = Dg13::decode(&bytes).unwrap();
        prop_assert_eq!(dg13.encode(), bytes);
        for (read, written) in dg13.fields().iter().zip(&fields) {
            prop_assert_eq!((read.number, &read.elements), (written.number, &written.elements));
        }
    }
}
