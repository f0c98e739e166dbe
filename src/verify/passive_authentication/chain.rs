//! Document signer certificate, chain to an anchor, revocation (ICAO 9303-12 §7.1, §7.2).

use jiff::Timestamp;

use super::states;
use crate::lds::{DgNumber, SignedData, decode_dg1};
use crate::pki::{ProfileFinding, ProfileKind, check_profile};
use crate::trust::X509;
use crate::verify::{Check, CheckId, DocumentFiles, Evidence, Inspection};

/// `pa.ds_certificate`, `pa.chain` and `pa.revocation`.
pub(super) fn check(
    signed: &SignedData,
    certificate: Option<&X509>,
    files: &DocumentFiles,
    inspection: &Inspection<'_>,
) -> Vec<Check> {
    let ids = [CheckId::PaDsCertificate, CheckId::PaChain, CheckId::PaRevocation];
    let Some(certificate) = certificate else {
        return ids.map(|id| Check::skipped(id, "no_ds_certificate")).to_vec();
    };
    let signed_at = signing_time(signed).unwrap_or(inspection.now);
    let (chain, anchor) = check_chain(certificate, files, inspection);
    vec![
        check_certificate(certificate, signed_at, inspection.now)
            .under(inspection.policy.document_signer_key(&certificate.key)),
        chain,
        check_revocation(certificate, anchor, inspection),
    ]
}

fn signing_time(signed: &SignedData) -> Option<Timestamp> {
    signed.signers.first()?.attributes().ok()??.signing_timestamp()
}

fn codes(findings: &[ProfileFinding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code).collect()
}

/// Profile, and validity of certificate and private key at the time of signing.
fn check_certificate(certificate: &X509, signed_at: Timestamp, now: Timestamp) -> Check {
    let id = CheckId::PaDsCertificate;
    let findings = check_profile(&certificate.certificate, ProfileKind::DocumentSigner);
    let facts = |code: &'static str| {
        Check::failed(
            id,
            code,
            Evidence::new("profile", codes(&findings)).and("signed_at", signed_at.to_string()),
        )
    };
    if let Some(fatal) = findings.iter().find(|f| f.fatal) {
        return facts(fatal.code);
    }
    let (from, until) = certificate.validity();
    if signed_at < from {
        return facts("ds_not_yet_valid");
    }
    if signed_at > until {
        return facts("ds_expired_at_signing");
    }
    let (key_from, key_until) = certificate.key_usage_period().unwrap_or_default();
    if key_from.is_some_and(|t| signed_at < t) || key_until.is_some_and(|t| signed_at > t) {
        return facts("outside_key_usage_period");
    }
    let evidence = Evidence::new("signed_at", signed_at.to_string())
        .and("valid_until", until.to_string())
        // What was valid at signing stays valid evidence; that it has expired since is said.
        .and("expired_now", now > until)
        .and("key", certificate.key.description())
        .and("remarks", codes(&findings));
    Check::passed(id, evidence)
}

/// Finds the anchor whose key verifies the certificate: names and identifiers only say where to
/// look.
fn check_chain<'a>(
    certificate: &X509,
    files: &DocumentFiles,
    inspection: &Inspection<'a>,
) -> (Check, Option<&'a X509>) {
    let id = CheckId::PaChain;
    let country = country(certificate);
    let authority = certificate.authority_key_id();
    let same_name = |anchor: &&X509| anchor.subject == certificate.issuer;
    let same_id = |anchor: &&X509| authority.is_some() && anchor.subject_key_id() == authority;
    let all = inspection.trust.anchors.iter();
    let named: Vec<&X509> = all.filter(|a| same_name(a) || same_id(a)).collect();
    let found = named.iter().find_map(|anchor| {
        let algorithm = certificate.verify(&anchor.key).ok()?;
        Some((*anchor, algorithm))
    });
    let facts = Evidence::new("country", country.clone())
        .and("authority_key_id", authority.as_deref().map(hex::encode));
    let Some((anchor, algorithm)) = found else {
        let check = if named.iter().any(same_name) {
            Check::failed(id, "csca_signature_invalid", facts)
        } else {
            // Which CSCA is wanted: country and key identifier.
            Check::skipped_with(id, "csca_unknown", facts)
        };
        return (check, None);
    };
    let findings = check_profile(&anchor.certificate, ProfileKind::Csca);
    if let Some(fatal) = findings.iter().find(|f| f.fatal) {
        return (Check::failed(id, fatal.code, facts), None);
    }
    if anchor.country() != certificate.country() {
        return (Check::failed(id, "csca_of_other_country", facts), None);
    }
    if !state_fits(files, &country) {
        return (Check::failed(id, "issuing_state_mismatch", facts), None);
    }
    let (issued, _) = certificate.validity();
    let (from, until) = anchor.validity();
    if issued < from || issued > until {
        return (Check::failed(id, "csca_not_valid_at_issue", facts), None);
    }
    let serial = hex::encode(&anchor.serial);
    let evidence = facts
        .and("csca_serial", serial)
        .and("csca_key", anchor.key.description())
        .and("signature", algorithm.description())
        .and("remarks", codes(&findings));
    let policy = inspection.policy;
    let accepted = policy
        .certificate_hash(algorithm.hash())
        .and_then(|()| policy.country_signing_key(&anchor.key));
    (Check::passed(id, evidence).under(accepted), Some(anchor))
}

fn country(certificate: &X509) -> String {
    certificate.country().unwrap_or_default()
}

/// Whether the state that the MRZ names is the signer's.
fn state_fits(files: &DocumentFiles, country: &str) -> bool {
    let dg1 = DgNumber::new(1).and_then(|n| files.files.get(&n.file()));
    let Some(mrz) = dg1.and_then(|bytes| decode_dg1(bytes).ok()) else { return true };
    states::signs_for(country, mrz.get(2..5).unwrap_or_default())
}

fn check_revocation(
    certificate: &X509,
    anchor: Option<&X509>,
    inspection: &Inspection<'_>,
) -> Check {
    let id = CheckId::PaRevocation;
    let Some(anchor) = anchor else { return Check::skipped(id, "no_trusted_csca") };
    let mut lists = inspection.trust.crls.iter().filter(|l| l.issuer == anchor.subject).peekable();
    if lists.peek().is_none() {
        return Check::skipped(id, "crl_missing");
    }
    let signed: Vec<_> = lists.filter(|list| list.verify(&anchor.key).is_ok()).collect();
    let Some(newest) = signed.iter().max_by_key(|list| list.next_update) else {
        return Check::skipped(id, "crl_signature_invalid");
    };
    let serial = hex::encode(&certificate.serial);
    // A revocation stays one, however old the list is that tells it.
    if signed.iter().any(|list| list.revoked.contains(&certificate.serial)) {
        return Check::failed(id, "ds_revoked", Evidence::new("serial", serial));
    }
    if newest.next_update.is_none_or(|next| next < inspection.now) {
        return Check::skipped(id, "crl_expired");
    }
    let next = newest.next_update.map(|t| t.to_string());
    Check::passed(id, Evidence::new("serial", serial).and("next_update", next))
}
