//! What only a journal in a file can suffer.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;

use cancuoc::error::ErrorCode;
use cancuoc::production::journal::{Act, Facts, Journal, SqliteDatabase};
use cancuoc::production::state::{CardState, Environment};

use crate::fixture::{
    Place, advance, at, bring, chip, claim, issue, record_id, reserve, set_up, station, try_claim,
};

#[test]
fn the_file_and_all_beside_it_are_private() {
    let place = Place::sqlite();
    fs::write(place.path(), "").unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let folder = place.path().parent().unwrap().to_owned();
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "journal, log and reserve: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file:?}");
    }
}

#[test]
fn a_file_of_another_program_is_refused() {
    let place = Place::sqlite();
    place.tamper("CREATE TABLE settings (name TEXT)");
    let error = Journal::open(&place.location(), Environment::Test, None).unwrap_err();
    assert_eq!(error.code(), "journal_foreign");
    fs::write(place.path(), "no database at all ".repeat(100)).unwrap();
    let error = Journal::open(&place.location(), Environment::Test, None).unwrap_err();
    assert_eq!(error.code(), "journal_foreign");
}

/// A journal of which the log was not yet brought into the file, as a loss of power leaves it:
/// file, log, and the states that its card had after each step.
fn interrupted() -> (Vec<u8>, Vec<u8>, Vec<CardState>) {
    let place = Place::sqlite();
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let job = claim(&mut journal, act).unwrap();
    let mut card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    let mut states = vec![card.state];
    while card.state != CardState::SignedOff {
        card = advance(&mut journal, act, &job.lease, &chip(0), card.state).unwrap();
        states.push(card.state);
    }
    let file = fs::read(place.path()).unwrap();
    let log = fs::read(place.path().with_extension("db-wal")).unwrap();
    (file, log, states)
}

#[test]
fn a_log_that_was_torn_anywhere_opens_in_a_state_that_was_true_once() {
    let (file, log, states) = interrupted();
    let mut seen = Vec::new();
    for garble in [false, true] {
        for cut in (0..=log.len()).rev().step_by(log.len() / 24) {
            let place = Place::sqlite();
            fs::write(place.path(), &file).unwrap();
            let mut torn = log[..cut].to_vec();
            if garble {
                torn.resize(log.len(), 0x5a);
            }
            fs::write(place.path().with_extension("db-wal"), torn).unwrap();
            let mut journal = place.open();
            let a = station("a");
            journal.recover(Act::new(&a, at(1))).unwrap();
            assert_eq!(journal.check().unwrap(), Vec::<String>::new(), "cut at {cut}");
            let Ok(cards) = journal.cards(&record_id(0)) else { continue };
            if let Some(card) = cards.first() {
                assert!(states.contains(&card.state), "cut at {cut}: {}", card.state);
                seen.push(card.state);
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert!(seen.len() > 2, "the cuts met different states: {seen:?}");
}

#[test]
fn a_garbled_page_of_the_file_is_damage_or_does_not_matter() {
    let closed = Place::sqlite();
    let mut journal = closed.open();
    set_up(&mut journal, 1, 1);
    issue(&mut journal, Act::new(&station("a"), at(0)), &chip(0));
    drop(journal);
    let file = fs::read(closed.path()).unwrap();
    let mut found = 0;
    for page in 1..file.len() / 4096 {
        let place = Place::sqlite();
        fs::write(place.path(), &file).unwrap();
        let mut writer = fs::OpenOptions::new().write(true).open(place.path()).unwrap();
        writer.seek(SeekFrom::Start(page as u64 * 4096)).unwrap();
        writer.write_all(&[0xa5; 4096]).unwrap();
        let opened = Journal::open(&place.location(), Environment::Test, None);
        let checked = opened.and_then(|mut journal| journal.check());
        match checked {
            Err(error) => {
                assert_eq!(error.code(), "journal_damaged", "page {page}: {error}");
                found += 1;
            }
            Ok(faults) => found += usize::from(!faults.is_empty()),
        }
    }
    assert!(found > 0);
}

#[test]
fn a_full_disk_stops_before_the_next_card_and_lets_the_present_one_finish() {
    let place = Place::sqlite();
    let mut journal = place.open();
    set_up(&mut journal, 2, 2);
    drop(journal);
    let pages = fs::metadata(place.path()).unwrap().len() / 4096;
    // The log is brought into the file when it is closed: room for one card, and a reserve.
    let mut database = SqliteDatabase::open(&place.path()).unwrap();
    database.limit_pages(u32::try_from(pages).unwrap() + 300).unwrap();
    let mut journal = Journal::over(Box::new(database), Environment::Test, None).unwrap();
    let a = station("a");
    let act = Act::new(&a, at(1));
    let job = claim(&mut journal, act).unwrap();
    let mut database = SqliteDatabase::open(&place.path()).unwrap();
    database.limit_pages(u32::try_from(pages).unwrap() + 40).unwrap();
    let mut journal = Journal::over(Box::new(database), Environment::Test, None).unwrap();
    let held = [job.record.id.clone()];
    let error = try_claim(&mut journal, act, &held).unwrap_err();
    assert_eq!(error.code(), "journal_full");
    let card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_step_that_finds_the_disk_full_changes_nothing() {
    let place = Place::sqlite();
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let job = claim(&mut journal, act).unwrap();
    drop(journal);
    let mut database = SqliteDatabase::open(&place.path()).unwrap();
    database.limit_pages(1).unwrap(); // as many as it has
    let mut journal = Journal::over(Box::new(database), Environment::Test, None).unwrap();
    let note = "x".repeat(500);
    let facts = (0..24).fold(Facts::new(), |facts, n| facts.with(&format!("n{n}"), note.as_str()));
    let full = journal.reserve(act, &job.lease, &chip(0), crate::fixture::KIND, &facts, true);
    assert_eq!(full.unwrap_err().code(), "journal_full");
    assert!(journal.cards(&job.record.id).unwrap().is_empty());
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    // The reserve was given up for it; nothing new begins before it is there again.
    let mut name = place.path().into_os_string();
    name.push(".reserve");
    assert!(!fs::exists(&name).unwrap());
    let mut journal = place.open();
    claim(&mut journal, act).unwrap();
    assert!(fs::exists(&name).unwrap());
}
