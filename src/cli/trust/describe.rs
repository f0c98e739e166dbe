//! The parts of a trust folder as JSON, and as words for people.

use serde_json::{Value, json};

use super::Context;
use crate::cli::text;
use crate::error::ErrorCode;
use crate::lds::{ParameterForm, name_text};
use crate::trust::{
    Basis, Survey, SurveyedCertificate, SurveyedCrl, SurveyedDefects, SurveyedList, TrustStore,
    X509,
};

/// What a survey says, with the names of the files.
pub(super) struct Described<'a> {
    pub context: &'a Context,
    pub store: &'a TrustStore,
    pub survey: &'a Survey<'a>,
}

/// The sentence of a reason: as an error, or as the outcome of a check.
pub(super) fn reason(context: &Context, code: &str, detail: &str) -> String {
    let find =
        |kind: &str| text::find(context.lang, &format!("{kind}.{code}"), &[("detail", detail)]);
    find("error").or_else(|| find("check")).unwrap_or_else(|| detail.to_owned())
}

/// A reason as JSON.
fn reason_json(context: &Context, error: &dyn ErrorCode) -> Value {
    let message = reason(context, error.code(), &error.to_string());
    json!({ "code": error.code(), "message": message })
}

/// Identifier of a certificate's key, hexadecimal.
pub(super) fn key_id(certificate: &X509) -> Option<String> {
    certificate.subject_key_id().map(hex::encode)
}

impl Described<'_> {
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
