//! The GlobalPlatform issuer security domain as it runs on the card: secure channels SCP02 and SCP03,
//! keys, life cycle, card content management, personalisation.
//!
//! Written from GlobalPlatform Card Specification 2.3.1 and Amendment D. It knows nothing of how
//! the host side of this project reads them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod channel;
mod data;
mod delete;
mod fields;
mod install;
mod keys;
mod load;
mod put_key;
mod status;
mod store;
mod store_data;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use cancuoc_card_runtime::{
    Command, Environment, ManagedCard, NonVolatileMemory, Response, SecurityDomain, StatusWord,
};

use crate::channel::{Authenticating, SecureChannel};
pub use crate::keys::{KeySet, KeyType};
pub use crate::store::{
    Channels, LifeCycle, MAX_FAILED_TRIES, Provisioning, life_cycle, provision, set_life_cycle,
};

/// Application identifier of the issuer security domain.
pub const AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

const GET_DATA: u8 = 0xCA;
const PUT_KEY: u8 = 0xD8;
const STORE_DATA: u8 = 0xE2;
const DELETE: u8 = 0xE4;
const INSTALL: u8 = 0xE6;
const LOAD: u8 = 0xE8;
const SET_STATUS: u8 = 0xF0;
const GET_STATUS: u8 = 0xF2;

/// The domain and what it remembers between two commands.
#[derive(Default)]
pub struct IssuerDomain {
    session: Session,
}

#[derive(Default)]
struct Session {
    authenticating: Option<Authenticating>,
    channel: Option<SecureChannel>,
    /// Whom STORE DATA is for, and the number of its next block.
    personalizing: Option<store_data::Sequence>,
    /// An executable load file that is being loaded.
    loading: Option<load::Loading>,
    /// A list of GET STATUS that is not at its end.
    listing: Option<status::Listing>,
}

impl SecurityDomain for IssuerDomain {
    fn aid(&self) -> &[u8] {
        &AID
    }

    fn reset(&mut self) {
        self.session = Session::default();
    }

    fn select(&mut self, environment: &mut Environment<'_>, _: &Command<'_>) -> Response {
        self.session = Session::default();
        match life_cycle(environment.memory) {
            LifeCycle::Terminated => StatusWord::CONDITIONS.into(),
            LifeCycle::CardLocked => Response {
                data: data::select_response(),
                // Selected, but the card is locked.
                status: StatusWord(0x6283),
            },
            _ => Response::ok(data::select_response()),
        }
    }

    fn process(&mut self, card: &mut dyn ManagedCard, command: &Command<'_>) -> Response {
        match (command.cla, command.ins) {
            (0x80, 0x50) => return self.with_memory(card, channel::initialize, command),
            (0x84, 0x82) => return self.with_memory(card, channel::external_authenticate, command),
            (0x80 | 0x00, GET_DATA) if self.session.channel.is_none() => {
                return self.with_memory(card, data::get_data, command);
            }
            (0x80 | 0x84 | 0x00, _) => {}
            _ => return StatusWord::CLA_NOT_SUPPORTED.into(),
        }
        let Some(mut channel) = self.session.channel.take() else {
            let known = is_known(command.ins);
            let status =
                if known { StatusWord::SECURITY_STATUS } else { StatusWord::INS_NOT_SUPPORTED };
            return status.into();
        };
        // A command that is not protected as agreed, or wrongly, ends the channel.
        let plain = match channel.unwrap(command) {
            Ok(plain) => plain,
            Err(status) => {
                self.session = Session::default();
                return status.into();
            }
        };
        let inner = Command { cla: 0x80, data: &plain, ..*command };
        let response = self.execute(card, &inner, &channel).unwrap_or_else(Response::from);
        let response = channel.wrap(&inner, response);
        self.session.channel = Some(channel);
        response
    }

    /// A locked or terminated card has its issuer's domain alone (§5.1.1.4, §5.1.1.5).
    fn admits_applications(&self, memory: &dyn NonVolatileMemory) -> bool {
        life_cycle(memory) < LifeCycle::CardLocked
    }
}

type Work = fn(&mut Session, &mut Environment<'_>, &Command<'_>) -> Result<Vec<u8>, StatusWord>;

const fn is_known(ins: u8) -> bool {
    matches!(
        ins,
        GET_DATA | PUT_KEY | STORE_DATA | DELETE | INSTALL | LOAD | SET_STATUS | GET_STATUS
    )
}

/// Whether the life cycle of the card allows a command (table 11-1).
fn is_allowed(ins: u8, life_cycle: LifeCycle) -> bool {
    match life_cycle {
        LifeCycle::Terminated => ins == GET_DATA,
        LifeCycle::CardLocked => matches!(ins, GET_DATA | GET_STATUS | SET_STATUS),
        _ => true,
    }
}

impl IssuerDomain {
    fn with_memory(
        &mut self,
        card: &mut dyn ManagedCard,
        work: Work,
        command: &Command<'_>,
    ) -> Response {
        run(card, &mut |environment| work(&mut self.session, environment, command)).into()
    }

    /// A command that came through the secure channel.
    fn execute(
        &mut self,
        card: &mut dyn ManagedCard,
        command: &Command<'_>,
        channel: &SecureChannel,
    ) -> Result<Response, StatusWord> {
        let session = &mut self.session;
        let ins = command.ins;
        if !is_known(ins) {
            return Err(StatusWord::INS_NOT_SUPPORTED);
        }
        // What changes the card must be the host's own command.
        if !matches!(ins, GET_DATA | GET_STATUS) && !channel.authenticates() {
            return Err(StatusWord::SECURITY_STATUS);
        }
        if !is_allowed(ins, current_life_cycle(card)) {
            return Err(StatusWord::CONDITIONS);
        }
        if ins != LOAD {
            session.loading = None;
        }
        if ins != GET_STATUS {
            session.listing = None;
        }
        match ins {
            INSTALL => install::install(session, card, command),
            LOAD => load::load(session, card, command),
            DELETE => delete::delete(card, command, channel),
            STORE_DATA => store_data::store_data(session, card, command, channel),
            SET_STATUS => status::set_status(card, command),
            GET_STATUS => return status::get_status(session, card, command, channel),
            PUT_KEY => {
                run(card, &mut |environment| put_key::put_key(environment.memory, command, channel))
            }
            _ => run(card, &mut |environment| data::get_data(session, environment, command)),
        }
        .map(Response::ok)
    }
}

fn current_life_cycle(card: &mut dyn ManagedCard) -> LifeCycle {
    let mut current = LifeCycle::Terminated;
    card.with_environment(&mut |environment| current = life_cycle(environment.memory));
    current
}

/// Runs a piece of work in the domain's own environment.
fn run(
    card: &mut dyn ManagedCard,
    work: &mut dyn FnMut(&mut Environment<'_>) -> Result<Vec<u8>, StatusWord>,
) -> Result<Vec<u8>, StatusWord> {
    let mut result = Err(StatusWord::MEMORY_FAILURE);
    card.with_environment(&mut |environment| result = work(environment));
    result
}
