//! What is to be seen of a checkpoint: plain data, without texts of any language.

use std::sync::Arc;
use std::time::Duration;

use image::RgbImage;
use zeroize::Zeroizing;

use super::{CardOn, Given};
use crate::lds::FileId;
use crate::verify::{Check, CheckId, Verdict};

/// Everything that a view draws. Times count from the start of the checkpoint.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The readers, in the order in which they came.
    pub lanes: Vec<Lane>,
    /// The PC/SC service does not run; it is being waited for.
    pub service_down: bool,
    /// The scanner is not plugged in.
    pub scanner_down: bool,
    /// What was scanned for a card that is still to come.
    pub pending: Option<Pending>,
    /// What is being typed.
    pub entry: Entry,
    /// Cards that a list still has data for.
    pub queued: usize,
    /// What was decided so far.
    pub tally: Tally,
}

impl State {
    /// The lane whose holder an answer is taken from that names no card: the one that has waited for
    /// it longest.
    #[must_use]
    pub fn asked(&self) -> Option<&Lane> {
        let waits = |lane: &&Lane| match lane.phase {
            Phase::NeedsConsent { since, .. } => Some(since),
            _ => None,
        };
        let waiting = self.lanes.iter().filter(|lane| waits(lane).is_some());
        waiting.min_by_key(waits)
    }
}

/// Scanned data that wait for a card.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What they are.
    pub given: Given,
    /// Since when.
    pub since: Duration,
}

/// The line that is being typed, without showing it: it opens a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Entry {
    /// Characters of it.
    pub characters: usize,
    /// Lines of an MRZ before it.
    pub lines: usize,
    /// Code of what was wrong with the line before.
    pub error: Option<&'static str>,
}

/// How many cards ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Verdict genuine.
    pub genuine: u64,
    /// Verdict not genuine.
    pub forged: u64,
    /// No verdict: something could not be checked.
    pub inconclusive: u64,
    /// No verdict: the card could not be read.
    pub unread: u64,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.genuine + self.forged + self.inconclusive + self.unread
    }
}

/// A reader and what happens on it.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Name of the reader.
    pub reader: String,
    /// The reader is there.
    pub connected: bool,
    /// A card lies on it.
    pub card: bool,
    /// The card lies there for good: whatever is scanned is for it.
    pub stays: bool,
    /// What happens.
    pub phase: Phase,
    /// The last decision, until the next card or until its time is over.
    pub decision: Option<Decision>,
    /// How the card before ended: the name of its verdict, nothing personal.
    pub previous: Option<&'static str>,
    /// Counts the cards, so that a result is not taken for the next card's.
    pub arrival: u64,
}

impl Lane {
    /// The card that lies on the reader, or lay there last.
    #[must_use]
    pub fn card_on(&self) -> CardOn {
        CardOn { reader: self.reader.clone(), arrival: self.arrival }
    }

    pub(super) fn new(reader: &str) -> Self {
        Self {
            reader: reader.to_owned(),
            connected: true,
            card: false,
            stays: false,
            phase: Phase::Idle,
            decision: None,
            previous: None,
            arrival: 0,
        }
    }
}

/// What happens on a reader.
#[derive(Debug, Clone)]
pub enum Phase {
    /// No card, or one that the checkpoint is done with.
    Idle,
    /// A card lies there, and nothing is known that opens it.
    NeedsAccess {
        /// Since when.
        since: Duration,
        /// What was given before did not open it: only what is scanned anew is tried.
        again: bool,
    },
    /// The holder must agree before the card is read.
    NeedsConsent {
        /// Since when.
        since: Duration,
        /// What opens the card.
        given: Box<Given>,
    },
    /// The card is being read and inspected.
    Inspecting {
        /// Number of the job.
        job: u64,
        /// The card that it is for, see [`Lane::arrival`].
        arrival: u64,
        /// Since when.
        since: Duration,
        /// File that is being read.
        file: Option<FileId>,
        /// Bytes read so far.
        bytes: u64,
    },
}

/// How a card ended.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What came out.
    pub outcome: Outcome,
    /// When.
    pub at: Duration,
    /// From when card and data were both there.
    pub took: Duration,
}

/// What an inspection gave.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The card was read and judged.
    Inspected(Arc<Inspected>),
    /// It could not be read.
    Failed(Trouble),
}

impl Outcome {
    /// Name of the verdict as it is counted and journalled: `genuine`, `forged`, `inconclusive`,
    /// or `unread`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inspected(inspected) => inspected.verdict.as_str(),
            Self::Failed(_) => UNREAD,
        }
    }
}

/// The name of what is no verdict: the card could not be read.
pub const UNREAD: &str = "unread";

/// A card that was read and judged.
#[derive(Debug, Clone)]
pub struct Inspected {
    /// The verdict.
    pub verdict: Verdict,
    /// The checks in the order of the procedure.
    pub checks: Vec<Check>,
    /// Checks of which a verdict of genuine would take one more, where nothing failed.
    pub wanting: Vec<CheckId>,
    /// Who the card says its holder is.
    pub holder: Holder,
    /// The portrait, small enough for any screen.
    pub portrait: Option<RgbImage>,
    /// What took how long.
    pub timing: Timing,
}

impl Inspected {
    /// The checks that say something of the verdict, those that failed first: what failed, what
    /// warns, what is missing for a verdict, and a portrait that cannot be compared. The rest is in
    /// order, or was not asked for.
    #[must_use]
    pub fn telling(&self) -> Vec<&Check> {
        let undecided = self.verdict == Verdict::Inconclusive;
        let tells = |check: &&Check| {
            let wanting = undecided && !check.has_passed() && self.wanting.contains(&check.id);
            let portrait = check.id == CheckId::BiometricsFormat && !check.has_passed();
            check.has_failed() || check.warns() || wanting || portrait
        };
        let mut checks: Vec<&Check> = self.checks.iter().filter(tells).collect();
        checks.sort_by_key(|check| !check.has_failed());
        checks
    }
}

/// Who a card says its holder is. Personal: not shown in `Debug` output.
#[derive(Clone, Default)]
pub struct Holder {
    /// The personal number; the document number where there is none.
    pub number: Option<Zeroizing<String>>,
    /// Name, from the national data or else the MRZ.
    pub name: Option<String>,
    /// Further facts to be shown: field of DG13 by its name in the profile, and its text.
    pub facts: Vec<(String, String)>,
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Holder(***)")
    }
}

/// Parts of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timing {
    /// Opening the card.
    pub access: Duration,
    /// Reading it.
    pub read: Duration,
    /// Judging it.
    pub verify: Duration,
}

/// Why a card could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Stable code, as of the error.
    pub code: &'static str,
    /// What the error said, in English.
    pub detail: String,
    /// What was scanned or typed does not open the card: with other data it may be tried again.
    pub wrong_access: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Evidence;

    #[test]
    fn tells_what_is_wanting_only_where_there_is_no_verdict() {
        let failed =
            Check::failed(CheckId::ChipCa, "chip_authentication_failed", Evidence::new("dg", 14));
        let not_offered = Check::skipped(CheckId::ChipPaceCam, "not_offered");
        let mut inspected = Inspected {
            verdict: Verdict::Forged,
            checks: vec![not_offered, failed],
            wanting: vec![CheckId::ChipPaceCam],
            holder: Holder::default(),
            portrait: None,
            timing: Timing::default(),
        };
        let ids =
            |inspected: &Inspected| inspected.telling().iter().map(|c| c.id).collect::<Vec<_>>();
        assert_eq!(ids(&inspected), [CheckId::ChipCa]);
        inspected.verdict = Verdict::Inconclusive;
        inspected.checks.pop();
        assert_eq!(ids(&inspected), [CheckId::ChipPaceCam]);
    }
}
