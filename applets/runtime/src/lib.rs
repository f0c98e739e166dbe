//! What an application on the card sees of the card: commands, memory, randomness, date.
//!
//! An application is a state machine over command APDUs. It knows nothing of files, sockets or
//! clocks, so that it could run on secure hardware and so that a test can cut the power between
//! any two memory writes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod command;
mod memory;
mod operating_system;
mod response;
pub mod tlv;

use alloc::vec::Vec;

pub use command::Command;
pub use memory::{MemoryError, NonVolatileMemory, Write};
pub use operating_system::OperatingSystem;
pub use rand_core::CryptoRng;
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
}

/// The card as its issuer security domain sees it.
pub trait ManagedCard {
    /// Lends the domain's own memory and randomness for a piece of work.
    fn with_environment(&mut self, work: &mut dyn FnMut(&mut Environment<'_>));

    /// Identifiers of the other applications, in the order of their installation.
    fn identifiers(&self) -> Vec<Vec<u8>>;

    /// Passes a data grouping to an application: [`Application::personalize`].
    ///
    /// # Errors
    /// 6A88 when there is no such application, else the status word that it answers.
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
}
