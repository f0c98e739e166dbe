//! `document.validity`: the MRZ's own check digits, and the dates.

use super::Holder;
use crate::document::Mrz;
use crate::document::mrz::{MrzExpiry, MrzFault};
use crate::error::ErrorCode;
use crate::verify::{Check, CheckId, Evidence, Policy};

pub(super) fn check(holder: &Holder<'_>, policy: &Policy) -> Check {
    let id = CheckId::DocumentValidity;
    let Some(mrz) = holder.mrz else {
        return if holder.has_dg1 {
            Check::failed(id, "mrz_malformed", Evidence::new("file", "EF.DG1"))
        } else {
            Check::skipped(id, "file_not_read")
        };
    };
    let faults = mrz.faults();
    let codes: Vec<_> = faults.iter().map(ErrorCode::code).collect();
    if let Some(code) = faults.iter().find_map(contradiction) {
        let evidence = Evidence::new("faults", codes).and("fields", fields(&faults));
        return Check::failed(id, code, evidence);
    }
    if let Some(code) = future(holder) {
        return Check::failed(id, code, Evidence::new("judged_on", holder.today.to_string()));
    }
    let expiry = expiry(mrz, holder, policy);
    if expiry.code == "ok" && !codes.is_empty() {
        return Check::warned(id, "mrz_irregular", expiry.evidence().and("faults", codes));
    }
    expiry
}

/// The code of a fault by which the MRZ contradicts itself.
fn contradiction(fault: &MrzFault) -> Option<&'static str> {
    match fault {
        MrzFault::CheckDigit { .. } => Some("mrz_check_digit"),
        MrzFault::ImpossibleDate { .. } => Some("mrz_impossible_date"),
        MrzFault::NumbersDiffer => Some("mrz_numbers_differ"),
        MrzFault::Sex | MrzFault::Names => None,
    }
}

/// The fields whose check digits or dates are wrong.
fn fields(faults: &[MrzFault]) -> Vec<String> {
    let field = |fault: &MrzFault| match fault {
        MrzFault::CheckDigit { field } | MrzFault::ImpossibleDate { field } => {
            Some(field.to_string())
        }
        _ => None,
    };
    faults.iter().filter_map(field).collect()
}

/// Dates of the national data that have not come yet. The MRZ has no century: its birth is never in
/// the future. Somewhere it is tomorrow already.
fn future(holder: &Holder<'_>) -> Option<&'static str> {
    let national = holder.national()?;
    let latest = holder.today.tomorrow().unwrap_or(holder.today);
    let is_future =
        |name| national.date(name).and_then(|date| date.earliest()).is_some_and(|day| day > latest);
    if is_future("birth_date") {
        Some("birth_in_future")
    } else if is_future("issue_date") {
        Some("issue_in_future")
    } else {
        None
    }
}

fn expiry(mrz: &Mrz, holder: &Holder<'_>, policy: &Policy) -> Check {
    let id = CheckId::DocumentValidity;
    match mrz.expiry().expiry() {
        MrzExpiry::Never => Check::passed(id, Evidence::new("expires", "never")),
        MrzExpiry::On(date) if date < holder.today => {
            let evidence = Evidence::new("expired_on", date.to_string());
            if policy.tolerates_expiry() {
                Check::warned(id, "document_expired", evidence)
            } else {
                Check::failed(id, "document_expired", evidence)
            }
        }
        MrzExpiry::On(date) => Check::passed(id, Evidence::new("expires", date.to_string())),
        MrzExpiry::Unknown => {
            Check::failed(id, "expiry_malformed", Evidence::new("file", "EF.DG1"))
        }
    }
}
