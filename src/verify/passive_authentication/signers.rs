//! What the trust store says of a document signer's certificate. It is the same for every document
//! that the certificate has signed, so that it is found out once.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::lds::{SignatureAlgorithm, SignatureFault};
use crate::pki::{ProfileFinding, ProfileKind, check_profile};
use crate::trust::{Crl, TrustStore, X509, X509Error, country_of};
use crate::verify::{DocumentFiles, Material};

/// Most certificates that are remembered: far more than the signers of all countries, and a bound
/// where somebody brings a new one with each document.
const MOST: usize = 4096;
/// Most revocation lists of evidence files that are remembered.
const MOST_LISTS: usize = 64;

/// Remembers what a trust store says of document signers, for many documents and threads.
#[derive(Debug)]
pub struct SignerCache<'t> {
    trust: &'t TrustStore,
    known: Mutex<HashMap<Vec<u8>, Arc<Signer<'t>>>>,
    /// Lists that came with files, by their bytes and the anchor's; none where it did not sign.
    lists: Mutex<Lists>,
}

type Lists = HashMap<(Vec<u8>, Vec<u8>), Option<Arc<Crl>>>;

/// A document signer as the trust store sees it.
#[derive(Debug)]
pub(in crate::verify) struct Signer<'t> {
    pub(in crate::verify) certificate: X509,
    /// Deviations from the profile.
    pub(in crate::verify) findings: Vec<ProfileFinding>,
    pub(in crate::verify) issuer: Issuer<'t>,
    pub(in crate::verify) revocation: Revocation,
    /// What a verdict about its documents rests on besides their files.
    pub(in crate::verify) material: Arc<Material>,
}

/// Who issued a document signer's certificate.
#[derive(Debug)]
pub(in crate::verify) enum Issuer<'t> {
    /// The key of this anchor verifies it.
    Anchor { anchor: &'t X509, algorithm: SignatureAlgorithm, findings: Vec<ProfileFinding> },
    /// It names an anchor by name and key, whose key does not verify it.
    Impostor,
    /// It is signed in a way that cannot be verified here.
    Unsupported(String),
    /// No anchor fits.
    Unknown,
}

/// What the revocation lists of the issuer say of the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verify) enum Revocation {
    /// There is no list of this issuer.
    NoList,
    /// The issuer signed none of the lists in its name.
    NotSigned,
    /// Revoked.
    Revoked,
    /// Not revoked by the newest list, which is to be replaced then.
    NotListed(Option<Timestamp>),
}

impl<'t> SignerCache<'t> {
    /// An empty one for a trust store.
    #[must_use]
    pub fn new(trust: &'t TrustStore) -> Self {
        Self { trust, known: Mutex::default(), lists: Mutex::default() }
    }

    /// The trust store.
    pub(in crate::verify) const fn trust(&self) -> &'t TrustStore {
        self.trust
    }

    /// What the revocation lists say of a signer: those of the trust store, else those that came
    /// with the files, where the anchor signed them.
    pub(in crate::verify) fn revocation(
        &self,
        signer: &Signer<'t>,
        files: &DocumentFiles,
    ) -> Revocation {
        match (&signer.issuer, signer.revocation) {
            (Issuer::Anchor { anchor, .. }, Revocation::NoList) => {
                let lists = files.revocation_lists.iter().filter_map(|der| self.list(der, anchor));
                revocation_by(&signer.certificate, lists).unwrap_or(Revocation::NoList)
            }
            (_, revocation) => revocation,
        }
    }

    /// A revocation list that the anchor signed; verified once.
    fn list(&self, der: &[u8], anchor: &X509) -> Option<Arc<Crl>> {
        let key = (der.to_vec(), anchor.der.clone());
        let lists = || self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists().get(&key) {
            return list.clone();
        }
        let list = Crl::decode(der)
            .filter(|list| list.issuer == anchor.subject && list.verify(&anchor.key).is_ok());
        let list = list.map(Arc::new);
        let mut lists = lists();
        if lists.len() >= MOST_LISTS {
            lists.clear();
        }
        lists.insert(key, list.clone());
        list
    }

    /// What is known of a certificate in DER.
    pub(in crate::verify) fn signer(&self, der: &[u8]) -> Result<Arc<Signer<'t>>, X509Error> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signer) = known().get(der) {
            return Ok(signer.clone());
        }
        // Found out without the lock: other threads go on meanwhile.
        let signer = Arc::new(Signer::find(X509::decode(der)?, self.trust));
        let mut known = known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(der.to_vec(), signer.clone());
        Ok(signer)
    }
}

impl<'t> Signer<'t> {
    fn find(certificate: X509, trust: &'t TrustStore) -> Self {
        let findings = check_profile(&certificate.certificate, ProfileKind::DocumentSigner);
        let issuer = find_issuer(&certificate, trust);
        let Issuer::Anchor { anchor, .. } = &issuer else {
            let (revocation, material) = (Revocation::NoList, Arc::default());
            return Self { certificate, findings, issuer, revocation, material };
        };
        let (revocation, lists) = find_revocation(&certificate, anchor, trust);
        let material = Arc::new(Material {
            certificates: vec![anchor.der.clone()],
            revocation_lists: lists.into_iter().map(Crl::to_der).collect(),
        });
        Self { certificate, findings, issuer, revocation, material }
    }
}

/// Finds the anchor whose key verifies the certificate: names and identifiers only say which to try
/// first.
fn find_issuer<'t>(certificate: &X509, trust: &'t TrustStore) -> Issuer<'t> {
    let country = country_of(certificate.certificate.tbs_certificate().issuer());
    let authority = certificate.authority_key_id();
    let same_name = |anchor: &X509| anchor.subject == certificate.issuer;
    let same_key_id = |anchor: &X509| authority.is_some() && anchor.subject_key_id() == authority;
    // Names are written in more than one way, so that any anchor of the country may be the one.
    let (named, others): (Vec<&X509>, Vec<&X509>) = trust
        .anchors
        .iter()
        .filter(|anchor| same_name(anchor) || anchor.country() == country || same_key_id(anchor))
        .partition(|anchor| same_name(anchor) || same_key_id(anchor));
    let mut impostor = false;
    let mut unsupported = None;
    for anchor in named.into_iter().chain(others) {
        match certificate.verify(&anchor.key) {
            Ok(algorithm) => {
                let findings = check_profile(&anchor.certificate, ProfileKind::Csca);
                return Issuer::Anchor { anchor, algorithm, findings };
            }
            Err(error @ SignatureFault::Algorithm(_)) => unsupported = Some(error.to_string()),
            // A CA keeps its name when it changes its key, so that the name alone names nobody.
            Err(_) if anchor.country() == country => {
                let other_key = authority.is_some()
                    && anchor.subject_key_id().is_some_and(|id| Some(id) != authority);
                impostor |= same_key_id(anchor) || same_name(anchor) && !other_key;
            }
            Err(_) => {}
        }
    }
    match unsupported {
        Some(what) => Issuer::Unsupported(what),
        None if impostor => Issuer::Impostor,
        None => Issuer::Unknown,
    }
}

/// What the lists of the trust store say, and which of them the anchor signed.
fn find_revocation<'t>(
    certificate: &X509,
    anchor: &X509,
    trust: &'t TrustStore,
) -> (Revocation, Vec<&'t Crl>) {
    let mut lists = trust.crls.iter().filter(|list| list.issuer == anchor.subject).peekable();
    if lists.peek().is_none() {
        return (Revocation::NoList, Vec::new());
    }
    let signed: Vec<&Crl> = lists.filter(|list| list.verify(&anchor.key).is_ok()).collect();
    let found = revocation_by(certificate, signed.iter().copied());
    (found.unwrap_or(Revocation::NotSigned), signed)
}

/// What lists of the issuer say; `None` where there is none.
fn revocation_by<L: Deref<Target = Crl>>(
    certificate: &X509,
    lists: impl Iterator<Item = L>,
) -> Option<Revocation> {
    let lists: Vec<L> = lists.collect();
    let newest = lists.iter().max_by_key(|list| list.next_update)?;
    // A revocation stays one, however old the list is that tells it.
    if lists.iter().any(|list| list.revoked.contains(&certificate.serial)) {
        return Some(Revocation::Revoked);
    }
    Some(Revocation::NotListed(newest.next_update))
}
