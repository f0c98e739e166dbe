//! `trust list`: what is in the folder, where it came from, and whether it counts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::describe::{Described, key_id, problem_json, problem_text, reason};
use super::folder::{TrustFolder, now};
use super::{Context, ExitStatus, Failure, output};
use crate::lds::{ParameterForm, name_text};
use crate::trust::{Basis, Survey, SurveyedCertificate, TrustError, TrustIndex, TrustStore};

/// Show what is in a trust folder, where each part came from, and whether it counts.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc trust list --trust csca/                     the files, and what each brings\n  \
    cancuoc trust list --trust csca/ --country VN        every certificate of a country\n  \
    cancuoc trust list --trust csca/ --problems          what does not count, and why\n  \
    cancuoc trust list --trust csca/ --json | jq .summary")]
pub(super) struct Arguments {
    /// The trust folder.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Show the certificates of this country, two letters; may be given several times.
    #[arg(long, value_name = "CC")]
    country: Vec<String>,
    /// Show the certificates that are not trusted, with the reason.
    #[arg(long)]
    problems: bool,
    /// Show every certificate.
    #[arg(long)]
    certificates: bool,
}

impl Arguments {
    fn shows(&self, surveyed: &SurveyedCertificate<'_>) -> bool {
        let of_country = self.country.is_empty()
            || self.country.iter().any(|country| country.eq_ignore_ascii_case(surveyed.country));
        of_country && (!self.problems || surveyed.trust.is_err())
    }

    const fn lists_certificates(&self) -> bool {
        self.problems || self.certificates || !self.country.is_empty()
    }
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let folder = TrustFolder::new(&arguments.trust);
    let (store, index, cache) = (folder.load()?, folder.index()?, folder.cache());
    let survey = store.survey(Some(&cache));
    folder.write_cache(&cache);
    let described = Described { context, store: &store, survey: &survey };
    if context.json {
        output::json(&to_json(&described, &index, arguments))?;
    } else if arguments.lists_certificates() {
        print_certificates(&described, arguments)?;
    } else {
        print_files(&described, &index)?;
        print_summary(&described)?;
    }
    Ok(ExitStatus::Done)
}

/// How much of everything there is.
pub(super) fn summary(store: &TrustStore, survey: &Survey<'_>) -> Value {
    let certificates = &survey.certificates;
    let trusted = || certificates.iter().filter(|c| c.trust.is_ok());
    let by_basis = |name: &str| {
        let has = |c: &&SurveyedCertificate<'_>| c.trust.as_ref().is_ok_and(|b| b.as_str() == name);
        certificates.iter().filter(has).count()
    };
    let explicit = trusted()
        .filter(|c| c.certificate.is_ok_and(|c| c.parameters == ParameterForm::Explicit))
        .count();
    json!({
        "certificates": certificates.len(),
        "trusted": trusted().count(),
        "not_trusted": certificates.len() - trusted().count(),
        "anchors": by_basis("anchor"),
        "links": by_basis("link"),
        "by_master_list": by_basis("master_list"),
        "countries": trusted().map(|c| c.country).collect::<BTreeSet<_>>().len(),
        "explicit_parameters": explicit,
        "signer_certificates": store.signer_count(),
    })
}

fn to_json(described: &Described<'_>, index: &TrustIndex, arguments: &Arguments) -> Value {
    let (store, survey) = (described.store, described.survey);
    let files = store.files().iter().enumerate().map(|(number, file)| {
        let name = described.file(number);
        let holds: serde_json::Map<String, Value> =
            file.holds.iter().map(|(kind, count)| ((*kind).to_owned(), json!(count))).collect();
        let provenance = index.files.get(&name);
        json!({ "file": name, "length": file.length, "holds": holds, "provenance": provenance })
    });
    let problems = store.problems.iter();
    let problems = problems.map(|(path, problem)| problem_json(described.context, path, problem));
    let shown = survey.certificates.iter().filter(|c| arguments.shows(c));
    json!({
        "schema": "cancuoc.trust-list/1",
        "files": files.collect::<Vec<_>>(),
        "summary": summary(store, survey),
        "certificates": shown.map(|c| described.certificate(c)).collect::<Vec<_>>(),
        "master_lists": survey.lists.iter().map(|l| described.list(l)).collect::<Vec<_>>(),
        "crls": survey.crls.iter().map(|c| described.crl(c)).collect::<Vec<_>>(),
        "defect_lists": survey.defects.iter().map(|l| described.defects(l)).collect::<Vec<_>>(),
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn headed(context: &Context, columns: &[&str]) -> comfy_table::Table {
    let header: Vec<String> =
        columns.iter().map(|column| context.text(&format!("trust.header.{column}"), &[])).collect();
    output::table(&header)
}

fn day(moment: Timestamp) -> String {
    jiff::tz::TimeZone::UTC.to_datetime(moment).date().to_string()
}

/// A state in its colour.
fn state(context: &Context, good: bool, key: &str) -> comfy_table::Cell {
    let color = if good { comfy_table::Color::Green } else { comfy_table::Color::Red };
    comfy_table::Cell::new(context.text(&format!("trust.state.{key}"), &[])).fg(color)
}

/// A row for each anchor, link and list, with the file it stands in.
fn print_files(described: &Described<'_>, index: &TrustIndex) -> Result<(), Failure> {
    let context = described.context;
    let mut table = headed(context, &["file", "kind", "of", "dated", "until", "state", "from"]);
    let from = |file: &str| {
        let known = index.files.get(file);
        known.map_or_else(String::new, |known| {
            let day = known.added.get(..10).unwrap_or_default();
            format!("{day} {}", known.note.as_deref().unwrap_or(&known.source))
        })
    };
    let mut named_row = |file: String, kind: &str, of: String, dates: [String; 2], state| {
        let kind = context.text(&format!("trust.kind.{kind}"), &[]);
        let from = from(&file);
        let [dated, until] = dates;
        let mut cells: Vec<comfy_table::Cell> =
            [file, kind, of, dated, until].map(comfy_table::Cell::new).into();
        cells.push(state);
        cells.push(comfy_table::Cell::new(from));
        table.add_row(cells);
    };
    for (path, problem) in &described.store.problems {
        let key = match problem {
            TrustError::Entry { .. } | TrustError::FurtherEntries(_) => continue,
            TrustError::Changed { .. } => "changed",
            _ => "unusable",
        };
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let state = state(context, false, key);
        named_row(name.unwrap_or_default(), "file", String::new(), Default::default(), state);
    }
    let mut row = |file: usize, kind: &str, of: String, dates: [String; 2], state| {
        named_row(described.file(file), kind, of, dates, state);
    };
    let now = now();
    for surveyed in described.survey.certificates.iter().filter(|c| c.is_pinned()) {
        let file = surveyed.pinned.first().copied().unwrap_or_default();
        let Ok(certificate) = surveyed.certificate else { continue };
        let (start, end) = certificate.validity();
        let (kind, state) = match surveyed.trust {
            Ok(Basis::Anchor) if end < now => ("anchor", state(context, true, "expired")),
            Ok(Basis::Anchor) => ("anchor", state(context, true, "trusted")),
            Ok(_) => ("link", state(context, true, "trusted")),
            Err(_) => ("csca", state(context, false, "not_trusted")),
        };
        row(file, kind, name_text(&certificate.subject), [day(start), day(end)], state);
    }
    for list in &described.survey.lists {
        let count = list.certificates.to_string();
        let of = context.text("trust.of_list", &[("country", list.country), ("count", &count)]);
        let good = list.state.is_ok();
        let state = state(context, good, if good { "accepted" } else { "refused" });
        let dated = list.signing_time.map(day).unwrap_or_default();
        row(list.file, "master_list", of, [dated, String::new()], state);
    }
    for surveyed in &described.survey.crls {
        let crl = surveyed.crl;
        let is_old = crl.next_update.is_none_or(|next| next < now);
        let state = match surveyed.signer {
            None => state(context, false, "not_verified"),
            Some(_) if is_old => state(context, false, "out_of_date"),
            Some(_) => state(context, true, "current"),
        };
        let until = crl.next_update.map(day).unwrap_or_default();
        row(surveyed.file, "crl", name_text(&crl.issuer), [day(crl.this_update), until], state);
    }
    for list in &described.survey.defects {
        let good = list.state.is_ok();
        let state = state(context, good, if good { "accepted" } else { "refused" });
        let dated = list.list.signing_time().map(day).unwrap_or_default();
        row(list.file, "defects", list.defects.len().to_string(), [dated, String::new()], state);
    }
    output::line(&table.to_string())
}

/// Counts, and what does not count.
fn print_summary(described: &Described<'_>) -> Result<(), Failure> {
    let context = described.context;
    let summary = summary(described.store, described.survey);
    let number = |name: &str| summary[name].to_string();
    let values = [
        ("trusted", number("trusted")),
        ("countries", number("countries")),
        ("not_trusted", number("not_trusted")),
        ("explicit", number("explicit_parameters")),
        ("signers", number("signer_certificates")),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(n, v)| (*n, v.as_str())).collect();
    output::line(&format!("\n{}", context.text("trust.summary", &values)))?;
    if summary["explicit_parameters"] != 0 {
        output::line(&context.text("trust.summary_explicit", &values))?;
    }
    if summary["signer_certificates"] != 0 {
        output::line(&context.text("trust.summary_signers", &values))?;
    }
    if summary["not_trusted"] != 0 {
        output::line(&context.text("trust.summary_problems", &values))?;
    }
    for list in &described.survey.lists {
        if let Err(fault) = &list.state {
            let message = reason(context, fault);
            output::line(&format!("  → {}: {message}", described.file(list.file)))?;
        }
    }
    for (path, problem) in &described.store.problems {
        output::line(&format!("  → {}: {}", path.display(), problem_text(context, problem)))?;
    }
    let is_changed = |(_, problem): &(_, TrustError)| matches!(problem, TrustError::Changed { .. });
    if described.store.problems.iter().any(is_changed) {
        output::line(&format!("    {}", context.text("hint.trust_file_changed", &[])))?;
    }
    Ok(())
}

/// A row for each certificate asked for.
fn print_certificates(described: &Described<'_>, arguments: &Arguments) -> Result<(), Failure> {
    let context = described.context;
    let mut table = headed(context, &["country", "subject", "key_id", "key", "until", "state"]);
    let mut shown: Vec<_> =
        described.survey.certificates.iter().filter(|c| arguments.shows(c)).collect();
    shown.sort_by_key(|c| c.country);
    for surveyed in shown {
        let words = match &surveyed.trust {
            Ok(Basis::Anchor) => context.text("trust.state.anchor", &[]),
            Ok(basis) => {
                let through = described.basis(*basis);
                let through = through.as_str().unwrap_or_default();
                context.text(&format!("trust.state.{}", basis.as_str()), &[("through", through)])
            }
            Err(distrust) => reason(context, distrust),
        };
        let [subject, id, key, until] = match surveyed.certificate {
            Ok(certificate) => {
                let explicit = match certificate.parameters {
                    ParameterForm::Explicit => context.text("trust.explicit", &[]),
                    ParameterForm::Named => String::new(),
                };
                let key = format!("{}{explicit}", certificate.key.description());
                let id = key_id(certificate).unwrap_or_default();
                [name_text(&certificate.subject), id, key, day(certificate.validity().1)]
            }
            Err(_) => Default::default(),
        };
        table.add_row([surveyed.country, &subject, &id, &key, &until, &words]);
    }
    output::line(&table.to_string())
}
