//! Dates as documents carry them: often whole, sometimes only a year.

use core::fmt;

use jiff::civil::Date;

/// A date of which day, or day and month, may be unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
}

impl PartialDate {
    /// A date of the calendar, or `None`: year 1 to 9999, a month where there is a day, a day that
    /// the month has (29 February in leap years only).
    #[must_use]
    pub fn new(year: i16, month: Option<i8>, day: Option<i8>) -> Option<Self> {
        let possible = match (month, day) {
            (Some(month), Some(day)) => Date::new(year, month, day).is_ok(),
            (Some(month), None) => (1..=12).contains(&month),
            (None, None) => true,
            (None, Some(_)) => false,
        };
        (possible && (1..=9999).contains(&year)).then_some(Self { year, month, day })
    }

    /// A whole date.
    #[must_use]
    pub fn from_date(date: Date) -> Self {
        Self { year: date.year(), month: Some(date.month()), day: Some(date.day()) }
    }

    /// Reads `dd/MM/yyyy`, `MM/yyyy` or `yyyy`, as DG13 writes dates. A day or month of `00`, `--`
    /// or `__` counts as unknown.
    #[must_use]
    pub fn parse_slashed(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let (day, month, year) = match parts[..] {
            [day, month, year] => (day, month, year),
            [month, year] => ("00", month, year),
            [year] => ("00", "00", year),
            _ => return None,
        };
        let year = digits(year).filter(|_| year.len() == 4)?;
        Self::new(year, optional_part(month)?, optional_part(day)?)
    }

    /// Reads `ddMMyyyy`, as QR texts write dates; `00` counts as unknown.
    #[must_use]
    pub fn parse_compact(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.is_ascii() {
            return None;
        }
        let year = digits(text.get(4..)?)?;
        Self::new(year, optional_part(text.get(2..4)?)?, optional_part(text.get(..2)?)?)
    }

    /// Reads `yyyy-MM-dd`, `yyyy-MM` or `yyyy` (ISO 8601), as records write dates.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let two = |text: &str| digits(text).filter(|_| text.len() == 2)?.try_into().ok();
        let (year, month, day) = match parts[..] {
            [year] => (year, None, None),
            [year, month] => (year, Some(two(month)?), None),
            [year, month, day] => (year, Some(two(month)?), Some(two(day)?)),
            _ => return None,
        };
        Self::new(digits(year).filter(|_| year.len() == 4)?, month, day)
    }

    /// The year.
    #[must_use]
    pub const fn year(&self) -> i16 {
        self.year
    }

    /// The month, 1 to 12, if known.
    #[must_use]
    pub const fn month(&self) -> Option<i8> {
        self.month
    }

    /// The day of the month, if known.
    #[must_use]
    pub const fn day(&self) -> Option<i8> {
        self.day
    }

    /// The date if it is whole.
    #[must_use]
    pub fn to_date(&self) -> Option<Date> {
        Date::new(self.year, self.month?, self.day?).ok()
    }

    /// The first day that this date can be.
    #[must_use]
    pub fn earliest(&self) -> Option<Date> {
        Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()
    }

    /// Whether both can be the same day: what is known in both agrees.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        fn agree(a: Option<i8>, b: Option<i8>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        self.year == other.year && agree(self.month, other.month) && agree(self.day, other.day)
    }

    /// As DG13 writes it: `dd/MM/yyyy`, or as much of it as is known.
    #[must_use]
    pub fn to_slashed(&self) -> String {
        match (self.month, self.day) {
            (Some(month), Some(day)) => format!("{day:02}/{month:02}/{:04}", self.year),
            (Some(month), None) => format!("{month:02}/{:04}", self.year),
            _ => format!("{:04}", self.year),
        }
    }
}

/// ISO 8601: `yyyy-MM-dd`, or as much of it as is known.
impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        if let Some(month) = self.month {
            write!(f, "-{month:02}")?;
        }
        if let Some(day) = self.day {
            write!(f, "-{day:02}")?;
        }
        Ok(())
    }
}

/// A number of one to four ASCII digits.
fn digits(text: &str) -> Option<i16> {
    let fits = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

/// `Some(None)` for an unknown day or month, `None` for nonsense.
fn optional_part(text: &str) -> Option<Option<i8>> {
    match text {
        "00" | "--" | "__" => Some(None),
        _ if text.len() <= 2 => i8::try_from(digits(text)?).ok().map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_whole_and_partial_dates_of_dg13() {
        let text = |t| PartialDate::parse_slashed(t).map(|d| d.to_string());
        assert_eq!(text("01/07/2021").as_deref(), Some("2021-07-01"));
        assert_eq!(text("07/1950").as_deref(), Some("1950-07"));
        assert_eq!(text("1950").as_deref(), Some("1950"));
        assert_eq!(text("00/00/1950").as_deref(), Some("1950"));
    }

    #[test]
    fn refuses_days_that_the_calendar_lacks() {
        for text in ["31/02/2000", "29/02/2001", "32/01/2000", "01/13/2000", "01/00/2000", "0000"] {
            assert_eq!(PartialDate::parse_slashed(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_signs_and_short_years() {
        for text in ["+1/01/2000", "01/01/20", "01/01/+200", "01-01-2000", ""] {
            assert_eq!(PartialDate::parse_slashed(text), None, "{text}");
        }
    }

    #[test]
    fn compares_only_what_both_know() {
        let year = PartialDate::parse_iso("1950").unwrap();
        let day = PartialDate::parse_iso("1950-07-01").unwrap();
        assert!(year.agrees_with(&day));
        assert!(!PartialDate::parse_iso("1950-08").unwrap().agrees_with(&day));
    }

    proptest! {
        #[test]
        fn never_panics_on_any_text(text in ".{0,12}") {
            let _ = PartialDate::parse_slashed(&text);
            let _ = PartialDate::parse_compact(&text);
            let _ = PartialDate::parse_iso(&text);
        }

        #[test]
        fn reads_back_what_it_writes(year in 1i16..=9999, month in prop::option::of(1i8..=12), day in prop::option::of(1i8..=31)) {
            if let Some(date) = PartialDate::new(year, month, day) {
                prop_assert_eq!(PartialDate::parse_slashed(&date.to_slashed()), Some(date));
                prop_assert_eq!(PartialDate::parse_iso(&date.to_string()), Some(date));
            }
        }
    }
}
