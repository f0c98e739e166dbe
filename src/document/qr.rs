//! The text of the QR code on the card.
//!
//! Plain text, not signed: it gives the number that opens the chip, and proves nothing. The card of
//! 2021 has seven fields joined by `|`: number, old number or nothing, name, birth `ddMMyyyy`, sex,
//! residence, issue `ddMMyyyy`. The card of 2024 has more, and their list is not public: seven or
//! more are read, those beyond are kept by position.

use core::fmt;

use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::access::{AccessError, PersonalNumber};
use super::date::PartialDate;
use crate::error::ErrorCode;

/// The longest text read, in bytes: the largest QR code holds 2 953.
const MAX_LENGTH: usize = 4096;
/// Fields that every card has.
const LEAST_FIELDS: usize = 7;

/// Why a text is not that of a card. The text is never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QrError {
    /// Longer than a QR code can hold.
    #[error("{length} bytes are more than a QR code holds")]
    TooLong {
        /// Bytes.
        length: usize,
    },
    /// Fewer than seven fields.
    #[error("{found} fields separated by |, where a card has seven or more")]
    TooFewFields {
        /// Fields found.
        found: usize,
    },
    /// The first field is no personal number.
    #[error("first field: {0}")]
    Number(#[from] AccessError),
}

impl ErrorCode for QrError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "qr_too_long",
            Self::TooFewFields { .. } => "qr_too_few_fields",
            Self::Number(_) => "qr_number",
        }
    }
}

/// A field that does not hold what it should; the others can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QrFault {
    /// The old number is not nine digits (nor twelve) and not empty.
    #[error("field 2 of the QR text, the old number, is not 9 digits")]
    OldNumber,
    /// The name is empty.
    #[error("field 3 of the QR text, the name, is empty")]
    Name,
    /// The birth is no day of the calendar.
    #[error("field 4 of the QR text, the date of birth, is no day of the calendar")]
    Birth,
    /// The sex is neither Nam nor Nữ.
    #[error("field 5 of the QR text, the sex, is neither Nam nor Nữ")]
    Sex,
    /// The date of issue is no day of the calendar.
    #[error("field 7 of the QR text, the date of issue, is no day of the calendar")]
    Issue,
}

impl ErrorCode for QrFault {
    fn code(&self) -> &'static str {
        match self {
            Self::OldNumber => "qr_old_number",
            Self::Name => "qr_name",
            Self::Birth => "qr_birth",
            Self::Sex => "qr_sex",
            Self::Issue => "qr_issue",
        }
    }
}

/// The text of a card's QR code.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct QrText {
    number: PersonalNumber,
    fields: Vec<String>,
}

impl QrText {
    /// Reads the text; a line break at its end is ignored.
    ///
    /// # Errors
    /// [`QrError`].
    pub fn parse(text: &str) -> Result<Self, QrError> {
        if text.len() > MAX_LENGTH {
            return Err(QrError::TooLong { length: text.len() });
        }
        let text = text.trim_start_matches('\u{FEFF}').trim();
        let fields: Vec<String> = text.split('|').map(|field| field.trim().to_owned()).collect();
        if fields.len() < LEAST_FIELDS {
            return Err(QrError::TooFewFields { found: fields.len() });
        }
        let number = PersonalNumber::new(fields.first().map_or("", String::as_str))?;
        Ok(Self { number, fields })
    }

    /// The text for these fields.
    #[must_use]
    pub fn text(&self) -> String {
        self.fields.join("|")
    }

    /// The field at a position, from 1.
    #[must_use]
    pub fn field(&self, position: usize) -> Option<&str> {
        self.fields.get(position.checked_sub(1)?).map(String::as_str)
    }

    fn non_empty(&self, position: usize) -> Option<&str> {
        self.field(position).filter(|text| !text.is_empty())
    }

    /// The 12-digit number.
    #[must_use]
    pub const fn personal_number(&self) -> &PersonalNumber {
        &self.number
    }

    /// The number of the card before, if any.
    #[must_use]
    pub fn old_number(&self) -> Option<&str> {
        self.non_empty(2)
    }

    /// The name with diacritics.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.non_empty(3)
    }

    /// The date of birth.
    #[must_use]
    pub fn birth(&self) -> Option<PartialDate> {
        PartialDate::parse_compact(self.field(4)?)
    }

    /// The sex in words.
    #[must_use]
    pub fn sex(&self) -> Option<&str> {
        self.non_empty(5)
    }

    /// The residence.
    #[must_use]
    pub fn residence(&self) -> Option<&str> {
        self.non_empty(6)
    }

    /// The date of issue.
    #[must_use]
    pub fn issue(&self) -> Option<PartialDate> {
        PartialDate::parse_compact(self.field(7)?)
    }

    /// The fields beyond the seventh, by position: the first of them is field 8.
    #[must_use]
    pub fn more(&self) -> &[String] {
        self.fields.get(LEAST_FIELDS..).unwrap_or_default()
    }

    /// The fields that do not hold what they should.
    #[must_use]
    pub fn faults(&self) -> Vec<QrFault> {
        let digits =
            |text: &str| matches!(text.len(), 9 | 12) && text.bytes().all(|b| b.is_ascii_digit());
        let sex = |text: &str| {
            use crate::document::dg13::same_text;
            same_text(text, "Nam") || same_text(text, "Nữ")
        };
        let mut faults = Vec::new();
        let mut unless = |holds: bool, fault| {
            if !holds {
                faults.push(fault);
            }
        };
        unless(self.old_number().is_none_or(digits), QrFault::OldNumber);
        unless(self.name().is_some(), QrFault::Name);
        unless(self.birth().is_some(), QrFault::Birth);
        unless(self.sex().is_some_and(sex), QrFault::Sex);
        unless(self.issue().is_some(), QrFault::Issue);
        faults
    }
}

/// Personal data: not shown.
impl fmt::Debug for QrText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QrText({} fields)", self.fields.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CARD_2021: &str = "001200000018|000000000|Nguyễn Thị Mẫu|01012000|Nữ|\
                             Số 1, Phường Mẫu, Hà Nội|01072021";

    #[test]
    fn reads_the_seven_fields_of_the_card_of_2021() {
        let qr = QrText::parse(CARD_2021).unwrap();
        assert_eq!(qr.personal_number().as_str(), "001200000018");
        assert_eq!(qr.old_number(), Some("000000000"));
        assert_eq!(qr.name(), Some("Nguyễn Thị Mẫu"));
        assert_eq!(qr.birth().unwrap().to_string(), "2000-01-01");
        assert_eq!((qr.sex(), qr.residence()), (Some("Nữ"), Some("Số 1, Phường Mẫu, Hà Nội")));
        assert_eq!(qr.issue().unwrap().to_string(), "2021-07-01");
        assert_eq!((qr.more(), qr.faults()), (&[][..], vec![]));
    }

    #[test]
    fn keeps_the_fields_beyond_the_seventh_by_position() {
        let qr = QrText::parse(&format!("{CARD_2021}||Nguyễn Văn Cha|\n")).unwrap();
        assert_eq!(qr.more(), ["", "Nguyễn Văn Cha", ""]);
        assert_eq!(qr.field(9), Some("Nguyễn Văn Cha"));
    }

    #[test]
    fn takes_an_empty_old_number_for_none() {
        let qr = QrText::parse(&CARD_2021.replace("000000000", "")).unwrap();
        assert_eq!((qr.old_number(), qr.faults()), (None, vec![]));
    }

    #[test]
    fn refuses_texts_that_are_no_card() {
        let error = |text: &str| QrText::parse(text).unwrap_err();
        assert_eq!(error("https://example.com"), QrError::TooFewFields { found: 1 });
        assert_eq!(error(&"|".repeat(5000)), QrError::TooLong { length: 5000 });
        assert!(matches!(error("12|||||||"), QrError::Number(_)));
    }

    #[test]
    fn names_every_field_that_does_not_fit() {
        let qr = QrText::parse("001200000018|12||31022000|X|nhà|07/2021").unwrap();
        use QrFault::{Birth, Issue, Name, OldNumber, Sex};
        assert_eq!(qr.faults(), [OldNumber, Name, Birth, Sex, Issue]);
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in "\\PC{0,80}") {
            let _ = QrText::parse(&text);
        }

        #[test]
        fn reads_back_what_it_writes(fields in prop::collection::vec("[^|\\s]{0,12}", 6..30)) {
            let text = format!("001200000018|{}", fields.join("|"));
            let qr = QrText::parse(&text).unwrap();
            let _ = qr.faults();
            prop_assert_eq!(qr.text(), text);
        }
    }
}
