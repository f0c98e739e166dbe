//! Cards that do wrong on purpose, to test readers with.
//!
//! The application asks a misbehaviour at the points where a forged or broken chip differs from an
//! honest one: what a response says, how it is protected, and which keys protect what follows. An
//! honest card has none, and no command gives it one: whoever makes the card does.

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, Response};
use cancuoc_primitives::cipher::{self, CipherError};

use crate::secure_messaging::SecureMessaging;

/// Which keys protect what comes after a key agreement within a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextKeys {
    /// Those agreed on.
    Agreed,
    /// Those of before, as if nothing had been agreed on.
    Former,
    /// Others, which the terminal does not have.
    Foreign,
}

/// What a card does wrong. Every method starts out as what an honest card does.
pub trait Misbehaviour: Send {
    /// The card was powered on or reset.
    fn power_on(&mut self) {}

    /// Changes the response to a command, both without protection.
    fn respond(&mut self, _command: &Command<'_>, _response: &mut Response) {}

    /// Protects the response to a command, which is given without its protection.
    fn protect(
        &mut self,
        _command: &Command<'_>,
        response: &Response,
        session: &mut ProtectedSession<'_>,
    ) -> Response {
        session.protect(response)
    }

    /// Which keys take over after a key agreement.
    fn next_keys(&mut self) -> NextKeys {
        NextKeys::Agreed
    }
}

/// Secure messaging in the hands of a misbehaviour: the honest way, and the parts to do it wrong.
pub struct ProtectedSession<'a> {
    messaging: &'a mut SecureMessaging,
    odd_instruction: bool,
}

impl<'a> ProtectedSession<'a> {
    pub(crate) fn new(messaging: &'a mut SecureMessaging, command: &Command<'_>) -> Self {
        Self { messaging, odd_instruction: command.ins & 1 == 1 }
    }

    /// Protects a response as an honest card does.
    pub fn protect(&mut self, response: &Response) -> Response {
        self.messaging.wrap(response, self.odd_instruction)
    }

    /// Moves the send sequence counter on, as an honest card does once for each response.
    pub fn count(&mut self) {
        self.messaging.count();
    }

    /// Encrypts data under the counter; `pad` is the honest way, otherwise it must be whole blocks.
    ///
    /// # Errors
    /// [`CipherError`] for data that is no whole blocks.
    pub fn encrypt(&self, data: &[u8], pad: bool) -> Result<Vec<u8>, CipherError> {
        let block = self.messaging.block_len();
        let padded = if pad { cipher::pad(data, block) } else { data.to_vec() };
        self.messaging.encrypt(&padded)
    }

    /// Bytes of a block.
    #[must_use]
    pub fn block_len(&self) -> usize {
        self.messaging.block_len()
    }

    /// MAC over the counter and data objects.
    ///
    /// # Errors
    /// [`CipherError`], which keys of the right length never give.
    pub fn mac(&self, objects: &[u8]) -> Result<[u8; 8], CipherError> {
        self.messaging.mac(objects)
    }
}
