use std::collections::BTreeSet;

use super::*;

fn entry(name: &str) -> &'static Entry {
    Deck::entries().into_iter().find(|entry| entry.name == name).unwrap()
}

#[test]
fn every_entry_has_a_name_of_its_own_that_begins_with_its_row() {
    let mut names = BTreeSet::new();
    for entry in Deck::entries() {
        assert!(names.insert(entry.name), "{} stands twice", entry.name);
        let number = entry.row().strip_prefix('N').and_then(|n| n.parse::<u8>().ok());
        assert!(number.is_some_and(|n| n <= 46), "{}", entry.name);
        assert!(entry.name[3..].starts_with('-'), "{}", entry.name);
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(entry.name[3..].chars().all(fits), "{}", entry.name);
    }
}

#[test]
fn every_row_that_a_card_can_play_has_a_bad_card() {
    let rows: BTreeSet<&str> =
        Deck::entries().iter().filter(|entry| !entry.is_good()).map(|entry| entry.row()).collect();
    for number in 1..=46 {
        let row = format!("N{number:02}");
        // N09 is about master lists. N38 is a demand on cards: that they answer every wrong password
        // in the same way.
        assert!(rows.contains(row.as_str()) || row == "N09" || row == "N38", "{row}");
    }
}

#[test]
fn every_twin_is_a_good_card() {
    for entry in Deck::entries() {
        if let Some(twin) = entry.twin {
            let twin = Deck::entries().into_iter().find(|other| other.name == twin);
            let twin = twin.unwrap_or_else(|| panic!("{} has no twin", entry.name));
            assert!(twin.is_good() && twin.expected == Expected::Genuine, "{}", entry.name);
        } else {
            assert_eq!(entry.expected, Expected::Genuine, "{}", entry.name);
        }
    }
}

#[test]
fn what_a_verifier_must_say_fits_the_checks_that_are_noted() {
    for entry in Deck::entries() {
        let fails = entry.noted.iter().any(|noted| noted.outcome == Outcome::Failed);
        assert_eq!(fails, entry.expected == Expected::Forged, "{}", entry.name);
        if entry.expected == Expected::Inconclusive {
            assert!(!entry.noted.is_empty(), "{}", entry.name);
        }
    }
}

#[test]
fn every_policy_is_built_in_or_a_file_of_the_deck() {
    for entry in Deck::entries() {
        let built_in = crate::verify::Policy::builtin(entry.policy).is_ok();
        let own = POLICIES.iter().find(|(name, _)| *name == entry.policy);
        let own = own.map(|(_, source)| crate::verify::Policy::from_toml(source));
        assert!(built_in || own.is_some_and(|policy| policy.is_ok()), "{}", entry.policy);
    }
}

#[test]
fn the_same_cards_and_folders_come_out_every_time() {
    let (first, second) = (Deck::new().unwrap(), Deck::new().unwrap());
    // In another order too.
    let names = ["N00-good", "N02-same-name", "N15-negative", "N31-trailer", "N40-order"];
    let made = |deck: &Deck, name: &str| deck.card(entry(name)).unwrap().records().clone();
    let of_first: Vec<_> = names.iter().map(|name| made(&first, name)).collect();
    let of_second: Vec<_> = names.iter().rev().map(|name| made(&second, name)).collect();
    assert!(of_first.iter().eq(of_second.iter().rev()));
    let trust = &entry("N07-list-of-another").trust;
    assert_eq!(first.trust(trust).unwrap(), second.trust(trust).unwrap());
}
