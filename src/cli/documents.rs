//! Tests that the documents say what the program does: commands, policies, profiles.

use std::path::{Path, PathBuf};

use clap::Command;

use super::Lang;
use crate::document::CardProfile;
use crate::verify::Policy;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Everything for readers in both languages.
fn documents() -> Vec<PathBuf> {
    let mut paths = vec![root().join("README.md"), root().join("README.vi.md")];
    for folder in ["docs/en", "docs/vi"] {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    paths.retain(|path| path.extension().is_some_and(|e| e == "md"));
    paths
}

/// The words of a command as a shell has them: what stands after two spaces is a remark, what comes
/// after > or | is another program's.
fn words(line: &str) -> Vec<String> {
    let line = ["  ", " #", " >", " |"]
        .iter()
        .fold(line, |line, end| line.split(end).next().unwrap_or_default());
    let mut words = Vec::new();
    for (number, part) in line.split(['"', '\'']).enumerate() {
        // Every other part stood in quotes.
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(ToOwned::to_owned));
        }
    }
    words
}

/// The lines of a text that are commands, continued ones put together.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines().map(str::trim) {
        let line = match open.take() {
            Some(start) => format!("{start} {line}"),
            None if line.starts_with("cancuoc ") => line.to_owned(),
            None => continue,
        };
        match line.strip_suffix('\\') {
            Some(start) => open = Some(start.trim_end().to_owned()),
            None => found.push(line),
        }
    }
    found
}

fn check(line: &str, place: &str) {
    let parsed = super::command(Lang::En).try_get_matches_from(words(line));
    if let Err(error) = parsed.map_err(|e| e.to_string()) {
        panic!("{place}: {line}\n{error}");
    }
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut count = 0;
    for path in documents() {
        for line in commands(&read(&path)) {
            check(&line, &path.display().to_string());
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_example_in_the_help_is_a_command() {
    fn examples(command: &Command, path: &str) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in commands(&help) {
            check(&line, path);
        }
        for sub in command.get_subcommands() {
            examples(sub, &format!("{path} {}", sub.get_name()));
        }
    }
    examples(&super::command(Lang::En), "cancuoc");
}

#[test]
fn every_key_and_reason_of_a_policy_is_explained() {
    let strict: toml::Table =
        toml::from_str(&read(&root().join("profiles/policies/strict.toml"))).unwrap();
    let sections = strict.iter().filter_map(|(name, value)| Some((name, value.as_table()?)));
    let keys: Vec<String> = sections
        .flat_map(|(name, keys)| keys.keys().map(move |key| format!("`{name}.{key}`")))
        .collect();
    let rules = read(&root().join("src/verify/policy/rules.rs"));
    let quoted = rules.split('"').skip(1).step_by(2).filter(|text| text.starts_with("policy_"));
    let reasons: Vec<String> = quoted.map(|code| format!("`{code}`")).collect();
    let names = Policy::NAMES.iter().map(|name| format!("`{name}`"));
    let wanted: Vec<String> = keys.into_iter().chain(reasons).chain(names).collect();
    assert!(wanted.len() > 35, "{wanted:?}");
    for name in ["docs/en/policies.md", "docs/vi/chinh-sach.md"] {
        let text = read(&root().join(name));
        let missing: Vec<_> = wanted.iter().filter(|word| !text.contains(*word)).collect();
        assert!(missing.is_empty(), "{name} says nothing of {missing:?}");
    }
}

#[test]
fn every_policy_in_the_documents_can_be_used() {
    let mut count = 0;
    for path in documents() {
        let text = read(&path);
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            let result = match block {
                policy if policy.contains("cancuoc.policy/1") => {
                    Policy::from_toml(policy).map(drop).map_err(|e| e.to_string())
                }
                profile => CardProfile::from_toml(profile).map(drop).map_err(|e| e.to_string()),
            };
            assert_eq!(result, Ok(()), "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 2, "{count}");
}
