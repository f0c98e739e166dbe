//! EF.SOD: the document security object, a CMS SignedData over the hashes of the data groups
//! (ICAO 9303-10 §4.6.2, RFC 5652).
//!
//! Everything that is hashed or signed is kept as the bytes that were read.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::{DgNumber, Element, LdsError, SignatureAlgorithm, tag, write};
use crate::apdu::tlv::{Tag, encode};

const FILE: &str = "EF.SOD";
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_TIME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.5");

/// id-icao-mrtd-security-ldsSecurityObject.
pub const LDS_SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
/// Object identifier of the technical report before Doc 9303, seen on early documents.
pub const LDS_SECURITY_OBJECT_LEGACY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.528.1.1006.1.20.1");

/// Most certificates and signers that are read.
const MAX_CERTIFICATES: usize = 16;
const MAX_SIGNERS: usize = 8;
const MAX_ATTRIBUTES: usize = 32;

/// EF.SOD taken apart; every part as the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sod {
    /// eContentType.
    pub content_type: ObjectIdentifier,
    /// eContent: the LDS security object.
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

/// What the signed attributes of EF.SOD say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedAttributes {
    /// Values of the contentType attribute.
    pub content_types: Vec<ObjectIdentifier>,
    /// Values of the messageDigest attribute.
    pub message_digests: Vec<Vec<u8>>,
    /// Signing time, where it is given: `YYYYMMDDHHMMSSZ`, or `YYMMDDHHMMSSZ` as UTCTime has it.
    pub signing_time: Option<String>,
}

/// LDSSecurityObject (ICAO 9303-10 §4.6.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdsSecurityObject {
    /// 0 or 1.
    pub version: u32,
    /// Object identifier of the hash function.
    pub hash_algorithm: ObjectIdentifier,
    /// Hashes in the order of the object; numbers are as found, 1 to 16 or not.
    pub hashes: Vec<(u32, Vec<u8>)>,
    /// LDS and Unicode version, in version 1.
    pub lds_version: Option<(String, String)>,
}

impl Sod {
    /// Reads the file.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut file = Element::parse(FILE, bytes)?.expect(Tag(0x77))?.children();
        let content_info = file.tagged(tag::SEQUENCE)?;
        file.finish()?;
        Self::decode_content_info(&content_info)
    }

    fn decode_content_info(content_info: &Element<'_>) -> Result<Self, LdsError> {
        let mut children = content_info.children();
        let kind = children.any()?;
        if kind.oid()? != SIGNED_DATA {
            return Err(kind.fault("content is not CMS SignedData"));
        }
        let explicit = children.tagged(Tag(0xA0))?;
        children.finish()?;
        let mut signed_data = explicit.children().tagged(tag::SEQUENCE)?.children();
        signed_data.any()?.small_integer()?;
        signed_data.tagged(tag::SET)?;
        let (content_type, content) =
            Self::decode_encapsulated(&signed_data.tagged(tag::SEQUENCE)?)?;
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

    /// The LDS security object in the content.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn security_object(&self) -> Result<LdsSecurityObject, LdsError> {
        LdsSecurityObject::decode(&self.content)
    }
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
}

impl SignedAttributes {
    fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut attributes =
            Self { content_types: Vec::new(), message_digests: Vec::new(), signing_time: None };
        let set = Element::parse("EF.SOD signed attributes", bytes)?.expect(tag::SET)?;
        for attribute in set.children().all(MAX_ATTRIBUTES)? {
            let mut children = attribute.expect(tag::SEQUENCE)?.children();
            let oid = children.any()?.oid()?;
            for value in children.tagged(tag::SET)?.children().all(MAX_ATTRIBUTES)? {
                match oid {
                    CONTENT_TYPE => attributes.content_types.push(value.oid()?),
                    MESSAGE_DIGEST => attributes.message_digests.push(value.octets()?.to_vec()),
                    SIGNING_TIME => attributes.signing_time = Some(read_time(&value)?),
                    _ => {}
                }
            }
        }
        Ok(attributes)
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

impl LdsSecurityObject {
    /// Reads the object.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let object = Element::parse("LDSSecurityObject", bytes)?.expect(tag::SEQUENCE)?;
        let mut children = object.children();
        let version = children.any()?.small_integer()?;
        let hash_algorithm = children.tagged(tag::SEQUENCE)?.children().any()?.oid()?;
        let mut hashes = Vec::new();
        for hash in children.tagged(tag::SEQUENCE)?.children().all(64)? {
            let mut pair = hash.expect(tag::SEQUENCE)?.children();
            let number = pair.any()?.small_integer()?;
            let value = pair.any()?.octets()?.to_vec();
            pair.finish()?;
            hashes.push((number, value));
        }
        let lds_version = match children.optional(tag::SEQUENCE)? {
            Some(info) => {
                let mut info = info.children();
                let (lds, unicode) = (printable(&info.any()?)?, printable(&info.any()?)?);
                info.finish()?;
                Some((lds, unicode))
            }
            None => None,
        };
        children.finish()?;
        Ok(Self { version, hash_algorithm, hashes, lds_version })
    }

    /// The object in DER.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let pair = |(number, value): &(u32, Vec<u8>)| {
            write::sequence(&[&write::integer(*number), &write::octets(value)])
        };
        let hashes: Vec<u8> = self.hashes.iter().flat_map(pair).collect();
        let version = self.lds_version.as_ref().map(|(lds, unicode)| {
            let text = |t: &String| encode(tag::PRINTABLE_STRING, t.as_bytes());
            write::sequence(&[&text(lds), &text(unicode)])
        });
        write::sequence(&[
            &write::integer(self.version),
            &write::sequence(&[&write::oid(&self.hash_algorithm)]),
            &write::sequence(&[&hashes]),
            &version.unwrap_or_default(),
        ])
    }

    /// The hash of a data group, where it is listed.
    #[must_use]
    pub fn hash_of(&self, number: DgNumber) -> Option<&[u8]> {
        let wanted = u32::from(number.get());
        self.hashes.iter().find(|(n, _)| *n == wanted).map(|(_, hash)| hash.as_slice())
    }
}

fn printable(element: &Element<'_>) -> Result<String, LdsError> {
    let value = element.expect(tag::PRINTABLE_STRING)?.value();
    if value.len() > 16 || !value.is_ascii() {
        return Err(element.fault("version string is malformed"));
    }
    Ok(value.iter().map(|b| char::from(*b)).collect())
}

/// What goes into a new EF.SOD.
#[derive(Debug, Clone)]
pub struct SodContent<'a> {
    /// LDS security object.
    pub object: &'a LdsSecurityObject,
    /// Digest algorithm of the signed attributes; that of the signature too.
    pub digest: HashAlgorithm,
    /// Document signer certificate in DER.
    pub certificate: &'a [u8],
    /// Name of its issuer in DER.
    pub issuer: &'a [u8],
    /// Content bytes of its serial number.
    pub serial: &'a [u8],
    /// Signing time as UTCTime `YYMMDDHHMMSSZ`.
    pub signing_time: &'a str,
    /// Algorithm of the signature.
    pub algorithm: SignatureAlgorithm,
}

impl SodContent<'_> {
    /// The signed attributes as the SET OF to be signed.
    #[must_use]
    pub fn signed_attributes(&self) -> Vec<u8> {
        let attribute = |oid: &ObjectIdentifier, value: Vec<u8>| {
            write::sequence(&[&write::oid(oid), &write::set_of(vec![value])])
        };
        let digest = self.digest.digest(&self.object.encode());
        write::set_of(vec![
            attribute(&CONTENT_TYPE, write::oid(&LDS_SECURITY_OBJECT)),
            attribute(&MESSAGE_DIGEST, write::octets(&digest)),
            attribute(&SIGNING_TIME, encode(tag::UTC_TIME, self.signing_time.as_bytes())),
        ])
    }

    /// EF.SOD with the signature over [`Self::signed_attributes`].
    #[must_use]
    pub fn encode(&self, signature: &[u8]) -> Vec<u8> {
        let digest = write::sequence(&[&write::oid(&self.digest.oid())]);
        let mut attributes = self.signed_attributes();
        if let Some(first) = attributes.first_mut() {
            *first = 0xA0;
        }
        let signer = write::sequence(&[
            &write::integer(1),
            &write::sequence(&[self.issuer, &encode(tag::INTEGER, self.serial)]),
            &digest,
            &attributes,
            &self.algorithm.to_der(),
            &write::octets(signature),
        ]);
        let content = write::octets(&self.object.encode());
        let encapsulated = write::sequence(&[
            &write::oid(&LDS_SECURITY_OBJECT),
            &write::constructed(Tag(0xA0), &[&content]),
        ]);
        let signed_data = write::sequence(&[
            &write::integer(3),
            &write::set_of(vec![digest]),
            &encapsulated,
            &write::constructed(Tag(0xA0), &[self.certificate]),
            &write::set_of(vec![signer]),
        ]);
        let content_info = write::sequence(&[
            &write::oid(&SIGNED_DATA),
            &write::constructed(Tag(0xA0), &[&signed_data]),
        ]);
        encode(Tag(0x77), &content_info)
    }
}
