//! Checks with evidence, and the verdict computed from them: the one place where it is.

use serde_json::{Map, Value, json};

/// The checks of the command-line contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // the names are those of the contract
pub enum CheckId {
    AccessPace,
    AccessBac,
    ChipCa,
    ChipPaceCam,
    ChipAa,
    TerminalTa,
    PaSodStructure,
    PaSodSignature,
    PaDsCertificate,
    PaChain,
    PaRevocation,
    PaHashes,
    PaCardSecurity,
    ConsistencyComSod,
    ConsistencyCardAccessDg14,
    ConsistencyCardSecurity,
    ConsistencyDg1Dg13,
    ConsistencyMrz,
    ConsistencyQr,
    DocumentValidity,
    BiometricsFormat,
    EvidenceOrigin,
    EvidencePolicy,
}

impl CheckId {
    /// All of them, in the order of the procedure.
    pub const ALL: [Self; 23] = [
        Self::AccessPace,
        Self::AccessBac,
        Self::ChipCa,
        Self::ChipPaceCam,
        Self::ChipAa,
        Self::TerminalTa,
        Self::PaSodStructure,
        Self::PaSodSignature,
        Self::PaDsCertificate,
        Self::PaChain,
        Self::PaRevocation,
        Self::PaHashes,
        Self::PaCardSecurity,
        Self::ConsistencyComSod,
        Self::ConsistencyCardAccessDg14,
        Self::ConsistencyCardSecurity,
        Self::ConsistencyDg1Dg13,
        Self::ConsistencyMrz,
        Self::ConsistencyQr,
        Self::DocumentValidity,
        Self::BiometricsFormat,
        Self::EvidenceOrigin,
        Self::EvidencePolicy,
    ];

    /// Those on a document, not on an evidence file.
    pub const OF_A_DOCUMENT: &'static [Self] = Self::ALL.split_at(Self::ALL.len() - 2).0;

    /// The check with the identifier.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == name)
    }

    /// The identifier that people script against.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessPace => "access.pace",
            Self::AccessBac => "access.bac",
            Self::ChipCa => "chip.ca",
            Self::ChipPaceCam => "chip.pace_cam",
            Self::ChipAa => "chip.aa",
            Self::TerminalTa => "terminal.ta",
            Self::PaSodStructure => "pa.sod_structure",
            Self::PaSodSignature => "pa.sod_signature",
            Self::PaDsCertificate => "pa.ds_certificate",
            Self::PaChain => "pa.chain",
            Self::PaRevocation => "pa.revocation",
            Self::PaHashes => "pa.hashes",
            Self::PaCardSecurity => "pa.card_security",
            Self::ConsistencyComSod => "consistency.com_sod",
            Self::ConsistencyCardAccessDg14 => "consistency.cardaccess_dg14",
            Self::ConsistencyCardSecurity => "consistency.card_security",
            Self::ConsistencyDg1Dg13 => "consistency.dg1_dg13",
            Self::ConsistencyMrz => "consistency.mrz",
            Self::ConsistencyQr => "consistency.qr",
            Self::DocumentValidity => "document.validity",
            Self::BiometricsFormat => "biometrics.format",
            Self::EvidenceOrigin => "evidence.origin",
            Self::EvidencePolicy => "evidence.policy",
        }
    }
}

/// What a check rests on. It has at least one fact: nothing passes without.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence(Map<String, Value>);

impl Evidence {
    /// Evidence with its first fact.
    #[must_use]
    pub fn new(name: &str, fact: impl Into<Value>) -> Self {
        Self(Map::from_iter([(name.to_owned(), fact.into())]))
    }

    /// The same with one more fact.
    #[must_use]
    pub fn and(mut self, name: &str, fact: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), fact.into());
        self
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    /// It holds, by this evidence.
    Passed(Evidence),
    /// It does not hold, by this evidence.
    Failed(Evidence),
    /// It could not be made.
    Skipped(Map<String, Value>),
    /// The document asks for something that is not supported here.
    Unsupported(Map<String, Value>),
}

/// A check with its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// How it ended.
    pub status: Status,
    /// Stable reason code.
    pub code: &'static str,
}

impl Check {
    /// A check that holds.
    #[must_use]
    pub const fn passed(id: CheckId, evidence: Evidence) -> Self {
        Self { id, status: Status::Passed(evidence), code: "ok" }
    }

    /// A check that does not hold.
    #[must_use]
    pub const fn failed(id: CheckId, code: &'static str, evidence: Evidence) -> Self {
        Self { id, status: Status::Failed(evidence), code }
    }

    /// A check that does not hold, with the facts of one that did.
    #[must_use]
    pub(super) const fn failed_with(
        id: CheckId,
        code: &'static str,
        detail: Map<String, Value>,
    ) -> Self {
        Self { id, status: Status::Failed(Evidence(detail)), code }
    }

    /// A check that holds, but says something that whoever looks should know.
    #[must_use]
    pub fn warned(id: CheckId, code: &'static str, evidence: Evidence) -> Self {
        Self { id, status: Status::Passed(evidence.and("warning", true)), code }
    }

    /// A check that could not be made.
    #[must_use]
    pub fn skipped(id: CheckId, code: &'static str) -> Self {
        Self { id, status: Status::Skipped(Map::new()), code }
    }

    /// A check that could not be made, with what would be needed.
    #[must_use]
    pub fn skipped_with(id: CheckId, code: &'static str, evidence: Evidence) -> Self {
        Self { id, status: Status::Skipped(evidence.0), code }
    }

    /// A check of something that is not supported.
    #[must_use]
    pub fn unsupported(id: CheckId, code: &'static str, evidence: Evidence) -> Self {
        Self { id, status: Status::Unsupported(evidence.0), code }
    }

    /// A check as an evidence file has it; none where the status is unknown, or it passed or failed
    /// without evidence.
    #[must_use]
    pub(super) fn recorded(
        id: CheckId,
        status: &str,
        code: &'static str,
        detail: Map<String, Value>,
    ) -> Option<Self> {
        let status = match Self::recorded_status(status, !detail.is_empty())? {
            "skipped" => Status::Skipped(detail),
            "unsupported" => Status::Unsupported(detail),
            "passed" => Status::Passed(Evidence(detail)),
            _ => Status::Failed(Evidence(detail)),
        };
        Some(Self { id, status, code })
    }

    /// The name of a status that an evidence file has; none where it is unknown, or the check passed
    /// or failed without evidence.
    #[must_use]
    pub(super) fn recorded_status(status: &str, has_facts: bool) -> Option<&'static str> {
        Some(match status {
            "skipped" => "skipped",
            "unsupported" => "unsupported",
            "passed" if has_facts => "passed",
            "failed" if has_facts => "failed",
            _ => return None,
        })
    }

    /// Drops facts; that there were some stays visible.
    pub(super) fn forget(&mut self, facts: &[&str]) {
        let detail = match &mut self.status {
            Status::Passed(evidence) | Status::Failed(evidence) => &mut evidence.0,
            Status::Skipped(detail) | Status::Unsupported(detail) => detail,
        };
        for fact in facts {
            if let Some(value) = detail.get_mut(*fact) {
                *value = Value::Null;
            }
        }
    }

    /// Whether it holds.
    #[must_use]
    pub const fn has_passed(&self) -> bool {
        matches!(self.status, Status::Passed(_))
    }

    /// Whether it does not hold.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self.status, Status::Failed(_))
    }

    /// Whether it holds with a reservation, which its code names.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.has_passed() && self.code != "ok"
    }

    /// Whether it says something beside every verdict, be it genuine: a reservation, whose word an
    /// evidence file is, or that nobody knows whether the signer was revoked.
    #[must_use]
    pub fn warns(&self) -> bool {
        let open = match self.id {
            CheckId::EvidenceOrigin => true,
            // Where the chain does not hold its own check says so.
            CheckId::PaRevocation => matches!(
                self.code,
                "crl_missing" | "crl_signature_invalid" | "crl_expired" | "crl_partial"
            ),
            _ => false,
        };
        self.is_warning() || (open && !self.has_passed() && !self.has_failed())
    }

    /// Name of the status in JSON.
    #[must_use]
    pub const fn status_name(&self) -> &'static str {
        match self.status {
            Status::Passed(_) => "passed",
            Status::Failed(_) => "failed",
            Status::Skipped(_) => "skipped",
            Status::Unsupported(_) => "unsupported",
        }
    }

    /// Facts of the outcome.
    #[must_use]
    pub const fn detail(&self) -> &Map<String, Value> {
        match &self.status {
            Status::Passed(evidence) | Status::Failed(evidence) => &evidence.0,
            Status::Skipped(detail) | Status::Unsupported(detail) => detail,
        }
    }

    /// What it rests on, to be added to.
    #[must_use]
    pub(super) fn evidence(&self) -> Evidence {
        Evidence(self.detail().clone())
    }

    /// The check in the JSON of `cancuoc.verify/1`.
    #[must_use]
    pub fn to_json(&self, message: &str) -> Value {
        json!({
            "id": self.id.as_str(),
            "status": self.status_name(),
            "code": self.code,
            "message": message,
            "detail": self.detail(),
        })
    }
}

/// What the checks say of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Data signed by a trusted issuer, in a chip that the issuer made.
    Genuine,
    /// At least one check failed.
    Forged,
    /// Nothing failed, but something required could not be checked.
    Inconclusive,
}

/// What `genuine` takes besides Passive Authentication up to an anchor, by the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// Proofs that the chip is no copy, one of which is needed.
    pub one_of: Vec<CheckId>,
    /// Checks that are needed each.
    pub all: Vec<CheckId>,
}

impl Verdict {
    /// Passive Authentication up to an anchor, which `genuine` needs.
    const REQUIRED: [CheckId; 5] = [
        CheckId::PaSodStructure,
        CheckId::PaSodSignature,
        CheckId::PaDsCertificate,
        CheckId::PaChain,
        CheckId::PaHashes,
    ];
    /// Proofs that the chip is no copy, one of which `genuine` needs whatever the policy says.
    const CHIP: [CheckId; 3] = [CheckId::ChipCa, CheckId::ChipPaceCam, CheckId::ChipAa];

    /// Computes the verdict. Integrity alone never proves that the chip is not a copy.
    #[must_use]
    pub fn of(checks: &[Check], requirements: &Requirements) -> Self {
        if checks.iter().any(Check::has_failed) {
            Self::Forged
        } else if wanting(checks, requirements).is_empty() {
            Self::Genuine
        } else {
            Self::Inconclusive
        }
    }

    /// The verdict with the name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Genuine, Self::Forged, Self::Inconclusive].into_iter().find(|v| v.as_str() == name)
    }

    /// Name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Forged => "forged",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What `genuine` still takes: of each group one check must hold. A group without any cannot be
/// met: the policy accepts no proof that the chip is no copy.
pub(super) fn wanting(checks: &[Check], requirements: &Requirements) -> Vec<Vec<CheckId>> {
    let passed = |id: &CheckId| checks.iter().any(|c| c.id == *id && c.has_passed());
    let needed = Verdict::REQUIRED.iter().chain(&requirements.all);
    let mut groups: Vec<_> = needed.filter(|id| !passed(id)).map(|id| vec![*id]).collect();
    let proofs: Vec<_> =
        requirements.one_of.iter().copied().filter(|id| Verdict::CHIP.contains(id)).collect();
    if !proofs.iter().any(passed) {
        groups.push(proofs);
    }
    groups
}
