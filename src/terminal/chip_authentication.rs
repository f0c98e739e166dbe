//! Chip Authentication version 1 with ECDH, terminal side (ICAO 9303-11 §6.2, BSI TR-03110-1 §3.4).
//!
//! A card that answers 9000 has proved nothing: the proof is the first response under the new
//! keys. So the protocol ends in a [`PendingChipAuthentication`], and evidence comes only from an
//! exchange that passed the checks of secure messaging.

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Point, SecretScalar};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::protocol::{Protocol, Step};
use super::secure_messaging::SecureMessaging;
use super::session::{Session, WireExchange};
use super::{TerminalError, commands};
use crate::apdu::tlv::{Tag, Tlv, encode};
use crate::apdu::{CommandApdu, ResponseApdu};
use crate::lds::{ChipAuthenticationInfo, KeyAgreement, PublicKey, SecurityInfos};
use crate::transport::CardTransport;

const KAT: &str = "MSE:Set KAT of Chip Authentication";
const AT: &str = "MSE:Set AT of Chip Authentication";
const AUTHENTICATE: &str = "GENERAL AUTHENTICATE of Chip Authentication";

/// The key and variant of Chip Authentication to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationParameters {
    /// Cipher of the new session.
    pub cipher: BlockCipher,
    /// The card's static public key, from DG14.
    pub card_key: Point,
    /// Which of the card's keys, where DG14 names it.
    pub key_id: Option<Vec<u8>>,
    /// DG14 has a key but no ChipAuthenticationInfo: 3DES is assumed, as the first passports with
    /// Chip Authentication have it.
    pub assumed: bool,
}

impl ChipAuthenticationParameters {
    /// Picks the key with the strongest cipher from DG14; `None` where the card announces no key
    /// for Chip Authentication.
    ///
    /// # Errors
    /// [`TerminalError::Unsupported`] when all keys are for DH or cannot be decoded.
    pub fn select(infos: &SecurityInfos) -> Result<Option<Self>, TerminalError> {
        let mut best: Option<Self> = None;
        let mut unsupported = None;
        for key in infos.chip_authentication_keys() {
            if key.agreement != KeyAgreement::Ecdh {
                unsupported = Some("Chip Authentication with DH");
                continue;
            }
            let Ok((PublicKey::Ec(card_key), _)) = PublicKey::from_spki_der(&key.spki) else {
                unsupported = Some("this public key of Chip Authentication");
                continue;
            };
            let Some((cipher, assumed)) = cipher_for(infos, key.key_id.as_deref()) else {
                unsupported = Some("this variant of Chip Authentication");
                continue;
            };
            let found = Self { cipher, card_key, key_id: key.key_id.clone(), assumed };
            if best.as_ref().is_none_or(|best| found.strength() > best.strength()) {
                best = Some(found);
            }
        }
        match (best, unsupported) {
            (None, Some(what)) => Err(TerminalError::Unsupported { what: what.to_owned() }),
            (best, _) => Ok(best),
        }
    }

    fn strength(&self) -> (usize, usize, usize) {
        (self.cipher.key_len(), self.cipher.block_len(), self.card_key.curve().field_bits())
    }
}

/// The strongest cipher announced for the key, and whether it had to be assumed.
fn cipher_for(infos: &SecurityInfos, key_id: Option<&[u8]>) -> Option<(BlockCipher, bool)> {
    if infos.chip_authentication().next().is_none() {
        return Some((BlockCipher::Tdes, true));
    }
    let fits = |info: &&ChipAuthenticationInfo| {
        info.agreement == KeyAgreement::Ecdh
            && info.version == 1
            // A key without identifier is the only one; an info may still leave it unnamed.
            && (info.key_id.as_deref() == key_id || info.key_id.is_none())
    };
    let ciphers = infos.chip_authentication().filter(fits).map(|info| info.cipher);
    ciphers.max_by_key(|c| (c.key_len(), c.block_len())).map(|cipher| (cipher, false))
}

/// The protocol: MSE:Set KAT for 3DES, MSE:Set AT and GENERAL AUTHENTICATE for AES.
pub struct ChipAuthentication {
    parameters: ChipAuthenticationParameters,
    ephemeral: SecretScalar,
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
        let ephemeral = SecretScalar::random(parameters.card_key.curve(), random);
        Self { parameters, ephemeral, state: State::Start }
    }

    fn key_reference(&self) -> Vec<u8> {
        self.parameters.key_id.as_ref().map_or_else(Vec::new, |id| encode(Tag(0x84), id))
    }
}

impl Protocol for ChipAuthentication {
    type Output = PendingChipAuthentication;

    fn start(&mut self) -> Result<CommandApdu, TerminalError> {
        if self.parameters.cipher == BlockCipher::Tdes {
            self.state = State::KeySent(KAT);
            let key = self.ephemeral.public_point();
            let mut data = encode(Tag(0x91), key.as_bytes());
            data.extend(self.key_reference());
            return Ok(commands::mse_set_kat(data));
        }
        self.state = State::Selected;
        let protocol =
            ChipAuthenticationInfo::protocol_oid(KeyAgreement::Ecdh, self.parameters.cipher);
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
            let key = self.ephemeral.public_point();
            let content = encode(Tag(0x80), key.as_bytes());
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
    ephemeral: SecretScalar,
}

impl PendingChipAuthentication {
    /// The keys for the next command.
    ///
    /// # Errors
    /// [`TerminalError::Protocol`] when the shared secret is the point at infinity.
    pub fn session_keys(&self) -> Result<SecureMessaging, TerminalError> {
        session_keys(self.parameters.cipher, &self.parameters.card_key, &self.ephemeral).ok_or(
            TerminalError::Protocol {
                step: AUTHENTICATE,
                detail: "the shared secret is the point at infinity",
            },
        )
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
    card_key: &Point,
    ephemeral: &SecretScalar,
) -> Option<SecureMessaging> {
    let shared = card_key.multiply(ephemeral).ok()?;
    let secret = Zeroizing::new(shared.x_coordinate());
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
    pub ephemeral: SecretScalar,
    /// The first exchange under the new keys.
    pub confirmation: WireExchange,
}

impl ChipAuthenticationEvidence {
    /// Whether the response of the confirming exchange was made by the holder of the private key
    /// that belongs to `card_key`.
    #[must_use]
    pub fn proves_possession_of(&self, card_key: &Point) -> bool {
        let Some(mut keys) = session_keys(self.parameters.cipher, card_key, &self.ephemeral) else {
            return false;
        };
        keys.wrap(&self.confirmation.plain).is_ok()
            && keys.unwrap(&self.confirmation.response).is_ok()
    }
}

/// Runs Chip Authentication and switches the session to the new keys. The proof comes with the
/// next command (see [`PendingChipAuthentication::confirm`]).
///
/// # Errors
/// [`TerminalError`]; when the card refused, the session goes on with the old keys.
pub fn authenticate_chip<T: CardTransport>(
    session: &mut Session<T>,
    parameters: ChipAuthenticationParameters,
    random: &mut dyn CryptoRng,
) -> Result<PendingChipAuthentication, TerminalError> {
    let pending = session.run(&mut ChipAuthentication::new(parameters, random))?;
    session.start_secure_messaging(pending.session_keys()?);
    Ok(pending)
}

#[cfg(test)]
mod tests;
