//! The personalisation of one card: identify, authenticate, write, activate, read back, lock.
//!
//! Every step can be repeated. A card that was torn out before it was locked is written again from
//! the start; one that was torn out after it was locked is read back and issued, never written.

use rand_core::CryptoRng;
use thiserror::Error;

use super::command::{self, CardLifeCycle};
use super::dgi::{self, Block, DataGrouping};
use super::image::{self, ImageError};
use super::limits::{self, SHORT_DATA};
use super::link::{Link, Traffic};
use super::session::{self, CardIdentity};
use super::{GlobalPlatformError, KeySet, LDS1_APPLICATION, SecurityLevel};
use crate::apdu::{CommandApdu, Ne, StatusWord};
use crate::error::ErrorCode;
use crate::issue::{CardImage, Location};
use crate::transport::CardTransport;

/// The longest command data when a command goes out as a chain of short ones.
const CHAINED_DATA: usize = 2048;

/// Why a card was not personalised.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PersonalizeError {
    /// The exchange with the security domain failed.
    #[error(transparent)]
    GlobalPlatform(#[from] GlobalPlatformError),
    /// The image cannot go onto a card.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The card is not of a kind that can be personalised; no authentication was tried.
    #[error("not a card to personalise: {reason}")]
    WrongCard {
        /// Why.
        reason: &'static str,
    },
    /// The card carries another document, or one that cannot be opened with this one's keys.
    #[error("the card is personalised already with another document")]
    AlreadyPersonalised,
    /// The card is issued: its life cycle allows no personalisation.
    #[error("the card is issued already: its life cycle is {state}")]
    AlreadyIssued {
        /// Life cycle state of the card.
        state: &'static str,
    },
    /// The card was locked with other data than those of this image.
    #[error("the card is locked and its data cannot be changed")]
    Locked,
    /// What the card holds was not shown to be what was written. The card was not locked.
    #[error(transparent)]
    ReadBack(#[from] ReadBackError),
    /// The card did not reach its final state.
    #[error("the card stays in life cycle {state}")]
    NotSecured {
        /// Life cycle state of the card.
        state: &'static str,
    },
}

/// Why reading back failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadBackError {
    /// The card could not be read.
    #[error("reading back: {message}")]
    Failed {
        /// Code of the error below.
        code: &'static str,
        /// What it said.
        message: String,
    },
    /// A file differs from what was written.
    #[error("file {fid:04X} differs from what was written at offset {offset}")]
    Differs {
        /// Where it stands.
        location: Location,
        /// File identifier.
        fid: u16,
        /// First byte that differs.
        offset: usize,
    },
    /// A key of the card does not belong to the public key in its files.
    #[error("{protocol} with the card failed: {message}")]
    Key {
        /// `Chip Authentication` or `Active Authentication`.
        protocol: &'static str,
        /// What was wrong.
        message: String,
    },
}

impl ErrorCode for ReadBackError {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed { code, .. } => code,
            Self::Differs { .. } => "read_back_differs",
            Self::Key { .. } => "read_back_key",
        }
    }
}

impl ErrorCode for PersonalizeError {
    fn code(&self) -> &'static str {
        match self {
            Self::GlobalPlatform(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::WrongCard { .. } => "personalize_wrong_card",
            Self::AlreadyPersonalised => "card_already_personalised",
            Self::AlreadyIssued { .. } => "card_already_issued",
            Self::Locked => "card_locked",
            Self::ReadBack(error) => error.code(),
            Self::NotSecured { .. } => "card_not_secured",
        }
    }
}

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
    /// Keys of the issuer security domain.
    pub keys: &'a KeySet,
    /// Protection of the secure channel; `None` takes the strongest that the card announces.
    pub level: Option<SecurityLevel>,
    /// The longest protected command data; `None` takes what card and reader announce.
    pub max_data: Option<usize>,
}

/// Steps of a personalisation, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Read-only: what card is this?
    Identify,
    /// Open the secure channel.
    Authenticate,
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

/// What was done to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the card said of itself.
    pub identity: CardIdentity,
    /// The "i" parameter of the session.
    pub scp03_options: u8,
    /// Version of the keys used.
    pub key_version: u8,
    /// Protection of the session.
    pub level: SecurityLevel,
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

/// Personalises the card.
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
    let groupings = image::groupings(image)?;
    let mut flow = Flow { link: Link::new(card), image, settings, random, inspection, progress };
    flow.run(&groupings)
}

struct Flow<'a, 't> {
    link: Link<'t>,
    image: &'a CardImage,
    settings: &'a Settings<'a>,
    random: &'a mut dyn CryptoRng,
    inspection: &'a mut dyn Inspection,
    progress: &'a mut dyn FnMut(Progress),
}

/// What became of the write.
enum Written {
    /// So many blocks.
    Blocks(usize),
    /// The card was locked with this document by an earlier run, which reads back before it locks:
    /// only the card's life cycle is missing.
    LockedBefore,
}

impl Flow<'_, '_> {
    fn run(&mut self, groupings: &[DataGrouping]) -> Result<Report, PersonalizeError> {
        self.tell(Step::Identify, 0, 1);
        let (identity, activated) = self.identify()?;
        self.tell(Step::Authenticate, 0, 1);
        self.authenticate()?;
        let (session, level) = match self.link.channel() {
            Some(channel) => (channel.card().clone(), channel.level()),
            None => return Err(GlobalPlatformError::ChannelClosed.into()),
        };
        let atr = self.link.atr().to_vec();
        let announced =
            limits::longest_data(&atr, self.link.max_command_length(), Some(self.image));
        let mut max_data = self.settings.max_data.unwrap_or(announced).min(announced);

        let before = self.link.traffic();
        let written = self.write_all(groupings, &mut max_data, activated)?;
        let write_traffic = self.link.traffic().since(before);

        let (blocks, read_back) = match written {
            Written::LockedBefore => (0, None),
            Written::Blocks(blocks) => {
                self.tell(Step::ReadBack, 0, self.image.total_bytes());
                self.link.reset()?;
                let card = self.link.transport();
                (blocks, Some(self.inspection.read_back(card, self.image)?))
            }
        };
        self.tell(Step::Lock, 0, 1);
        let life_cycle = self.lock(read_back.is_some())?;
        self.tell(Step::Lock, 1, 1);
        Ok(Report {
            identity,
            scp03_options: session.options.parameter(),
            key_version: session.key_version,
            level,
            resumed: activated,
            file_bytes: self.image.total_bytes(),
            blocks,
            max_data,
            traffic: self.link.traffic(),
            write_traffic,
            read_back,
            life_cycle,
        })
    }

    fn tell(&mut self, step: Step, done: usize, total: usize) {
        let traffic = self.link.traffic();
        (self.progress)(Progress { step, done, total, traffic });
    }

    /// Finds out, without authentication and without writing, what card this is. The second value
    /// tells whether it is activated, and then with this very document.
    fn identify(&mut self) -> Result<(CardIdentity, bool), PersonalizeError> {
        self.link.reset()?;
        let activated = self.is_activated()?;
        if activated {
            self.link.reset()?;
            if !self.inspection.is_same_document(self.link.transport(), self.image)? {
                return Err(PersonalizeError::AlreadyPersonalised);
            }
        }
        self.link.reset()?;
        session::select_issuer_domain(&mut self.link)?;
        let identity = session::identify(&mut self.link)?;
        if identity.recognition.is_some() && identity.scp03_options().is_none() {
            return Err(PersonalizeError::WrongCard { reason: "it announces no SCP03" });
        }
        Ok((identity, activated))
    }

    /// Whether EF.COM is there, readable or behind access control.
    fn is_activated(&mut self) -> Result<bool, PersonalizeError> {
        let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x0C).with_data(LDS1_APPLICATION);
        if !self.link.plain(&select)?.status.is_ok() {
            return Ok(false);
        }
        // READ BINARY by the short identifier of EF.COM.
        let read = CommandApdu::new(0x00, 0xB0, 0x9E, 0x00).with_ne(Ne::new(1));
        let status = self.link.plain(&read)?.status;
        Ok(matches!(status, StatusWord::OK | StatusWord::END_OF_FILE | StatusWord::SECURITY_STATUS))
    }

    /// Opens the channel and checks the life cycle.
    fn authenticate(&mut self) -> Result<(), PersonalizeError> {
        self.open_channel()?;
        let state = session::card_life_cycle(&mut self.link)?;
        if state >= CardLifeCycle::Secured {
            return Err(PersonalizeError::AlreadyIssued { state: state.name() });
        }
        Ok(())
    }

    fn open_channel(&mut self) -> Result<(), PersonalizeError> {
        let Settings { keys, level, .. } = *self.settings;
        Ok(session::authenticate(&mut self.link, keys, level, self.random)?)
    }

    fn install(&mut self) -> Result<(), PersonalizeError> {
        let command = command::install_for_personalization(&LDS1_APPLICATION);
        self.link.secure_ok("INSTALL [for personalization]", &command)?;
        Ok(())
    }

    /// Writes. Where the card takes no extended command after all, once more with short ones; a
    /// locked card says so at the first command.
    fn write_all(
        &mut self,
        groupings: &[DataGrouping],
        max_data: &mut usize,
        activated: bool,
    ) -> Result<Written, PersonalizeError> {
        let failed = match self.write(groupings, *max_data) {
            Ok(blocks) => return Ok(Written::Blocks(blocks)),
            Err(failed) => failed,
        };
        match failed.status() {
            Some(StatusWord::CONDITIONS) if failed.blocks == 0 && activated => {
                Ok(Written::LockedBefore)
            }
            Some(StatusWord::CONDITIONS) if failed.blocks == 0 => Err(PersonalizeError::Locked),
            Some(StatusWord::WRONG_LENGTH) if failed.long && *max_data > SHORT_DATA => {
                *max_data = SHORT_DATA;
                self.link.reset()?;
                session::select_issuer_domain(&mut self.link)?;
                self.open_channel()?;
                let blocks = self.write(groupings, SHORT_DATA).map_err(|failed| failed.error)?;
                Ok(Written::Blocks(blocks))
            }
            _ => Err(failed.error),
        }
    }

    fn blocks(
        &self,
        groupings: &[DataGrouping],
        max_data: usize,
    ) -> Result<Vec<Block>, PersonalizeError> {
        let channel = self.link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
        let key = &self.settings.keys.data_encryption;
        let mut list = groupings.to_vec();
        list.push(DataGrouping::new(image::ACTIVATE, []));
        let large = channel.room(max_data.max(CHAINED_DATA));
        Ok(dgi::pack(&list, key, channel.room(max_data), large)?)
    }

    fn write(&mut self, groupings: &[DataGrouping], max_data: usize) -> Result<usize, WriteError> {
        let before = |error| WriteError { blocks: 0, long: false, error };
        self.link.allow_extended_length(max_data > SHORT_DATA);
        self.install().map_err(before)?;
        let blocks = self.blocks(groupings, max_data).map_err(before)?;
        let total: usize = blocks.iter().map(|block| block.data.len()).sum();
        let (mut done, mut number, mut long_before) = (0, 0u8, false);
        for (index, block) in blocks.iter().enumerate() {
            self.tell(Step::Write, done, total);
            let last = index + 1 == blocks.len();
            let long = block.data.len() > SHORT_DATA;
            let command = command::store_data(&block.data, block.encrypted, last, number);
            self.link.secure_ok("STORE DATA", &command).map_err(|error| WriteError {
                blocks: index,
                long: long && !long_before,
                error: error.into(),
            })?;
            done += block.data.len();
            number = number.wrapping_add(1);
            long_before |= long;
        }
        self.tell(Step::Write, done, total);
        Ok(blocks.len())
    }

    /// Locks the application, then brings the card to SECURED.
    fn lock(&mut self, lock: bool) -> Result<CardLifeCycle, PersonalizeError> {
        self.link.reset()?;
        session::select_issuer_domain(&mut self.link)?;
        self.open_channel()?;
        if lock {
            self.install()?;
            let channel = self.link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
            let room = channel.room(SHORT_DATA);
            let key = &self.settings.keys.data_encryption;
            let blocks = dgi::pack(&[DataGrouping::new(image::LOCK, [])], key, room, room)?;
            for block in &blocks {
                let command = command::store_data(&block.data, false, true, 0);
                self.link.secure_ok("STORE DATA", &command)?;
            }
        }
        let state = session::secure_card(&mut self.link)?;
        if state != CardLifeCycle::Secured {
            return Err(PersonalizeError::NotSecured { state: state.name() });
        }
        Ok(state)
    }
}

/// A failed write.
struct WriteError {
    /// Blocks that the card had taken before.
    blocks: usize,
    /// Whether the command refused was the first one too long for a short APDU.
    long: bool,
    error: PersonalizeError,
}

impl WriteError {
    /// The status word, where the card refused a command.
    const fn status(&self) -> Option<StatusWord> {
        match &self.error {
            PersonalizeError::GlobalPlatform(GlobalPlatformError::Refused { status, .. }) => {
                Some(*status)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "personalize_tests.rs"]
mod tests;
