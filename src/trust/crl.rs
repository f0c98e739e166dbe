//! Certificate revocation lists (RFC 5280 §5, ICAO 9303-12 §7.1.4).

use jiff::Timestamp;

use crate::apdu::tlv::Tag;
use crate::lds::{
    Element, LdsError, PublicKey, SignatureAlgorithm, SignatureFault, country_of_name, tag, write,
};

const FILE: &str = "CRL";
/// Most certificates of a list: a country revokes a handful.
const MAX_REVOKED: usize = 100_000;
/// Most extensions that are read.
const MAX_EXTENSIONS: usize = 32;
const CRL_NUMBER: &str = "2.5.29.20";
const REASON_CODE: &str = "2.5.29.21";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";

/// A certificate that was revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Content bytes of its serial number.
    pub serial: Vec<u8>,
    /// Since when.
    pub since: Timestamp,
    /// CRLReason (RFC 5280 §5.3.1), where the list gives one.
    pub reason: Option<u8>,
}

/// A revocation list with the bytes that are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    tbs: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    /// Name of the issuer in DER.
    pub issuer: Vec<u8>,
    /// Identifier of the issuer's key.
    pub authority_key_id: Option<Vec<u8>>,
    /// CRL number, big-endian.
    pub number: Option<Vec<u8>>,
    /// When the list was made.
    pub this_update: Timestamp,
    /// When the next list is due.
    pub next_update: Option<Timestamp>,
    /// What is revoked.
    pub revoked: Vec<Revocation>,
    /// Whether a critical extension limits the list to a part of what the CA issued: that a
    /// certificate is not on it then proves nothing.
    pub is_partial: bool,
}

/// An extension of a list or of an entry.
fn extension<'a>(element: &Element<'a>) -> Result<(String, bool, &'a [u8]), LdsError> {
    let mut fields = element.expect(tag::SEQUENCE)?.children();
    let oid = fields.any()?.oid()?.to_string();
    let critical = fields.optional(tag::BOOLEAN)?.is_some_and(|c| c.value() != [0]);
    let value = fields.any()?.octets()?;
    fields.finish()?;
    Ok((oid, critical, value))
}

impl Revocation {
    fn decode(element: &Element<'_>) -> Result<Self, LdsError> {
        let mut fields = element.expect(tag::SEQUENCE)?.children();
        let serial = fields.tagged(tag::INTEGER)?.value().to_vec();
        let since = fields.any()?.time()?;
        let mut reason = None;
        if let Some(extensions) = fields.optional(tag::SEQUENCE)? {
            for one in extensions.children().all(MAX_EXTENSIONS)? {
                let (oid, _, value) = extension(&one)?;
                if oid == REASON_CODE {
                    reason = Element::parse("CRLReason", value)?.value().first().copied();
                }
            }
        }
        fields.finish()?;
        Ok(Self { serial, since, reason })
    }
}

impl Crl {
    /// Reads a list in DER. Its signature is not verified.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let mut outer = Element::parse(FILE, bytes)?.expect(tag::SEQUENCE)?.children();
        let tbs = outer.tagged(tag::SEQUENCE)?;
        let algorithm = outer.tagged(tag::SEQUENCE)?.raw().to_vec();
        let signature = outer.any()?.bits()?.to_vec();
        outer.finish()?;
        let mut fields = tbs.children();
        fields.optional(tag::INTEGER)?;
        let inner = fields.tagged(tag::SEQUENCE)?;
        if inner.raw() != algorithm {
            return Err(inner.fault("signature algorithms inside and outside differ"));
        }
        let mut list = Self {
            tbs: tbs.raw().to_vec(),
            algorithm,
            signature,
            issuer: fields.tagged(tag::SEQUENCE)?.raw().to_vec(),
            authority_key_id: None,
            number: None,
            this_update: fields.any()?.time()?,
            next_update: None,
            revoked: Vec::new(),
            is_partial: false,
        };
        while let Some(field) = fields.next_element()? {
            match field.tag() {
                tag::UTC_TIME | tag::GENERALIZED_TIME => list.next_update = Some(field.time()?),
                tag::SEQUENCE => {
                    let entries = field.children().all(MAX_REVOKED)?;
                    list.revoked =
                        entries.iter().map(Revocation::decode).collect::<Result<_, _>>()?;
                }
                Tag(0xA0) => list.read_extensions(&field)?,
                _ => return Err(field.fault("unknown field")),
            }
        }
        Ok(list)
    }

    fn read_extensions(&mut self, field: &Element<'_>) -> Result<(), LdsError> {
        let extensions = field.children().tagged(tag::SEQUENCE)?;
        for one in extensions.children().all(MAX_EXTENSIONS)? {
            let (oid, critical, value) = extension(&one)?;
            match oid.as_str() {
                CRL_NUMBER => {
                    let number = Element::parse("cRLNumber", value)?.positive_integer()?;
                    self.number = Some(number.to_vec());
                }
                AUTHORITY_KEY_IDENTIFIER => {
                    let id = Element::parse("authorityKeyIdentifier", value)?;
                    let id = id.expect(tag::SEQUENCE)?.children().optional(Tag(0x80))?;
                    self.authority_key_id = id.map(|id| id.value().to_vec());
                }
                _ => self.is_partial |= critical,
            }
        }
        Ok(())
    }

    /// The list in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        write::sequence(&[&self.tbs, &self.algorithm, &write::bits(&self.signature)])
    }

    /// Verifies the signature with the key of the issuer.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn verify(&self, issuer: &PublicKey) -> Result<(), SignatureFault> {
        let algorithm = SignatureAlgorithm::from_der(&self.algorithm, None)?;
        algorithm.verify(issuer, &self.tbs, &self.signature)
    }

    /// The entry of a certificate by the content bytes of its serial number.
    #[must_use]
    pub fn revocation(&self, serial: &[u8]) -> Option<&Revocation> {
        self.revoked.iter().find(|revoked| revoked.serial == serial)
    }

    /// Two letters of the issuer's country.
    #[must_use]
    pub fn country(&self) -> Option<String> {
        country_of_name(&self.issuer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::{KeyKind, RevokedCertificate, Signer, SoftwareKey, country_name, issue_crl};
    use cancuoc_primitives::curve::Curve;
    use proptest::prelude::*;

    fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
        rand_core::UnwrapErr(getrandom::SysRng)
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn specimen() -> (Vec<u8>, PublicKey) {
        let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
        let since = moment("2026-02-01T00:00:00Z");
        let revoked = RevokedCertificate { serial: vec![0x80, 2], since };
        let times = (moment("2026-03-01T00:00:00Z"), moment("2051-06-01T00:00:00Z"));
        let name = country_name("VN", "Specimen", "CSCA");
        let list = issue_crl(&name, &[revoked], 300, times, &key, &mut random()).unwrap();
        (list, key.public_key())
    }

    #[test]
    fn reads_what_was_written() {
        let (bytes, key) = specimen();
        let list = Crl::decode(&bytes).unwrap();
        assert_eq!(list.to_der(), bytes);
        assert_eq!(list.verify(&key), Ok(()));
        assert_eq!(list.country().as_deref(), Some("VN"));
        assert_eq!(list.number.as_deref(), Some(&[1, 44][..]));
        assert_eq!(list.this_update, moment("2026-03-01T00:00:00Z"));
        assert_eq!(list.next_update, Some(moment("2051-06-01T00:00:00Z")));
        assert_eq!(list.authority_key_id.as_deref().map(<[u8]>::len), Some(20));
        let entry = list.revocation(&[0, 0x80, 2]).unwrap();
        assert_eq!((entry.since, entry.reason), (moment("2026-02-01T00:00:00Z"), None));
        assert_eq!(list.revocation(&[1]), None);
        assert!(!list.is_partial);
    }

    #[test]
    fn a_list_under_a_critical_extension_is_partial() {
        let (bytes, _) = specimen();
        // An issuingDistributionPoint in place of the CRL number, critical.
        let number = write::sequence(&[
            &write::oid(&const_oid::ObjectIdentifier::new_unwrap(CRL_NUMBER)),
            &write::octets(&write::integer(300)),
        ]);
        let at = bytes.windows(number.len()).position(|window| window == number).unwrap();
        let mut altered = bytes;
        altered[at + 2..at + number.len()]
            .copy_from_slice(&[6, 3, 0x55, 0x1D, 28, 1, 1, 0xFF, 4, 1, 0]);
        assert!(Crl::decode(&altered).unwrap().is_partial);
    }

    proptest! {
        #[test]
        fn never_panics_on_altered_lists(place in any::<prop::sample::Index>(), bits in 1..=255u8) {
            let (mut bytes, key) = specimen();
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
            if let Ok(list) = Crl::decode(&bytes) {
                prop_assert!(list.verify(&key).is_err());
            }
        }
    }
}
