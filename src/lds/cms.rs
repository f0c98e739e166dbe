//! CMS SignedData as security objects and master lists have it (RFC 5652 §5).
//!
//! Everything that is hashed or signed is kept as the bytes that were read.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::{CertificateParts, Element, LdsError, tag};
use crate::apdu::tlv::Tag;

mod check;
#[cfg(test)]
mod tests;
mod write;

pub use check::{CheckedSigner, SignedDataFault};
pub use write::SignedContent;

/// id-signedData.
pub(super) const SIGNED_DATA: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// The contentType attribute.
pub(super) const CONTENT_TYPE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
/// The messageDigest attribute.
pub(super) const MESSAGE_DIGEST: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// The signingTime attribute.
pub(super) const SIGNING_TIME: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// Most certificates, signers and attributes that are read.
const MAX_CERTIFICATES: usize = 16;
const MAX_SIGNERS: usize = 8;
const MAX_ATTRIBUTES: usize = 32;

/// SignedData taken apart; every part as the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedData {
    /// eContentType.
    pub content_type: ObjectIdentifier,
    /// eContent.
    pub content: Vec<u8>,
    /// Certificates in DER.
    pub certificates: Vec<Vec<u8>>,
    /// SignerInfos.
    pub signers: Vec<SignerInfo>,
}

/// SignerInfo (RFC 5652 §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerInfo {
    /// Which certificate signed.
    pub identifier: SignerIdentifier,
    /// Digest algorithm.
    pub digest_algorithm: ObjectIdentifier,
    /// The signed attributes, tagged as the SET OF that the signature is over; `None` where the
    /// signature is over the content itself.
    pub signed_attributes: Option<Vec<u8>>,
    /// AlgorithmIdentifier of the signature in DER.
    pub signature_algorithm: Vec<u8>,
    /// Signature.
    pub signature: Vec<u8>,
}

/// Names a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerIdentifier {
    /// By issuer and serial number.
    IssuerAndSerial {
        /// Name of the issuer in DER.
        issuer: Vec<u8>,
        /// Big-endian serial number, content bytes of the INTEGER.
        serial: Vec<u8>,
    },
    /// By subject key identifier.
    SubjectKeyIdentifier(Vec<u8>),
}

/// What the signed attributes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAttributes {
    /// Values of the contentType attribute.
    pub content_types: Vec<ObjectIdentifier>,
    /// Values of the messageDigest attribute.
    pub message_digests: Vec<Vec<u8>>,
    /// Signing time, where it is given: `YYYYMMDDHHMMSSZ`, or `YYMMDDHHMMSSZ` as UTCTime has it.
    pub signing_time: Option<String>,
}

impl SignedData {
    /// Reads a ContentInfo with SignedData; `file` names it in errors.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(file: &'static str, bytes: &[u8]) -> Result<Self, LdsError> {
        Self::decode_content_info(&Element::parse(file, bytes)?.expect(tag::SEQUENCE)?)
    }

    pub(super) fn decode_content_info(content_info: &Element<'_>) -> Result<Self, LdsError> {
        let mut children = content_info.children();
        let kind = children.any()?;
        if kind.oid()? != SIGNED_DATA {
            return Err(kind.fault("content is not CMS SignedData"));
        }
        let mut explicit = children.tagged(Tag(0xA0))?.children();
        children.finish()?;
        let mut signed_data = explicit.tagged(tag::SEQUENCE)?.children();
        explicit.finish()?;
        signed_data.any()?.small_integer()?;
        signed_data.tagged(tag::SET)?;
        let (content_type, content) = decode_encapsulated(&signed_data.tagged(tag::SEQUENCE)?)?;
        let certificates = match signed_data.optional(Tag(0xA0))? {
            Some(set) => set.children().all(MAX_CERTIFICATES)?,
            None => Vec::new(),
        };
        signed_data.optional(Tag(0xA1))?;
        let signers = signed_data.tagged(tag::SET)?.children().all(MAX_SIGNERS)?;
        signed_data.finish()?;
        Ok(Self {
            content_type,
            content,
            certificates: certificates.iter().map(|c| c.raw().to_vec()).collect(),
            signers: signers.iter().map(SignerInfo::decode).collect::<Result<_, _>>()?,
        })
    }

    /// The certificates that a signer identifier names; malformed ones are passed over.
    #[must_use]
    pub fn certificates_of(&self, identifier: &SignerIdentifier) -> Vec<CertificateParts<'_>> {
        let parts = self.certificates.iter().filter_map(|c| CertificateParts::decode(c).ok());
        parts.filter(|certificate| identifier.names(certificate)).collect()
    }
}

fn decode_encapsulated(element: &Element<'_>) -> Result<(ObjectIdentifier, Vec<u8>), LdsError> {
    let mut children = element.children();
    let content_type = children.any()?.oid()?;
    let explicit = children.tagged(Tag(0xA0))?;
    children.finish()?;
    let mut inner = explicit.children();
    let content = inner.any()?.octets()?.to_vec();
    inner.finish()?;
    Ok((content_type, content))
}

impl SignerInfo {
    fn decode(element: &Element<'_>) -> Result<Self, LdsError> {
        let mut children = element.expect(tag::SEQUENCE)?.children();
        children.any()?.small_integer()?;
        let identifier = SignerIdentifier::decode(&children.any()?)?;
        let digest_algorithm = children.tagged(tag::SEQUENCE)?.children().any()?.oid()?;
        let signed_attributes = children.optional(Tag(0xA0))?.map(|attributes| {
            // The signature is over the SET OF, not over the context tag (RFC 5652 §5.4).
            let mut bytes = attributes.raw().to_vec();
            if let Some(first) = bytes.first_mut() {
                *first = 0x31;
            }
            bytes
        });
        let signature_algorithm = children.tagged(tag::SEQUENCE)?.raw().to_vec();
        let signature = children.any()?.octets()?.to_vec();
        children.optional(Tag(0xA1))?;
        children.finish()?;
        Ok(Self { identifier, digest_algorithm, signed_attributes, signature_algorithm, signature })
    }

    /// Reads the signed attributes.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn attributes(&self) -> Result<Option<SignedAttributes>, LdsError> {
        self.signed_attributes.as_deref().map(SignedAttributes::decode).transpose()
    }
}

impl SignerIdentifier {
    fn decode(element: &Element<'_>) -> Result<Self, LdsError> {
        if element.tag() == Tag(0x80) {
            return Ok(Self::SubjectKeyIdentifier(element.value().to_vec()));
        }
        let mut children = element.expect(tag::SEQUENCE)?.children();
        let issuer = children.tagged(tag::SEQUENCE)?.raw().to_vec();
        let serial = children.tagged(tag::INTEGER)?.value().to_vec();
        children.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }

    /// Whether it names the certificate. Names are compared by their bytes.
    #[must_use]
    pub fn names(&self, certificate: &CertificateParts<'_>) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.issuer == issuer && certificate.serial == serial
            }
            Self::SubjectKeyIdentifier(id) => {
                certificate.subject_key_identifier() == Some(id.as_slice())
            }
        }
    }
}

impl SignedAttributes {
    fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut attributes =
            Self { content_types: Vec::new(), message_digests: Vec::new(), signing_time: None };
        let set = Element::parse("signed attributes", bytes)?.expect(tag::SET)?;
        for attribute in set.children().all(MAX_ATTRIBUTES)? {
            let mut children = attribute.expect(tag::SEQUENCE)?.children();
            let oid = children.any()?.oid()?;
            let values = children.tagged(tag::SET)?.children().all(MAX_ATTRIBUTES)?;
            children.finish()?;
            for value in values {
                match oid {
                    CONTENT_TYPE => attributes.content_types.push(value.oid()?),
                    MESSAGE_DIGEST => attributes.message_digests.push(value.octets()?.to_vec()),
                    SIGNING_TIME if attributes.signing_time.is_some() => {
                        return Err(value.fault("signing time given twice"));
                    }
                    SIGNING_TIME => attributes.signing_time = Some(read_time(&value)?),
                    _ => {}
                }
            }
        }
        Ok(attributes)
    }

    /// The signing time as a point in time; `None` where it is absent or no such time exists.
    #[must_use]
    pub fn signing_timestamp(&self) -> Option<Timestamp> {
        let text = self.signing_time.as_ref()?;
        // UTCTime has two digits of the year: 50 and above are of the last century (RFC 5280
        // §4.1.2.5.1).
        let full = match (text.len(), text.as_bytes().first()) {
            (13, Some(b'5'..=b'9')) => format!("19{text}"),
            (13, _) => format!("20{text}"),
            _ => text.clone(),
        };
        let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", full).ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
    }
}

fn read_time(element: &Element<'_>) -> Result<String, LdsError> {
    let value = element.value();
    let right_length = match element.tag() {
        tag::UTC_TIME => value.len() == 13,
        tag::GENERALIZED_TIME => value.len() == 15,
        _ => false,
    };
    match value.split_last() {
        Some((b'Z', digits)) if right_length && digits.iter().all(u8::is_ascii_digit) => {
            Ok(value.iter().map(|b| char::from(*b)).collect())
        }
        _ => Err(element.fault("signing time is malformed")),
    }
}
