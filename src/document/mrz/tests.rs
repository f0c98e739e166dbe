use super::*;
use proptest::prelude::*;

const SPECIMEN: &str = "IDVNM2000000185001200000018<<6\n\
                        0001018F4001016VNM<<<<<<<<<<<0\n\
                        NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
const WITHOUT_EXPIRY: &str = "IDVNM0550000114001055000011<<5\n\
                              5501018M9912315VNM<<<<<<<<<<<2\n\
                              TRAN<<VAN<MAU<<<<<<<<<<<<<<<<<";

fn bsi_specimen(file: &str) -> Mrz {
    let path = format!("{}/testvectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let dg1 = std::fs::read(path).unwrap();
    Mrz::parse(&dg1[5..]).unwrap()
}

/// Replaces the character at `position` (from 0, lines joined).
fn altered(text: &str, position: usize, character: char) -> Mrz {
    let mut text: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    text[position] = character;
    Mrz::parse_text(&text.into_iter().collect::<String>()).unwrap()
}

#[test]
fn reads_the_fields_of_a_vietnamese_card() {
    let mrz = Mrz::parse_text(SPECIMEN).unwrap();
    assert_eq!(mrz.faults(), []);
    assert_eq!((mrz.document_code(), mrz.issuing_state(), mrz.nationality()), ("ID", "VNM", "VNM"));
    assert_eq!(mrz.document_number().as_str(), "200000018");
    assert_eq!(mrz.personal_number().unwrap().as_str(), "001200000018");
    assert_eq!(mrz.birth().as_str(), "000101");
    assert_eq!(mrz.sex(), Sex::Female);
    let names = mrz.names();
    assert_eq!((names.primary.as_str(), names.secondary.as_str()), ("NGUYEN", "THI MAU"));
    assert!(!names.possibly_truncated);
}

#[test]
fn finds_no_fault_in_a_card_without_expiry() {
    let mrz = Mrz::parse_text(WITHOUT_EXPIRY).unwrap();
    assert_eq!(mrz.faults(), []);
    assert_eq!(mrz.expiry().expiry(), MrzExpiry::Never);
}

#[test]
fn names_each_wrong_check_digit() {
    let cases = [
        (14, MrzField::DocumentNumber),
        (29, MrzField::PersonalNumber),
        (36, MrzField::Birth),
        (44, MrzField::Expiry),
        (59, MrzField::Composite),
    ];
    for (position, field) in cases {
        // Nine is right at none of these places.
        let faults = altered(SPECIMEN, position, '9').faults();
        assert!(faults.contains(&MrzFault::CheckDigit { field }), "{field}: {faults:?}");
    }
}

#[test]
fn finds_a_document_number_that_is_not_the_end_of_the_personal_number() {
    assert!(altered(SPECIMEN, 13, '7').faults().contains(&MrzFault::NumbersDiffer));
}

#[test]
fn finds_days_that_the_calendar_lacks() {
    let fault = MrzFault::ImpossibleDate { field: MrzField::Birth };
    assert!(altered(SPECIMEN, 32, '9').faults().contains(&fault));
    let fault = MrzFault::ImpossibleDate { field: MrzField::Expiry };
    assert!(altered(SPECIMEN, 40, '9').faults().contains(&fault));
}

#[test]
fn finds_a_sex_that_is_no_sex_and_a_name_with_digits() {
    assert!(altered(SPECIMEN, 37, 'Q').faults().contains(&MrzFault::Sex));
    assert!(altered(SPECIMEN, 61, '1').faults().contains(&MrzFault::Names));
}

#[test]
fn says_where_a_foreign_character_stands() {
    let mut text = SPECIMEN.to_owned();
    text.replace_range(33..34, "Ũ");
    assert_eq!(Mrz::parse_text(&text), Err(MrzError::Character { line: 2, position: 3 }));
    assert_eq!(Mrz::parse(b"ID"), Err(MrzError::Length { length: 2 }));
}

#[test]
fn reads_the_passports_of_the_bsi_reference_sets_without_fault() {
    for file in ["bsi-tr03105-5/Datagroup1.bin", "bsi-2008/Datagroup1.bin"] {
        let mrz = bsi_specimen(file);
        assert_eq!(mrz.format(), MrzFormat::Td3);
        assert_eq!(mrz.faults(), [], "{file}");
        assert_eq!((mrz.issuing_state(), mrz.document_number().as_str()), ("D", "C11T002JM"));
        assert_eq!(mrz.names().primary, "MUSTERMANN");
        assert_eq!(mrz.personal_number(), None);
    }
}

#[test]
fn takes_a_document_number_longer_than_its_field_from_the_optional_data() {
    // ICAO 9303-11 appendix D.2, TD1 document whose number has more than nine characters.
    let text = "I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2\
                STEVENSON<<PETER<JOHN<<<<<<<<<";
    let mrz = Mrz::parse_text(text).unwrap();
    assert_eq!(mrz.faults(), []);
    assert_eq!(mrz.document_number().as_str(), "D23145890734");
}

#[test]
fn takes_a_td1_of_nine_characters() {
    // ICAO 9303-11 appendix D.2, TD1 document whose number has nine characters.
    let text = "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6\
                ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
    let mrz = Mrz::parse_text(text).unwrap();
    assert_eq!(mrz.faults(), []);
}

#[test]
fn reads_a_td2_document() {
    // ICAO 9303-6 §4.2.
    let text = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\
                D231458907UTO7408122F1204159<<<<<<<6";
    let mrz = Mrz::parse_text(text).unwrap();
    assert_eq!((mrz.format(), mrz.faults()), (MrzFormat::Td2, vec![]));
}

#[test]
fn shows_nothing_personal_in_debug_output() {
    let mrz = Mrz::parse_text(SPECIMEN).unwrap();
    assert_eq!(format!("{mrz:?} {:?}", mrz.names()), "Mrz(TD1, ***) MrzNames(***)");
}

fn specimen_fields<'a>(
    number: &'a DocumentNumber,
    optional: &'a str,
    birth: &'a MrzDate,
    expiry: &'a MrzDate,
) -> Td1Fields<'a> {
    Td1Fields {
        document_code: "ID",
        issuing_state: "VNM",
        document_number: number,
        optional_1: optional,
        birth,
        sex: Sex::Female,
        expiry,
        nationality: "VNM",
        optional_2: "",
        names: "NGUYEN<<THI<MAU",
    }
}

#[test]
fn builds_the_lines_of_the_specimen() {
    let number = PersonalNumber::new("001200000018").unwrap();
    let optional = vietnamese_optional_data(&number);
    let (birth, expiry) = (MrzDate::new(b"000101").unwrap(), MrzDate::new(b"400101").unwrap());
    let short = number.document_number();
    let mrz = specimen_fields(&short, &optional, &birth, &expiry).build().unwrap();
    assert_eq!(mrz.lines().collect::<Vec<_>>().join("\n"), SPECIMEN);
}

#[test]
fn refuses_to_build_with_a_name_that_does_not_fit() {
    let number = DocumentNumber::new("200000018").unwrap();
    let date = MrzDate::never();
    let mut fields = specimen_fields(&number, "", &date, &date);
    fields.names = "Nguyễn";
    assert_eq!(fields.build(), Err(MrzError::DoesNotFit { field: MrzField::Names }));
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Mrz::parse(&bytes);
    }

    #[test]
    fn never_panics_on_mrz_characters(text in prop_oneof!["[A-Z0-9<]{90}", "[0-9<]{72}", "[A-Z0-9<]{88}", "[0-9<]{90}"]) {
        if let Ok(mrz) = Mrz::parse_text(&text) {
            let _ = (mrz.faults(), mrz.names(), mrz.personal_number(), mrz.lines().count());
        }
    }

    #[test]
    fn never_panics_on_any_text(text in "\\PC{60,95}") {
        let _ = Mrz::parse_text(&text);
    }

    #[test]
    fn builds_mrzs_without_fault(number in "[A-Z0-9]{1,22}", names in "[A-Z]{1,10}<<[A-Z]{1,10}", day in 0i32..36_000) {
        let number = DocumentNumber::new(&number).unwrap();
        let date = jiff::civil::date(2000, 1, 1).saturating_add(jiff::Span::new().days(day));
        let date = MrzDate::from_date(date);
        let mut fields = specimen_fields(&number, "", &date, &date);
        fields.issuing_state = "UTO";
        fields.names = &names;
        let mrz = fields.build().unwrap();
        prop_assert_eq!(mrz.faults(), []);
        prop_assert_eq!(mrz.document_number(), &number);
    }

    #[test]
    fn one_altered_digit_is_always_noticed(position in 5usize..59, digit in 0u32..10) {
        prop_assume!(position != 37 && !(45..48).contains(&position));
        let original = Mrz::parse_text(SPECIMEN).unwrap();
        let character = char::from_digit(digit, 10).unwrap();
        let mrz = altered(SPECIMEN, position, character);
        // A filler and a zero weigh the same, and no check digit covers its own filler.
        let same = original.as_str().as_bytes()[position] == b'<' && digit == 0;
        prop_assert!(mrz == original || same || !mrz.faults().is_empty());
    }
}
