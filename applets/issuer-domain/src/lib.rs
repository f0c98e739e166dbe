//! The GlobalPlatform issuer security domain as it runs on the card: SCP03 secure channel, card
//! content management as far as personalisation needs it, keys, life cycle.
//!
//! Written from GlobalPlatform Card Specification 2.3.1 and Amendment D. It knows nothing of how
//! the host side of this project reads them.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod commands;
mod data;
mod put_key;
mod secure_channel;
mod store;
mod store_data;

use alloc::vec::Vec;

use cancuoc_card_runtime::{
    Command, Environment, ManagedCard, Response, SecurityDomain, StatusWord,
};

use crate::secure_channel::{Authenticating, SecureChannel};
pub use crate::store::{KeySet, LifeCycle, Provisioning, life_cycle, provision, set_life_cycle};

/// Application identifier of the issuer security domain.
pub const AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

/// The domain and what it remembers between two commands.
#[derive(Default)]
pub struct IssuerDomain {
    session: Session,
}

#[derive(Default)]
struct Session {
    authenticating: Option<Authenticating>,
    channel: Option<SecureChannel>,
    /// Application that STORE DATA is for, and the number of its next block.
    personalizing: Option<(Vec<u8>, u8)>,
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
            (0x80, 0x50) => return self.with_memory(card, secure_channel::initialize, command),
            (0x84, 0x82) => {
                return self.with_memory(card, secure_channel::external_authenticate, command);
            }
            (0x80 | 0x00, 0xCA) if self.session.channel.is_none() => {
                return self.with_memory(card, data::get_data, command);
            }
            (0x80 | 0x84 | 0x00, _) => {}
            _ => return StatusWord::CLA_NOT_SUPPORTED.into(),
        }
        let Some(mut channel) = self.session.channel.take() else {
            let known = matches!(command.ins, 0xE6 | 0xE2 | 0xD8 | 0xF0 | 0xF2);
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
        let response = self.execute(card, &inner, &channel).into();
        let response = channel.wrap(response);
        self.session.channel = Some(channel);
        response
    }
}

type Work = fn(&mut Session, &mut Environment<'_>, &Command<'_>) -> Result<Vec<u8>, StatusWord>;

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
    ) -> Result<Vec<u8>, StatusWord> {
        let session = &mut self.session;
        match command.ins {
            0xCA => run(card, &mut |environment| data::get_data(session, environment, command)),
            0xE6 => commands::install(session, card, command),
            0xE2 => store_data::store_data(session, card, command, channel),
            0xD8 => {
                run(card, &mut |environment| put_key::put_key(environment.memory, command, channel))
            }
            0xF0 => run(card, &mut |environment| commands::set_status(environment.memory, command)),
            0xF2 => commands::get_status(card, command),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }
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
