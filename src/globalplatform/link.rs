//! Moves commands to a card and answers back: chaining, GET RESPONSE, counting.

use super::{GlobalPlatformError, SecureChannel};
use crate::apdu::{CommandApdu, Ne, ResponseApdu, StatusWord};
use crate::transport::CardTransport;

/// The most GET RESPONSE commands for one answer: a card that never ends is stopped.
const MAX_GET_RESPONSE: usize = 300;
/// The longest command data of a short APDU.
const SHORT: usize = 255;

/// What went over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Command-response pairs.
    pub apdus: u64,
    /// Bytes of commands.
    pub sent: u64,
    /// Bytes of responses.
    pub received: u64,
}

impl Traffic {
    /// What was added since `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            apdus: self.apdus.saturating_sub(before.apdus),
            sent: self.sent.saturating_sub(before.sent),
            received: self.received.saturating_sub(before.received),
        }
    }
}

/// A card with a security domain, and the session with it if one is open.
pub struct Link<'t> {
    transport: &'t mut dyn CardTransport,
    channel: Option<SecureChannel>,
    extended: bool,
    traffic: Traffic,
}

impl<'t> Link<'t> {
    /// Takes a powered card.
    #[must_use]
    pub const fn new(transport: &'t mut dyn CardTransport) -> Self {
        Self {
            transport,
            channel: None,
            extended: false,
            traffic: Traffic { apdus: 0, sent: 0, received: 0 },
        }
    }

    /// What went over the line so far.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The transport below; the session ends.
    pub fn transport(&mut self) -> &mut dyn CardTransport {
        self.channel = None;
        self.transport
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> &[u8] {
        self.transport.atr()
    }

    /// The longest command APDU that the reader passes on, in bytes.
    #[must_use]
    pub fn max_command_length(&self) -> usize {
        self.transport.max_command_length()
    }

    /// Allows extended-length commands, where both reader and card take them. Otherwise a long
    /// command goes as a chain of short ones.
    pub const fn allow_extended_length(&mut self, allowed: bool) {
        self.extended = allowed;
    }

    /// The open session.
    #[must_use]
    pub const fn channel(&self) -> Option<&SecureChannel> {
        self.channel.as_ref()
    }

    /// Uses a session from now on.
    pub fn open(&mut self, channel: SecureChannel) {
        self.channel = Some(channel);
    }

    /// Resets the card: the session ends.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Transport`].
    pub fn reset(&mut self) -> Result<(), GlobalPlatformError> {
        self.channel = None;
        Ok(self.transport.reset()?)
    }

    /// Sends a command outside of any session.
    ///
    /// # Errors
    /// [`GlobalPlatformError`] when no answer came.
    pub fn plain(&mut self, command: &CommandApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        let answer = self.exchange(command)?;
        match answer.status.wanted_le() {
            Some(length) if answer.data.is_empty() && command.ne.is_some() => {
                self.exchange(&command.clone().with_ne(Ne::new(length)))
            }
            _ => Ok(answer),
        }
    }

    /// Sends a command in the open session.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ChannelClosed`] without a session; others when the answer is missing
    /// or breaks the session.
    pub fn secure(&mut self, command: &CommandApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        let mut channel = self.channel.take().ok_or(GlobalPlatformError::ChannelClosed)?;
        let mut wrapped = channel.wrap(command)?;
        if channel.level().authenticates_responses() && wrapped.ne.is_none() {
            // The response carries a MAC, so the command must ask for data.
            wrapped.ne = Some(Ne::MAX_SHORT);
        }
        let answer = self.exchange(&wrapped)?;
        let answer = channel.unwrap(&answer)?;
        self.channel = Some(channel);
        Ok(answer)
    }

    /// The same, with an answer other than 9000 as an error.
    ///
    /// # Errors
    /// As [`Link::secure`], and [`GlobalPlatformError::Refused`].
    pub fn secure_ok(
        &mut self,
        name: &'static str,
        command: &CommandApdu,
    ) -> Result<ResponseApdu, GlobalPlatformError> {
        let answer = self.secure(command)?;
        if !answer.status.is_ok() {
            let status = answer.status;
            return Err(GlobalPlatformError::Refused { command: name, status });
        }
        Ok(answer)
    }

    /// One command, in a chain where it is too long for the reader, and its whole answer.
    fn exchange(&mut self, command: &CommandApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        let bytes = command.encode()?;
        let direct = self.extended && bytes.len() <= self.max_command_length();
        let mut answer = if command.needs_extended() && !direct {
            self.chain(command)?
        } else {
            self.transmit(&bytes)?
        };
        let mut data = std::mem::take(&mut answer.data);
        for _ in 0..MAX_GET_RESPONSE {
            let Some(more) = answer.status.more_data() else { break };
            let get_response =
                CommandApdu::new(command.cla & 0x03, 0xC0, 0, 0).with_ne(Ne::new(more));
            answer = self.transmit(&get_response.encode()?)?;
            data.append(&mut answer.data);
        }
        answer.data = data;
        Ok(answer)
    }

    /// Command chaining (ISO/IEC 7816-4 §5.3.3).
    fn chain(&mut self, command: &CommandApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        let mut parts = command.data.chunks(SHORT).peekable();
        let mut answer = ResponseApdu { data: Vec::new(), status: StatusWord::OK };
        while let Some(part) = parts.next() {
            let mut link = command.clone();
            link.data = part.to_vec();
            if parts.peek().is_some() {
                link.cla |= 0x10;
                link.ne = None;
            } else {
                link.ne = command.ne.map(|ne| Ne::new(ne.get().min(256)));
            }
            answer = self.transmit(&link.encode()?)?;
            if !answer.status.is_ok() && answer.status.more_data().is_none() {
                break;
            }
        }
        Ok(answer)
    }

    fn transmit(&mut self, bytes: &[u8]) -> Result<ResponseApdu, GlobalPlatformError> {
        let answer = self.transport.transmit(bytes)?;
        self.traffic.apdus += 1;
        self.traffic.sent += bytes.len() as u64;
        self.traffic.received += answer.len() as u64;
        Ok(ResponseApdu::parse(&answer)?)
    }
}

impl core::fmt::Debug for Link<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Link({:?}, session: {})", self.traffic, self.channel.is_some())
    }
}
