//! What a view says of a lane, in both languages: headline, colour, reasons, what to do. The same
//! for the terminal and for a page.

use std::time::Duration;

use crate::checkpoint::{Decision, Inspected, Lane, Outcome, Phase, State, Trouble};
use crate::cli::text::{Lang, find, text};
use crate::cli::verify;
use crate::verify::{Check, Verdict};

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::cli) struct Both {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Both {
    /// A message of the catalogue.
    pub(in crate::cli) fn text(key: &str, values: &[(&str, &str)]) -> Self {
        Self { vi: text(Lang::Vi, key, values), en: text(Lang::En, key, values) }
    }

    /// The first of these messages that the catalogue has.
    fn first_of(keys: &[String], values: &[(&str, &str)]) -> Option<Self> {
        let found = |lang| keys.iter().find_map(|key| find(lang, key, values));
        Some(Self { vi: found(Lang::Vi)?, en: found(Lang::En)? })
    }

    /// The text in the language, then in the other one.
    pub(in crate::cli) fn in_order(&self, lang: Lang) -> [&str; 2] {
        lang.pick([&self.en, &self.vi], [&self.vi, &self.en])
    }
}

/// What a colour means; a word stands beside it always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    /// Nothing happens.
    Idle,
    /// Somebody has to do something.
    Asks,
    /// A card is being worked on.
    Busy,
    /// Genuine.
    Good,
    /// Not genuine.
    Bad,
    /// No verdict.
    Doubt,
}

/// A reason, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Reason {
    /// Which check; none for an error.
    pub check: Option<Both>,
    /// What was found.
    pub what: Both,
    /// What to do.
    pub todo: Option<Both>,
}

/// What is said of a lane.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Panel<'a> {
    /// Colour.
    pub tone: Tone,
    /// A few words to be read from afar.
    pub headline: Both,
    /// A sentence below it.
    pub line: Option<Both>,
    /// Reasons of a decision.
    pub reasons: Vec<Reason>,
    /// The card that was read, where there is one.
    pub inspected: Option<&'a Inspected>,
    /// From card and data to the decision.
    pub took: Option<Duration>,
    /// How the card before ended, where another is waited for.
    pub previous: Option<Both>,
}

impl<'a> Panel<'a> {
    /// What is said of the lane now.
    pub(in crate::cli) fn of(lane: &'a Lane) -> Self {
        let Some(decision) = &lane.decision else { return Self::of_phase(lane) };
        let mut panel = Self::of_decision(decision);
        if matches!(lane.phase, Phase::NeedsAccess { again: true, .. }) {
            panel.line = Some(Both::text("checkpoint.line.again", &[]));
        } else if !lane.connected {
            panel.line = Some(Both::text("checkpoint.line.gone", &[]));
        } else if !lane.card {
            panel.line = Some(Both::text("checkpoint.line.removed", &[]));
        }
        panel
    }

    fn of_phase(lane: &Lane) -> Self {
        let (tone, key) = match &lane.phase {
            _ if !lane.connected => (Tone::Doubt, "gone"),
            Phase::Idle if lane.card => (Tone::Idle, "take_off"),
            Phase::Idle => (Tone::Idle, "lay_on"),
            Phase::NeedsAccess { .. } => (Tone::Asks, "scan"),
            Phase::NeedsConsent { .. } => (Tone::Asks, "consent"),
            Phase::Inspecting { .. } => (Tone::Busy, "reading"),
        };
        let line = match &lane.phase {
            Phase::Inspecting { file: Some(file), bytes, .. } => {
                let values = [("file", &*file.name()), ("bytes", &*bytes.to_string())];
                Both::text("checkpoint.line.progress", &values)
            }
            _ => Both::text(&format!("checkpoint.line.{key}"), &[]),
        };
        Self {
            tone,
            headline: Both::text(&format!("checkpoint.headline.{key}"), &[]),
            line: Some(line),
            reasons: Vec::new(),
            inspected: None,
            took: None,
            previous: lane.previous.map(verdict_word),
        }
    }

    fn of_decision(decision: &'a Decision) -> Self {
        let mut panel = Self {
            tone: Tone::Doubt,
            headline: verdict_word(decision.outcome.name()),
            line: None,
            reasons: Vec::new(),
            inspected: None,
            took: Some(decision.took),
            previous: None,
        };
        match &decision.outcome {
            Outcome::Failed(trouble) => panel.reasons = vec![reason_of_trouble(trouble)],
            Outcome::Inspected(inspected) => {
                let (tone, next) = match inspected.verdict {
                    Verdict::Genuine if inspected.portrait.is_some() => (Tone::Good, "compare"),
                    Verdict::Genuine => (Tone::Good, "no_portrait"),
                    Verdict::Forged => (Tone::Bad, "keep"),
                    Verdict::Inconclusive => (Tone::Doubt, "undecided"),
                };
                panel.tone = tone;
                panel.line = Some(Both::text(&format!("checkpoint.next.{next}"), &[]));
                panel.reasons = inspected.telling().into_iter().map(reason_of_check).collect();
                panel.inspected = Some(&**inspected);
            }
        }
        panel
    }
}

/// The lanes that are shown: a reader that is gone and has nothing to say gives its room to the
/// others.
pub(in crate::cli) fn shown_lanes(state: &State) -> impl Iterator<Item = &Lane> {
    let others = state.lanes.iter().any(|other| other.connected);
    state.lanes.iter().filter(move |lane| {
        lane.connected || lane.decision.is_some() || !matches!(lane.phase, Phase::Idle) || !others
    })
}

/// The reader whose card gets what is scanned next.
pub(in crate::cli) fn next_lane(state: &State) -> Option<&str> {
    let waits = |lane: &Lane| match lane.phase {
        Phase::NeedsAccess { since, .. } => Some(since),
        _ => None,
    };
    let times = state.lanes.iter().filter_map(|lane| Some((waits(lane)?, lane.reader.as_str())));
    times.min_by_key(|(since, _)| *since).map(|(_, reader)| reader)
}

/// A verdict in a few words.
pub(in crate::cli) fn verdict_word(name: &str) -> Both {
    Both::text(&format!("checkpoint.headline.{name}"), &[])
}

fn reason_of_check(check: &Check) -> Reason {
    let code = || Both { vi: check.code.to_owned(), en: check.code.to_owned() };
    let hint = |lang| verify::hint(lang, check.code);
    let mut what = Both::first_of(&[format!("check.{}", check.code)], &[]).unwrap_or_else(code);
    for (words, lang) in [(&mut what.vi, Lang::Vi), (&mut what.en, Lang::En)] {
        for line in verify::wanted_csca(lang, check) {
            words.push_str(". ");
            words.push_str(&line);
        }
    }
    Reason {
        check: Some(Both::text(&format!("check_name.{}", check.id.as_str()), &[])),
        what,
        todo: hint(Lang::Vi).zip(hint(Lang::En)).map(|(vi, en)| Both { vi, en }),
    }
}

/// What kept a card from being read; what to do is said for the checkpoint, not for a command.
fn reason_of_trouble(trouble: &Trouble) -> Reason {
    let Trouble { code, detail, .. } = trouble;
    let values = [("detail", detail.as_str())];
    let what = [format!("checkpoint.trouble.{code}"), format!("error.{code}")];
    let own = || Both { vi: detail.clone(), en: detail.clone() };
    let todo = [format!("checkpoint.todo.{code}"), "checkpoint.todo".to_owned()];
    Reason {
        check: None,
        what: Both::first_of(&what, &values).unwrap_or_else(own),
        todo: Both::first_of(&todo, &values),
    }
}
