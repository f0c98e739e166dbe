//! The result of an inspection as text: the holder, the checks, the verdict, what to do.

use super::super::picture::{self, Graphics};
use super::super::{Context, Failure, Lang, output, read, text};
use super::outcome::{self, Outcome, data_group};
use super::replay;
use crate::biometrics::{self, FaceRecord};
use crate::document::CardProfile;
use crate::document::dg13::FieldKind;
use crate::lds::Dg2;
use crate::verify::reasons::{self, Advice};
use crate::verify::{Check, DocumentFiles, Report, Verdict};

/// The result as text.
pub(super) fn print(context: &Context, outcome: &Outcome) -> Result<(), Failure> {
    print_holder(context, &outcome.files)?;
    print_checks(context, &outcome.report.checks)?;
    print_verdict(context, &outcome.report)?;
    if let Some(reading) = &outcome.reading {
        output::line(&read::statistics_line(context, &reading.statistics))?;
        if let Some(line) = read::air_line(context, reading.air) {
            output::line(&line)?;
        }
    }
    if let Some(replayed) = &outcome.replayed {
        output::line(&replay::line(context, replayed))?;
    }
    Ok(())
}

/// What a check's reason means.
pub(super) fn message(lang: Lang, check: &Check) -> String {
    let found = text::find(lang, &format!("check.{}", check.code), &[]);
    found.unwrap_or_else(|| check.code.to_owned())
}

/// Portrait and national data of the holder.
fn print_holder(context: &Context, files: &DocumentFiles) -> Result<(), Failure> {
    let graphics = context.graphics.resolve();
    if graphics != Graphics::None
        && let Some(portrait) = portrait(files)
    {
        picture::print(&portrait, graphics);
    }
    let fields = holder_fields(files);
    for (name, value) in &fields {
        let label = name.map(|name| context.text(&format!("field.{name}"), &[]) + ": ");
        output::line(&format!("{}{value}", label.unwrap_or_default()))?;
    }
    if fields.is_empty() { Ok(()) } else { output::line("") }
}

/// The first picture in DG2.
pub(super) fn portrait(files: &DocumentFiles) -> Option<image::RgbImage> {
    let dg2 = Dg2::decode(data_group(files, 2)?).ok()?;
    let mut records = dg2.templates.iter().filter_map(|t| FaceRecord::decode(&t.data).ok());
    let picture = records.next()?.images.into_iter().next()?;
    biometrics::decode(&picture.data).ok()
}

/// What the files say of the holder: the fields of the national data by name, else the lines of the
/// MRZ without. The values are what the card says, but can do nothing to a terminal or page.
pub(super) fn holder_fields(files: &DocumentFiles) -> Vec<(Option<&'static str>, String)> {
    let profile = CardProfile::can_cuoc_2021();
    let Some(dg13) = outcome::dg13(files) else {
        let mrz = outcome::mrz(files);
        return mrz.iter().flat_map(|m| m.lines()).map(|line| (None, text::plain(line))).collect();
    };
    let view = dg13.view(&profile.dg13);
    let mut fields = Vec::new();
    for field in &profile.dg13.fields {
        let shown = match field.kind {
            FieldKind::Parents => view.parents().map_or_else(Vec::new, |parents| {
                vec![("father", parents.father), ("mother", parents.mother)]
            }),
            _ => vec![(field.name.as_str(), view.state(&field.name))],
        };
        let values = shown.into_iter().filter_map(|(name, state)| Some((name, state.non_empty()?)));
        fields.extend(values.map(|(name, value)| (Some(name), text::plain(value))));
    }
    fields
}

/// A time without its fractions of a second.
pub(super) fn seconds(time: &str) -> String {
    let time = time.parse::<jiff::Timestamp>();
    time.map(|t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

fn print_checks(context: &Context, checks: &[Check]) -> Result<(), Failure> {
    let header = ["verify.header.check", "verify.header.result", "verify.header.reason"];
    let header: Vec<String> = header.iter().map(|key| context.text(key, &[])).collect();
    let mut table = output::table(&header);
    for check in checks {
        let name = context.text(&format!("check_name.{}", check.id.as_str()), &[]);
        let shown = if check.is_warning() { "warning" } else { check.status_name() };
        let status = context.text(&format!("check_status.{shown}"), &[]);
        let color = match shown {
            "passed" => comfy_table::Color::Green,
            "failed" => comfy_table::Color::Red,
            _ => comfy_table::Color::Yellow,
        };
        let status = comfy_table::Cell::new(status).fg(color);
        table.add_row([name.into(), status, message(context.lang, check).into()]);
    }
    output::line(&table.to_string())
}

/// The verdict, and what to do about each reason.
fn print_verdict(context: &Context, report: &Report) -> Result<(), Failure> {
    let verdict = report.verdict();
    let color = match verdict {
        Verdict::Genuine => anstyle::AnsiColor::Green,
        Verdict::Forged => anstyle::AnsiColor::Red,
        Verdict::Inconclusive => anstyle::AnsiColor::Yellow,
    };
    let style = color.on_default().bold();
    let text = context.text(&format!("verdict.{}", verdict.as_str()), &[]);
    output::line(&format!("\n{style}{text}{style:#}"))?;
    for line in lacking(context.lang, report) {
        output::line(&format!("  {line}"))?;
    }
    for check in report.checks.iter().filter(|check| bears_on(check, verdict)) {
        if let Some(hint) = hint(context.lang, check.code) {
            output::line(&format!("  → {}: {}", message(context.lang, check), hint))?;
        }
    }
    Ok(())
}

/// What an inconclusive verdict lacks, line by line: checks with why they do not hold, the CSCA that
/// is wanted.
pub(super) fn lacking(lang: Lang, report: &Report) -> Vec<String> {
    if report.verdict() != Verdict::Inconclusive {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for group in report.wanting() {
        let checks = report.checks.iter().filter(|check| group.contains(&check.id));
        let words = |check: &Check| {
            let name = text::text(lang, &format!("check_name.{}", check.id.as_str()), &[]);
            format!("{name} ({})", message(lang, check))
        };
        let all: Vec<String> = checks.clone().map(words).collect();
        let or = text::text(lang, "verify.lacks_or", &[]);
        lines.push(match &all[..] {
            [] => text::text(lang, "verify.integrity_only", &[]),
            all => text::text(lang, "verify.lacks", &[("checks", &all.join(&format!(" {or} ")))]),
        });
        lines.extend(checks.flat_map(|check| wanted_csca(lang, check)));
    }
    lines
}

/// Whether a check has something to say beside a verdict. One that is merely skipped has where the
/// verdict hangs on it, and where it warns whatever the verdict is.
pub(super) fn bears_on(check: &Check, verdict: Verdict) -> bool {
    check.warns() || (verdict != Verdict::Genuine && !check.has_passed())
}

/// Which CSCA's certificate is wanted, where none that is trusted has the key.
pub(in crate::cli) fn wanted_csca(lang: Lang, check: &Check) -> Vec<String> {
    if check.code != "csca_unknown" {
        return Vec::new();
    }
    let fact = |name: &str| check.detail().get(name).and_then(|fact| fact.as_str());
    let country = text::plain(fact("country").filter(|country| !country.is_empty()).unwrap_or("?"));
    let key_id = fact("authority_key_id").unwrap_or("?");
    let values = [("country", country.as_str()), ("key_id", key_id)];
    let mut lines = vec![text::text(lang, "verify.wanted_csca", &values)];
    if let Some(code) = fact("distrust") {
        let facts = check.detail().get("distrust_facts").and_then(|facts| facts.as_object());
        let facts = facts.into_iter().flatten();
        let facts: Vec<(&str, String)> = facts
            .filter_map(|(name, fact)| Some((name.as_str(), text::plain(fact.as_str()?))))
            .collect();
        let detail = text::plain(fact("distrust_detail").unwrap_or_default());
        let reason = text::reason(lang, code, &detail, &facts).unwrap_or_else(|| code.to_owned());
        lines.push(text::text(lang, "verify.wanted_csca_not_trusted", &[("reason", &reason)]));
    }
    lines
}

/// What to do about a reason, where there is something to do.
pub(in crate::cli) fn hint(lang: Lang, code: &str) -> Option<String> {
    let (_, advice) = reasons::find(code)?;
    match advice {
        Advice::Nothing | Advice::Consequence => None,
        _ => Some(what_to_do(lang, code, advice)),
    }
}

/// What to do about a reason: the sentence of its own, else that of its kind.
pub(super) fn what_to_do(lang: Lang, code: &str, advice: Advice) -> String {
    let own = text::find(lang, &format!("check_hint.{code}"), &[]);
    own.unwrap_or_else(|| text::text(lang, advice.key(), &[]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::text::{find, text};
    use super::*;

    const TABLES: [(Lang, &str, &str); 2] = [
        (Lang::En, "docs/en/verifiers.md", "| code | meaning | what to do |"),
        (Lang::Vi, "docs/vi/nguoi-kiem-tra.md", "| mã | ý nghĩa | việc cần làm |"),
    ];

    #[test]
    fn every_reason_has_its_meaning_and_what_to_do() {
        for (code, advice) in reasons::REASONS.iter().flat_map(|(_, reasons)| *reasons) {
            let (meaning, own) = (format!("check.{code}"), format!("check_hint.{code}"));
            for lang in [Lang::En, Lang::Vi] {
                assert!(find(lang, &meaning, &[]).is_some(), "{meaning}");
                assert!(find(lang, advice.key(), &[]).is_some(), "{}", advice.key());
                let has_own = find(lang, &own, &[]).is_some();
                assert_eq!(*advice == Advice::Own, has_own, "{own}");
            }
        }
    }

    /// The tables of reasons as they stand in the documents.
    fn tables(lang: Lang, header: &str) -> String {
        let mut out = String::new();
        for (heading, reasons) in reasons::REASONS {
            out += &format!("\n### {}\n\n{header}\n|---|---|---|\n", text(lang, heading, &[]));
            for (code, advice) in *reasons {
                let meaning = text(lang, &format!("check.{code}"), &[]);
                out += &format!("| `{code}` | {meaning} | {} |\n", what_to_do(lang, code, *advice));
            }
        }
        out + "\n"
    }

    /// Where they differ, run the test once more with `CANCUOC_WRITE_DOCS=1`.
    #[test]
    fn the_documents_list_every_reason_with_its_meaning_and_what_to_do() {
        for (lang, file, header) in TABLES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let document = std::fs::read_to_string(&path).unwrap();
            let (before, rest) = document.split_once("<!-- reasons -->\n").unwrap();
            let (_, after) = rest.split_once("<!-- end of reasons -->\n").unwrap();
            let tables = tables(lang, header);
            let wanted =
                format!("{before}<!-- reasons -->\n{tables}<!-- end of reasons -->\n{after}");
            if std::env::var_os("CANCUOC_WRITE_DOCS").is_some() {
                std::fs::write(&path, &wanted).unwrap();
                continue;
            }
            assert!(document == wanted, "{file} is out of date: CANCUOC_WRITE_DOCS=1 cargo test");
        }
    }
}
