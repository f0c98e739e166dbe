//! Lists that a verifier keeps in its trust folder: what they say, and whether they verify with the
//! certificates at hand as anchors.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::certificate::{hexadecimal, name, oid_name};
use super::kind::Kind;
use super::verify::{Check, Status};
use super::{Failure, Subject};
use crate::cli::ExitStatus;
use crate::error::ErrorCode;
use crate::lds::{SignedData, country_of_name, name_text};
use crate::trust::{
    Content, Contents, DEFECT_LIST, KnownDefect, Survey, TrustStore, X509, contents,
    decode_defect_list, decode_deviation_list,
};

fn bad(error: &dyn ErrorCode) -> Failure {
    Failure::from_error(ExitStatus::BadInput, error)
}

/// The defects of a deviation list or defect list.
pub(super) fn defects(signed: &SignedData) -> Result<Value, Failure> {
    let defects = match signed.content_type {
        DEFECT_LIST => decode_defect_list(&signed.content),
        _ => decode_deviation_list(&signed.content),
    };
    let defects = defects.map_err(|e| bad(&e))?;
    Ok(json!({ "defects": defects.iter().map(defect).collect::<Vec<_>>() }))
}

fn defect(defect: &KnownDefect) -> Value {
    let concerned = &defect.concerned;
    let (issuer, serial) = concerned.issuer_and_serial.as_ref().map(|(i, s)| (name(i), s)).unzip();
    let numbers = concerned.document_numbers.as_ref().map(|_| concerned.number_count());
    json!({
        "kind": defect.kind.as_str(),
        "type": oid_name(&defect.oid),
        "numbers": defect.numbers,
        "description": defect.description,
        "issuer": issuer,
        "serial": serial.map(|serial| hexadecimal(serial)),
        "subject_key_identifier": concerned.key_id.as_deref().map(hexadecimal),
        "certificate_digest": concerned.digest.as_ref().map(|(_, digest)| hexadecimal(digest)),
        "document_type": concerned.document_type,
        "first_issued": concerned.issued.map(|(first, _)| first.to_string()),
        "last_issued": concerned.issued.map(|(_, last)| last.to_string()),
        "document_number_count": numbers,
    })
}

/// How many of each kind there are for each country.
type Counts = BTreeMap<&'static str, BTreeMap<String, usize>>;

/// What an export of a directory holds.
pub(super) fn ldif(bytes: &[u8]) -> Result<Value, Failure> {
    let Contents { objects, problems } = contents(bytes).map_err(|e| bad(&e))?;
    let mut counts = Counts::new();
    for object in &objects {
        let country = match &object.content {
            Content::Certificate { der, .. } => {
                X509::decode(der).ok().and_then(|c| country_of_name(&c.subject))
            }
            Content::Crl(crl) => crl.country(),
            Content::MasterList { list, .. } | Content::Defects { list, .. } => {
                list.signer().ok().and_then(|signer| signer.country())
            }
        };
        let of_kind = counts.entry(object.content.kind()).or_default();
        *of_kind.entry(country.unwrap_or_else(|| "??".to_owned())).or_default() += 1;
    }
    let lists = objects.iter().filter_map(|object| match &object.content {
        Content::MasterList { list, certificates } => Some(json!({
            "country": list.signer().ok().and_then(|signer| signer.country()),
            "signing_time": list.signing_time().map(|time| time.to_string()),
            "certificate_count": certificates.len(),
        })),
        _ => None,
    });
    let counts: Map<String, Value> =
        counts.into_iter().map(|(kind, of)| (format!("{kind}_by_country"), json!(of))).collect();
    let mut value = json!({ "object_count": objects.len() });
    if let Value::Object(members) = &mut value {
        members.extend(counts);
    }
    value["master_lists"] = lists.collect();
    if !problems.is_empty() {
        value["unusable"] = problems.iter().map(ToString::to_string).collect();
    }
    Ok(value)
}

/// Checks a list, or the lists of a directory, with the CA certificates among the files as anchors.
pub(super) fn verify(subject: &Subject, all: &[Subject]) -> Vec<Check> {
    let mut store = TrustStore::default();
    for other in all.iter().filter(|other| other.kind == Kind::Certificate) {
        // What is no certificate that counts is said where that file is described.
        let _ = store.add(&other.bytes);
    }
    if let Err(error) = store.add(&subject.bytes) {
        return vec![Check::failed("list.structure", &error)];
    }
    let survey = store.survey(None);
    let mut checks = lists(&survey);
    if !survey.crls.is_empty() {
        let signed = survey.crls.iter().filter(|crl| crl.signer.is_some()).count();
        checks.push(counted("list.crls", signed, survey.crls.len()));
    }
    checks
}

fn lists(survey: &Survey<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let states = survey.lists.iter().map(|list| &list.state);
    for state in states.chain(survey.defects.iter().map(|list| &list.state)) {
        checks.push(match state {
            Ok(acceptance) => {
                Check::passed("list.acceptance", name_text(&acceptance.signer.subject))
            }
            // Whose anchor is not at hand was not refused for what it is.
            Err(fault) if fault.code() == "list_signer_unknown" => {
                let detail = fault.to_string();
                Check::coded("list.acceptance", Status::Skipped, "list_signer_unknown", detail)
            }
            Err(fault) => Check::failed("list.acceptance", fault),
        });
    }
    let accepted = survey.lists.iter().any(|list| list.state.is_ok());
    if accepted {
        let members: Vec<_> = survey.certificates.iter().filter(|c| !c.is_pinned()).collect();
        let verified = members.iter().filter(|c| c.trust.is_ok()).count();
        checks.push(counted("list.certificates", verified, members.len()));
    }
    checks
}

/// How many of how many verified.
fn counted(id: &'static str, verified: usize, all: usize) -> Check {
    let detail = format!("{verified} / {all}");
    if verified == all {
        Check::passed(id, detail)
    } else {
        Check::coded(id, Status::Skipped, "inspect_not_all_verified", detail)
    }
}
