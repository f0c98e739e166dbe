//! The signature of a signed object (RFC 5652 §5.4, §5.6). The rules of CMS stand in
//! [`SignedData::checked_signer`]; here each breach becomes the outcome of a check.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::failed;
use crate::error::ErrorCode;
use crate::lds::{SignedData, SignedDataFault};
use crate::trust::X509;
use crate::verify::{Check, CheckId, Evidence, Policy};

/// Verifies the signature with the certificate that the signer names; gives that certificate.
pub(super) fn check(
    id: CheckId,
    signed: &SignedData,
    types: &[ObjectIdentifier],
    policy: &Policy,
) -> (Check, Option<X509>) {
    let fault = |fault: &SignedDataFault| {
        Check::failed(id, reason(fault), Evidence::new("error", fault.to_string()))
    };
    let signer = match signed.checked_signer(types) {
        Ok(signer) => signer,
        Err(error) => return (fault(&error), None),
    };
    let certificate = match signer.certificate() {
        Ok(certificate) => certificate,
        Err(error) => return (fault(&error), None),
    };
    let certificate = match X509::decode(certificate.raw) {
        Ok(certificate) => certificate,
        Err(error) => return (failed(id, &error), None),
    };
    let verified = signer.verify_content().and_then(|()| signer.verify_signature(&certificate.key));
    let check = match verified {
        Ok(()) => {
            let evidence = Evidence::new("algorithm", signer.algorithm.description())
                .and("key", certificate.key.description())
                .and("weak", signer.digest == HashAlgorithm::Sha1);
            Check::passed(id, evidence).under(policy.signature_hash(signer.digest))
        }
        Err(error) => fault(&error),
    };
    (check, Some(certificate))
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
        SignedDataFault::Malformed(error) => error.code(),
        SignedDataFault::Signature(fault) => fault.code(),
        SignedDataFault::PublicKey(error) => error.code(),
    }
}
