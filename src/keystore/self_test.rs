//! What is looked at before a run begins: whether the document signer will do for all of it (F13,
//! F14 of what a production line must survive).

use cancuoc_primitives::CryptoRng;
use jiff::Timestamp;
use thiserror::Error;

use crate::error::ErrorCode;
use crate::lds::PublicKey;
use crate::pki::{ProfileKind, Signer, SignerError, check_profile};
use crate::trust::X509;

/// A document signer and what it is to do.
#[derive(Clone, Copy)]
pub struct Fitness<'a> {
    /// Its key.
    pub signer: &'a dyn Signer,
    /// Its certificate in DER.
    pub certificate: &'a [u8],
    /// The CSCA certificate in DER under which the documents of this site must verify.
    pub anchor: Option<&'a [u8]>,
    /// When the first document is signed.
    pub from: Timestamp,
    /// When the last document is signed.
    pub until: Timestamp,
    /// Until when the documents must verify, where they end.
    pub documents_until: Option<Timestamp>,
}

/// Why a document signer will not do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelfTestFinding {
    /// A certificate cannot be read.
    #[error("{which} certificate: {what}")]
    Malformed {
        /// `document signer` or `anchor`.
        which: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The certificate breaks a rule of its profile.
    #[error("document signer certificate: {0}")]
    Profile(&'static str),
    /// The certificate belongs to another key.
    #[error("the certificate does not belong to the signing key")]
    OtherKey,
    /// A certificate is not valid for all of the run.
    #[error("the {which} certificate is valid from {from} to {to}")]
    NotValid {
        /// `document signer` or `anchor`.
        which: &'static str,
        /// First moment.
        from: Timestamp,
        /// Last moment.
        to: Timestamp,
    },
    /// The key may not sign for all of the run.
    #[error("the key may sign until {0}")]
    KeyPeriod(Timestamp),
    /// The certificate ends before the documents do.
    #[error("the certificate ends on {0}, before the documents do")]
    EndsBeforeDocuments(Timestamp),
    /// The anchor did not issue the certificate.
    #[error("the certificate does not verify under the anchor: {0}")]
    OtherAnchor(String),
    /// The key is known to be weak.
    #[error("the key is weak: {0}")]
    WeakKey(&'static str),
    /// The key makes no signature that verifies.
    #[error("the key makes no signature that verifies: {0}")]
    Trial(SignerError),
}

impl ErrorCode for SelfTestFinding {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "self_test_certificate_malformed",
            Self::Profile(_) => "self_test_certificate_profile",
            Self::OtherKey => "signer_certificate_of_other_key",
            Self::NotValid { .. } => "self_test_certificate_not_valid",
            Self::KeyPeriod(_) => "self_test_key_period",
            Self::EndsBeforeDocuments(_) => "self_test_ends_before_documents",
            Self::OtherAnchor(_) => "self_test_other_anchor",
            Self::WeakKey(_) => "self_test_key_weak",
            Self::Trial(_) => "self_test_trial_failed",
        }
    }
}

/// All that is wrong with a document signer; nothing, where it will do. Whether the token is tagged
/// for this environment says [`super::Token::require`].
#[must_use]
pub fn self_test(fitness: &Fitness<'_>, random: &mut dyn CryptoRng) -> Vec<SelfTestFinding> {
    let mut findings = Vec::new();
    let decode = |which, der| {
        X509::decode(der).map_err(|e| SelfTestFinding::Malformed { which, what: e.to_string() })
    };
    match decode("document signer", fitness.certificate) {
        Ok(certificate) => {
            check_certificate(fitness, &certificate, &mut findings);
            match fitness.anchor.map(|der| decode("anchor", der)) {
                Some(Ok(anchor)) => check_chain(fitness, &certificate, &anchor, &mut findings),
                Some(Err(malformed)) => findings.push(malformed),
                None => {}
            }
        }
        Err(malformed) => findings.push(malformed),
    }
    let key = fitness.signer.public_key();
    if let PublicKey::Rsa(key) = &key
        && let Some(weakness) = key.weakness()
    {
        findings.push(SelfTestFinding::WeakKey(weakness));
    }
    if let Err(error) = fitness.signer.sign_verified(b"self-test before a run", random) {
        findings.push(SelfTestFinding::Trial(error));
    }
    findings
}

fn check_certificate(
    fitness: &Fitness<'_>,
    certificate: &X509,
    findings: &mut Vec<SelfTestFinding>,
) {
    if certificate.key != fitness.signer.public_key() {
        findings.push(SelfTestFinding::OtherKey);
    }
    let faults = check_profile(&certificate.parts(), ProfileKind::DocumentSigner);
    let fatal = faults.into_iter().filter(|fault| fault.fatal);
    findings.extend(fatal.map(|fault| SelfTestFinding::Profile(fault.code)));
    check_validity("document signer", fitness, certificate, findings);
    if let Some((first, last)) = certificate.key_usage_period() {
        let early = first.is_some_and(|first| fitness.from < first);
        if let Some(last) = last.filter(|last| early || fitness.until > *last) {
            findings.push(SelfTestFinding::KeyPeriod(last));
        }
    }
    let (_, end) = certificate.validity();
    if fitness.documents_until.is_some_and(|documents| documents > end) {
        findings.push(SelfTestFinding::EndsBeforeDocuments(end));
    }
}

fn check_validity(
    which: &'static str,
    fitness: &Fitness<'_>,
    certificate: &X509,
    findings: &mut Vec<SelfTestFinding>,
) {
    if !certificate.is_valid_at(fitness.from) || !certificate.is_valid_at(fitness.until) {
        let (from, to) = certificate.validity();
        findings.push(SelfTestFinding::NotValid { which, from, to });
    }
}

fn check_chain(
    fitness: &Fitness<'_>,
    certificate: &X509,
    anchor: &X509,
    findings: &mut Vec<SelfTestFinding>,
) {
    check_validity("anchor", fitness, anchor, findings);
    if certificate.issuer != anchor.subject {
        let what = "another issuer is named".to_owned();
        findings.push(SelfTestFinding::OtherAnchor(what));
    } else if !anchor.is_ca() {
        let what = "it is no certificate of a CA".to_owned();
        findings.push(SelfTestFinding::OtherAnchor(what));
    } else if let Err(fault) = certificate.verify(&anchor.key) {
        findings.push(SelfTestFinding::OtherAnchor(fault.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lds::{ParameterForm, SignatureAlgorithm};
    use crate::pki::{
        CertificateKind, CertificateRequest, KeyKind, SoftwareKey, Validity, country_name, issue,
    };
    use cancuoc_primitives::curve::Curve;
    use jiff::SignedDuration;

    fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
        rand_core::UnwrapErr(getrandom::SysRng)
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * day)
    }

    struct Site {
        key: SoftwareKey,
        ds: Vec<u8>,
        csca: Vec<u8>,
        other_csca: Vec<u8>,
    }

    fn p256() -> SoftwareKey {
        SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap()
    }

    fn site() -> Site {
        let [key, csca_key, other] = [p256(), p256(), p256()];
        let [csca_name, ds_name] = ["CSCA", "DS"].map(|name| country_name("VN", "Test", name));
        let root = |key: &SoftwareKey| {
            let request = CertificateRequest {
                kind: CertificateKind::CscaRoot,
                serial: &[1],
                issuer: &csca_name,
                subject: &csca_name,
                country: "VN",
                public_key: &key.public_key(),
                parameters: ParameterForm::Named,
                issuer_key: &key.public_key(),
                validity: Validity {
                    not_before: day(-10),
                    not_after: day(5000),
                    key_not_after: day(1000),
                },
            };
            issue(&request, key, &mut random()).unwrap()
        };
        let request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            issuer: &csca_name,
            subject: &ds_name,
            country: "VN",
            public_key: &key.public_key(),
            parameters: ParameterForm::Named,
            issuer_key: &csca_key.public_key(),
            validity: Validity {
                not_before: day(-1),
                not_after: day(3650),
                key_not_after: day(90),
            },
        };
        let ds = issue(&request, &csca_key, &mut random()).unwrap();
        let (csca, other_csca) = (root(&csca_key), root(&other));
        Site { key, ds, csca, other_csca }
    }

    /// Codes of what is found; the change makes it worse.
    fn codes(change: impl for<'a> FnOnce(&mut Fitness<'a>, &'a Site)) -> Vec<&'static str> {
        let site = site();
        let mut fitness = Fitness {
            signer: &site.key,
            certificate: &site.ds,
            anchor: Some(&site.csca),
            from: day(0),
            until: day(30),
            documents_until: Some(day(3000)),
        };
        change(&mut fitness, &site);
        self_test(&fitness, &mut random()).iter().map(ErrorCode::code).collect()
    }

    #[test]
    fn a_signer_that_will_do_passes() {
        assert_eq!(codes(|_, _| {}), [""; 0]);
    }

    #[test]
    fn finds_a_signer_that_is_not_yet_or_no_longer_valid_during_the_run() {
        let early = codes(|f, _| f.from = day(-2));
        assert_eq!(early, ["self_test_certificate_not_valid", "self_test_key_period"]);
        assert_eq!(codes(|f, _| f.until = day(91)), ["self_test_key_period"]);
        let late = codes(|f, _| f.until = day(3651));
        assert_eq!(late, ["self_test_certificate_not_valid", "self_test_key_period"]);
        let documents = codes(|f, _| f.documents_until = Some(day(3651)));
        assert_eq!(documents, ["self_test_ends_before_documents"]);
    }

    #[test]
    fn finds_a_signer_of_another_issuer_of_the_same_name() {
        assert_eq!(codes(|f, site| f.anchor = Some(&site.other_csca)), ["self_test_other_anchor"]);
        let no_ca = codes(|f, site| f.anchor = Some(&site.ds));
        assert_eq!(no_ca, ["self_test_other_anchor"]);
        let garbage = codes(|f, _| f.anchor = Some(b"garbage"));
        assert_eq!(garbage, ["self_test_certificate_malformed"]);
    }

    #[test]
    fn finds_the_certificate_of_another_key_or_kind() {
        let other = p256();
        let site = site();
        let fitness = Fitness {
            signer: &other,
            certificate: &site.ds,
            anchor: None,
            from: day(0),
            until: day(0),
            documents_until: None,
        };
        assert_eq!(self_test(&fitness, &mut random()), [SelfTestFinding::OtherKey]);
        let fitness = Fitness { certificate: &site.csca, ..fitness };
        let codes: Vec<_> = self_test(&fitness, &mut random()).iter().map(|f| f.code()).collect();
        assert!(codes.contains(&"self_test_certificate_profile"), "{codes:?}");
    }

    /// Signs always the same message.
    struct Wrong(SoftwareKey);

    impl Signer for Wrong {
        fn algorithm(&self) -> SignatureAlgorithm {
            self.0.algorithm()
        }
        fn public_key(&self) -> PublicKey {
            self.0.public_key()
        }
        fn sign(&self, _: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
            self.0.sign(b"something else", random)
        }
    }

    #[test]
    fn finds_a_key_whose_signatures_do_not_verify() {
        let site = site();
        let wrong = Wrong(site.key.clone());
        let fitness = Fitness {
            signer: &wrong,
            certificate: &site.ds,
            anchor: None,
            from: day(0),
            until: day(0),
            documents_until: None,
        };
        let error = SignerError::WrongSignatures { count: 3 };
        assert_eq!(self_test(&fitness, &mut random()), [SelfTestFinding::Trial(error)]);
    }
}
