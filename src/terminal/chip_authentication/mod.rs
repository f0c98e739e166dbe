//! Chip Authentication version 1, terminal side, over curves and prime fields (ICAO 9303-11 §6.2,
//! BSI TR-03110-1 §3.4).
//!
//! A card that answers 9000 has proved nothing: the proof is the first response under the new
//! keys. So the protocol ends in a [`PendingChipAuthentication`], and evidence comes only from an
//! exchange that passed the checks of secure messaging.

mod parameters;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{GroupSecret, PublicElement};
use rand_core::CryptoRng;

use super::protocol::{Protocol, Step};
use super::public_key::encode_public_key;
use super::secure_messaging::SecureMessaging;
use super::session::{Session, WireExchange};
use super::{KeyFault, TerminalError, commands};
use crate::apdu::tlv::{Tag, Tlv, encode};
use crate::apdu::{CommandApdu, ResponseApdu};
use crate::lds::ChipAuthenticationInfo;
use crate::transport::CardTransport;

pub use parameters::{ChipAuthenticationParameters, ChipAuthenticationPreference};

const SELECTION: &str = "public key of Chip Authentication";
const KAT: &str = "MSE:Set KAT of Chip Authentication";
const AT: &str = "MSE:Set AT of Chip Authentication";
const AUTHENTICATE: &str = "GENERAL AUTHENTICATE of Chip Authentication";

/// The protocol: MSE:Set KAT for 3DES, MSE:Set AT and GENERAL AUTHENTICATE for AES.
pub struct ChipAuthentication {
    parameters: ChipAuthenticationParameters,
    ephemeral: GroupSecret,
    /// MSE:Set AT even for 3DES.
    by_set_at: bool,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    KeySent(&'static str),
    Selected,
    Over,
}

impl ChipAuthentication {
    /// Prepares the protocol; draws the ephemeral key.
    #[must_use]
    pub fn new(parameters: ChipAuthenticationParameters, random: &mut dyn CryptoRng) -> Self {
        let ephemeral = GroupSecret::random(&parameters.card_key.domain_parameters(), random);
        Self { parameters, ephemeral, by_set_at: false, state: State::Start }
    }

    /// Takes MSE:Set AT and GENERAL AUTHENTICATE for 3DES too, as cards want it that do not have
    /// MSE:Set KAT (ICAO 9303-11 §8.5, note 1).
    #[must_use]
    pub const fn by_set_at(mut self) -> Self {
        self.by_set_at = true;
        self
    }

    fn key_reference(&self) -> Vec<u8> {
        self.parameters.key_id.as_ref().map_or_else(Vec::new, |id| encode(Tag(0x84), id))
    }
}

impl Protocol for ChipAuthentication {
    type Output = PendingChipAuthentication;

    fn start(&mut self) -> Result<CommandApdu, TerminalError> {
        if self.parameters.cipher == BlockCipher::Tdes && !self.by_set_at {
            self.state = State::KeySent(KAT);
            let key = encode_public_key(&self.ephemeral.public_element());
            let mut data = encode(Tag(0x91), &key);
            data.extend(self.key_reference());
            return Ok(commands::mse_set_kat(data));
        }
        self.state = State::Selected;
        let ChipAuthenticationParameters { cipher, .. } = self.parameters;
        let protocol = ChipAuthenticationInfo::protocol_oid(self.parameters.agreement(), cipher);
        let mut data = encode(Tag(0x80), protocol.as_bytes());
        data.extend(self.key_reference());
        Ok(commands::mse_set_at_internal(data))
    }

    fn resume(
        &mut self,
        response: &ResponseApdu,
    ) -> Result<Step<PendingChipAuthentication>, TerminalError> {
        let status = response.status;
        let step = match self.state {
            State::Start | State::Over => return Err(TerminalError::Closed),
            State::KeySent(step) => step,
            State::Selected => AT,
        };
        let selected = matches!(self.state, State::Selected);
        self.state = State::Over;
        if !status.is_ok() {
            return Err(TerminalError::Refused { step, status });
        }
        if selected {
            self.state = State::KeySent(AUTHENTICATE);
            let key = encode_public_key(&self.ephemeral.public_element());
            let content = encode(Tag(0x80), &key);
            return Ok(Step::Send(commands::general_authenticate(&content, true)));
        }
        check_empty(&response.data)?;
        Ok(Step::Done(PendingChipAuthentication {
            parameters: self.parameters.clone(),
            ephemeral: self.ephemeral.clone(),
        }))
    }
}

/// Nothing, or dynamic authentication data with nothing in it.
fn check_empty(data: &[u8]) -> Result<(), TerminalError> {
    let empty = data.is_empty()
        || Tlv::parse_exact(data).is_ok_and(|t| t.tag == Tag(0x7C) && t.value.is_empty());
    let detail = "the answer carries data where it must not";
    if empty { Ok(()) } else { Err(TerminalError::Protocol { step: AUTHENTICATE, detail }) }
}

impl std::fmt::Debug for ChipAuthentication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChipAuthentication({}, ***)", self.parameters.cipher.name())
    }
}

/// Chip Authentication whose proof is still to come.
#[derive(Debug, Clone)]
pub struct PendingChipAuthentication {
    parameters: ChipAuthenticationParameters,
    ephemeral: GroupSecret,
}

impl PendingChipAuthentication {
    /// The terminal's ephemeral public key, which Terminal Authentication is bound to.
    #[must_use]
    pub fn terminal_public_key(&self) -> PublicElement {
        self.ephemeral.public_element()
    }

    /// The keys for the next command.
    ///
    /// # Errors
    /// [`TerminalError::CardKey`] when the shared secret is the neutral element.
    pub fn session_keys(&self) -> Result<SecureMessaging, TerminalError> {
        session_keys(self.parameters.cipher, &self.parameters.card_key, &self.ephemeral)
            .ok_or(TerminalError::CardKey { step: AUTHENTICATE, fault: KeyFault::Identity })
    }

    /// Evidence, once a command has been answered under the new keys.
    #[must_use]
    pub fn confirm<T: CardTransport>(
        self,
        session: &Session<T>,
    ) -> Option<ChipAuthenticationEvidence> {
        let confirmation = session.key_confirmation()?.clone();
        let Self { parameters, ephemeral } = self;
        Some(ChipAuthenticationEvidence { parameters, ephemeral, confirmation })
    }
}

fn session_keys(
    cipher: BlockCipher,
    card_key: &PublicElement,
    ephemeral: &GroupSecret,
) -> Option<SecureMessaging> {
    let secret = card_key.shared_secret(ephemeral).ok()?;
    Some(SecureMessaging::from_secret(cipher, &secret))
}

/// What proves that the chip has the private key: a response that only its holder (or the
/// terminal) could have made. It can be checked again offline, against the key of a DG14 that
/// Passive Authentication has bound to the document.
#[derive(Debug, Clone)]
pub struct ChipAuthenticationEvidence {
    /// Key and variant used.
    pub parameters: ChipAuthenticationParameters,
    /// The terminal's ephemeral key.
    pub ephemeral: GroupSecret,
    /// The first exchange under the new keys.
    pub confirmation: WireExchange,
}

impl ChipAuthenticationEvidence {
    /// The terminal's ephemeral public key, which Terminal Authentication is bound to.
    #[must_use]
    pub fn terminal_public_key(&self) -> PublicElement {
        self.ephemeral.public_element()
    }

    /// Whether the response of the confirming exchange was made by the holder of the private key
    /// that belongs to `card_key`.
    #[must_use]
    pub fn proves_possession_of(&self, card_key: &PublicElement) -> bool {
        let Some(mut keys) = session_keys(self.parameters.cipher, card_key, &self.ephemeral) else {
            return false;
        };
        keys.wrap(&self.confirmation.plain).is_ok()
            && keys.unwrap(&self.confirmation.response).is_ok()
    }
}

/// Runs Chip Authentication and switches the session to the new keys; the old ones are wiped. The
/// proof comes with the next command (see [`PendingChipAuthentication::confirm`]).
///
/// Where a card refuses MSE:Set KAT, 3DES is tried once more by MSE:Set AT (ICAO 9303-11 §8.5). A
/// command that is too long for the session goes as a command chain.
///
/// # Errors
/// [`TerminalError`]; when the card refused, the session goes on with the old keys.
pub fn authenticate_chip<T: CardTransport>(
    session: &mut Session<T>,
    parameters: ChipAuthenticationParameters,
    random: &mut dyn CryptoRng,
) -> Result<PendingChipAuthentication, TerminalError> {
    let mut protocol = ChipAuthentication::new(parameters.clone(), random);
    let pending = match session.run_chained(&mut protocol) {
        Err(TerminalError::Refused { step: KAT, .. }) => {
            session.run_chained(&mut ChipAuthentication::new(parameters, random).by_set_at())?
        }
        result => result?,
    };
    session.start_secure_messaging(pending.session_keys()?);
    Ok(pending)
}

#[cfg(test)]
mod tests;
