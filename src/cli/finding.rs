//! Findings of a record as people and programs read them.

use std::io::Read;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::text::{Lang, text};
use crate::issue::{Finding, LoadError, Loader};

/// The sentence for a finding, without its path.
#[must_use]
pub fn sentence(lang: Lang, finding: &Finding) -> String {
    let mut values: Vec<(&str, &str)> = vec![("path", &finding.path)];
    values.extend(finding.values.iter().map(|(name, value)| (*name, value.as_str())));
    text(lang, &format!("finding.{}", finding.code), &values)
}

/// A line for a finding: how bad, where, what.
#[must_use]
pub fn line(lang: Lang, finding: &Finding) -> String {
    let severity = text(lang, finding.severity.key(), &[]);
    format!("{severity}: {}: {}", finding.path, sentence(lang, finding))
}

/// A finding as JSON: path, severity, code and message.
#[must_use]
pub fn to_json(lang: Lang, finding: &Finding) -> Value {
    json!({
        "path": finding.path,
        "severity": finding.severity,
        "code": finding.code,
        "message": sentence(lang, finding),
    })
}

/// Files beside a record.
#[derive(Debug, Clone)]
pub struct RecordFolder {
    folder: PathBuf,
}

impl RecordFolder {
    /// The folder that paths in the record are relative to.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Loader for RecordFolder {
    fn load(&self, path: &str, limit: usize) -> Result<Vec<u8>, LoadError> {
        let file = match std::fs::File::open(self.folder.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LoadError::NotFound);
            }
            Err(_) => return Err(LoadError::Unreadable),
        };
        // One byte more than allowed tells a file that is too large.
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).map_err(|_| LoadError::Unreadable)?;
        if bytes.len() > limit { Err(LoadError::TooLarge) } else { Ok(bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::{Severity, check};
    use jiff::civil::date;

    fn specimens() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/testvectors/specimen"))
    }

    #[test]
    fn checks_a_record_with_the_files_beside_it() {
        let source = std::fs::read(specimens().join("record.json")).unwrap();
        let findings = check(&source, &RecordFolder::new(specimens()), date(2026, 11, 23));
        assert_eq!(findings, []);
    }

    #[test]
    fn tells_missing_files_from_files_that_are_too_large() {
        let folder = RecordFolder::new(specimens());
        assert_eq!(folder.load("none", 10), Err(LoadError::NotFound));
        assert_eq!(folder.load("portrait.jpg", 10), Err(LoadError::TooLarge));
    }

    #[test]
    fn says_every_mistake_in_both_languages() {
        let source = std::fs::read(specimens().join("ten-mistakes.json")).unwrap();
        let findings = check(&source, &RecordFolder::new(specimens()), date(2026, 11, 23));
        assert_eq!(findings.len(), 10);
        for finding in findings {
            let (en, vi) = (sentence(Lang::En, &finding), sentence(Lang::Vi, &finding));
            assert!(!en.contains('{') && !en.starts_with("finding."), "{en}");
            assert_ne!(en, vi);
            assert_eq!(line(Lang::En, &finding), format!("error: {}: {en}", finding.path));
        }
    }

    #[test]
    fn has_a_sentence_for_every_finding_that_a_record_can_have() {
        let mut codes = std::collections::BTreeSet::new();
        let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/issue"))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                    let source = std::fs::read_to_string(path).unwrap();
                    let quoted = source.split('"').skip(1).step_by(2);
                    let is_code = |text: &&str| text.starts_with("record_");
                    codes.extend(quoted.filter(is_code).map(ToOwned::to_owned));
                }
            }
        }
        assert!(codes.len() > 40, "{codes:?}");
        for code in codes {
            let key = format!("finding.{code}");
            assert!(super::super::text::find(Lang::En, &key, &[]).is_some(), "{key}");
        }
    }

    #[test]
    fn has_a_name_in_both_languages_for_every_field_of_a_card() {
        for profile in crate::document::CardProfile::NAMES {
            let profile = crate::document::CardProfile::builtin(profile).unwrap();
            for field in &profile.dg13.fields {
                let key = format!("field.{}", field.name);
                assert!(super::super::text::find(Lang::Vi, &key, &[]).is_some(), "{key}");
            }
        }
    }

    #[test]
    fn has_a_word_for_every_severity() {
        for severity in [Severity::Note, Severity::Warning, Severity::Error] {
            assert!(super::super::text::find(Lang::Vi, severity.key(), &[]).is_some());
        }
    }

    #[test]
    fn gives_path_severity_code_and_message_as_json() {
        let finding = Finding {
            path: "$.fields".to_owned(),
            severity: Severity::Error,
            code: "record_missing",
            values: vec![],
        };
        let expected = json!({
            "path": "$.fields", "severity": "error", "code": "record_missing",
            "message": "This is required and not there."
        });
        assert_eq!(to_json(Lang::En, &finding), expected);
    }
}
