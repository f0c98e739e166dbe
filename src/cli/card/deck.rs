//! The forgery deck as files, and its list: `cancuoc.deck/1`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Context, ExitStatus, Failure, Lang, output, text};
use crate::deck::{Deck, Entry, Expected, Given, POLICIES};
use crate::error::ErrorCode;
use crate::softcard::SoftCard;

/// Schema of the list.
pub(in crate::cli) const SCHEMA: &str = "cancuoc.deck/1";
/// Name of the list in the folder.
pub(in crate::cli) const LIST: &str = "deck.json";

/// Makes the deck in a new folder.
pub(super) fn make(
    context: &Context,
    folder: &Path,
    only: &[String],
) -> Result<ExitStatus, Failure> {
    let entries = chosen(only)?;
    new_folder(folder)?;
    let deck = Deck::new().map_err(|e| defect(&e))?;
    write_surroundings(&deck, &entries, folder)?;
    for entry in &entries {
        let memory = deck.card(entry).map_err(|e| defect(&e))?;
        SoftCard::write(&folder.join(card_file(entry)), &memory).map_err(super::card_failure)?;
    }
    let list = format!("{:#}\n", list_json(&entries));
    write(&folder.join(LIST), list.as_bytes())?;
    let good = entries.iter().filter(|entry| entry.is_good()).count();
    let (bad, path) = (entries.len() - good, folder.display().to_string());
    let list = folder.join(LIST).display().to_string();
    if context.json {
        output::json(&json!({
            "schema": "cancuoc.card-forge/1",
            "deck": path,
            "list": list,
            "good": good,
            "bad": bad,
        }))?;
        return Ok(ExitStatus::Done);
    }
    let (good, bad) = (good.to_string(), bad.to_string());
    let values = [("bad", &bad[..]), ("good", &good), ("folder", &path), ("list", &list)];
    output::line(&context.text("deck.written", &values))?;
    if let Some(entry) = entries.iter().find(|entry| !entry.is_good()) {
        let values = [("folder", &path[..]), ("card", &card_file(entry))];
        output::line(&context.text("deck.try", &values))?;
    }
    Ok(ExitStatus::Done)
}

/// Says what is in the deck.
pub(super) fn list(context: &Context, only: &[String]) -> Result<ExitStatus, Failure> {
    let entries = chosen(only)?;
    if context.json {
        output::json(&list_json(&entries))?;
        return Ok(ExitStatus::Done);
    }
    let keys = ["card", "verdict", "exit", "checks", "meaning"];
    let header: Vec<String> =
        keys.iter().map(|key| context.text(&format!("deck.header.{key}"), &[])).collect();
    let mut table = output::table(&header);
    for entry in entries {
        table.add_row([
            entry.name.to_owned(),
            verdict(entry).to_owned(),
            entry.expected.exit().to_string(),
            checks(entry).join(", "),
            meaning(context.lang, entry),
        ]);
    }
    output::line(&table.to_string())?;
    Ok(ExitStatus::Done)
}

/// The entries whose names begin as asked for, and the twins of those; all where nothing was.
fn chosen(only: &[String]) -> Result<Vec<&'static Entry>, Failure> {
    let named = |entry: &Entry| {
        only.is_empty() || only.iter().any(|start| entry.name.starts_with(start.as_str()))
    };
    let all = Deck::entries();
    let names: BTreeSet<&str> = all
        .iter()
        .filter(|entry| named(entry))
        .flat_map(|entry| [Some(entry.name), entry.twin])
        .flatten()
        .collect();
    if names.is_empty() {
        return Err(Failure::new(ExitStatus::Usage, "deck_empty", only.join(", ")));
    }
    Ok(all.into_iter().filter(|entry| names.contains(entry.name)).collect())
}

fn defect(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::Defect, error)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content).map_err(|e| Failure::file(path, &e))
}

fn new_folder(folder: &Path) -> Result<(), Failure> {
    output::create_private_folder(folder).map_err(|e| Failure::file(folder, &e))?;
    let mut content = std::fs::read_dir(folder).map_err(|e| Failure::file(folder, &e))?;
    if content.next().is_some() {
        let failure = Failure::new(ExitStatus::Protected, "deck_folder_not_empty", "not empty");
        return Err(failure.with("path", folder.display()));
    }
    Ok(())
}

/// Trust folders and policies.
fn write_surroundings(deck: &Deck, entries: &[&Entry], folder: &Path) -> Result<(), Failure> {
    let mut done = BTreeSet::new();
    for entry in entries {
        if !done.insert(entry.trust.name) {
            continue;
        }
        let own = folder.join(trust(entry));
        output::create_private_folder(&own).map_err(|e| Failure::file(&own, &e))?;
        for (name, content) in deck.trust(&entry.trust).map_err(|e| defect(&e))? {
            write(&own.join(name), &content)?;
        }
    }
    for (name, source) in POLICIES {
        if entries.iter().any(|entry| entry.policy == name) {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            output::create_private_folder(parent).map_err(|e| Failure::file(parent, &e))?;
            write(&path, source.as_bytes())?;
        }
    }
    Ok(())
}

fn card_file(entry: &Entry) -> String {
    format!("{}.card", entry.name)
}

fn trust(entry: &Entry) -> String {
    format!("trust/{}", entry.trust.name)
}

fn meaning(lang: Lang, entry: &Entry) -> String {
    text::text(lang, &format!("deck.{}", entry.name), &[])
}

/// The verdict, or the code of the error.
fn verdict(entry: &Entry) -> &'static str {
    match entry.expected {
        Expected::Aborted { error, .. } => error,
        expected => expected.verdict().unwrap_or_default(),
    }
}

/// `pa.hashes failed dg_missing` and so on.
fn checks(entry: &Entry) -> Vec<String> {
    let noted = entry.noted.iter();
    noted.map(|n| format!("{} {} {}", n.check, n.outcome.as_str(), n.code)).collect()
}

/// Option and value by which a verifier is given what it needs of the card's surface.
const fn given(entry: &Entry) -> (&'static str, &'static str) {
    match entry.given {
        Given::Can(can) => ("can", can),
        Given::Mrz(lines) => ("mrz", lines),
        Given::Qr(text) => ("qr", text),
    }
}

/// How `verify` is called in the folder of the deck.
fn arguments(entry: &Entry) -> Vec<String> {
    let (option, value) = given(entry);
    let mut arguments = vec![
        "--reader".to_owned(),
        format!("card:{}", card_file(entry)),
        "verify".to_owned(),
        format!("--{option}"),
        value.to_owned(),
        "--trust".to_owned(),
        trust(entry),
        "--policy".to_owned(),
        entry.policy.to_owned(),
    ];
    if entry.allow_bac {
        arguments.push("--allow-bac".to_owned());
    }
    arguments
}

fn entry_json(entry: &Entry) -> Value {
    let (option, value) = given(entry);
    let noted = entry.noted.iter();
    let checks: Vec<Value> = noted
        .map(|n| json!({ "id": n.check, "status": n.outcome.as_str(), "code": n.code }))
        .collect();
    let error = match entry.expected {
        Expected::Aborted { error, .. } => Some(error),
        _ => None,
    };
    json!({
        "row": entry.row(),
        "name": entry.name,
        "meaning": { "en": meaning(Lang::En, entry), "vi": meaning(Lang::Vi, entry) },
        "card": card_file(entry),
        "good": entry.is_good(),
        "twin": entry.twin,
        "given": { option: value },
        "allow_bac": entry.allow_bac,
        "policy": entry.policy,
        "trust": trust(entry),
        "verdict": entry.expected.verdict(),
        "error": error,
        "exit": entry.expected.exit(),
        "checks": checks,
        "arguments": arguments(entry),
    })
}

fn list_json(entries: &[&Entry]) -> Value {
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "entries": entries.iter().map(|entry| entry_json(entry)).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_has_its_line_in_both_languages() {
        for entry in Deck::entries() {
            for lang in [Lang::En, Lang::Vi] {
                let key = format!("deck.{}", entry.name);
                assert!(text::find(lang, &key, &[]).is_some(), "[\"{key}\"] in i18n/deck.toml");
            }
        }
    }

    #[test]
    fn every_reason_in_the_list_is_one_of_the_verifier() {
        for entry in Deck::entries() {
            for noted in entry.noted {
                let known = crate::verify::reasons::find(noted.code).is_some();
                assert!(known, "{}: {}", entry.name, noted.code);
            }
            if let Expected::Aborted { error, .. } = entry.expected {
                let key = format!("error.{error}");
                assert!(text::find(Lang::En, &key, &[]).is_some(), "{}: {error}", entry.name);
            }
        }
    }

    #[test]
    fn only_takes_the_twins_along() {
        let names = |only: &str| {
            let entries = chosen(&[only.to_owned()]).unwrap();
            entries.iter().map(|entry| entry.name).collect::<Vec<_>>()
        };
        assert_eq!(names("N12"), ["N00-good", "N12-message-digest"]);
        assert!(chosen(&["N99".to_owned()]).is_err());
    }

    /// The documents with the table of the deck, and the titles of its columns.
    const TABLES: [(Lang, &str, &str); 2] = [
        (
            Lang::En,
            "docs/en/deck.md",
            "| card | what is special about it | verdict | checks | good twin | given |",
        ),
        (
            Lang::Vi,
            "docs/vi/bo-the-gia.md",
            "| thẻ | điểm đặc biệt | kết luận | mục kiểm tra | bản đối chứng | cho trước |",
        ),
    ];

    fn table(lang: Lang, header: &str) -> String {
        let mut out = format!("{header}\n|---|---|---|---|---|---|\n");
        for entry in Deck::entries() {
            let quoted = |items: Vec<String>| {
                items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join("<br>")
            };
            let mut options = vec![format!("--{}", given(entry).0)];
            if entry.policy != "strict" {
                options.push(format!("--policy {}", entry.policy));
            }
            if entry.allow_bac {
                options.push("--allow-bac".to_owned());
            }
            if entry.trust.name != "base" {
                options.push(format!("--trust {}", trust(entry)));
            }
            out += &format!(
                "| `{}` | {} | `{}` ({}) | {} | {} | {} |\n",
                entry.name,
                meaning(lang, entry),
                verdict(entry),
                entry.expected.exit(),
                quoted(checks(entry)),
                entry.twin.map(|twin| format!("`{twin}`")).unwrap_or_default(),
                quoted(options),
            );
        }
        out
    }

    /// Where they differ, run the test once more with `CANCUOC_WRITE_DOCS=1`.
    #[test]
    fn the_documents_have_the_table_of_the_deck() {
        for (lang, file, header) in TABLES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let document = std::fs::read_to_string(&path).unwrap();
            let (before, rest) = document.split_once("<!-- deck -->\n").unwrap();
            let (_, after) = rest.split_once("<!-- end of deck -->\n").unwrap();
            let table = table(lang, header);
            let wanted = format!("{before}<!-- deck -->\n{table}<!-- end of deck -->\n{after}");
            if std::env::var_os("CANCUOC_WRITE_DOCS").is_some() {
                std::fs::write(&path, &wanted).unwrap();
                continue;
            }
            assert!(document == wanted, "{file} is out of date: CANCUOC_WRITE_DOCS=1 cargo test");
        }
    }
}
