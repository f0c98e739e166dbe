//! What the page shows, as JSON for its script: the same headlines and reasons as every view.

use std::sync::Arc;

use serde_json::{Value, json};

use super::panel::{Both, Panel, Reason, Tone, next_lane, shown_lanes};
use crate::checkpoint::{Checkpoint, Inspected, Lane, Outcome, Phase, State};
use crate::cli::text::{Lang, text};

/// Gives portraits their numbers: each card another, so that no face is taken for the next one's.
#[derive(Debug, Default)]
pub(super) struct Portraits {
    shown: Vec<(u64, Arc<Inspected>)>,
    last: u64,
}

impl Portraits {
    /// The portraits of what is shown now; those of cards that are shown no more are let go.
    fn keep(&mut self, lanes: &[&Lane]) {
        let before = std::mem::take(&mut self.shown);
        for inspected in lanes.iter().filter_map(|lane| inspected(lane)) {
            if inspected.portrait.is_none() {
                continue;
            }
            let known = before.iter().find(|(_, card)| Arc::ptr_eq(card, inspected));
            let number = known.map_or(self.last + 1, |(number, _)| *number);
            self.last = self.last.max(number);
            self.shown.push((number, inspected.clone()));
        }
    }

    fn number(&self, inspected: &Inspected) -> Option<u64> {
        let is = |card: &Arc<Inspected>| std::ptr::eq(&**card, inspected);
        self.shown.iter().find(|(_, card)| is(card)).map(|(number, _)| *number)
    }

    /// With their numbers.
    pub(super) fn shown(&self) -> Vec<(u64, Arc<Inspected>)> {
        self.shown.clone()
    }
}

fn inspected(lane: &Lane) -> Option<&Arc<Inspected>> {
    match &lane.decision.as_ref()?.outcome {
        Outcome::Inspected(inspected) => Some(inspected),
        Outcome::Failed(_) => None,
    }
}

/// The state of the page.
pub(super) fn state(
    checkpoint: &Checkpoint,
    consent: Option<&str>,
    portraits: &mut Portraits,
) -> Value {
    let state = checkpoint.state();
    let lanes: Vec<&Lane> = shown_lanes(state).collect();
    portraits.keep(&lanes);
    let next = next_lane(state).filter(|_| lanes.len() > 1);
    let lane = |shown: &&Lane| lane(shown, next == Some(shown.reader.as_str()), portraits);
    let tally = &state.tally;
    json!({
        "lanes": lanes.iter().map(lane).collect::<Vec<_>>(),
        "service_down": state.service_down,
        "consent": consent,
        "pending": state.pending.as_ref().map(|pending| {
            json!({ "kind": both(&Both::text(&format!("checkpoint.kind.{}", pending.given.kind()), &[])) })
        }),
        "entry": entry(state),
        "listed": state.queued > 0,
        "tally": {
            "genuine": tally.genuine,
            "forged": tally.forged,
            "inconclusive": tally.inconclusive,
            "unread": tally.unread,
        },
    })
}

/// What is known of the line before: what is being typed stays in the page's own field.
fn entry(state: &State) -> Value {
    let error = state
        .entry
        .error
        .map(|code| both(&Both::text(&format!("error.{code}"), &[("detail", "")])));
    json!({ "lines": state.entry.lines, "error": error })
}

fn lane(lane: &Lane, next: bool, portraits: &Portraits) -> Value {
    let panel = Panel::of(lane);
    json!({
        "reader": lane.reader,
        "arrival": lane.arrival,
        "tone": tone(panel.tone),
        "headline": both(&panel.headline),
        "line": panel.line.as_ref().map(both),
        "asks": matches!(lane.phase, Phase::NeedsConsent { .. }),
        "next": next,
        "card": panel.inspected.map(|inspected| card(inspected, portraits)),
        "reasons": panel.reasons.iter().map(reason).collect::<Vec<_>>(),
        "previous": panel.previous.as_ref().map(previous),
        "took_ms": panel.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
    })
}

const fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Idle => "idle",
        Tone::Asks => "asks",
        Tone::Busy => "busy",
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Doubt => "doubt",
    }
}

fn both(words: &Both) -> Value {
    json!({ "vi": words.vi, "en": words.en })
}

fn previous(verdict: &Both) -> Value {
    let words = Both {
        vi: text(Lang::Vi, "checkpoint.previous", &[("verdict", &verdict.vi)]),
        en: text(Lang::En, "checkpoint.previous", &[("verdict", &verdict.en)]),
    };
    both(&words)
}

fn card(inspected: &Inspected, portraits: &Portraits) -> Value {
    let holder = &inspected.holder;
    let fact = |(field, value): &(String, String)| json!({ "label": both(&Both::text(&format!("field.{field}"), &[])), "value": value });
    json!({
        "name": holder.name,
        "number": holder.number.as_ref().map(|number| number.as_str()),
        "facts": holder.facts.iter().map(fact).collect::<Vec<_>>(),
        "portrait": portraits.number(inspected),
    })
}

fn reason(reason: &Reason) -> Value {
    json!({
        "check": reason.check.as_ref().map(both),
        "what": both(&reason.what),
        "todo": reason.todo.as_ref().map(both),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use image::RgbImage;

    use super::*;
    use crate::checkpoint::{Action, Event, Holder, Settings, Timing, Trouble};
    use crate::verify::Verdict;

    const READER: &str = "Reader A";

    /// A checkpoint, what it shows, and the time.
    struct Shown {
        checkpoint: Checkpoint,
        portraits: Portraits,
        job: u64,
        now: Duration,
    }

    impl Shown {
        fn new() -> Self {
            let checkpoint = Checkpoint::new(Settings::default());
            Self { checkpoint, portraits: Portraits::default(), job: 0, now: Duration::ZERO }
        }

        fn handle(&mut self, event: Event) {
            self.now += Duration::from_millis(250);
            for action in self.checkpoint.handle(event, self.now) {
                if let Action::Inspect(job) = action {
                    self.job = job.id;
                }
            }
        }

        fn state(&mut self) -> Value {
            state(&self.checkpoint, Some("notice"), &mut self.portraits)
        }

        /// A card comes, is opened by what was scanned, and ends so.
        fn card(&mut self, outcome: Outcome) {
            self.handle(Event::CardPresent(READER.to_owned()));
            self.handle(Event::Line("001200000018".to_owned().into()));
            self.handle(Event::Finished { job: self.job, outcome });
        }
    }

    fn genuine() -> Outcome {
        let number = Some("001200000018".to_owned().into());
        let facts = vec![("sex".to_owned(), "Nữ".to_owned())];
        Outcome::Inspected(Arc::new(Inspected {
            verdict: Verdict::Genuine,
            checks: Vec::new(),
            wanting: Vec::new(),
            holder: Holder { number, name: Some("Nguyễn Thị Mẫu".to_owned()), facts },
            portrait: Some(RgbImage::new(3, 4)),
            timing: Timing::default(),
        }))
    }

    #[test]
    fn says_of_a_genuine_card_who_its_holder_is_and_how_long_it_took() {
        let mut shown = Shown::new();
        shown.card(genuine());
        let state = shown.state();
        let lane = &state["lanes"][0];
        assert_eq!((&lane["tone"], &lane["took_ms"]), (&json!("good"), &json!(250)));
        assert_eq!(lane["headline"], json!({ "vi": "THẬT", "en": "GENUINE" }));
        assert_eq!(lane["card"]["name"], "Nguyễn Thị Mẫu");
        assert_eq!(lane["card"]["facts"][0]["label"]["vi"], "Giới tính");
        assert_eq!(state["tally"]["genuine"], 1);
    }

    #[test]
    fn gives_each_portrait_a_number_of_its_own_as_long_as_it_is_shown() {
        let mut shown = Shown::new();
        shown.card(genuine());
        assert_eq!(shown.state()["lanes"][0]["card"]["portrait"], 1);
        assert_eq!(shown.state()["lanes"][0]["card"]["portrait"], 1);
        shown.card(genuine());
        assert_eq!(shown.state()["lanes"][0]["card"]["portrait"], 2);
        assert_eq!(shown.portraits.shown().len(), 1);
        shown.handle(Event::CardRemoved(READER.to_owned()));
        shown.handle(Event::Clear);
        assert_eq!(shown.state()["lanes"][0]["card"], Value::Null);
        assert!(shown.portraits.shown().is_empty());
    }

    #[test]
    fn never_sends_what_was_scanned() {
        let mut shown = Shown::new();
        shown.handle(Event::Line("001200000018".to_owned().into()));
        let state = shown.state();
        assert_eq!(state["pending"]["kind"]["en"], "Number");
        assert!(!state.to_string().contains("0018"), "{state}");
        let trouble = Trouble { code: "card_removed", detail: "x".to_owned(), wrong_access: false };
        shown.card(Outcome::Failed(trouble));
        let state = shown.state();
        assert_eq!(state["lanes"][0]["tone"], "doubt");
        assert!(!state.to_string().contains("0018"), "{state}");
    }

    #[test]
    fn tells_what_was_wrong_with_a_line_in_both_languages() {
        let mut shown = Shown::new();
        shown.handle(Event::Line("hello".to_owned().into()));
        let error = &shown.state()["entry"]["error"];
        assert!(error["vi"].is_string() && error["en"].is_string(), "{error}");
    }
}
