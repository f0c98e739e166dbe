//! The JSON of an inspection as text for people.

use serde_json::{Map, Value};

use super::Context;

/// Members that only JSON shows: too long for people.
const JSON_ONLY: [&str; 2] = ["entries", "tag_list"];

/// The members of an object, one a line, nested ones indented.
pub(super) fn object(
    context: &Context,
    members: &Map<String, Value>,
    indent: usize,
) -> Vec<String> {
    let shown = members
        .iter()
        .filter(|(key, value)| !value.is_null() && !JSON_ONLY.contains(&key.as_str()));
    shown.flat_map(|(key, value)| member(context, key, value, indent)).collect()
}

fn member(context: &Context, key: &str, value: &Value, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let label = label(context, key);
    match value {
        Value::Object(members) if members.values().all(Value::is_number) => {
            let pairs: Vec<String> =
                members.iter().map(|(k, v)| format!("{} {v}", printable(k))).collect();
            vec![format!("{margin}{label}: {}", pairs.join(", "))]
        }
        Value::Object(members) => {
            let mut lines = vec![format!("{margin}{label}:")];
            lines.extend(object(context, members, indent + 2));
            lines
        }
        Value::Array(items) if is_dump(items) => {
            let mut lines = vec![format!("{margin}{label}:")];
            lines.extend(items.iter().flat_map(|item| data_object(item, indent + 2)));
            lines
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut lines = vec![format!("{margin}{label}:")];
            lines.extend(items.iter().flat_map(|item| list_item(context, item, indent + 2)));
            lines
        }
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(scalar).collect();
            vec![format!("{margin}{label}: {}", texts.join(", "))]
        }
        Value::Bool(truth) => {
            let word = context.text(if *truth { "inspect.yes" } else { "inspect.no" }, &[]);
            vec![format!("{margin}{label}: {word}")]
        }
        other => vec![format!("{margin}{label}: {}", scalar(other))],
    }
}

/// An object in a list: a dash before its first line.
fn list_item(context: &Context, item: &Value, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let Value::Object(members) = item else { return vec![format!("{margin}- {}", scalar(item))] };
    let mut lines = object(context, members, indent + 2);
    if let Some(first) = lines.first_mut() {
        *first = format!("{margin}- {}", first.trim_start());
    }
    lines
}

fn label(context: &Context, key: &str) -> String {
    let find = |prefix| super::super::text::find(context.lang, &format!("{prefix}.{key}"), &[]);
    find("inspect.label").or_else(|| find("field")).unwrap_or_else(|| printable(key))
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// Text from a card or a certificate, without what could command the terminal or turn the line
/// around.
pub(super) fn printable(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}')
    };
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if harmful(character) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

fn is_dump(items: &[Value]) -> bool {
    items.iter().any(|item| item.get("tag").is_some() && item.get("offset").is_some())
}

/// A data object of a dump in one line, those inside it below.
fn data_object(item: &Value, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let text = |key: &str| item.get(key).map(scalar);
    if let Some(malformed) = text("malformed") {
        return vec![format!("{margin}! {malformed}")];
    }
    let mut line = format!(
        "{margin}{} [{}]",
        text("tag").unwrap_or_default(),
        text("length").unwrap_or_default()
    );
    if let Some(name) = text("name") {
        line.push_str(&format!(" {name}"));
    }
    if let Some(value) = text("meaning").or_else(|| text("hex")).filter(|v| !v.is_empty()) {
        line.push_str(&format!(": {value}"));
    }
    let inner = item.get("objects").and_then(Value::as_array);
    let inner = inner.into_iter().flatten().flat_map(|item| data_object(item, indent + 2));
    std::iter::once(line).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_card_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1B}[2Jb\nc\u{202E}d"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}d");
        assert_eq!(printable("Nguyễn Thị Mẫu"), "Nguyễn Thị Mẫu");
    }
}
