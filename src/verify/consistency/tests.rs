use super::*;
use crate::document::dg13::{Dg13Builder, FieldInput, StringType};
use crate::lds::encode_dg1;
use crate::trust::TrustStore;
use crate::verify::Policy;

const MRZ: &[u8] =
    b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
const QR: &str = "001200000018|000000000|Nguyễn Thị Mẫu|01012000|Nữ|Số 1, Hà Nội|01072021";

/// The national data of the holder; a test changes one field.
fn dg13(changes: &[(&str, &str)]) -> Vec<u8> {
    let layout = &CardProfile::can_cuoc_2021().dg13;
    let mut builder = Dg13Builder::new(layout);
    let fields = [
        ("personal_number", "001200000018"),
        ("full_name", "Nguyễn Thị Mẫu"),
        ("birth_date", "01/01/2000"),
        ("sex", "Nữ"),
        ("nationality", "Việt Nam"),
        ("issue_date", "01/07/2021"),
        ("expiry_date", "01/01/2040"),
        ("old_number", "000000000"),
    ];
    for (name, value) in fields.iter().chain(changes) {
        let field = layout.by_name(name).unwrap();
        builder.set(field, &FieldInput::Text((*value).to_owned()));
    }
    builder.build().unwrap().as_bytes().to_vec()
}

fn document(mrz: &[u8], dg13: &[u8]) -> DocumentFiles {
    let mut document = DocumentFiles::default();
    document.files.insert(DgNumber::new(1).unwrap().file(), encode_dg1(mrz));
    document.files.insert(DgNumber::new(13).unwrap().file(), dg13.to_vec());
    document
}

fn judge(document: &DocumentFiles, expected: &Expected, id: CheckId) -> Check {
    let trust = TrustStore::default();
    let now = "2026-11-23T12:00:00Z".parse().unwrap();
    let inspection = Inspection { trust: &trust, now, expected, policy: Policy::strict() };
    let checks = check(document, &ChipEvidence::default(), None, None, &inspection);
    checks.into_iter().find(|check| check.id == id).unwrap()
}

/// Status, code and the fields that differ.
fn fields(check: &Check) -> (&'static str, &'static str, Vec<&str>) {
    let fields = check.detail().get("fields").and_then(|f| f.as_array());
    let names = fields.into_iter().flatten().filter_map(|f| f.as_str()).collect();
    (check.status_name(), check.code, names)
}

fn dg1_dg13(mrz: &[u8], dg13: &[u8]) -> Check {
    judge(&document(mrz, dg13), &Expected::default(), CheckId::ConsistencyDg1Dg13)
}

#[test]
fn compares_all_that_mrz_and_national_data_both_say() {
    let check = dg1_dg13(MRZ, &dg13(&[]));
    assert_eq!(fields(&check), ("passed", "ok", vec![]));
    let compared = serde_json::json!(["number", "name", "birth", "sex", "expiry"]);
    assert_eq!(check.detail()["compared"], compared);
}

#[test]
fn n44_names_each_field_in_which_mrz_and_national_data_differ() {
    for (name, value, field) in [
        ("personal_number", "001200000026", "number"),
        ("full_name", "Nguyễn Thị Mẫn", "name"),
        ("full_name", "Nguyễn Thị", "name"),
        ("birth_date", "02/01/2000", "birth"),
        ("sex", "Nam", "sex"),
        ("expiry_date", "01/01/2041", "expiry"),
        ("expiry_date", "Không thời hạn", "expiry"),
    ] {
        let check = dg1_dg13(MRZ, &dg13(&[(name, value)]));
        assert_eq!(fields(&check), ("failed", "dg1_dg13_differ", vec![field]), "{value}");
    }
}

#[test]
fn a_card_without_expiry_says_so_in_both() {
    let never = b"IDVNM0550000114001055000011<<55501018M9912315VNM<<<<<<<<<<<2TRAN<<VAN<MAU<<<<<<<<<<<<<<<<<";
    let fields_of = [
        ("personal_number", "001055000011"),
        ("full_name", "Trần Văn Mẫu"),
        ("birth_date", "01/01/1955"),
        ("sex", "Nam"),
        ("expiry_date", "Không thời hạn"),
    ];
    assert_eq!(fields(&dg1_dg13(never, &dg13(&fields_of))), ("passed", "ok", vec![]));
}

#[test]
fn a_date_of_which_only_the_year_is_known_agrees_with_any_day_of_it() {
    assert_eq!(dg1_dg13(MRZ, &dg13(&[("birth_date", "2000")])).code, "ok");
    assert_eq!(dg1_dg13(MRZ, &dg13(&[("birth_date", "1900")])).code, "ok");
    assert_eq!(dg1_dg13(MRZ, &dg13(&[("birth_date", "1999")])).code, "dg1_dg13_differ");
}

fn name_fits(full: &str, mrz_name: &str) -> bool {
    let line = format!("{mrz_name:<<30}");
    let mrz = [&MRZ[..60], line.as_bytes()].concat();
    super::comparison::name_in_mrz(full, &Mrz::parse(&mrz).unwrap()).unwrap()
}

#[test]
fn where_the_surname_ends_is_left_to_the_issuer() {
    assert!(name_fits("Tôn Nữ Thị Mẫu", "TON<NU<<THI<MAU"));
    assert!(name_fits("Tôn Nữ Thị Mẫu", "TON<<NU<THI<MAU"));
    assert!(name_fits("Ksor H'Lan", "KSOR<<H<LAN"));
    assert!(name_fits("Đức", "DUC"));
}

#[test]
fn only_a_name_that_fills_its_field_may_be_cut() {
    let full = "Nguyễn Hoàng Thị Phương Thảo Nguyên";
    assert!(name_fits(full, "NGUYEN<<HOANG<THI<PHUONG<THA<N"));
    assert!(name_fits(full, "NGUYEN<<HOANG<THI<PHUONG<THAON"));
    assert!(!name_fits(full, "NGUYEN<<HOANG<THI<PHUONG<THA"));
    assert!(!name_fits(full, "NGUYEN<<HOANG<THI<PHUONG<THU<N"));
    assert!(!name_fits("Nguyễn", "NGUYEN<<THI<MAU"));
}

#[test]
fn n45_national_data_without_a_number_cannot_be_compared() {
    let check = dg1_dg13(MRZ, &dg13(&[("personal_number", "12345")]));
    assert_eq!((check.status_name(), check.code), ("unsupported", "not_comparable"));
}

#[test]
fn n45_odd_national_data_are_a_warning() {
    let check = dg1_dg13(MRZ, &dg13(&[("old_number", "12")]));
    assert_eq!((check.status_name(), check.code), ("passed", "dg13_irregular"));
    assert_eq!(check.detail()["remarks"], serde_json::json!(["dg13_number_invalid"]));
}

#[test]
fn a_field_of_another_generation_of_cards_is_none() {
    let layout = &CardProfile::can_cuoc_2021().dg13;
    let decoded = Dg13::decode(&dg13(&[])).unwrap();
    let mut builder = Dg13Builder::new(layout);
    for (known, field) in decoded.view(layout).fields() {
        let text = field.elements[0].text().unwrap().to_owned();
        builder.set(known.unwrap(), &FieldInput::Text(text));
    }
    builder.set_unknown(22, StringType::Utf8, "x");
    assert_eq!(dg1_dg13(MRZ, builder.build().unwrap().as_bytes()).code, "ok");
}

fn typed(mrz: &[u8]) -> Expected {
    Expected { mrz: Some(Mrz::parse(mrz).unwrap()), ..Expected::default() }
}

#[test]
fn n44_names_the_fields_in_which_the_typed_mrz_differs() {
    let document = document(MRZ, &dg13(&[]));
    let judge = |expected: &Expected| judge(&document, expected, CheckId::ConsistencyMrz);
    assert_eq!(judge(&typed(MRZ)).code, "ok");
    let other = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAN<<<<<<<<<<<<<<<";
    assert_eq!(fields(&judge(&typed(other))), ("failed", "mrz_differs", vec!["name"]));
    let other = b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<1NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
    assert_eq!(fields(&judge(&typed(other))), ("failed", "mrz_differs", vec!["check_digits"]));
}

#[test]
fn n44_another_card_with_the_same_last_digits_is_not_the_one_whose_number_was_typed() {
    let document = document(MRZ, &dg13(&[]));
    let judge = |number: &str| {
        let number = Some(PersonalNumber::new(number).unwrap());
        let expected = Expected { number, ..Expected::default() };
        judge(&document, &expected, CheckId::ConsistencyMrz)
    };
    assert_eq!(judge("001200000018").code, "ok");
    assert_eq!(fields(&judge("079200000018")), ("failed", "number_differs", vec!["number"]));
}

fn qr(text: &str) -> Check {
    let qr = Some(QrText::parse(text).unwrap());
    let expected = Expected { qr, ..Expected::default() };
    judge(&document(MRZ, &dg13(&[])), &expected, CheckId::ConsistencyQr)
}

#[test]
fn compares_all_that_qr_code_and_chip_both_say() {
    let check = qr(QR);
    assert_eq!(check.code, "ok");
    let compared = ["number", "birth", "sex", "issue_date", "old_number", "name"];
    assert_eq!(check.detail()["compared"], serde_json::json!(compared));
    assert_eq!(qr(&QR.replace("Nguyễn Thị Mẫu", "NGUYỄN  THỊ MẪU")).code, "ok");
}

#[test]
fn n44_names_each_field_in_which_the_qr_code_differs() {
    for (from, to, field) in [
        ("001200000018", "001200000026", "number"),
        ("01012000", "02012000", "birth"),
        ("Nữ", "Nam", "sex"),
        ("01072021", "02072021", "issue_date"),
        ("000000000", "000000001", "old_number"),
        ("Thị Mẫu", "Thị Mận", "name"),
    ] {
        let text = QR.replacen(from, to, 1);
        let check = qr(&text);
        assert_eq!(check.code, "qr_differs", "{text}");
        assert!(fields(&check).2.contains(&field), "{text}");
    }
}

#[test]
fn a_name_with_other_marks_in_the_qr_code_is_a_warning() {
    let check = qr(&QR.replace("Thị Mẫu", "Thị Mậu"));
    assert_eq!((check.status_name(), check.code), ("passed", "qr_name_spelling"));
}

fn validity(mrz: &[u8], changes: &[(&str, &str)]) -> Check {
    let document = document(mrz, &dg13(changes));
    judge(&document, &Expected::default(), CheckId::DocumentValidity)
}

#[test]
fn n46_dates_that_have_not_come_yet_are_forged() {
    let found = |name, value| validity(MRZ, &[(name, value)]).code;
    assert_eq!(found("birth_date", "01/01/2027"), "birth_in_future");
    assert_eq!(found("birth_date", "2027"), "birth_in_future");
    assert_eq!(found("issue_date", "25/11/2026"), "issue_in_future");
    // Somewhere it is tomorrow already.
    assert_eq!(found("issue_date", "24/11/2026"), "ok");
}

#[test]
fn n44_an_mrz_that_contradicts_itself_is_forged() {
    let mut wrong_digit = MRZ.to_vec();
    wrong_digit[14] = b'6';
    let check = validity(&wrong_digit, &[]);
    assert_eq!((check.status_name(), check.code), ("failed", "mrz_check_digit"));
    assert_eq!(check.detail()["fields"][0], "document number");
    let mut text = MRZ.to_vec();
    text[0..2].copy_from_slice(b"i<");
    assert_eq!(validity(&text, &[]).code, "mrz_malformed");
}

#[test]
fn n43_a_record_without_a_picture_has_no_portrait() {
    use crate::lds::BiometricTemplate;
    let record = FaceRecord { images: Vec::new() }.encode();
    let dg2 = Dg2 { templates: vec![BiometricTemplate::face(record)] }.encode();
    let check = biometrics(Some(&dg2));
    assert_eq!((check.status_name(), check.code), ("unsupported", "portrait_missing"));
}
