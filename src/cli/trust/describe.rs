//! The parts of a trust folder as JSON, and as words for people.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::Context;
use crate::cli::text;
use crate::error::ErrorCode;
use crate::lds::{ParameterForm, name_text};
use crate::trust::{
    Basis, Survey, SurveyedCertificate, SurveyedCrl, SurveyedDefects, SurveyedList, TrustError,
    TrustStore, X509,
};

/// What a survey says, with the names of the files.
pub(super) struct Described<'a> {
    pub context: &'a Context,
    pub store: &'a TrustStore,
    pub survey: &'a Survey<'a>,
}

/// The sentence of an error: as such, or as the outcome of a check.
pub(super) fn reason(context: &Context, error: &dyn ErrorCode) -> String {
    let detail = error.to_string();
    text::reason(context.lang, error.code(), &detail, &error.facts()).unwrap_or(detail)
}

/// The sentence of why a file, or an entry of it, is not used.
pub(super) fn problem_text(context: &Context, problem: &TrustError) -> String {
    let text = match problem {
        TrustError::Entry { number, name, problem } => {
            let values = [
                ("number", &*number.to_string()),
                ("name", name.as_str()),
                ("why", &reason(context, &**problem)),
            ];
            context.text("trust.entry_unusable", &values)
        }
        TrustError::FurtherEntries(count) => {
            context.text("trust.more_problems", &[("count", &count.to_string())])
        }
        TrustError::Changed { added } => {
            let day = added.get(..10).unwrap_or(added);
            context.text("error.trust_file_changed", &[("detail", day)])
        }
        other => reason(context, other),
    };
    // The names of entries are whoever's made the file.
    text::plain(&text)
}

/// Most problems that are told before a card is verified; `trust list` tells all.
const WARNED: usize = 5;

/// Tells on standard error what of a folder is not used.
pub(super) fn warn(context: &Context, store: &TrustStore) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    let label = context.text("severity.warning", &[]);
    let mut stderr = anstream::stderr();
    // Whoever closed standard error does not want to know.
    let mut line = |text: &str| drop(writeln!(stderr, "{yellow}{label}:{yellow:#} {text}"));
    for (path, problem) in store.problems.iter().take(WARNED) {
        let hint = text::find(context.lang, &format!("hint.{}", problem.code()), &[]);
        let hint = hint.map(|hint| format!("\n  → {hint}")).unwrap_or_default();
        line(&format!("{}: {}{hint}", path.display(), problem_text(context, problem)));
    }
    if let Some(more @ 1..) = store.problems.len().checked_sub(WARNED) {
        line(&context.text("trust.more_unused", &[("count", &more.to_string())]));
    }
}

/// A file, or an entry of it, that is not used.
pub(super) fn problem_json(context: &Context, path: &Path, problem: &TrustError) -> Value {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut value = json!({ "file": name, "code": problem.code() });
    if let TrustError::Entry { number, name, problem } = problem {
        value["entry"] = json!(number);
        value["name"] = json!(name);
        value["reason"] = json!(problem.code());
    }
    value["message"] = json!(problem_text(context, problem));
    value
}

/// A reason as JSON.
fn reason_json(context: &Context, error: &dyn ErrorCode) -> Value {
    json!({ "code": error.code(), "message": reason(context, error) })
}

/// Identifier of a certificate's key, hexadecimal.
pub(super) fn key_id(certificate: &X509) -> Option<String> {
    certificate.subject_key_id().map(hex::encode)
}

impl Described<'_> {
    /// Parts of a file that are not used.
    pub(super) fn problems_of(&self, number: usize) -> Vec<Value> {
        let path = self.store.files().get(number).map(|file| &file.path);
        let problems = self.store.problems.iter().filter(|(of, _)| Some(of) == path);
        problems.map(|(path, problem)| problem_json(self.context, path, problem)).collect()
    }

    /// Name of a file by its number.
    pub(super) fn file(&self, number: usize) -> String {
        let path = self.store.files().get(number).and_then(|file| file.path.file_name());
        path.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Which list or certificate a certificate's trust rests on.
    pub(super) fn basis(&self, basis: Basis) -> Value {
        match basis {
            Basis::Anchor => Value::Null,
            Basis::MasterList { list } => {
                json!(self.survey.lists.get(list).map(|list| self.file(list.file)))
            }
            Basis::Link { issuer } => {
                let issuer = self.survey.certificates.get(issuer).and_then(|c| c.certificate.ok());
                json!(issuer.map(|issuer| name_text(&issuer.subject)))
            }
        }
    }

    pub(super) fn certificate(&self, surveyed: &SurveyedCertificate<'_>) -> Value {
        let files: Vec<String> = surveyed.files.iter().map(|file| self.file(*file)).collect();
        let mut value = json!({
            "country": surveyed.country,
            "trusted": surveyed.trust.is_ok(),
            "files": files,
            "anchor": surveyed.is_pinned(),
        });
        match &surveyed.trust {
            Ok(basis) => {
                value["basis"] = json!(basis.as_str());
                value["through"] = self.basis(*basis);
            }
            Err(distrust) => value["reason"] = reason_json(self.context, distrust),
        }
        if let Ok(certificate) = surveyed.certificate {
            let (from, until) = certificate.validity();
            let algorithm = certificate.signature_algorithm().map(|a| a.description());
            value["subject"] = json!(name_text(&certificate.subject));
            value["issuer"] = json!(name_text(&certificate.issuer));
            value["serial"] = json!(hex::encode(&certificate.serial));
            value["key_id"] = json!(key_id(certificate));
            value["key"] = json!(certificate.key.description());
            value["explicit_parameters"] = json!(certificate.parameters == ParameterForm::Explicit);
            value["signature"] = json!(algorithm.ok());
            value["not_before"] = json!(from.to_string());
            value["not_after"] = json!(until.to_string());
            value["sha256"] = json!(super::folder::sha256(&certificate.der));
        }
        value
    }

    pub(super) fn list(&self, list: &SurveyedList<'_>) -> Value {
        let malformed = list.malformed.iter().map(|(place, problem)| {
            json!({ "place": place + 1, "reason": reason_json(self.context, problem) })
        });
        let mut value = json!({
            "file": self.file(list.file),
            "country": list.country,
            "signed_at": list.signing_time.map(|time| time.to_string()),
            "certificates": list.certificates,
            "malformed": malformed.collect::<Vec<_>>(),
        });
        self.state(&mut value, list.state.as_ref().map(|a| &*a.signer), list.state.as_ref().err());
        value
    }

    pub(super) fn defects(&self, list: &SurveyedDefects<'_>) -> Value {
        let mut value = json!({
            "file": self.file(list.file),
            "signed_at": list.list.signing_time().map(|time| time.to_string()),
            "defects": list.defects.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>(),
        });
        self.state(&mut value, list.state.as_ref().map(|a| &*a.signer), list.state.as_ref().err());
        value
    }

    fn state<T>(
        &self,
        value: &mut Value,
        signer: Result<&X509, T>,
        fault: Option<&crate::trust::ListFault>,
    ) {
        value["accepted"] = json!(fault.is_none());
        value["signer"] = json!(signer.ok().map(|signer| name_text(&signer.subject)));
        value["reason"] = fault.map_or(Value::Null, |fault| reason_json(self.context, fault));
    }

    pub(super) fn crl(&self, surveyed: &SurveyedCrl<'_>) -> Value {
        let crl = surveyed.crl;
        json!({
            "file": self.file(surveyed.file),
            "country": crl.country(),
            "issuer": name_text(&crl.issuer),
            "number": crl.number.as_ref().map(hex::encode),
            "this_update": crl.this_update.to_string(),
            "next_update": crl.next_update.map(|time| time.to_string()),
            "revoked": crl.revoked.iter().map(|r| hex::encode(&r.serial)).collect::<Vec<_>>(),
            "verified": surveyed.signer.is_some(),
        })
    }
}
