//! The rules that one signed object must keep, each with a name for its breach.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use subtle::ConstantTimeEq;
use thiserror::Error;

use super::{SignedAttributes, SignedData, SignerInfo};
use crate::error::ErrorCode;
use crate::lds::{
    CertificateParts, LdsError, PublicKey, PublicKeyError, SignatureAlgorithm, SignatureFault,
};

/// Which rule a signed object breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignedDataFault {
    /// Nobody signed.
    #[error("no signerInfo")]
    NoSigner,
    /// More than one signature, where one is foreseen (ICAO 9303-10 §4.6.2.1).
    #[error("{count} signerInfos where one is allowed")]
    SeveralSigners {
        /// How many.
        count: usize,
    },
    /// The content is of another type than it must be.
    #[error("eContentType is {found}")]
    ForeignContentType {
        /// Type found.
        found: ObjectIdentifier,
    },
    /// The signature is over the content itself: signed attributes are required.
    #[error("signed attributes missing")]
    NoSignedAttributes,
    /// The signed attributes are malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// No contentType attribute, or several values of it.
    #[error("contentType attribute occurs {count} times, not once")]
    ContentTypeCount {
        /// How often.
        count: usize,
    },
    /// The contentType attribute names another type than eContentType.
    #[error("contentType attribute differs from eContentType")]
    ContentTypeDiffers,
    /// No messageDigest attribute, or several values of it.
    #[error("messageDigest attribute occurs {count} times, not once")]
    MessageDigestCount {
        /// How often.
        count: usize,
    },
    /// The digest algorithm is unknown or not acceptable (MD5).
    #[error("digest algorithm {0} is not supported")]
    DigestAlgorithm(ObjectIdentifier),
    /// The digest algorithm differs from that of the signature.
    #[error("digest algorithm is {digest}, but the signature is over {signature}")]
    DigestAlgorithmDiffers {
        /// Digest algorithm of the signer.
        digest: &'static str,
        /// Hash function of the signature algorithm.
        signature: &'static str,
    },
    /// The signature's algorithm or the signature itself is not accepted.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// The content has another digest than was signed.
    #[error("messageDigest attribute differs from the digest of the content")]
    MessageDigestDiffers,
    /// The object holds no certificate that the signer identifier names.
    #[error("no certificate of the signer in the object")]
    NoCertificate,
    /// The object holds several certificates that the signer identifier names.
    #[error("the signer identifier names {count} certificates")]
    SeveralCertificates {
        /// How many.
        count: usize,
    },
    /// The key of the signer's certificate is not acceptable.
    #[error(transparent)]
    PublicKey(#[from] PublicKeyError),
}

impl ErrorCode for SignedDataFault {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSigner => "cms_no_signer",
            Self::SeveralSigners { .. } => "cms_several_signers",
            Self::ForeignContentType { .. } => "cms_content_type_foreign",
            Self::NoSignedAttributes => "cms_no_signed_attributes",
            Self::Malformed(_) => "cms_attributes_malformed",
            Self::ContentTypeCount { .. } => "cms_content_type_count",
            Self::ContentTypeDiffers => "cms_content_type_differs",
            Self::MessageDigestCount { .. } => "cms_message_digest_count",
            Self::DigestAlgorithm(_) => "cms_digest_unsupported",
            Self::DigestAlgorithmDiffers { .. } => "cms_digest_differs_from_signature",
            Self::Signature(fault) => fault.code(),
            Self::MessageDigestDiffers => "cms_message_digest_differs",
            Self::NoCertificate => "cms_no_certificate",
            Self::SeveralCertificates { .. } => "cms_several_certificates",
            Self::PublicKey(error) => error.code(),
        }
    }
}

/// The only signer of an object, whose structure keeps all rules. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedSigner<'a> {
    /// The object.
    pub signed_data: &'a SignedData,
    /// The signer.
    pub signer: &'a SignerInfo,
    /// Its attributes.
    pub attributes: SignedAttributes,
    /// Digest algorithm of content and signature.
    pub digest: HashAlgorithm,
    /// Algorithm of the signature.
    pub algorithm: SignatureAlgorithm,
    message: &'a [u8],
    message_digest: Vec<u8>,
}

impl SignedData {
    /// The only signer, where the object keeps the rules of ICAO 9303-10 §4.6.2 and RFC 5652 §5:
    /// content of one of the `allowed` types, one signerInfo, signed attributes with contentType and
    /// messageDigest once each, one hash function throughout.
    ///
    /// # Errors
    /// [`SignedDataFault`], the first rule that is broken.
    pub fn checked_signer(
        &self,
        allowed: &[ObjectIdentifier],
    ) -> Result<CheckedSigner<'_>, SignedDataFault> {
        if !allowed.contains(&self.content_type) {
            return Err(SignedDataFault::ForeignContentType { found: self.content_type });
        }
        let signer = match &self.signers[..] {
            [signer] => signer,
            [] => return Err(SignedDataFault::NoSigner),
            more => return Err(SignedDataFault::SeveralSigners { count: more.len() }),
        };
        let (Some(message), Some(attributes)) =
            (signer.signed_attributes.as_deref(), signer.attributes()?)
        else {
            return Err(SignedDataFault::NoSignedAttributes);
        };
        match attributes.content_types[..] {
            [found] if found == self.content_type => {}
            [_] => return Err(SignedDataFault::ContentTypeDiffers),
            _ => {
                let count = attributes.content_types.len();
                return Err(SignedDataFault::ContentTypeCount { count });
            }
        }
        let [message_digest] = &attributes.message_digests[..] else {
            let count = attributes.message_digests.len();
            return Err(SignedDataFault::MessageDigestCount { count });
        };
        let message_digest = message_digest.clone();
        let (digest, algorithm) = algorithms(signer)?;
        Ok(CheckedSigner {
            signed_data: self,
            signer,
            attributes,
            digest,
            algorithm,
            message,
            message_digest,
        })
    }
}

fn algorithms(signer: &SignerInfo) -> Result<(HashAlgorithm, SignatureAlgorithm), SignedDataFault> {
    let digest = HashAlgorithm::from_oid(&signer.digest_algorithm)
        .ok_or(SignedDataFault::DigestAlgorithm(signer.digest_algorithm))?;
    let algorithm = SignatureAlgorithm::from_der(&signer.signature_algorithm, Some(digest))?;
    if algorithm.hash() != digest {
        return Err(SignedDataFault::DigestAlgorithmDiffers {
            digest: digest.name(),
            signature: algorithm.hash().name(),
        });
    }
    Ok((digest, algorithm))
}

impl<'a> CheckedSigner<'a> {
    /// Whether the content is what was signed: its digest is the messageDigest attribute.
    ///
    /// # Errors
    /// [`SignedDataFault::MessageDigestDiffers`].
    pub fn verify_content(&self) -> Result<(), SignedDataFault> {
        let digest = self.digest.digest(&self.signed_data.content);
        if bool::from(digest.ct_eq(&self.message_digest)) {
            Ok(())
        } else {
            Err(SignedDataFault::MessageDigestDiffers)
        }
    }

    /// Verifies the signature over the signed attributes, as they were read.
    ///
    /// # Errors
    /// [`SignedDataFault::Signature`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), SignedDataFault> {
        Ok(self.algorithm.verify(key, self.message, &self.signer.signature)?)
    }

    /// The one certificate in the object that the signer identifier names.
    ///
    /// # Errors
    /// [`SignedDataFault::NoCertificate`], [`SignedDataFault::SeveralCertificates`].
    pub fn certificate(&self) -> Result<CertificateParts<'a>, SignedDataFault> {
        let mut found = self.signed_data.certificates_of(&self.signer.identifier);
        match (found.pop(), found.len()) {
            (Some(certificate), 0) => Ok(certificate),
            (None, _) => Err(SignedDataFault::NoCertificate),
            (Some(_), more) => Err(SignedDataFault::SeveralCertificates { count: more + 1 }),
        }
    }

    /// Verifies content and signature with the certificate in the object, and gives that
    /// certificate. This proves integrity alone: whether the certificate deserves trust is another
    /// question.
    ///
    /// # Errors
    /// [`SignedDataFault`].
    pub fn verify_with_embedded_certificate(
        &self,
    ) -> Result<CertificateParts<'a>, SignedDataFault> {
        let certificate = self.certificate()?;
        let (key, _) = PublicKey::from_spki_der(certificate.spki)?;
        self.verify_content()?;
        self.verify_signature(&key)?;
        Ok(certificate)
    }
}
