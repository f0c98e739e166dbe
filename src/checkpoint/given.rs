//! What is known of a card's surface, as a scanner or a person gives it: a text becomes the keys
//! that open the chip, and what the chip's data are compared with.

use thiserror::Error;
use zeroize::Zeroizing;

use crate::document::mrz::{MrzError, MrzFormat};
use crate::document::qr::QrError;
use crate::document::{AccessError, AccessKeys, Can, CardProfile, Mrz, PersonalNumber, QrText};
use crate::error::ErrorCode;
use crate::verify::Expected;

/// The longest text that is looked at, in bytes: the largest QR code holds 2 953.
pub const MAX_TEXT: usize = 4_096;

/// One of the things that open a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The machine readable zone.
    Mrz(Mrz),
    /// The text of the QR code.
    Qr(QrText),
    /// The 12-digit number.
    Number(PersonalNumber),
    /// The card access number.
    Can(Can),
}

/// Why a text opens no card. The text is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GivenError {
    /// Longer than any MRZ or QR code.
    #[error("the text is longer than a QR code can hold")]
    TooLong,
    /// Neither MRZ, QR text, number nor CAN.
    #[error("{length} characters that are neither MRZ, QR text, 12-digit number nor CAN")]
    Unknown {
        /// Characters.
        length: usize,
    },
    /// An MRZ with a fault.
    #[error(transparent)]
    Mrz(#[from] MrzError),
    /// A QR text with a fault.
    #[error(transparent)]
    Qr(#[from] QrError),
    /// A number with a fault.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl ErrorCode for GivenError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "scan_too_long",
            Self::Unknown { .. } => "scan_unknown",
            Self::Mrz(error) => error.code(),
            Self::Qr(error) => error.code(),
            Self::Access(error) => error.code(),
        }
    }
}

impl Given {
    /// Reads a whole text: an MRZ with or without line breaks, a QR text, twelve digits, six digits.
    ///
    /// # Errors
    /// [`GivenError`].
    pub fn parse(text: &str) -> Result<Self, GivenError> {
        if text.len() > MAX_TEXT {
            return Err(GivenError::TooLong);
        }
        let text = text.trim_start_matches('\u{FEFF}').trim();
        if text.contains('|') {
            return Ok(Self::Qr(QrText::parse(text)?));
        }
        let length = text.chars().filter(|c| !c.is_whitespace()).count();
        if MrzFormat::ALL.iter().any(|format| format.length() == length) {
            return Ok(Self::Mrz(Mrz::parse_text(text)?.require_faultless()?));
        }
        match length {
            PersonalNumber::LENGTH => Ok(Self::Number(PersonalNumber::new(text)?)),
            Can::LENGTH => Ok(Self::Can(Can::new(text)?)),
            length => Err(GivenError::Unknown { length }),
        }
    }

    /// The same for text that is wiped after use.
    pub(super) fn parse_lines(lines: &[Zeroizing<String>]) -> Result<Self, GivenError> {
        let joined: Zeroizing<String> =
            Zeroizing::new(lines.iter().map(|line| line.as_str()).collect());
        Self::parse(&joined)
    }

    /// Name of the kind: `mrz`, `qr`, `number` or `can`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Mrz(_) => "mrz",
            Self::Qr(_) => "qr",
            Self::Number(_) => "number",
            Self::Can(_) => "can",
        }
    }

    /// The keys that it gives.
    ///
    /// # Errors
    /// [`AccessError`] when the derivation of the profile fails.
    pub fn keys(&self, profile: &CardProfile) -> Result<AccessKeys, AccessError> {
        match self {
            Self::Mrz(mrz) => AccessKeys::from_mrz(mrz, profile),
            Self::Qr(qr) => AccessKeys::from_qr(qr, None, profile),
            Self::Number(number) => AccessKeys::from_number(number, None, None, profile),
            Self::Can(can) => Ok(AccessKeys::from_can(can.clone())),
        }
    }

    /// What the chip's data are compared with.
    #[must_use]
    pub fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        match self {
            Self::Mrz(mrz) => expected.mrz = Some(mrz.clone()),
            Self::Qr(qr) => expected.qr = Some(qr.clone()),
            Self::Number(number) => expected.number = Some(number.clone()),
            Self::Can(_) => {}
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MRZ: &str = "IDVNM2000000185001200000018<<6\n\
                       0001018F4001016VNM<<<<<<<<<<<0\n\
                       NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
    const QR: &str = "001200000018||Nguyễn Thị Mẫu|01012000|Nữ|Hà Nội|01072021";

    #[test]
    fn tells_the_kinds_of_text_apart() {
        let kind = |text: &str| Given::parse(text).map(|given| given.kind());
        assert_eq!(kind(MRZ), Ok("mrz"));
        assert_eq!(kind(&MRZ.replace('\n', "")), Ok("mrz"));
        assert_eq!(kind(&format!("\u{FEFF}{QR}\r\n")), Ok("qr"));
        assert_eq!(kind(" 001200000018\n"), Ok("number"));
        assert_eq!(kind("000018"), Ok("can"));
    }

    #[test]
    fn says_why_a_text_opens_no_card() {
        let code = |text: &str| Given::parse(text).unwrap_err().code();
        assert_eq!(code("hello"), "scan_unknown");
        assert_eq!(code(&"1".repeat(MAX_TEXT + 1)), "scan_too_long");
        assert_eq!(code(&MRZ.replacen('6', "7", 1)), "mrz_check_digit");
        assert_eq!(code("12345x"), "can_invalid");
        assert_eq!(code("1|2"), "qr_too_few_fields");
    }

    #[test]
    fn gives_the_can_whatever_is_known_and_compares_what_was_scanned() {
        let profile = CardProfile::can_cuoc_2021();
        for text in [MRZ, QR, "001200000018", "000018"] {
            let given = Given::parse(text).unwrap();
            let keys = given.keys(profile).unwrap();
            assert_eq!(keys.can.unwrap().as_bytes(), b"000018", "{}", given.kind());
        }
        assert!(Given::parse(MRZ).unwrap().expected().mrz.is_some());
        assert!(Given::parse(QR).unwrap().expected().qr.is_some());
        assert!(Given::parse("001200000018").unwrap().expected().number.is_some());
    }

    #[test]
    fn shows_nothing_of_the_card_in_debug_output() {
        for text in [MRZ, QR, "001200000018", "000018"] {
            let shown = format!("{:?}", Given::parse(text).unwrap());
            assert!(!shown.contains("0018") && !shown.contains("NGUYEN"), "{shown}");
        }
    }
}
