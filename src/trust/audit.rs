//! What is wrong, weak or old in a trust folder, for whoever looks after it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cancuoc_primitives::hash::HashAlgorithm;
use jiff::{SignedDuration, Timestamp};

use super::{
    Distrust, ListFault, Survey, SurveyedCertificate, SurveyedCrl, SurveyedList, TrustError,
    TrustIndex, TrustStore, X509,
};
use crate::error::ErrorCode;
use crate::lds::{ParameterForm, PublicKey, comparable_name, name_text};

/// Days after which a master list is called old: most States publish several a year.
const LIST_AGE_DAYS: i64 = 180;
/// Days before its end at which an anchor is said to expire soon.
const SOON_DAYS: i64 = 90;
/// Fewest bits of RSA and of a curve that are not called weak (ICAO 9303-12 §4.4).
const MIN_RSA_BITS: usize = 2048;
const MIN_CURVE_BITS: usize = 224;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditSeverity {
    /// To know.
    Note,
    /// To look at.
    Warning,
    /// Something does not count that is meant to.
    Error,
}

impl AuditSeverity {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFinding {
    /// Stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: AuditSeverity,
    /// The file, where one is concerned.
    pub file: Option<String>,
    /// The certificate or list, where one is concerned.
    pub subject: Option<String>,
    /// What exactly: a date, a key, the code of a reason.
    pub detail: String,
    /// The code of the reason why something does not count.
    pub reason: Option<&'static str>,
    /// The facts of that reason.
    pub facts: Vec<(&'static str, String)>,
}

/// A file of the folder as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    /// Its name.
    pub name: String,
    /// SHA-256, hexadecimal; nothing where it cannot be read.
    pub sha256: Option<String>,
    /// Whether it is one that a store reads.
    pub is_read: bool,
}

/// What an audit looks at.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The store.
    pub store: &'a TrustStore,
    /// All of it, verified without any cache.
    pub survey: &'a Survey<'a>,
    /// Where the files came from.
    pub index: &'a TrustIndex,
    /// The files of the folder.
    pub folder: &'a [FolderFile],
    /// The time to judge age by.
    pub now: Timestamp,
}

impl Audit<'_> {
    /// All findings, the worst first.
    #[must_use]
    pub fn findings(&self) -> Vec<AuditFinding> {
        let mut findings = Vec::new();
        self.check_files(&mut findings);
        for certificate in &self.survey.certificates {
            self.check_certificate(certificate, &mut findings);
        }
        self.check_duplicates(&mut findings);
        self.survey.lists.iter().for_each(|list| self.check_list(list, &mut findings));
        self.survey.crls.iter().for_each(|crl| self.check_crl(crl, &mut findings));
        self.check_missing_crls(&mut findings);
        for list in &self.survey.defects {
            if let Err(fault) = &list.state {
                findings.push(self.refused("defect_list_refused", list.file, fault));
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    fn days(&self, days: i64) -> Timestamp {
        self.now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(self.now)
    }

    fn file_name(&self, number: usize) -> Option<String> {
        let path = &self.store.files().get(number)?.path;
        Some(path.file_name()?.to_string_lossy().into_owned())
    }

    fn refused(&self, code: &'static str, file: usize, fault: &ListFault) -> AuditFinding {
        finding(code, AuditSeverity::Error).file(self.file_name(file)).because(fault)
    }

    fn check_files(&self, findings: &mut Vec<AuditFinding>) {
        // That a file was changed is found below, in the folder itself.
        let told = |(_, problem): &&(_, TrustError)| !matches!(problem, TrustError::Changed { .. });
        for (path, problem) in self.store.problems.iter().filter(told) {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let found = match problem {
                // Of a directory the rest counts, and it is others who make the entries.
                TrustError::Entry { number, name, problem } => {
                    let found = finding("entry_unusable", AuditSeverity::Warning);
                    let subject = format!("{number}: {name}");
                    found.subject(Some(subject)).because(&**problem)
                }
                TrustError::FurtherEntries(count) => {
                    finding("further_entries_unusable", AuditSeverity::Warning).detail(count)
                }
                _ => finding("file_unusable", AuditSeverity::Error).because(problem),
            };
            findings.push(found.file(name));
        }
        let not_indexed = match self.index.files.is_empty() {
            true => AuditSeverity::Note,
            false => AuditSeverity::Warning,
        };
        let mut by_hash: HashMap<&str, &str> = HashMap::new();
        for file in self.folder {
            let named = |code, severity| finding(code, severity).file(Some(file.name.clone()));
            match (self.index.files.get(&file.name), &file.sha256) {
                _ if !file.is_read => findings.push(named("file_unused", AuditSeverity::Warning)),
                // Where others were added with their origin, this one stands out.
                (None, _) => findings.push(named("file_not_indexed", not_indexed)),
                (Some(known), Some(hash)) if known.sha256 != *hash => {
                    findings.push(named("file_changed", AuditSeverity::Error).detail(&known.added));
                }
                (Some(_), _) => {}
            }
            let Some(hash) = file.sha256.as_deref().filter(|_| file.is_read) else { continue };
            match by_hash.get(hash) {
                Some(other) => {
                    findings.push(named("file_duplicate", AuditSeverity::Note).detail(other));
                }
                None => drop(by_hash.insert(hash, &file.name)),
            }
        }
        let present: BTreeSet<&String> = self.folder.iter().map(|file| &file.name).collect();
        for (name, known) in &self.index.files {
            if !present.contains(name) {
                let found = finding("file_missing", AuditSeverity::Warning);
                findings.push(found.file(Some(name.clone())).detail(&known.added));
            }
        }
    }

    fn check_certificate(
        &self,
        surveyed: &SurveyedCertificate<'_>,
        findings: &mut Vec<AuditFinding>,
    ) {
        let file = surveyed.pinned.first().or(surveyed.files.first());
        let file = file.and_then(|file| self.file_name(*file));
        let subject = subject(surveyed);
        let named =
            |code, severity| finding(code, severity).file(file.clone()).subject(subject.clone());
        match &surveyed.trust {
            Ok(_) => {}
            // A list that is refused is said once, not for each of its certificates.
            Err(Distrust::List(_)) => {}
            Err(reason) if surveyed.is_pinned() => {
                let broken = matches!(reason, Distrust::NoIssuer);
                let code = if broken { "link_broken" } else { "certificate_not_trusted" };
                let found = named(code, AuditSeverity::Error);
                findings.push(found.because(reason));
            }
            Err(reason) => {
                let found = named("certificate_not_trusted", AuditSeverity::Warning);
                findings.push(found.because(reason));
            }
        }
        let (Ok(certificate), Ok(_)) = (surveyed.certificate, &surveyed.trust) else { return };
        if surveyed.is_pinned() {
            let (_, until) = certificate.validity();
            if until < self.now {
                findings.push(named("anchor_expired", AuditSeverity::Warning).detail(until));
            } else if until < self.days(SOON_DAYS) {
                findings.push(named("anchor_expires_soon", AuditSeverity::Note).detail(until));
            }
        }
        if let Some((severity, weakness)) = weak_key(&certificate.key) {
            findings.push(named("key_weak", severity).detail(weakness));
        }
        if certificate.signature_algorithm().is_ok_and(|a| a.hash() == HashAlgorithm::Sha1) {
            findings.push(named("signature_weak", AuditSeverity::Note).detail("SHA-1"));
        }
        if certificate.parameters == ParameterForm::Explicit {
            let found = named("explicit_parameters", AuditSeverity::Note);
            findings.push(found.detail(certificate.key.description()));
        }
    }

    /// Keys that share a name or an identifier: whoever looks one up gets several.
    fn check_duplicates(&self, findings: &mut Vec<AuditFinding>) {
        let trusted = self.survey.certificates.iter().filter(|c| c.trust.is_ok());
        let trusted: Vec<&X509> = trusted.filter_map(|c| c.certificate.ok()).collect();
        let mut by_name: BTreeMap<Vec<u8>, Vec<&X509>> = BTreeMap::new();
        let mut by_id: BTreeMap<Vec<u8>, Vec<&X509>> = BTreeMap::new();
        for certificate in trusted {
            by_name.entry(comparable_name(&certificate.subject)).or_default().push(certificate);
            if let Some(id) = certificate.subject_key_id() {
                by_id.entry(id).or_default().push(certificate);
            }
        }
        let groups = [
            ("subject_duplicate", AuditSeverity::Note, by_name),
            ("key_identifier_duplicate", AuditSeverity::Warning, by_id),
        ];
        for (code, severity, groups) in groups {
            for certificates in groups.values() {
                let keys: BTreeSet<&[u8]> = certificates.iter().map(|c| c.parts().spki).collect();
                if let (Some(first), 2..) = (certificates.first(), keys.len()) {
                    let name = Some(name_text(&first.subject));
                    findings.push(finding(code, severity).subject(name).detail(keys.len()));
                }
            }
        }
    }

    fn check_list(&self, list: &SurveyedList<'_>, findings: &mut Vec<AuditFinding>) {
        let file = self.file_name(list.file);
        match &list.state {
            Err(fault @ ListFault::Superseded { .. }) => {
                let found = finding("list_superseded", AuditSeverity::Warning).file(file.clone());
                findings.push(found.because(fault));
            }
            Err(fault) => findings.push(self.refused("list_refused", list.file, fault)),
            Ok(_) => {
                let signed = list.signing_time.unwrap_or(self.now);
                if signed < self.days(-LIST_AGE_DAYS) {
                    let found = finding("list_old", AuditSeverity::Warning).file(file.clone());
                    findings.push(found.detail(signed));
                }
            }
        }
        for (place, problem) in list.malformed {
            let found = finding("certificate_malformed", AuditSeverity::Warning).file(file.clone());
            findings.push(found.because(problem).detail(format!("#{}: {problem}", place + 1)));
        }
    }

    fn check_crl(&self, surveyed: &SurveyedCrl<'_>, findings: &mut Vec<AuditFinding>) {
        let name = Some(name_text(&surveyed.crl.issuer));
        let named = |code, severity| {
            finding(code, severity).file(self.file_name(surveyed.file)).subject(name.clone())
        };
        if surveyed.signer.is_none() {
            findings.push(named("crl_not_verified", AuditSeverity::Error));
            return;
        }
        match surveyed.crl.next_update {
            Some(next) if next >= self.now => {}
            Some(next) => findings.push(named("crl_expired", AuditSeverity::Warning).detail(next)),
            None => findings.push(named("crl_without_next_update", AuditSeverity::Warning)),
        }
    }

    fn check_missing_crls(&self, findings: &mut Vec<AuditFinding>) {
        let listed: BTreeSet<Vec<u8>> =
            self.survey.crls.iter().map(|crl| comparable_name(&crl.crl.issuer)).collect();
        let mut missing = BTreeMap::new();
        for surveyed in self.survey.certificates.iter().filter(|c| c.is_pinned() && c.trust.is_ok())
        {
            let Ok(certificate) = surveyed.certificate else { continue };
            let name = comparable_name(&certificate.subject);
            if !listed.contains(&name) {
                missing.insert(name, name_text(&certificate.subject));
            }
        }
        let found = |name| finding("crl_missing", AuditSeverity::Warning).subject(Some(name));
        findings.extend(missing.into_values().map(found));
    }
}

/// Name of a certificate's subject.
fn subject(surveyed: &SurveyedCertificate<'_>) -> Option<String> {
    surveyed.certificate.ok().map(|certificate| name_text(&certificate.subject))
}

/// What is weak about a key, and how much that matters.
fn weak_key(key: &PublicKey) -> Option<(AuditSeverity, String)> {
    match key {
        PublicKey::Rsa(rsa) if rsa.bits() < MIN_RSA_BITS => {
            Some((AuditSeverity::Warning, key.description()))
        }
        // No weakness of the key itself, but of verifiers that are careless about padding.
        PublicKey::Rsa(rsa) if rsa.exponent() == [3] => {
            Some((AuditSeverity::Note, format!("{}, e = 3", key.description())))
        }
        PublicKey::Ec(point) if point.curve().field_bits() < MIN_CURVE_BITS => {
            Some((AuditSeverity::Warning, key.description()))
        }
        _ => None,
    }
}

fn finding(code: &'static str, severity: AuditSeverity) -> AuditFinding {
    AuditFinding {
        code,
        severity,
        file: None,
        subject: None,
        detail: String::new(),
        reason: None,
        facts: Vec::new(),
    }
}

impl AuditFinding {
    fn file(self, file: Option<String>) -> Self {
        Self { file, ..self }
    }

    fn subject(self, subject: Option<String>) -> Self {
        Self { subject, ..self }
    }

    fn detail(self, detail: impl ToString) -> Self {
        Self { detail: detail.to_string(), ..self }
    }

    /// Something does not count because of this error.
    fn because(self, error: &dyn ErrorCode) -> Self {
        Self { reason: Some(error.code()), facts: error.facts(), ..self.detail(error) }
    }
}
