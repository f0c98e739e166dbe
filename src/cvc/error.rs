//! Why a CV certificate, request or chain is refused.

use thiserror::Error;

use super::{CvDate, HolderReference};
use crate::apdu::tlv::TlvError;
use crate::error::ErrorCode;
use crate::lds::SignatureFault;

/// Why a CV certificate, request or chain is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CvcError {
    /// The data objects are broken, missing or in the wrong order.
    #[error("CV certificate: {0}")]
    Malformed(#[from] TlvError),
    /// A field does not say what it must.
    #[error("CV certificate, {field}: {what}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The public key's algorithm is none of Terminal Authentication.
    #[error("CV certificate: the public key's algorithm is not one of Terminal Authentication")]
    Algorithm,
    /// Domain parameters that equal no standardised curve in all their numbers.
    #[error("CV certificate: the domain parameters equal no standardised curve")]
    DomainParameters,
    /// The key needs domain parameters, and neither it nor its issuer has them.
    #[error("CV certificate of {holder}: no domain parameters, and none to inherit")]
    NoDomainParameters {
        /// Holder of the key.
        holder: HolderReference,
    },
    /// The public key is not one: a point off the curve, an absurd modulus.
    #[error("CV certificate: the public key is not usable")]
    PublicKey,
    /// The signature does not fit.
    #[error("CV certificate of {holder}: {fault}")]
    Signature {
        /// Whose certificate.
        holder: HolderReference,
        /// Why.
        fault: SignatureFault,
    },
    /// The certificate names another issuer.
    #[error("CV certificate of {holder} was issued by {found}, not by {wanted}")]
    Issuer {
        /// Whose certificate.
        holder: HolderReference,
        /// Issuer in the certificate.
        found: HolderReference,
        /// Issuer whose key was given.
        wanted: HolderReference,
    },
    /// The issuer's role does not let it issue such a certificate.
    #[error("CV certificate of {holder}: {issuer} may not issue it by its role")]
    IssuerRole {
        /// Whose certificate.
        holder: HolderReference,
        /// The issuer.
        issuer: HolderReference,
    },
    /// The certificate is not valid yet.
    #[error("CV certificate of {holder} is valid from {from} only")]
    NotYetValid {
        /// Whose certificate.
        holder: HolderReference,
        /// First day.
        from: CvDate,
    },
    /// The certificate has expired.
    #[error("CV certificate of {holder} expired on {until}")]
    Expired {
        /// Whose certificate.
        holder: HolderReference,
        /// Last day.
        until: CvDate,
    },
    /// None of the certificates is a terminal's.
    #[error("no certificate of a terminal was given")]
    NoTerminal,
    /// No path leads from what the card trusts to the terminal's certificate.
    #[error("the certificates lead up to {wanted}; the card trusts {trusted}")]
    NoPath {
        /// Issuer at which the path breaks off.
        wanted: HolderReference,
        /// What the card trusts.
        trusted: String,
    },
}

impl CvcError {
    pub(super) const fn field(field: &'static str, what: &'static str) -> Self {
        Self::Field { field, what }
    }
}

impl ErrorCode for CvcError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "cvc_malformed",
            Self::Field { .. } => "cvc_field_invalid",
            Self::Algorithm => "cvc_algorithm_unsupported",
            Self::DomainParameters => "cvc_domain_parameters_unknown",
            Self::NoDomainParameters { .. } => "cvc_domain_parameters_missing",
            Self::PublicKey => "cvc_public_key_invalid",
            Self::Signature { .. } => "cvc_signature_wrong",
            Self::Issuer { .. } => "cvc_issuer_wrong",
            Self::IssuerRole { .. } => "cvc_issuer_role_wrong",
            Self::NotYetValid { .. } => "cvc_not_yet_valid",
            Self::Expired { .. } => "cvc_expired",
            Self::NoTerminal => "cvc_no_terminal",
            Self::NoPath { .. } => "cvc_no_path",
        }
    }
}
