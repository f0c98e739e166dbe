//! Dates of certificates: six digits YYMMDD, one in a byte (BSI TR-03110-3 §D.2.1.3).

use std::fmt;

use jiff::civil::Date;

use super::CvcError;

/// A date of a CV certificate, in the years 2000 to 2099.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CvDate(Date);

impl CvDate {
    /// Reads the value of a data object.
    ///
    /// # Errors
    /// [`CvcError::Field`] unless it is six bytes 0 to 9 that make a date of the calendar.
    pub fn decode(value: &[u8]) -> Result<Self, CvcError> {
        let fault = |what| CvcError::field("date", what);
        let digits: &[u8; 6] = value.try_into().map_err(|_| fault("not six digits"))?;
        if digits.iter().any(|digit| *digit > 9) {
            return Err(fault("not six digits"));
        }
        let [y1, y2, m1, m2, d1, d2] = digits.map(|digit| digit as i8);
        let year = 2000 + i16::from(y1 * 10 + y2);
        Date::new(year, m1 * 10 + m2, d1 * 10 + d2)
            .map(Self)
            .map_err(|_| fault("no date of the calendar"))
    }

    /// Takes a date.
    ///
    /// # Errors
    /// [`CvcError::Field`] outside of 2000 to 2099.
    pub fn new(date: Date) -> Result<Self, CvcError> {
        if (2000..=2099).contains(&date.year()) {
            Ok(Self(date))
        } else {
            Err(CvcError::field("date", "not in the years 2000 to 2099"))
        }
    }

    /// The date.
    #[must_use]
    pub const fn date(self) -> Date {
        self.0
    }

    /// Six digits, one in a byte.
    #[must_use]
    pub fn encode(self) -> [u8; 6] {
        let digits = |number: i16| [(number / 10 % 10) as u8, (number % 10) as u8];
        let [y1, y2] = digits(self.0.year());
        let [m1, m2] = digits(self.0.month().into());
        let [d1, d2] = digits(self.0.day().into());
        [y1, y2, m1, m2, d1, d2]
    }
}

impl fmt::Display for CvDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
