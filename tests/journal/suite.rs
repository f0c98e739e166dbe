//! What every journal does, whichever database it is in.

use cancuoc::error::ErrorCode;
use cancuoc::production::journal::{
    Act, Advance, Audit, AuditFact, AuditHead, Conflict, Digest, Facts, ImportConflictKind,
    Journal, JournalError, NewChip, NewRun, Release, RunName, SealedEntry, StationId,
};
use cancuoc::production::state::{CardState, Environment, RecordState, RunState, StockState};

use crate::fixture::{
    KIND, LEASE, Place, advance, at, bring, chip, claim, import, issue, over_both, record,
    record_id, reserve, run_name, set_up, station, try_claim,
};

over_both! {
    a_record_becomes_one_recorded_card,
    the_same_call_twice_changes_nothing,
    an_import_is_all_or_nothing,
    a_number_may_be_issued_again_once_its_card_is_revoked,
    a_record_is_given_to_one_station,
    an_expired_lease_passes_on_and_its_holder_cannot_write,
    a_card_in_work_goes_to_nobody_else_but_who_has_its_chip,
    a_station_that_comes_back_gets_its_own_job_first,
    a_stopped_run_gives_nothing_new,
    a_step_begins_where_the_card_is,
    only_blank_chips_of_the_stock_are_taken,
    no_public_key_is_on_two_cards,
    a_destroyed_card_is_made_again_and_both_are_linked,
    a_card_comes_out_of_quarantine_as_it_went_in,
    a_chip_that_saw_nothing_goes_back_into_the_stock,
    a_run_closes_only_when_every_card_is_accounted_for,
    a_clock_that_steps_back_is_refused,
    production_and_test_never_mix,
    without_audit_nothing_happens,
    an_altered_row_is_found,
    a_torn_last_row_is_dropped,
    a_torn_reservation_is_taken_back,
    a_torn_issue_is_taken_back_to_the_locked_card,
    a_newer_schema_is_refused,
    records_that_contradict_their_cards_are_found,
    many_stations_issue_each_record_once,
    counters_tell_what_stations_did,
    a_finished_record_is_erased,
}

fn conflict(result: Result<impl std::fmt::Debug, JournalError>) -> Conflict {
    match result {
        Err(JournalError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

pub fn a_record_becomes_one_recorded_card(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 2);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let job = claim(&mut journal, act).unwrap();
    assert_eq!((job.payload.as_slice(), job.card.is_none()), (&b"payload 0"[..], true));
    let card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    assert_eq!((card.state, card.announced), (CardState::Reserved, Some(CardState::Keyed)));
    let card = bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
    assert_eq!(card.facts.iter().count(), 6);
    drop(journal);
    let mut journal = place.open();
    let record = journal.record(&record_id(0)).unwrap();
    assert_eq!((record.state, record.lease), (RecordState::Issued, None));
    let status = journal.chip(&chip(0)).unwrap().unwrap();
    assert_eq!((status.state, status.card), (StockState::Issued, Some(card)));
    assert!(claim(&mut journal, act).is_none());
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

pub fn the_same_call_twice_changes_nothing(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 2);
    set_up(&mut journal, 2, 2);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let lost = claim(&mut journal, act).unwrap();
    let job = claim(&mut journal, act).unwrap();
    assert_eq!(job.record.id, lost.record.id, "the answer was lost, the job is the same");
    let once = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    assert_eq!(reserve(&mut journal, act, &job.lease, &chip(0)).unwrap(), once);
    let mut card = once;
    while card.state != CardState::Recorded {
        let from = card.state;
        card = advance(&mut journal, act, &job.lease, &chip(0), from).unwrap();
        assert_eq!(advance(&mut journal, act, &job.lease, &chip(0), from).unwrap(), card);
    }
    // Reserved and six steps, four of them announced before.
    assert_eq!(journal.steps_of(&job.record.id).unwrap().len(), 7 + 3);
}

pub fn an_import_is_all_or_nothing(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 0);
    let office = station("office");
    let act = Act::new(&office, at(1));
    let mut changed = record(1);
    changed.payload_digest = Digest::of(b"another");
    let mut same_number = record(7);
    same_number.number_hash = record(0).number_hash;
    let batch = vec![record(0), changed, record(5), same_number];
    let Conflict::Import(found) = conflict(import(&mut journal, act, &run_name(), batch)) else {
        panic!()
    };
    let found: Vec<_> = found.into_iter().map(|c| (c.place, c.kind)).collect();
    let lives = ImportConflictKind::NumberLives(record_id(0));
    assert_eq!(found, [(1, ImportConflictKind::Changed), (3, lives)]);
    assert_eq!(journal.record(&record_id(5)).unwrap_err().code(), "record_unknown");
    let done = import(&mut journal, act, &run_name(), vec![record(5), record(0)]).unwrap();
    assert_eq!((done.added, done.known), (1, 1));
    let other = RunName::new("run-2").unwrap();
    let new = NewRun { name: other.clone(), profile: KIND.to_owned(), handed_out: None };
    journal.open_run(act, &new).unwrap();
    let again = conflict(import(&mut journal, act, &other, vec![record(5)]));
    assert!(matches!(again, Conflict::Import(_)));
    let broken: Vec<Result<_, Box<dyn std::error::Error + Send + Sync>>> =
        vec![Ok(record(8)), Err("line 2".into())];
    let error = journal.import(act, &run_name(), &mut broken.into_iter()).unwrap_err();
    assert_eq!(error.code(), "records_unreadable");
    assert_eq!(journal.records(&run_name(), 0, 100).unwrap().len(), 3);
}

pub fn a_number_may_be_issued_again_once_its_card_is_revoked(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let id = issue(&mut journal, act, &chip(0));
    let mut second = record(1);
    second.number_hash = record(0).number_hash;
    let refused = import(&mut journal, act, &run_name(), vec![second.clone()]);
    assert!(matches!(conflict(refused), Conflict::Import(_)));
    journal.revoke(act, &id, "reported lost").unwrap();
    assert_eq!(import(&mut journal, act, &run_name(), vec![second]).unwrap().added, 1);
}

pub fn a_record_is_given_to_one_station(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 0);
    let (a, b, c) = (station("a"), station("b"), station("c"));
    let first = claim(&mut journal, Act::new(&a, at(1))).unwrap();
    let second = claim(&mut journal, Act::new(&b, at(1))).unwrap();
    assert_ne!(first.record.id, second.record.id);
    assert!(claim(&mut journal, Act::new(&c, at(1))).is_none());
    journal.give_back(Act::new(&a, at(2)), &first.lease).unwrap();
    journal.give_back(Act::new(&a, at(2)), &first.lease).unwrap();
    assert_eq!(claim(&mut journal, Act::new(&c, at(3))).unwrap().record.id, first.record.id);
}

pub fn an_expired_lease_passes_on_and_its_holder_cannot_write(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let (a, b) = (station("a"), station("b"));
    let first = claim(&mut journal, Act::new(&a, at(0))).unwrap();
    let renewed = journal.renew(Act::new(&a, at(30)), &first.lease, LEASE).unwrap();
    assert_eq!(renewed.expires, at(90));
    assert!(claim(&mut journal, Act::new(&b, at(89))).is_none());
    let second = claim(&mut journal, Act::new(&b, at(90))).unwrap();
    assert!(second.lease.fence > first.lease.fence);
    let late = reserve(&mut journal, Act::new(&a, at(91)), &first.lease, &chip(0));
    assert_eq!(conflict(late), Conflict::LeaseLost(record_id(0)));
    let late = journal.renew(Act::new(&a, at(91)), &renewed, LEASE);
    assert_eq!(conflict(late), Conflict::LeaseLost(record_id(0)));
}

pub fn a_card_in_work_goes_to_nobody_else_but_who_has_its_chip(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 2);
    let (a, b) = (station("a"), station("b"));
    let job = claim(&mut journal, Act::new(&a, at(0))).unwrap();
    reserve(&mut journal, Act::new(&a, at(1)), &job.lease, &chip(0)).unwrap();
    let early = journal.adopt(Act::new(&b, at(10)), &chip(0), LEASE);
    assert!(matches!(conflict(early), Conflict::RecordState { .. }), "the lease still runs");
    let late = Act::new(&b, at(3600));
    assert!(claim(&mut journal, late).is_none(), "the chip lies at the other station");
    assert!(matches!(conflict(journal.adopt(late, &chip(1), LEASE)), Conflict::ChipUnknown(_)));
    let adopted = journal.adopt(late, &chip(0), LEASE).unwrap();
    let card = adopted.card.unwrap();
    assert_eq!((card.chip.clone(), &card.station), (chip(0), &b));
    let lost = advance(&mut journal, Act::new(&a, at(3601)), &job.lease, &chip(0), card.state);
    assert_eq!(conflict(lost), Conflict::LeaseLost(record_id(0)));
    bring(&mut journal, late, &adopted.lease, &card, CardState::Recorded);
}

pub fn a_station_that_comes_back_gets_its_own_job_first(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 3, 1);
    let a = station("a");
    let first = claim(&mut journal, Act::new(&a, at(0))).unwrap().record.id;
    let next = try_claim(&mut journal, Act::new(&a, at(0)), std::slice::from_ref(&first))
        .unwrap()
        .unwrap();
    assert_eq!(next.record.id, record_id(1));
    reserve(&mut journal, Act::new(&a, at(1)), &next.lease, &chip(0)).unwrap();
    journal.give_back(Act::new(&a, at(1)), &next.lease).unwrap();
    // Also long after its leases are over.
    let again = claim(&mut journal, Act::new(&a, at(9000))).unwrap();
    assert_eq!(again.record.id, first);
    let begun = try_claim(&mut journal, Act::new(&a, at(9000)), std::slice::from_ref(&first))
        .unwrap()
        .unwrap();
    assert_eq!(begun.record.id, record_id(1));
    assert_eq!(begun.card.unwrap().chip, chip(0));
}

pub fn a_stopped_run_gives_nothing_new(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 1);
    let (a, b) = (station("a"), station("b"));
    let job = claim(&mut journal, Act::new(&a, at(0))).unwrap();
    journal.stop_run(Act::new(&b, at(1)), &run_name(), "mix-up").unwrap();
    journal.stop_run(Act::new(&b, at(1)), &run_name(), "later reason").unwrap();
    let refused = conflict(try_claim(&mut journal, Act::new(&b, at(2)), &[]));
    assert_eq!(refused, Conflict::RunState { run: run_name(), state: RunState::Stopped });
    assert_eq!(journal.run(&run_name()).unwrap().reason.as_deref(), Some("mix-up"));
    let mine = claim(&mut journal, Act::new(&a, at(2))).unwrap();
    assert_eq!(mine.record.id, job.record.id, "what was begun is finished");
    journal.resume_run(Act::new(&b, at(3)), &run_name()).unwrap();
    assert!(claim(&mut journal, Act::new(&b, at(3))).is_some());
}

pub fn a_step_begins_where_the_card_is(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 2);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let lease = claim(&mut journal, act).unwrap().lease;
    let facts = Facts::new();
    let (zero, one) = (chip(0), chip(1));
    journal.reserve(act, &lease, &zero, KIND, &facts, false).unwrap();
    let step = |chip, from, to| Advance { chip, from, to, facts: &facts, announce: false };
    let code = |result| conflict(result).code();
    let keyed = step(&zero, CardState::Reserved, CardState::Keyed);
    assert_eq!(code(journal.advance(act, &lease, &keyed)), "card_step_not_announced");
    let skip = step(&zero, CardState::Reserved, CardState::Locked);
    assert_eq!(code(journal.advance(act, &lease, &skip)), "card_step_illegal");
    let late = step(&zero, CardState::Written, CardState::ReadBack);
    assert_eq!(code(journal.advance(act, &lease, &late)), "card_state");
    let other = step(&one, CardState::Reserved, CardState::Keyed);
    assert_eq!(code(journal.advance(act, &lease, &other)), "card_unknown");
    let early = journal.announce(act, &lease, &zero, CardState::Written);
    assert_eq!(code(early), "card_step_illegal");
    let announced = journal.announce(act, &lease, &zero, CardState::Keyed).unwrap();
    assert_eq!(announced.announced, Some(CardState::Keyed));
    let card = journal.advance(act, &lease, &keyed).unwrap();
    assert_eq!((card.state, card.announced), (CardState::Keyed, None));
}

pub fn only_blank_chips_of_the_stock_are_taken(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 3, 3);
    let (a, b) = (station("a"), station("b"));
    let act = Act::new(&a, at(0));
    journal.mark_lost(act, &[chip(1), chip(99)], "police list").unwrap();
    let lease = claim(&mut journal, act).unwrap().lease;
    let code = |result| conflict(result).code();
    assert_eq!(code(reserve(&mut journal, act, &lease, &chip(50))), "chip_unknown");
    assert_eq!(code(reserve(&mut journal, act, &lease, &chip(1))), "chip_state");
    assert_eq!(code(reserve(&mut journal, act, &lease, &chip(99))), "chip_kind");
    let wrong = journal.reserve(act, &lease, &chip(0), "passport", &Facts::new(), true);
    assert_eq!(code(wrong), "chip_kind");
    reserve(&mut journal, act, &lease, &chip(0)).unwrap();
    assert_eq!(code(reserve(&mut journal, act, &lease, &chip(2))), "record_has_card");
    let other = Act::new(&b, at(0));
    let second = claim(&mut journal, other).unwrap().lease;
    assert_eq!(code(reserve(&mut journal, other, &second, &chip(0))), "chip_taken");
    let in_work = journal.mark_lost(act, &[chip(2), chip(0)], "list");
    assert_eq!(conflict(in_work).code(), "chip_state");
    assert_eq!(journal.chip(&chip(2)).unwrap().unwrap().state, StockState::Blank, "all or none");
    let another = NewChip { serial: chip(2), kind: "passport".to_owned() };
    assert_eq!(conflict(journal.add_chips(act, &[another], "list")).code(), "chip_kind");
}

pub fn no_public_key_is_on_two_cards(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 0);
    let (a, b) = (station("a"), station("b"));
    let (one, two) = (Act::new(&a, at(0)), Act::new(&b, at(0)));
    let first = claim(&mut journal, one).unwrap().lease;
    let second = claim(&mut journal, two).unwrap().lease;
    let keys = [Digest::of(b"ca"), Digest::of(b"aa")];
    journal.register_keys(one, &first, &keys).unwrap();
    journal.register_keys(one, &first, &keys).unwrap();
    let reused = journal.register_keys(two, &second, &[Digest::of(b"new"), keys[1]]);
    let expected = Conflict::KeyReused { digest: keys[1], record: record_id(1) };
    assert_eq!(conflict(reused), expected);
    journal.register_keys(one, &first, &[Digest::of(b"new")]).unwrap();
}

pub fn a_destroyed_card_is_made_again_and_both_are_linked(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 2);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let job = claim(&mut journal, act).unwrap();
    let card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    bring(&mut journal, act, &job.lease, &card, CardState::Written);
    let (id, facts) = (record_id(0), Facts::new());
    let mut void = || {
        journal.void_card(act, Some(&job.lease), &id, &chip(0), "byte 17 of DG2 differs", &facts)
    };
    void().unwrap();
    void().unwrap();
    let again = claim(&mut journal, act).unwrap();
    assert_eq!((again.replaces, again.record.attempts), (Some(chip(0)), 1));
    let used = conflict(reserve(&mut journal, act, &again.lease, &chip(0)));
    assert_eq!(used.code(), "chip_state");
    let card = reserve(&mut journal, act, &again.lease, &chip(1)).unwrap();
    assert_eq!((card.attempt, card.replaces.clone()), (2, Some(chip(0))));
    bring(&mut journal, act, &again.lease, &card, CardState::Recorded);
    let states: Vec<_> = journal.cards(&id).unwrap().into_iter().map(|card| card.state).collect();
    assert_eq!(states, [CardState::Void, CardState::Recorded]);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

pub fn a_card_comes_out_of_quarantine_as_it_went_in(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 2);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let id = record_id(0);
    let job = claim(&mut journal, act).unwrap();
    let card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    let before = bring(&mut journal, act, &job.lease, &card, CardState::SignedOff);
    assert_eq!(before.announced, Some(CardState::Locked));
    journal.quarantine(act, Some(&job.lease), &id, "keys unclear", &Facts::new()).unwrap();
    assert!(claim(&mut journal, act).is_none());
    let held = journal.cards(&id).unwrap().pop().unwrap();
    assert_eq!((held.state, held.held), (CardState::Quarantine, Some(CardState::SignedOff)));
    journal.release(act, &id, &Release::GoOn).unwrap();
    journal.release(act, &id, &Release::GoOn).unwrap();
    let again = claim(&mut journal, act).unwrap();
    let card = again.card.unwrap();
    assert_eq!((card.state, card.announced), (before.state, before.announced));
    journal.quarantine(act, Some(&again.lease), &id, "again", &Facts::new()).unwrap();
    journal.release(act, &id, &Release::Remake { reason: "cannot be saved" }).unwrap();
    let again = claim(&mut journal, act).unwrap();
    assert_eq!((again.card, again.replaces), (None, Some(chip(0))));
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

pub fn a_chip_that_saw_nothing_goes_back_into_the_stock(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let job = claim(&mut journal, act).unwrap();
    journal.reserve(act, &job.lease, &chip(0), KIND, &Facts::new(), false).unwrap();
    journal.put_back(act, &job.lease, &chip(0)).unwrap();
    journal.put_back(act, &job.lease, &chip(0)).unwrap();
    assert_eq!(journal.chip(&chip(0)).unwrap().unwrap().state, StockState::Blank);
    let job = claim(&mut journal, act).unwrap();
    assert_eq!(job.replaces, None, "nothing was destroyed");
    reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    let announced = conflict(journal.put_back(act, &job.lease, &chip(0)));
    assert_eq!(announced.code(), "card_state");
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

pub fn a_run_closes_only_when_every_card_is_accounted_for(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 3);
    let a = station("a");
    let act = Act::new(&a, at(0));
    journal.set_handed_out(act, &run_name(), 4).unwrap();
    issue(&mut journal, act, &chip(0));
    let job = claim(&mut journal, act).unwrap();
    let unfinished = conflict(journal.close_run(act, &run_name(), Some(3)));
    assert_eq!(unfinished.code(), "run_unbalanced");
    let card = reserve(&mut journal, act, &job.lease, &chip(1)).unwrap();
    bring(&mut journal, act, &job.lease, &card, CardState::Keyed);
    let (id, facts) = (&job.record.id, Facts::new());
    journal.void_card(act, Some(&job.lease), id, &chip(1), "broken", &facts).unwrap();
    journal.withdraw(act, id, "cancelled").unwrap();
    let missing = conflict(journal.close_run(act, &run_name(), Some(1)));
    assert_eq!(missing.code(), "run_unbalanced", "one blank card is missing");
    let balance = journal.close_run(act, &run_name(), Some(2)).unwrap();
    assert_eq!((balance.issued, balance.void, balance.in_work), ((1, 1), (1, 1), (0, 0)));
    journal.close_run(act, &run_name(), Some(2)).unwrap();
    let closed = conflict(try_claim(&mut journal, act, &[]));
    assert_eq!(closed, Conflict::RunState { run: run_name(), state: RunState::Closed });
    let late = conflict(import(&mut journal, act, &run_name(), vec![record(9)]));
    assert_eq!(late.code(), "run_state");
}

pub fn a_clock_that_steps_back_is_refused(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 0);
    let (a, b) = (station("a"), station("b"));
    claim(&mut journal, Act::new(&a, at(1000))).unwrap();
    let back = try_claim(&mut journal, Act::new(&a, at(900)), &[]).unwrap_err();
    assert_eq!(back.code(), "clock_stepped_back");
    // A second of correction is no step, and lengthens no lease.
    let slewed = claim(&mut journal, Act::new(&a, at(999))).unwrap();
    assert_eq!(slewed.lease.expires, at(1060));
    claim(&mut journal, Act::new(&b, at(900))).unwrap();
    journal.accept_clock(Act::new(&a, at(901))).unwrap();
    claim(&mut journal, Act::new(&a, at(901))).unwrap();
}

pub fn production_and_test_never_mix(place: &Place) {
    drop(place.open());
    let error = Journal::open(&place.location(), Environment::Production, None).unwrap_err();
    assert_eq!(error.code(), "journal_environment");
}

/// Seals entries with nothing but their text, and can be out of order.
struct Ledger {
    chain: StationId,
    broken: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Audit for Ledger {
    fn chain(&self) -> &StationId {
        &self.chain
    }

    fn seal(&mut self, fact: &AuditFact, head: Option<AuditHead>) -> Result<SealedEntry, String> {
        if self.broken.load(std::sync::atomic::Ordering::Relaxed) {
            return Err("the key is gone".to_owned());
        }
        let number = head.map_or(0, |head| head.sequence) + 1;
        let previous = head.map_or(String::new(), |head| head.hash.to_string());
        let entry = format!("{number} {previous} {}", fact.event).into_bytes();
        let hash = Digest::of(&entry);
        Ok(SealedEntry { entry, hash, signature: vec![1] })
    }
}

pub fn without_audit_nothing_happens(place: &Place) {
    let mut blind = Journal::open(&place.location(), Environment::Production, None).unwrap();
    let a = station("a");
    let act = Act::new(&a, at(0));
    let new = NewRun { name: run_name(), profile: KIND.to_owned(), handed_out: None };
    assert_eq!(blind.open_run(act, &new).unwrap_err().code(), "audit_unavailable");
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let ledger = Ledger { chain: station("hall"), broken: broken.clone() };
    let mut journal =
        Journal::open(&place.location(), Environment::Production, Some(Box::new(ledger))).unwrap();
    set_up(&mut journal, 1, 1);
    let job = claim(&mut journal, act).unwrap();
    broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let refused = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap_err();
    assert_eq!(refused.code(), "audit_unavailable");
    assert_eq!(journal.chip(&chip(0)).unwrap().unwrap().state, StockState::Blank);
    broken.store(false, std::sync::atomic::Ordering::Relaxed);
    reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    let entries = journal.audit_entries(&station("hall"), 0, 100).unwrap();
    let events: Vec<_> = entries
        .iter()
        .map(|entry| {
            String::from_utf8_lossy(&entry.sealed.entry).rsplit(' ').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(events, ["run_opened", "records_imported", "chips_added", "card_reserved"]);
    assert!(entries.windows(2).all(|pair| pair[1].previous == pair[0].sealed.hash));
    let (chain, head) = journal.audit_heads().unwrap().remove(0);
    assert_eq!((chain, head.sequence), (station("hall"), 4));
}

/// A card that was read back, with its journal closed.
fn read_back_card(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(0));
    let job = claim(&mut journal, act).unwrap();
    let card = reserve(&mut journal, act, &job.lease, &chip(0)).unwrap();
    bring(&mut journal, act, &job.lease, &card, CardState::ReadBack);
}

pub fn an_altered_row_is_found(place: &Place) {
    read_back_card(place);
    place.tamper("UPDATE step SET station = 'b' WHERE to_state = 'keyed' AND announced = 0");
    let mut journal = place.open();
    let a = station("a");
    let error = journal.recover(Act::new(&a, at(1))).unwrap_err();
    assert_eq!(error.code(), "journal_damaged");
    assert_eq!(journal.check().unwrap().len(), 1);
    place.tamper("UPDATE step SET station = 'a'; UPDATE card SET state = 'signed_off'");
    let error = try_claim(&mut journal, Act::new(&a, at(1)), &[]).unwrap_err();
    assert_eq!(error.code(), "journal_damaged");
}

const LAST: &str = "(SELECT MAX(sequence) FROM step)";

pub fn a_torn_last_row_is_dropped(place: &Place) {
    read_back_card(place);
    place.tamper(&format!("UPDATE step SET facts = '{{\"a' WHERE sequence = {LAST}"));
    let mut journal = place.open();
    let a = station("a");
    let act = Act::new(&a, at(1));
    let recovery = journal.recover(act).unwrap();
    assert_eq!(recovery.recovered.len(), 1);
    assert_eq!(recovery.recovered[0].state, CardState::Written);
    assert!(journal.recover(act).unwrap().recovered.is_empty());
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    let job = claim(&mut journal, act).unwrap();
    let card = job.card.unwrap();
    assert_eq!(card.state, CardState::Written);
    bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
}

pub fn a_torn_issue_is_taken_back_to_the_locked_card(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(1));
    issue(&mut journal, act, &chip(0));
    place.tamper(&format!("UPDATE step SET took = took + 1 WHERE sequence = {LAST}"));
    let recovery = journal.recover(act).unwrap();
    assert_eq!(recovery.recovered[0].state, CardState::Locked);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    let job = claim(&mut journal, act).unwrap();
    let card = job.card.unwrap();
    assert_eq!((card.state, job.record.attempts), (CardState::Locked, 0));
    bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

pub fn a_torn_reservation_is_taken_back(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 1, 1);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let lease = claim(&mut journal, act).unwrap().lease;
    journal.reserve(act, &lease, &chip(0), KIND, &Facts::new(), false).unwrap();
    place.tamper("UPDATE step SET to_state = 'locked'");
    assert_eq!(journal.recover(act).unwrap().recovered.len(), 1);
    assert_eq!(journal.chip(&chip(0)).unwrap().unwrap().state, StockState::Blank);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    issue(&mut journal, act, &chip(0));
}

pub fn a_newer_schema_is_refused(place: &Place) {
    drop(place.open());
    place.tamper("UPDATE settings SET value = '999' WHERE name = 'schema'");
    let error = Journal::open(&place.location(), Environment::Test, None).unwrap_err();
    assert_eq!(error.code(), "journal_newer");
}

pub fn records_that_contradict_their_cards_are_found(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 2);
    let a = station("a");
    let id = issue(&mut journal, Act::new(&a, at(1)), &chip(0));
    place.tamper(&format!("UPDATE record SET state = 'queued' WHERE record_id = '{id}'"));
    let faults = journal.check().unwrap();
    assert!(faults.iter().any(|fault| fault.contains("not issued")), "{faults:?}");
    place.tamper("UPDATE record SET state = 'issued'");
    let faults = journal.check().unwrap();
    assert!(faults.iter().any(|fault| fault.contains("without a recorded card")), "{faults:?}");
}

pub fn many_stations_issue_each_record_once(place: &Place) {
    const RECORDS: usize = 24;
    let mut journal = place.open();
    set_up(&mut journal, RECORDS, RECORDS);
    let next_chip = std::sync::atomic::AtomicUsize::new(0);
    let mut issued: Vec<_> = std::thread::scope(|scope| {
        let work = |name: &'static str| {
            let (mut journal, next_chip) = (place.open(), &next_chip);
            move || {
                let station = station(name);
                let mut issued = Vec::new();
                while let Some(job) = claim(&mut journal, Act::new(&station, at(1))) {
                    let chip = chip(next_chip.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
                    let act = Act::new(&station, at(2));
                    let card = reserve(&mut journal, act, &job.lease, &chip).unwrap();
                    bring(&mut journal, act, &job.lease, &card, CardState::Recorded);
                    issued.push(job.record.id);
                }
                issued
            }
        };
        let stations: Vec<_> =
            ["a", "b", "c", "d"].into_iter().map(|name| scope.spawn(work(name))).collect();
        stations.into_iter().flat_map(|station| station.join().unwrap()).collect()
    });
    issued.sort();
    issued.dedup();
    assert_eq!(issued.len(), RECORDS);
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
    assert!(journal.balance(&run_name(), None).unwrap().is_balanced());
}

pub fn counters_tell_what_stations_did(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 3, 3);
    let a = station("a");
    issue(&mut journal, Act::new(&a, at(1)), &chip(0));
    let act = Act::new(&a, at(10));
    let job = claim(&mut journal, act).unwrap();
    let card = reserve(&mut journal, act, &job.lease, &chip(1)).unwrap();
    let later = Act::new(&a, at(13));
    bring(&mut journal, later, &job.lease, &card, CardState::Keyed);
    let facts = Facts::new();
    journal
        .void_card(later, Some(&job.lease), &job.record.id, &chip(1), "no answer", &facts)
        .unwrap();
    let all = journal.counters(&run_name(), None).unwrap();
    assert_eq!((all.records(RecordState::Issued), all.records(RecordState::Queued)), (1, 2));
    assert_eq!((all.stations[0].issued, all.stations[0].void), (1, 1));
    assert_eq!(all.yield_per_mille(), Some(500));
    assert_eq!(all.reasons, [("no answer".to_owned(), 1)]);
    let keyed = all.steps.iter().find(|step| step.to == CardState::Keyed).unwrap();
    assert_eq!((keyed.count, keyed.longest.as_secs()), (2, 3));
    let recent = journal.counters(&run_name(), Some(at(5))).unwrap();
    assert_eq!((recent.stations[0].issued, recent.stations[0].void), (0, 1));
}

pub fn a_finished_record_is_erased(place: &Place) {
    let mut journal = place.open();
    set_up(&mut journal, 2, 1);
    let a = station("a");
    let act = Act::new(&a, at(1));
    let id = issue(&mut journal, act, &chip(0));
    let early = conflict(journal.erase_payload(act, &record_id(1)));
    assert_eq!(early.code(), "record_state");
    journal.erase_payload(act, &id).unwrap();
    journal.erase_payload(act, &id).unwrap();
    assert_eq!(journal.payload(&id).unwrap(), None);
}
