//! The whole forgery deck in-process: every card gets exactly the verdict and the failing checks that
//! its entry says, and nothing else fails; every good card is genuine; and the evidence that is kept
//! of each gives the same again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/deck.rs"]
mod verifier;

use std::collections::BTreeMap;
use std::path::Path;

use cancuoc::deck::Deck;
use cancuoc::softcard::SoftCard;
use cancuoc::trust::TrustStore;

/// The trust folders by their names.
fn trust_stores(deck: &Deck, folder: &Path) -> BTreeMap<&'static str, TrustStore> {
    let mut stores = BTreeMap::new();
    for entry in Deck::entries() {
        stores.entry(entry.trust.name).or_insert_with(|| {
            let folder = folder.join(entry.trust.name);
            std::fs::create_dir(&folder).unwrap();
            for (name, content) in deck.trust(&entry.trust).unwrap() {
                std::fs::write(folder.join(name), content).unwrap();
            }
            TrustStore::load(&folder).unwrap()
        });
    }
    stores
}

#[test]
fn every_card_of_the_deck_gets_exactly_what_its_entry_says() {
    let folder = tempfile::tempdir().unwrap();
    let deck = Deck::new().unwrap();
    let trust = trust_stores(&deck, folder.path());
    let only = std::env::var("ONLY").unwrap_or_default();
    let (mut wrong, mut bad, mut refused, mut good, mut passed) = (String::new(), 0, 0, 0, 0);
    for entry in Deck::entries().into_iter().filter(|entry| entry.name.starts_with(&only)) {
        let memory = deck.card(entry).unwrap();
        let card = SoftCard::power_up(Box::new(memory), Box::new(verifier::random()));
        let found = verifier::verify(Box::new(card), entry, &trust[entry.trust.name]);
        let difference = verifier::differences(entry, &found);
        if entry.is_good() {
            good += 1;
            passed += u32::from(found.verdict.as_deref() == Ok("genuine"));
        } else {
            bad += 1;
            refused += u32::from(difference.is_none());
        }
        wrong.extend(difference);
    }
    println!("{refused} of {bad} defects found as foreseen; {passed} of {good} good cards genuine");
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!((refused, passed), (bad, good));
}
