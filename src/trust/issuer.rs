//! Who issued a certificate, as far as the store can tell, and whether it was revoked.

use std::ops::Deref;

use jiff::Timestamp;
use thiserror::Error;

use super::authorities::Wanted;
use super::decide::Basis;
use super::store::CrlEntry;
use super::{Crl, Distrust, DocumentFacts, KnownDefect, TrustStore, X509};
use crate::error::ErrorCode;
use crate::lds::{SignatureAlgorithm, SignatureFault, comparable_name, country_of_name};

/// A CSCA's certificate that is trusted and whose key verifies another certificate.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// The certificate.
    pub certificate: &'a X509,
    /// Why it is trusted.
    pub basis: Basis,
    /// Algorithm of the signature that it made.
    pub algorithm: SignatureAlgorithm,
}

/// Why no issuer is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IssuerFault {
    /// No certificate that is trusted has the key: this one is wanted.
    #[error("wanted: a CSCA certificate of {country} with key identifier {key_id}")]
    Unknown {
        /// Two letters, or nothing.
        country: String,
        /// Identifier of the key, hexadecimal, or nothing.
        key_id: String,
        /// The store holds a certificate with the key, but it is not trusted for this reason.
        distrust: Option<Distrust>,
    },
    /// A CSCA that is trusted is named, but did not sign.
    #[error("not signed by the CSCA that it names")]
    Forged,
    /// The user trusts the key that signed it, but the certificate of that key may issue none.
    #[error("signed by a certificate that may issue none: {0}")]
    NotAllowed(&'static str),
    /// It is signed in a way that cannot be verified here.
    #[error("{0}")]
    Unsupported(String),
}

impl ErrorCode for IssuerFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "issuer_unknown",
            Self::Forged => "issuer_forged",
            Self::NotAllowed(_) => "issuer_not_allowed",
            Self::Unsupported(_) => "issuer_signature_unsupported",
        }
    }
}

/// What revocation lists say of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevocationStatus {
    /// There is no list of its CA.
    NoList,
    /// There is a list that claims to be its CA's, but no key that is trusted verifies it.
    NotVerified,
    /// It is revoked.
    Revoked {
        /// Since when.
        since: Timestamp,
        /// CRLReason (RFC 5280 §5.3.1), where the list gives one.
        reason: Option<u8>,
    },
    /// It is on no list.
    NotListed {
        /// When the newest list is to be replaced: until then it proves that the certificate is not
        /// revoked.
        next_update: Option<Timestamp>,
        /// Whether the newest list covers only a part of what the CA issued, and proves nothing.
        is_partial: bool,
    },
}

impl RevocationStatus {
    /// What lists say whose signatures were verified; `None` where there is none.
    pub fn by<L: Deref<Target = Crl>>(
        certificate: &X509,
        lists: impl IntoIterator<Item = L>,
    ) -> Option<Self> {
        let lists: Vec<L> = lists.into_iter().collect();
        let newest = lists.iter().max_by_key(|list| list.this_update)?;
        // A revocation stays one, however old the list is that tells it.
        let revoked = lists.iter().find_map(|list| list.revocation(&certificate.serial));
        Some(match revoked {
            Some(entry) => Self::Revoked { since: entry.since, reason: entry.reason },
            None => {
                Self::NotListed { next_update: newest.next_update, is_partial: newest.is_partial }
            }
        })
    }
}

impl TrustStore {
    /// Finds the CSCA that issued a certificate. Its name and key identifier only say where to look:
    /// all candidates are tried, and the one counts whose key verifies.
    ///
    /// # Errors
    /// [`IssuerFault`]. Where none is known it says which is wanted.
    pub fn find_issuer(&self, certificate: &X509) -> Result<Issuer<'_>, IssuerFault> {
        let wanted = Wanted::issuer_of(certificate);
        let candidates = self.authorities.candidates(&wanted);
        let (issued, _) = certificate.validity();
        let (mut best, mut distrust, mut not_allowed) = (None, None, None);
        let mut tried: Vec<(&X509, Result<SignatureAlgorithm, SignatureFault>)> = Vec::new();
        for &number in &candidates {
            let Some(ca) = self.authorities.get(number).and_then(|a| a.x509().ok()) else {
                continue;
            };
            let known = tried.iter().find(|(other, _)| other.key == ca.key);
            let verified = known.map_or_else(|| certificate.verify(&ca.key), |(_, known)| *known);
            tried.push((ca, verified));
            let Ok(algorithm) = verified else { continue };
            match self.trust_in(number) {
                Ok(basis) => {
                    let issuer = Issuer { certificate: ca, basis, algorithm };
                    // Of several certificates of one key the one counts that was valid then.
                    if ca.is_valid_at(issued) {
                        return Ok(issuer);
                    }
                    best.get_or_insert(issuer);
                }
                Err(Distrust::Profile(code)) if self.is_pinned(number) => {
                    distrust.get_or_insert(Distrust::Profile(code));
                    not_allowed.get_or_insert(code);
                }
                Err(reason) => {
                    distrust.get_or_insert(reason);
                }
            }
        }
        if let Some(best) = best {
            return Ok(best);
        }
        if let Some(code) = not_allowed {
            return Err(IssuerFault::NotAllowed(code));
        }
        let unsupported = tried.iter().find_map(|(_, verified)| match verified {
            Err(fault @ SignatureFault::Algorithm(_)) => Some(fault.to_string()),
            _ => None,
        });
        Err(unsupported.map_or_else(
            || self.issuer_fault(&wanted, &candidates, distrust),
            IssuerFault::Unsupported,
        ))
    }

    fn is_pinned(&self, number: usize) -> bool {
        self.authorities.get(number).is_some_and(super::authorities::Authority::is_pinned)
    }

    /// A key identifier names one key, and a name at least one CA: whoever claims to come from one
    /// that is trusted, but does not, lies. A name alone says little where the certificate also
    /// names a key that is not here, for CSCAs keep their name when they change their key.
    fn issuer_fault(
        &self,
        wanted: &Wanted,
        candidates: &[usize],
        distrust: Option<Distrust>,
    ) -> IssuerFault {
        let is_named = |number: &usize| {
            let Some(authority) = self.authorities.get(*number) else { return false };
            let other_key = wanted.key_id.is_some()
                && authority.key_id.is_some()
                && !wanted.has_key_id(authority);
            let named =
                wanted.has_key_id(authority) || (authority.subject == wanted.name && !other_key);
            named && authority.country == wanted.country && self.trust_in(*number).is_ok()
        };
        if candidates.iter().any(is_named) {
            return IssuerFault::Forged;
        }
        let key_id = wanted.key_id.as_ref().map(hex::encode).unwrap_or_default();
        IssuerFault::Unknown { country: wanted.country.clone(), key_id, distrust }
    }

    /// What the revocation lists say of a certificate that a CSCA issued, and which lists say so. A
    /// list counts that any certificate of that CSCA's name signed: its newest key signs for all of
    /// them.
    #[must_use]
    pub fn revocation(&self, certificate: &X509, issuer: &X509) -> (RevocationStatus, Vec<&Crl>) {
        let name = comparable_name(&certificate.issuer);
        let is_own = |entry: &&CrlEntry| comparable_name(&entry.crl.issuer) == name;
        let own: Vec<&CrlEntry> = self.crls.iter().filter(is_own).collect();
        if own.is_empty() {
            return (RevocationStatus::NoList, Vec::new());
        }
        let is_signed =
            |e: &&&CrlEntry| e.crl.verify(&issuer.key).is_ok() || self.signer_of(e).is_some();
        let signed: Vec<&Crl> = own.iter().filter(is_signed).map(|entry| &entry.crl).collect();
        let status = RevocationStatus::by(certificate, signed.iter().copied());
        (status.unwrap_or(RevocationStatus::NotVerified), signed)
    }

    /// The certificate, trusted, whose key signed a revocation list.
    pub(super) fn signer_of(&self, entry: &CrlEntry) -> Option<usize> {
        *entry.issuer.get_or_init(|| {
            let crl = &entry.crl;
            let wanted = Wanted {
                name: comparable_name(&crl.issuer),
                key_id: crl.authority_key_id.clone(),
                country: country_of_name(&crl.issuer).unwrap_or_default(),
            };
            let is_signer = |number: &usize| {
                let ca = self.authorities.get(*number);
                ca.is_some_and(|ca| {
                    // A key identifier can lead to the key of another State, which revokes nothing here.
                    ca.country == wanted.country
                        && (ca.subject == wanted.name || wanted.has_key_id(ca))
                        && ca.x509().is_ok_and(|ca| crl.verify(&ca.key).is_ok())
                }) && self.trust_in(*number).is_ok()
            };
            self.authorities.candidates(&wanted).into_iter().find(is_signer)
        })
    }

    /// Whether there are lists of known defects at all, accepted or not.
    #[must_use]
    pub fn lists_defects(&self) -> bool {
        !self.defects.is_empty()
    }

    /// The known defects of a document with this signer, from the lists that are accepted. A
    /// deviation list speaks of its own State's documents only.
    #[must_use]
    pub fn defects(&self, signer: &X509, document: &DocumentFacts<'_>) -> Vec<&KnownDefect> {
        let mut found = Vec::new();
        for entry in &self.defects {
            let mut concerned =
                entry.defects.iter().filter(|d| d.concerned.concerns(signer, document)).peekable();
            if concerned.peek().is_none() {
                continue;
            }
            let Ok(acceptance) = self.accepted_defects(entry) else { continue };
            let of_same_state = acceptance.signer.country() == signer.country();
            if of_same_state || entry.list.content_type() == super::DEFECT_LIST {
                found.extend(concerned);
            }
        }
        found
    }
}
