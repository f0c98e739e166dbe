//! PACE, terminal side: ECDH with Generic Mapping (ICAO 9303-11 §4.4, BSI TR-03110-2 §3.2).

mod chip_authentication_mapping;
mod password;
#[cfg(test)]
mod testing;

pub use chip_authentication_mapping::{
    ChipAuthenticationMappingError, ChipAuthenticationMappingEvidence, verify_cam,
};
pub use password::PacePassword;

use cancuoc_primitives::cipher::{BlockCipher, cbc_decrypt, cmac, retail_mac};
use cancuoc_primitives::curve::{Curve, Point, SecretScalar};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key_derivation::{KeyPurpose, derive_key};
use super::protocol::{Protocol, Step};
use super::secure_messaging::SecureMessaging;
use super::{FreshnessRegister, KeyFault, TerminalError, commands};
use crate::apdu::tlv::{Tag, Tlv, encode};
use crate::apdu::{CommandApdu, ResponseApdu};
use crate::lds::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfos};

const MSE: &str = "MSE:Set AT of PACE";
const NONCE: &str = "PACE, encrypted nonce";
const MAPPING: &str = "PACE, mapping";
const AGREEMENT: &str = "PACE, key agreement";
const TOKEN: &str = "PACE, mutual authentication";
/// Bytes of the nonce. The standard lets the card choose any number of blocks; every published
/// profile and card takes 16, and a shorter one is a sign of tampering.
const NONCE_LEN: usize = 16;
const TOKEN_LEN: usize = 8;

/// The variant of PACE to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceParameters {
    /// Key agreement, mapping and cipher.
    pub protocol: PaceProtocol,
    /// Curve of the standardised domain parameters.
    pub curve: Curve,
    /// The card has more than one set of domain parameters, so that the command must name one.
    pub name_parameters: bool,
}

impl PaceParameters {
    /// The variant that a PACEInfo describes.
    ///
    /// # Errors
    /// [`TerminalError::Unsupported`] for DH, Integrated and Chip Authentication Mapping, other
    /// versions than 2, and domain parameters that are no standardised curve.
    pub fn from_info(info: &PaceInfo) -> Result<Self, TerminalError> {
        let PaceProtocol { agreement, mapping, .. } = info.protocol;
        let unsupported = |what: String| Err(TerminalError::Unsupported { what });
        if (agreement, mapping) != (KeyAgreement::Ecdh, Mapping::Generic) {
            return unsupported(format!("PACE with {}-{}", agreement.name(), mapping.name()));
        }
        if info.version != 2 {
            return unsupported(format!("PACE version {}", info.version));
        }
        let id = info.parameter_id.and_then(|id| u8::try_from(id).ok());
        match id.and_then(Curve::from_domain_parameter_id) {
            Some(curve) => Ok(Self { protocol: info.protocol, curve, name_parameters: false }),
            None => unsupported("PACE with these domain parameters".to_owned()),
        }
    }

    /// Picks the strongest variant that the card announces and this terminal has: by cipher, then
    /// by curve.
    ///
    /// # Errors
    /// [`TerminalError::PaceNotOffered`] when the card announces none; the reason why the first
    /// one is unsupported when none is supported.
    pub fn select(infos: &SecurityInfos) -> Result<Self, TerminalError> {
        let mut sets: Vec<Option<u32>> = infos.pace().map(|info| info.parameter_id).collect();
        sets.sort_unstable();
        sets.dedup();
        let mut first_fault = None;
        let mut best: Option<Self> = None;
        for info in infos.pace() {
            match Self::from_info(info) {
                Ok(found) if best.as_ref().is_none_or(|b| found.strength() > b.strength()) => {
                    best = Some(Self { name_parameters: sets.len() > 1, ..found });
                }
                Ok(_) => {}
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        let none = TerminalError::PaceNotOffered { detail: "EF.CardAccess announces none" };
        best.ok_or_else(|| first_fault.unwrap_or(none))
    }

    fn strength(&self) -> (usize, usize, usize) {
        let cipher = self.protocol.cipher;
        // 3DES and AES-128 have keys of the same length but not of the same strength.
        (cipher.key_len(), cipher.block_len(), self.curve.field_bits())
    }
}

/// What PACE leads to.
#[derive(Debug, Clone)]
pub struct PaceResult {
    /// Keys for the next command.
    pub secure_messaging: SecureMessaging,
    /// The card's ephemeral public key, the card's identifier in Terminal Authentication.
    pub card_public_key: Point,
    /// Tries of the password left before this run, where the card told them.
    pub tries_left: Option<u8>,
}

/// The protocol: MSE:Set AT and four GENERAL AUTHENTICATE.
pub struct Pace {
    parameters: PaceParameters,
    password: PacePassword,
    mapping_secret: SecretScalar,
    agreement_secret: SecretScalar,
    resumed: bool,
    register: FreshnessRegister,
    tries_left: Option<u8>,
    state: State,
}

enum State {
    Start,
    Selected,
    WaitingForNonce,
    WaitingForMapping { nonce: SecretScalar },
    WaitingForKey { own_key: Point, mapped: Point },
    WaitingForToken { keys: Box<SessionKeys> },
    Over,
}

struct SessionKeys {
    secure_messaging: SecureMessaging,
    card_key: Point,
    own_token: [u8; TOKEN_LEN],
    card_token: [u8; TOKEN_LEN],
}

impl Pace {
    /// Prepares the protocol; draws both ephemeral keys.
    #[must_use]
    pub fn new(
        parameters: PaceParameters,
        password: PacePassword,
        random: &mut dyn CryptoRng,
    ) -> Self {
        let mapping = SecretScalar::random(parameters.curve, random);
        let agreement = SecretScalar::random(parameters.curve, random);
        Self::with_secrets(parameters, password, mapping, agreement)
    }

    fn with_secrets(
        parameters: PaceParameters,
        password: PacePassword,
        mapping_secret: SecretScalar,
        agreement_secret: SecretScalar,
    ) -> Self {
        Self {
            parameters,
            password,
            mapping_secret,
            agreement_secret,
            resumed: false,
            register: FreshnessRegister::default(),
            tries_left: None,
            state: State::Start,
        }
    }

    /// Refuses nonces and ephemeral keys that cards have sent before.
    #[must_use]
    pub fn remembering(mut self, register: FreshnessRegister) -> Self {
        self.register = register;
        self
    }

    /// Lets the last try of a PIN be used: the session has been opened with the CAN before
    /// (BSI TR-03110-2 §3.3.1.1).
    #[must_use]
    pub const fn resumed(mut self) -> Self {
        self.resumed = true;
        self
    }

    const fn cipher(&self) -> BlockCipher {
        self.parameters.protocol.cipher
    }

    fn select_protocol(&self) -> CommandApdu {
        let mut data = encode(Tag(0x80), self.parameters.protocol.oid().as_bytes());
        data.extend(encode(Tag(0x83), &[self.password.reference()]));
        if self.parameters.name_parameters {
            let id = self.parameters.curve.domain_parameter_id();
            data.extend(encode(Tag(0x84), &[id]));
        }
        commands::mse_set_at_mutual(data)
    }

    /// Step 1: decrypts the nonce; sends the own mapping key.
    fn take_nonce(&mut self, cryptogram: &[u8]) -> Result<CommandApdu, TerminalError> {
        if cryptogram.len() != NONCE_LEN {
            return Err(violation(NONCE, "the nonce is not 16 bytes long"));
        }
        let cipher = self.cipher();
        let key = derive_key(cipher, self.password.secret(), KeyPurpose::Password);
        let nonce = cbc_decrypt(cipher, &key, &vec![0; cipher.block_len()], cryptogram)
            .map(Zeroizing::new)
            .map_err(|_| violation(NONCE, "the nonce cannot be decrypted"))?;
        if !self.register.is_fresh(&nonce) {
            return Err(TerminalError::NonceRepeated { step: NONCE });
        }
        let nonce = SecretScalar::from_bytes(self.parameters.curve, &nonce)
            .map_err(|_| violation(NONCE, "the nonce is zero"))?;
        self.state = State::WaitingForMapping { nonce };
        Ok(step_command(0x81, self.mapping_secret.public_point().as_bytes(), false))
    }

    /// Step 2: maps the nonce to a generator (ICAO 9303-11 §4.4.3.3.1); sends the own key.
    fn take_mapping(
        &mut self,
        nonce: &SecretScalar,
        card: &[u8],
    ) -> Result<CommandApdu, TerminalError> {
        let card = self.point(card, MAPPING)?;
        if card == self.mapping_secret.public_point() {
            return Err(key_fault(MAPPING, KeyFault::Reflected));
        }
        let mapped = card
            .multiply(&self.mapping_secret)
            .and_then(|shared| nonce.public_point().add(&shared))
            .map_err(|_| violation(MAPPING, "the mapped generator is the point at infinity"))?;
        let own_key = mapped
            .multiply(&self.agreement_secret)
            .map_err(|_| violation(MAPPING, "the mapped generator cannot be used"))?;
        let command = step_command(0x83, own_key.as_bytes(), false);
        self.state = State::WaitingForKey { own_key, mapped };
        Ok(command)
    }

    /// Step 3: agrees on the keys; sends the own token.
    fn take_key(
        &mut self,
        own_key: &Point,
        mapped: &Point,
        card: &[u8],
    ) -> Result<CommandApdu, TerminalError> {
        let card_key = self.point(card, AGREEMENT)?;
        if card_key == *own_key {
            return Err(key_fault(AGREEMENT, KeyFault::Reflected));
        }
        if card_key == *mapped {
            return Err(key_fault(AGREEMENT, KeyFault::Generator));
        }
        let shared = card_key
            .multiply(&self.agreement_secret)
            .map_err(|_| violation(AGREEMENT, "the shared secret is the point at infinity"))?;
        let secret = Zeroizing::new(shared.x_coordinate());
        let mac_key = derive_key(self.cipher(), &secret, KeyPurpose::Mac);
        let own_token = self.token(&mac_key, &card_key)?;
        let card_token = self.token(&mac_key, own_key)?;
        let secure_messaging = SecureMessaging::from_secret(self.cipher(), &secret);
        let keys = SessionKeys { secure_messaging, card_key, own_token, card_token };
        self.state = State::WaitingForToken { keys: Box::new(keys) };
        Ok(step_command(0x85, &own_token, true))
    }

    /// Step 4: checks the card's token.
    fn take_token(&self, keys: SessionKeys, token: &[u8]) -> Result<PaceResult, TerminalError> {
        if bool::from(token.ct_eq(&keys.own_token)) {
            return Err(violation(TOKEN, "the card echoes the terminal's token"));
        }
        if !bool::from(token.ct_eq(&keys.card_token)) {
            return Err(TerminalError::CardNotAuthentic { step: TOKEN });
        }
        let SessionKeys { secure_messaging, card_key, .. } = keys;
        Ok(PaceResult { secure_messaging, card_public_key: card_key, tries_left: self.tries_left })
    }

    /// MAC over the public key data object of the other side (ICAO 9303-11 §4.4.3.4).
    fn token(&self, mac_key: &[u8], key: &Point) -> Result<[u8; TOKEN_LEN], TerminalError> {
        let mut content = encode(Tag(0x06), self.parameters.protocol.oid().as_bytes());
        content.extend(encode(Tag(0x86), key.as_bytes()));
        let data = encode(Tag(0x7F49), &content);
        let mac = match self.cipher() {
            BlockCipher::Tdes => retail_mac(mac_key, &data).map(|mac| mac.to_vec()),
            aes => cmac(aes, mac_key, &data).map(|mac| mac.to_vec()),
        };
        mac.ok()
            .and_then(|mac| mac.first_chunk().copied())
            .ok_or_else(|| violation(TOKEN, "the token cannot be computed"))
    }

    fn point(&self, bytes: &[u8], step: &'static str) -> Result<Point, TerminalError> {
        let point = Point::from_uncompressed(self.parameters.curve, bytes)
            .map_err(|_| key_fault(step, KeyFault::NotOnCurve))?;
        if self.register.is_fresh(bytes) {
            Ok(point)
        } else {
            Err(key_fault(step, KeyFault::Repeated))
        }
    }
}

/// GENERAL AUTHENTICATE with one data object.
fn step_command(tag: u32, value: &[u8], last: bool) -> CommandApdu {
    commands::general_authenticate(&encode(Tag(tag), value), last)
}

/// The data object of a step, alone in its template; references of certification authorities may
/// follow the token.
fn dynamic_data<'a>(
    step: &'static str,
    tag: u32,
    data: &'a [u8],
) -> Result<&'a [u8], TerminalError> {
    let malformed = |_| violation(step, "the dynamic authentication data is malformed");
    let template = Tlv::parse_exact(data).and_then(|t| t.expect(Tag(0x7C))).map_err(malformed)?;
    let mut children = template.children();
    let found = children.read_tag(Tag(tag)).map_err(malformed)?;
    if step == TOKEN {
        for reference in [0x87, 0x88] {
            children.read_if(Tag(reference)).map_err(malformed)?;
        }
    }
    children.finish().map_err(malformed)?;
    Ok(found.value)
}

const fn key_fault(step: &'static str, fault: KeyFault) -> TerminalError {
    TerminalError::CardKey { step, fault }
}

const fn violation(step: &'static str, detail: &'static str) -> TerminalError {
    TerminalError::Protocol { step, detail }
}

impl Protocol for Pace {
    type Output = PaceResult;

    fn start(&mut self) -> Result<CommandApdu, TerminalError> {
        self.state = State::Selected;
        Ok(self.select_protocol())
    }

    fn resume(&mut self, response: &ResponseApdu) -> Result<Step<PaceResult>, TerminalError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (step, tag) = match state {
            State::Start | State::Over => return Err(TerminalError::Closed),
            State::Selected => {
                self.tries_left =
                    self.password.check_selection(MSE, response.status, self.resumed)?;
                self.state = State::WaitingForNonce;
                return Ok(Step::Send(commands::general_authenticate(&[], false)));
            }
            State::WaitingForNonce => (NONCE, 0x80),
            State::WaitingForMapping { .. } => (MAPPING, 0x82),
            State::WaitingForKey { .. } => (AGREEMENT, 0x84),
            State::WaitingForToken { .. } => (TOKEN, 0x86),
        };
        self.password.check_step(step, response.status, step == TOKEN)?;
        let data = dynamic_data(step, tag, &response.data)?;
        let next = match state {
            State::WaitingForNonce => self.take_nonce(data)?,
            State::WaitingForMapping { nonce } => self.take_mapping(&nonce, data)?,
            State::WaitingForKey { own_key, mapped } => self.take_key(&own_key, &mapped, data)?,
            State::WaitingForToken { keys } => {
                return self.take_token(*keys, data).map(Step::Done);
            }
            State::Start | State::Selected | State::Over => return Err(TerminalError::Closed),
        };
        Ok(Step::Send(next))
    }
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pace({}, ***)", self.password.name())
    }
}

#[cfg(test)]
mod tests;
