//! The steps of a personalisation, each on its own.

use rand_core::CryptoRng;

use super::{Inspection, Observer, PersonalizeError, Progress, ReadBack, Report, Settings, Step};
use crate::apdu::{CommandApdu, Ne, StatusWord};
use crate::globalplatform::command::{self, CardLifeCycle};
use crate::globalplatform::dgi::{self, Block, DataGrouping};
use crate::globalplatform::limits::{self, SHORT_DATA};
use crate::globalplatform::link::{Link, Traffic};
use crate::globalplatform::session::{self, CardIdentity};
use crate::globalplatform::{GlobalPlatformError, LDS1_APPLICATION, image};
use crate::issue::CardImage;
use crate::transport::CardTransport;

/// The longest command data when a command goes out as a chain of short ones.
const CHAINED_DATA: usize = 2048;

/// A card on its way, and what is known of it.
pub struct Personalization<'a, 't> {
    link: Link<'t>,
    image: &'a CardImage,
    settings: &'a Settings<'a>,
    random: &'a mut dyn CryptoRng,
    inspection: &'a mut dyn Inspection,
    observer: &'a mut dyn Observer,
    groupings: Vec<DataGrouping>,
    identity: Option<CardIdentity>,
    /// Whether the card is activated, and then with this very document.
    activated: bool,
    /// Whether the card was opened with the keys that it is to keep.
    keyed: bool,
    write_traffic: Traffic,
    max_data: usize,
}

/// What became of the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// So many blocks.
    Blocks(usize),
    /// The card was locked with this document by an earlier run, which reads back before it locks:
    /// only the card's life cycle is missing.
    LockedBefore,
}

impl core::fmt::Debug for Personalization<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Personalization({:?})", self.link)
    }
}

impl<'a, 't> Personalization<'a, 't> {
    /// Takes a powered card and what is to go onto it. Nothing is sent.
    ///
    /// # Errors
    /// [`PersonalizeError::Image`].
    pub fn new(
        card: &'t mut dyn CardTransport,
        image: &'a CardImage,
        settings: &'a Settings<'a>,
        random: &'a mut dyn CryptoRng,
        inspection: &'a mut dyn Inspection,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, PersonalizeError> {
        Ok(Self {
            link: Link::new(card),
            image,
            settings,
            random,
            inspection,
            observer,
            groupings: image::groupings(image)?,
            identity: None,
            activated: false,
            keyed: settings.new_keys.is_none(),
            write_traffic: Traffic::default(),
            max_data: SHORT_DATA,
        })
    }
}

impl Personalization<'_, '_> {
    /// All steps in their order.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn run(&mut self) -> Result<Report, PersonalizeError> {
        let identity = self.identify()?;
        self.authenticate()?;
        let keys_changed = self.change_keys()?;
        let (protocol, key_version, level) = match self.link.channel() {
            Some(channel) => (channel.protocol(), channel.key_version(), channel.level()),
            None => return Err(GlobalPlatformError::ChannelClosed.into()),
        };
        let (blocks, read_back) = match self.write()? {
            Written::LockedBefore => (0, None),
            Written::Blocks(blocks) => (blocks, Some(self.read_back()?)),
        };
        let life_cycle = self.lock(read_back.is_some())?;
        Ok(Report {
            identity,
            protocol,
            key_version,
            level,
            keys_changed,
            resumed: self.activated,
            file_bytes: self.image.total_bytes(),
            blocks,
            max_data: self.max_data,
            traffic: self.link.traffic(),
            write_traffic: self.write_traffic,
            read_back,
            life_cycle,
        })
    }

    fn before(&mut self, step: Step) -> Result<(), PersonalizeError> {
        self.observer.before(step, self.identity.as_ref()).map_err(|stopped| {
            PersonalizeError::Stopped { step, code: stopped.code, message: stopped.message }
        })
    }

    fn tell(&mut self, step: Step, done: usize, total: usize) {
        let traffic = self.link.traffic();
        self.observer.progress(Progress { step, done, total, traffic });
    }

    /// [`Step::Identify`]: finds out, without authentication and without writing, what card this
    /// is. A card with another document, or of another kind, is refused.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn identify(&mut self) -> Result<CardIdentity, PersonalizeError> {
        self.before(Step::Identify)?;
        self.tell(Step::Identify, 0, 1);
        self.link.reset()?;
        self.activated = self.is_activated()?;
        if self.activated {
            self.link.reset()?;
            if !self.inspection.is_same_document(self.link.transport(), self.image)? {
                return Err(PersonalizeError::AlreadyPersonalised);
            }
        }
        self.link.reset()?;
        session::select_issuer_domain(&mut self.link)?;
        let identity = session::identify(&mut self.link)?;
        let (protocol, reason) = if self.settings.keys.is_triple_des() {
            (2, "it announces no SCP02, which triple DES keys are for")
        } else {
            (3, "it announces no SCP03, which AES keys are for")
        };
        if identity.recognition.is_some() && identity.options(protocol).is_none() {
            return Err(PersonalizeError::WrongCard { reason });
        }
        self.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Whether the card carried this very document before anything was written: known after
    /// [`Step::Identify`].
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.activated
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

    /// [`Step::Authenticate`]: opens the channel and checks the life cycle. Whether the card has its
    /// new keys already comes out of its own proof: no wrong key is shown to it.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn authenticate(&mut self) -> Result<(), PersonalizeError> {
        self.before(Step::Authenticate)?;
        self.tell(Step::Authenticate, 0, 1);
        self.open_channel()?;
        let state = session::card_life_cycle(&mut self.link)?;
        if state >= CardLifeCycle::Secured {
            return Err(PersonalizeError::AlreadyIssued { state: state.name() });
        }
        Ok(())
    }

    fn open_channel(&mut self) -> Result<(), PersonalizeError> {
        let Settings { keys, new_keys, level, .. } = *self.settings;
        match new_keys {
            Some(new) if self.keyed => {
                session::authenticate(&mut self.link, new, level, self.random)?;
            }
            Some(new) => {
                let candidates = [keys, new];
                let link = &mut self.link;
                let held = session::authenticate_with_any(link, &candidates, level, self.random)?;
                self.keyed = held == 1;
            }
            None => session::authenticate(&mut self.link, keys, level, self.random)?,
        }
        Ok(())
    }

    /// [`Step::Keys`]: replaces the keys of the card and opens a session with the new ones. `false`
    /// where there is nothing to replace.
    ///
    /// # Errors
    /// [`PersonalizeError`]; [`GlobalPlatformError::KeyCheckValue`] when the card confirms others.
    pub fn change_keys(&mut self) -> Result<bool, PersonalizeError> {
        let Some(new) = self.settings.new_keys.filter(|_| !self.keyed) else { return Ok(false) };
        self.before(Step::Keys)?;
        self.tell(Step::Keys, 0, 1);
        session::change_keys(&mut self.link, new)?;
        self.keyed = true;
        self.link.reset()?;
        session::select_issuer_domain(&mut self.link)?;
        self.open_channel()?;
        self.tell(Step::Keys, 1, 1);
        Ok(true)
    }

    fn install(&mut self) -> Result<(), PersonalizeError> {
        let command = command::install_for_personalization(&LDS1_APPLICATION);
        self.link.secure_ok("INSTALL [for personalization]", &command)?;
        Ok(())
    }

    /// [`Step::Write`]: writes keys, protocols and files and activates the application. Needs a
    /// session.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn write(&mut self) -> Result<Written, PersonalizeError> {
        self.before(Step::Write)?;
        let atr = self.link.atr().to_vec();
        let announced =
            limits::longest_data(&atr, self.link.max_command_length(), Some(self.image));
        self.max_data = self.settings.max_data.unwrap_or(announced).min(announced);
        let before = self.link.traffic();
        let written = self.write_all()?;
        self.write_traffic = self.link.traffic().since(before);
        Ok(written)
    }

    /// Writes. Where the card takes no extended command after all, once more with short ones; a
    /// locked card says so at the first command.
    fn write_all(&mut self) -> Result<Written, PersonalizeError> {
        let failed = match self.write_blocks(self.max_data) {
            Ok(blocks) => return Ok(Written::Blocks(blocks)),
            Err(failed) => failed,
        };
        match failed.status() {
            Some(StatusWord::CONDITIONS) if failed.blocks == 0 && self.activated => {
                Ok(Written::LockedBefore)
            }
            Some(StatusWord::CONDITIONS) if failed.blocks == 0 => Err(PersonalizeError::Locked),
            Some(StatusWord::WRONG_LENGTH) if failed.long && self.max_data > SHORT_DATA => {
                self.max_data = SHORT_DATA;
                self.link.reset()?;
                session::select_issuer_domain(&mut self.link)?;
                self.open_channel()?;
                let blocks = self.write_blocks(SHORT_DATA).map_err(|failed| failed.error)?;
                Ok(Written::Blocks(blocks))
            }
            _ => Err(failed.error),
        }
    }

    fn blocks(&self, max_data: usize) -> Result<Vec<Block>, PersonalizeError> {
        let channel = self.link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
        let key = channel.data_encryption();
        let mut list = self.groupings.clone();
        list.push(DataGrouping::new(image::ACTIVATE, []));
        let large = channel.room(max_data.max(CHAINED_DATA));
        Ok(dgi::pack(&list, key, channel.room(max_data), large)?)
    }

    fn write_blocks(&mut self, max_data: usize) -> Result<usize, WriteError> {
        let before = |error| WriteError { blocks: 0, long: false, error };
        self.link.allow_extended_length(max_data > SHORT_DATA);
        self.install().map_err(before)?;
        let blocks = self.blocks(max_data).map_err(before)?;
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

    /// [`Step::ReadBack`]: resets the card, reads it as an inspection system does and compares.
    ///
    /// # Errors
    /// [`PersonalizeError::ReadBack`].
    pub fn read_back(&mut self) -> Result<ReadBack, PersonalizeError> {
        self.before(Step::ReadBack)?;
        self.tell(Step::ReadBack, 0, self.image.total_bytes());
        self.link.reset()?;
        Ok(self.inspection.read_back(self.link.transport(), self.image)?)
    }

    /// [`Step::Lock`]: locks the application, unless an earlier run did, and brings the card to
    /// SECURED.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn lock(&mut self, application: bool) -> Result<CardLifeCycle, PersonalizeError> {
        self.before(Step::Lock)?;
        self.tell(Step::Lock, 0, 1);
        self.link.reset()?;
        session::select_issuer_domain(&mut self.link)?;
        self.open_channel()?;
        if application {
            self.lock_application()?;
        }
        let state = session::secure_card(&mut self.link)?;
        if state != CardLifeCycle::Secured {
            return Err(PersonalizeError::NotSecured { state: state.name() });
        }
        self.tell(Step::Lock, 1, 1);
        Ok(state)
    }

    fn lock_application(&mut self) -> Result<(), PersonalizeError> {
        self.install()?;
        let channel = self.link.channel().ok_or(GlobalPlatformError::ChannelClosed)?;
        let room = channel.room(SHORT_DATA);
        let key = channel.data_encryption();
        let blocks = dgi::pack(&[DataGrouping::new(image::LOCK, [])], key, room, room)?;
        for block in &blocks {
            let command = command::store_data(&block.data, false, true, 0);
            self.link.secure_ok("STORE DATA", &command)?;
        }
        Ok(())
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
