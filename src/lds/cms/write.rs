//! Writing SignedData with one signer (RFC 5652 §5), as security objects are.

use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;

use super::{CONTENT_TYPE, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_TIME};
use crate::apdu::tlv::{Tag, encode};
use crate::lds::{SignatureAlgorithm, tag, write};

/// What goes into a new signed object.
#[derive(Debug, Clone, Copy)]
pub struct SignedContent<'a> {
    /// eContentType.
    pub content_type: ObjectIdentifier,
    /// eContent.
    pub content: &'a [u8],
    /// Digest algorithm of the signed attributes; that of the signature too.
    pub digest: HashAlgorithm,
    /// Certificate of the signer in DER.
    pub certificate: &'a [u8],
    /// Name of its issuer in DER.
    pub issuer: &'a [u8],
    /// Content bytes of its serial number.
    pub serial: &'a [u8],
    /// Signing time as UTCTime `YYMMDDHHMMSSZ`; `None` leaves the attribute out.
    pub signing_time: Option<&'a str>,
    /// Algorithm of the signature.
    pub algorithm: SignatureAlgorithm,
}

impl SignedContent<'_> {
    /// The signed attributes as the SET OF to be signed.
    #[must_use]
    pub fn signed_attributes(&self) -> Vec<u8> {
        let attribute = |oid: &ObjectIdentifier, value: Vec<u8>| {
            write::sequence(&[&write::oid(oid), &write::set_of(vec![value])])
        };
        let digest = self.digest.digest(self.content);
        let mut attributes = vec![
            attribute(&CONTENT_TYPE, write::oid(&self.content_type)),
            attribute(&MESSAGE_DIGEST, write::octets(&digest)),
        ];
        let time = |time: &str| encode(tag::UTC_TIME, time.as_bytes());
        attributes.extend(self.signing_time.map(|t| attribute(&SIGNING_TIME, time(t))));
        write::set_of(attributes)
    }

    /// ContentInfo with the signature over [`Self::signed_attributes`].
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
        let encapsulated = write::sequence(&[
            &write::oid(&self.content_type),
            &write::constructed(Tag(0xA0), &[&write::octets(self.content)]),
        ]);
        let signed_data = write::sequence(&[
            &write::integer(3),
            &write::set_of(vec![digest]),
            &encapsulated,
            &write::constructed(Tag(0xA0), &[self.certificate]),
            &write::set_of(vec![signer]),
        ]);
        write::sequence(&[
            &write::oid(&SIGNED_DATA),
            &write::constructed(Tag(0xA0), &[&signed_data]),
        ])
    }
}
