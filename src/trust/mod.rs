//! Whom a verifier trusts: the certificates of country signing CAs with their links and master lists,
//! revocation lists, certificates of document signers, and lists of known defects, from a folder.
//!
//! Reading a folder verifies nothing, so it is quick; what a document needs is verified when it is
//! needed, once. [`TrustStore::survey`] verifies all there is.

mod audit;
mod authorities;
mod cache;
mod certificate;
mod content;
mod crl;
mod decide;
mod error;
mod folder;
mod index;
mod issuer;
mod known_defect;
pub mod ldif;
mod signed_list;
mod store;
mod survey;
mod update;

pub use audit::{Audit, AuditFinding, AuditSeverity, FolderFile};
pub use cache::SignatureCache;
pub use certificate::{X509, X509Error};
pub use content::{Content, Contents, Object, contents};
pub use crl::{Crl, Revocation};
pub use decide::{Acceptance, Basis};
pub use error::{Distrust, TrustError};
pub use folder::{files, is_read, read};
pub use index::{Provenance, TrustIndex};
pub use issuer::{Issuer, IssuerFault, RevocationStatus};
pub use known_defect::{
    Concerned, DEFECT_LIST, DEVIATION_LIST, DefectKind, DocumentFacts, KnownDefect,
    decode_defect_list, decode_deviation_list, encode_defect_list,
};
pub use ldif::LdifError;
pub use signed_list::{ListFault, SignedList};
pub use store::{StoredFile, TrustStore};
pub use survey::{Survey, SurveyedCertificate, SurveyedCrl, SurveyedDefects, SurveyedList};
pub use update::{Dated, FileLists, Refusal, Series, replaced};

#[cfg(test)]
mod tests;
