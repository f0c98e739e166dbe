//! DG13 as JSON, the same wherever it is shown.

use serde_json::{Map, Value, json};

use super::view::{Dg13View, FieldState, parents};
use super::{Dg13Field, Element, FieldKind};

impl Dg13View<'_> {
    /// The fields by the names of the profile, as in a record: a text (`""` where it is empty),
    /// `null` where only the number is there, no key where the field is absent. Fields without a
    /// name are `field_NUMBER`, members without number are left out, and what is no text is hexadecimal:
    /// `{ "hex": … }`. Of a repeated field the first counts, as everywhere.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        for (layout, field) in self.fields() {
            let Some(number) = field.number else { continue };
            let name = layout.map_or_else(|| format!("field_{number}"), |l| l.name.clone());
            let kind = layout.map(|l| l.kind);
            object.entry(name).or_insert_with(|| value(kind, field));
        }
        Value::Object(object)
    }
}

fn value(kind: Option<FieldKind>, field: &Dg13Field) -> Value {
    if kind == Some(FieldKind::Parents)
        && let Some(parents) = parents(&field.elements)
    {
        let name = |state| match state {
            FieldState::Text(text) => json!(text),
            _ => Value::Null,
        };
        return json!({ "father": name(parents.father), "mother": name(parents.mother) });
    }
    match Dg13View::state_of_field(field) {
        FieldState::Text(text) => json!(text),
        FieldState::Absent | FieldState::NumberOnly => Value::Null,
        FieldState::Other => {
            let bytes: Vec<u8> = field.elements.iter().flat_map(Element::encode).collect();
            json!({ "hex": hex::encode_upper(bytes) })
        }
    }
}
