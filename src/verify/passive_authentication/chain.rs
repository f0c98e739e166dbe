//! Document signer certificate, chain to an anchor, revocation (ICAO 9303-12 §7.1, §7.2).

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::signers::{Issuer, Signer, SignerCache};
use super::{Signed, states};
use crate::document::Mrz;
use crate::error::ErrorCode;
use crate::lds::{SignedData, decode_dg1};
use crate::pki::{ProfileFinding, ProfileKind, check_profile};
use crate::trust::{
    DefectKind, Distrust, DocumentFacts, IssuerFault, KnownDefect, RevocationStatus, TrustStore,
    X509,
};
use crate::verify::{Check, CheckId, DocumentFiles, Evidence, Inspection, Policy, Refusal};

/// How far the clocks of an issuer and of a verifier may be apart.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_hours(24);

/// `pa.ds_certificate`, `pa.chain` and `pa.revocation`.
pub(super) fn check<'t>(
    signed: Signed<'_>,
    signer: Option<&Signer<'t>>,
    defects: &[&KnownDefect],
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
    signers: &SignerCache<'t>,
) -> Vec<Check> {
    let ids = [CheckId::PaDsCertificate, CheckId::PaChain, CheckId::PaRevocation];
    let Some(signer) = signer else {
        return ids.map(|id| Check::skipped(id, "no_ds_certificate")).to_vec();
    };
    let policy = inspection.policy;
    let chain = check_chain(signer, signed.data, files, inspection);
    let revocation = if chain.has_passed() {
        let status = signers.revocation(signer, files);
        check_revocation(signer, status, defects, inspection.now)
    } else {
        Check::skipped(CheckId::PaRevocation, "no_trusted_csca")
    };
    vec![
        check_certificate(signer, signed.at, defects, inspection)
            .under(policy.document_signer_key(&signer.certificate.key)),
        chain.under(judge(&signer.issuer, policy)),
        revocation,
    ]
}

/// What the policy says of the anchor's key and signature.
fn judge(issuer: &Issuer<'_>, policy: &Policy) -> Result<(), Refusal> {
    let Issuer::Csca { issuer, .. } = issuer else { return Ok(()) };
    policy.certificate_hash(issuer.algorithm.hash())?;
    policy.country_signing_key(&issuer.certificate.key)
}

/// What the lists of defects say of documents like this one.
pub(super) fn known_defects<'a>(
    signed: Signed<'_>,
    signer: Option<&Signer<'_>>,
    files: &DocumentFiles,
    inspection: &Inspection<'a>,
) -> Vec<&'a KnownDefect> {
    let Some(signer) = signer.filter(|_| inspection.trust.lists_defects()) else {
        return Vec::new();
    };
    let mrz = files.data_group(1).and_then(|bytes| Mrz::parse(decode_dg1(bytes).ok()?).ok());
    let facts = DocumentFacts {
        document_type: mrz.as_ref().map(Mrz::document_code),
        document_number: mrz.as_ref().map(|mrz| mrz.document_number().as_str()),
        issued: signed.at,
    };
    inspection.trust.defects(&signer.certificate, &facts)
}

fn codes(findings: &[ProfileFinding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code).collect()
}

/// Profile, and validity of certificate and private key at the time of signing. Where the signature
/// does not tell its time, the certificate must be valid now: it outlives every document that it
/// signed (ICAO 9303-12 §4.1); when the private key was used is then not known.
fn check_certificate(
    signer: &Signer<'_>,
    signed_at: Option<Timestamp>,
    defects: &[&KnownDefect],
    inspection: &Inspection<'_>,
) -> Check {
    let id = CheckId::PaDsCertificate;
    let (certificate, now) = (&signer.certificate, inspection.now);
    let (from, until) = certificate.validity();
    let (key_from, key_until) = certificate.key_usage_period().unwrap_or_default();
    let evidence = Evidence::new("signed_at", signed_at.map(|t| t.to_string()))
        .and("valid_from", from.to_string())
        .and("valid_until", until.to_string())
        .and("key_until", key_until.map(|t| t.to_string()))
        // What was valid at signing stays valid evidence; that it has expired since is said.
        .and("expired_now", now > until)
        .and("key", certificate.key.description())
        .and("serial", hex::encode(&certificate.serial))
        .and("remarks", codes(&signer.findings))
        .and("known_defects", defects.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>());
    if let Some(fatal) = signer.findings.iter().find(|f| f.fatal) {
        return Check::failed(id, fatal.code, evidence);
    }
    let judged_at = signed_at.unwrap_or(now);
    let latest = now.saturating_add(CLOCK_DIFFERENCE).unwrap_or(now);
    let code = if signed_at.is_some_and(|t| t > latest) {
        "signed_in_the_future"
    } else if judged_at < from {
        "ds_not_yet_valid"
    } else if signed_at.is_some_and(|t| t > until) {
        "ds_expired_at_signing"
    } else if now > until && signed_at.is_none() {
        if inspection.policy.tolerates_expiry() {
            return Check::warned(id, "ds_expired", evidence);
        }
        "ds_expired"
    } else if key_from.is_some_and(|t| judged_at < t)
        || signed_at.is_some_and(|at| key_until.is_some_and(|t| at > t))
    {
        "outside_key_usage_period"
    } else {
        return Check::passed(id, evidence);
    };
    Check::failed(id, code, evidence)
}

/// Whether the certificate leads to an anchor.
fn check_chain(
    signer: &Signer<'_>,
    signed: &SignedData,
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
) -> Check {
    let id = CheckId::PaChain;
    let certificate = &signer.certificate;
    let country = certificate.country().unwrap_or_default();
    let facts = Evidence::new("country", country.clone())
        .and("authority_key_id", certificate.authority_key_id().as_deref().map(hex::encode));
    let (issuer, findings) = match &signer.issuer {
        Issuer::Csca { issuer, findings } => (issuer, findings),
        Issuer::Fault(IssuerFault::Forged) => {
            return Check::failed(id, "csca_signature_invalid", facts);
        }
        Issuer::Fault(IssuerFault::NotAllowed(code)) => return Check::failed(id, code, facts),
        Issuer::Fault(IssuerFault::Unsupported(what)) => {
            let facts = facts.and("error", what.clone());
            return Check::unsupported(id, "signature_algorithm_unsupported", facts);
        }
        Issuer::Fault(IssuerFault::Unknown { distrust, .. }) => {
            // Which CSCA is wanted: country and key identifier; and why the one at hand does not do.
            let facts = facts
                .and("distrust", distrust.as_ref().map(ErrorCode::code))
                .and("distrust_detail", distrust.as_ref().map(ToString::to_string))
                .and("distrust_facts", distrust.as_ref().map(facts_of));
            return match false_issuer(certificate, signed, inspection.trust) {
                Some(code) => Check::failed(id, code, facts),
                None => Check::skipped_with(id, "csca_unknown", facts),
            };
        }
    };
    let (anchor, algorithm) = (issuer.certificate, issuer.algorithm);
    if let Some(fatal) = findings.iter().find(|f| f.fatal) {
        return Check::failed(id, fatal.code, facts);
    }
    if anchor.country() != certificate.country() {
        return Check::failed(id, "csca_of_other_country", facts);
    }
    if !state_fits(files, &country) {
        return Check::failed(id, "issuing_state_mismatch", facts);
    }
    let (issued, _) = certificate.validity();
    let (from, until) = anchor.validity();
    if issued < from || issued > until {
        return Check::failed(id, "csca_not_valid_at_issue", facts);
    }
    let evidence = facts
        .and("csca_serial", hex::encode(&anchor.serial))
        .and("csca_key", anchor.key.description())
        .and("csca_valid_until", until.to_string())
        .and("trusted_by", issuer.basis.as_str())
        .and("signature", algorithm.description())
        .and("remarks", codes(findings));
    Check::passed(id, evidence)
}

/// The facts of an error as a fact.
fn facts_of(error: &Distrust) -> Map<String, Value> {
    error.facts().into_iter().map(|(name, fact)| (name.to_owned(), fact.into())).collect()
}

/// What is wrong where another certificate beside the signer's issued it: one that may issue none,
/// or one between the signer and an anchor, where no CA may stand (ICAO 9303-12 §7.1.1: the path
/// length of a country signing CA is zero). Nothing is ever trusted because of such a certificate.
fn false_issuer(
    certificate: &X509,
    signed: &SignedData,
    trust: &TrustStore,
) -> Option<&'static str> {
    let others = signed.certificates.iter().filter(|der| **der != certificate.der);
    let decoded = others.filter_map(|der| X509::decode(der).ok());
    let mut issuers = decoded.filter(|other| certificate.verify(&other.key).is_ok());
    issuers.find_map(|issuer| {
        let findings = check_profile(&issuer.parts(), ProfileKind::Csca);
        if let Some(fatal) = findings.iter().find(|f| f.fatal) {
            return Some(fatal.code);
        }
        let self_issued = issuer.issuer == issuer.subject;
        (!self_issued && trust.find_issuer(&issuer).is_ok()).then_some("path_too_long")
    })
}

/// Whether the state that the MRZ names is the signer's.
fn state_fits(files: &DocumentFiles, country: &str) -> bool {
    let mrz = files.data_group(1).and_then(|bytes| decode_dg1(bytes).ok());
    let state = mrz.and_then(|mrz| mrz.get(2..5));
    let state = state.or_else(|| files.issuing_state.as_ref().map(|state| &state[..]));
    state.is_none_or(|state| states::signs_for(country, state))
}

fn check_revocation(
    signer: &Signer<'_>,
    status: RevocationStatus,
    defects: &[&KnownDefect],
    now: Timestamp,
) -> Check {
    let id = CheckId::PaRevocation;
    let serial = Evidence::new("serial", hex::encode(&signer.certificate.serial));
    if let Some(defect) = defects.iter().find(|d| d.kind == DefectKind::CertificateRevoked) {
        let status = defect.numbers.first().copied();
        return Check::failed(id, "ds_revoked_by_defect_list", serial.and("status", status));
    }
    let time = |time: Timestamp| time.to_string();
    match status {
        RevocationStatus::NoList => Check::skipped(id, "crl_missing"),
        RevocationStatus::NotVerified => Check::skipped(id, "crl_signature_invalid"),
        RevocationStatus::Revoked { since, reason } => {
            let facts = serial.and("since", time(since)).and("reason", reason);
            Check::failed(id, "ds_revoked", facts)
        }
        RevocationStatus::NotListed { next_update, is_partial } => {
            let evidence = serial.and("next_update", next_update.map(time));
            if next_update.is_none_or(|next| next < now) {
                Check::skipped_with(id, "crl_expired", evidence)
            } else if is_partial {
                Check::skipped_with(id, "crl_partial", evidence)
            } else {
                Check::passed(id, evidence)
            }
        }
    }
}
