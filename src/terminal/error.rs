//! What can go wrong between terminal and card.

use thiserror::Error;

use super::KeyFault;
use crate::apdu::tlv::TlvError;
use crate::apdu::{ApduError, StatusWord};
use crate::cvc::{CvcError, HolderReference};
use crate::error::ErrorCode;
use crate::lds::{FileId, LdsError};
use crate::pki::SignerError;
use crate::transport::TransportError;

/// Why a step of a session with a card failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TerminalError {
    /// No answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Bytes that are no APDU.
    #[error(transparent)]
    Apdu(#[from] ApduError),
    /// The card answered a step with an error status word.
    #[error("the card answered {status} to {step}")]
    Refused {
        /// The step of the protocol.
        step: &'static str,
        /// Status word.
        status: StatusWord,
    },
    /// The card does not know the password: CAN, MRZ or key wrong.
    #[error("the card refused the {password}{}", tries(*.tries_left))]
    WrongPassword {
        /// Name of the password.
        password: &'static str,
        /// Tries left, where the card says so.
        tries_left: Option<u8>,
    },
    /// The card has blocked the password.
    #[error("the card has blocked the {password}")]
    PasswordBlocked {
        /// Name of the password.
        password: &'static str,
    },
    /// One try of the password is left: it may be used only after PACE with the CAN.
    #[error("the {password} is suspended: one try is left")]
    PasswordSuspended {
        /// Name of the password.
        password: &'static str,
    },
    /// The password is switched off.
    #[error("the {password} is not active on this card")]
    PasswordDeactivated {
        /// Name of the password.
        password: &'static str,
    },
    /// A protected response failed a check, or an unprotected one came. Which check is not told:
    /// all failures are one (ICAO 9303-11 §9.8).
    #[error("secure messaging failed; the session is closed")]
    SecureMessaging,
    /// The session was closed by an earlier failure.
    #[error("the session with the card is closed")]
    Closed,
    /// A message of a protocol is malformed or breaks a rule of it.
    #[error("{step}: {detail}")]
    Protocol {
        /// The step of the protocol.
        step: &'static str,
        /// The rule broken.
        detail: &'static str,
    },
    /// A nonce has come before in this process.
    #[error("{step}: the card repeats a nonce of an earlier run")]
    NonceRepeated {
        /// The step of the protocol.
        step: &'static str,
    },
    /// A public key of the card is refused.
    #[error("{step}: {fault}")]
    CardKey {
        /// The step of the protocol.
        step: &'static str,
        /// Why.
        fault: KeyFault,
    },
    /// The card could not prove that it knows the password or key.
    #[error("the card failed to authenticate in {step}")]
    CardNotAuthentic {
        /// The step of the protocol.
        step: &'static str,
    },
    /// The card announces no PACE, or none that the access plan allows.
    #[error("the card offers no PACE that can be used: {detail}")]
    PaceNotOffered {
        /// What it offers instead.
        detail: &'static str,
    },
    /// The card offers PACE, but no variant that the policy allows.
    #[error("the policy allows no PACE variant of the card: {reason}")]
    PaceForbidden {
        /// Why the first one is not allowed.
        reason: String,
    },
    /// The access plan needs a password that was not given.
    #[error("access by {protocol} needs the {password}")]
    PasswordMissing {
        /// Protocol.
        protocol: &'static str,
        /// What is needed.
        password: &'static str,
    },
    /// A variant of a protocol that is not implemented.
    #[error("not supported: {what}")]
    Unsupported {
        /// Which.
        what: String,
    },
    /// The card gave more bytes than asked for, gave none for too long, or a file has no end.
    #[error("{}{detail}", file_name(*.file))]
    Limit {
        /// The file, where one is being read.
        file: Option<FileId>,
        /// The limit.
        detail: &'static str,
    },
    /// A file starts with no data object.
    #[error("{}: {error}", .file.name())]
    File {
        /// The file.
        file: FileId,
        /// What is wrong.
        error: TlvError,
    },
    /// The terminal's certificates do not lead from what the card trusts, or are out of date.
    #[error(transparent)]
    Certificates(#[from] CvcError),
    /// The card refused a certificate of the terminal's chain.
    #[error("the card answered {status} to the certificate of {holder}")]
    CertificateRefused {
        /// Whose certificate.
        holder: HolderReference,
        /// Status word.
        status: StatusWord,
    },
    /// The terminal's key does not belong to its certificate.
    #[error("the terminal's key does not belong to its certificate")]
    TerminalKeyMismatch,
    /// The terminal's key cannot sign.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A file that the terminal needs cannot be decoded.
    #[error(transparent)]
    Lds(#[from] LdsError),
}

fn tries(left: Option<u8>) -> String {
    match left {
        None => String::new(),
        Some(1) => " (1 try left)".to_owned(),
        Some(n) => format!(" ({n} tries left)"),
    }
}

fn file_name(file: Option<FileId>) -> String {
    file.map(|file| format!("{}: ", file.name())).unwrap_or_default()
}

impl TerminalError {
    /// Whether the card (rather than the reader or the input) said no.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. }
                | Self::WrongPassword { .. }
                | Self::PasswordBlocked { .. }
                | Self::PasswordSuspended { .. }
                | Self::PasswordDeactivated { .. }
        )
    }
}

impl ErrorCode for TerminalError {
    fn code(&self) -> &'static str {
        match self {
            Self::Transport(error) => error.code(),
            Self::Apdu(error) => error.code(),
            Self::Refused { .. } => "card_refused",
            Self::WrongPassword { .. } => "access_password_wrong",
            Self::PasswordBlocked { .. } => "access_password_blocked",
            Self::PasswordSuspended { .. } => "access_password_suspended",
            Self::PasswordDeactivated { .. } => "access_password_deactivated",
            Self::NonceRepeated { .. } => "card_nonce_repeated",
            Self::CardKey { fault, .. } => fault.code(),
            Self::SecureMessaging => "secure_messaging_failed",
            Self::Closed => "session_closed",
            Self::Protocol { .. } => "card_protocol_violation",
            Self::CardNotAuthentic { .. } => "card_not_authentic",
            Self::PaceNotOffered { .. } => "pace_not_offered",
            Self::PaceForbidden { .. } => "pace_forbidden_by_policy",
            Self::PasswordMissing { .. } => "access_password_missing",
            Self::Unsupported { .. } => "card_protocol_unsupported",
            Self::Limit { .. } => "card_limit_exceeded",
            Self::File { .. } => "card_file_malformed",
            Self::Certificates(error) => error.code(),
            Self::CertificateRefused { .. } => "terminal_certificate_refused",
            Self::TerminalKeyMismatch => "terminal_key_mismatch",
            Self::Signer(error) => error.code(),
            Self::Lds(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_file_where_there_is_one() {
        let detail = "the card sends nothing";
        let error = TerminalError::Limit { file: Some(FileId::SOD), detail };
        assert_eq!(error.to_string(), "EF.SOD: the card sends nothing");
        let error = TerminalError::Limit { file: None, detail };
        assert_eq!(error.to_string(), "the card sends nothing");
    }

    #[test]
    fn tells_how_many_tries_are_left() {
        let error = TerminalError::WrongPassword { password: "CAN", tries_left: Some(2) };
        assert_eq!(error.to_string(), "the card refused the CAN (2 tries left)");
        let error = TerminalError::WrongPassword { password: "PIN", tries_left: Some(1) };
        assert_eq!(error.to_string(), "the card refused the PIN (1 try left)");
    }
}
