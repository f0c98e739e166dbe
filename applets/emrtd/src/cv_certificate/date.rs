//! Dates of CV certificates (BSI TR-03110-3 §D.2.1.3).

use cancuoc_card_runtime::tlv::Malformed;

/// A day from 2000-01-01 to 2099-12-31: YYMMDD, one digit in a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date([u8; 6]);

impl Date {
    /// Takes six digits of a day that there is.
    pub fn new(digits: &[u8]) -> Result<Self, Malformed> {
        let digits = <[u8; 6]>::try_from(digits).map_err(|_| Malformed)?;
        if digits.iter().any(|digit| *digit > 9) {
            return Err(Malformed);
        }
        let [y1, y2, m1, m2, d1, d2] = digits;
        let (year, month, day) = (y1 * 10 + y2, m1 * 10 + m2, d1 * 10 + d2);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            // Of the years 2000 to 2099 every fourth has the day.
            2 if year % 4 == 0 => 29,
            2 => 28,
            _ => return Err(Malformed),
        };
        if (1..=days).contains(&day) { Ok(Self(digits)) } else { Err(Malformed) }
    }

    /// The six digits.
    pub const fn digits(&self) -> &[u8; 6] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_days_that_there_are_and_no_others() {
        for (digits, right) in [
            ([2, 6, 0, 2, 2, 8], true),
            ([2, 6, 0, 2, 2, 9], false),
            ([2, 8, 0, 2, 2, 9], true),
            ([2, 6, 1, 2, 3, 1], true),
            ([2, 6, 1, 1, 3, 1], false),
            ([2, 6, 0, 0, 0, 1], false),
            ([2, 6, 1, 3, 0, 1], false),
            ([2, 6, 0, 1, 0, 0], false),
            ([2, 6, 0, 1, 0, 10], false),
        ] {
            assert_eq!(Date::new(&digits).is_ok(), right, "{digits:?}");
        }
        assert!(Date::new(&[2, 6, 0, 1, 1]).is_err());
        assert!(Date::new(b"260101").is_err(), "ASCII is not unpacked BCD");
    }

    #[test]
    fn later_days_are_greater() {
        let date = |digits: [u8; 6]| Date::new(&digits).unwrap();
        assert!(date([2, 6, 1, 2, 3, 1]) < date([2, 7, 0, 1, 0, 1]));
        assert!(date([2, 6, 0, 9, 3, 0]) < date([2, 6, 1, 0, 0, 1]));
    }
}
