//! Dates of the MRZ: six characters, two of them for the year.

use core::fmt;

use jiff::civil::Date;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::check_digit;
use crate::document::date::PartialDate;

/// `YYMMDD`; unknown parts are `<` (ICAO 9303-3 §4.8).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct MrzDate([u8; 6]);

/// What the date of expiry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MrzExpiry {
    /// `991231`: the card does not expire. It is never read as 1999.
    Never,
    /// The last day of validity.
    On(Date),
    /// Filler characters, or no day of the calendar.
    Unknown,
}

impl MrzDate {
    /// Takes six characters, digits or `<`.
    #[must_use]
    pub fn new(characters: &[u8]) -> Option<Self> {
        let fits = characters.iter().all(|c| c.is_ascii_digit() || *c == b'<');
        Some(Self(characters.try_into().ok().filter(|_| fits)?))
    }

    /// `YYMMDD` of a date; unknown parts become `<<`.
    #[must_use]
    pub fn from_partial(date: PartialDate) -> Self {
        let mut characters = [b'<'; 6];
        let year = date.year().rem_euclid(100).try_into().ok();
        for (pair, value) in characters.chunks_exact_mut(2).zip([year, date.month(), date.day()]) {
            if let (Some(value), [tens, units]) = (value, pair) {
                let value = value.unsigned_abs();
                *tens = b'0' + value / 10 % 10;
                *units = b'0' + value % 10;
            }
        }
        Self(characters)
    }

    /// `YYMMDD` of a whole date.
    #[must_use]
    pub fn from_date(date: Date) -> Self {
        Self::from_partial(PartialDate::from_date(date))
    }

    /// The date of expiry of a card that does not expire.
    #[must_use]
    pub const fn never() -> Self {
        Self(*b"991231")
    }

    /// The six characters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }

    /// The six characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Its check digit.
    #[must_use]
    pub fn check_digit(&self) -> u8 {
        check_digit(&self.0).unwrap_or(b'<')
    }

    /// A pair of characters as a number; `None` unless both are digits.
    fn pair(&self, index: usize) -> Option<i8> {
        let pair = self.0.get(2 * index..2 * index + 2)?;
        core::str::from_utf8(pair).ok()?.parse().ok()
    }

    fn in_year(&self, year: i16) -> Option<PartialDate> {
        PartialDate::new(year, self.pair(1), self.pair(2))
    }

    /// As a date of birth: in the latest century in which it is not after `today`.
    ///
    /// Two digits cannot tell a newborn from somebody a hundred years old: where DG13 has the whole
    /// year, take that.
    #[must_use]
    pub fn birth(&self, today: Date) -> Option<PartialDate> {
        let short = i16::from(self.pair(0)?);
        let century = today.year() - today.year().rem_euclid(100);
        let born_in = |year| {
            let date: PartialDate = self.in_year(year)?;
            date.earliest().is_some_and(|first| first <= today).then_some(date)
        };
        born_in(century + short).or_else(|| born_in(century + short - 100))
    }

    /// As a date of expiry: in this century, and `991231` is never.
    #[must_use]
    pub fn expiry(&self) -> MrzExpiry {
        if *self == Self::never() {
            return MrzExpiry::Never;
        }
        let year = self.pair(0).map(|short| 2000 + i16::from(short));
        let date = year.and_then(|year| self.in_year(year)).and_then(|date| date.to_date());
        date.map_or(MrzExpiry::Unknown, MrzExpiry::On)
    }
}

/// Dates open the card: not shown.
impl fmt::Debug for MrzDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MrzDate(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn mrz_date(text: &str) -> MrzDate {
        MrzDate::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn reads_991231_as_no_expiry() {
        assert_eq!(mrz_date("991231").expiry(), MrzExpiry::Never);
    }

    #[test]
    fn reads_other_dates_of_expiry_in_this_century() {
        assert_eq!(mrz_date("400101").expiry(), MrzExpiry::On(date(2040, 1, 1)));
        assert_eq!(mrz_date("991230").expiry(), MrzExpiry::On(date(2099, 12, 30)));
    }

    #[test]
    fn knows_no_expiry_in_fillers_and_impossible_days() {
        assert_eq!(mrz_date("<<<<<<").expiry(), MrzExpiry::Unknown);
        assert_eq!(mrz_date("300231").expiry(), MrzExpiry::Unknown);
    }

    #[test]
    fn puts_a_birth_into_the_latest_century_that_is_not_in_the_future() {
        let today = date(2026, 11, 23);
        let year = |text| mrz_date(text).birth(today).map(|d| d.year());
        assert_eq!(year("261123"), Some(2026));
        assert_eq!(year("261124"), Some(1926));
        assert_eq!(year("550101"), Some(1955));
        assert_eq!(year("000101"), Some(2000));
    }

    #[test]
    fn reads_births_of_which_only_the_year_is_known() {
        let birth = mrz_date("50<<<<").birth(date(2026, 1, 1)).unwrap();
        assert_eq!(birth.to_string(), "1950");
    }

    #[test]
    fn refuses_other_characters() {
        assert_eq!(MrzDate::new(b"9912A1"), None);
        assert_eq!(MrzDate::new(b"99123"), None);
    }

    proptest! {
        #[test]
        fn never_puts_a_birth_into_the_future(text in "[0-9<]{6}", day in 0i32..40_000) {
            let today = date(2000, 1, 1).saturating_add(jiff::Span::new().days(day));
            if let Some(birth) = mrz_date(&text).birth(today) {
                prop_assert!(birth.earliest().unwrap() <= today);
            }
            let _ = mrz_date(&text).expiry();
        }

        #[test]
        fn writes_dates_that_read_back(days in 0i32..36_000) {
            let day = date(2000, 1, 1).saturating_add(jiff::Span::new().days(days));
            prop_assert_eq!(MrzDate::from_date(day).expiry(), MrzExpiry::On(day));
        }
    }
}
