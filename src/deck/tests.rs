use std::collections::BTreeSet;

use super::*;
use crate::error::ErrorCode;

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
        // N38 is a demand on cards: that they answer every wrong password in the same way.
        assert!(rows.contains(row.as_str()) || row == "N38", "{row}");
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

/// The first reason for which a file of a card's trust folder does not count.
fn distrust(deck: &Deck, entry: &Entry) -> Option<&'static str> {
    let mut store = crate::trust::TrustStore::default();
    for (name, content) in deck.trust(&entry.trust).unwrap() {
        if let Err(problem) = store.add_file(name.as_ref(), &content) {
            return Some(problem.code());
        }
    }
    let survey = store.survey(None);
    let list = survey.lists.iter().find_map(|list| list.state.as_ref().err());
    let authority = survey.certificates.iter().find_map(|ca| ca.trust.as_ref().err());
    list.map(ErrorCode::code).or(authority.map(ErrorCode::code))
}

#[test]
fn a_root_that_is_revoked_is_refused_for_that() {
    let deck = Deck::new().unwrap();
    assert_eq!(distrust(&deck, entry("N07-csca-revoked")), Some("csca_revoked"));
}

#[test]
fn master_lists_and_links_are_refused_for_the_reason_that_is_meant() {
    let reasons = [
        ("list-signature", "signature_invalid"),
        ("list-content", "cms_message_digest_differs"),
        ("list-content-type", "cms_content_type_differs"),
        ("list-no-signer", "cms_no_signer"),
        ("list-no-certificate", "cms_no_certificate"),
        ("list-cut-off", "trust_file_malformed"),
        ("list-signer-unknown", "list_signer_unknown"),
        ("list-signer-of-list", "list_signer_unknown"),
        ("list-signer-forged", "list_signer_forged"),
        ("list-signer-usage", "list_signer_profile"),
        ("list-signer-expired", "list_signer_not_valid"),
        ("list-signer-revoked", "list_signer_revoked"),
        ("list-superseded", "list_superseded"),
        ("link-signature", "csca_issuer_unknown"),
        ("link-missing", "csca_issuer_unknown"),
        ("link-by-signer", "csca_issuer_unknown"),
        ("link-too-late", "csca_issuer_unknown"),
        ("link-by-other-state", "issuer_and_subject_country_differ"),
        ("link-by-other-state-hidden", "csca_issuer_unknown"),
        ("link-revoked", "csca_revoked"),
        ("link-from-revoked", "csca_revoked"),
    ];
    let deck = Deck::new().unwrap();
    let bad = Deck::entries().into_iter().filter(|e| e.row() == "N09" && !e.is_good());
    let found: Vec<_> =
        bad.map(|entry| (entry.trust.name, distrust(&deck, entry).unwrap())).collect();
    assert_eq!(found, reasons);
}
