//! What is odd about a DG13 that can still be read. The hash verdict does not depend on it.

use std::collections::HashSet;

use thiserror::Error;
use unicode_normalization::is_nfc;

use super::view::{FieldState, ParentShape, parents, state};
use super::{Dg13, Dg13Field, Dg13Layout, Element, FieldKind, FieldLayout};
use crate::document::access::PersonalNumber;
use crate::document::date::PartialDate;
use crate::error::ErrorCode;

/// One oddity: what, in which field, at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("DG13{}: {fault} (byte {offset})", .field.map(|n| format!(" field {n}")).unwrap_or_default())]
pub struct Dg13Finding {
    /// What.
    pub fault: Dg13Fault,
    /// The field number, where it belongs to one.
    pub field: Option<u32>,
    /// Offset in the file.
    pub offset: usize,
}

impl ErrorCode for Dg13Finding {
    fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// The oddities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum Dg13Fault {
    /// Bytes stand after the data group.
    #[error("bytes stand after the data group")]
    TrailingBytes,
    /// Lengths or integers are longer than they need to be.
    #[error("not encoded in the shortest form")]
    NotCanonical,
    /// Another version than the profile's.
    #[error("another version than the card profile expects")]
    Version,
    /// Another object identifier than the profile's.
    #[error("another object identifier than the card profile expects")]
    Oid,
    /// A member of the SET that is no numbered field.
    #[error("a member of the SET is no numbered field")]
    Member,
    /// A number that the profile does not know.
    #[error("field number unknown to the card profile")]
    UnknownField,
    /// A number that stood already.
    #[error("field repeated")]
    Repeated,
    /// A number lower than the one before.
    #[error("field out of order")]
    OutOfOrder,
    /// A field that every card has is absent or has only its number.
    #[error("required field absent or empty")]
    Missing,
    /// Another structure than the field's.
    #[error("field structure not understood")]
    Structure,
    /// A string that is not valid in its type: not UTF-8, or not PrintableString.
    #[error("text not valid in its string type")]
    InvalidText,
    /// Text that is not in Unicode normal form C.
    #[error("text not in Unicode normal form C")]
    NotComposed,
    /// A personal number that is not 12 digits, or an old one that is not 9.
    #[error("number does not have its digits")]
    Number,
    /// A date that the calendar lacks.
    #[error("date that the calendar lacks")]
    ImpossibleDate,
    /// The parents stand in one SEQUENCE.
    #[error("parents in one SEQUENCE instead of two")]
    ParentsInOneSequence,
}

impl ErrorCode for Dg13Fault {
    fn code(&self) -> &'static str {
        match self {
            Self::TrailingBytes => "dg13_trailing_bytes",
            Self::NotCanonical => "dg13_not_canonical",
            Self::Version => "dg13_version_unexpected",
            Self::Oid => "dg13_oid_unexpected",
            Self::Member => "dg13_member_malformed",
            Self::UnknownField => "dg13_field_unknown",
            Self::Repeated => "dg13_field_repeated",
            Self::OutOfOrder => "dg13_field_out_of_order",
            Self::Missing => "dg13_field_missing",
            Self::Structure => "dg13_field_structure",
            Self::InvalidText => "dg13_text_invalid",
            Self::NotComposed => "dg13_text_not_composed",
            Self::Number => "dg13_number_invalid",
            Self::ImpossibleDate => "dg13_date_impossible",
            Self::ParentsInOneSequence => "dg13_parents_in_one_sequence",
        }
    }
}

pub(super) fn findings(dg13: &Dg13, layout: &Dg13Layout) -> Vec<Dg13Finding> {
    let mut findings = Vec::new();
    let whole = |fault, offset| Dg13Finding { fault, field: None, offset };
    let end = dg13.raw.len() - dg13.trailing;
    if dg13.trailing > 0 {
        findings.push(whole(Dg13Fault::TrailingBytes, end));
    }
    if dg13.raw.get(..end) != Some(&dg13.encode()[..]) {
        findings.push(whole(Dg13Fault::NotCanonical, 0));
    }
    if dg13.version != layout.version {
        findings.push(whole(Dg13Fault::Version, 0));
    }
    if dg13.oid != layout.oid {
        findings.push(whole(Dg13Fault::Oid, 0));
    }
    let mut seen = HashSet::new();
    let mut highest = 0;
    for field in &dg13.fields {
        let found = |fault| Dg13Finding { fault, field: field.number, offset: field.offset };
        match field.number {
            None => findings.push(found(Dg13Fault::Member)),
            Some(number) => {
                if !seen.insert(number) {
                    findings.push(found(Dg13Fault::Repeated));
                } else if number < highest {
                    findings.push(found(Dg13Fault::OutOfOrder));
                }
                highest = highest.max(number);
                let known = layout.by_number(number);
                if known.is_none() {
                    findings.push(found(Dg13Fault::UnknownField));
                }
                findings.extend(field_faults(field, known).into_iter().map(found));
            }
        }
    }
    let required = layout.fields.iter().filter(|f| f.required && !seen.contains(&f.number));
    findings.extend(required.map(|missing| Dg13Finding {
        fault: Dg13Fault::Missing,
        field: Some(missing.number),
        offset: end,
    }));
    findings
}

fn field_faults(field: &Dg13Field, layout: Option<&FieldLayout>) -> Vec<Dg13Fault> {
    let mut faults = Vec::new();
    text_faults(&field.elements, &mut faults);
    if let Some(layout) = layout {
        faults.extend(content_faults(field, layout));
    }
    faults.dedup();
    faults
}

/// Faults of every string in the field, however deep.
fn text_faults(elements: &[Element], faults: &mut Vec<Dg13Fault>) {
    for element in elements {
        match element {
            Element::Sequence(inner) => text_faults(inner, faults),
            Element::Text { string, bytes } => match core::str::from_utf8(bytes) {
                Ok(text) if !string.allows(text) => faults.push(Dg13Fault::InvalidText),
                Ok(text) if !is_nfc(text) => faults.push(Dg13Fault::NotComposed),
                Ok(_) => {}
                Err(_) => faults.push(Dg13Fault::InvalidText),
            },
            Element::Other { .. } => {}
        }
    }
}

fn content_faults(field: &Dg13Field, layout: &FieldLayout) -> Option<Dg13Fault> {
    let elements = &field.elements;
    if layout.kind == FieldKind::Parents {
        return parent_faults(elements);
    }
    let sequence = matches!(elements[..], [Element::Sequence(_)]);
    let text = match state(elements) {
        FieldState::Absent | FieldState::NumberOnly | FieldState::Text("") => {
            return layout.required.then_some(Dg13Fault::Missing);
        }
        FieldState::Text(text) => text,
        // Text that is no UTF-8 was reported as such.
        FieldState::Other => {
            let text = matches!(elements[..], [Element::Text { .. }]);
            return (!text).then_some(Dg13Fault::Structure);
        }
    };
    if sequence != (layout.kind == FieldKind::Spouse) {
        return Some(Dg13Fault::Structure);
    }
    let digits = |count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    match layout.kind {
        FieldKind::PersonalNumber if !digits(PersonalNumber::LENGTH) => Some(Dg13Fault::Number),
        FieldKind::OldNumber if !digits(9) => Some(Dg13Fault::Number),
        FieldKind::Date if PartialDate::parse_slashed(text).is_none() => {
            Some(Dg13Fault::ImpossibleDate)
        }
        // Words instead of a date say that there is no expiry.
        FieldKind::Expiry
            if text.contains(|c: char| c.is_ascii_digit())
                && PartialDate::parse_slashed(text).is_none() =>
        {
            Some(Dg13Fault::ImpossibleDate)
        }
        _ => None,
    }
}

fn parent_faults(elements: &[Element]) -> Option<Dg13Fault> {
    if elements.is_empty() {
        return None;
    }
    match parents(elements) {
        None => Some(Dg13Fault::Structure),
        Some(p) if p.shape == ParentShape::OneSequence => Some(Dg13Fault::ParentsInOneSequence),
        Some(p) => {
            let other = |state| state == FieldState::Other;
            (other(p.father) || other(p.mother)).then_some(Dg13Fault::Structure)
        }
    }
}
