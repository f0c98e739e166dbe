//! The certificates of country signing CAs that a store holds, from wherever they came, found by name,
//! key identifier and country. Being here is not being trusted.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Distrust, X509, X509Error};
use crate::lds::{CertificateParts, LdsError, comparable_name, country_of_name};
use crate::pki::{ProfileKind, check_profile};

/// Most certificates that are tried for an issuer that neither name nor key identifier leads to.
const MAX_BY_COUNTRY: usize = 64;

/// A certificate and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    der: Vec<u8>,
    decoded: OnceLock<Result<X509, X509Error>>,
    /// Found out once; both follow from the bytes alone.
    signs_itself: OnceLock<bool>,
    profile_fault: OnceLock<Option<&'static str>>,
    /// Names as they are compared.
    pub subject: Vec<u8>,
    pub issuer: Vec<u8>,
    pub key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    /// Two letters, or nothing.
    pub country: String,
    /// Numbers of the files that hold it as a certificate of its own: the user's word for it.
    pub pinned: Vec<usize>,
    /// Numbers of the master lists that hold it.
    pub lists: Vec<usize>,
    /// Numbers of the files that hold it.
    pub files: Vec<usize>,
}

impl Authority {
    pub(super) fn x509(&self) -> Result<&X509, &X509Error> {
        self.decoded.get_or_init(|| X509::decode(&self.der)).as_ref()
    }

    /// The certificate, if it decodes and is as a CSCA's must be.
    pub(super) fn usable(&self) -> Result<&X509, Distrust> {
        let certificate = self.x509().map_err(|error| Distrust::Certificate(error.clone()))?;
        let fault = || {
            let findings = check_profile(&certificate.parts(), ProfileKind::Csca);
            findings.iter().find(|finding| finding.fatal).map(|fatal| fatal.code)
        };
        match self.profile_fault.get_or_init(fault) {
            Some(code) => Err(Distrust::Profile(code)),
            None => Ok(certificate),
        }
    }

    /// Whether its own key verifies it.
    pub(super) fn signs_itself(&self) -> bool {
        let verify = || self.x509().is_ok_and(|own| own.verify(&own.key).is_ok());
        *self.signs_itself.get_or_init(verify)
    }

    /// Whether neither names nor key identifiers speak against its signing itself.
    pub(super) fn may_sign_itself(&self) -> bool {
        let other_key = self.authority_key_id.is_some() && self.authority_key_id != self.key_id;
        self.subject == self.issuer && !other_key
    }

    /// Whether the user put it into the folder as a certificate of its own.
    pub(super) fn is_pinned(&self) -> bool {
        !self.pinned.is_empty()
    }

    /// Whether somebody stands for it: the user, or the signer of a list.
    pub(super) fn is_vouched(&self) -> bool {
        self.is_pinned() || !self.lists.is_empty()
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Authorities {
    all: Vec<Authority>,
    by_der: HashMap<Vec<u8>, usize>,
    by_subject: HashMap<Vec<u8>, Vec<usize>>,
    by_key_id: HashMap<Vec<u8>, Vec<usize>>,
    by_country: HashMap<String, Vec<usize>>,
}

/// Where a certificate stood.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// In a file of its own, or one of several certificates.
    File(usize),
    /// In the content of a master list.
    List { list: usize, file: usize },
    /// Beside the content of a signed list, or in an entry of a directory: nobody vouches for it.
    Beside(usize),
}

impl Authorities {
    /// Adds a certificate, or another place of one that is known.
    ///
    /// # Errors
    /// [`LdsError`] for what is no certificate.
    pub(super) fn add(&mut self, der: &[u8], place: Place) -> Result<usize, LdsError> {
        let number = match self.by_der.get(der) {
            Some(number) => *number,
            None => self.insert(der)?,
        };
        if let Some(authority) = self.all.get_mut(number) {
            let file = match place {
                Place::File(file) => {
                    authority.pinned.push(file);
                    file
                }
                Place::List { list, file } => {
                    authority.lists.push(list);
                    file
                }
                Place::Beside(file) => file,
            };
            if !authority.files.contains(&file) {
                authority.files.push(file);
            }
        }
        Ok(number)
    }

    fn insert(&mut self, der: &[u8]) -> Result<usize, LdsError> {
        let parts = CertificateParts::decode(der)?;
        let authority = Authority {
            der: der.to_vec(),
            decoded: OnceLock::new(),
            signs_itself: OnceLock::new(),
            profile_fault: OnceLock::new(),
            subject: comparable_name(parts.subject),
            issuer: comparable_name(parts.issuer),
            key_id: parts.subject_key_identifier().map(<[u8]>::to_vec),
            authority_key_id: parts.authority_key_identifier().map(<[u8]>::to_vec),
            country: country_of_name(parts.subject).unwrap_or_default(),
            pinned: Vec::new(),
            lists: Vec::new(),
            files: Vec::new(),
        };
        let number = self.all.len();
        self.by_der.insert(der.to_vec(), number);
        self.by_subject.entry(authority.subject.clone()).or_default().push(number);
        self.by_country.entry(authority.country.clone()).or_default().push(number);
        if let Some(id) = &authority.key_id {
            self.by_key_id.entry(id.clone()).or_default().push(number);
        }
        self.all.push(authority);
        Ok(number)
    }

    /// The number of a certificate that is known.
    pub(super) fn number_of(&self, der: &[u8]) -> Option<usize> {
        self.by_der.get(der).copied()
    }

    /// Numbers of the certificates with a subject, as it is compared.
    pub(super) fn of_subject(&self, subject: &[u8]) -> &[usize] {
        self.by_subject.get(subject).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Authority> {
        self.all.get(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Authority)> {
        self.all.iter().enumerate()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Numbers of the certificates with the country.
    pub(super) fn of_country(&self, country: &str) -> &[usize] {
        self.by_country.get(country).map(Vec::as_slice).unwrap_or_default()
    }

    /// Numbers of the certificates that may be an issuer's: those with its key identifier, then
    /// those with its name, then the others of its country. Names and identifiers only say where
    /// to look: what counts is whose key verifies.
    pub(super) fn candidates(&self, wanted: &Wanted) -> Vec<usize> {
        let key_id = wanted.key_id.as_ref().and_then(|id| self.by_key_id.get(id));
        let name = self.by_subject.get(&wanted.name);
        let country = self.of_country(&wanted.country).iter().take(MAX_BY_COUNTRY);
        let mut found: Vec<usize> = Vec::new();
        for number in key_id.into_iter().chain(name).flatten().chain(country) {
            if !found.contains(number) {
                found.push(*number);
            }
        }
        found
    }
}

/// The issuer that a certificate or list names.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Name as it is compared.
    pub name: Vec<u8>,
    /// Identifier of the key.
    pub key_id: Option<Vec<u8>>,
    /// Two letters, or nothing.
    pub country: String,
}

impl Wanted {
    /// The issuer of a certificate.
    pub(super) fn issuer_of(certificate: &X509) -> Self {
        Self {
            name: comparable_name(&certificate.issuer),
            key_id: certificate.authority_key_id(),
            country: country_of_name(&certificate.issuer).unwrap_or_default(),
        }
    }

    /// Whether a certificate has the key identifier that is wanted.
    pub(super) fn has_key_id(&self, authority: &Authority) -> bool {
        self.key_id.is_some() && self.key_id == authority.key_id
    }
}
