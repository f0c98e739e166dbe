//! Certificate revocation lists by ICAO 9303-12 §7.1.4.

use cancuoc_primitives::CryptoRng;
use jiff::Timestamp;

use super::certificate::{authority_key_identifier, extension, sign, time};
use super::{Signer, SignerError};
use crate::apdu::tlv::Tag;
use crate::lds::write;

const CRL_NUMBER: &str = "2.5.29.20";

/// A certificate that is not to be trusted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when.
    pub since: Timestamp,
}

/// Issues a revocation list; DER.
///
/// # Errors
/// [`SignerError`].
pub fn issue_crl(
    issuer: &[u8],
    revoked: &[RevokedCertificate],
    number: u32,
    (this_update, next_update): (Timestamp, Timestamp),
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let entry = |r: &RevokedCertificate| {
        write::sequence(&[&write::positive_integer(&r.serial), &time(r.since)])
    };
    let entries: Vec<u8> = revoked.iter().flat_map(entry).collect();
    // An empty list of entries must be absent (RFC 5280 §5.1.2.6).
    let entries = if entries.is_empty() { entries } else { write::sequence(&[&entries]) };
    let extensions = write::sequence(&[
        &authority_key_identifier(&signer.public_key()),
        &extension(CRL_NUMBER, false, &write::integer(number)),
    ]);
    let tbs = write::sequence(&[
        &write::integer(1),
        &signer.algorithm().to_der(),
        issuer,
        &time(this_update),
        &time(next_update),
        &entries,
        &write::constructed(Tag(0xA0), &[&extensions]),
    ]);
    sign(&tbs, signer, random)
}
