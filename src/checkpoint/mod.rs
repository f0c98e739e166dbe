//! The checkpoint: from a card laid on a reader to a verdict on a screen, card after card.
//!
//! Nothing here does input or output, and nothing here knows a language. What happens comes in as
//! an [`Event`] with the time since the start; what shall be done comes out as [`Action`]s; what is
//! to be seen is [`State`], plain data.
//!
//! # How a view attaches
//!
//! A view is anything that draws [`State`] and sends [`Event`]s: the terminal, a page. Whoever runs
//! the checkpoint (`cli::checkpoint::run`) owns the one [`Checkpoint`], takes events from a channel,
//! does the [`Action`]s (starts inspections, writes the journal), and after each event hands the
//! state to its views. A view keeps a sender of that channel for what its person does:
//! [`Event::Character`], [`Event::Enter`] and [`Event::Backspace`] for keys one by one,
//! [`Event::Line`] for a field of a form, [`Event::Consent`] for a button, [`Event::Clear`] to wipe
//! what is shown. Headlines, colours and reasons in both languages are the same for all views:
//! `cli::checkpoint::panel`.
//!
//! # Rules
//!
//! - A card is opened by what was scanned last, or by the next entry of a list. What was scanned is
//!   for one card, and is forgotten after a while.
//! - Where cards lie on several readers, the one that has waited longest is next.
//! - A card that refuses what was given is tried again only with what is scanned anew: nothing is
//!   guessed. An entry of a list is never tried twice.
//! - A card that was judged is not read again before it is taken off and laid on again.
//! - The verdict of a card leaves the screen when the next card comes, or after a while.

mod given;
mod journal;
mod machine;
mod state;
mod wedge;

use std::time::Duration;

use zeroize::Zeroizing;

use crate::lds::FileId;

pub use given::{Given, GivenError, MAX_TEXT};
pub use journal::{Reason, Record, SCHEMA as JOURNAL_SCHEMA, Salt};
pub use machine::{Checkpoint, MAX_LANES};
pub use state::{
    Decision, Entry, Holder, Inspected, Lane, Outcome, Pending, Phase, State, Tally, Timing,
    Trouble, UNREAD,
};
pub use wedge::{Typed, Wedge};

/// How a checkpoint is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The holder of each card must agree before it is read.
    pub consent: bool,
    /// How long scanned data wait for their card.
    pub keep_scanned: Duration,
    /// How long a decision is shown.
    pub keep_shown: Duration,
    /// End when a list has no more data.
    pub end_with_list: bool,
    /// End after so many cards.
    pub cards: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consent: false,
            keep_scanned: Duration::from_secs(60),
            keep_shown: Duration::from_secs(60),
            end_with_list: false,
            cards: None,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A reader is there.
    ReaderAdded(String),
    /// A reader went away, and a card on it with it.
    ReaderGone(String),
    /// A card was laid on a reader.
    CardPresent(String),
    /// A card was taken off a reader.
    CardRemoved(String),
    /// A card lies on a reader for good, a software card in a file: whatever is scanned is for it,
    /// as if it were laid on anew.
    CardStays(String),
    /// The PC/SC service stopped, or runs again.
    Service {
        /// It does not run.
        down: bool,
    },
    /// A scanner that is no keyboard was unplugged, or is there again.
    Scanner {
        /// It is not there.
        down: bool,
    },
    /// A key was pressed, or a scanner typed.
    Character(char),
    /// The last character is taken back.
    Backspace,
    /// The line ends.
    Enter,
    /// A whole line came at once.
    Line(Zeroizing<String>),
    /// Whoever stands there wants everything wiped: what was typed, scanned, and decided.
    Clear,
    /// The holder's answer to the notice.
    Consent {
        /// Yes or no.
        agreed: bool,
        /// The card that was asked about; none for the one that has waited longest.
        card: Option<CardOn>,
    },
    /// Data for one card from a list.
    Queued(Given),
    /// The list ends.
    QueueEnded,
    /// A file of the card is being read.
    Progress {
        /// Which inspection.
        job: u64,
        /// Which file.
        file: FileId,
        /// Bytes read of all files.
        bytes: u64,
    },
    /// An inspection ended.
    Finished {
        /// Which.
        job: u64,
        /// How.
        outcome: Outcome,
    },
    /// Time passed.
    Tick,
}

/// Which card on which reader, so that what is meant for one is not taken for the next one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardOn {
    /// Name of the reader.
    pub reader: String,
    /// [`Lane::arrival`] of the card.
    pub arrival: u64,
}

/// Something to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Read and inspect the card; [`Event::Finished`] must follow.
    Inspect(Job),
    /// Write how a card ended into the journal.
    Record(Record),
    /// The checkpoint is at its end.
    Finish,
}

/// An inspection to be made.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number.
    pub id: u64,
    /// The reader on which the card lies.
    pub reader: String,
    /// What opens the card.
    pub given: Given,
}
