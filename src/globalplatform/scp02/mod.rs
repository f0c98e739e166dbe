//! Mutual authentication of SCP02 with explicit initiation (GPC appendix E), as two steps that
//! each give a command and take its answer.
//!
//! SCP02 is built on triple DES with two keys and blocks of 8 bytes: less than what a new card
//! should have. It is spoken only with key sets that are named as 3DES keys, never by way of
//! falling back from SCP03.

mod channel;

pub use channel::Scp02Channel;

use subtle::ConstantTimeEq;

use super::{GlobalPlatformError, KeySet, SecurityLevel};
use crate::apdu::{CommandApdu, ResponseApdu};
use channel::{SessionKeys, Use};

/// Bytes of the host's challenge and of a cryptogram.
const CRYPTOGRAM: usize = 8;

/// The "i" parameter: options of the card's SCP02 (GPC table E-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options(u8);

impl Options {
    /// Three keys, C-MAC on the modified APDU, explicit initiation, ICV zero at first and
    /// encrypted then, random challenge: the commonest.
    pub const I15: Self = Self(0x15);

    /// The options of an "i" parameter, where they are known here: 15 and 55, and the same with
    /// R-MAC (35, 75), which is then not asked for.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ProtocolNotSupported`]: implicit initiation, one base key, C-MAC on
    /// the unmodified APDU, and chaining without encryption of the ICV are refused.
    pub const fn new(parameter: u8) -> Result<Self, GlobalPlatformError> {
        match parameter & !0x60 {
            0x15 => Ok(Self(parameter)),
            _ => Err(GlobalPlatformError::ProtocolNotSupported { protocol: 2, parameter }),
        }
    }

    /// The parameter.
    #[must_use]
    pub const fn parameter(self) -> u8 {
        self.0
    }

    /// Whether the card's challenge comes from a well-known pseudo-random algorithm.
    #[must_use]
    pub const fn pseudo_random_challenge(self) -> bool {
        self.0 & 0x40 != 0
    }
}

/// Begins a session. `level` of `None` takes encryption of commands, the strongest that SCP02 has
/// without R-MAC.
///
/// `host_challenge` is what went out with INITIALIZE UPDATE, 8 fresh random bytes; `options` are
/// what the card announces in its recognition data, since its answer does not tell them.
#[must_use]
pub const fn initialize<'a>(
    keys: &'a KeySet,
    level: Option<SecurityLevel>,
    options: Options,
    host_challenge: &'a [u8],
) -> InitializeUpdate<'a> {
    InitializeUpdate { keys, level, options, host_challenge }
}

/// First step: INITIALIZE UPDATE was sent, its answer is to be taken.
#[derive(Debug)]
pub struct InitializeUpdate<'a> {
    keys: &'a KeySet,
    level: Option<SecurityLevel>,
    options: Options,
    host_challenge: &'a [u8],
}

/// What the card says of itself in its answer to INITIALIZE UPDATE (GPC table E-9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardAnswer {
    /// Key diversification data.
    pub diversification: [u8; 10],
    /// Version of the key set in use.
    pub key_version: u8,
    /// Counts the sessions with this key set.
    pub sequence_counter: [u8; 2],
    challenge: [u8; 6],
    cryptogram: [u8; CRYPTOGRAM],
}

impl CardAnswer {
    /// Reads the response data.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`] or [`GlobalPlatformError::ProtocolNotSupported`].
    pub fn parse(data: &[u8]) -> Result<Self, GlobalPlatformError> {
        let offset = data.len();
        let malformed = GlobalPlatformError::Malformed { what: "INITIALIZE UPDATE", offset };
        if let Some(protocol) = data.get(11).filter(|protocol| **protocol != 0x02) {
            // SCP03 has its "i" parameter behind.
            let parameter = data.get(12).copied().unwrap_or_default();
            let protocol = *protocol;
            return Err(GlobalPlatformError::ProtocolNotSupported { protocol, parameter });
        }
        let data: &[u8; 28] = data.try_into().map_err(|_| malformed)?;
        let [diversification @ .., key_version, _protocol] =
            *data.first_chunk::<12>().unwrap_or(&[0; 12]);
        let mut answer = Self {
            diversification,
            key_version,
            sequence_counter: [data[12], data[13]],
            challenge: [0; 6],
            cryptogram: [0; CRYPTOGRAM],
        };
        answer.challenge.copy_from_slice(&data[14..20]);
        answer.cryptogram.copy_from_slice(&data[20..]);
        Ok(answer)
    }

    /// Whether a card with these keys made this answer to `host_challenge`. Nothing is sent: any
    /// number of keys may be tried on one answer.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] for keys that are no 3DES keys.
    pub fn is_from(
        &self,
        keys: &KeySet,
        host_challenge: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        let session = SessionKeys::derive(keys, self.sequence_counter)?;
        self.is_proven(&session, host_challenge)
    }

    fn is_proven(
        &self,
        session: &SessionKeys,
        host_challenge: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        let input = [host_challenge, &self.sequence_counter, &self.challenge].concat();
        let expected = session.cryptogram(&input)?;
        Ok(expected.ct_eq(&self.cryptogram).into())
    }

    /// Whether the challenge is the well-known pseudo-random one that a card with these keys gives:
    /// the first six bytes of the C-MAC over the identifier of the application (GPC §E.4.2.3).
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] for keys that are no 3DES keys.
    pub fn challenge_is_derived(
        &self,
        keys: &KeySet,
        domain: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        let mac = Use::CommandMac.derive(&keys.mac, self.sequence_counter)?;
        Ok(mac.retail_mac(&[0; 8], domain)?.starts_with(&self.challenge))
    }
}

impl InitializeUpdate<'_> {
    /// Takes the answer: checks the card's cryptogram and makes the host's.
    ///
    /// # Errors
    /// [`GlobalPlatformError`]; with [`GlobalPlatformError::CardCryptogram`] the keys are wrong and
    /// must not be tried again.
    pub fn answer(
        self,
        answer: &ResponseApdu,
    ) -> Result<ExternalAuthenticate, GlobalPlatformError> {
        if !answer.status.is_ok() {
            let status = answer.status;
            return Err(GlobalPlatformError::Refused { command: "INITIALIZE UPDATE", status });
        }
        let card = CardAnswer::parse(&answer.data)?;
        let asked = self.keys.version;
        if asked != 0 && card.key_version != asked {
            let answered = card.key_version;
            return Err(GlobalPlatformError::KeyVersion { asked, answered });
        }
        let level = self.level.unwrap_or(SecurityLevel::C_DECRYPTION);
        if level.authenticates_responses() || level.encrypts_responses() {
            let parameter = self.options.parameter();
            let protection = if level.encrypts_responses() { "R-ENC" } else { "R-MAC" };
            return Err(GlobalPlatformError::ProtectionNotOffered { parameter, protection });
        }
        let session = SessionKeys::derive(self.keys, card.sequence_counter)?;
        if !card.is_proven(&session, self.host_challenge)? {
            return Err(GlobalPlatformError::CardCryptogram);
        }
        let input = [&card.sequence_counter[..], &card.challenge, self.host_challenge].concat();
        let cryptogram = session.cryptogram(&input)?;
        // The command goes out with its MAC whatever the level, and never encrypted.
        let mut channel = Scp02Channel::new(session, SecurityLevel::C_MAC, self.options, card);
        let command = CommandApdu::new(0x80, 0x82, level.byte(), 0x00).with_data(cryptogram);
        let command = channel.wrap(&command)?;
        channel.set_level(level);
        Ok(ExternalAuthenticate { channel, command })
    }
}

/// Second step: EXTERNAL AUTHENTICATE.
#[derive(Debug)]
pub struct ExternalAuthenticate {
    channel: Scp02Channel,
    command: CommandApdu,
}

impl ExternalAuthenticate {
    /// The command to send, once.
    #[must_use]
    pub const fn command(&self) -> &CommandApdu {
        &self.command
    }

    /// Takes the answer: the session is open.
    ///
    /// # Errors
    /// [`GlobalPlatformError::AuthenticationRefused`]: do not try again.
    pub fn answer(self, answer: &ResponseApdu) -> Result<Scp02Channel, GlobalPlatformError> {
        if !answer.status.is_ok() {
            return Err(GlobalPlatformError::AuthenticationRefused { status: answer.status });
        }
        if !answer.data.is_empty() {
            let reason = "EXTERNAL AUTHENTICATE answered with data";
            return Err(GlobalPlatformError::ResponseProtection { reason });
        }
        Ok(self.channel)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
