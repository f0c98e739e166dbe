//! Other signed objects: EF.CardSecurity (ICAO 9303-11 §9.2.11) and CSCA master lists (ICAO
//! 9303-12 §9).

use const_oid::ObjectIdentifier;

use super::{Element, LdsError, SecurityInfos, SignedData, tag, write};

/// id-SecurityObject: the content of EF.CardSecurity.
pub const SECURITY_OBJECT: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.2.1");
/// id-icao-cscaMasterList.
pub const MASTER_LIST: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.136.1.1.2");
/// Most certificates of a master list.
const MAX_CERTIFICATES: usize = 4_096;

/// EF.CardSecurity: security infos that are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSecurity {
    /// The signature around them.
    pub signed_data: SignedData,
    /// The infos.
    pub infos: SecurityInfos,
}

impl CardSecurity {
    /// Reads the file. The signature is not verified.
    ///
    /// # Errors
    /// [`LdsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, LdsError> {
        let signed_data = SignedData::decode("EF.CardSecurity", bytes)?;
        let infos = SecurityInfos::decode("EF.CardSecurity content", &signed_data.content)?;
        Ok(Self { signed_data, infos })
    }
}

/// The certificates of a CSCA master list, each as its bytes, out of the content that was signed.
///
/// # Errors
/// [`LdsError`].
pub fn decode_master_list(content: &[u8]) -> Result<Vec<&[u8]>, LdsError> {
    let mut children = Element::parse("master list", content)?.expect(tag::SEQUENCE)?.children();
    children.any()?.small_integer()?;
    let certificates = children.tagged(tag::SET)?.children().all(MAX_CERTIFICATES)?;
    children.finish()?;
    certificates.iter().map(|c| c.expect(tag::SEQUENCE).map(|c| c.raw())).collect()
}

/// The content of a CSCA master list with these certificates.
#[must_use]
pub fn encode_master_list(certificates: &[&[u8]]) -> Vec<u8> {
    let set = write::set_of(certificates.iter().map(|c| c.to_vec()).collect());
    write::sequence(&[&write::integer(0), &set])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lds::{CertificateParts, PublicKey};

    const LIST: &[u8] = include_bytes!("../../testvectors/masterlist-nl-2026-07-22.ml");

    #[test]
    fn the_published_master_list_is_read_and_verifies() {
        let signed = SignedData::decode("master list", LIST).unwrap();
        let signer = signed.checked_signer(&[MASTER_LIST]).unwrap();
        assert!(signer.verify_with_embedded_certificate().is_ok());
        let certificates = decode_master_list(&signed.content).unwrap();
        assert_eq!(certificates.len(), 411);
        for certificate in certificates {
            CertificateParts::decode(certificate).unwrap();
        }
    }

    #[test]
    fn the_published_master_list_holds_keys_that_are_read() {
        let signed = SignedData::decode("master list", LIST).unwrap();
        let certificates = decode_master_list(&signed.content).unwrap();
        let readable = |c: &&&[u8]| {
            CertificateParts::decode(c).is_ok_and(|c| PublicKey::from_spki_der(c.spki).is_ok())
        };
        let read = certificates.iter().filter(readable).count();
        assert_eq!((read, certificates.len()), (411, 411));
    }

    #[test]
    fn refuses_a_master_list_as_card_security() {
        assert!(CardSecurity::decode(LIST).is_err());
    }
}
