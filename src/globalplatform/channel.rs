//! An open session, whichever protocol it speaks.

use super::scp02::Scp02Channel;
use super::scp03::Scp03Channel;
use super::{GlobalPlatformError, SecurityLevel, StaticKey};
use crate::apdu::{CommandApdu, ResponseApdu};

/// Protocol of a secure channel and its options: `SCP03 i=70`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelProtocol {
    /// Protocol identifier: 2 or 3.
    pub number: u8,
    /// The "i" parameter.
    pub options: u8,
}

impl core::fmt::Display for ChannelProtocol {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SCP{:02X} i={:02X}", self.number, self.options)
    }
}

/// An open session. After any fault in a response it is closed and protects nothing more.
#[derive(Debug)]
pub enum SecureChannel {
    /// Secure Channel Protocol 02 (GPC appendix E).
    Scp02(Scp02Channel),
    /// Secure Channel Protocol 03 (Amendment D).
    Scp03(Scp03Channel),
}

impl SecureChannel {
    /// Protocol and options.
    #[must_use]
    pub const fn protocol(&self) -> ChannelProtocol {
        match self {
            Self::Scp02(channel) => {
                ChannelProtocol { number: 2, options: channel.options().parameter() }
            }
            Self::Scp03(channel) => {
                ChannelProtocol { number: 3, options: channel.card().options.parameter() }
            }
        }
    }

    /// Version of the key set that the session was opened with.
    #[must_use]
    pub const fn key_version(&self) -> u8 {
        match self {
            Self::Scp02(channel) => channel.card().key_version,
            Self::Scp03(channel) => channel.card().key_version,
        }
    }

    /// The protection of this session.
    #[must_use]
    pub const fn level(&self) -> SecurityLevel {
        match self {
            Self::Scp02(channel) => channel.level(),
            Self::Scp03(channel) => channel.level(),
        }
    }

    /// The key under which keys and other sensitive data go to the card: the static Key-DEK in
    /// SCP03, a session key in SCP02.
    #[must_use]
    pub const fn data_encryption(&self) -> &StaticKey {
        match self {
            Self::Scp02(channel) => channel.data_encryption(),
            Self::Scp03(channel) => channel.data_encryption(),
        }
    }

    /// The most command data that fits when the protected data may have `protected` bytes.
    #[must_use]
    pub const fn room(&self, protected: usize) -> usize {
        match self {
            Self::Scp02(channel) => channel.room(protected),
            Self::Scp03(channel) => channel.room(protected),
        }
    }

    /// Protects the next command. Le stays as it is.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ChannelClosed`], [`GlobalPlatformError::CommandTooLong`].
    pub fn wrap(&mut self, command: &CommandApdu) -> Result<CommandApdu, GlobalPlatformError> {
        match self {
            Self::Scp02(channel) => channel.wrap(command),
            Self::Scp03(channel) => channel.wrap(command),
        }
    }

    /// Checks the response to the last command and takes its protection off.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ResponseProtection`]; the session is closed then.
    pub fn unwrap(&mut self, answer: &ResponseApdu) -> Result<ResponseApdu, GlobalPlatformError> {
        match self {
            Self::Scp02(channel) => channel.unwrap(answer),
            Self::Scp03(channel) => channel.unwrap(answer),
        }
    }
}
