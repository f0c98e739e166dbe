//! Check digits of the MRZ (ICAO 9303-3 §4.9).

/// The check digit over MRZ characters: weights 7, 3, 1, values 0 to 9 for digits, 10 to 35 for
/// letters, 0 for `<`. `None` when a character cannot stand in an MRZ.
#[must_use]
pub fn check_digit(characters: &[u8]) -> Option<u8> {
    let mut sum = 0u32;
    for (character, weight) in characters.iter().zip([7u32, 3, 1].into_iter().cycle()) {
        let value = match character {
            b'0'..=b'9' => character - b'0',
            b'A'..=b'Z' => character - b'A' + 10,
            b'<' => 0,
            _ => return None,
        };
        sum = (sum + weight * u32::from(value)) % 10;
    }
    // Below ten, so it fits.
    u8::try_from(sum).ok().map(|digit| b'0' + digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_the_published_examples() {
        // ICAO 9303-3 §4.9, examples 1 and 2.
        assert_eq!(check_digit(b"520727"), Some(b'3'));
        assert_eq!(check_digit(b"AB2134<<<"), Some(b'5'));
    }

    #[test]
    fn refuses_characters_outside_the_mrz() {
        assert_eq!(check_digit(b"ab"), None);
    }
}
