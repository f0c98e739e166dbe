//! The access rules of a record, where they differ from the profile's.

use std::collections::BTreeMap;

use super::AccessRules;
use super::json::Object;
use crate::document::profile::{CardProfile, FileAccess, FileLocation};
use crate::issue::finding::Findings;

pub(super) fn read(
    object: &Object<'_>,
    profile: &CardProfile,
    findings: &mut Findings,
) -> AccessRules {
    object.refuse_unknown_keys(&["bac", "pace", "files"], findings);
    let able_pace = !profile.access.pace.is_empty();
    let bac = object.boolean("bac", findings).unwrap_or(profile.access.bac);
    let pace = object.boolean("pace", findings).unwrap_or(able_pace);
    if pace && !able_pace {
        findings.error(&object.path_of("pace"), "record_access_no_pace", &[]);
    }
    if !bac && !pace {
        findings.error(&object.path, "record_access_none", &[]);
    }
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
    AccessRules { bac, pace, files: rules }
}
