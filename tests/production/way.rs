//! The straight way of a card, and cards that must not be touched.

use std::sync::atomic::{AtomicUsize, Ordering};

use cancuoc::globalplatform::KeySet;
use cancuoc::globalplatform::link::Link;
use cancuoc::globalplatform::session;
use cancuoc::lds::{PublicKey, SignatureAlgorithm};
use cancuoc::pki::{Signer, SignerError};
use cancuoc::production::journal::{Act, Facts, RecordId, Release, RunName, StationId};
use cancuoc::production::state::{CardState, RecordState, StockState};
use cancuoc::production::station::{Fate, Outcome, Refusal, Seal, SealError, StationError};
use cancuoc::softcard::{ApplicationLifeCycle, CardLifeCycle};
use cancuoc_primitives::CryptoRng;
use zeroize::Zeroizing;

use crate::site::{NEW_VERSION, Site, Torn, Unsealed, chip_of};

fn id(text: &str) -> RecordId {
    RecordId::new(text).unwrap()
}

fn refusal(outcome: &Outcome) -> Option<&Refusal> {
    match outcome {
        Outcome::Refused { refusal, .. } => Some(refusal),
        _ => None,
    }
}

#[test]
fn a_record_becomes_a_locked_card_with_production_keys() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let outcome = site.process("hall/0", &mut card).unwrap();
    assert!(outcome.is_issued(), "{outcome:?}");

    let summary = card.summary();
    assert_eq!(summary.card, CardLifeCycle::Secured);
    assert_eq!(summary.application, ApplicationLifeCycle::Locked);
    let mut link = Link::new(&mut card);
    session::select_issuer_domain(&mut link).unwrap();
    let keys = session::identify(&mut link).unwrap().keys;
    assert!(keys.iter().all(|key| key.version == NEW_VERSION), "{keys:?}");
    // The keys it came with open it no more.
    let old = KeySet::test_keys().unwrap();
    let opened = session::authenticate(&mut link, &old, None, &mut crate::site::random());
    assert!(opened.is_err());
}

#[test]
fn the_journal_has_every_step_and_what_the_card_holds() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    site.process("hall/0", &mut card).unwrap();
    let mut journal = site.journal();
    assert_eq!(journal.record(&id("R0")).unwrap().state, RecordState::Issued);
    let steps = journal.steps_of(&id("R0")).unwrap();
    let reached: Vec<_> = steps.iter().filter(|s| !s.announced).map(|s| s.to).collect();
    assert_eq!(reached, &CardState::ALL[..7]);
    for (index, step) in steps.iter().enumerate().filter(|(_, s)| !s.announced) {
        let announced = index > 0 && steps[index - 1].announced && steps[index - 1].to == step.to;
        assert!(announced || !step.to.changes_chip(), "{:?} was not announced", step.to);
    }
    let card = journal.cards(&id("R0")).unwrap().remove(0);
    for fact in [Facts::SOD_DIGEST, Facts::SIGNER_SERIAL, Facts::CHIP_KEY, Facts::ACTIVE_KEY] {
        assert!(card.facts.text(fact).is_some(), "{fact}");
    }
    let run = RunName::new("run-1").unwrap();
    let balance = journal.balance(&run, None).unwrap();
    assert!(balance.is_balanced() && balance.is_finished(), "{balance}");
    assert_eq!(journal.check().unwrap(), Vec::<String>::new());
}

#[test]
fn an_issued_card_is_refused_when_it_comes_again() {
    let site = Site::with_records(2);
    let mut card = site.blank(1);
    site.process("hall/0", &mut card).unwrap();
    let again = site.process("hall/0", &mut card).unwrap();
    assert_eq!(refusal(&again), Some(&Refusal::Issued));
    assert_eq!(site.journal().record(&id("R1")).unwrap().state, RecordState::Queued);
}

#[test]
fn a_chip_that_no_list_has_is_refused() {
    let site = Site::with_records(1);
    let mut card = Site::with_records(0).blank(7);
    let outcome = site.process("hall/0", &mut card).unwrap();
    assert_eq!(refusal(&outcome), Some(&Refusal::ChipUnknown));
}

#[test]
fn a_chip_on_the_list_of_lost_ones_is_refused() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let office = StationId::new("office").unwrap();
    let mut journal = site.journal();
    journal.mark_lost(Act::new(&office, site.now()), &[chip_of(1)], "police list 4").unwrap();
    let outcome = site.process("hall/0", &mut card).unwrap();
    assert_eq!(refusal(&outcome), Some(&Refusal::Lost));
}

#[test]
fn a_card_with_a_document_that_the_journal_does_not_know_is_refused_and_its_record_waits() {
    let other = Site::with_records(1);
    let mut card = other.blank(1);
    // The same personalised card, at a site that took its chip for blank stock.
    other.process("hall/0", &mut card).unwrap();
    let site = Site::with_records(1);
    site.blank(1);
    let outcome = site.process("hall/0", &mut card).unwrap();
    assert!(
        matches!(refusal(&outcome), Some(Refusal::Personalised | Refusal::WrongCard { .. })),
        "{outcome:?}"
    );
    let chip = site.journal().chip(&chip_of(1)).unwrap().unwrap();
    assert_eq!(chip.state, StockState::Blank);
}

#[test]
fn two_heads_never_get_the_same_record() {
    let site = Site::with_records(2);
    let (mut one, mut two) = (site.blank(1), site.blank(2));
    let made = [site.process("hall/0", &mut one), site.process("hall/1", &mut two)];
    let records: Vec<_> = made
        .iter()
        .map(|outcome| match outcome.as_ref().unwrap() {
            Outcome::Worked { record, .. } => record.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(records, ["R0", "R1"]);
}

#[test]
fn another_card_is_refused_while_a_head_has_one_begun() {
    let site = Site::with_records(2);
    let (mut one, mut two) = (site.blank(1), site.blank(2));
    let torn = site.process("hall/0", &mut Torn::after(&mut one, 30)).unwrap();
    assert!(matches!(&torn, Outcome::Worked { fate: Fate::Interrupted { .. }, .. }), "{torn:?}");
    let wrong = site.process("hall/0", &mut two).unwrap();
    assert_eq!(refusal(&wrong), Some(&Refusal::OtherCardExpected { chip: chip_of(1) }));
    one.power_on();
    assert!(site.process("hall/0", &mut one).unwrap().is_issued());
    assert!(site.process("hall/0", &mut two).unwrap().is_issued());
}

#[test]
fn a_card_begun_at_one_head_is_finished_at_another() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    site.process("hall/0", &mut Torn::after(&mut card, 30)).unwrap();
    card.power_on();
    let outcome = site.process("hall/1", &mut card).unwrap();
    assert!(
        matches!(&outcome, Outcome::Worked { fate: Fate::Issued { resumed: true }, .. }),
        "{outcome:?}"
    );
}

#[test]
fn a_record_whose_seal_is_broken_goes_into_quarantine_before_any_card() {
    struct Broken;
    impl Seal for Broken {
        fn open(
            &self,
            _: &RunName,
            _: &RecordId,
            _: &[u8],
        ) -> Result<Zeroizing<Vec<u8>>, SealError> {
            Err(SealError::Unusable("changed".to_owned()))
        }
    }
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let outcome = site.process_with(&Broken, &site.signer, "hall/0", &mut card).unwrap();
    assert_eq!(outcome, Outcome::NoRecord);
    let mut journal = site.journal();
    let record = journal.record(&id("R0")).unwrap();
    assert_eq!(record.state, RecordState::Quarantined);
    assert_eq!(record.reason.as_deref(), Some("record_seal_broken"));
    assert_eq!(journal.chip(&chip_of(1)).unwrap().unwrap().state, StockState::Blank);
    let act = StationId::new("office").unwrap();
    journal.release(Act::new(&act, site.now()), &id("R0"), &Release::GoOn).unwrap();
    assert!(site.process("hall/0", &mut card).unwrap().is_issued());
}

/// A key store that fails so many times, and then gives wrong signatures or right ones.
struct Failing<'a> {
    key: &'a (dyn Signer + Sync),
    fails: AtomicUsize,
    wrong: bool,
}

impl Signer for Failing<'_> {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
    fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }
    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        if self.fails.load(Ordering::Relaxed) > 0 {
            self.fails.fetch_sub(1, Ordering::Relaxed);
            return Err(SignerError::Unavailable("timeout".to_owned()));
        }
        let message = if self.wrong { [message, b"!"].concat() } else { message.to_vec() };
        self.key.sign(&message, random)
    }
}

#[test]
fn no_card_is_touched_while_the_key_store_does_not_answer() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let signer = Failing { key: &site.signer, fails: AtomicUsize::new(1), wrong: false };
    let failed = site.process_with(&Unsealed, &signer, "hall/0", &mut card).unwrap_err();
    assert!(matches!(failed, StationError::KeyStore(_)) && failed.may_pass(), "{failed}");
    assert_eq!(site.journal().chip(&chip_of(1)).unwrap().unwrap().state, StockState::Blank);
    let outcome = site.process_with(&Unsealed, &signer, "hall/0", &mut card).unwrap();
    assert!(outcome.is_issued(), "{outcome:?}");
}

#[test]
fn a_wrong_signature_of_the_key_store_stops_the_line_before_any_card() {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let signer = Failing { key: &site.signer, fails: AtomicUsize::new(0), wrong: true };
    let failed = site.process_with(&Unsealed, &signer, "hall/0", &mut card).unwrap_err();
    assert!(matches!(failed, StationError::Signer { code: "signature_wrong", .. }), "{failed:?}");
    assert!(!failed.may_pass());
    let mut journal = site.journal();
    assert_eq!(journal.record(&id("R0")).unwrap().state, RecordState::Queued);
    assert_eq!(journal.chip(&chip_of(1)).unwrap().unwrap().state, StockState::Blank);
}
