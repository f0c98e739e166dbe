//! `trust update`: newer lists in place of older ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::add::{added, print, refused};
use super::describe::Described;
use super::folder::{TrustFolder, contents, provenance, read};
use super::{Context, ExitStatus, Failure, output};
use crate::lds::{CertificateParts, comparable_name, country_of_name, name_text};
use crate::trust::{Content, FileLists, Object, Survey, SurveyedList, TrustStore, replaced};

/// Replace lists by newer ones of the same issuer, never by older ones, and say what came and went.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    cancuoc trust update DE_ML_2026-09.ml --trust csca/ --from 'bsi.bund.de, 3 September'\n  \
    cancuoc trust update csca.crl --trust csca/\n  \
    cancuoc trust update icaopkd-002-complete-000334.ldif --trust csca/\n\n\
    Exit codes: 0 updated, 6 malformed or not from the one it claims, 7 refused: older, or nothing \
    of this issuer in the folder.")]
pub(super) struct Arguments {
    /// Newer lists.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The trust folder.
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
    /// Where the files came from and how that was checked; kept in the index.
    #[arg(long, value_name = "TEXT")]
    from: Option<String>,
}

pub(super) fn run(context: &Context, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let folder = TrustFolder::new(&arguments.trust);
    // Opening a folder that is not there would make a lock in nowhere.
    folder.load()?;
    let _lock = folder.lock()?;
    let mut updates = Vec::new();
    for source in &arguments.files {
        updates.push(update(context, &folder, source, arguments.from.as_deref())?);
    }
    if context.json {
        output::json(&json!({ "schema": "cancuoc.trust-update/1", "updates": updates }))?;
        return Ok(ExitStatus::Done);
    }
    for update in &updates {
        print(context, "trust.updated", update)?;
        for (key, sign) in [("came", '+'), ("went", '-')] {
            for part in update[key].as_array().into_iter().flatten() {
                output::line(&format!("  {sign} {}", part.as_str().unwrap_or_default()))?;
            }
        }
    }
    Ok(ExitStatus::Done)
}

fn update(
    context: &Context,
    folder: &TrustFolder,
    source: &Path,
    note: Option<&str>,
) -> Result<Value, Failure> {
    let bytes = read(source)?;
    let objects = contents(source, &bytes)?.objects;
    let mut index = folder.index()?;
    let known = folder.lists(&index)?;
    let new = FileLists::new("", &objects);
    let old = replaced(&new, &known).map_err(|refusal| refused(source, &refusal))?;
    let name = folder.free_name(source, kind(&objects), &bytes, &index)?;
    let mut store = folder.load()?;
    let file = store.files().len();
    store
        .add_file(Path::new(&name), &bytes)
        .map_err(|error| Failure::from_error(ExitStatus::BadInput, &error))?;
    let cache = folder.cache();
    let survey = store.survey(Some(&cache));
    if !new.is_directory {
        let fault = survey
            .lists
            .iter()
            .filter(|list| list.file == file)
            .find_map(|l| l.state.as_ref().err());
        let fault = fault.or_else(|| {
            survey.defects.iter().filter(|l| l.file == file).find_map(|l| l.state.as_ref().err())
        });
        if let Some(fault) = fault {
            let failure = Failure::from_error(ExitStatus::BadInput, fault);
            return Err(failure.about(source.display()));
        }
        if let Some(crl) = survey.crls.iter().find(|c| c.file == file && c.signer.is_none()) {
            let issuer = name_text(&crl.crl.issuer);
            let failure = Failure::new(ExitStatus::BadInput, "crl_issuer_unknown", issuer);
            return Err(failure.with("path", source.display()));
        }
    }
    if let Some(of) = lost(&store, &survey, &old, file) {
        let failure = Failure::new(ExitStatus::Protected, "trust_update_loses", of);
        return Err(failure.with("path", source.display()));
    }
    let before = old.iter().flat_map(|name| parts_of(folder, name)).collect();
    let (came, went) = differences(&before, &parts(&objects));
    // The new file comes first: of two lists the newer counts, so that no moment is without any.
    folder.write(&name, &bytes)?;
    index.files.insert(name.clone(), provenance(source, &bytes, note, false));
    for old in &old {
        folder.remove(old)?;
        index.files.remove(*old);
    }
    folder.write_index(&index)?;
    folder.write_cache(&cache);
    let mut value = added(&Described { context, store: &store, survey: &survey }, file);
    value["replaced"] = json!(old);
    value["came"] = json!(came);
    value["went"] = json!(went);
    Ok(value)
}

/// Whose list counts in a file that would go, while none of theirs counts in the new one. A directory
/// bears no signature as a whole: one that leaves lists out or forges them must revoke nothing less.
fn lost(store: &TrustStore, survey: &Survey<'_>, old: &[&str], file: usize) -> Option<String> {
    let goes = |number: usize| {
        let name = store.files().get(number).and_then(|file| file.path.file_name()?.to_str());
        name.is_some_and(|name| old.contains(&name))
    };
    let crl =
        survey.crls.iter().filter(|crl| goes(crl.file) && crl.signer.is_some()).find(|have| {
            let issuer = comparable_name(&have.crl.issuer);
            !survey.crls.iter().any(|new| {
                let same = new.file == file && comparable_name(&new.crl.issuer) == issuer;
                same && new.signer.is_some() && new.crl.this_update >= have.crl.this_update
            })
        });
    let list =
        survey.lists.iter().filter(|list| goes(list.file) && list.state.is_ok()).find(|have| {
            let same = |new: &&SurveyedList<'_>| new.file == file && new.country == have.country;
            !survey.lists.iter().filter(same).any(|new| new.state.is_ok())
        });
    let of_crl = crl.map(|crl| name_text(&crl.crl.issuer));
    of_crl.or_else(|| list.map(|list| list.country.to_owned()))
}

fn kind(objects: &[Object]) -> &'static str {
    match objects {
        [object] if object.alone => object.content.kind(),
        _ => "ldif",
    }
}

/// The parts that people look for when a list changes, each with words for it.
fn parts(objects: &[Object]) -> BTreeMap<Vec<u8>, String> {
    let mut parts = BTreeMap::new();
    for object in objects {
        match &object.content {
            Content::Certificate { der, .. } => drop(parts.insert(der.clone(), words(der))),
            Content::MasterList { certificates, .. } => {
                parts.extend(certificates.iter().map(|der| (der.clone(), words(der))));
            }
            Content::Crl(crl) => parts.extend(crl.revoked.iter().map(|revoked| {
                let serial = hex::encode(&revoked.serial);
                let words = format!("{}: {serial}", name_text(&crl.issuer));
                (words.clone().into_bytes(), words)
            })),
            Content::Defects { defects, .. } => parts.extend(defects.iter().map(|defect| {
                let words = format!("{}: {:?}", defect.kind.as_str(), defect.concerned);
                (words.into_bytes(), defect.kind.as_str().to_owned())
            })),
        }
    }
    parts
}

/// Country, subject and serial number of a certificate.
fn words(der: &[u8]) -> String {
    let Ok(parts) = CertificateParts::decode(der) else { return hex::encode(der) };
    let country = country_of_name(parts.subject).unwrap_or_default();
    format!("{country}: {} ({})", name_text(parts.subject), hex::encode(parts.serial))
}

fn parts_of(folder: &TrustFolder, name: &str) -> BTreeMap<Vec<u8>, String> {
    let bytes = crate::trust::read(&folder.path().join(name)).unwrap_or_default();
    crate::trust::contents(&bytes).map(|contents| parts(&contents.objects)).unwrap_or_default()
}

type Parts = BTreeMap<Vec<u8>, String>;

fn differences(before: &Parts, after: &Parts) -> (Vec<String>, Vec<String>) {
    let only = |one: &Parts, other: &Parts| {
        one.iter()
            .filter(|(k, _)| !other.contains_key(*k))
            .map(|(_, words)| words.clone())
            .collect()
    };
    (only(after, before), only(before, after))
}
