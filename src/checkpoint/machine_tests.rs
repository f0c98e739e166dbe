use std::sync::Arc;

use super::*;
use crate::checkpoint::{Holder, Inspected, Timing};
use crate::verify::{Check, CheckId, Evidence};
use proptest::prelude::*;

const A: &str = "Reader A";
const B: &str = "Reader B";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn checkpoint(settings: Settings) -> Checkpoint {
    Checkpoint::new(settings)
}

fn line(text: &str) -> Event {
    Event::Line(text.to_owned().into())
}

fn present(reader: &str) -> Event {
    Event::CardPresent(reader.to_owned())
}

fn removed(reader: &str) -> Event {
    Event::CardRemoved(reader.to_owned())
}

fn queued(text: &str) -> Event {
    Event::Queued(Given::parse(text).unwrap())
}

/// The jobs among the actions: number, reader, kind of data.
fn jobs(actions: &[Action]) -> Vec<(u64, String, Given)> {
    let job = |action: &Action| match action {
        Action::Inspect(job) => Some((job.id, job.reader.clone(), job.given.clone())),
        _ => None,
    };
    actions.iter().filter_map(job).collect()
}

fn job_id(actions: &[Action]) -> u64 {
    let jobs = jobs(actions);
    assert_eq!(jobs.len(), 1, "{actions:?}");
    jobs[0].0
}

fn records(actions: &[Action]) -> Vec<&'static str> {
    let record = |action: &Action| match action {
        Action::Record(record) => Some(record.verdict),
        _ => None,
    };
    actions.iter().filter_map(record).collect()
}

fn genuine(job: u64) -> Event {
    let check = Check::warned(CheckId::PaRevocation, "crl_expired", Evidence::new("crl", "x"));
    let inspected = Inspected {
        verdict: Verdict::Genuine,
        checks: vec![check],
        wanting: vec![],
        holder: Holder::default(),
        portrait: None,
        timing: Timing::default(),
    };
    Event::Finished { job, outcome: Outcome::Inspected(Arc::new(inspected)) }
}

fn failed(job: u64, wrong_access: bool) -> Event {
    let trouble = Trouble { code: "access_password_wrong", detail: String::new(), wrong_access };
    Event::Finished { job, outcome: Outcome::Failed(trouble) }
}

fn lane<'a>(checkpoint: &'a Checkpoint, reader: &str) -> &'a Lane {
    checkpoint.state().lanes.iter().find(|lane| lane.reader == reader).unwrap()
}

#[test]
fn inspects_a_card_when_card_and_data_are_there_whichever_comes_first() {
    let mut c = checkpoint(Settings::default());
    assert!(c.handle(present(A), at(1)).is_empty());
    let actions = c.handle(line("000018"), at(2));
    let job = job_id(&actions);
    let actions = c.handle(genuine(job), at(3));
    assert_eq!(records(&actions), ["genuine"]);
    let decision = lane(&c, A).decision.as_ref().unwrap();
    assert_eq!((decision.took, decision.outcome.name()), (at(1), "genuine"));

    c.handle(removed(A), at(4));
    assert!(c.handle(line("000018"), at(5)).is_empty());
    assert_eq!(jobs(&c.handle(present(A), at(6))).len(), 1);
    assert_eq!(c.state().tally.genuine, 1);
}

#[test]
fn takes_the_verdict_off_the_screen_when_the_next_card_comes() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(genuine(job), at(2));
    c.handle(removed(A), at(3));
    assert!(lane(&c, A).decision.is_some(), "it stays while there is no card");
    c.handle(present(A), at(4));
    assert!(lane(&c, A).decision.is_none());
    assert_eq!(lane(&c, A).previous, Some("genuine"));
}

#[test]
fn does_not_read_a_judged_card_again_with_data_for_the_next() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(genuine(job), at(2));
    assert!(c.handle(line("000019"), at(3)).is_empty());
    c.handle(removed(A), at(4));
    let jobs = jobs(&c.handle(present(A), at(5)));
    assert_eq!(jobs[0].2, Given::parse("000019").unwrap());
}

#[test]
fn tries_a_card_again_only_with_data_scanned_anew() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    let actions = c.handle(failed(job, true), at(2));
    assert_eq!(records(&actions), [super::super::UNREAD]);
    assert!(jobs(&c.handle(Event::Tick, at(3))).is_empty());
    assert_eq!(jobs(&c.handle(line("000018"), at(4))).len(), 1);
}

#[test]
fn never_spends_data_of_a_list_on_a_second_try() {
    let mut c = checkpoint(Settings::default());
    c.handle(queued("000018"), at(0));
    c.handle(queued("000019"), at(0));
    let job = job_id(&c.handle(present(A), at(1)));
    assert!(jobs(&c.handle(failed(job, true), at(2))).is_empty());
    c.handle(removed(A), at(3));
    let jobs = jobs(&c.handle(present(A), at(4)));
    assert_eq!(jobs[0].2, Given::parse("000019").unwrap());
}

#[test]
fn a_card_that_stays_is_read_anew_for_whatever_is_scanned() {
    let mut c = checkpoint(Settings::default());
    c.handle(Event::CardStays(A.to_owned()), at(0));
    for n in 0..3 {
        c.handle(queued("000018"), at(n));
        let job = c.jobs;
        c.handle(genuine(job), at(n));
        assert!(lane(&c, A).decision.is_some());
    }
    assert_eq!(c.state().tally.genuine, 3);
    assert_eq!(jobs(&c.handle(line("000018"), at(4))).len(), 1);
    assert!(lane(&c, A).decision.is_none());
}

#[test]
fn does_not_try_again_a_card_that_failed_otherwise() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(failed(job, false), at(2));
    assert!(jobs(&c.handle(line("000018"), at(3))).is_empty());
}

#[test]
fn serves_the_card_that_has_waited_longest() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(B), at(1));
    c.handle(present(A), at(2));
    assert_eq!(jobs(&c.handle(line("000018"), at(3)))[0].1, B);
    assert_eq!(jobs(&c.handle(line("000018"), at(4)))[0].1, A);
}

#[test]
fn takes_the_newest_scan_and_forgets_it_after_a_while() {
    let mut c = checkpoint(Settings::default());
    c.handle(line("000018"), at(1));
    c.handle(line("000019"), at(2));
    let jobs_of = jobs(&c.handle(present(A), at(3)));
    assert_eq!(jobs_of[0].2, Given::parse("000019").unwrap());
    c.handle(line("000020"), at(4));
    c.handle(Event::Tick, at(65));
    assert!(c.state().pending.is_none());
}

#[test]
fn a_result_is_not_shown_as_that_of_the_card_that_came_meanwhile() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(removed(A), at(2));
    c.handle(present(A), at(2));
    let actions = c.handle(genuine(job), at(3));
    assert_eq!(records(&actions), ["genuine"], "it is recorded");
    assert!(lane(&c, A).decision.is_none());
    assert!(matches!(lane(&c, A).phase, Phase::NeedsAccess { again: false, .. }));
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(Event::ReaderGone(A.to_owned()), at(2));
    c.handle(failed(job, false), at(2));
    assert!(!lane(&c, A).connected);
    c.handle(Event::ReaderAdded(A.to_owned()), at(3));
    c.handle(line("000018"), at(3));
    assert_eq!(jobs(&c.handle(present(A), at(4))).len(), 1);
}

#[test]
fn reads_nothing_before_the_holder_agrees() {
    let mut c = checkpoint(Settings { consent: true, ..Settings::default() });
    c.handle(present(A), at(1));
    assert!(c.handle(line("000018"), at(2)).is_empty());
    assert!(matches!(lane(&c, A).phase, Phase::NeedsConsent { .. }));
    assert_eq!(jobs(&c.handle(line("ok"), at(3))).len(), 1);
}

#[test]
fn records_that_the_holder_did_not_agree_and_asks_each_anew() {
    let mut c = checkpoint(Settings { consent: true, ..Settings::default() });
    c.handle(queued("000018"), at(0));
    c.handle(queued("000018"), at(0));
    c.handle(present(A), at(1));
    let actions = c.handle(Event::Consent { agreed: false, card: None }, at(2));
    assert_eq!(records(&actions), ["unread"]);
    c.handle(removed(A), at(3));
    assert!(jobs(&c.handle(present(A), at(4))).is_empty());
    assert!(matches!(lane(&c, A).phase, Phase::NeedsConsent { .. }));
    // The card is taken away before the answer: what opened it is forgotten.
    c.handle(removed(A), at(5));
    assert!(jobs(&c.handle(Event::Consent { agreed: true, card: None }, at(6))).is_empty());
}

#[test]
fn an_answer_counts_for_the_card_that_was_asked_about_and_no_other() {
    let mut c = checkpoint(Settings { consent: true, ..Settings::default() });
    for (reader, second) in [(A, 1), (B, 2)] {
        c.handle(queued("000018"), at(second));
        c.handle(present(reader), at(second));
    }
    let agrees = |reader: &str, arrival| {
        let card = Some(CardOn { reader: reader.to_owned(), arrival });
        Event::Consent { agreed: true, card }
    };
    // Of A's card there is no answer yet, whatever B's holder says, and however often.
    assert_eq!(jobs(&c.handle(agrees(B, 1), at(3)))[0].1, B);
    assert!(jobs(&c.handle(agrees(B, 1), at(3))).is_empty());
    // The card that was asked about is gone; on the reader lies another.
    c.handle(removed(A), at(4));
    c.handle(queued("000018"), at(4));
    c.handle(present(A), at(4));
    assert!(jobs(&c.handle(agrees(A, 1), at(5))).is_empty());
    assert_eq!(jobs(&c.handle(agrees(A, 2), at(5)))[0].1, A);
}

#[test]
fn wipes_what_is_personal_when_asked_and_by_itself() {
    let mut c = checkpoint(Settings::default());
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    c.handle(genuine(job), at(2));
    c.handle(Event::Character('0'), at(2));
    assert_eq!(c.state().entry.characters, 1);
    c.handle(Event::Clear, at(3));
    assert_eq!(c.state().entry, Entry::default());
    assert!(lane(&c, A).decision.is_none());

    c.handle(removed(A), at(4));
    c.handle(present(A), at(4));
    let job = job_id(&c.handle(line("000018"), at(4)));
    c.handle(genuine(job), at(5));
    c.handle(Event::Tick, at(66));
    assert!(lane(&c, A).decision.is_none());
}

#[test]
fn ends_after_the_last_card_of_a_list() {
    let settings = Settings { end_with_list: true, ..Settings::default() };
    let mut c = checkpoint(settings);
    let ends = |actions: &[Action]| actions.iter().any(|a| matches!(a, Action::Finish));
    c.handle(queued("000018"), at(0));
    assert!(!ends(&c.handle(Event::QueueEnded, at(0))));
    let job = job_id(&c.handle(present(A), at(1)));
    assert!(ends(&c.handle(genuine(job), at(2))));
    assert!(!ends(&c.handle(Event::Tick, at(3))), "once");
}

#[test]
fn ends_after_as_many_cards_as_asked_for() {
    let settings = Settings { cards: Some(1), ..Settings::default() };
    let mut c = checkpoint(settings);
    c.handle(present(A), at(1));
    let job = job_id(&c.handle(line("000018"), at(1)));
    assert!(matches!(c.handle(genuine(job), at(2))[..], [Action::Record(_), Action::Finish]));
}

#[test]
fn says_what_was_wrong_with_a_line() {
    let mut c = checkpoint(Settings::default());
    c.handle(line("hello"), at(1));
    assert_eq!(c.state().entry.error, Some("scan_unknown"));
    c.handle(line("000018"), at(2));
    assert_eq!(c.state().entry.error, None);
}

#[test]
fn keeps_no_more_readers_than_it_may() {
    let mut c = checkpoint(Settings::default());
    for n in 0..2 * MAX_LANES {
        c.handle(Event::ReaderAdded(format!("Reader {n}")), at(1));
        c.handle(Event::ReaderGone(format!("Reader {n}")), at(1));
    }
    assert_eq!(c.state().lanes.len(), MAX_LANES);
}

#[test]
fn a_wrong_try_is_no_longer_shown_while_the_holder_is_asked_again() {
    let mut c = checkpoint(Settings { consent: true, ..Settings::default() });
    c.handle(present(A), at(1));
    c.handle(line("000018"), at(1));
    let job = job_id(&c.handle(line("ok"), at(1)));
    c.handle(failed(job, true), at(2));
    assert!(lane(&c, A).decision.is_some());
    c.handle(line("000019"), at(3));
    assert!(lane(&c, A).decision.is_none());
}

/// Any event: two readers, data that fit and data that do not, results of any job.
fn any_event() -> impl Strategy<Value = Event> {
    let reader = prop_oneof![Just(A.to_owned()), Just(B.to_owned())];
    prop_oneof![
        reader.clone().prop_map(Event::ReaderAdded),
        reader.clone().prop_map(Event::ReaderGone),
        reader.clone().prop_map(Event::CardPresent),
        reader.prop_map(Event::CardRemoved),
        prop_oneof![Just("000018"), Just("nonsense"), Just("ok"), Just("no")].prop_map(line),
        Just(queued("000018")),
        any::<bool>().prop_map(|agreed| Event::Consent { agreed, card: None }),
        (1u64..6).prop_map(genuine),
        (1u64..6, any::<bool>()).prop_map(|(job, wrong)| failed(job, wrong)),
        Just(Event::Clear),
        Just(Event::Tick),
    ]
}

proptest! {
    #[test]
    fn every_card_that_was_started_is_recorded_once(
        events in prop::collection::vec(any_event(), 0..120),
        consent in any::<bool>(),
    ) {
        let mut c = checkpoint(Settings { consent, ..Settings::default() });
        let (mut started, mut recorded) = (0, 0);
        for (second, event) in events.into_iter().enumerate() {
            let refused = matches!(&event, Event::Consent { agreed: false, .. })
                || matches!(&event, Event::Line(text) if text.as_str() == "no");
            let actions = c.handle(event, at(second as u64));
            let ended = records(&actions).len();
            recorded += if refused { 0 } else { ended };
            started += jobs(&actions).len();
            let running =
                c.state().lanes.iter().filter(|l| matches!(l.phase, Phase::Inspecting { .. }));
            prop_assert_eq!(running.count() + recorded, started);
            for lane in &c.state().lanes {
                // Whoever looks sees no verdict while another card is worked on.
                let inspecting = matches!(lane.phase, Phase::Inspecting { .. });
                let done = matches!(lane.phase, Phase::Idle | Phase::NeedsAccess { again: true, .. });
                prop_assert!(done || lane.decision.is_none());
                prop_assert!(lane.card || inspecting || matches!(lane.phase, Phase::Idle));
            }
        }
    }
}
