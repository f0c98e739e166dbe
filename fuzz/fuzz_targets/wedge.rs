//! Keystrokes of a scanner, and the rules of the checkpoint behind them: no panic, bounded memory,
//! one record for each card.
#![no_main]

use std::time::Duration;

use cancuoc::checkpoint::{
    Action, Checkpoint, Event, MAX_TEXT, Outcome, Phase, Settings, Trouble, Wedge,
};

/// Enough to see the rules; more only repeats them.
const MOST_EVENTS: usize = 4_096;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut wedge = Wedge::default();
    let mut checkpoint = Checkpoint::new(Settings { consent: data.len() % 2 == 0, ..Settings::default() });
    let (mut started, mut recorded) = (0, 0);
    for (index, key) in text.chars().take(MOST_EVENTS).enumerate() {
        let now = Duration::from_secs(index as u64);
        match key {
            '\r' => drop(wedge.enter(now)),
            '\u{8}' => wedge.backspace(),
            other => drop(wedge.character(other, now)),
        }
        assert!(wedge.characters() <= MAX_TEXT && wedge.lines() < 3);
        let reader = || String::from("reader");
        let trouble = Trouble { code: "x", detail: String::new(), wrong_access: index % 2 == 0 };
        let event = match key {
            '\r' => Event::Enter,
            '\u{1}' => Event::CardPresent(reader()),
            '\u{2}' => Event::CardRemoved(reader()),
            '\u{3}' => Event::ReaderGone(reader()),
            '\u{4}' => Event::Finished { job: started, outcome: Outcome::Failed(trouble) },
            '\u{5}' => Event::Consent { agreed: true, card: None },
            '\u{6}' => Event::Clear,
            other => Event::Character(other),
        };
        for action in checkpoint.handle(event, now) {
            match action {
                Action::Inspect(job) => started = job.id,
                Action::Record(_) => recorded += 1,
                Action::Finish => {}
            }
        }
        let lanes = &checkpoint.state().lanes;
        let running = lanes.iter().filter(|l| matches!(l.phase, Phase::Inspecting { .. })).count();
        // Without consent a card is recorded without having been started.
        assert!(recorded + running as u64 >= started);
    }
});
