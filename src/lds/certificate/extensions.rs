//! The extensions that say what a certificate is for (RFC 5280 §4.2.1).

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use super::CertificateParts;
use crate::apdu::tlv::Tag;
use crate::lds::{Element, LdsError, tag};

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const PRIVATE_KEY_USAGE_PERIOD: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.16");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// Most purposes that are read.
const MAX_PURPOSES: usize = 32;

/// Whether a certificate is a CA's (RFC 5280 §4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Whether the holder is a CA.
    pub ca: bool,
    /// Most CAs below it.
    pub path_length: Option<u32>,
}

/// What a key may do (RFC 5280 §4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// Whether the extension is critical.
    pub critical: bool,
    /// The first byte of the bits: digitalSignature is the highest.
    bits: u8,
}

impl KeyUsage {
    /// Whether the key may sign data.
    #[must_use]
    pub const fn digital_signature(self) -> bool {
        self.bits & 0x80 != 0
    }

    /// Whether the key may sign certificates.
    #[must_use]
    pub const fn key_cert_sign(self) -> bool {
        self.bits & 0x04 != 0
    }

    /// Whether the key may sign revocation lists.
    #[must_use]
    pub const fn crl_sign(self) -> bool {
        self.bits & 0x02 != 0
    }
}

impl<'a> CertificateParts<'a> {
    /// The subject key identifier, where the certificate has one that can be read.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<&'a [u8]> {
        let value = self.extension(&SUBJECT_KEY_IDENTIFIER)?.value;
        Element::parse("subjectKeyIdentifier", value).ok()?.octets().ok()
    }

    /// The identifier of the issuer's key, where the certificate has one that can be read.
    #[must_use]
    pub fn authority_key_identifier(&self) -> Option<&'a [u8]> {
        let value = self.extension(&AUTHORITY_KEY_IDENTIFIER)?.value;
        let id =
            Element::parse("authorityKeyIdentifier", value).ok()?.expect(tag::SEQUENCE).ok()?;
        id.children().optional(Tag(0x80)).ok()?.map(|id| id.value())
    }

    /// Basic constraints. A `TRUE` of BER, any byte but zero, is taken for what it is.
    ///
    /// # Errors
    /// [`LdsError`] for an extension that is malformed.
    pub fn basic_constraints(&self) -> Result<Option<BasicConstraints>, LdsError> {
        let Some(extension) = self.extension(&BASIC_CONSTRAINTS) else { return Ok(None) };
        let value = Element::parse("basicConstraints", extension.value)?.expect(tag::SEQUENCE)?;
        let mut fields = value.children();
        let ca = fields.optional(tag::BOOLEAN)?.is_some_and(|ca| ca.value() != [0]);
        let path_length = fields.optional(tag::INTEGER)?.map(|n| n.small_integer()).transpose()?;
        fields.finish()?;
        Ok(Some(BasicConstraints { critical: extension.critical, ca, path_length }))
    }

    /// Whether basic constraints make it a CA's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        matches!(self.basic_constraints(), Ok(Some(constraints)) if constraints.ca)
    }

    /// Key usage.
    ///
    /// # Errors
    /// [`LdsError`] for an extension that is malformed.
    pub fn key_usage(&self) -> Result<Option<KeyUsage>, LdsError> {
        let Some(extension) = self.extension(&KEY_USAGE) else { return Ok(None) };
        let value = Element::parse("keyUsage", extension.value)?.expect(tag::BIT_STRING)?;
        let bits = match value.value() {
            [0..=7, bits, ..] => *bits,
            [0] => 0,
            _ => return Err(value.fault("malformed BIT STRING")),
        };
        Ok(Some(KeyUsage { critical: extension.critical, bits }))
    }

    /// The purposes of the extended key usage; `None` where there is no such extension.
    ///
    /// # Errors
    /// [`LdsError`] for an extension that is malformed.
    pub fn extended_key_usage(&self) -> Result<Option<Vec<ObjectIdentifier>>, LdsError> {
        let Some(extension) = self.extension(&EXTENDED_KEY_USAGE) else { return Ok(None) };
        let value = Element::parse("extKeyUsage", extension.value)?.expect(tag::SEQUENCE)?;
        let purposes = value.children().all(MAX_PURPOSES)?;
        purposes.iter().map(Element::oid).collect::<Result<_, _>>().map(Some)
    }

    /// From when to when the certificate is valid.
    ///
    /// # Errors
    /// [`LdsError`] where the times are malformed.
    pub fn valid(&self) -> Result<(Timestamp, Timestamp), LdsError> {
        let mut times = Element::parse("validity", self.validity)?.children();
        let (from, until) = (times.any()?.time()?, times.any()?.time()?);
        times.finish()?;
        Ok((from, until))
    }

    /// From when to when the private key may sign, where the certificate says so (RFC 3280
    /// §4.2.1.4).
    #[must_use]
    pub fn private_key_usage_period(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let value = self.extension(&PRIVATE_KEY_USAGE_PERIOD)?.value;
        let mut fields = Element::parse("PrivateKeyUsagePeriod", value).ok()?.children();
        let mut part = |number| {
            let field = fields.optional(Tag(number)).ok().flatten();
            field.and_then(|field| field.generalized_time().ok())
        };
        Some((part(0x80), part(0x81)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lds::CertificateExtension;

    fn with(oid: ObjectIdentifier, value: &[u8]) -> CertificateParts<'_> {
        CertificateParts {
            raw: &[],
            tbs: &[],
            version: 2,
            serial: &[1],
            issuer: &[],
            validity: &[],
            subject: &[],
            spki: &[],
            signature_algorithm: &[],
            signature: &[],
            extensions: vec![CertificateExtension { oid, critical: true, value }],
        }
    }

    #[test]
    fn takes_any_byte_but_zero_for_true() {
        for (byte, ca) in [(0xFF, true), (0x01, true), (0x00, false)] {
            let value = [0x30, 3, 1, 1, byte];
            let parts = with(BASIC_CONSTRAINTS, &value);
            assert_eq!(parts.basic_constraints().unwrap().unwrap().ca, ca);
        }
    }

    #[test]
    fn tells_absent_basic_constraints_from_malformed_ones() {
        assert_eq!(with(KEY_USAGE, &[3, 2, 1, 6]).basic_constraints(), Ok(None));
        assert!(with(BASIC_CONSTRAINTS, &[0x30, 2, 4, 0]).basic_constraints().is_err());
    }

    #[test]
    fn reads_what_a_key_may_do() {
        let usage = with(KEY_USAGE, &[3, 2, 1, 6]).key_usage().unwrap().unwrap();
        assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
        assert!(with(KEY_USAGE, &[3, 1, 9]).key_usage().is_err());
    }

    #[test]
    fn reads_the_purposes_of_a_key() {
        let value = [0x30, 8, 6, 6, 0x67, 0x81, 8, 1, 1, 3];
        let purposes = with(EXTENDED_KEY_USAGE, &value).extended_key_usage().unwrap().unwrap();
        assert_eq!(purposes, [ObjectIdentifier::new_unwrap("2.23.136.1.1.3")]);
    }
}
