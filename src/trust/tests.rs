//! Whom a store trusts: rollover, master lists, revocation, defects, and what only looks like trust.

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

mod memory;

const GERMAN: &[u8] = include_bytes!("../../testvectors/masterlist-de-2026-05-28.ml");
const DUTCH: &[u8] = include_bytes!("../../testvectors/masterlist-nl-2026-07-22.ml");
const GERMAN_ROOT: &[u8] = include_bytes!("../../testvectors/roots/de-csca07.cer");
const DUTCH_ROOT: &[u8] = include_bytes!("../../testvectors/roots/nl-root.cer");

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

#[test]
fn every_certificate_of_the_german_list_verifies_or_has_its_reason() {
    let store = store(&[GERMAN_ROOT, GERMAN]);
    let survey = store.survey(None);
    assert!(survey.lists[0].state.is_ok());
    assert_eq!((survey.lists[0].certificates, survey.lists[0].malformed.len()), (588, 0));
    let expected = BTreeMap::from([
        ("anchor", 1),
        ("csca_issuer_unknown", 12),
        ("issuer_and_subject_country_differ", 2),
        ("master_list", 565),
        ("not_a_ca", 8),
    ]);
    assert_eq!(outcomes(&survey), expected);
    let vietnamese: Vec<_> = survey.certificates.iter().filter(|c| c.country == "VN").collect();
    let [vietnamese] = &vietnamese[..] else { panic!("{vietnamese:?}") };
    let certificate = vietnamese.certificate.unwrap();
    assert_eq!(certificate.key.description(), "brainpoolP512r1");
    assert_eq!(certificate.parameters, ParameterForm::Explicit);
    assert_eq!(vietnamese.trust, Ok(Basis::MasterList { list: 0 }));
}

#[test]
fn every_certificate_of_the_dutch_list_verifies() {
    let store = store(&[DUTCH_ROOT, DUTCH]);
    let survey = store.survey(None);
    assert_eq!(outcomes(&survey), BTreeMap::from([("anchor", 1), ("master_list", 410)]));
}

#[test]
fn a_list_is_refused_as_a_whole_without_its_own_anchor() {
    let store = store(&[DUTCH_ROOT, GERMAN]);
    assert_eq!(list_state(&store, 0), Err("list_signer_unknown"));
    let survey = store.survey(None);
    assert_eq!(outcomes(&survey).get("master_list"), None);
    let fault = survey.lists[0].state.as_ref().unwrap_err().to_string();
    assert!(fault.contains("DE") && fault.contains("e8a62993"), "{fault}");
}

#[test]
fn a_cache_changes_no_outcome_and_saves_the_signatures_of_the_list() {
    let store = store(&[DUTCH_ROOT, DUTCH]);
    let first = SignatureCache::default();
    let cold = outcomes(&store.survey(Some(&first)));
    let second = SignatureCache::decode(&first.encode());
    assert_eq!(outcomes(&store.survey(Some(&second))), cold);
    assert_eq!(second.encode(), first.encode());
    assert!(first.encode().len() > 400 * 32);
}

#[test]
fn a_key_that_a_trusted_key_links_to_is_trusted() {
    let (old, new) = (Authority::new("VN", "CSCA 1"), Authority::new("VN", "CSCA 2"));
    let third = Authority::new("VN", "CSCA 3");
    let (signer, later) = (new.document_signer(), third.document_signer());
    assert_eq!(basis(&store(&[&old.root()]), &signer), Err("issuer_unknown"));
    let rolled = store(&[&old.root(), &old.link(&new), &new.link(&third)]);
    assert_eq!(basis(&rolled, &signer), Ok("link"));
    assert_eq!(basis(&rolled, &later), Ok("link"));
}

#[test]
fn a_link_leads_nowhere_without_the_old_key() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let other = Authority::new("VN", "CSCA");
    let store = store(&[&other.root(), &old.link(&new)]);
    assert_eq!(basis(&store, &new.document_signer()), Err("issuer_unknown"));
    assert_eq!(distrust(&store, &new.document_signer()), Some("csca_issuer_unknown"));
}

#[test]
fn certificates_that_sign_each_other_are_not_trusted_for_it() {
    let (one, other) = (Authority::new("VN", "A"), Authority::new("VN", "B"));
    let store = store(&[&one.link(&other), &other.link(&one)]);
    assert_eq!(basis(&store, &one.document_signer()), Err("issuer_unknown"));
}

#[test]
fn a_link_into_another_country_is_not_followed() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("LA", "CSCA"));
    let store = store(&[&old.root(), &old.link(&new)]);
    assert_eq!(basis(&store, &new.document_signer()), Err("issuer_not_allowed"));
}

/// A CA that writes the name of one State and signs with the key of another.
fn pretender(named: &Authority, signing: Authority) -> Authority {
    Authority { key: signing.key, name: named.name.clone(), country: named.country }
}

#[test]
fn a_link_in_the_name_of_a_state_by_the_key_of_another_leads_nowhere() {
    let (state, foreign) = (Authority::new("VN", "CSCA"), Authority::new("DE", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let next = Authority::new("VN", "CSCA");
    let store = store(&[&root, &foreign_root, &pretender(&state, foreign).link(&next)]);
    assert_eq!(basis(&store, &next.document_signer()), Err("issuer_unknown"));
}

#[test]
fn a_list_in_the_name_of_a_state_by_the_key_of_another_is_refused() {
    let (state, foreign) = (Authority::new("DE", "CSCA"), Authority::new("FR", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let list = Lister::new(&pretender(&state, foreign)).list(&[&root], EARLY);
    let store = store(&[&root, &foreign_root, &list]);
    assert_eq!(list_state(&store, 0), Err("list_signer_forged"));
}

#[test]
fn a_master_list_vouches_for_what_it_holds() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let list = Lister::new(&lister).list(&[&other.root()], EARLY);
    let signer = other.document_signer();
    assert_eq!(basis(&store(&[&lister.root(), &list]), &signer), Ok("master_list"));
    let without = store(&[&list]);
    assert_eq!(basis(&without, &signer), Err("issuer_unknown"));
    assert_eq!(distrust(&without, &signer), Some("csca_list_refused"));
}

#[test]
fn what_a_master_list_brings_in_vouches_for_no_further_list() {
    let (first, second) = (Authority::new("DE", "CSCA"), Authority::new("FR", "CSCA"));
    let third = Authority::new("VN", "CSCA");
    let list = Lister::new(&first).list(&[&second.root()], EARLY);
    let next = Lister::new(&second).list(&[&third.root()], EARLY);
    let store = store(&[&first.root(), &list, &next]);
    assert_eq!(
        (list_state(&store, 0), list_state(&store, 1)),
        (Ok(()), Err("list_signer_unknown"))
    );
    assert_eq!(basis(&store, &third.document_signer()), Err("issuer_unknown"));
}

#[test]
fn the_signer_of_a_list_may_stand_under_a_key_that_was_linked_to() {
    let (old, new) = (Authority::new("DE", "CSCA"), Authority::new("DE", "CSCA"));
    let (other, link) = (Authority::new("VN", "CSCA"), old.link(&new));
    // The link stands in the list itself, as States do it: only its signature counts.
    let list = Lister::new(&new).list(&[&other.root(), &new.root(), &link], EARLY);
    let store = store(&[&old.root(), &list]);
    assert_eq!(list_state(&store, 0), Ok(()));
    assert_eq!(basis(&store, &other.document_signer()), Ok("master_list"));
}

#[test]
fn a_list_with_anything_altered_is_refused() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let root = other.root();
    let list = Lister::new(&lister).list(&[&root], EARLY);
    let mut altered = list.clone();
    let at = list.windows(root.len()).position(|window| window == root).unwrap();
    altered[at + root.len() - 1] ^= 1;
    let store = store(&[&lister.root(), &altered]);
    assert_eq!(list_state(&store, 0), Err("cms_message_digest_differs"));
    assert_eq!(basis(&store, &other.document_signer()), Err("issuer_unknown"));
}

#[test]
fn a_list_counts_only_under_the_certificate_of_a_list_signer() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Lister::of_kind(&lister, CertificateKind::DocumentSigner);
    let list = signer.list(&[&other.root()], EARLY);
    assert_eq!(list_state(&store(&[&lister.root(), &list]), 0), Err("list_signer_profile"));
}

#[test]
fn a_country_signing_ca_that_is_trusted_may_sign_a_list_itself() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let root = lister.root();
    let signer = ListSigner { key: &lister.key, certificate: &root, issuer: &[] };
    let list = issue_master_list(&[&other.root()], signer, moment(EARLY), &mut random()).unwrap();
    assert_eq!(list_state(&store(&[&root, &list]), 0), Ok(()));
    assert_eq!(list_state(&store(&[&list]), 0), Err("list_signer_unknown"));
}

#[test]
fn a_list_is_judged_by_the_time_it_was_signed_at() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], "2032-01-01T00:00:00Z");
    assert_eq!(list_state(&store(&[&lister.root(), &list]), 0), Err("list_signer_not_valid"));
}

#[test]
fn a_revoked_signer_of_lists_counts_no_more() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], EARLY);
    let crl = lister.crl(&[&[3]], (EARLY, LATE));
    assert_eq!(list_state(&store(&[&lister.root(), &list, &crl]), 0), Err("list_signer_revoked"));
    let forged = Authority::new("DE", "CSCA").crl(&[&[3]], (EARLY, LATE));
    assert_eq!(list_state(&store(&[&lister.root(), &list, &forged]), 0), Ok(()));
}

#[test]
fn of_two_lists_of_a_state_the_newer_counts() {
    let (lister, gone) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Lister::new(&lister);
    let old = signer.list(&[&gone.root(), &lister.root()], EARLY);
    let new = signer.list(&[&lister.root()], LATE);
    let both = store(&[&lister.root(), &old, &new]);
    assert_eq!((list_state(&both, 0), list_state(&both, 1)), (Err("list_superseded"), Ok(())));
    assert_eq!(basis(&both, &gone.document_signer()), Err("issuer_unknown"));
    // A newer list that does not count itself takes nothing away.
    let forger = Authority::new("DE", "CSCA");
    let forged = Lister::new(&forger).list(&[], LATE);
    let store = store(&[&lister.root(), &old, &forged]);
    assert_eq!(list_state(&store, 0), Ok(()));
    assert_eq!(basis(&store, &gone.document_signer()), Ok("master_list"));
}

#[test]
fn a_certificate_whose_own_signature_is_wrong_is_not_trusted_though_a_list_holds_it() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let mut root = other.root();
    *root.last_mut().unwrap() ^= 1;
    let store = store(&[&lister.root(), &Lister::new(&lister).list(&[&root], EARLY)]);
    let signer = other.document_signer();
    assert_eq!(distrust(&store, &signer), Some("csca_self_signature_invalid"));
}

#[test]
fn a_certificate_in_a_directory_is_nobodys_word() {
    let authority = Authority::new("VN", "CSCA");
    let entry = ldif("cACertificate;binary", &[&authority.root()]);
    let signer = authority.document_signer();
    assert_eq!(distrust(&store(&[&entry]), &signer), Some("csca_not_vouched"));
    assert_eq!(basis(&store(&[&entry, &authority.root()]), &signer), Ok("anchor"));
}

#[test]
fn a_directory_of_broken_entries_alone_is_refused() {
    let directory = ldif("certificateRevocationList;binary", &[b"broken", b"too"]);
    let error = contents(&directory).unwrap_err();
    assert!(matches!(&error, TrustError::Entry { number: 1, .. }), "{error}");
    assert_eq!(contents(b"dn: c=VN\ncn: x\n").unwrap_err(), TrustError::Unknown);
}

#[test]
fn a_broken_entry_of_a_directory_is_named_and_the_others_count() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&Authority::new("VN", "CSCA").root()], EARLY);
    let mut directory = ldif("pkdMasterListContent", &[&list]);
    directory.extend_from_slice(b"\ndn: cn=broken,c=XX\nuserCertificate;binary:: MAEC\n");
    directory.extend_from_slice(b"\ndn: cn=away,c=XX\nuserCertificate;binary:< http://x/\n");
    let mut store = store(&[&lister.root()]);
    store.add_file("pkd.ldif".as_ref(), &directory).unwrap();
    assert_eq!(list_state(&store, 0), Ok(()));
    let found: Vec<_> = store
        .problems
        .iter()
        .map(|(path, problem)| match problem {
            TrustError::Entry { number, name, problem } => {
                (path.to_str().unwrap(), *number, name.as_str(), problem.code())
            }
            other => panic!("{other}"),
        })
        .collect();
    let expected = [
        ("pkd.ldif", 2, "cn=broken,c=XX", "trust_file_malformed"),
        ("pkd.ldif", 3, "cn=away,c=XX", "ldif_value_elsewhere"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn so_many_broken_entries_are_counted_after_a_while() {
    let entry = "dn: c=XX\nuserCertificate;binary:: MAEC\n\n".repeat(1_003);
    let good = ldif("cACertificate;binary", &[&Authority::new("VN", "CSCA").root()]);
    let contents = contents(&[entry.as_bytes(), &good].concat()).unwrap();
    assert_eq!((contents.objects.len(), contents.problems.len()), (1, 1_001));
    assert_eq!(contents.problems.last(), Some(&TrustError::FurtherEntries(3)));
}

#[test]
fn a_directory_brings_master_lists_revocation_lists_and_signers() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let list = Lister::new(&lister).list(&[&other.root()], EARLY);
    let signer = other.document_signer();
    let store = store(&[
        &lister.root(),
        &ldif("pkdMasterListContent", &[&list]),
        &ldif("userCertificate;binary", &[&signer.der]),
        &ldif("certificateRevocationList;binary", &[&other.crl(&[], (EARLY, LATE))]),
    ]);
    let issuer = store.find_issuer(&signer).unwrap();
    assert_eq!(issuer.basis, Basis::MasterList { list: 0 });
    let (issuer, serial) = (signer.issuer.clone(), signer.serial.clone());
    let by_serial = SignerIdentifier::IssuerAndSerial { issuer, serial };
    assert_eq!(store.signer_certificates(&by_serial), [signer.der.as_slice()]);
    let by_key = SignerIdentifier::SubjectKeyIdentifier(signer.subject_key_id().unwrap());
    assert_eq!(store.signer_certificates(&by_key), [signer.der.as_slice()]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, _) = store.revocation(&signer, issuer.certificate);
    let next_update = Some(moment(LATE));
    assert_eq!(status, RevocationStatus::NotListed { next_update, is_partial: false });
}

#[test]
fn the_key_decides_between_certificates_of_the_same_name_and_key_identifier() {
    let (real, twin) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    // The twin's certificate claims the key identifier of the real one.
    let id = X509::decode(&real.root()).unwrap().subject_key_id().unwrap();
    let own = X509::decode(&twin.root()).unwrap().subject_key_id().unwrap();
    let mut claimed = twin.root();
    for _ in 0..2 {
        let at = claimed.windows(20).position(|window| window == own).unwrap();
        claimed[at..at + 20].copy_from_slice(&id);
    }
    let claimed = twin.sign_again(&claimed);
    let store = store(&[&claimed, &real.root()]);
    for authority in [&real, &twin] {
        let signer = authority.document_signer();
        let issuer = store.find_issuer(&signer).unwrap();
        assert_eq!(issuer.certificate.key, authority.key.public_key());
    }
}

#[test]
fn says_which_csca_is_wanted() {
    let (known, unknown) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = unknown.document_signer();
    let Err(IssuerFault::Unknown { country, key_id, distrust }) =
        store(&[&known.root()]).find_issuer(&signer).map(|_| ())
    else {
        panic!("the issuer is known");
    };
    // The name is that of a CSCA that is trusted, the key another: CSCAs keep their names.
    assert_eq!((country.as_str(), distrust), ("VN", None));
    assert_eq!(key_id, hex::encode(signer.authority_key_id().unwrap()));
}

#[test]
fn whoever_names_a_trusted_key_without_its_signature_lies() {
    let (real, forger) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Authority::new("VN", "DS");
    let named = real.key.public_key();
    let der = {
        let (public_key, issuer_key) = (signer.key.public_key(), named);
        let request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            issuer: &forger.name,
            subject: &signer.name,
            country: "VN",
            public_key: &public_key,
            parameters: ParameterForm::Named,
            issuer_key: &issuer_key,
            validity: validity(),
        };
        issue(&request, &forger.key, &mut random()).unwrap()
    };
    let signer = X509::decode(&der).unwrap();
    assert_eq!(basis(&store(&[&real.root()]), &signer), Err("issuer_forged"));
}

#[test]
fn of_several_certificates_of_a_key_the_one_counts_that_was_valid_then() {
    let authority = Authority::new("VN", "CSCA");
    let old = authority.issue(CertificateKind::CscaRoot, &authority, &[9], |request| {
        request.validity.not_before = moment("2010-01-01T00:00:00Z");
        request.validity.not_after = moment("2020-01-01T00:00:00Z");
    });
    let store = store(&[&old, &authority.root()]);
    let issuer =
        store.find_issuer(&authority.document_signer()).map(|i| i.certificate.serial.clone());
    assert_eq!(issuer, Ok(vec![1]));
}

#[test]
fn a_revocation_list_of_the_newest_key_speaks_for_all_keys_of_the_name() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = old.document_signer();
    let store = store(&[&old.root(), &old.link(&new), &new.crl(&[&[2]], (EARLY, LATE))]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, lists) = store.revocation(&signer, issuer.certificate);
    assert!(matches!(status, RevocationStatus::Revoked { .. }), "{status:?}");
    assert_eq!(lists.len(), 1);
}

#[test]
fn a_revocation_stays_and_only_a_current_list_clears() {
    let authority = Authority::new("VN", "CSCA");
    let signer = authority.document_signer();
    let old = authority.crl(&[&[2]], ("2026-01-02T00:00:00Z", EARLY));
    let new = authority.crl(&[], (EARLY, LATE));
    let status = |parts: &[&[u8]]| {
        let store = store(&[&[authority.root().as_slice()], parts].concat());
        let issuer = store.find_issuer(&signer).unwrap();
        match store.revocation(&signer, issuer.certificate).0 {
            RevocationStatus::NoList => "none".to_owned(),
            RevocationStatus::NotVerified => "not verified".to_owned(),
            RevocationStatus::Revoked { .. } => "revoked".to_owned(),
            RevocationStatus::NotListed { next_update, .. } => next_update.unwrap().to_string(),
        }
    };
    assert_eq!(status(&[]), "none");
    assert_eq!(status(&[&old, &new]), "revoked");
    assert_eq!(status(&[&new]), LATE);
    let forged = Authority::new("VN", "CSCA").crl(&[&[2]], (EARLY, LATE));
    assert_eq!(status(&[&forged]), "not verified");
}

#[test]
fn a_revocation_list_in_the_name_of_a_state_by_the_key_of_another_says_nothing() {
    let (state, foreign) = (Authority::new("VN", "CSCA"), Authority::new("DE", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let signer = state.document_signer();
    let crl = pretender(&state, foreign).crl(&[&[2]], (EARLY, LATE));
    let store = store(&[&root, &foreign_root, &crl]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, _) = store.revocation(&signer, issuer.certificate);
    assert_eq!(status, RevocationStatus::NotVerified);
}

#[test]
fn a_ca_that_its_own_ca_revoked_is_not_trusted() {
    let authority = Authority::new("VN", "CSCA");
    let crl = authority.crl(&[&[1]], (EARLY, LATE));
    let signer = authority.document_signer();
    assert_eq!(distrust(&store(&[&authority.root(), &crl]), &signer), Some("csca_revoked"));
}

#[test]
fn a_link_from_a_key_that_was_revoked_leads_nowhere() {
    // Both keys have the name, as CSCAs keep theirs; the new one revokes the old.
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let thief = Authority::new("VN", "CSCA");
    let root = old.issue(CertificateKind::CscaRoot, &old, &[5], |_| {});
    let parts = [&root[..], &new.root(), &old.link(&thief)];
    assert_eq!(basis(&store(&parts), &thief.document_signer()), Ok("link"));
    let crl = new.crl(&[&[5]], (EARLY, LATE));
    let revoked = store(&[&parts[..], &[&crl]].concat());
    assert_eq!(basis(&revoked, &thief.document_signer()), Err("issuer_unknown"));
    assert_eq!(basis(&revoked, &new.document_signer()), Ok("anchor"));
}

#[test]
fn a_list_whose_signer_a_revoked_csca_issued_counts_no_more() {
    let (old, new) = (Authority::new("DE", "CSCA"), Authority::new("DE", "CSCA"));
    let root = old.issue(CertificateKind::CscaRoot, &old, &[5], |_| {});
    let other = Authority::new("VN", "CSCA");
    let list = Lister::new(&old).list(&[&other.root()], EARLY);
    let parts = [&root[..], &new.root(), &list];
    assert_eq!(list_state(&store(&parts), 0), Ok(()));
    let crl = new.crl(&[&[5]], (EARLY, LATE));
    let revoked = store(&[&parts[..], &[&crl]].concat());
    assert_eq!(list_state(&revoked, 0), Err("list_signer_unknown"));
    assert_eq!(basis(&revoked, &other.document_signer()), Err("issuer_unknown"));
}

fn revoked_by_list(signer: &X509) -> Vec<u8> {
    let oid = const_oid::ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.5.1.1");
    let concerned = Concerned {
        issuer_and_serial: Some((signer.issuer.clone(), signer.serial.clone())),
        ..Concerned::default()
    };
    let defect = KnownDefect {
        concerned,
        kind: DefectKind::CertificateRevoked,
        oid,
        numbers: vec![3],
        description: None,
    };
    encode_defect_list(HashAlgorithm::Sha256, &[defect])
}

#[test]
fn a_defect_list_counts_under_a_trusted_signer_and_for_the_documents_it_names() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = other.document_signer();
    let list_signer = Lister::of_kind(&lister, CertificateKind::DeviationListSigner);
    let content = revoked_by_list(&signer);
    let time = moment(EARLY);
    let list = issue_signed_list(DEFECT_LIST, &content, list_signer.signer(), time, &mut random())
        .unwrap();
    let facts = DocumentFacts::default();
    let kinds = |store: &TrustStore, signer: &X509| {
        store.defects(signer, &facts).iter().map(|defect| defect.kind).collect::<Vec<_>>()
    };
    let trusted = store(&[&lister.root(), &list]);
    assert_eq!(kinds(&trusted, &signer), [DefectKind::CertificateRevoked]);
    assert_eq!(kinds(&trusted, &other.issue_other()), []);
    assert_eq!(kinds(&store(&[&list]), &signer), []);
}

impl Authority {
    /// A document signer with another serial number.
    fn issue_other(&self) -> X509 {
        let signer = Self::new(self.country, "DS");
        X509::decode(&self.issue(CertificateKind::DocumentSigner, &signer, &[4], |_| {})).unwrap()
    }
}

#[test]
fn takes_several_certificates_of_a_pem_file() {
    let (one, other) = (Authority::new("VN", "A"), Authority::new("LA", "B"));
    let text = [one.root(), other.root()].map(|root| to_pem("CERTIFICATE", &root)).concat();
    let store = store(&[text.as_bytes()]);
    assert_eq!(basis(&store, &one.document_signer()), Ok("anchor"));
    assert_eq!(basis(&store, &other.document_signer()), Ok("anchor"));
    assert_eq!(store.files()[0].holds, [("csca_certificate", 2)]);
}

#[test]
fn takes_a_list_in_indefinite_lengths() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], EARLY);
    // ContentInfo, [0] and SignedData opened and closed without their lengths.
    let oid_end = list.windows(9).position(|w| w == [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2]);
    let oid = &list[oid_end.unwrap() - 2..oid_end.unwrap() + 9];
    let signed = crate::lds::Element::parse("list", &list).unwrap();
    let explicit = signed.children().all(2).unwrap()[1];
    let signed_data = explicit.children().any().unwrap();
    let ber =
        [&[0x30, 0x80][..], oid, &[0xA0, 0x80, 0x30, 0x80], signed_data.value(), &[0; 6]].concat();
    assert_eq!(list_state(&store(&[&lister.root(), &ber]), 0), Ok(()));
    assert_eq!(contents(&ber).unwrap().objects[0].content.kind(), "master_list");
}

#[test]
fn reads_a_folder_and_names_what_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("VN", "CSCA");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("csca.CER", &authority.root());
    write("broken.cer", &authority.root()[..100]);
    write("notes.txt", b"not read");
    write(".hidden.cer", b"not read");
    write("text.crl", b"hello");
    let store = TrustStore::load(folder.path()).unwrap();
    assert_eq!(basis(&store, &authority.document_signer()), Ok("anchor"));
    let problems: Vec<_> = store
        .problems
        .iter()
        .map(|(path, problem)| (path.file_name().unwrap().to_str().unwrap(), problem.code()))
        .collect();
    let expected = [("broken.cer", "trust_file_malformed"), ("text.crl", "trust_file_unknown")];
    assert_eq!(problems, expected);
}

#[test]
fn a_file_that_was_changed_after_it_was_added_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (added, other) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let root = added.root();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let trusts = |authority: &Authority| {
        let store = TrustStore::load(folder.path()).unwrap();
        let problem = store.problems.first().map(|(_, problem)| problem.code());
        (basis(&store, &authority.document_signer()).is_ok(), problem)
    };
    write("csca.cer", &other.root());
    assert_eq!(trusts(&other), (true, None), "a folder that is filled by hand has no index");
    let mut index = TrustIndex::default();
    let provenance = Provenance {
        sha256: hex::encode(HashAlgorithm::Sha256.digest(&root)),
        added: "2026-11-23T12:00:00Z".to_owned(),
        source: "csca.cer".to_owned(),
        note: None,
        anchor: true,
    };
    index.files.insert("csca.cer".to_owned(), provenance);
    write(TrustIndex::FILE, &index.to_json());
    assert_eq!(trusts(&other), (false, Some("trust_file_changed")));
    write("csca.cer", &root);
    assert_eq!(trusts(&added), (true, None));
    write("more.cer", &other.root());
    assert_eq!(trusts(&other), (true, None), "what is in no index was put there by hand");
    write(TrustIndex::FILE, b"{");
    assert!(TrustStore::load(folder.path()).is_err(), "nobody knows what was added");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_altered_list_is_accepted(place in any::<prop::sample::Index>(), bits in 1..=255u8) {
        static PARTS: std::sync::OnceLock<(Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
        let (root, list) = PARTS.get_or_init(|| {
            let lister = Authority::new("DE", "CSCA");
            (lister.root(), Lister::new(&lister).list(&[&Authority::new("VN", "X").root()], EARLY))
        });
        let mut altered = list.clone();
        let place = place.index(altered.len());
        altered[place] ^= bits;
        let mut store = TrustStore::default();
        store.add(root).unwrap();
        if store.add(&altered).is_ok() {
            for list in &store.survey(None).lists {
                // What is not signed, such as the version of CMS, may differ; what counts may not.
                if list.state.is_ok() {
                    let original = SignedList::decode("list", &PARTS.get().unwrap().1).unwrap();
                    prop_assert_eq!(list.list.content(), original.content());
                    prop_assert_eq!(list.list.content_type(), MASTER_LIST);
                }
            }
        }
    }
}
