//! Cards torn out at every command, and what must hold afterwards (I1-I6).

use cancuoc::production::journal::{RecordId, RunName};
use cancuoc::production::state::{CardState, RecordState};
use cancuoc::production::station::{Fate, Outcome};
use cancuoc::softcard::{ApplicationLifeCycle, CardLifeCycle, SoftCard};

use crate::site::{Site, Torn};

/// One record, one issued card, nothing else, and the card is what the journal says.
fn assert_one_good_card(site: &Site, card: &mut SoftCard, at: usize) {
    let mut journal = site.journal();
    let record = RecordId::new("R0").unwrap();
    assert_eq!(journal.record(&record).unwrap().state, RecordState::Issued, "torn at {at}");
    let cards = journal.cards(&record).unwrap();
    assert_eq!(cards.iter().filter(|card| card.state == CardState::Recorded).count(), 1);
    let run = RunName::new("run-1").unwrap();
    let balance = journal.balance(&run, None).unwrap();
    assert!(balance.is_balanced() && balance.is_finished(), "torn at {at}: {balance}");
    assert_eq!(journal.check().unwrap(), Vec::<String>::new(), "torn at {at}");
    let summary = card.summary();
    assert_eq!(summary.card, CardLifeCycle::Secured, "torn at {at}");
    assert_eq!(summary.application, ApplicationLifeCycle::Locked, "torn at {at}");
}

/// Commands from power on to the end.
fn commands() -> usize {
    let site = Site::with_records(1);
    let mut card = site.blank(1);
    let most = 100_000;
    let mut counting = Torn::after(&mut card, most);
    assert!(site.process("hall/0", &mut counting).unwrap().is_issued());
    most - counting.left.get()
}

#[test]
fn a_card_torn_out_at_any_command_is_finished_when_it_comes_again() {
    let all = commands();
    assert!(all > 40, "{all}");
    let (mut resumed, mut untouched) = (0, 0);
    for at in 1..=all {
        let site = Site::with_records(1);
        let mut card = site.blank(1);
        let torn = site.process("hall/0", &mut Torn::after(&mut card, at)).unwrap();
        match &torn {
            Outcome::Worked { fate: Fate::Interrupted { .. }, .. } => resumed += 1,
            Outcome::Refused { .. } => untouched += 1,
            // The last answer was not needed any more.
            Outcome::Worked { fate: Fate::Issued { .. }, .. } => {}
            other => panic!("torn at {at}: {other:?}"),
        }
        card.power_on();
        if !torn.is_issued() {
            let outcome = site.process("hall/0", &mut card).unwrap();
            assert!(outcome.is_issued(), "torn at {at}: {torn:?}, then {outcome:?}");
        }
        assert_one_good_card(&site, &mut card, at);
    }
    println!("{all} commands: {untouched} before the card was taken, {resumed} gone on with");
    assert!(resumed > untouched);
}
