//! The parts of an X.509 certificate as the bytes that they are (RFC 5280 §4.1).
//!
//! This is no validation: it finds names, keys and numbers in certificates that were read from
//! cards and lists, some of which keep no strict DER, so that they can be compared and hashed.

use const_oid::ObjectIdentifier;

use super::{Element, LdsError, tag};
use crate::apdu::tlv::Tag;

const FILE: &str = "certificate";
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// Most extensions that are read.
const MAX_EXTENSIONS: usize = 64;

/// A certificate taken apart; every part borrows from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateParts<'a> {
    /// The whole certificate.
    pub raw: &'a [u8],
    /// TBSCertificate with its tag: what the signature is over.
    pub tbs: &'a [u8],
    /// Content bytes of the serial number.
    pub serial: &'a [u8],
    /// Name of the issuer with its tag.
    pub issuer: &'a [u8],
    /// Name of the subject with its tag.
    pub subject: &'a [u8],
    /// SubjectPublicKeyInfo with its tag.
    pub spki: &'a [u8],
    /// AlgorithmIdentifier of the signature, the one outside what is signed.
    pub signature_algorithm: &'a [u8],
    /// Signature.
    pub signature: &'a [u8],
    /// Value of the subject key identifier extension.
    pub subject_key_identifier: Option<&'a [u8]>,
}

impl<'a> CertificateParts<'a> {
    /// Takes a certificate apart.
    ///
    /// # Errors
    /// [`LdsError`]; also where the algorithm inside what is signed is another than outside
    /// (RFC 5280 §4.1.1.2).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, LdsError> {
        let mut outer = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
        let tbs = outer.tagged(tag::SEQUENCE)?;
        let signature_algorithm = outer.tagged(tag::SEQUENCE)?;
        let signature = outer.tagged(tag::BIT_STRING)?.bits()?;
        outer.finish()?;
        let mut fields = tbs.children();
        fields.optional(Tag(0xA0))?;
        let serial = fields.tagged(tag::INTEGER)?.value();
        let inner_algorithm = fields.tagged(tag::SEQUENCE)?;
        if inner_algorithm.raw() != signature_algorithm.raw() {
            return Err(inner_algorithm.fault("signature algorithms inside and outside differ"));
        }
        let issuer = fields.tagged(tag::SEQUENCE)?.raw();
        fields.tagged(tag::SEQUENCE)?;
        let subject = fields.tagged(tag::SEQUENCE)?.raw();
        let spki = fields.tagged(tag::SEQUENCE)?.raw();
        let mut subject_key_identifier = None;
        while let Some(field) = fields.next_element()? {
            if field.tag() == Tag(0xA3) {
                subject_key_identifier = find_key_identifier(&field)?;
            }
        }
        Ok(Self {
            raw: bytes,
            tbs: tbs.raw(),
            serial,
            issuer,
            subject,
            spki,
            signature_algorithm: signature_algorithm.raw(),
            signature,
            subject_key_identifier,
        })
    }

    /// Whether issuer and subject have the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

fn find_key_identifier<'a>(extensions: &Element<'a>) -> Result<Option<&'a [u8]>, LdsError> {
    let mut list = extensions.children();
    let extensions = list.tagged(tag::SEQUENCE)?.children().all(MAX_EXTENSIONS)?;
    list.finish()?;
    for extension in extensions {
        let mut fields = extension.expect(tag::SEQUENCE)?.children();
        if fields.any()?.oid()? != SUBJECT_KEY_IDENTIFIER {
            continue;
        }
        fields.optional(tag::BOOLEAN)?;
        let value = fields.any()?.octets()?;
        return Element::parse("subjectKeyIdentifier", value)?.octets().map(Some);
    }
    Ok(None)
}
