//! What a store holds, and how it gets there. Nothing is verified when it is added: the signatures
//! that a document needs are verified when it needs them, each once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::Timestamp;

use super::authorities::{Authorities, Place};
use super::content::{Content, Contents, Object, contents};
use super::decide::{Acceptance, Basis};
use super::{Crl, Distrust, KnownDefect, ListFault, SignedList, TrustError};
use crate::lds::{CertificateParts, SignerIdentifier, comparable_name};

/// What a verifier trusts, and what it needs besides.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    pub(super) authorities: Authorities,
    pub(super) decided: Vec<OnceLock<Result<Basis, Distrust>>>,
    /// Whether an accepted list holds a certificate, by number.
    pub(super) listed: Vec<OnceLock<bool>>,
    pub(super) lists: Vec<MasterListEntry>,
    pub(super) crls: Vec<CrlEntry>,
    pub(super) defects: Vec<DefectEntry>,
    signers: Signers,
    files: Vec<StoredFile>,
    /// Files, or parts of them, that cannot be used, with the reason.
    pub problems: Vec<(PathBuf, TrustError)>,
}

/// A file of the store.
#[derive(Debug, Clone)]
pub struct StoredFile {
    /// Where it is; a name for what did not come from a file.
    pub path: PathBuf,
    /// Its bytes' length.
    pub length: usize,
    /// What it holds, by kind.
    pub holds: Vec<(&'static str, usize)>,
}

/// A master list that may be refused.
#[derive(Debug, Clone)]
pub(super) struct MasterListEntry {
    pub list: SignedList,
    pub file: usize,
    pub signing_time: Option<Timestamp>,
    /// Country of the signer, as its certificate claims.
    pub country: String,
    /// Numbers of its certificates.
    pub members: Vec<usize>,
    /// Certificates that are none: place in the list, and what is wrong.
    pub malformed: Vec<(usize, TrustError)>,
    /// Whether it would count if there were no newer one.
    pub valid: OnceLock<Result<Acceptance, ListFault>>,
}

/// A revocation list, with the certificate whose key signed it once that is known.
#[derive(Debug, Clone)]
pub(super) struct CrlEntry {
    pub crl: Crl,
    pub file: usize,
    pub issuer: OnceLock<Option<usize>>,
}

/// A list of known defects.
#[derive(Debug, Clone)]
pub(super) struct DefectEntry {
    pub list: SignedList,
    pub file: usize,
    pub defects: Vec<KnownDefect>,
    pub valid: OnceLock<Result<Acceptance, ListFault>>,
}

/// Certificates of document signers, for security objects that carry none.
#[derive(Debug, Clone, Default)]
struct Signers {
    all: Vec<Vec<u8>>,
    by_serial: HashMap<(Vec<u8>, Vec<u8>), Vec<usize>>,
    by_key_id: HashMap<Vec<u8>, Vec<usize>>,
}

impl Signers {
    fn add(&mut self, der: &[u8]) -> Result<(), TrustError> {
        let parts = CertificateParts::decode(der)?;
        let serial = (comparable_name(parts.issuer), parts.serial.to_vec());
        let number = self.all.len();
        let known = self.by_serial.entry(serial).or_default();
        if known.iter().any(|n| self.all.get(*n).is_some_and(|other| other == der)) {
            return Ok(());
        }
        known.push(number);
        if let Some(id) = parts.subject_key_identifier() {
            self.by_key_id.entry(id.to_vec()).or_default().push(number);
        }
        self.all.push(der.to_vec());
        Ok(())
    }

    fn of(&self, identifier: &SignerIdentifier) -> Vec<&[u8]> {
        let numbers = match identifier {
            SignerIdentifier::IssuerAndSerial { issuer, serial } => {
                self.by_serial.get(&(comparable_name(issuer), serial.clone()))
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => self.by_key_id.get(id),
        };
        let found = numbers.into_iter().flatten().filter_map(|n| self.all.get(*n));
        found.map(Vec::as_slice).collect()
    }
}

impl TrustStore {
    /// Adds whatever the bytes are: certificates in DER or PEM, a revocation list, a master list,
    /// a deviation or defect list, LDIF. A CSCA's certificate that is given so is trusted on its own.
    ///
    /// # Errors
    /// [`TrustError`] for what is none of these.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let before = self.problems.len();
        self.add_file(Path::new("-"), bytes)?;
        // A directory is worth as much as those of its entries that can be used.
        let of_whole = |(_, problem): &&(PathBuf, TrustError)| {
            !matches!(problem, TrustError::Entry { .. } | TrustError::FurtherEntries(_))
        };
        match self.problems.iter().skip(before).find(of_whole) {
            Some((_, problem)) => Err(problem.clone()),
            None => Ok(()),
        }
    }

    /// Adds a file. Parts of it that cannot be used become [`Self::problems`].
    ///
    /// # Errors
    /// [`TrustError`] where nothing of it can.
    pub fn add_file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), TrustError> {
        let Contents { objects, problems } = contents(bytes)?;
        self.problems.extend(problems.into_iter().map(|problem| (path.to_owned(), problem)));
        let file = self.files.len();
        let mut holds: Vec<(&'static str, usize)> = Vec::new();
        for Object { content, alone } in objects {
            let kind = content.kind();
            match self.add_content(content, alone, file) {
                Ok(()) => match holds.iter_mut().find(|(name, _)| *name == kind) {
                    Some((_, count)) => *count += 1,
                    None => holds.push((kind, 1)),
                },
                Err(problem) => self.problems.push((path.to_owned(), problem)),
            }
        }
        self.files.push(StoredFile { path: path.to_owned(), length: bytes.len(), holds });
        self.forget();
        Ok(())
    }

    /// What was decided may change with what was added.
    fn forget(&mut self) {
        self.decided = vec![OnceLock::new(); self.authorities.len()];
        self.listed = vec![OnceLock::new(); self.authorities.len()];
        self.lists.iter_mut().for_each(|list| list.valid = OnceLock::new());
        self.crls.iter_mut().for_each(|crl| crl.issuer = OnceLock::new());
        self.defects.iter_mut().for_each(|list| list.valid = OnceLock::new());
    }

    fn add_content(
        &mut self,
        content: Content,
        alone: bool,
        file: usize,
    ) -> Result<(), TrustError> {
        match content {
            Content::Certificate { der, is_ca: true } => {
                let place = if alone { Place::File(file) } else { Place::Beside(file) };
                self.authorities.add(&der, place)?;
            }
            Content::Certificate { der, is_ca: false } => self.signers.add(&der)?,
            Content::Crl(crl) => {
                self.crls.push(CrlEntry { crl, file, issuer: OnceLock::new() });
            }
            Content::MasterList { list, certificates } => {
                self.add_master_list(list, &certificates, file);
            }
            Content::Defects { list, defects } => {
                self.defects.push(DefectEntry { list, file, defects, valid: OnceLock::new() });
            }
        }
        Ok(())
    }

    fn add_master_list(&mut self, list: SignedList, certificates: &[Vec<u8>], file: usize) {
        let number = self.lists.len();
        // The certificates beside the content may link an old key that is trusted to the new one.
        for certificate in list.certificates() {
            let parts = CertificateParts::decode(certificate);
            if parts.is_ok_and(|parts| parts.is_ca()) {
                // What cannot be added here was just decoded.
                let _ = self.authorities.add(certificate, Place::Beside(file));
            }
        }
        let (mut members, mut malformed) = (Vec::new(), Vec::new());
        for (position, certificate) in certificates.iter().enumerate() {
            match self.authorities.add(certificate, Place::List { list: number, file }) {
                Ok(member) => members.push(member),
                Err(error) => malformed.push((position, error.into())),
            }
        }
        let country = list.signer().ok().and_then(|signer| signer.country()).unwrap_or_default();
        self.lists.push(MasterListEntry {
            signing_time: list.signing_time(),
            list,
            file,
            country,
            members,
            malformed,
            valid: OnceLock::new(),
        });
    }

    /// The files that were read, in their order.
    #[must_use]
    pub fn files(&self) -> &[StoredFile] {
        &self.files
    }

    /// The certificates of document signers that an identifier names, for security objects that
    /// carry none. Whether one is genuine is for its chain to say.
    #[must_use]
    pub fn signer_certificates(&self, identifier: &SignerIdentifier) -> Vec<&[u8]> {
        self.signers.of(identifier)
    }

    /// How many certificates of signers it holds.
    #[must_use]
    pub fn signer_count(&self) -> usize {
        self.signers.all.len()
    }
}
