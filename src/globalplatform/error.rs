//! What can go wrong between the host and a security domain.

use thiserror::Error;

use cancuoc_primitives::cipher::CipherError;

use crate::apdu::{ApduError, StatusWord};
use crate::error::ErrorCode;
use crate::transport::TransportError;

/// A fault in the exchange with a security domain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GlobalPlatformError {
    /// No answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An APDU cannot be built or read.
    #[error(transparent)]
    Apdu(#[from] ApduError),
    /// A key or block has a length that its cipher does not take.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// The card has no security domain under the identifier asked for.
    #[error("no security domain {aid} on this card (status {status})")]
    NoSecurityDomain {
        /// Application identifier, in hexadecimal.
        aid: String,
        /// Status word.
        status: StatusWord,
    },
    /// A command was refused.
    #[error("{command}: refused with status {status}")]
    Refused {
        /// Name of the command.
        command: &'static str,
        /// Status word.
        status: StatusWord,
    },
    /// Response data has not the form that the specification gives it.
    #[error("{what}: malformed at offset {offset}")]
    Malformed {
        /// The object.
        what: &'static str,
        /// Byte offset in the response data.
        offset: usize,
    },
    /// A static key that is not 16, 24 or 32 bytes, or keys of unequal length.
    #[error("a key of {length} bytes is no key of an AES key set")]
    KeyLength {
        /// Bytes given.
        length: usize,
    },
    /// A triple DES key with two equal halves.
    #[error("a triple DES key whose halves are equal is single DES")]
    WeakKey,
    /// The card speaks another secure channel protocol than the keys are for, or options of it
    /// that are not known here.
    #[error("the card announces SCP{protocol:02X} i={parameter:02X}, which is not supported")]
    ProtocolNotSupported {
        /// Secure channel protocol identifier.
        protocol: u8,
        /// The "i" parameter.
        parameter: u8,
    },
    /// The card answered with a key version other than the one asked for.
    #[error("asked for key version {asked:02X}, the card answered with {answered:02X}")]
    KeyVersion {
        /// Version in the command.
        asked: u8,
        /// Version in the response.
        answered: u8,
    },
    /// The card does not offer the protection of responses asked for.
    #[error("i={parameter:02X} offers no {protection} protection of responses")]
    ProtectionNotOffered {
        /// The "i" parameter.
        parameter: u8,
        /// `R-MAC` or `R-ENC`.
        protection: &'static str,
    },
    /// The card's cryptogram was made with other keys. Nothing was sent that the card would count
    /// as an attempt by the host with a wrong cryptogram.
    #[error("the card cryptogram is wrong: the card holds other keys; stopped after one try")]
    CardCryptogram,
    /// The card did not accept the host's cryptogram.
    #[error("the card refused authentication with status {status}; stopped after one try")]
    AuthenticationRefused {
        /// Status word.
        status: StatusWord,
    },
    /// A response came without the protection of the session, or with a wrong one.
    #[error("response breaks the secure channel: {reason}")]
    ResponseProtection {
        /// What is wrong.
        reason: &'static str,
    },
    /// The secure channel was closed after a fault.
    #[error("the secure channel is closed")]
    ChannelClosed,
    /// A command is too long for its protection.
    #[error("command data of {length} bytes is too long for the secure channel")]
    CommandTooLong {
        /// Bytes given.
        length: usize,
    },
    /// A data grouping fits into no STORE DATA of this card and reader.
    #[error("data grouping {identifier:04X} needs {length} bytes; a block has {room}")]
    GroupingTooLong {
        /// Data grouping identifier.
        identifier: u16,
        /// Bytes that it takes.
        length: usize,
        /// Bytes that there are.
        room: usize,
    },
    /// Keys of one cipher to be sent under a key of another.
    #[error("AES keys cannot be sent under triple DES keys, nor the other way round")]
    KeyTypes,
    /// The check value that the card computed over a new key differs.
    #[error("the card reports other check values for the new keys")]
    KeyCheckValue,
}

impl ErrorCode for GlobalPlatformError {
    fn code(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.code(),
            Self::Apdu(error) => error.code(),
            Self::Cipher(_) | Self::KeyLength { .. } => "gp_key_length",
            Self::WeakKey => "gp_weak_key",
            Self::NoSecurityDomain { .. } => "gp_no_security_domain",
            Self::Refused { .. } => "gp_command_refused",
            Self::Malformed { .. } => "gp_response_malformed",
            Self::ProtocolNotSupported { .. } => "scp_not_supported",
            Self::KeyVersion { .. } => "scp_key_version",
            Self::ProtectionNotOffered { .. } => "scp_protection_not_offered",
            Self::CardCryptogram => "scp_card_cryptogram",
            Self::AuthenticationRefused { .. } => "scp_authentication_refused",
            Self::ResponseProtection { .. } => "scp_response_protection",
            Self::ChannelClosed => "scp_channel_closed",
            Self::CommandTooLong { .. } => "scp_command_too_long",
            Self::GroupingTooLong { .. } => "gp_grouping_too_long",
            Self::KeyTypes => "gp_key_types",
            Self::KeyCheckValue => "gp_key_check_value",
        }
    }
}
