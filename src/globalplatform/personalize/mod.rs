//! The personalisation of one card: identify, authenticate, change keys, write, activate, read
//! back, lock.
//!
//! Every step can be repeated. A card that was torn out before it was locked is written again from
//! the start; one that was torn out after it was locked is read back and issued, never written.
//! [`personalize`] runs all steps; [`Personalization`] has each of them on its own, for a
//! production line that goes on where its journal and the card say.

mod commands;
mod error;
mod steps;

use rand_core::CryptoRng;

use super::command::CardLifeCycle;
use super::link::Traffic;
use super::session::CardIdentity;
use super::{ChannelProtocol, KeySet, SecurityLevel};
use crate::issue::CardImage;
use crate::transport::CardTransport;

pub use commands::{CommandReport, personalize_by_commands};
pub use error::{PersonalizeError, ReadBackError};
pub use steps::{Personalization, Written};

/// Reads a card as an inspection system does, with the keys in its image.
pub trait Inspection {
    /// Whether the card, which answers as an activated one, carries the document of this image:
    /// it opens with its keys and its DG1 is the same. Tries to open it once.
    ///
    /// # Errors
    /// [`ReadBackError`] when the card does not answer; a card that refuses the keys is `false`.
    fn is_same_document(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<bool, ReadBackError>;

    /// Reads every file that can be read and compares it with the image, and has the card prove
    /// its keys.
    ///
    /// # Errors
    /// [`ReadBackError`].
    fn read_back(
        &mut self,
        card: &mut dyn CardTransport,
        image: &CardImage,
    ) -> Result<ReadBack, ReadBackError>;
}

/// What reading back showed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadBack {
    /// Bytes compared.
    pub bytes: u64,
    /// Files compared.
    pub files: usize,
    /// Files behind Terminal Authentication: not read.
    pub unread: Vec<u16>,
    /// Keys proven: protocols by name.
    pub keys_proven: Vec<&'static str>,
    /// Access protocol used.
    pub access: Option<String>,
    /// What went over the line.
    pub traffic: Traffic,
}

/// How to personalise.
#[derive(Debug)]
pub struct Settings<'a> {
    /// Keys of the issuer security domain: those that the card comes with.
    pub keys: &'a KeySet,
    /// Keys to put in their place before anything is written; a card that has them already is
    /// opened with them.
    pub new_keys: Option<&'a KeySet>,
    /// Protection of the secure channel; `None` takes the strongest that the card announces.
    pub level: Option<SecurityLevel>,
    /// The longest protected command data; `None` takes what card and reader announce.
    pub max_data: Option<usize>,
}

impl<'a> Settings<'a> {
    /// With these keys, which stay, and the strongest and longest that card and reader announce.
    #[must_use]
    pub const fn new(keys: &'a KeySet) -> Self {
        Self { keys, new_keys: None, level: None, max_data: None }
    }
}

/// Steps of a personalisation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Read-only: what card is this?
    Identify,
    /// Open the secure channel.
    Authenticate,
    /// Replace the keys of the card.
    Keys,
    /// Write keys and files, activate.
    Write,
    /// Read back and compare.
    ReadBack,
    /// Lock and set the card's life cycle.
    Lock,
}

impl Step {
    /// Stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Authenticate => "authenticate",
            Self::Keys => "keys",
            Self::Write => "write",
            Self::ReadBack => "read_back",
            Self::Lock => "lock",
        }
    }
}

/// Where a personalisation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The step.
    pub step: Step,
    /// What of it is done, in its own units (bytes for writing).
    pub done: usize,
    /// All of it; at least `done`.
    pub total: usize,
    /// What went over the line so far, reading back left out.
    pub traffic: Traffic,
}

/// Follows a personalisation, and may stop it between its steps.
///
/// A production line writes its journal in [`Observer::before`]: a step that the journal does not
/// know of has sent nothing that changes the card.
pub trait Observer {
    /// Called before a step sends its first command; `card` is what the card said of itself, from
    /// the step after [`Step::Identify`] on.
    ///
    /// # Errors
    /// [`Stopped`]: the step does not begin.
    fn before(&mut self, step: Step, card: Option<&CardIdentity>) -> Result<(), Stopped> {
        let _ = (step, card);
        Ok(())
    }

    /// Called as a step goes on.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }
}

/// Why an observer stopped a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Stable code.
    pub code: &'static str,
    /// The reason.
    pub message: String,
}

/// What was done to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the card said of itself.
    pub identity: CardIdentity,
    /// Protocol of the session and its options.
    pub protocol: ChannelProtocol,
    /// Version of the keys used.
    pub key_version: u8,
    /// Protection of the session.
    pub level: SecurityLevel,
    /// Whether the keys of the card were replaced in this run.
    pub keys_changed: bool,
    /// Whether an interrupted personalisation was taken up.
    pub resumed: bool,
    /// Bytes of all files.
    pub file_bytes: usize,
    /// STORE DATA commands.
    pub blocks: usize,
    /// The longest protected command data used.
    pub max_data: usize,
    /// What went over the line from power on to lock, reading back left out.
    pub traffic: Traffic,
    /// Bytes of STORE DATA commands.
    pub write_traffic: Traffic,
    /// What reading back showed; `None` where the card was locked by an earlier run, which had
    /// read it back.
    pub read_back: Option<ReadBack>,
    /// Life cycle of the card at the end.
    pub life_cycle: CardLifeCycle,
}

impl Report {
    /// Bytes of STORE DATA commands for each byte of a file; `None` when nothing was written.
    #[must_use]
    pub fn overhead(&self) -> Option<f64> {
        let written = self.write_traffic.sent;
        (written > 0 && self.file_bytes > 0).then(|| written as f64 / self.file_bytes as f64)
    }
}

/// Personalises the card, all steps in their order.
///
/// # Errors
/// [`PersonalizeError`]; a card that is not locked yet can be tried again, except after a failed
/// authentication.
pub fn personalize(
    card: &mut dyn CardTransport,
    image: &CardImage,
    settings: &Settings<'_>,
    random: &mut dyn CryptoRng,
    inspection: &mut dyn Inspection,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, PersonalizeError> {
    struct Silent<'p>(&'p mut dyn FnMut(Progress));
    impl Observer for Silent<'_> {
        fn progress(&mut self, progress: Progress) {
            (self.0)(progress);
        }
    }
    let mut observer = Silent(progress);
    Personalization::new(card, image, settings, random, inspection, &mut observer)?.run()
}

#[cfg(test)]
mod tests;
