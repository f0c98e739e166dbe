//! The fields of DG13 by the names of a card profile.

use zeroize::Zeroizing;

use super::{Dg13, Dg13Field, Dg13Layout, Element, FieldKind, FieldLayout};
use crate::document::access::PersonalNumber;
use crate::document::date::PartialDate;

/// What a text field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldState<'a> {
    /// The DG13 has no such field.
    Absent,
    /// The field has its number and nothing else.
    NumberOnly,
    /// The field has a text, perhaps an empty one.
    Text(&'a str),
    /// The field has something that is no text: bytes that are not UTF-8, or another structure.
    Other,
}

impl<'a> FieldState<'a> {
    /// The text, if it is not empty.
    #[must_use]
    pub fn non_empty(self) -> Option<&'a str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }
}

/// How the names of the parents stand in their field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParentShape {
    /// Two SEQUENCEs after the number, one for each: the shape that is written.
    Siblings,
    /// One SEQUENCE with both.
    OneSequence,
}

/// Father and mother.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parents<'a> {
    /// The shape found.
    pub shape: ParentShape,
    /// Father; `NumberOnly` when his SEQUENCE is empty.
    pub father: FieldState<'a>,
    /// Mother; `NumberOnly` when her SEQUENCE is empty.
    pub mother: FieldState<'a>,
}

/// A DG13 read by a card profile.
#[derive(Debug, Clone, Copy)]
pub struct Dg13View<'a> {
    dg13: &'a Dg13,
    layout: &'a Dg13Layout,
}

impl<'a> Dg13View<'a> {
    pub(super) const fn new(dg13: &'a Dg13, layout: &'a Dg13Layout) -> Self {
        Self { dg13, layout }
    }

    /// The state of the field with this name.
    #[must_use]
    pub fn state(&self, name: &str) -> FieldState<'a> {
        self.state_of(self.layout.by_name(name))
    }

    fn state_of(&self, layout: Option<&FieldLayout>) -> FieldState<'a> {
        let field = layout.and_then(|layout| self.dg13.field(layout.number));
        field.map_or(FieldState::Absent, |field| state(&field.elements))
    }

    fn text_of_kind(&self, kind: FieldKind) -> Option<&'a str> {
        self.state_of(self.layout.by_kind(kind)).non_empty()
    }

    /// The text of the field with this name, if there is one that is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.state(name).non_empty()
    }

    /// The personal number, if it is one.
    #[must_use]
    pub fn personal_number(&self) -> Option<PersonalNumber> {
        PersonalNumber::new(self.text_of_kind(FieldKind::PersonalNumber)?).ok()
    }

    /// The date in the field with this name, if it is one.
    #[must_use]
    pub fn date(&self, name: &str) -> Option<PartialDate> {
        PartialDate::parse_slashed(self.text(name)?.trim())
    }

    /// The parents, if the field is there and has more than its number.
    #[must_use]
    pub fn parents(&self) -> Option<Parents<'a>> {
        let layout = self.layout.by_kind(FieldKind::Parents)?;
        parents(&self.dg13.field(layout.number)?.elements)
    }

    /// The spouse: `NumberOnly` when there is none, or the SEQUENCE is empty.
    #[must_use]
    pub fn spouse(&self) -> FieldState<'a> {
        self.state_of(self.layout.by_kind(FieldKind::Spouse))
    }

    /// Every field found, in the order found: its name in the profile, if known, and the field.
    pub fn fields(
        &self,
    ) -> impl Iterator<Item = (Option<&'a FieldLayout>, &'a Dg13Field)> + use<'a> {
        let layout = self.layout;
        let known = move |field: &Dg13Field| layout.by_number(field.number?);
        self.dg13.fields().iter().map(move |field| (known(field), field))
    }

    /// The state of a field found, whatever its number.
    #[must_use]
    pub fn state_of_field(field: &'a Dg13Field) -> FieldState<'a> {
        state(&field.elements)
    }
}

/// The text of a field: a string, or a string alone in a SEQUENCE.
pub(super) fn state(elements: &[Element]) -> FieldState<'_> {
    match elements {
        [] => FieldState::NumberOnly,
        [Element::Sequence(inner)] => match &inner[..] {
            [] => FieldState::NumberOnly,
            [text @ Element::Text { .. }] => string(text),
            _ => FieldState::Other,
        },
        [text] => string(text),
        _ => FieldState::Other,
    }
}

fn string(element: &Element) -> FieldState<'_> {
    element.text().map_or(FieldState::Other, FieldState::Text)
}

/// Both shapes of the parents. `None` when there is nothing or something else.
pub(super) fn parents(elements: &[Element]) -> Option<Parents<'_>> {
    let (shape, slots) = match elements {
        [] => return None,
        // One SEQUENCE with two members holds both parents; with one it is the father's.
        [Element::Sequence(inner)] if inner.len() >= 2 => (ParentShape::OneSequence, &inner[..]),
        _ => (ParentShape::Siblings, elements),
    };
    if slots.len() > 2 {
        return None;
    }
    Some(Parents { shape, father: slot(slots.first()), mother: slot(slots.get(1)) })
}

fn slot(element: Option<&Element>) -> FieldState<'_> {
    match element {
        None => FieldState::Absent,
        Some(Element::Sequence(inner)) => state(inner),
        Some(element) => string(element),
    }
}

/// Whether two texts are the same in Unicode normal form C: how texts of DG13 are compared.
#[must_use]
pub fn same_text(left: &str, right: &str) -> bool {
    use unicode_normalization::UnicodeNormalization;
    let composed = |text: &str| Zeroizing::new(text.nfc().collect::<String>());
    *composed(left) == *composed(right)
}
