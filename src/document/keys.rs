//! The keys that open a card, from whatever of it is known: MRZ, number, QR text, CAN.

use core::fmt;

use super::access::{AccessError, Can, MrzKey, PersonalNumber, Pin, Puk};
use super::mrz::{Mrz, MrzDate};
use super::profile::CardProfile;
use super::qr::QrText;

/// The passwords of PACE and the key of BAC, as far as they are known.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AccessKeys {
    /// The CAN, for PACE.
    pub can: Option<Can>,
    /// The key of the MRZ, for PACE and BAC.
    pub mrz: Option<MrzKey>,
    /// The holder's PIN, for PACE.
    pub pin: Option<Pin>,
    /// The PUK, for PACE where the PIN is blocked.
    pub puk: Option<Puk>,
}

impl AccessKeys {
    /// A CAN alone: enough for PACE, not for BAC.
    #[must_use]
    pub const fn from_can(can: Can) -> Self {
        Self { can: Some(can), mrz: None, pin: None, puk: None }
    }

    /// The whole MRZ. A Vietnamese card's has the 12-digit number, and so the CAN, in it.
    ///
    /// # Errors
    /// [`AccessError`] when the profile's derivation does not give a CAN.
    pub fn from_mrz(mrz: &Mrz, profile: &CardProfile) -> Result<Self, AccessError> {
        let can = mrz.personal_number().map(|number| profile.can(&number)).transpose()?;
        Ok(Self { can, mrz: Some(mrz.key()), ..Self::default() })
    }

    /// The 12-digit number: the CAN, and with both dates the key of the MRZ.
    ///
    /// # Errors
    /// [`AccessError`] when the profile's derivations fail.
    pub fn from_number(
        number: &PersonalNumber,
        birth: Option<&MrzDate>,
        expiry: Option<&MrzDate>,
        profile: &CardProfile,
    ) -> Result<Self, AccessError> {
        let document_number = profile.document_number(number)?;
        let dates = birth.zip(expiry);
        let mrz = dates.map(|(birth, expiry)| MrzKey::derive(&document_number, birth, expiry));
        Ok(Self { can: Some(profile.can(number)?), mrz, ..Self::default() })
    }

    /// The text of the QR code: number and birth; the date of expiry is not in it.
    ///
    /// # Errors
    /// [`AccessError`] when the profile's derivations fail.
    pub fn from_qr(
        qr: &QrText,
        expiry: Option<&MrzDate>,
        profile: &CardProfile,
    ) -> Result<Self, AccessError> {
        let birth = qr.birth().map(MrzDate::from_partial);
        Self::from_number(qr.personal_number(), birth.as_ref(), expiry, profile)
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { can, mrz, pin, puk } = self;
        let known = [can.is_some(), mrz.is_some(), pin.is_some(), puk.is_some()];
        write!(
            f,
            "AccessKeys(CAN {}, MRZ {}, PIN {}, PUK {})",
            known[0], known[1], known[2], known[3]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MRZ: &str = "IDVNM2000000185001200000018<<6\
                       0001018F4001016VNM<<<<<<<<<<<0\
                       NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
    const QR: &str = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Hà Nội|01072021";

    #[test]
    fn derives_the_same_keys_from_mrz_number_and_qr_text() {
        let profile = CardProfile::can_cuoc_2021();
        let from_mrz = AccessKeys::from_mrz(&Mrz::parse_text(MRZ).unwrap(), profile).unwrap();
        let number = PersonalNumber::new("001200000018").unwrap();
        let (birth, expiry) = (MrzDate::new(b"000101").unwrap(), MrzDate::new(b"400101").unwrap());
        let from_number =
            AccessKeys::from_number(&number, Some(&birth), Some(&expiry), profile).unwrap();
        let qr = QrText::parse(QR).unwrap();
        let from_qr = AccessKeys::from_qr(&qr, Some(&expiry), profile).unwrap();
        assert!(from_mrz.can.is_some() && from_mrz.mrz.is_some());
        assert_eq!(from_mrz, from_number);
        assert_eq!(from_mrz, from_qr);
    }

    #[test]
    fn has_no_key_of_the_mrz_without_the_date_of_expiry() {
        let qr = QrText::parse(QR).unwrap();
        let keys = AccessKeys::from_qr(&qr, None, CardProfile::can_cuoc_2021()).unwrap();
        assert_eq!((keys.can.is_some(), keys.mrz), (true, None));
    }

    #[test]
    fn has_no_can_from_a_foreign_mrz() {
        let mrz = "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6\
                   ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
        let mrz = Mrz::parse_text(mrz).unwrap();
        let keys = AccessKeys::from_mrz(&mrz, CardProfile::can_cuoc_2021()).unwrap();
        assert!(keys.can.is_none() && keys.mrz.is_some());
    }
}
