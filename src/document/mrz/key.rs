//! The key that the MRZ gives.

use cancuoc_primitives::hash::HashAlgorithm;
use zeroize::Zeroizing;

use super::{Mrz, MrzDate, check_digit};
use crate::document::access::{DocumentNumber, MrzKey};

impl Mrz {
    /// The key of BAC and of PACE with the MRZ.
    #[must_use]
    pub fn key(&self) -> MrzKey {
        MrzKey::derive(&self.number, &self.birth, &self.expiry)
    }
}

impl MrzKey {
    /// Hashes the MRZ information (ICAO 9303-11 §4.3.2, §9.7.2): document number, date of birth
    /// and date of expiry, each followed by its check digit.
    #[must_use]
    pub fn derive(number: &DocumentNumber, birth: &MrzDate, expiry: &MrzDate) -> Self {
        let number = number.padded();
        let number_digit = check_digit(number.as_bytes()).unwrap_or(b'<');
        let mut digest = Zeroizing::new(HashAlgorithm::Sha1.digest_parts(&[
            number.as_bytes(),
            &[number_digit],
            birth.as_bytes(),
            &[birth.check_digit()],
            expiry.as_bytes(),
            &[expiry.check_digit()],
        ]));
        let mut key = Zeroizing::new([0; 20]);
        for (to, from) in key.iter_mut().zip(digest.drain(..)) {
            *to = from;
        }
        Self::from_bytes(*key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    #[test]
    fn derives_the_key_seed_of_the_published_td3_and_td1_examples() {
        // ICAO 9303-11 appendix D.2: both documents lead to the K_seed of appendix D.1.
        let number = DocumentNumber::new("L898902C<").unwrap();
        let date = |text: &[u8]| MrzDate::new(text).unwrap();
        let key = MrzKey::derive(&number, &date(b"690806"), &date(b"940623"));
        assert_eq!(*key.bac_seed(), hex!("239AB9CB282DAF66231DC5A4DF6BFBAE"));
    }

    #[test]
    fn hashes_the_mrz_information_of_the_published_td1_examples() {
        // ICAO 9303-11 appendix D.2: a number longer than nine characters, and one of nine.
        let examples = [
            (
                "I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2\
                 STEVENSON<<PETER<JOHN<<<<<<<<<",
                "D23145890734934071279507122",
            ),
            (
                "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6\
                 ERIKSSON<<ANNA<MARIA<<<<<<<<<<",
                "D23145890774081221204159",
            ),
        ];
        for (mrz, information) in examples {
            let key = Mrz::parse_text(mrz).unwrap().key();
            assert_eq!(key.as_bytes()[..], HashAlgorithm::Sha1.digest(information.as_bytes())[..]);
        }
    }
}
