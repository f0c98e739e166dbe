//! JSON read under limits, and walked with the path at hand.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::issue::finding::Findings;

/// The largest record read, in bytes.
pub const MAX_LENGTH: usize = 1 << 20;

/// Reads a document of at most `limit` bytes; an object with the same key twice is refused, since readers differ on which
/// of the two counts.
pub(crate) fn parse(source: &[u8], limit: usize, findings: &mut Findings) -> Option<Value> {
    if source.len() > limit {
        findings.error("$", "record_too_large", &[("limit", &limit)]);
        return None;
    }
    match serde_json::from_slice::<Unique>(source) {
        Ok(Unique(value)) => Some(value),
        Err(error) if error.to_string().starts_with(DUPLICATE) => {
            let (line, column) = (error.line(), error.column());
            findings.error("$", "record_duplicate_key", &[("line", &line), ("column", &column)]);
            None
        }
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            findings.error("$", "record_not_json", &[("line", &line), ("column", &column)]);
            None
        }
    }
}

const DUPLICATE: &str = "the same key twice";

/// A JSON value without repeated keys.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(map))
    }
}

/// An object of the record and its path.
pub(super) struct Object<'a> {
    pub path: String,
    map: Option<&'a Map<String, Value>>,
}

impl<'a> Object<'a> {
    /// The document itself.
    pub fn root(value: &'a Value, findings: &mut Findings) -> Self {
        Self::from(value, "$".to_owned(), findings)
    }

    fn from(value: &'a Value, path: String, findings: &mut Findings) -> Self {
        let map = value.as_object();
        if map.is_none() {
            findings.error(&path, "record_wrong_type", &[("expected", &"object")]);
        }
        Self { path, map }
    }

    /// The path of a member; what a stranger wrote as a key is cut and escaped.
    pub fn path_of(&self, key: &str) -> String {
        let shown: String = key.chars().take(60).flat_map(char::escape_default).collect();
        // Vietnamese keys are not escaped: only control characters, quotes and backslashes are.
        let plain =
            key.chars().count() <= 60 && !key.chars().any(|c| c.is_control() || "\"\\".contains(c));
        format!("{}.{}", self.path, if plain { key } else { &shown })
    }

    /// A member, `null` included.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.map?.get(key)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.map.into_iter().flat_map(Map::keys)
    }

    /// A member that is an object; an empty one if there is none.
    pub fn object(&self, key: &str, findings: &mut Findings) -> Object<'a> {
        let path = self.path_of(key);
        match self.get(key) {
            Some(value) => Self::from(value, path, findings),
            None => Object { path, map: None },
        }
    }

    /// A member that is a text; another type is a finding.
    pub fn text(&self, key: &str, findings: &mut Findings) -> Option<&'a str> {
        self.typed(key, "string", Value::as_str, findings)
    }

    /// A member that is true or false; another type is a finding.
    pub fn boolean(&self, key: &str, findings: &mut Findings) -> Option<bool> {
        self.typed(key, "boolean", Value::as_bool, findings)
    }

    /// A member that is a list of texts; empty if there is none. Another type is a finding.
    pub fn texts(&self, key: &str, findings: &mut Findings) -> Vec<&'a str> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let texts = value.as_array().map(|list| list.iter().map(Value::as_str).collect());
        texts.flatten().unwrap_or_else(|| {
            let expected = "array of strings";
            findings.error(&self.path_of(key), "record_wrong_type", &[("expected", &expected)]);
            Vec::new()
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
        findings: &mut Findings,
    ) -> Option<T> {
        let value = self.get(key)?;
        let typed = read(value);
        if typed.is_none() {
            findings.error(&self.path_of(key), "record_wrong_type", &[("expected", &expected)]);
        }
        typed
    }

    /// Reports every key that is not among `known`.
    pub fn refuse_unknown_keys(&self, known: &[&str], findings: &mut Findings) {
        for key in self.keys().filter(|key| !known.contains(&key.as_str())) {
            let path = self.path_of(key);
            match closest(key, known) {
                Some(close) => {
                    findings.error(&path, "record_unknown_key_similar", &[("similar", &close)]);
                }
                None => findings.error(&path, "record_unknown_key", &[]),
            }
        }
    }
}

/// The known key that a misspelt one probably is.
fn closest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    // Keys are short; a long one resembles none.
    if key.len() > 64 {
        return None;
    }
    let scored = known.iter().map(|k| (distance(key, k), *k));
    scored.filter(|(d, k)| *d <= 2 && *d < k.len()).min().map(|(_, k)| k)
}

/// Edit distance (insert, delete, replace), in bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above_left), above) in right.bytes().zip(&row).zip(row.iter().skip(1)) {
            let before = next.last().copied().unwrap_or(0);
            next.push((above_left + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("birth_day", "birth_date"), 2);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn refuses_a_key_that_stands_twice() {
        let mut findings = Findings::default();
        assert_eq!(parse(br#"{"a": {"b": 1, "b": 2}}"#, MAX_LENGTH, &mut findings), None);
        assert_eq!(findings.into_list()[0].code, "record_duplicate_key");
    }

    #[test]
    fn refuses_deep_nesting_without_overflow() {
        let mut findings = Findings::default();
        assert_eq!(parse("[".repeat(100_000).as_bytes(), MAX_LENGTH, &mut findings), None);
        assert_eq!(findings.into_list()[0].code, "record_not_json");
    }
}
