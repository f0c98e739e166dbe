//! Card verifiable certificates: what an inspection system shows a chip to be let to DG3 and DG4
//! (BSI TR-03110-3 appendix C and D, ICAO 9303-11 §7.1).
//!
//! Certificates, requests and chains are read and built here; nothing is signed here, and nothing
//! is judged by a clock of its own. The bytes that are signed are kept as they were read.

mod authorization;
mod certificate;
mod chain;
mod date;
mod error;
mod public_key;
mod reference;
mod request;

pub use authorization::{Chat, Rights, Role, TerminalType};
pub use certificate::{CertificateBody, CvCertificate};
pub use chain::{CvChain, EffectiveAuthorization};
pub use date::CvDate;
pub use error::CvcError;
pub use public_key::{CvKey, CvPublicKey, TaAlgorithm};
pub use reference::HolderReference;
pub use request::{AuthenticatedRequest, CvRequest, RequestBody};

use crate::apdu::tlv::Tag;

/// CV certificate, or a request that is made like one.
pub const CERTIFICATE: Tag = Tag(0x7F21);
/// Body of a certificate: what is signed.
pub const BODY: Tag = Tag(0x7F4E);
/// Authentication: the frame of a request that another key signed too.
pub const AUTHENTICATION: Tag = Tag(0x67);
const PROFILE_IDENTIFIER: Tag = Tag(0x5F29);
const AUTHORITY_REFERENCE: Tag = Tag(0x42);
const PUBLIC_KEY: Tag = Tag(0x7F49);
const HOLDER_REFERENCE: Tag = Tag(0x5F20);
const HOLDER_AUTHORIZATION: Tag = Tag(0x7F4C);
const EFFECTIVE_DATE: Tag = Tag(0x5F25);
const EXPIRATION_DATE: Tag = Tag(0x5F24);
const EXTENSIONS: Tag = Tag(0x65);
const SIGNATURE: Tag = Tag(0x5F37);
const OBJECT_IDENTIFIER: Tag = Tag(0x06);
const DISCRETIONARY: Tag = Tag(0x53);

/// Longest certificate or request that is read, in bytes: RSA 4096 with all fields takes 1.3 kB.
const MAX_LENGTH: usize = 8 * 1024;

#[cfg(test)]
mod tests;
