//! Issuing States: three letters in the machine readable zone, two in certificates.

use std::sync::OnceLock;

/// `three letters,two letters`, one pair a line.
const TABLE: &str = include_str!("states.csv");

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    static PAIRS: OnceLock<Vec<(&str, &str)>> = OnceLock::new();
    let read = || {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| line.split_once(',')).collect()
    };
    PAIRS.get_or_init(read).iter().copied()
}

/// Whether a signer of this country signs for the issuing State of a machine readable zone: its
/// characters 3 to 5, filler included.
///
/// A State that the table lacks is not compared, but no country that the table has signs for it.
pub(super) fn signs_for(country: &str, state: &[u8]) -> bool {
    let state = std::str::from_utf8(state).unwrap_or_default().trim_end_matches('<');
    let mut known = pairs().filter(|(three, _)| *three == state).peekable();
    if known.peek().is_some() {
        known.any(|(_, two)| two == country)
    } else {
        !pairs().any(|(_, two)| two == country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_every_country_of_iso_3166_and_the_codes_of_icao() {
        let mut three: Vec<_> = pairs().map(|(three, _)| three).collect();
        let well_formed = |(three, two): (&str, &str)| {
            let upper = |s: &str| s.bytes().all(|b| b.is_ascii_uppercase());
            two.len() == 2 && upper(two) && upper(three) && (three.len() == 3 || three == "D")
        };
        assert!(pairs().all(well_formed));
        three.sort_unstable();
        three.dedup();
        // 249 of ISO 3166-1, Germany's under another code, and 12 that are no countries of it.
        assert_eq!(three.len(), 249 + 12);
    }

    #[test]
    fn accepts_a_signer_of_the_state() {
        for (country, state) in
            [("VN", "VNM"), ("DE", "D<<"), ("FR", "FRA"), ("UN", "UNO"), ("EU", "EUE")]
        {
            assert!(signs_for(country, state.as_bytes()), "{country} {state}");
        }
    }

    #[test]
    fn accepts_the_cas_of_parts_of_a_state() {
        assert!(["CN", "HK", "MO"].into_iter().all(|country| signs_for(country, b"CHN")));
    }

    #[test]
    fn refuses_a_signer_of_another_state() {
        for (country, state) in
            [("ZW", "VNM"), ("VN", "LAO"), ("FR", "D<<"), ("DE", "DEU"), ("AT", "AUS"), ("", "VNM")]
        {
            assert!(!signs_for(country, state.as_bytes()), "{country} {state}");
        }
    }

    #[test]
    fn refuses_a_known_country_for_a_state_that_nobody_knows() {
        assert!(!signs_for("VN", b"QQQ"));
        assert!(!signs_for("DE", b"\xFF\xFE<"));
    }

    #[test]
    fn does_not_compare_what_the_table_lacks() {
        assert!(signs_for("XM", b"XOM"));
    }
}
