//! How a protocol talks: it says the next command and takes the answer.

use super::TerminalError;
use crate::apdu::{CommandApdu, ResponseApdu};

/// What a protocol wants after an answer.
#[derive(Debug)]
pub enum Step<O> {
    /// Send this command.
    Send(CommandApdu),
    /// The protocol is done.
    Done(O),
}

/// A protocol as a state machine over APDUs, without input or output.
///
/// Randomness goes in when it is made, so that a test can fix it.
pub trait Protocol {
    /// What it leads to.
    type Output;

    /// The first command.
    ///
    /// # Errors
    /// [`TerminalError`] when it cannot start.
    fn start(&mut self) -> Result<CommandApdu, TerminalError>;

    /// Takes the answer to the last command.
    ///
    /// # Errors
    /// [`TerminalError`] when the card refused or broke a rule; the protocol is then over.
    fn resume(&mut self, response: &ResponseApdu) -> Result<Step<Self::Output>, TerminalError>;
}
