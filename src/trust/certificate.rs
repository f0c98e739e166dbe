//! Certificates as a verifier needs them: decoded, and as the bytes that were signed.
//!
//! They are read leniently where that is safe, because States do not keep DER everywhere: a negative
//! serial number or a `TRUE` of 1 says nothing about who signed.

use jiff::Timestamp;
use thiserror::Error;

use crate::error::ErrorCode;
use crate::lds::{
    CertificateExtension, CertificateParts, LdsError, ParameterForm, PublicKey, PublicKeyError,
    SignatureAlgorithm, SignatureFault, country_of_name,
};

/// A certificate with the bytes it came in.
#[derive(Debug, Clone)]
pub struct X509 {
    /// The certificate in DER, as read.
    pub der: Vec<u8>,
    version: u32,
    /// The part that is signed, as read.
    tbs: Vec<u8>,
    /// AlgorithmIdentifier of the signature, as read.
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    /// Name of the issuer in DER.
    pub issuer: Vec<u8>,
    /// Name of the subject in DER.
    pub subject: Vec<u8>,
    /// Content bytes of the serial number.
    pub serial: Vec<u8>,
    validity: Vec<u8>,
    times: (Timestamp, Timestamp),
    spki: Vec<u8>,
    /// Its key.
    pub key: PublicKey,
    /// How the key tells its group.
    pub parameters: ParameterForm,
    extensions: Vec<Extension>,
}

#[derive(Debug, Clone)]
struct Extension {
    oid: const_oid::ObjectIdentifier,
    critical: bool,
    value: Vec<u8>,
}

/// Why a certificate cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum X509Error {
    /// The structure is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

impl ErrorCode for X509Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "certificate_malformed",
            Self::Key(error) => error.code(),
        }
    }
}

impl X509 {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`X509Error`].
    pub fn decode(bytes: &[u8]) -> Result<Self, X509Error> {
        let parts = CertificateParts::decode(bytes)?;
        let (key, parameters) = PublicKey::from_spki_der(parts.spki)?;
        let extension = |e: &CertificateExtension<'_>| Extension {
            oid: e.oid,
            critical: e.critical,
            value: e.value.to_vec(),
        };
        Ok(Self {
            der: bytes.to_vec(),
            version: parts.version,
            tbs: parts.tbs.to_vec(),
            algorithm: parts.signature_algorithm.to_vec(),
            signature: parts.signature.to_vec(),
            issuer: parts.issuer.to_vec(),
            subject: parts.subject.to_vec(),
            serial: parts.serial.to_vec(),
            times: parts.valid()?,
            validity: parts.validity.to_vec(),
            spki: parts.spki.to_vec(),
            key,
            parameters,
            extensions: parts.extensions.iter().map(extension).collect(),
        })
    }

    /// The certificate taken apart.
    #[must_use]
    pub fn parts(&self) -> CertificateParts<'_> {
        let extension = |e| {
            let Extension { oid, critical, value }: &Extension = e;
            CertificateExtension { oid: *oid, critical: *critical, value }
        };
        CertificateParts {
            raw: &self.der,
            tbs: &self.tbs,
            version: self.version,
            serial: &self.serial,
            issuer: &self.issuer,
            validity: &self.validity,
            subject: &self.subject,
            spki: &self.spki,
            signature_algorithm: &self.algorithm,
            signature: &self.signature,
            extensions: self.extensions.iter().map(extension).collect(),
        }
    }

    /// SubjectPublicKeyInfo, as read.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The algorithm of its signature.
    ///
    /// # Errors
    /// [`SignatureFault`] for one that is not supported.
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, SignatureFault> {
        SignatureAlgorithm::from_der(&self.algorithm, None)
    }

    /// Verifies the signature with the key of an issuer.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn verify(&self, issuer: &PublicKey) -> Result<SignatureAlgorithm, SignatureFault> {
        let algorithm = self.signature_algorithm()?;
        algorithm.verify(issuer, &self.tbs, &self.signature)?;
        Ok(algorithm)
    }

    /// Whether basic constraints make it a CA's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.parts().is_ca()
    }

    /// Subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        self.parts().subject_key_identifier().map(<[u8]>::to_vec)
    }

    /// Authority key identifier.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        self.parts().authority_key_identifier().map(<[u8]>::to_vec)
    }

    /// From when to when it is valid.
    #[must_use]
    pub const fn validity(&self) -> (Timestamp, Timestamp) {
        self.times
    }

    /// Whether it is valid at a moment.
    #[must_use]
    pub fn is_valid_at(&self, moment: Timestamp) -> bool {
        (self.times.0..=self.times.1).contains(&moment)
    }

    /// From when to when its private key may sign, where it says so.
    #[must_use]
    pub fn key_usage_period(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        self.parts().private_key_usage_period()
    }

    /// Two letters of the subject's country.
    #[must_use]
    pub fn country(&self) -> Option<String> {
        country_of_name(&self.subject)
    }
}
