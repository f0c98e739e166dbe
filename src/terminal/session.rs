//! A session with a card: sends commands, wraps them when secure messaging is on, counts.

use std::time::Duration;

use crate::apdu::{CommandApdu, Ne, ResponseApdu};
use crate::transport::{AirMeter, CardTransport, PlainExchange};

use super::protocol::{Protocol, Step};
use super::secure_messaging::SecureMessaging;
use super::{FreshnessRegister, TerminalError, commands};

/// Longest response data field that is put together from GET RESPONSE.
const MAX_RESPONSE: usize = 65_536;
/// Most GET RESPONSE for one command: what the longest response takes in full steps, and some more.
const MAX_CONTINUATIONS: usize = MAX_RESPONSE / 256 + 16;

/// What went over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Command APDUs, GET RESPONSE and repeated commands included.
    pub apdus: u64,
    /// Bytes of command APDUs.
    pub sent_bytes: u64,
    /// Bytes of response APDUs, status words included.
    pub received_bytes: u64,
    /// Microseconds spent waiting for responses.
    pub card_micros: u64,
}

impl Counters {
    /// What was added since an earlier count.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            apdus: self.apdus.saturating_sub(earlier.apdus),
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            received_bytes: self.received_bytes.saturating_sub(earlier.received_bytes),
            card_micros: self.card_micros.saturating_sub(earlier.card_micros),
        }
    }
}

/// A command and its response as they went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireExchange {
    /// The command before it was protected.
    pub plain: CommandApdu,
    /// Response data field and status word as received.
    pub response: ResponseApdu,
}

/// A session with one card.
pub struct Session<T: CardTransport> {
    transport: T,
    protection: Protection,
    extended: bool,
    counters: Counters,
    air: Option<AirMeter>,
    register: FreshnessRegister,
    /// The first exchange under the newest keys.
    first_protected: Option<WireExchange>,
}

enum Protection {
    Plain,
    Protected(Box<SecureMessaging>),
    /// A check failed: nothing more is sent.
    Closed,
}

impl<T: CardTransport> Session<T> {
    /// Starts a session with a powered card.
    #[must_use]
    pub fn new(transport: T) -> Self {
        let air = transport.air_meter();
        Self {
            transport,
            protection: Protection::Plain,
            extended: false,
            counters: Counters::default(),
            air,
            register: FreshnessRegister::default(),
            first_protected: None,
        }
    }

    /// Remembers what the card draws in a register that other sessions share.
    pub fn share_register(&mut self, register: FreshnessRegister) {
        self.register = register;
    }

    /// What cards have drawn so far, in this session or all that share the register.
    #[must_use]
    pub const fn register(&self) -> &FreshnessRegister {
        &self.register
    }

    /// Allows extended-length APDUs: only when both reader and card take them. Where a longer
    /// command is needed and they are not allowed, it goes as a command chain.
    pub const fn allow_extended_length(&mut self, allowed: bool) {
        self.extended = allowed;
    }

    /// Whether extended-length APDUs are allowed.
    #[must_use]
    pub const fn extended_length(&self) -> bool {
        self.extended
    }

    /// The longest command that the reader takes, in bytes.
    #[must_use]
    pub fn max_command_length(&self) -> usize {
        self.transport.max_command_length()
    }

    /// Answer to reset.
    #[must_use]
    pub fn atr(&self) -> &[u8] {
        self.transport.atr()
    }

    /// What went over the wire so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Time on the air so far, where the card stands behind a model of a link.
    #[must_use]
    pub fn air_time(&self) -> Option<Duration> {
        self.air.as_ref().map(AirMeter::elapsed)
    }

    /// Secure messaging, if it is on.
    #[must_use]
    pub const fn secure_messaging(&self) -> Option<&SecureMessaging> {
        match &self.protection {
            Protection::Protected(sm) => Some(sm),
            _ => None,
        }
    }

    /// Protects everything from the next command on with these keys.
    pub fn start_secure_messaging(&mut self, keys: SecureMessaging) {
        self.first_protected = None;
        self.protection = Protection::Protected(Box::new(keys));
    }

    /// The first exchange under the newest keys, once its response has passed all checks: that is
    /// what proves that the card has the same keys.
    #[must_use]
    pub const fn key_confirmation(&self) -> Option<&WireExchange> {
        self.first_protected.as_ref()
    }

    /// Resets the card and starts anew without protection; the counts go on.
    ///
    /// # Errors
    /// [`TerminalError::Transport`] when the card does not come back.
    pub fn reset(&mut self) -> Result<(), TerminalError> {
        self.transport.reset()?;
        self.protection = Protection::Plain;
        self.first_protected = None;
        Ok(())
    }

    /// Ends the session and gives the transport back.
    #[must_use]
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// Sends a command and gives its response, with secure messaging taken off.
    ///
    /// # Errors
    /// [`TerminalError::Transport`]; [`TerminalError::SecureMessaging`] when a protected response
    /// fails a check (the session is then closed); [`TerminalError::Closed`] after that. Error
    /// status words of the card are not errors here.
    pub fn transmit(&mut self, command: &CommandApdu) -> Result<ResponseApdu, TerminalError> {
        match &self.protection {
            Protection::Closed => return Err(TerminalError::Closed),
            Protection::Protected(sm) if !self.extended => {
                let room = max_protected_data(sm.cipher().block_len());
                if command.data.len() > room {
                    return self.transmit_chain(command, room);
                }
            }
            Protection::Plain if !self.extended && command.data.len() > 255 => {
                return self.transmit_chain(command, 255);
            }
            _ => {}
        }
        self.transmit_one(command)
    }

    /// Sends a command in parts (command chaining, ISO/IEC 7816-4 §5.3.3); each part is protected
    /// by itself.
    fn transmit_chain(
        &mut self,
        command: &CommandApdu,
        room: usize,
    ) -> Result<ResponseApdu, TerminalError> {
        let mut parts = command.data.chunks(room.max(1)).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            let cla = if last { command.cla } else { command.cla | 0x10 };
            let mut link = CommandApdu::new(cla, command.ins, command.p1, command.p2);
            link.data = part.to_vec();
            link.ne = if last { command.ne } else { None };
            let response = self.transmit_one(&link)?;
            if last || !response.status.is_ok() {
                return Ok(response);
            }
        }
        self.transmit_one(command)
    }

    fn transmit_one(&mut self, command: &CommandApdu) -> Result<ResponseApdu, TerminalError> {
        let wrapped = match &mut self.protection {
            Protection::Closed => return Err(TerminalError::Closed),
            Protection::Plain => {
                return self.exchange(command).inspect_err(|_| self.close());
            }
            Protection::Protected(sm) => sm.wrap(command),
        };
        let result = wrapped
            .map_err(|_| TerminalError::SecureMessaging)
            .and_then(|wrapped| self.exchange(&wrapped))
            .and_then(|response| self.unwrap(command, response));
        if result.is_err() {
            self.close();
        }
        result
    }

    fn unwrap(
        &mut self,
        command: &CommandApdu,
        response: ResponseApdu,
    ) -> Result<ResponseApdu, TerminalError> {
        let Protection::Protected(sm) = &mut self.protection else {
            return Err(TerminalError::Closed);
        };
        let plain = sm.unwrap(&response).ok();
        let seen = PlainExchange { command, response: plain.as_ref() };
        self.transport.annotate(&seen);
        let plain = plain.ok_or(TerminalError::SecureMessaging)?;
        if self.first_protected.is_none() {
            self.first_protected = Some(WireExchange { plain: command.clone(), response });
        }
        Ok(plain)
    }

    /// Nothing more is sent: the card's state is unknown, or the other end is not the card.
    fn close(&mut self) {
        self.protection = Protection::Closed;
    }

    /// One command on the wire, with what ISO/IEC 7816-4 §5.3.4 asks to be done about 61xx and
    /// 6Cxx.
    fn exchange(&mut self, command: &CommandApdu) -> Result<ResponseApdu, TerminalError> {
        let mut response = self.exchange_once(command)?;
        let protected = command.cla & 0x0C != 0;
        if let (Some(le), false) = (response.status.wanted_le(), protected)
            && command.ne.is_some()
            && response.data.is_empty()
        {
            // Once only: a card that keeps asking for another length is answered no more.
            response = self.exchange_once(&command.clone().with_ne(Ne::new(le)))?;
        }
        let mut continuations = 0;
        while let Some(more) = response.status.more_data() {
            continuations += 1;
            let next = self.exchange_once(&commands::get_response(Ne::new(more)))?;
            if next.data.is_empty() && next.status.more_data().is_some() {
                let detail = "GET RESPONSE gives nothing and promises more";
                return Err(TerminalError::Limit { file: None, detail });
            }
            response.data.extend_from_slice(&next.data);
            response.status = next.status;
            if response.data.len() > MAX_RESPONSE || continuations > MAX_CONTINUATIONS {
                let detail = "a response has no end";
                return Err(TerminalError::Limit { file: None, detail });
            }
        }
        Ok(response)
    }

    fn exchange_once(&mut self, command: &CommandApdu) -> Result<ResponseApdu, TerminalError> {
        let bytes = command.encode()?;
        let longest = self.transport.max_command_length();
        if bytes.len() > longest {
            let what = format!("a command of {} bytes: the reader takes {longest}", bytes.len());
            return Err(TerminalError::Unsupported { what });
        }
        self.counters.apdus += 1;
        self.counters.sent_bytes += bytes.len() as u64;
        let start = std::time::Instant::now();
        let response = self.transport.transmit(&bytes)?;
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.counters.card_micros = self.counters.card_micros.saturating_add(micros);
        self.counters.received_bytes += response.len() as u64;
        Ok(ResponseApdu::parse(&response)?)
    }

    /// Runs a protocol to its end, each of its commands in one APDU: the commands of PACE are a
    /// chain already.
    ///
    /// # Errors
    /// Those of [`transmit`](Self::transmit) and of the protocol.
    pub fn run<P: Protocol>(&mut self, protocol: &mut P) -> Result<P::Output, TerminalError> {
        self.run_with(protocol, Self::transmit_one)
    }

    /// Runs a protocol to its end; a command that is too long goes as a command chain.
    ///
    /// # Errors
    /// Those of [`transmit`](Self::transmit) and of the protocol.
    pub fn run_chained<P: Protocol>(
        &mut self,
        protocol: &mut P,
    ) -> Result<P::Output, TerminalError> {
        self.run_with(protocol, Self::transmit)
    }

    fn run_with<P: Protocol>(
        &mut self,
        protocol: &mut P,
        transmit: impl Fn(&mut Self, &CommandApdu) -> Result<ResponseApdu, TerminalError>,
    ) -> Result<P::Output, TerminalError> {
        let mut command = protocol.start()?;
        loop {
            let response = transmit(self, &command)?;
            match protocol.resume(&response)? {
                Step::Send(next) => command = next,
                Step::Done(output) => return Ok(output),
            }
        }
    }
}

/// Most bytes of plain command data in a short protected command: 255 less DO'97', DO'8E' and the
/// head of DO'87', in whole blocks less one byte of padding. 231 for 3DES, 223 for AES.
#[must_use]
pub const fn max_protected_data(block_len: usize) -> usize {
    (255 - 3 - 10 - 4) / block_len * block_len - 1
}

#[cfg(test)]
mod tests;
