//! Certificate revocation lists.

use der::{Decode, Encode};
use jiff::Timestamp;
use x509_cert::crl::CertificateList;

use crate::lds::{Element, PublicKey, SignatureAlgorithm, SignatureFault, tag, write};

/// A revocation list with the bytes that are signed.
#[derive(Debug, Clone)]
pub struct Crl {
    tbs: Vec<u8>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
    /// Name of the issuer in DER.
    pub issuer: Vec<u8>,
    /// Content bytes of the serial numbers of revoked certificates.
    pub revoked: Vec<Vec<u8>>,
    /// When the next list is due.
    pub next_update: Option<Timestamp>,
}

impl Crl {
    /// Reads a list in DER.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut outer = Element::parse("CRL", bytes).ok()?.expect(tag::SEQUENCE).ok()?.children();
        let tbs = outer.tagged(tag::SEQUENCE).ok()?.raw().to_vec();
        let algorithm = outer.tagged(tag::SEQUENCE).ok()?.raw().to_vec();
        let signature = outer.any().ok()?.bits().ok()?.to_vec();
        outer.finish().ok()?;
        let list: CertificateList = CertificateList::from_der(bytes).ok()?;
        let parts = &list.tbs_cert_list;
        let revoked = parts.revoked_certificates.iter().flatten();
        let next_update = parts.next_update.and_then(|time| {
            Timestamp::from_second(i64::try_from(time.to_unix_duration().as_secs()).ok()?).ok()
        });
        Some(Self {
            tbs,
            algorithm,
            signature,
            issuer: parts.issuer.to_der().ok()?,
            revoked: revoked.map(|r| r.serial_number.as_bytes().to_vec()).collect(),
            next_update,
        })
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
}
