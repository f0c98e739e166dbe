//! `consistency.mrz` and `consistency.qr`: the chip and what stands on the card's surface.

use super::comparison::{Comparison, Spelling, date_in_mrz, name_in_mrz, sex, spelling};
use super::{Expected, Holder};
use crate::document::{Mrz, QrText};
use crate::verify::{Check, CheckId, Evidence};

/// The MRZ as typed or scanned, else the number as typed, and the MRZ in DG1.
pub(super) fn mrz(holder: &Holder<'_>, expected: &Expected) -> Check {
    let id = CheckId::ConsistencyMrz;
    if expected.mrz.is_none() && expected.number.is_none() {
        return Check::skipped(id, "not_given");
    }
    let Some(read) = holder.mrz else {
        let code = if holder.has_dg1 { "mrz_not_decoded" } else { "file_not_read" };
        return Check::skipped(id, code);
    };
    if let Some(typed) = &expected.mrz {
        let fields = differing_fields(typed, read);
        if !fields.is_empty() {
            return Check::failed(id, "mrz_differs", Evidence::new("fields", fields));
        }
        return Check::passed(id, Evidence::new("characters", typed.as_str().len()));
    }
    let mut found = Comparison::default();
    found.compare("number", (expected.number.clone(), read.personal_number()), |a, b| a == b);
    found.check(id, "number_differs", "number")
}

/// The fields in which two MRZ differ; none where every character is the same.
fn differing_fields(typed: &Mrz, read: &Mrz) -> Vec<&'static str> {
    if typed.as_str() == read.as_str() {
        return Vec::new();
    }
    if typed.format() != read.format() {
        return vec!["format"];
    }
    let fields = [
        ("document_code", typed.document_code() != read.document_code()),
        ("issuing_state", typed.issuing_state() != read.issuing_state()),
        ("number", typed.document_number() != read.document_number()),
        ("birth", typed.birth() != read.birth()),
        ("sex", typed.sex() != read.sex()),
        ("expiry", typed.expiry() != read.expiry()),
        ("nationality", typed.nationality() != read.nationality()),
        ("optional_data", typed.optional_data() != read.optional_data()),
        ("name", typed.names() != read.names()),
    ];
    let found: Vec<_> = fields.iter().filter(|(_, differs)| *differs).map(|(f, _)| *f).collect();
    // The check digits are no fields of their own.
    if found.is_empty() { vec!["check_digits"] } else { found }
}

/// The QR code and the chip: DG13 where it has the field, else the MRZ.
pub(super) fn qr(holder: &Holder<'_>, expected: &Expected) -> Check {
    let id = CheckId::ConsistencyQr;
    let Some(qr) = &expected.qr else { return Check::skipped(id, "not_given") };
    if holder.mrz.is_none() && holder.dg13.is_none() {
        let there = holder.has_dg1 || holder.has_dg13;
        return Check::skipped(id, if there { "mrz_not_decoded" } else { "file_not_read" });
    }
    let (mut found, other_marks) = compare_qr(qr, holder);
    if other_marks {
        found.note("name", Some(true));
    }
    let check = found.check(id, "qr_differs", "number");
    if other_marks && check.code == "ok" {
        return Check::warned(id, "qr_name_spelling", check.evidence());
    }
    check
}

/// Compares; also says whether the names differ in nothing but their marks.
fn compare_qr(qr: &QrText, holder: &Holder<'_>) -> (Comparison, bool) {
    let (mrz, national) = (holder.mrz, holder.national());
    let mut found = Comparison::default();
    let in_mrz = mrz.and_then(Mrz::personal_number);
    let number = in_mrz.or_else(|| national.and_then(|n| n.personal_number()));
    found.compare("number", (Some(qr.personal_number().clone()), number), |a, b| a == b);

    let birth = qr.birth().and_then(|birth| {
        let whole = national.and_then(|n| n.date("birth_date"));
        let in_mrz = || mrz.and_then(|mrz| date_in_mrz(birth, mrz.birth()));
        whole.map(|date| date.agrees_with(&birth)).or_else(in_mrz)
    });
    found.note("birth", birth);

    let own_sex = national.and_then(|n| n.text("sex")).and_then(sex);
    let own_sex = own_sex.or_else(|| mrz.map(Mrz::sex));
    found.compare("sex", (qr.sex().and_then(sex), own_sex), |a, b| a == b);

    if let Some(national) = national {
        let issue = (qr.issue(), national.date("issue_date"));
        found.compare("issue_date", issue, |a, b| a.agrees_with(&b));
        let old = (qr.old_number(), national.text("old_number"));
        found.compare("old_number", old, |a, b| a == b);
    }

    let full_name = national.and_then(|n| n.text("full_name"));
    let mut other_marks = false;
    match (qr.name(), full_name, mrz) {
        (Some(left), Some(right), _) => match spelling(left, right) {
            Spelling::Same => found.note("name", Some(true)),
            Spelling::OtherMarks => other_marks = true,
            Spelling::Other => found.note("name", Some(false)),
        },
        (Some(name), None, Some(mrz)) => found.note("name", name_in_mrz(name, mrz)),
        _ => found.note("name", None),
    }
    (found, other_marks)
}
