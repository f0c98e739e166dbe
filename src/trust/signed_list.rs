//! What master lists, deviation lists and defect lists have in common: CMS SignedData with one signer,
//! whose certificate stands in it (ICAO 9303-12 §9, BSI TR-03129).

use const_oid::ObjectIdentifier;
use jiff::Timestamp;
use thiserror::Error;

use super::{X509, X509Error};
use crate::error::ErrorCode;
use crate::lds::{LdsError, SignedData, SignedDataFault, definite_lengths};
use crate::pki::{ProfileKind, check_profile};

/// A list as it was read. Nothing is verified yet.
#[derive(Debug, Clone)]
pub struct SignedList {
    signed: SignedData,
}

/// Why a list is refused. It is refused as a whole: nothing of it counts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ListFault {
    /// The signature, or the structure around it, is not as it must be.
    #[error(transparent)]
    Cms(#[from] SignedDataFault),
    /// The signer's certificate cannot be used.
    #[error("signer's certificate: {0}")]
    Signer(#[from] X509Error),
    /// The signer's certificate is not one for such lists.
    #[error("signer's certificate: {0}")]
    Profile(&'static str),
    /// The list does not say when it was signed.
    #[error("the list does not say when it was signed")]
    NoSigningTime,
    /// The signer's certificate, or its key, was not valid when the list was signed.
    #[error("the signer's certificate was not valid at {signed_at}")]
    SignerNotValid {
        /// When the list was signed.
        signed_at: Timestamp,
    },
    /// The signer's certificate does not come from a CSCA that is trusted on its own.
    #[error(
        "the signer is issued by no CSCA that is trusted on its own: wanted country {country}, key identifier {key_id}"
    )]
    SignerUnknown {
        /// Country of the CSCA that is wanted.
        country: String,
        /// Identifier of its key, hexadecimal, or nothing.
        key_id: String,
    },
    /// A CSCA that is trusted has this key identifier, but did not sign the signer's certificate.
    #[error("the signer's certificate is not signed by the CSCA that it names")]
    SignerForged,
    /// The signer was revoked.
    #[error("the signer was revoked")]
    SignerRevoked,
    /// There is a newer list of the same State.
    #[error("there is a newer list of the same State, of {newer}")]
    Superseded {
        /// When the newer one was signed.
        newer: Timestamp,
    },
}

impl ErrorCode for ListFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Cms(fault) => fault.code(),
            Self::Signer(error) => error.code(),
            Self::Profile(_) => "list_signer_profile",
            Self::NoSigningTime => "list_no_signing_time",
            Self::SignerNotValid { .. } => "list_signer_not_valid",
            Self::SignerUnknown { .. } => "list_signer_unknown",
            Self::SignerForged => "list_signer_forged",
            Self::SignerRevoked => "list_signer_revoked",
            Self::Superseded { .. } => "list_superseded",
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Profile(code) => vec![("reason", (*code).to_owned())],
            Self::SignerNotValid { signed_at } => vec![("time", signed_at.to_string())],
            Self::SignerUnknown { country, key_id } => {
                vec![("country", country.clone()), ("key_id", key_id.clone())]
            }
            Self::Superseded { newer } => vec![("time", newer.to_string())],
            _ => Vec::new(),
        }
    }
}

impl SignedList {
    /// Reads a list in DER, or in BER as some States write theirs.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(file: &'static str, bytes: &[u8]) -> Result<Self, LdsError> {
        let bytes = definite_lengths(file, bytes)?;
        Ok(Self { signed: SignedData::decode(file, &bytes)? })
    }

    /// What kind of list it says it is.
    #[must_use]
    pub const fn content_type(&self) -> ObjectIdentifier {
        self.signed.content_type
    }

    /// What is signed.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.signed.content
    }

    /// The certificates beside the content: the signer's, and those that lead to it.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.signed.certificates
    }

    /// The object itself.
    #[must_use]
    pub const fn signed_data(&self) -> &SignedData {
        &self.signed
    }

    /// When it was signed, as the signer says.
    #[must_use]
    pub fn signing_time(&self) -> Option<Timestamp> {
        self.signed.signers.first()?.attributes().ok()??.signing_timestamp()
    }

    /// The signer's certificate, as it claims: nothing is verified.
    ///
    /// # Errors
    /// [`ListFault`] where the structure breaks a rule or the certificate is not there.
    pub fn signer(&self) -> Result<X509, ListFault> {
        let signer = self.signed.checked_signer(&[self.signed.content_type])?;
        Ok(X509::decode(signer.certificate()?.raw)?)
    }

    /// Verifies the signature by the signer's certificate, and gives that certificate. Whether it is
    /// one for such lists and who issued it are other questions.
    ///
    /// # Errors
    /// [`ListFault`].
    pub fn verify(&self, content_type: ObjectIdentifier) -> Result<X509, ListFault> {
        let signer = self.signed.checked_signer(&[content_type])?;
        let certificate = X509::decode(signer.certificate()?.raw)?;
        signer.verify_content()?;
        signer.verify_signature(&certificate.key)?;
        let signed_at = signer.attributes.signing_timestamp().ok_or(ListFault::NoSigningTime)?;
        let (key_from, key_until) = certificate.key_usage_period().unwrap_or_default();
        let in_use = key_from.is_none_or(|from| from <= signed_at)
            && key_until.is_none_or(|until| signed_at <= until);
        if !certificate.is_valid_at(signed_at) || !in_use {
            return Err(ListFault::SignerNotValid { signed_at });
        }
        Ok(certificate)
    }
}

/// Whether a certificate is one for signing such lists.
///
/// # Errors
/// [`ListFault::Profile`].
pub(super) fn check_signer(signer: &X509, kind: ProfileKind) -> Result<(), ListFault> {
    let findings = check_profile(&signer.parts(), kind);
    match findings.iter().find(|finding| finding.fatal) {
        Some(fatal) => Err(ListFault::Profile(fatal.code)),
        None => Ok(()),
    }
}
