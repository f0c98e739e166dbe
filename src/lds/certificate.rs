//! The parts of an X.509 certificate as the bytes that they are (RFC 5280 §4.1).
//!
//! This is no validation: it finds names, keys and numbers in certificates that were read from
//! cards and lists, some of which keep no strict DER, so that they can be compared and hashed.

use const_oid::ObjectIdentifier;

use super::{Element, LdsError, tag};
use crate::apdu::tlv::Tag;

mod extensions;

pub use extensions::{BasicConstraints, KeyUsage};

const FILE: &str = "certificate";
/// Most extensions that are read.
const MAX_EXTENSIONS: usize = 64;

/// An extension of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateExtension<'a> {
    /// Which.
    pub oid: ObjectIdentifier,
    /// Whether whoever does not know it must refuse the certificate.
    pub critical: bool,
    /// What is in the OCTET STRING.
    pub value: &'a [u8],
}

/// A certificate taken apart; every part borrows from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateParts<'a> {
    /// The whole certificate.
    pub raw: &'a [u8],
    /// TBSCertificate with its tag: what the signature is over.
    pub tbs: &'a [u8],
    /// The version as it is encoded: 0 for the first, 2 for the third.
    pub version: u32,
    /// Content bytes of the serial number.
    pub serial: &'a [u8],
    /// Name of the issuer with its tag.
    pub issuer: &'a [u8],
    /// Validity with its tag.
    pub validity: &'a [u8],
    /// Name of the subject with its tag.
    pub subject: &'a [u8],
    /// SubjectPublicKeyInfo with its tag.
    pub spki: &'a [u8],
    /// AlgorithmIdentifier of the signature, the one outside what is signed.
    pub signature_algorithm: &'a [u8],
    /// Signature.
    pub signature: &'a [u8],
    /// The extensions in their order.
    pub extensions: Vec<CertificateExtension<'a>>,
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
        let version = match fields.optional(Tag(0xA0))? {
            Some(version) => version.children().any()?.small_integer()?,
            None => 0,
        };
        let serial = fields.tagged(tag::INTEGER)?.value();
        let inner_algorithm = fields.tagged(tag::SEQUENCE)?;
        if inner_algorithm.raw() != signature_algorithm.raw() {
            return Err(inner_algorithm.fault("signature algorithms inside and outside differ"));
        }
        let issuer = fields.tagged(tag::SEQUENCE)?.raw();
        let validity = fields.tagged(tag::SEQUENCE)?.raw();
        let subject = fields.tagged(tag::SEQUENCE)?.raw();
        let spki = fields.tagged(tag::SEQUENCE)?.raw();
        let mut extensions = Vec::new();
        while let Some(field) = fields.next_element()? {
            if field.tag() == Tag(0xA3) {
                extensions = read_extensions(&field)?;
            }
        }
        Ok(Self {
            raw: bytes,
            tbs: tbs.raw(),
            version,
            serial,
            issuer,
            validity,
            subject,
            spki,
            signature_algorithm: signature_algorithm.raw(),
            signature,
            extensions,
        })
    }

    /// The extension with the object identifier.
    #[must_use]
    pub fn extension(&self, oid: &ObjectIdentifier) -> Option<&CertificateExtension<'a>> {
        self.extensions.iter().find(|extension| extension.oid == *oid)
    }

    /// Whether issuer and subject have the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }
}

fn read_extensions<'a>(
    extensions: &Element<'a>,
) -> Result<Vec<CertificateExtension<'a>>, LdsError> {
    let mut list = extensions.children();
    let extensions = list.tagged(tag::SEQUENCE)?.children().all(MAX_EXTENSIONS)?;
    list.finish()?;
    extensions.iter().map(CertificateExtension::decode).collect()
}

impl<'a> CertificateExtension<'a> {
    fn decode(element: &Element<'a>) -> Result<Self, LdsError> {
        let mut fields = element.expect(tag::SEQUENCE)?.children();
        let oid = fields.any()?.oid()?;
        let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|c| c.value() != [0]);
        let value = fields.any()?.octets()?;
        fields.finish()?;
        Ok(Self { oid, critical, value })
    }
}
