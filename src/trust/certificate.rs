//! Certificates as a verifier needs them: decoded, and as the bytes that were signed.

use der::{Decode, Encode};
use jiff::Timestamp;
use thiserror::Error;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, BasicConstraints, SubjectKeyIdentifier};
use x509_cert::name::Name;

use crate::error::ErrorCode;
use crate::lds::{
    Element, LdsError, PublicKey, PublicKeyError, SignatureAlgorithm, SignatureFault, tag,
};

/// A certificate with the bytes it came in.
#[derive(Debug, Clone)]
pub struct X509 {
    /// The certificate in DER, as read.
    pub der: Vec<u8>,
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
    /// Its key.
    pub key: PublicKey,
    /// Decoded.
    pub certificate: Certificate,
}

/// Why a certificate cannot be used.
#[derive(Debug, Clone, Error)]
pub enum X509Error {
    /// The structure is malformed.
    #[error(transparent)]
    Malformed(#[from] LdsError),
    /// X.509 does not allow it.
    #[error("certificate: {0}")]
    X509(#[from] der::Error),
    /// Its key cannot be used.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
}

impl ErrorCode for X509Error {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::X509(_) => "certificate_malformed",
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
        let mut outer = Element::parse("certificate", bytes)?.expect(tag::SEQUENCE)?.children();
        let tbs = outer.tagged(tag::SEQUENCE)?.raw().to_vec();
        let algorithm = outer.tagged(tag::SEQUENCE)?.raw().to_vec();
        let signature = outer.any()?.bits()?.to_vec();
        outer.finish()?;
        let certificate = Certificate::from_der(bytes)?;
        let parts = certificate.tbs_certificate();
        let (key, _) = PublicKey::from_spki_der(&parts.subject_public_key_info().to_der()?)?;
        Ok(Self {
            der: bytes.to_vec(),
            tbs,
            algorithm,
            signature,
            issuer: parts.issuer().to_der()?,
            subject: parts.subject().to_der()?,
            serial: parts.serial_number().as_bytes().to_vec(),
            key,
            certificate,
        })
    }

    /// Verifies the signature with the key of an issuer.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn verify(&self, issuer: &PublicKey) -> Result<SignatureAlgorithm, SignatureFault> {
        let algorithm = SignatureAlgorithm::from_der(&self.algorithm, None)?;
        algorithm.verify(issuer, &self.tbs, &self.signature)?;
        Ok(algorithm)
    }

    /// Whether basic constraints make it a CA's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        let constraints = self.certificate.tbs_certificate().get_extension::<BasicConstraints>();
        matches!(constraints, Ok(Some((_, constraints))) if constraints.ca)
    }

    /// Subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        let found = self.certificate.tbs_certificate().get_extension::<SubjectKeyIdentifier>();
        found.ok().flatten().map(|(_, id)| id.0.as_bytes().to_vec())
    }

    /// Authority key identifier.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        let found = self.certificate.tbs_certificate().get_extension::<AuthorityKeyIdentifier>();
        let (_, id) = found.ok().flatten()?;
        id.key_identifier.map(|id| id.as_bytes().to_vec())
    }

    /// From when to when it is valid.
    #[must_use]
    pub fn validity(&self) -> (Timestamp, Timestamp) {
        let validity = self.certificate.tbs_certificate().validity();
        let moment = |time: &x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
            Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
        };
        (moment(&validity.not_before), moment(&validity.not_after))
    }

    /// From when to when its private key may sign, where it says so.
    #[must_use]
    pub fn key_usage_period(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let extensions = self.certificate.tbs_certificate().extensions()?;
        let wanted = |e: &&x509_cert::ext::Extension| e.extn_id.to_string() == "2.5.29.16";
        let value = extensions.iter().find(wanted)?.extn_value.as_bytes();
        let mut fields = Element::parse("PrivateKeyUsagePeriod", value).ok()?.children();
        let mut part = |number| {
            let field = fields.optional(crate::apdu::tlv::Tag(number)).ok().flatten();
            field.and_then(|f| generalized_time(f.value()))
        };
        Some((part(0x80), part(0x81)))
    }

    /// Two letters of the subject's country.
    #[must_use]
    pub fn country(&self) -> Option<String> {
        country_of(self.certificate.tbs_certificate().subject())
    }
}

/// Two letters of a name's country, in upper case.
#[must_use]
pub fn country_of(name: &Name) -> Option<String> {
    let country = name.iter().find(|a| a.oid == const_oid::db::rfc4519::COUNTRY_NAME)?;
    Some(String::from_utf8_lossy(country.value.value()).to_ascii_uppercase())
}

/// `YYYYMMDDHHMMSSZ`.
fn generalized_time(bytes: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(bytes).ok()?;
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()
}
