//! CMS SignedData of which every part can be wrong (RFC 5652 §5).

use cancuoc_primitives::CryptoRng;
use const_oid::ObjectIdentifier;

use super::DeckError;
use super::workshop::DocumentSigner;
use crate::apdu::tlv::{Tag, encode};
use crate::lds::{Element, tag, write};
use crate::pki::Signer;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
/// The contentType attribute.
pub(super) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
/// The messageDigest attribute.
pub(super) const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
/// The signingTime attribute.
pub(super) const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";

/// A signed object before it becomes bytes.
#[derive(Clone)]
pub(super) struct SignedObject {
    /// eContentType.
    pub content_type: ObjectIdentifier,
    /// eContent.
    pub content: Vec<u8>,
    /// Certificates in DER.
    pub certificates: Vec<Vec<u8>>,
    /// The signers.
    pub signers: Vec<SignerDraft>,
}

/// SignerInfo before it becomes bytes.
#[derive(Clone)]
pub(super) struct SignerDraft {
    /// SignerIdentifier in DER.
    pub identifier: Vec<u8>,
    /// Digest algorithm.
    pub digest: ObjectIdentifier,
    /// The signed attributes: object identifier, value in DER.
    pub attributes: Vec<(&'static str, Vec<u8>)>,
    /// AlgorithmIdentifier of the signature in DER.
    pub algorithm: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

impl SignerDraft {
    /// Signer of a content: all as it should be, but not signed yet.
    pub(super) fn new(
        content_type: ObjectIdentifier,
        content: &[u8],
        signer: &DocumentSigner,
        time: &str,
    ) -> Result<Self, DeckError> {
        let algorithm = signer.key.algorithm();
        Ok(Self {
            identifier: issuer_and_serial(&signer.certificate)?,
            digest: algorithm.hash().oid(),
            attributes: vec![
                (CONTENT_TYPE, write::oid(&content_type)),
                (MESSAGE_DIGEST, write::octets(&algorithm.hash().digest(content))),
                (SIGNING_TIME, encode(tag::UTC_TIME, time.as_bytes())),
            ],
            algorithm: algorithm.to_der(),
            signature: Vec::new(),
        })
    }

    /// Replaces the value of an attribute.
    pub(super) fn set_attribute(&mut self, name: &str, value: Vec<u8>) {
        if let Some(own) = self.attributes.iter_mut().find(|(own, _)| *own == name) {
            own.1 = value;
        }
    }

    /// The SET OF attributes that is signed.
    pub(super) fn to_be_signed(&self) -> Vec<u8> {
        let attributes = self.attributes.iter().map(|(name, value)| {
            write::sequence(&[&write::oid(&oid(name)), &write::set_of(vec![value.clone()])])
        });
        write::set_of(attributes.collect())
    }

    /// Signs the attributes as they are.
    pub(super) fn sign(
        &mut self,
        signer: &dyn Signer,
        random: &mut dyn CryptoRng,
    ) -> Result<(), DeckError> {
        self.signature = signer.sign(&self.to_be_signed(), random)?;
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let mut attributes = self.to_be_signed();
        if let Some(first) = attributes.first_mut() {
            *first = 0xA0;
        }
        if self.attributes.is_empty() {
            attributes.clear();
        }
        // Version 1 goes with issuer and serial number, 3 with a key identifier.
        let version = if self.identifier.first() == Some(&0x80) { 3 } else { 1 };
        write::sequence(&[
            &write::integer(version),
            &self.identifier,
            &write::sequence(&[&write::oid(&self.digest)]),
            &attributes,
            &self.algorithm,
            &write::octets(&self.signature),
        ])
    }
}

impl SignedObject {
    /// A signed object as it should be.
    pub(super) fn new(
        content_type: ObjectIdentifier,
        content: Vec<u8>,
        signer: &DocumentSigner,
        time: &str,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, DeckError> {
        let mut draft = SignerDraft::new(content_type, &content, signer, time)?;
        draft.sign(&signer.key, random)?;
        let certificates = vec![signer.certificate.clone()];
        Ok(Self { content_type, content, certificates, signers: vec![draft] })
    }

    /// ContentInfo in DER.
    pub(super) fn encode(&self) -> Vec<u8> {
        let digests =
            self.signers.iter().map(|signer| write::sequence(&[&write::oid(&signer.digest)]));
        let encapsulated = write::sequence(&[
            &write::oid(&self.content_type),
            &write::constructed(Tag(0xA0), &[&write::octets(&self.content)]),
        ]);
        let signers = self.signers.iter().map(SignerDraft::encode);
        let signed_data = write::sequence(&[
            &write::integer(3),
            &write::set_of(digests.collect()),
            &encapsulated,
            &write::constructed(Tag(0xA0), &[&self.certificates.concat()]),
            &write::set_of(signers.collect()),
        ]);
        let explicit = write::constructed(Tag(0xA0), &[&signed_data]);
        write::sequence(&[&write::oid(&oid(SIGNED_DATA)), &explicit])
    }
}

/// SignerIdentifier by issuer and serial number of a certificate.
pub(super) fn issuer_and_serial(certificate: &[u8]) -> Result<Vec<u8>, DeckError> {
    let mut tbs = Element::parse("certificate", certificate)?.children().any()?.children();
    tbs.tagged(Tag(0xA0))?;
    let serial = tbs.any()?;
    tbs.any()?;
    let issuer = tbs.any()?;
    Ok(write::sequence(&[issuer.raw(), serial.raw()]))
}
