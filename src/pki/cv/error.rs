//! Why a certificate or request of the CV PKI is not made.

use thiserror::Error;

use super::super::SignerError;
use crate::cvc::{CvDate, CvcError, HolderReference, Role};
use crate::error::ErrorCode;

/// Why a certificate or request of the CV PKI is not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CvIssueError {
    /// A certificate or request does not hold.
    #[error(transparent)]
    Certificate(#[from] CvcError),
    /// The key does not sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// The private key is not that of the certificate.
    #[error("the private key is not that of the certificate of {0}")]
    KeyMismatch(HolderReference),
    /// Terminal Authentication has no such algorithm: RSA with SHA-224 or SHA-384.
    #[error("Terminal Authentication defines no such algorithm")]
    Algorithm,
    /// The issuer's role lets it issue no such certificate.
    #[error("{issuer} may not issue a certificate for a {role}", role = role.name())]
    Role {
        /// Issuer.
        issuer: HolderReference,
        /// Role asked for.
        role: Role,
    },
    /// A domestic document verifier has the country code of its CVCA.
    #[error("{holder} is not of the country of {issuer}")]
    Country {
        /// Holder.
        holder: HolderReference,
        /// Issuer.
        issuer: HolderReference,
    },
    /// A link certificate is for another key of the same holder.
    #[error("{holder} is not a further key of {issuer}")]
    Holder {
        /// Holder.
        holder: HolderReference,
        /// Issuer.
        issuer: HolderReference,
    },
    /// The certificate would give rights that the issuer does not have.
    #[error("{0} does not have the rights itself")]
    Rights(HolderReference),
    /// The last day is before the first.
    #[error("the last day, {last}, is before the first, {first}")]
    DatesReversed {
        /// First day.
        first: CvDate,
        /// Last day.
        last: CvDate,
    },
    /// The certificate would take effect outside of its issuer's validity.
    #[error("from {first}, but {issuer} is valid from {from} to {until}")]
    StartOutsideIssuer {
        /// First day.
        first: CvDate,
        /// Issuer.
        issuer: HolderReference,
        /// Its first day.
        from: CvDate,
        /// Its last day.
        until: CvDate,
    },
    /// The certificate would outlive its issuer.
    #[error("until {last}, but {issuer} is valid until {until}")]
    OutlivesIssuer {
        /// Last day.
        last: CvDate,
        /// Issuer.
        issuer: HolderReference,
        /// Its last day.
        until: CvDate,
    },
    /// A CVCA's certificate for too long a time.
    #[error("{days} days; a CVCA's certificate is valid for {max} at most")]
    TooLong {
        /// Days asked for.
        days: i32,
        /// Most days.
        max: i32,
    },
    /// All certificates of a chain have one algorithm, curve and key size.
    #[error("the request has {found}, {issuer} has {wanted}")]
    RequestKey {
        /// What the request has.
        found: String,
        /// Issuer.
        issuer: HolderReference,
        /// What it should have.
        wanted: String,
    },
    /// The request asks another authority.
    #[error("the request asks {asked}, this is {issuer}")]
    RequestForAnother {
        /// Authority in the request.
        asked: HolderReference,
        /// Issuer.
        issuer: HolderReference,
    },
    /// The reference is the issuer's own.
    #[error("{0} is the issuer itself")]
    OwnReference(HolderReference),
}

impl ErrorCode for CvIssueError {
    fn code(&self) -> &'static str {
        match self {
            Self::Certificate(error) => error.code(),
            Self::Signer(error) => error.code(),
            Self::KeyMismatch(_) => "cv_key_mismatch",
            Self::Algorithm => "cv_algorithm_undefined",
            Self::Role { .. } => "cv_role_not_allowed",
            Self::Country { .. } => "cv_country_differs",
            Self::Holder { .. } => "cv_holder_differs",
            Self::Rights(_) => "cv_rights_exceed_issuer",
            Self::DatesReversed { .. } => "cv_validity_reversed",
            Self::StartOutsideIssuer { .. } => "cv_validity_starts_outside_issuer",
            Self::OutlivesIssuer { .. } => "cv_validity_outlives_issuer",
            Self::TooLong { .. } => "cv_validity_too_long",
            Self::RequestKey { .. } => "cv_request_key_differs",
            Self::RequestForAnother { .. } => "cv_request_for_another",
            Self::OwnReference(_) => "cv_reference_taken",
        }
    }
}
