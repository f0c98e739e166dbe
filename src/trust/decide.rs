//! Whom a store trusts, and why.
//!
//! Trust starts from the certificates that the user put into the folder, each signing itself. It goes on
//! over link certificates, each signed by a key that is trusted, and through master lists whose signer a
//! CSCA issued that is trusted *on its own*: in the folder or linked from there. What a master list
//! brings in vouches for no further list, or one State could bring in every other.

use std::collections::HashSet;

use const_oid::ObjectIdentifier;

use super::authorities::{Authority, Wanted};
use super::cache::SignatureCache;
use super::signed_list::check_signer;
use super::store::{DefectEntry, MasterListEntry};
use super::{DEFECT_LIST, Distrust, ListFault, SignedList, TrustStore, X509};
use crate::lds::{MASTER_LIST, comparable_name};
use crate::pki::ProfileKind;

/// Why a certificate is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// It stands in the folder as a certificate of its own, and signs itself.
    Anchor,
    /// A master list that is accepted holds it.
    MasterList {
        /// Number of the list.
        list: usize,
    },
    /// A key that is trusted signed it.
    Link {
        /// Number of the certificate with that key.
        issuer: usize,
    },
}

impl Basis {
    /// Stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anchor => "anchor",
            Self::MasterList { .. } => "master_list",
            Self::Link { .. } => "link",
        }
    }
}

/// Why a list counts.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// Certificate of the signer.
    pub signer: Box<X509>,
    /// Number of the CSCA's certificate that issued it.
    pub issuer: usize,
}

/// Where links may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Roots {
    /// At what the user put into the folder. Whether a list counts is decided by this, so it must
    /// not ask for any list.
    Anchors,
    /// There, and at what accepted lists hold.
    All,
}

impl TrustStore {
    /// Whether a certificate is trusted; decided once.
    pub(super) fn trust_in(&self, number: usize) -> Result<Basis, Distrust> {
        match self.decided.get(number) {
            Some(decided) => decided.get_or_init(|| self.decide(number, None)).clone(),
            None => Err(Distrust::NotVouched),
        }
    }

    /// Decides whether a certificate is trusted. A cache is asked for nothing but the signatures of
    /// certificates that a master list vouches for, and for keys that verify nothing.
    pub(super) fn decide(
        &self,
        number: usize,
        cache: Option<&SignatureCache>,
    ) -> Result<Basis, Distrust> {
        let authority = self.authorities.get(number).ok_or(Distrust::NotVouched)?;
        let certificate = authority.usable()?;
        if self.is_revoked(authority, certificate, Roots::All) {
            return Err(Distrust::Revoked);
        }
        if self.is_anchor(number) {
            return Ok(Basis::Anchor);
        }
        let mut refused = None;
        for &list in &authority.lists {
            match self.accepted(list) {
                Ok(_) if self.signed_in(number, list, cache) => {
                    return Ok(Basis::MasterList { list });
                }
                Ok(_) => {}
                Err(fault) => refused = Some(fault),
            }
        }
        if let Some(issuer) = self.link(number, Roots::All, cache) {
            return Ok(Basis::Link { issuer });
        }
        Err(match refused {
            Some(fault) => Distrust::List(fault),
            None if !authority.is_vouched() => Distrust::NotVouched,
            None if authority.may_sign_itself() => {
                let own = certificate.verify(&certificate.key);
                own.map_or_else(Distrust::SelfSignature, |_| Distrust::NotVouched)
            }
            None => Distrust::NoIssuer,
        })
    }

    /// Whether the user put a certificate into the folder that signs itself.
    fn is_anchor(&self, number: usize) -> bool {
        let authority = self.authorities.get(number);
        authority.is_some_and(|a| a.is_pinned() && a.usable().is_ok() && a.signs_itself())
    }

    /// Whether an accepted list holds a certificate whose own signature verifies; found out once.
    fn is_listed(&self, number: usize) -> bool {
        let in_list =
            |list: &usize| self.accepted(*list).is_ok() && self.signed_in(number, *list, None);
        let find = || {
            let authority = self.authorities.get(number);
            authority.is_some_and(|a| a.usable().is_ok() && a.lists.iter().any(in_list))
        };
        self.listed.get(number).is_some_and(|listed| *listed.get_or_init(find))
    }

    /// Whether a certificate of a list signs itself, or another one of the same list signs it.
    fn signed_in(&self, number: usize, list: usize, cache: Option<&SignatureCache>) -> bool {
        let Some(authority) = self.authorities.get(number) else { return false };
        let Ok(certificate) = authority.x509() else { return false };
        let in_list = |n: &usize| self.authorities.get(*n).is_some_and(|a| a.lists.contains(&list));
        let mut candidates = self.authorities.candidates(&Wanted::issuer_of(certificate));
        // Itself first; last where name or identifier speaks against it.
        candidates.sort_by_key(|n| (*n == number) != authority.may_sign_itself());
        candidates.into_iter().filter(in_list).any(|n| self.signed_by(number, n, cache))
    }

    /// Whether the key of one certificate verifies another.
    fn signed_by(&self, number: usize, issuer: usize, cache: Option<&SignatureCache>) -> bool {
        let (Some(authority), Some(other)) =
            (self.authorities.get(number), self.authorities.get(issuer))
        else {
            return false;
        };
        let (Ok(certificate), Ok(signer)) = (authority.x509(), other.x509()) else { return false };
        match cache {
            Some(cache) => cache.verify(certificate, signer),
            None if number == issuer => authority.signs_itself(),
            None => certificate.verify(&signer.key).is_ok(),
        }
    }

    /// The certificate that signed this one and leads, over further links, to a root.
    fn link(&self, number: usize, roots: Roots, cache: Option<&SignatureCache>) -> Option<usize> {
        let country = &self.authorities.get(number)?.country;
        let may_be_root = |n: &usize| {
            let Some(authority) = self.authorities.get(*n) else { return false };
            let is_listed = || authority.lists.iter().any(|list| self.accepted(*list).is_ok());
            authority.is_pinned() || (roots == Roots::All && is_listed())
        };
        // Links lead from key to key of one State: where it has no root, there is nothing to try.
        if !self.authorities.of_country(country).iter().any(may_be_root) {
            return None;
        }
        self.link_to(number, roots, cache, &mut HashSet::from([number]))
    }

    fn link_to(
        &self,
        number: usize,
        roots: Roots,
        cache: Option<&SignatureCache>,
        visited: &mut HashSet<usize>,
    ) -> Option<usize> {
        let mut issuers = self.issuers_of(number, cache);
        // A key that was revoked leads nowhere: whoever has it now may have made the link.
        issuers.retain(|n| !self.is_number_revoked(*n, roots));
        let is_root =
            |n: &&usize| self.is_anchor(**n) || (roots == Roots::All && self.is_listed(**n));
        if let Some(root) = issuers.iter().find(is_root) {
            return Some(*root);
        }
        issuers.into_iter().find(|issuer| {
            visited.insert(*issuer) && self.link_to(*issuer, roots, cache, visited).is_some()
        })
    }

    /// The certificates, other than itself, whose key verifies a certificate and that were valid when
    /// it was issued. A cache is asked only for those whose key does not.
    fn issuers_of(&self, number: usize, cache: Option<&SignatureCache>) -> Vec<usize> {
        let Some(certificate) = self.authorities.get(number).and_then(|a| a.x509().ok()) else {
            return Vec::new();
        };
        let (issued, _) = certificate.validity();
        let candidates = self.authorities.candidates(&Wanted::issuer_of(certificate));
        let verify = |issuer: &X509| match cache {
            Some(cache) => cache.verify_anew(certificate, issuer),
            None => certificate.verify(&issuer.key).is_ok(),
        };
        let is_issuer = |n: &usize| {
            let issuer = self.authorities.get(*n).and_then(|a| a.usable().ok());
            *n != number
                && issuer.is_some_and(|i| {
                    // A key identifier can lead to the key of another State, which links no keys here.
                    i.country() == certificate.country()
                        && i.key != certificate.key
                        && i.is_valid_at(issued)
                        && verify(i)
                })
        };
        candidates.into_iter().filter(is_issuer).collect()
    }

    /// Whether a certificate is trusted without any list: in the folder or linked from there.
    fn is_trusted_alone(&self, number: usize) -> bool {
        !self.is_number_revoked(number, Roots::Anchors)
            && (self.is_anchor(number) || self.link(number, Roots::Anchors, None).is_some())
    }

    fn is_number_revoked(&self, number: usize, roots: Roots) -> bool {
        let authority = self.authorities.get(number);
        let decoded = authority.and_then(|a| Some((a, a.x509().ok()?)));
        decoded.is_some_and(|(authority, x509)| self.is_revoked(authority, x509, roots))
    }

    /// Whether a CA of the same name revoked a certificate of a CA.
    fn is_revoked(&self, authority: &Authority, certificate: &X509, roots: Roots) -> bool {
        let names = |crl: &&super::store::CrlEntry| {
            crl.crl.revocation(&certificate.serial).is_some()
                && comparable_name(&crl.crl.issuer) == authority.issuer
        };
        let stands = |n: &usize| {
            let other = self.authorities.get(*n);
            other.filter(|a| {
                let is_listed = || a.lists.iter().any(|list| self.accepted(*list).is_ok());
                a.is_pinned() || (roots == Roots::All && is_listed())
            })
        };
        self.crls.iter().filter(names).any(|crl| {
            let signers = self.authorities.of_subject(&authority.issuer).iter().filter_map(stands);
            signers.filter_map(|a| a.usable().ok()).any(|ca| crl.crl.verify(&ca.key).is_ok())
        })
    }

    /// Why a master list counts, or does not: it is valid, and there is no newer one of the State.
    pub(super) fn accepted(&self, list: usize) -> Result<&Acceptance, ListFault> {
        let unknown = || ListFault::Cms(crate::lds::SignedDataFault::NoSigner);
        let entry = self.lists.get(list).ok_or_else(unknown)?;
        let acceptance = self.valid(entry).as_ref().map_err(Clone::clone)?;
        let newer = self.lists.iter().filter(|other| {
            other.country == entry.country
                && other.signing_time > entry.signing_time
                && self.valid(other).is_ok()
        });
        match newer.filter_map(|other| other.signing_time).max() {
            Some(newer) => Err(ListFault::Superseded { newer }),
            None => Ok(acceptance),
        }
    }

    fn valid<'a>(&self, entry: &'a MasterListEntry) -> &'a Result<Acceptance, ListFault> {
        let check = || self.check_list(&entry.list, MASTER_LIST, ProfileKind::MasterListSigner);
        entry.valid.get_or_init(check)
    }

    /// Why a list of defects counts, or does not.
    pub(super) fn accepted_defects<'a>(
        &self,
        entry: &'a DefectEntry,
    ) -> &'a Result<Acceptance, ListFault> {
        let content_type = entry.list.content_type();
        let kind = match content_type {
            DEFECT_LIST => ProfileKind::DefectListSigner,
            _ => ProfileKind::DeviationListSigner,
        };
        entry.valid.get_or_init(|| self.check_list(&entry.list, content_type, kind))
    }

    /// Verifies a list, and that its signer comes from a CSCA that is trusted on its own.
    fn check_list(
        &self,
        list: &SignedList,
        content_type: ObjectIdentifier,
        kind: ProfileKind,
    ) -> Result<Acceptance, ListFault> {
        let signer = Box::new(list.verify(content_type)?);
        // Before there were signers of lists, CSCAs signed theirs themselves; some still do.
        if let Some(number) = self.authorities.number_of(&signer.der)
            && self.is_trusted_alone(number)
        {
            return Ok(Acceptance { signer, issuer: number });
        }
        if signer.is_ca() && signer.subject == signer.issuer {
            return Err(ListFault::SignerUnknown {
                country: signer.country().unwrap_or_default(),
                key_id: signer.subject_key_id().map(hex::encode).unwrap_or_default(),
            });
        }
        check_signer(&signer, kind)?;
        let issuer = self.issuer_of_signer(&signer)?;
        let key = self.authorities.get(issuer).and_then(|a| a.x509().ok()).map(|ca| &ca.key);
        let is_revoked = self.crls.iter().any(|entry| {
            entry.crl.revocation(&signer.serial).is_some()
                && comparable_name(&entry.crl.issuer) == comparable_name(&signer.issuer)
                && key.is_some_and(|key| entry.crl.verify(key).is_ok())
        });
        if is_revoked { Err(ListFault::SignerRevoked) } else { Ok(Acceptance { signer, issuer }) }
    }

    /// The CSCA, trusted without any list, that issued a signer of lists.
    fn issuer_of_signer(&self, signer: &X509) -> Result<usize, ListFault> {
        let wanted = Wanted::issuer_of(signer);
        let mut candidates = self.authorities.candidates(&wanted);
        // What the user put there is asked first: it mostly settles it, without following links.
        candidates.sort_by_key(|n| !self.authorities.get(*n).is_some_and(Authority::is_pinned));
        let (issued, _) = signer.validity();
        let issuer = candidates.iter().find(|n| {
            let ca = self.authorities.get(**n).and_then(|a| a.usable().ok());
            ca.is_some_and(|ca| {
                // One State's list must not take the place of another's.
                ca.country() == signer.country()
                    && ca.is_valid_at(issued)
                    && signer.verify(&ca.key).is_ok()
            }) && self.is_trusted_alone(**n)
        });
        if let Some(issuer) = issuer {
            return Ok(*issuer);
        }
        let is_named = |n: &usize| {
            let is_wanted = self.authorities.get(*n).is_some_and(|a| wanted.has_key_id(a));
            is_wanted && self.is_anchor(*n) && !self.is_number_revoked(*n, Roots::Anchors)
        };
        if candidates.iter().any(is_named) {
            return Err(ListFault::SignerForged);
        }
        let key_id = wanted.key_id.map(hex::encode).unwrap_or_default();
        Err(ListFault::SignerUnknown { country: wanted.country, key_id })
    }
}
