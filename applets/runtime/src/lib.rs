//! What an application on the card sees of the card: commands, memory, randomness, date.
//!
//! An application is a state machine over command APDUs. It knows nothing of files, sockets or
//! clocks, so that it could run on secure hardware and so that a test can cut the power between
//! any two memory writes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod binary;
mod command;
mod memory;
mod operating_system;
mod registry;
mod response;
pub mod tlv;

use alloc::vec::Vec;

use zeroize::Zeroizing;

pub use command::Command;
pub use memory::{MemoryError, NonVolatileMemory, Write};
pub use operating_system::OperatingSystem;
pub use rand_core::CryptoRng;
pub use registry::{ApplicationState, Entry, Module, Registry};
pub use response::{Response, StatusWord};

/// What the card lends to an application for the time of one command.
pub struct Environment<'a> {
    /// The application's own non-volatile memory; other applications do not see it.
    pub memory: &'a mut dyn NonVolatileMemory,
    /// Random numbers fit for keys.
    pub random: &'a mut dyn CryptoRng,
}

/// An application on the card.
pub trait Application: Send {
    /// Application identifier, 5 to 16 bytes.
    fn aid(&self) -> &[u8];

    /// Identifier of the executable load file that it comes from, 5 to 16 bytes.
    fn load_file(&self) -> &[u8];

    /// The card was powered on or reset: forget all sessions.
    fn power_on(&mut self, environment: &mut Environment<'_>);

    /// Selected by its identifier in a command without secure messaging
    /// (ISO/IEC 7816-4 §11.2.2, GlobalPlatform Card Specification §11.9).
    fn select(&mut self, environment: &mut Environment<'_>, command: &Command<'_>) -> Response;

    /// Another application was selected: forget what belongs to the session.
    fn deselect(&mut self);

    /// A command while selected. Chained commands come joined unless they are under secure messaging;
    /// GET RESPONSE never comes.
    fn process(&mut self, environment: &mut Environment<'_>, command: &Command<'_>) -> Response;

    /// One data grouping of a STORE DATA command that the issuer security domain passes on after
    /// INSTALL [for personalization] (GlobalPlatform Card Specification §7.3.3), unwrapped and,
    /// where it was encrypted under the data encryption key, decrypted.
    ///
    /// # Errors
    /// The status word to answer with.
    fn personalize(
        &mut self,
        environment: &mut Environment<'_>,
        identifier: u16,
        data: &[u8],
    ) -> Result<(), StatusWord>;

    /// Whether this application is the one selected after power on. The last installed
    /// application that says so wins.
    fn is_default_selected(&self, memory: &dyn NonVolatileMemory) -> bool;

    /// Whether the issuer may delete the application with all that it holds.
    fn is_erasable(&self, memory: &dyn NonVolatileMemory) -> bool;

    /// Whether it is reached in the session of another application alone, which keeps the keys of
    /// secure messaging: [`Self::process_in_session`]. Without one it cannot be selected.
    fn is_guest(&self) -> bool {
        false
    }

    /// A command to a guest, its protection taken off; SELECT by its name comes here too. The
    /// response may have `room` bytes of data.
    fn process_in_session(
        &mut self,
        _: &mut Environment<'_>,
        _: &Command<'_>,
        _room: usize,
    ) -> Response {
        StatusWord::NOT_FOUND.into()
    }

    /// The command for a guest that the last [`Self::process`] took out of this application's
    /// session. Its response comes back with [`Self::hand_back`]; that of `process` does not count.
    fn hand_on(&mut self) -> Option<HandedOn> {
        None
    }

    /// Protects the response of a guest to what was handed on.
    fn hand_back(&mut self, _: &mut Environment<'_>, response: Response) -> Response {
        response
    }
}

/// A command that one application hands on to another within its session.
pub struct HandedOn {
    /// Identifier of the other application, or the beginning of it.
    pub aid: Vec<u8>,
    /// Class, instruction, P1, P2, without protection.
    pub header: [u8; 4],
    /// Command data field.
    pub data: Zeroizing<Vec<u8>>,
    /// Bytes that may be answered at most; `None` when Le is absent.
    pub ne: Option<usize>,
    /// Whether Le was in the extended form.
    pub extended: bool,
    /// Bytes of data that the protected response has room for.
    pub room: usize,
}

impl HandedOn {
    /// The command.
    #[must_use]
    pub fn command(&self) -> Command<'_> {
        let [cla, ins, p1, p2] = self.header;
        Command { cla, ins, p1, p2, data: &self.data, ne: self.ne, extended: self.extended }
    }
}

/// The card as its issuer security domain sees it.
pub trait ManagedCard {
    /// Lends the domain's own memory and randomness for a piece of work.
    fn with_environment(&mut self, work: &mut dyn FnMut(&mut Environment<'_>));

    /// The applications of the ROM, installed or not; their places are those of the registry.
    fn modules(&self) -> Vec<Module>;

    /// The registry.
    fn registry(&self) -> Registry;

    /// Stores a changed registry, and in the same write erases all that one application holds.
    ///
    /// # Errors
    /// 6581 or 6A84 when the memory cannot be written; then nothing was changed.
    fn register(&mut self, registry: &Registry, erased: Option<usize>) -> Result<(), StatusWord>;

    /// [`Application::is_erasable`] of the application in this place.
    fn is_erasable(&mut self, index: usize) -> bool;

    /// Passes a data grouping to an application: [`Application::personalize`].
    ///
    /// # Errors
    /// 6A88 when no such application is installed, else the status word that it answers.
    fn personalize(&mut self, aid: &[u8], identifier: u16, data: &[u8]) -> Result<(), StatusWord>;
}

/// The issuer security domain: the application that manages the card (GlobalPlatform Card
/// Specification 2.3.1 §7).
pub trait SecurityDomain: Send {
    /// Application identifier.
    fn aid(&self) -> &[u8];

    /// The card was powered on or reset, or another application was selected: forget the session.
    fn reset(&mut self);

    /// Selected by its identifier.
    fn select(&mut self, environment: &mut Environment<'_>, command: &Command<'_>) -> Response;

    /// A command while selected.
    fn process(&mut self, card: &mut dyn ManagedCard, command: &Command<'_>) -> Response;

    /// Whether the life cycle of the card lets other applications be selected. `memory` is the
    /// domain's own.
    fn admits_applications(&self, memory: &dyn NonVolatileMemory) -> bool;
}
