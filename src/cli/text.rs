//! The catalogue of messages in Vietnamese and English, from `i18n/*.toml`.
//!
//! A message has a key, and a sentence in each language with placeholders `{name}`:
//!
//! ```toml
//! ["error.card_removed"]
//! en = "The card was removed from the reader while it was being read."
//! vi = "Thẻ đã bị lấy ra khỏi đầu đọc khi đang đọc."
//! ```

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::OnceLock;

use clap::ValueEnum;
use serde::Deserialize;

/// One file for each area, so that a newcomer finds a sentence where its command is.
const FILES: &[(&str, &str)] = &[
    ("audit", include_str!("../../i18n/audit.toml")),
    ("common", include_str!("../../i18n/common.toml")),
    ("terminal", include_str!("../../i18n/terminal.toml")),
    ("reading", include_str!("../../i18n/reading.toml")),
    ("demo", include_str!("../../i18n/demo.toml")),
    ("lds", include_str!("../../i18n/lds.toml")),
    ("trust", include_str!("../../i18n/trust.toml")),
    ("verify", include_str!("../../i18n/verify.toml")),
    ("checkpoint", include_str!("../../i18n/checkpoint.toml")),
    ("web", include_str!("../../i18n/web.toml")),
    ("report", include_str!("../../i18n/report.toml")),
    ("reasons", include_str!("../../i18n/reasons.toml")),
    ("inspect", include_str!("../../i18n/inspect.toml")),
    ("pki", include_str!("../../i18n/pki.toml")),
    ("production", include_str!("../../i18n/production.toml")),
    ("keys", include_str!("../../i18n/keys.toml")),
    ("cvc", include_str!("../../i18n/cvc.toml")),
    ("softcard", include_str!("../../i18n/softcard.toml")),
    ("deck", include_str!("../../i18n/deck.toml")),
    ("globalplatform", include_str!("../../i18n/globalplatform.toml")),
    ("document", include_str!("../../i18n/document.toml")),
    ("issue", include_str!("../../i18n/issue.toml")),
    ("journal", include_str!("../../i18n/journal.toml")),
    ("record", include_str!("../../i18n/record.toml")),
];

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Vietnamese.
    Vi,
    /// English.
    En,
}

impl Lang {
    /// The language that `--lang` names, before the command line is parsed: help and usage errors
    /// need it.
    #[must_use]
    pub fn from_arguments(arguments: &[OsString]) -> Option<Self> {
        let mut arguments = arguments.iter().filter_map(|a| a.to_str());
        while let Some(argument) = arguments.next() {
            let value = match argument.strip_prefix("--lang") {
                Some("") => arguments.next(),
                Some(rest) => rest.strip_prefix('='),
                None => continue,
            };
            return value.and_then(|v| Self::from_str(v, true).ok());
        }
        None
    }

    /// The language of the environment: the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is
    /// set; Vietnamese where it says `vi`, else English.
    #[must_use]
    pub fn from_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        match locale {
            Some(locale) if locale.starts_with("vi") => Self::Vi,
            _ => Self::En,
        }
    }

    /// The sentence of this language.
    #[must_use]
    pub fn pick<T>(self, en: T, vi: T) -> T {
        match self {
            Self::Vi => vi,
            Self::En => en,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    en: String,
    vi: String,
}

fn catalogue() -> &'static HashMap<String, Message> {
    static CATALOGUE: OnceLock<HashMap<String, Message>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let files = FILES.iter().filter_map(|(_, source)| {
            // A file that does not parse is caught by a test below.
            toml::from_str::<HashMap<String, Message>>(source).ok()
        });
        files.flatten().collect()
    })
}

/// A message with its placeholders filled, if the catalogue has it.
#[must_use]
pub fn find(lang: Lang, key: &str, values: &[(&str, &str)]) -> Option<String> {
    let message = catalogue().get(key)?;
    Some(fill(lang.pick(&message.en, &message.vi), values))
}

/// The values that the facts of an error have in a language: a fact `reason` is the code of a
/// sentence of its own.
#[must_use]
pub fn facts<S: AsRef<str>>(
    lang: Lang,
    detail: &str,
    facts: &[(S, String)],
) -> Vec<(String, String)> {
    let value = |(place, (name, value)): (usize, &(S, String))| {
        let rest = facts.get(place + 1..).unwrap_or_default();
        let words = (name.as_ref() == "reason").then(|| reason(lang, value, detail, rest));
        (name.as_ref().to_owned(), words.flatten().unwrap_or_else(|| value.clone()))
    };
    facts.iter().enumerate().map(value).collect()
}

/// The sentence of a reason, if the catalogue has it: as an error, or as the outcome of a check.
#[must_use]
pub fn reason<S: AsRef<str>>(
    lang: Lang,
    code: &str,
    detail: &str,
    facts: &[(S, String)],
) -> Option<String> {
    let facts = self::facts(lang, detail, facts);
    let mut values: Vec<(&str, &str)> = vec![("detail", detail)];
    values.extend(facts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let find = |kind: &str| find(lang, &format!("{kind}.{code}"), &values);
    find("error").or_else(|| find("check"))
}

/// A message with its placeholders filled; the key itself where the catalogue lacks it.
#[must_use]
pub fn text(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    find(lang, key, values).unwrap_or_else(|| key.to_owned())
}

/// Fills `{name}` in one pass, so that a value that holds braces is not filled again.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let found = after.split_once('}').and_then(|(name, tail)| {
            values.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value, tail))
        });
        match found {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Text of a card without what moves cursors, colours screens or turns the direction of writing: a
/// card must not draw a verdict of its own.
#[must_use]
pub fn plain(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if acts(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn files() -> Vec<(&'static str, HashMap<String, Message>)> {
        let parse = |(name, source): &(&'static str, &str)| {
            (*name, toml::from_str(source).unwrap_or_else(|e| panic!("i18n/{name}.toml: {e}")))
        };
        FILES.iter().map(parse).collect()
    }

    fn placeholders(sentence: &str) -> BTreeSet<&str> {
        sentence.split('{').skip(1).filter_map(|s| s.split_once('}')).map(|(n, _)| n).collect()
    }

    #[test]
    fn both_languages_use_the_same_placeholders() {
        for (file, messages) in files() {
            for (key, message) in messages {
                assert_eq!(
                    placeholders(&message.en),
                    placeholders(&message.vi),
                    "{key} in i18n/{file}.toml"
                );
            }
        }
    }

    #[test]
    fn no_key_stands_in_two_files() {
        let mut seen = HashMap::new();
        for (file, messages) in files() {
            for key in messages.into_keys() {
                if let Some(other) = seen.insert(key.clone(), file) {
                    panic!("{key} stands in {other} and in {file}");
                }
            }
        }
    }

    #[test]
    fn no_sentence_is_empty() {
        for (file, messages) in files() {
            for (key, m) in messages {
                assert!(!m.en.is_empty() && !m.vi.is_empty(), "{key} in i18n/{file}.toml");
            }
        }
    }

    #[test]
    fn every_error_code_of_the_library_has_a_sentence_in_both_languages() {
        let mut missing = BTreeSet::new();
        for (path, source) in rust_sources() {
            for code in codes_in(&source) {
                if find(Lang::En, &format!("error.{code}"), &[]).is_none() {
                    missing.insert(format!("{code} ({path})"));
                }
            }
        }
        assert!(missing.is_empty(), "no [\"error.CODE\"] in i18n/ for: {missing:#?}");
    }

    /// The string literals in the bodies of `fn code(&self) -> &'static str`.
    fn codes_in(source: &str) -> Vec<String> {
        let mut codes = Vec::new();
        for body in source.split("fn code(&self) -> &'static str {").skip(1) {
            let body = body.split("\n    }\n").next().unwrap_or_default();
            let quoted = body.split('"').skip(1).step_by(2);
            let is_code = |c: &&str| c.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
            codes.extend(quoted.filter(is_code).map(ToOwned::to_owned));
        }
        codes
    }

    fn rust_sources() -> Vec<(String, String)> {
        let mut folders =
            vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut sources = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let source = std::fs::read_to_string(&path).unwrap();
                    sources.push((path.display().to_string(), source));
                }
            }
        }
        sources
    }

    #[test]
    fn a_card_says_nothing_to_the_terminal() {
        assert_eq!(plain("Nguyễn\x1b[2J\u{202E}X\u{9b}"), "Nguyễn\u{FFFD}[2J\u{FFFD}X\u{FFFD}");
    }

    #[test]
    fn fills_each_placeholder_once() {
        assert_eq!(fill("{a} and {b} {c", &[("a", "{b}"), ("b", "2")]), "{b} and 2 {c");
    }

    #[test]
    fn finds_the_language_in_the_arguments() {
        let args = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(Lang::from_arguments(&args(&["x", "--lang", "vi"])), Some(Lang::Vi));
        assert_eq!(Lang::from_arguments(&args(&["x", "--lang=en", "y"])), Some(Lang::En));
        assert_eq!(Lang::from_arguments(&args(&["x", "--language"])), None);
    }
}
