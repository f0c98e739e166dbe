//! `consistency.dg1_dg13`: the holder in the MRZ and in the national data group.

use super::Holder;
use super::comparison::{Comparison, date_in_mrz, name_in_mrz, sex};
use crate::document::dg13::Dg13Fault;
use crate::document::mrz::MrzExpiry;
use crate::document::{Dg13, Mrz, PartialDate};
use crate::error::ErrorCode;
use crate::verify::{Check, CheckId, Evidence};

pub(super) fn dg1_dg13(holder: &Holder<'_>) -> Check {
    let id = CheckId::ConsistencyDg1Dg13;
    if !holder.has_dg13 {
        return Check::skipped(id, "not_offered");
    }
    let (Some(dg13), Some(view)) = (holder.dg13, holder.national()) else {
        return Check::unsupported(id, "dg13_not_decoded", Evidence::new("file", "EF.DG13"));
    };
    let Some(mrz) = holder.mrz else { return Check::skipped(id, "mrz_not_decoded") };
    let mut found = Comparison::default();
    found.compare("number", (view.personal_number(), mrz.personal_number()), |a, b| a == b);
    found.note("name", view.text("full_name").and_then(|name| name_in_mrz(name, mrz)));
    found.note("birth", view.date("birth_date").and_then(|date| date_in_mrz(date, mrz.birth())));
    found.note("sex", view.text("sex").and_then(sex).map(|sex| sex == mrz.sex()));
    found.note("expiry", view.text("expiry_date").and_then(|text| expiry_in_mrz(text, mrz)));
    let check = found.check(id, "dg1_dg13_differ", "number");
    let irregular = irregularities(dg13, holder);
    if check.code != "ok" || irregular.is_empty() {
        return check;
    }
    Check::warned(id, "dg13_irregular", check.evidence().and("remarks", irregular))
}

/// Whether a date of expiry, or words that say that there is none, is that of the MRZ.
fn expiry_in_mrz(text: &str, mrz: &Mrz) -> Option<bool> {
    if !text.contains(|c: char| c.is_ascii_digit()) {
        return Some(mrz.expiry().expiry() == MrzExpiry::Never);
    }
    let date = PartialDate::parse_slashed(text.trim())?;
    match mrz.expiry().expiry() {
        MrzExpiry::Never => Some(false),
        MrzExpiry::On(_) => date_in_mrz(date, mrz.expiry()),
        MrzExpiry::Unknown => None,
    }
}

/// What is odd about the national data. What another generation of cards may have is not.
fn irregularities(dg13: &Dg13, holder: &Holder<'_>) -> Vec<&'static str> {
    let findings = dg13.findings(&holder.profile.dg13);
    let odd = findings.iter().filter(|finding| {
        !matches!(
            finding.fault,
            Dg13Fault::Version
                | Dg13Fault::Oid
                | Dg13Fault::UnknownField
                | Dg13Fault::NotComposed
                | Dg13Fault::ParentsInOneSequence
                // Bytes after a file are told once, beside the hashes.
                | Dg13Fault::TrailingBytes
        )
    });
    odd.map(ErrorCode::code).collect()
}
