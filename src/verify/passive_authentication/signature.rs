//! The signature of a signed object (RFC 5652 §5.4, §5.6). The rules of CMS stand in
//! [`SignedData::checked_signer`]; here each breach becomes the outcome of a check.

use std::sync::Arc;

use cancuoc_primitives::hash::HashAlgorithm;

use super::broken;
use super::signers::{Signer, SignerCache};
use crate::error::ErrorCode;
use crate::lds::{CheckedSigner, PublicKeyError, SignatureFault, SignedDataFault};
use crate::trust::X509Error;
use crate::verify::{Check, CheckId, Evidence, Policy};

/// Verifies the signature of a signed object with the certificate that its signer names; gives what
/// is known of that certificate.
pub(super) fn check<'t>(
    id: CheckId,
    found: Result<CheckedSigner<'_>, SignedDataFault>,
    signers: &SignerCache<'t>,
    policy: &Policy,
) -> (Check, Option<Arc<Signer<'t>>>) {
    let signer = match found {
        Ok(signer) => signer,
        Err(error) => return (fault(id, &error), None),
    };
    // A security object may leave its signer's certificate to the directory (ICAO 9303-10 §4.6.2).
    let of_store = signers.trust().signer_certificates(&signer.signer.identifier);
    let certificate = match (signer.certificate(), &of_store[..]) {
        (Ok(certificate), _) => certificate.raw,
        (Err(SignedDataFault::NoCertificate), [certificate]) => *certificate,
        (Err(error), _) => return (fault(id, &error), None),
    };
    let known = match signers.signer(certificate) {
        Ok(known) => known,
        Err(X509Error::Key(error)) => return (fault(id, &error.into()), None),
        Err(error) => {
            let evidence = Evidence::new("error", error.to_string());
            return (Check::failed(id, error.code(), evidence), None);
        }
    };
    let key = &known.certificate.key;
    let verified = signer.verify_content().and_then(|()| signer.verify_signature(key));
    let check = match verified {
        Ok(()) => {
            let evidence = Evidence::new("algorithm", signer.algorithm.description())
                .and("key", key.description())
                .and("content_type", signer.signed_data.content_type.to_string())
                .and("weak", signer.digest == HashAlgorithm::Sha1);
            Check::passed(id, evidence).under(policy.signature_hash(signer.digest))
        }
        Err(error) => fault(id, &error),
    };
    (check, Some(known))
}

/// A breach as a check: what nobody may use any more fails, what is only unknown here cannot be
/// checked.
fn fault(id: CheckId, fault: &SignedDataFault) -> Check {
    let evidence = Evidence::new("error", fault.to_string());
    let algorithm = match fault {
        SignedDataFault::DigestAlgorithm(oid)
        | SignedDataFault::Signature(SignatureFault::Algorithm(oid)) => Some(oid),
        SignedDataFault::PublicKey(PublicKeyError::Algorithm(oid) | PublicKeyError::Curve(oid)) => {
            Some(oid)
        }
        _ => None,
    };
    match algorithm {
        Some(oid) if broken::is_broken(oid) => Check::failed(id, "algorithm_broken", evidence),
        Some(_) => Check::unsupported(id, reason(fault), evidence),
        None => Check::failed(id, reason(fault), evidence),
    }
}

/// Whether the fault is one of the object's shape, not of what was signed.
pub(super) const fn is_structural(fault: &SignedDataFault) -> bool {
    matches!(
        fault,
        SignedDataFault::NoSigner
            | SignedDataFault::SeveralSigners { .. }
            | SignedDataFault::ForeignContentType { .. }
    )
}

/// The reason code of a fault.
pub(super) fn reason(fault: &SignedDataFault) -> &'static str {
    match fault {
        SignedDataFault::NoSigner => "sod_no_signer",
        SignedDataFault::SeveralSigners { .. } => "sod_several_signers",
        SignedDataFault::ForeignContentType { .. } => "sod_content_type",
        SignedDataFault::NoSignedAttributes => "signed_attributes_missing",
        SignedDataFault::ContentTypeCount { .. } | SignedDataFault::ContentTypeDiffers => {
            "content_type_mismatch"
        }
        SignedDataFault::MessageDigestCount { .. } => "message_digest_missing",
        SignedDataFault::MessageDigestDiffers => "message_digest_mismatch",
        SignedDataFault::DigestAlgorithm(_) => "digest_algorithm_unsupported",
        SignedDataFault::DigestAlgorithmDiffers { .. } => "digest_algorithm_mismatch",
        SignedDataFault::NoCertificate => "ds_certificate_not_found",
        SignedDataFault::SeveralCertificates { .. } => "ds_certificate_ambiguous",
        SignedDataFault::Malformed(_) => "signed_attributes_malformed",
        SignedDataFault::Signature(fault) => fault.code(),
        SignedDataFault::PublicKey(error) => error.code(),
    }
}
