//! Dates of a record.

use jiff::civil::Date;

use crate::document::PartialDate;
use crate::issue::finding::Findings;

/// Reads a date, ISO 8601 or as the card writes it; partial where `partial` allows.
pub(super) fn read(
    text: &str,
    path: &str,
    partial: bool,
    findings: &mut Findings,
) -> Option<PartialDate> {
    // Days and months have two digits, as on the card.
    let slashed = || PartialDate::parse_slashed(text).filter(|_| matches!(text.len(), 4 | 7 | 10));
    let date = PartialDate::parse_iso(text).or_else(slashed);
    match date {
        None => {
            let code =
                if looks_like_a_date(text) { "record_date_impossible" } else { "record_date" };
            findings.error(path, code, &[]);
            None
        }
        Some(date) if date.to_date().is_none() && !partial => {
            findings.error(path, "record_date_partial", &[]);
            None
        }
        date => date,
    }
}

/// Digits at the places of a date: then the fault is in the calendar, not in the notation.
fn looks_like_a_date(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    matches!(shape.as_str(), "9999-99-99" | "99/99/9999" | "9999-99" | "99/9999" | "9999")
}

/// The dates of a card, as far as they could be read.
#[derive(Debug, Default)]
pub(super) struct Dates {
    pub birth: Option<PartialDate>,
    pub issue: Option<PartialDate>,
    pub expiry: Option<PartialDate>,
}

impl Dates {
    /// Finds dates that contradict each other or today.
    pub(super) fn compare(&self, names: [&str; 3], today: Date, findings: &mut Findings) {
        let [birth_path, issue_path, expiry_path] = names;
        let birth = self.birth.and_then(|date| date.earliest());
        let issue = self.issue.and_then(|date| date.to_date());
        let expiry = self.expiry.and_then(|date| date.to_date());
        if birth.is_some_and(|birth| birth > today) {
            findings.error(birth_path, "record_birth_in_future", &[]);
        } else if let (Some(birth), Some(issue)) = (birth, issue)
            && issue < birth
        {
            findings.error(issue_path, "record_issue_before_birth", &[]);
        }
        if issue.is_some_and(|issue| issue > today) {
            findings.warning(issue_path, "record_issue_in_future", &[]);
        }
        if let (Some(issue), Some(expiry)) = (issue, expiry)
            && expiry <= issue
        {
            findings.error(expiry_path, "record_expiry_before_issue", &[]);
        } else if expiry.is_some_and(|expiry| expiry < today) {
            findings.warning(expiry_path, "record_expired", &[]);
        }
        // Two digits hold the year in the MRZ: 2099-12-31 would read as no expiry.
        if let Some(expiry) = expiry
            && (expiry.year() < 2000 || expiry >= jiff::civil::date(2099, 12, 31))
        {
            findings.error(expiry_path, "record_expiry_not_in_mrz", &[]);
        }
    }
}
