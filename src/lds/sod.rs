//! EF.SOD: the document security object, a CMS SignedData over the hashes of the data groups
//! (ICAO 9303-10 §4.6.2, RFC 5652).
//!
//! Everything that is hashed or signed is kept as the bytes that were read.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::cms::SignedContent;
use super::{DgNumber, Element, LdsError, SignatureAlgorithm, SignedData, tag, write};
use crate::apdu::tlv::{Tag, encode};

pub use super::cms::{SignedAttributes, SignerIdentifier, SignerInfo};

const FILE: &str = "EF.SOD";

/// id-icao-mrtd-security-ldsSecurityObject.
pub const LDS_SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.1");
/// Object identifier of the technical report before Doc 9303, seen on early documents.
pub const LDS_SECURITY_OBJECT_LEGACY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.528.1.1006.1.20.1");
/// Object identifier of drafts, seen on early documents.
pub const LDS_SECURITY_OBJECT_DRAFT: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.27.1.1.1");
/// The types of content that are accepted as an LDS security object.
pub const LDS_SECURITY_OBJECT_TYPES: [ObjectIdentifier; 3] =
    [LDS_SECURITY_OBJECT, LDS_SECURITY_OBJECT_LEGACY, LDS_SECURITY_OBJECT_DRAFT];

/// Most hashes that are read: more than there are data groups, so that a list with numbers twice
/// is read and can be reported.
const MAX_HASHES: usize = 64;

/// EF.SOD taken apart; every part as the bytes that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sod {
    signed_data: SignedData,
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

impl core::ops::Deref for Sod {
    type Target = SignedData;

    fn deref(&self) -> &SignedData {
        &self.signed_data
    }
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
        Ok(Self { signed_data: SignedData::decode_content_info(&content_info)? })
    }

    /// The LDS security object in the content.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn security_object(&self) -> Result<LdsSecurityObject, LdsError> {
        LdsSecurityObject::decode(&self.content)
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
        for hash in children.tagged(tag::SEQUENCE)?.children().all(MAX_HASHES)? {
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
    fn signed<T>(&self, then: impl FnOnce(&SignedContent<'_>) -> T) -> T {
        then(&SignedContent {
            content_type: LDS_SECURITY_OBJECT,
            content: &self.object.encode(),
            digest: self.digest,
            certificate: self.certificate,
            issuer: self.issuer,
            serial: self.serial,
            signing_time: Some(self.signing_time),
            algorithm: self.algorithm,
        })
    }

    /// The signed attributes as the SET OF to be signed.
    #[must_use]
    pub fn signed_attributes(&self) -> Vec<u8> {
        self.signed(|content| content.signed_attributes())
    }

    /// EF.SOD with the signature over [`Self::signed_attributes`].
    #[must_use]
    pub fn encode(&self, signature: &[u8]) -> Vec<u8> {
        encode(Tag(0x77), &self.signed(|content| content.encode(signature)))
    }
}
