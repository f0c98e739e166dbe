//! The application for integrated documents as it runs on the card: signed papers beside LDS1 that
//! the issuer can replace for the life of the card, old or new, never half, and never older.
//!
//! Written from docs/en/integrated-documents.md and ISO/IEC 7816-4. It knows nothing of what the
//! signed objects say: they are bytes with a counter and a digest.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod reading;
mod store;
#[cfg(test)]
mod tests;
mod update;

use cancuoc_card_runtime::{
    Application, Command, Environment, NonVolatileMemory, Response, StatusWord,
};

pub use crate::store::{Kind, Object, objects};

/// Application identifier: proprietary, "cancuoc", file 20, module 1.
pub const AID: [u8; 10] = [0xF0, b'c', b'a', b'n', b'c', b'u', b'o', b'c', 0x20, 0x01];

/// Identifier of the executable load file.
pub const LOAD_FILE: [u8; 9] = [0xF0, b'c', b'a', b'n', b'c', b'u', b'o', b'c', 0x20];

/// The application and what it remembers between two commands.
#[derive(Default)]
pub struct IntegratedDocuments {
    /// The current file.
    current: Option<reading::File>,
}

impl Application for IntegratedDocuments {
    fn aid(&self) -> &[u8] {
        &AID
    }

    fn load_file(&self) -> &[u8] {
        &LOAD_FILE
    }

    fn power_on(&mut self, _: &mut Environment<'_>) {
        self.current = None;
    }

    fn select(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        StatusWord::SECURITY_STATUS.into()
    }

    fn deselect(&mut self) {
        self.current = None;
    }

    fn process(&mut self, _: &mut Environment<'_>, _: &Command<'_>) -> Response {
        StatusWord::SECURITY_STATUS.into()
    }

    fn personalize(
        &mut self,
        environment: &mut Environment<'_>,
        identifier: u16,
        data: &[u8],
    ) -> Result<(), StatusWord> {
        update::data_grouping(environment.memory, identifier, data)
    }

    fn is_default_selected(&self, _: &dyn NonVolatileMemory) -> bool {
        false
    }

    /// Only before anything was ever stored: counters would be lost with it.
    fn is_erasable(&self, memory: &dyn NonVolatileMemory) -> bool {
        store::objects(memory).is_empty()
    }

    fn is_guest(&self) -> bool {
        true
    }

    fn process_in_session(
        &mut self,
        environment: &mut Environment<'_>,
        command: &Command<'_>,
        room: usize,
    ) -> Response {
        reading::process(&mut self.current, environment.memory, command, room)
    }
}
