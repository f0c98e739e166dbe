//! Whom a store trusts: rollover, master lists, revocation, defects, and what only looks like trust.

mod files;
mod links;
mod lists;
mod memory;
mod revocation;

use super::*;
use crate::error::ErrorCode;
use crate::lds::{MASTER_LIST, ParameterForm, SignerIdentifier, write};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, ListSigner, RevokedCertificate, Signer,
    SoftwareKey, Validity, country_name, issue, issue_crl, issue_master_list, issue_signed_list,
    to_pem,
};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

const GERMAN: &[u8] = include_bytes!("../../../testvectors/masterlist-de-2026-05-28.ml");
const DUTCH: &[u8] = include_bytes!("../../../testvectors/masterlist-nl-2026-07-22.ml");
const GERMAN_ROOT: &[u8] = include_bytes!("../../../testvectors/roots/de-csca07.cer");
const DUTCH_ROOT: &[u8] = include_bytes!("../../../testvectors/roots/nl-root.cer");

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn store(parts: &[&[u8]]) -> TrustStore {
    let mut store = TrustStore::default();
    for part in parts {
        store.add(part).unwrap();
    }
    store
}

/// The bytes as an entry of a directory, for which nobody vouches.
fn ldif(attribute: &str, parts: &[&[u8]]) -> Vec<u8> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut text = "version: 1\n".to_owned();
    for (number, part) in parts.iter().enumerate() {
        let value = STANDARD.encode(part);
        text += &format!("\ndn: cn={number},o=x,c=XX\n{attribute}:: {value}\n");
    }
    text.into_bytes()
}

/// A CA with a name and a key.
struct Authority {
    key: SoftwareKey,
    name: Vec<u8>,
    country: &'static str,
}

fn validity() -> Validity {
    Validity {
        not_before: moment("2026-01-01T00:00:00Z"),
        not_after: moment("2046-01-01T00:00:00Z"),
        key_not_after: moment("2031-01-01T00:00:00Z"),
    }
}

impl Authority {
    fn new(country: &'static str, name: &str) -> Self {
        let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
        Self { key, name: country_name(country, "Specimen", name), country }
    }

    fn issue(
        &self,
        kind: CertificateKind,
        subject: &Self,
        serial: &[u8],
        change: impl Fn(&mut CertificateRequest<'_>),
    ) -> Vec<u8> {
        let (public_key, issuer_key) = (subject.key.public_key(), self.key.public_key());
        let mut request = CertificateRequest {
            kind,
            serial,
            issuer: &self.name,
            subject: &subject.name,
            country: self.country,
            public_key: &public_key,
            parameters: ParameterForm::Named,
            issuer_key: &issuer_key,
            validity: validity(),
        };
        change(&mut request);
        issue(&request, &self.key, &mut random()).unwrap()
    }

    fn root(&self) -> Vec<u8> {
        self.issue(CertificateKind::CscaRoot, self, &[1], |_| {})
    }

    /// A certificate with what was changed in it under a new signature.
    fn sign_again(&self, certificate: &[u8]) -> Vec<u8> {
        let certificate = X509::decode(certificate).unwrap();
        let parts = certificate.parts();
        let signature = self.key.sign(parts.tbs, &mut random()).unwrap();
        write::sequence(&[parts.tbs, parts.signature_algorithm, &write::bits(&signature)])
    }

    fn link(&self, next: &Self) -> Vec<u8> {
        self.issue(CertificateKind::CscaLink, next, &[7], |_| {})
    }

    fn document_signer(&self) -> X509 {
        let signer = Self::new(self.country, "DS");
        X509::decode(&self.issue(CertificateKind::DocumentSigner, &signer, &[2], |_| {})).unwrap()
    }

    fn crl(&self, serials: &[&[u8]], (from, to): (&str, &str)) -> Vec<u8> {
        let since = moment("2026-06-01T00:00:00Z");
        let revoked: Vec<_> =
            serials.iter().map(|s| RevokedCertificate { serial: s.to_vec(), since }).collect();
        let times = (moment(from), moment(to));
        issue_crl(&self.name, &revoked, 1, times, &self.key, &mut random()).unwrap()
    }
}

/// A signer of master lists under an authority.
struct Lister {
    key: SoftwareKey,
    certificate: Vec<u8>,
    root: Vec<u8>,
}

impl Lister {
    fn new(authority: &Authority) -> Self {
        Self::of_kind(authority, CertificateKind::MasterListSigner)
    }

    fn of_kind(authority: &Authority, kind: CertificateKind) -> Self {
        let signer = Authority::new(authority.country, "Master List Signer");
        let certificate = authority.issue(kind, &signer, &[3], |_| {});
        Self { key: signer.key, certificate, root: authority.root() }
    }

    fn signer(&self) -> ListSigner<'_> {
        ListSigner { key: &self.key, certificate: &self.certificate, issuer: &self.root }
    }

    fn list(&self, certificates: &[&[u8]], time: &str) -> Vec<u8> {
        issue_master_list(certificates, self.signer(), moment(time), &mut random()).unwrap()
    }
}

const EARLY: &str = "2026-03-01T00:00:00Z";
const LATE: &str = "2026-09-01T00:00:00Z";

/// The basis on which the issuer of a document signer is trusted, or the code why there is none.
fn basis(store: &TrustStore, signer: &X509) -> Result<&'static str, &'static str> {
    match store.find_issuer(signer) {
        Ok(issuer) => Ok(issuer.basis.as_str()),
        Err(fault) => Err(fault.code()),
    }
}

/// Why the certificate at hand does not do.
fn distrust(store: &TrustStore, signer: &X509) -> Option<&'static str> {
    match store.find_issuer(signer) {
        Err(IssuerFault::Unknown { distrust, .. }) => distrust.map(|reason| reason.code()),
        _ => None,
    }
}

fn list_state(store: &TrustStore, number: usize) -> Result<(), &'static str> {
    store.survey(None).lists[number].state.clone().map(|_| ()).map_err(|fault| fault.code())
}

/// How often each outcome occurs among the certificates of a list.
fn outcomes(survey: &Survey<'_>) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for certificate in &survey.certificates {
        let outcome = match &certificate.trust {
            Ok(basis) => basis.as_str(),
            Err(reason) => reason.code(),
        };
        *counts.entry(outcome).or_insert(0) += 1;
    }
    counts
}

/// A CA that writes the name of one State and signs with the key of another.
fn pretender(named: &Authority, signing: Authority) -> Authority {
    Authority { key: signing.key, name: named.name.clone(), country: named.country }
}
