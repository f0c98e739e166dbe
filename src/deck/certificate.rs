//! Certificates to be taken apart, changed and signed again.

use cancuoc_primitives::CryptoRng;

use super::DeckError;
use crate::apdu::tlv::Tag;
use crate::lds::{Element, PublicKey, tag, write};
use crate::pki::Signer;

/// Subject key identifier.
pub(super) const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
/// Key usage.
pub(super) const KEY_USAGE: &str = "2.5.29.15";
/// Basic constraints.
pub(super) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
/// Authority key identifier.
pub(super) const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
/// Extended key usage.
pub(super) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";

/// The signed part of a certificate, field by field in DER.
#[derive(Clone)]
pub(super) struct CertificateDraft {
    /// Version, `[0]`.
    pub version: Vec<u8>,
    /// Serial number.
    pub serial: Vec<u8>,
    /// Name of the issuer.
    pub issuer: Vec<u8>,
    /// Validity.
    pub validity: Vec<u8>,
    /// Name of the subject.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo.
    pub key: Vec<u8>,
    /// Extensions in their order: object identifier, whole SEQUENCE.
    pub extensions: Vec<(String, Vec<u8>)>,
}

impl CertificateDraft {
    /// Takes a certificate apart.
    pub(super) fn of(certificate: &[u8]) -> Result<Self, DeckError> {
        let mut outer = Element::parse("certificate", certificate)?.children();
        let mut tbs = outer.tagged(tag::SEQUENCE)?.children();
        let mut next = || tbs.any().map(|field| field.raw().to_vec());
        let (version, serial, _) = (next()?, next()?, next()?);
        let (issuer, validity, subject, key) = (next()?, next()?, next()?, next()?);
        let list = tbs.tagged(Tag(0xA3))?.children().tagged(tag::SEQUENCE)?;
        let mut extensions = Vec::new();
        for extension in list.children().all(32)? {
            let oid = extension.children().any()?.oid()?;
            extensions.push((oid.to_string(), extension.raw().to_vec()));
        }
        Ok(Self { version, serial, issuer, validity, subject, key, extensions })
    }

    /// Takes an extension away.
    pub(super) fn without(mut self, oid: &str) -> Self {
        self.extensions.retain(|(own, _)| own != oid);
        self
    }

    /// Puts an extension in the place of the one of its kind, or at the end.
    pub(super) fn with(mut self, oid: &str, critical: bool, value: &[u8]) -> Self {
        let extension = (oid.to_owned(), extension(oid, critical, value));
        match self.extensions.iter_mut().find(|(own, _)| own == oid) {
            Some(own) => *own = extension,
            None => self.extensions.push(extension),
        }
        self
    }

    /// The certificate with the algorithm and signature of a signer.
    pub(super) fn sign(
        &self,
        signer: &dyn Signer,
        random: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, DeckError> {
        let algorithm = signer.algorithm().to_der();
        let tbs = self.to_be_signed(&algorithm);
        let signature = signer.sign(&tbs, random)?;
        Ok(signed(&tbs, &algorithm, &signature))
    }

    /// TBSCertificate in DER.
    pub(super) fn to_be_signed(&self, algorithm: &[u8]) -> Vec<u8> {
        let extensions: Vec<u8> =
            self.extensions.iter().flat_map(|(_, extension)| extension.clone()).collect();
        let extensions = write::constructed(Tag(0xA3), &[&write::sequence(&[&extensions])]);
        write::sequence(&[
            &self.version,
            &self.serial,
            algorithm,
            &self.issuer,
            &self.validity,
            &self.subject,
            &self.key,
            &extensions,
        ])
    }
}

/// What is signed, algorithm and signature.
pub(super) fn signed(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    write::sequence(&[tbs, algorithm, &write::bits(signature)])
}

/// An extension in DER.
pub(super) fn extension(oid: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xFF] } else { &[] };
    let oid = write::oid(&const_oid::ObjectIdentifier::new_unwrap(oid));
    write::sequence(&[&oid, critical, &write::octets(value)])
}

/// Value of an authority key identifier that names a key by these bytes.
pub(super) fn authority_key_identifier(identifier: &[u8]) -> Vec<u8> {
    write::sequence(&[&crate::apdu::tlv::encode(Tag(0x80), identifier)])
}

/// Identifier of a key: SHA-1 of its bits (RFC 5280 §4.2.1.2).
pub(super) fn key_identifier(key: &PublicKey) -> Vec<u8> {
    cancuoc_primitives::hash::HashAlgorithm::Sha1.digest(&key.key_bytes())
}
