//! What the trust store says of a document signer's certificate. It is the same for every document
//! that the certificate has signed, so that it is found out once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::pki::{ProfileFinding, ProfileKind, check_profile};
use crate::trust::{Crl, IssuerFault, RevocationStatus, TrustStore, X509, X509Error};
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
    pub(in crate::verify) revocation: RevocationStatus,
    /// What a verdict about its documents rests on besides their files.
    pub(in crate::verify) material: Arc<Material>,
}

/// Who issued a document signer's certificate.
#[derive(Debug)]
pub(in crate::verify) enum Issuer<'t> {
    /// The key of this CSCA, which is trusted, verifies it.
    Csca { issuer: crate::trust::Issuer<'t>, findings: Vec<ProfileFinding> },
    /// None that is trusted.
    Fault(IssuerFault),
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
    ) -> RevocationStatus {
        match (&signer.issuer, signer.revocation) {
            (Issuer::Csca { issuer, .. }, RevocationStatus::NoList) => {
                let anchor = issuer.certificate;
                let lists = files.revocation_lists.iter().filter_map(|der| self.list(der, anchor));
                let status = RevocationStatus::by(&signer.certificate, lists);
                status.unwrap_or(RevocationStatus::NoList)
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
            .ok()
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
        let findings = check_profile(&certificate.parts(), ProfileKind::DocumentSigner);
        let issuer = match trust.find_issuer(&certificate) {
            Ok(issuer) => issuer,
            Err(fault) => {
                let (revocation, material) = (RevocationStatus::NoList, Arc::default());
                let issuer = Issuer::Fault(fault);
                return Self { certificate, findings, issuer, revocation, material };
            }
        };
        let (revocation, lists) = trust.revocation(&certificate, issuer.certificate);
        let material = Arc::new(Material {
            certificates: vec![issuer.certificate.der.clone()],
            revocation_lists: lists.into_iter().map(Crl::to_der).collect(),
        });
        let issuer = Issuer::Csca {
            issuer,
            findings: check_profile(&issuer.certificate.parts(), ProfileKind::Csca),
        };
        Self { certificate, findings, issuer, revocation, material }
    }
}
