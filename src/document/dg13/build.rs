//! Writing DG13: fields in ascending number order, canonical lengths.

use std::collections::BTreeMap;

use super::{
    Dg13, Dg13Error, Dg13Field, Dg13Layout, Element, FieldKind, FieldLayout, StringType,
    encode_dg13,
};

/// The value of a field to write.
#[derive(Clone, PartialEq, Eq)]
pub enum FieldInput {
    /// Only the number.
    NumberOnly,
    /// A text, perhaps an empty one; for the spouse it goes into a SEQUENCE.
    Text(String),
    /// Father and mother; `None` leaves an empty SEQUENCE in the place.
    Parents {
        /// Father.
        father: Option<String>,
        /// Mother.
        mother: Option<String>,
    },
}

/// Personal data: not shown.
impl core::fmt::Debug for FieldInput {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FieldInput(***)")
    }
}

/// Collects fields and encodes them.
#[derive(Debug, Clone)]
pub struct Dg13Builder<'a> {
    layout: &'a Dg13Layout,
    fields: BTreeMap<u32, Vec<Element>>,
}

impl<'a> Dg13Builder<'a> {
    /// Begins a DG13 without fields.
    #[must_use]
    pub const fn new(layout: &'a Dg13Layout) -> Self {
        Self { layout, fields: BTreeMap::new() }
    }

    /// Sets a field of the layout, replacing what was set before.
    pub fn set(&mut self, field: &FieldLayout, value: &FieldInput) -> &mut Self {
        let text =
            |text: &str| Element::Text { string: field.string, bytes: text.as_bytes().to_vec() };
        let place = |name: &Option<String>| {
            Element::Sequence(name.as_deref().map(text).into_iter().collect())
        };
        let elements = match value {
            FieldInput::NumberOnly => Vec::new(),
            FieldInput::Text(value) if field.kind == FieldKind::Spouse => {
                vec![Element::Sequence(vec![text(value)])]
            }
            FieldInput::Text(value) => vec![text(value)],
            FieldInput::Parents { father, mother } => vec![place(father), place(mother)],
        };
        self.fields.insert(field.number, elements);
        self
    }

    /// Sets a field that the layout does not know to a text.
    pub fn set_unknown(&mut self, number: u32, string: StringType, text: &str) -> &mut Self {
        let element = Element::Text { string, bytes: text.as_bytes().to_vec() };
        self.fields.insert(number, vec![element]);
        self
    }

    /// Encodes, and reads back what was encoded.
    ///
    /// # Errors
    /// [`Dg13Error::TooLong`].
    pub fn build(&self) -> Result<Dg13, Dg13Error> {
        let fields: Vec<Dg13Field> = self
            .fields
            .iter()
            .map(|(number, elements)| Dg13Field {
                number: Some(*number),
                elements: elements.clone(),
                offset: 0,
            })
            .collect();
        Dg13::decode(&encode_dg13(self.layout.version, self.layout.oid, &fields))
    }
}
