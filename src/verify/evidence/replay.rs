//! Reaching the verdict of an evidence file again.

use jiff::Timestamp;

use super::InspectionRecord;
use super::passive::replay_passively;
use super::signature::{EvidenceFile, KnownSigner, SignedBy, require_signer};
use crate::lds::{DgNumber, FileId};
use crate::verify::{
    Check, CheckId, Evidence, Inspection, Policy, Report, SignerCache, inspect_cached,
};

/// With what an evidence file is verified again.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions<'a> {
    /// The time to judge at; the record's own where there is none.
    pub now: Option<Timestamp>,
    /// What is accepted; the record's own policy where there is none.
    pub policy: Option<&'a Policy>,
    /// Keys that evidence files are signed with. They are not asked for here: see
    /// [`EvidenceFile::require_signer`].
    pub known_signers: &'a [KnownSigner],
    /// Passive Authentication alone.
    pub passive: bool,
}

/// An evidence file verified again.
#[derive(Debug, Clone)]
pub struct Replay {
    /// All checks, the two on the file itself at the end.
    pub report: Report,
    /// The time that was judged at.
    pub now: Timestamp,
    /// Checks whose outcome is another than was recorded.
    pub differ: Vec<CheckId>,
}

/// Verifies an evidence file again. Anchors are those of the cache's trust store alone.
#[must_use]
pub fn replay(
    file: &EvidenceFile,
    options: &ReplayOptions<'_>,
    signers: &SignerCache<'_>,
) -> Replay {
    let record = &file.record;
    let recorded = Recorded { record, signed_by: file.signed_by.as_ref() };
    let status =
        |id| record.checks.iter().find(|check: &&Check| check.id == id).map(Check::status_name);
    if options.passive {
        return replay_passively(&recorded, &status, options, signers);
    }
    let now = options.now.unwrap_or(record.time);
    let policy = options.policy.unwrap_or(&record.policy);
    let inspection = Inspection { trust: signers.trust(), now, expected: &record.expected, policy };
    let mut report = inspect_cached(&record.files, &record.chip, &inspection, signers);
    for check in &mut report.checks {
        if let Some(recorded) = as_recorded(check, record) {
            *check = recorded;
        }
    }
    // What a file may prove is for whoever verifies it to say, not for the policy that it brings.
    let is_asked = options.policy.is_some_and(|policy| policy.evidence.signature_required);
    if let Some(code) = origin_fault(&recorded, options.known_signers).filter(|_| is_asked) {
        report.checks.iter_mut().for_each(|check| distrust(check, code));
    }
    finish(report, now, &recorded, &status, options)
}

/// What an evidence file says and who signed it.
pub(super) struct Recorded<'a> {
    /// What it says.
    pub record: &'a InspectionRecord,
    /// Who signed it; none where nobody did.
    pub signed_by: Option<&'a SignedBy>,
}

/// Compares the checks with those that were recorded, and adds those on the file itself. `status` is
/// how a check ended then.
pub(super) fn finish(
    mut report: Report,
    now: Timestamp,
    recorded: &Recorded<'_>,
    status: &dyn Fn(CheckId) -> Option<&'static str>,
    options: &ReplayOptions<'_>,
) -> Replay {
    let differs =
        |check: &&Check| check.code != NOT_ASKED && status(check.id) != Some(check.status_name());
    let differ = report.checks.iter().filter(differs).map(|check| check.id).collect();
    report.checks.push(origin_check(recorded, options.known_signers));
    report.checks.push(policy_check(recorded.record, options.policy));
    Replay { report, now, differ }
}

/// The reason code of a check that was left out on request.
const NOT_ASKED: &str = "not_asked";

/// The files that a check needs.
fn needed(id: CheckId) -> &'static [u8] {
    match id {
        CheckId::ConsistencyDg1Dg13 | CheckId::ConsistencyQr | CheckId::DocumentValidity => {
            &[1, 13]
        }
        CheckId::ConsistencyMrz => &[1],
        CheckId::BiometricsFormat => &[2],
        _ => &[],
    }
}

/// The recorded outcome of a check that cannot be made again, because what it needs was left out.
fn as_recorded(check: &Check, record: &InspectionRecord) -> Option<Check> {
    let left_out = |number: &u8| {
        let file = DgNumber::new(*number).map(DgNumber::file);
        file.is_some_and(|file: FileId| record.files.left_out.contains_key(&file))
    };
    let proof_left_out = check.code == "proof_left_out";
    if !proof_left_out && !needed(check.id).iter().any(left_out) {
        return None;
    }
    let before = record.checks.iter().find(|before| before.id == check.id)?;
    if before.has_failed() {
        let evidence = before.evidence().and("recorded", true);
        return Some(Check::failed(check.id, before.code, evidence));
    }
    if proof_left_out {
        // That it was passed is hearsay, and a proof of the chip is what "genuine" stands on.
        let evidence = Evidence::new("recorded", before.status_name());
        return Some(Check::skipped_with(check.id, check.code, evidence));
    }
    if before.has_passed() {
        let evidence = before.evidence().and("recorded", true).and("recorded_code", before.code);
        return Some(Check::warned(check.id, "recorded", evidence));
    }
    Some(before.clone())
}

/// Why a file is only the word of whoever wrote it.
fn origin_fault(recorded: &Recorded<'_>, known: &[KnownSigner]) -> Option<&'static str> {
    match recorded.signed_by {
        None => Some("evidence_not_signed"),
        by => {
            let required = require_signer(by, recorded.record.time, known);
            required.is_err().then_some("evidence_signer_unknown")
        }
    }
}

/// A proof of the chip that the file itself does not prove: whoever can check it can make it up.
fn distrust(check: &mut Check, code: &'static str) {
    if matches!(check.id, CheckId::ChipCa | CheckId::ChipPaceCam) && check.has_passed() {
        let evidence = Evidence::new("found", check.status_name());
        *check = Check::skipped_with(check.id, code, evidence);
    }
}

fn origin_check(recorded: &Recorded<'_>, known: &[KnownSigner]) -> Check {
    let id = CheckId::EvidenceOrigin;
    let facts = |signed_by: &SignedBy| {
        Evidence::new("key", signed_by.key.description())
            .and("fingerprint", signed_by.fingerprint.clone())
    };
    match (origin_fault(recorded, known), recorded.signed_by) {
        (None, Some(by)) => Check::passed(id, facts(by)),
        (Some(code), Some(by)) => Check::skipped_with(id, code, facts(by)),
        (_, None) => Check::skipped(id, "evidence_not_signed"),
    }
}

/// By whose policy the document was judged: a file may bring any.
fn policy_check(record: &InspectionRecord, given: Option<&Policy>) -> Check {
    let id = CheckId::EvidencePolicy;
    let own = Evidence::new("policy", record.policy.name.clone());
    if let Some(given) = given {
        return Check::passed(id, own.and("judged_by", given.name.clone()));
    }
    match Policy::builtin_of(record.policy.to_toml()) {
        Some(_) => Check::passed(id, own),
        None => Check::warned(id, "evidence_policy_own", own),
    }
}
