//! Comparing field by field what two sources say of a holder, as far as both say it.

use crate::document::dg13::same_text;
use crate::document::mrz::Sex;
use crate::document::name::MrzName;
use crate::document::{Mrz, MrzDate, PartialDate};
use crate::verify::{Check, CheckId, Evidence};

/// Which fields were compared, and which of them differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    same: Vec<&'static str>,
    differ: Vec<&'static str>,
    unknown: Vec<&'static str>,
}

impl Comparison {
    /// Notes whether a field is the same in both; `None` where one of them does not say it.
    pub(super) fn note(&mut self, field: &'static str, same: Option<bool>) {
        match same {
            Some(true) => self.same.push(field),
            Some(false) => self.differ.push(field),
            None => self.unknown.push(field),
        }
    }

    /// Notes the field where both have it.
    pub(super) fn compare<T>(
        &mut self,
        field: &'static str,
        (left, right): (Option<T>, Option<T>),
        same: impl FnOnce(T, T) -> bool,
    ) {
        self.note(field, left.zip(right).map(|(left, right)| same(left, right)));
    }

    /// Failed with the code where a field differs; not comparable where the one field that must be
    /// compared was not.
    pub(super) fn check(self, id: CheckId, code: &'static str, must: &'static str) -> Check {
        if !self.differ.is_empty() {
            let evidence = Evidence::new("fields", self.differ).and("same", self.same);
            return Check::failed(id, code, evidence);
        }
        let compared = self.same.contains(&must);
        let evidence = Evidence::new("compared", self.same).and("not_compared", self.unknown);
        if compared {
            Check::passed(id, evidence)
        } else {
            Check::unsupported(id, "not_comparable", evidence)
        }
    }
}

/// Whether the name in the MRZ is this one. Where the parts are put on either side of `<<` and at
/// spaces or apostrophes is left to the issuer; a name that fills its field may be cut.
pub(super) fn name_in_mrz(full_name: &str, mrz: &Mrz) -> Option<bool> {
    let written = MrzName::from_full_name(full_name).ok()?.untruncated();
    let whole: Vec<&str> = written.split('<').filter(|part| !part.is_empty()).collect();
    let names = mrz.names();
    let parts = |text: &str| text.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
    let mut found = parts(&names.primary);
    found.extend(parts(&names.secondary));
    found.retain(|part| !part.is_empty());
    let (letters, found_letters) = (whole.concat(), found.concat());
    if letters == found_letters {
        return Some(true);
    }
    let part_by_part = found.len() <= whole.len()
        && found.iter().zip(&whole).all(|(cut, part)| part.starts_with(cut.as_str()));
    let cut = !found.is_empty() && (part_by_part || letters.starts_with(&found_letters));
    Some(names.possibly_truncated && cut)
}

/// How two spellings of a name relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// The same but for capitals and spaces.
    Same,
    /// The same letters without their marks.
    OtherMarks,
    /// Another name.
    Other,
}

/// Compares two names as people write them.
pub(super) fn spelling(left: &str, right: &str) -> Spelling {
    let plain =
        |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    if same_text(&plain(left), &plain(right)) {
        return Spelling::Same;
    }
    let letters = |text: &str| {
        MrzName::from_full_name(text).ok().map(|name| name.untruncated().replace('<', ""))
    };
    match (letters(left), letters(right)) {
        (Some(left), Some(right)) if left == right => Spelling::OtherMarks,
        _ => Spelling::Other,
    }
}

/// Whether a date can be the one of an MRZ: what is known of both agrees.
pub(super) fn date_in_mrz(date: PartialDate, mrz: &MrzDate) -> Option<bool> {
    let written = MrzDate::from_partial(date);
    let known = |pair: &[u8]| !pair.contains(&b'<');
    let mut pairs = written.as_bytes().chunks(2).zip(mrz.as_bytes().chunks(2));
    if !mrz.as_bytes().get(..2).is_some_and(known) {
        return None;
    }
    Some(pairs.all(|(left, right)| left == right || !known(left) || !known(right)))
}

/// The sex that words of a document name.
pub(super) fn sex(words: &str) -> Option<Sex> {
    let is = |word: &str| same_text(&words.trim().to_lowercase(), word);
    if is("nam") {
        Some(Sex::Male)
    } else if is("nữ") {
        Some(Sex::Female)
    } else {
        None
    }
}
