//! A public key infrastructure for tests and small issuers: country signing CA, document signers,
//! revocation lists by the profiles of ICAO 9303-12; and the signer that issuing works with.

mod certificate;
mod crl;
pub mod cv;
mod directory;
mod key;
mod profile;
mod signed_list;
mod signer;

pub use certificate::{CertificateKind, CertificateRequest, Validity, country_name, issue};
pub use crl::{RevokedCertificate, issue_crl};
pub use directory::{DirectoryError, DocumentSignerFiles, IssuerDirectory, from_pem, to_pem};
pub use key::{KeyError, KeyKind, SoftwareKey};
pub use profile::{ProfileFinding, ProfileKind, check_profile};
pub use signed_list::{ListSigner, issue_master_list, issue_signed_list};
pub(crate) use signer::MOST_WRONG;
pub use signer::{Signer, SignerError};

#[cfg(test)]
mod tests;
