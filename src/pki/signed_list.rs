//! Lists under a signature: CSCA master lists (ICAO 9303-12 §9) and others of that form.

use cancuoc_primitives::CryptoRng;
use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Signer, SignerError};
use crate::lds::{CertificateParts, MASTER_LIST, SignedContent, encode_master_list};

/// Who signs a list.
#[derive(Clone, Copy)]
pub struct ListSigner<'a> {
    /// Key.
    pub key: &'a dyn Signer,
    /// Certificate in DER.
    pub certificate: &'a [u8],
    /// The CSCA's certificate that issued it, in DER: it goes along. It may be the same.
    pub issuer: &'a [u8],
}

/// Issues a master list with these certificates, each in DER; DER.
///
/// # Errors
/// [`SignerError`].
pub fn issue_master_list(
    certificates: &[&[u8]],
    signer: ListSigner<'_>,
    signing_time: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    issue_signed_list(MASTER_LIST, &encode_master_list(certificates), signer, signing_time, random)
}

/// Signs the content of a list of any kind; DER.
///
/// # Errors
/// [`SignerError`]; also when the signature that came does not verify.
pub fn issue_signed_list(
    content_type: ObjectIdentifier,
    content: &[u8],
    signer: ListSigner<'_>,
    signing_time: Timestamp,
    random: &mut dyn CryptoRng,
) -> Result<Vec<u8>, SignerError> {
    let parts = CertificateParts::decode(signer.certificate).map_err(|_| SignerError::Key)?;
    let time = TimeZone::UTC.to_datetime(signing_time).strftime("%y%m%d%H%M%SZ").to_string();
    let algorithm = signer.key.algorithm();
    // Which certificate signed would be in doubt if it stood there twice.
    let issuer = if signer.issuer == signer.certificate { &[] } else { signer.issuer };
    let content = SignedContent {
        content_type,
        content,
        digest: algorithm.hash(),
        certificate: &[signer.certificate, issuer].concat(),
        issuer: parts.issuer,
        serial: parts.serial,
        signing_time: Some(&time),
        algorithm,
    };
    let attributes = content.signed_attributes();
    let signature = signer.key.sign_verified(&attributes, random)?;
    Ok(content.encode(&signature))
}
