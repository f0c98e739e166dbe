//! What only a journal on a server can suffer.

use cancuoc::error::ErrorCode;
use cancuoc::production::journal::{Act, Journal, Location};
use cancuoc::production::state::{CardState, Environment};

use crate::fixture::{Place, advance, at, bring, chip, claim, reserve, set_up, station};

/// Ends all connections to the database but the one that asks for it.
const HANG_UP: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn a_connection_that_breaks_between_two_steps_is_made_again() {
    let place = Place::postgres();
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let job = claim(&mut journal, act).unwrap();
    place.tamper(HANG_UP);
    let mut card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    while card.state != CardState::Recorded {
        place.tamper(HANG_UP);
        card = advance(&mut journal, act, &job.lease, &chip(0), card.state).unwrap();
    }
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

#[test]
fn connections_that_break_at_any_moment_lose_nothing() {
    let place = Place::postgres();
    let mut journal = place.open();
    set_up(&mut journal, 12, 12);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                place.tamper(HANG_UP);
                std::thread::sleep(std::time::Duration::from_millis(150));
            }
        });
        let a = station("a");
        let act = Act::new(&a, at(0));
        for n in 0..12 {
            let job = claim(&mut journal, act).unwrap();
            let card = reserve(&mut journal, act, &job.lease, &chip(n)).unwrap();
            bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(claim(&mut journal, Act::new(&station("b"), at(1))).is_none());
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("postgresql:///x?host={}&user=x", folder.path().display());
    let location: Location = address.parse().unwrap();
    let error = Journal::open(&location, Environment::Test, None).unwrap_err();
    assert_eq!(error.code(), "journal_unavailable");
}
