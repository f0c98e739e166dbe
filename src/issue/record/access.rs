//! The access rules of a record, where they differ from the profile's.

use std::collections::BTreeMap;

use super::json::Object;
use super::{AccessRules, Terms};
use crate::document::access::AccessError;
use crate::document::profile::{CardProfile, FileAccess, FileLocation, SecretProfile};
use crate::document::{Pin, Puk};
use crate::issue::finding::Findings;

pub(super) fn read(
    object: &Object<'_>,
    profile: &CardProfile,
    terms: &Terms,
    findings: &mut Findings,
) -> AccessRules {
    object.refuse_unknown_keys(&["bac", "pace", "pin", "puk", "files"], findings);
    let able_pace = !profile.access.pace.is_empty();
    let bac = object.boolean("bac", findings).unwrap_or(profile.access.bac);
    let pace = object.boolean("pace", findings).unwrap_or(able_pace);
    if pace && !able_pace {
        findings.error(&object.path_of("pace"), "record_access_no_pace", &[]);
    }
    if !bac && !pace {
        findings.error(&object.path, "record_access_none", &[]);
    }
    // Without PACE they open nothing.
    let wanted = |secret: Option<SecretProfile>| secret.filter(|_| pace);
    let pin = secret(object, "pin", wanted(profile.passwords.pin), Pin::new, findings);
    let puk = secret(object, "puk", wanted(profile.passwords.puk), Puk::new, findings);
    let missing = [
        ("pin", profile.passwords.pin, pin.is_some() || terms.pin.is_some()),
        ("puk", profile.passwords.puk, puk.is_some() || terms.puk.is_some()),
    ];
    for (key, asked, given) in missing {
        if wanted(asked).is_some() && !given && object.get(key).is_none() {
            findings.error(&object.path_of(key), "record_secret_missing", &[]);
        }
    }
    let given = |asked: Option<SecretProfile>| wanted(asked).is_some();
    let pin = pin.or_else(|| terms.pin.clone().filter(|_| given(profile.passwords.pin)));
    let puk = puk.or_else(|| terms.puk.clone().filter(|_| given(profile.passwords.puk)));
    let files = object.object("files", findings);
    let mut rules = BTreeMap::new();
    for name in files.keys() {
        let path = files.path_of(name);
        let Some(file) = profile.file(name) else {
            findings.error(&path, "record_access_file", &[]);
            continue;
        };
        let Some(text) = files.text(name, findings) else { continue };
        let rule = match text {
            "always" => FileAccess::Always,
            "after_access_control" => FileAccess::AfterAccessControl,
            "dg3_right" => FileAccess::Dg3Right,
            "dg4_right" => FileAccess::Dg4Right,
            _ => {
                findings.error(&path, "record_access_rule", &[]);
                continue;
            }
        };
        if rule == FileAccess::Always && file.location == FileLocation::Lds1 {
            findings.warning(&path, "record_access_open", &[]);
        }
        rules.insert(name.clone(), rule);
    }
    AccessRules { bac, pace, files: rules, pin, puk }
}

/// A password that only the holder knows; its value goes into no finding.
fn secret<T>(
    object: &Object<'_>,
    key: &str,
    asked: Option<SecretProfile>,
    new: impl Fn(&str) -> Result<T, AccessError>,
    findings: &mut Findings,
) -> Option<T> {
    let text = object.text(key, findings)?;
    let path = object.path_of(key);
    let Some(SecretProfile { digits, .. }) = asked else {
        findings.error(&path, "record_secret_unused", &[]);
        return None;
    };
    match new(text) {
        Ok(secret) if text.len() == digits => Some(secret),
        _ => {
            findings.error(&path, "record_secret_format", &[("digits", &digits)]);
            None
        }
    }
}
