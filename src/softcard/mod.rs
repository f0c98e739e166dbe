//! The software card: the applications of `applets/` on an operating system, with non-volatile
//! memory in one file, reachable in-process or as a card in the PC/SC system.

pub mod air;
mod error;
mod file_memory;
mod image;
mod memory;
pub mod misbehaviour;
mod pacing;
pub mod vpcd;

use std::path::Path;

use cancuoc_applet_emrtd::Emrtd;
use cancuoc_applet_integrated_documents::IntegratedDocuments;
use cancuoc_applet_issuer_domain::{self as issuer_domain, Channels, IssuerDomain};
use cancuoc_card_runtime::{Application, NonVolatileMemory, OperatingSystem};
use rand_core::CryptoRng;

use crate::transport::{AirMeter, CardTransport, TransportError};
use air::AirLink;
pub use cancuoc_applet_emrtd::{
    Access, FileHeader, LifeCycle as ApplicationLifeCycle, Location, TrustSummary,
};
pub use cancuoc_applet_integrated_documents::{Kind as DocumentKind, Object as DocumentObject};
pub use cancuoc_applet_issuer_domain::{
    KeySet, KeyType, LifeCycle as CardLifeCycle, MAX_FAILED_TRIES, Provisioning,
};
pub use error::SoftCardError;
pub use file_memory::FileMemory;
pub use image::personalised;
pub use memory::{PowerCut, RamMemory};
pub use misbehaviour::Misbehaviour;
use misbehaviour::{Link, Player, Reaction};
use pacing::PacedLink;
pub use pacing::Pacing;

/// Answer to reset: protocol T=1, historical bytes with the card capabilities that announce short
/// file identifiers, command chaining and extended length (ISO/IEC 7816-4 §8.1.1.2.7).
pub const ATR: [u8; 10] = [0x3B, 0x85, 0x80, 0x01, 0x80, 0x73, 0xF8, 0x21, 0xC0, 0xEE];

/// Most bytes of a command APDU that the card takes: header, extended length field, 65 535 bytes,
/// extended Le.
pub const MAX_COMMAND_LENGTH: usize = 4 + 3 + 65_535 + 2;

/// What a blank card is made with.
#[derive(Clone)]
pub struct BlankOptions {
    /// First key set of the issuer security domain.
    pub keys: KeySet,
    /// Whether the card has SCP03, for key sets of AES.
    pub scp03: bool,
    /// SCP03 options `i`: 70, 60, …; 01 is S16 mode.
    pub scp03_options: u8,
    /// SCP02 options `i`, 15, 35, 55 or 75, where the card has SCP02 for key sets of triple DES.
    pub scp02_options: Option<u8>,
    /// Failed authentications in a row after which the issuer security domain takes no more.
    pub max_failed_tries: u8,
    /// Serial number of the chip, four bytes: it stands in the card production life cycle data.
    pub serial: [u8; 4],
}

/// What a card says of itself without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Life cycle of the card.
    pub card: CardLifeCycle,
    /// Life cycle of the LDS1 application.
    pub application: ApplicationLifeCycle,
    /// Files.
    pub files: Vec<FileHeader>,
    /// What Terminal Authentication starts from, where the card has it.
    pub trust: Option<TrustSummary>,
    /// Integrated documents that there are or were, by kind.
    pub documents: Vec<(DocumentKind, DocumentObject)>,
}

/// A software card, powered on.
pub struct SoftCard {
    system: OperatingSystem,
    /// What goes wrong on its link on purpose.
    link: Link,
    /// How long things take on its link, where that is modelled.
    paced: Option<PacedLink>,
    memory: Box<dyn NonVolatileMemory + Send>,
    random: Box<dyn CryptoRng + Send>,
}

impl BlankOptions {
    /// The well-known test keys (40 41 … 4F) in version 30, SCP03 with i=70: for tests and demos,
    /// never for real cards.
    #[must_use]
    pub fn test(serial: [u8; 4]) -> Self {
        let key: zeroize::Zeroizing<Vec<u8>> = zeroize::Zeroizing::new((0x40..0x50).collect());
        let keys = KeySet {
            version: 0x30,
            key_type: KeyType::Aes,
            encryption: key.clone(),
            authentication: key.clone(),
            data: key,
        };
        Self {
            keys,
            scp03: true,
            scp03_options: 0x70,
            scp02_options: None,
            max_failed_tries: MAX_FAILED_TRIES,
            serial,
        }
    }

    /// The same with triple DES keys and SCP02 alone, with i=55.
    #[must_use]
    pub fn test_scp02(serial: [u8; 4]) -> Self {
        let mut options = Self::test(serial);
        options.keys.key_type = KeyType::Tdes;
        Self { scp03: false, scp02_options: Some(0x55), ..options }
    }

    fn provisioning(&self) -> Provisioning {
        let mut cplc = [0; 42];
        // Fabricator and type "software card", then the serial number (GlobalPlatform CPLC).
        cplc[..4].copy_from_slice(&[0xCA, 0x0C, 0x00, 0x01]);
        cplc[10..12].copy_from_slice(&[0x26, 0x01]);
        cplc[12..16].copy_from_slice(&self.serial);
        cplc[16..18].copy_from_slice(&[0x00, 0x01]);
        let channels =
            Channels { scp02: self.scp02_options, scp03: self.scp03.then_some(self.scp03_options) };
        let max_failed_tries = self.max_failed_tries;
        Provisioning { keys: self.keys.clone(), channels, max_failed_tries, cplc }
    }
}

impl SoftCard {
    /// Makes a blank card in a new file of mode 0600.
    ///
    /// # Errors
    /// [`SoftCardError`]; also when the file exists.
    pub fn create(path: &Path, options: &BlankOptions) -> Result<Self, SoftCardError> {
        let memory = FileMemory::create(path)?;
        Self::provision(Box::new(memory), options, system_random())
    }

    /// Opens the card in a file. Another process that has it open is refused.
    ///
    /// # Errors
    /// [`SoftCardError`].
    pub fn open(path: &Path) -> Result<Self, SoftCardError> {
        let memory = FileMemory::open(path)?;
        let misbehaviour = Misbehaviour::load(&memory).ok_or_else(|| SoftCardError::Malformed {
            path: path.to_owned(),
            what: "misbehaviour that cannot be read",
            offset: 0,
        })?;
        Ok(Self::start(Box::new(memory), system_random(), &misbehaviour))
    }

    /// A blank card that lives as long as this value.
    ///
    /// # Errors
    /// [`SoftCardError`].
    pub fn in_memory(options: &BlankOptions) -> Result<Self, SoftCardError> {
        Self::provision(Box::new(RamMemory::default()), options, system_random())
    }

    /// A blank card on a memory and randomness of one's own.
    ///
    /// # Errors
    /// [`SoftCardError::Memory`].
    pub fn provision(
        mut memory: Box<dyn NonVolatileMemory + Send>,
        options: &BlankOptions,
        random: Box<dyn CryptoRng + Send>,
    ) -> Result<Self, SoftCardError> {
        let provisioning = options.provisioning();
        OperatingSystem::domain_memory(&mut *memory, |memory| {
            issuer_domain::provision(memory, &provisioning)
        })
        .map_err(|_| SoftCardError::Memory)?;
        Ok(Self::power_up(memory, random))
    }

    /// Powers up the card on a memory that holds one.
    #[must_use]
    pub fn power_up(
        memory: Box<dyn NonVolatileMemory + Send>,
        random: Box<dyn CryptoRng + Send>,
    ) -> Self {
        let misbehaviour = Misbehaviour::load(&*memory).unwrap_or_default();
        Self::start(memory, random, &misbehaviour)
    }

    fn start(
        memory: Box<dyn NonVolatileMemory + Send>,
        random: Box<dyn CryptoRng + Send>,
        misbehaviour: &Misbehaviour,
    ) -> Self {
        let emrtd = if misbehaviour.is_none() {
            Emrtd::default()
        } else {
            Emrtd::misbehaving(Box::new(Player::new(misbehaviour)))
        };
        let domain = Box::new(IssuerDomain::default());
        let rom: Vec<Box<dyn Application>> =
            vec![Box::new(emrtd), Box::<IntegratedDocuments>::default()];
        let system = OperatingSystem::new(domain, rom);
        let link = Link::new(misbehaviour);
        let mut card = Self { system, link, paced: None, memory, random };
        card.power_on();
        card
    }

    /// The same card behind a model of a contactless link, activated once: time on the air is counted
    /// from now on ([`CardTransport::air_meter`]), and waited for where that is wanted.
    #[must_use]
    pub fn with_air_link(mut self, link: AirLink, pacing: Pacing) -> Self {
        self.paced.insert(PacedLink::new(link, pacing)).activated();
        self
    }

    /// Power on or reset.
    pub fn power_on(&mut self) {
        if let Some(paced) = &mut self.paced {
            paced.activated();
        }
        self.link.power_on();
        self.system.power_on(&mut *self.memory, &mut *self.random);
    }

    /// One command APDU and its response APDU.
    pub fn process(&mut self, command: &[u8]) -> Vec<u8> {
        self.system.transmit(&mut *self.memory, &mut *self.random, command)
    }

    /// One command APDU and what comes of it over the card's link.
    fn react(&mut self, command: &[u8]) -> Reaction {
        let reaction =
            self.link.react(command).unwrap_or_else(|| Reaction::Answer(self.process(command)));
        if let (Some(paced), Reaction::Answer(answer)) = (&mut self.paced, &reaction) {
            paced.exchanged(command.len(), answer.len());
        }
        reaction
    }

    /// What the card does wrong on purpose.
    #[must_use]
    pub fn misbehaviour(&self) -> Misbehaviour {
        Misbehaviour::load(&*self.memory).unwrap_or_default()
    }

    /// What the card says of itself.
    pub fn summary(&mut self) -> Summary {
        let card = OperatingSystem::domain_memory(&mut *self.memory, |memory| {
            issuer_domain::life_cycle(memory)
        });
        let documents = OperatingSystem::application_memory(&mut *self.memory, 1, |memory| {
            cancuoc_applet_integrated_documents::objects(memory)
        });
        OperatingSystem::application_memory(&mut *self.memory, 0, |memory| Summary {
            card,
            documents,
            application: cancuoc_applet_emrtd::life_cycle(memory),
            files: cancuoc_applet_emrtd::files(memory),
            trust: cancuoc_applet_emrtd::trust_summary(memory),
        })
    }
}

/// The random number generator of the operating system.
fn system_random() -> Box<dyn CryptoRng + Send> {
    Box::new(rand_core::UnwrapErr(getrandom::SysRng))
}

impl CardTransport for SoftCard {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        match self.react(command) {
            Reaction::Answer(answer) => Ok(answer),
            Reaction::Gone => Err(TransportError::CardRemoved),
            // As with a card on a reader: whoever does not want to wait for ever sets a limit.
            Reaction::Silence => loop {
                std::thread::park();
            },
        }
    }

    fn atr(&self) -> &[u8] {
        &ATR
    }

    fn max_command_length(&self) -> usize {
        MAX_COMMAND_LENGTH
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.power_on();
        Ok(())
    }

    fn air_meter(&self) -> Option<AirMeter> {
        self.paced.as_ref().map(|paced| paced.meter().clone())
    }
}

#[cfg(test)]
mod tests;
