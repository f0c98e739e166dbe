//! The rows of the deck, by what they attack.

mod access;
mod binding;
mod certificates;
mod chip;
mod fields;
mod images;
mod lists;
mod object;
mod parsing;
mod rsa;
mod session;

use super::Entry;

/// Name of the good card that most bad ones differ from in the defect only.
pub(super) const GOOD: &str = "N00-good";

const PLAIN: &[Entry] = &[Entry::good(GOOD, |workshop| Ok(workshop.card()))];

/// All entries, in the order of the rows; good cards before the bad ones of their row.
pub(super) fn all() -> Vec<&'static Entry> {
    let lists = [
        PLAIN,
        certificates::ENTRIES,
        lists::ENTRIES,
        object::ENTRIES,
        rsa::ENTRIES,
        binding::ENTRIES,
        chip::ENTRIES,
        access::ENTRIES,
        session::ENTRIES,
        parsing::ENTRIES,
        images::ENTRIES,
        fields::ENTRIES,
    ];
    let mut all: Vec<&Entry> = lists.into_iter().flatten().collect();
    all.sort_by_key(|entry| (entry.row(), !entry.is_good()));
    all
}
