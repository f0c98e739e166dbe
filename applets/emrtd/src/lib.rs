//! The ICAO Doc 9303 LDS1 application as it runs on the card: file system, Basic Access Control,
//! PACE, secure messaging, Chip Authentication, Terminal Authentication, Active Authentication,
//! personalisation.
//!
//! Written from ICAO 9303-10 and -11, BSI TR-03110 and ISO/IEC 7816-4. It knows nothing of files,
//! sockets or clocks, and nothing of how the reader side of this project reads the specifications.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod active_authentication;
mod bac;
mod chip_authentication;
mod chip_keys;
mod command_chain;
pub mod cv_certificate;
mod ephemeral_key;
mod files;
mod guest;
mod key_derivation;
pub mod misbehaviour;
mod pace;
mod passwords;
mod personalize;
mod secure_messaging;
mod store;
mod terminal_authentication;
#[cfg(test)]
mod testing;
mod trust_points;

use alloc::boxed::Box;
use alloc::vec::Vec;

use cancuoc_card_runtime::{
    Application, Command, Environment, HandedOn, NonVolatileMemory, Response, StatusWord,
};

use crate::command_chain::Collected;
use crate::files::Directory;
use crate::misbehaviour::{Misbehaviour, NextKeys, ProtectedSession};
use crate::pace::PaceState;
use crate::passwords::Password;
use crate::secure_messaging::{SecureMessaging, SmError, Unwrapped};
pub use crate::store::{Access, FileHeader, LifeCycle, Location, files, life_cycle};
pub use crate::trust_points::{TrustSummary, trust_summary};

/// Application identifier of LDS1 (ICAO 9303-10 §3.5.1).
pub const AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x02, 0x47, 0x10, 0x01];

/// Identifier of the executable load file: proprietary, "cancuoc", file 10.
pub const LOAD_FILE: [u8; 9] = [0xF0, b'c', b'a', b'n', b'c', b'u', b'o', b'c', 0x10];

/// The application and what it remembers between two commands.
#[derive(Default)]
pub struct Emrtd {
    session: Session,
    /// What it does wrong on purpose; an honest card has none.
    misbehaviour: Option<Box<dyn Misbehaviour>>,
}

/// Everything that ends with power, and most of which ends with secure messaging.
#[derive(Default)]
struct Session {
    directory: Directory,
    /// Challenge of GET CHALLENGE, good for one use.
    challenge: Option<[u8; 8]>,
    pace: PaceState,
    /// The password of the PACE that opened the session.
    opened_by: Option<Password>,
    /// Hash of the last nonce of PACE, so that the next is another.
    last_nonce: Option<Vec<u8>>,
    /// The last challenge of GET CHALLENGE, used up or not, so that the next is another.
    last_challenge: Option<[u8; 8]>,
    /// Chip Authentication key and protocol chosen by MSE:Set AT.
    chip_authentication: Option<chip_authentication::Selected>,
    /// The card's compressed ephemeral key of PACE, which names the chip in Terminal Authentication.
    pace_identifier: Option<Vec<u8>>,
    /// The terminal's compressed ephemeral key of Chip Authentication.
    chip_authentication_key: Option<Vec<u8>>,
    terminal_authentication: terminal_authentication::TerminalAuthentication,
    /// Commands of an unfinished chain under secure messaging.
    chain: Option<command_chain::CommandChain>,
    secure_messaging: Option<SecureMessaging>,
    /// Keys that take over after the response to the current command.
    next_secure_messaging: Option<SecureMessaging>,
    /// Another application that was selected in this session.
    guest: guest::Guest,
}

impl Session {
    /// Whether BAC or PACE opened the application.
    const fn is_open(&self) -> bool {
        self.secure_messaging.is_some()
    }

    /// Ends secure messaging and all that it opened.
    fn close(&mut self) {
        let location = self.directory.location;
        self.end();
        self.directory.location = location;
    }

    /// Ends everything but what outlives a session.
    fn end(&mut self) {
        *self = Self {
            last_nonce: self.last_nonce.take(),
            last_challenge: self.last_challenge,
            ..Self::default()
        };
    }

    /// PACE within secure messaging puts other keys and another identity in place of what was there.
    fn restart(&mut self) {
        self.challenge = None;
        self.chain = None;
        self.chip_authentication = None;
        self.chip_authentication_key = None;
        self.pace_identifier = None;
        self.opened_by = None;
        self.guest = guest::Guest::default();
        self.terminal_authentication.restart();
    }
}

impl Application for Emrtd {
    fn aid(&self) -> &[u8] {
        &AID
    }

    fn load_file(&self) -> &[u8] {
        &LOAD_FILE
    }

    fn power_on(&mut self, _: &mut Environment<'_>) {
        self.session = Session::default();
        if let Some(misbehaviour) = &mut self.misbehaviour {
            misbehaviour.power_on();
        }
    }

    fn select(&mut self, environment: &mut Environment<'_>, command: &Command<'_>) -> Response {
        // A command without secure messaging ends the session (ICAO 9303-11 §9.8.3).
        self.session.close();
        self.select_application(environment, command).into()
    }

    fn deselect(&mut self) {
        self.session.end();
    }

    fn process(&mut self, environment: &mut Environment<'_>, command: &Command<'_>) -> Response {
        if command.cla & 0x0C == 0x0C {
            return self.process_protected(environment, command);
        }
        // A command without protection ends the session, whatever it is (ICAO 9303-11 §9.8.3).
        if self.session.is_open() {
            self.session.close();
            return StatusWord::SM_MISSING.into();
        }
        let response = self.execute(environment, command, command.ne.unwrap_or(0));
        self.session.secure_messaging = self.session.next_secure_messaging.take();
        self.spoiled(command, response)
    }

    fn personalize(
        &mut self,
        environment: &mut Environment<'_>,
        identifier: u16,
        data: &[u8],
    ) -> Result<(), StatusWord> {
        personalize::data_grouping(environment.memory, identifier, data)
    }

    fn is_default_selected(&self, memory: &dyn NonVolatileMemory) -> bool {
        store::life_cycle(memory) != LifeCycle::Blank
    }

    /// What is locked stays: no other document is ever made of this chip.
    fn is_erasable(&self, memory: &dyn NonVolatileMemory) -> bool {
        store::life_cycle(memory) != LifeCycle::Locked
    }

    fn hand_on(&mut self) -> Option<HandedOn> {
        self.session.guest.hand_on()
    }

    fn hand_back(&mut self, _: &mut Environment<'_>, response: Response) -> Response {
        match self.session.guest.answered(response.status) {
            Some(inner) => self.respond(&inner, response),
            None => StatusWord::CONDITIONS.into(),
        }
    }
}

impl Emrtd {
    /// The application of a card that does wrong on purpose.
    #[must_use]
    pub fn misbehaving(misbehaviour: Box<dyn Misbehaviour>) -> Self {
        Self { session: Session::default(), misbehaviour: Some(misbehaviour) }
    }

    /// Unwraps, executes, wraps. Any fault of secure messaging ends the session and is answered
    /// without it (ICAO 9303-11 §9.8.3).
    fn process_protected(
        &mut self,
        environment: &mut Environment<'_>,
        command: &Command<'_>,
    ) -> Response {
        let Some(mut messaging) = self.session.secure_messaging.take() else {
            return StatusWord::SM_INCORRECT.into();
        };
        let inner = match messaging.unwrap(command) {
            Ok(inner) => inner,
            Err(error) => {
                self.session.close();
                return match error {
                    SmError::Missing => StatusWord::SM_MISSING.into(),
                    SmError::Incorrect => StatusWord::SM_INCORRECT.into(),
                };
            }
        };
        let room = messaging.room(command.ne.unwrap_or(256));
        // Commands ask whether the session is open, so it is back in place meanwhile.
        self.session.secure_messaging = Some(messaging);
        let inner = match self.session.guest.take(inner, room) {
            Some(inner) => inner,
            // Goes to a guest; what it answers comes back to be protected.
            None => return Response::ok(Vec::new()),
        };
        let response = self.execute_chained(environment, &inner.command(), room);
        self.respond(&inner, response)
    }

    /// The response to a protected command.
    fn respond(&mut self, inner: &Unwrapped, response: Response) -> Response {
        let response = self.spoiled(&inner.command(), response);
        let Some(mut messaging) = self.session.secure_messaging.take() else {
            return response;
        };
        let wrapped = self.protect(&inner.command(), &response, &mut messaging);
        if let Some(next) = self.session.next_secure_messaging.take() {
            self.session.terminal_authentication.restart();
            messaging = self.keys_after_agreement(messaging, next);
        }
        self.session.secure_messaging = Some(messaging);
        wrapped
    }

    /// The response that goes out: an honest card's is the one it made.
    fn spoiled(&mut self, command: &Command<'_>, mut response: Response) -> Response {
        if let Some(misbehaviour) = &mut self.misbehaviour {
            misbehaviour.respond(command, &mut response);
        }
        response
    }

    fn protect(
        &mut self,
        command: &Command<'_>,
        response: &Response,
        messaging: &mut SecureMessaging,
    ) -> Response {
        let mut session = ProtectedSession::new(messaging, command);
        match &mut self.misbehaviour {
            Some(misbehaviour) => misbehaviour.protect(command, response, &mut session),
            None => session.protect(response),
        }
    }

    /// The keys of the next command: an honest card's are those agreed on.
    fn keys_after_agreement(
        &mut self,
        former: SecureMessaging,
        agreed: SecureMessaging,
    ) -> SecureMessaging {
        match self.misbehaviour.as_mut().map(|misbehaviour| misbehaviour.next_keys()) {
            None | Some(NextKeys::Agreed) => agreed,
            Some(NextKeys::Former) => former,
            Some(NextKeys::Foreign) => SecureMessaging::new(agreed.cipher(), &[]),
        }
    }

    /// A command without its protection, which may be one of a chain.
    fn execute_chained(
        &mut self,
        environment: &mut Environment<'_>,
        command: &Command<'_>,
        room: usize,
    ) -> Response {
        // The steps of PACE have the mark of a chain, but each is a command. Chip Authentication
        // has one GENERAL AUTHENTICATE, so with that mark it is a part of one.
        if command.ins == 0x86 && self.session.chip_authentication.is_none() {
            self.session.chain = None;
            return self.execute(environment, command, room);
        }
        match command_chain::collect(&mut self.session.chain, command) {
            Ok(Collected::Single) => self.execute(environment, command, room),
            Ok(Collected::Last(data)) => {
                self.execute(environment, &Command { data: &data, ..*command }, room)
            }
            Ok(Collected::More) => Response::ok(Vec::new()),
            Err(status) => status.into(),
        }
    }

    /// A plain command. `room` is how many bytes of data the response may have.
    fn execute(
        &mut self,
        environment: &mut Environment<'_>,
        command: &Command<'_>,
        room: usize,
    ) -> Response {
        if command.cla & !0x10 != 0 {
            return StatusWord::CLA_NOT_SUPPORTED.into();
        }
        if store::life_cycle(environment.memory) == LifeCycle::Blank {
            return StatusWord::CONDITIONS.into();
        }
        let session = &mut self.session;
        let result = match (command.ins, command.p1, command.p2) {
            (0xA4, 0x04, _) => self.select_application(environment, command),
            (0xA4, ..) => files::select(session, environment.memory, command),
            (0xB0 | 0xB1, ..) => {
                return files::read_binary(session, environment.memory, command, room);
            }
            (0x84, ..) => bac::get_challenge(session, environment, command),
            (0x82, ..) if session.is_open() => {
                terminal_authentication::external_authenticate(session, environment.memory, command)
            }
            (0x82, ..) => bac::external_authenticate(session, environment, command),
            (0x22, 0xC1, 0xA4) => pace::set_authentication_template(session, environment, command),
            (0x22, 0x41, 0xA6) => {
                chip_authentication::set_key_agreement(session, environment.memory, command)
            }
            (0x22, 0x41, 0xA4) => {
                chip_authentication::set_authentication(session, environment.memory, command)
            }
            (0x22, 0x81, 0xB6) => {
                terminal_authentication::set_verification_key(session, environment.memory, command)
            }
            (0x22, 0x81, 0xA4) => terminal_authentication::set_authentication_template(
                session,
                environment.memory,
                command,
            ),
            (0x22, ..) => Err(StatusWord::WRONG_P1P2),
            (0x2A, 0x00, 0xBE) => {
                terminal_authentication::verify_certificate(session, environment.memory, command)
            }
            (0x2A, ..) => Err(StatusWord::WRONG_P1P2),
            (0x86, 0, 0) if session.chip_authentication.is_some() => {
                chip_authentication::general_authenticate(session, environment.memory, command)
            }
            (0x86, 0, 0) => pace::general_authenticate(session, environment, command),
            (0x86, ..) => Err(StatusWord::WRONG_P1P2),
            (0x2C, ..) => passwords::reset_retry_counter(session, environment.memory, command),
            (0x88, 0, 0) => {
                active_authentication::internal_authenticate(session, environment, command)
            }
            (0x88, ..) => Err(StatusWord::WRONG_P1P2),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        };
        result.into()
    }

    /// SELECT by application identifier (ISO/IEC 7816-4 §11.2.2).
    fn select_application(
        &mut self,
        environment: &mut Environment<'_>,
        command: &Command<'_>,
    ) -> Result<Vec<u8>, StatusWord> {
        if store::life_cycle(environment.memory) == LifeCycle::Blank {
            return Err(StatusWord::NOT_FOUND);
        }
        if command.data.len() < 5 || !AID.starts_with(command.data) {
            return Err(StatusWord::NOT_FOUND);
        }
        self.session.directory = Directory { location: Location::Lds1, current: None };
        match command.p2 {
            0x0C => Ok(Vec::new()),
            0x00 | 0x04 => Ok(files::control_information(&AID)),
            _ => Err(StatusWord::WRONG_P1P2),
        }
    }
}
