//! PACE, terminal side (ICAO 9303-11 §4.4, BSI TR-03110-2 §3.2, BSI TR-03110-3 §B.1): Generic,
//! Integrated and Chip Authentication Mapping over curves and prime fields.

mod chip_authentication_mapping;
mod integrated_mapping;
mod mapping;
mod parameters;
mod password;
#[cfg(test)]
mod testing;

use cancuoc_primitives::cipher::{BlockCipher, cbc_decrypt, cmac, retail_mac};
use cancuoc_primitives::curve::Point;
use cancuoc_primitives::group::{GroupSecret, PublicElement};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key_derivation::{KeyPurpose, derive_key};
use super::protocol::{Protocol, Step};
use super::public_key::encode_public_key;
use super::secure_messaging::SecureMessaging;
use super::{FreshnessRegister, KeyFault, TerminalError, commands};
use crate::apdu::tlv::{Tag, Tlv, encode};
use crate::apdu::{CommandApdu, Ne, ResponseApdu};
use crate::lds::Mapping;

pub use chip_authentication_mapping::{
    ChipAuthenticationMappingError, ChipAuthenticationMappingEvidence, verify_cam,
};
use mapping::{MappingSecret, Nonce};
pub use parameters::{PaceFilter, PaceParameters};
pub use password::PacePassword;

pub(super) const MSE: &str = "MSE:Set AT of PACE";
const NONCE: &str = "PACE, encrypted nonce";
const MAPPING: &str = "PACE, mapping";
const AGREEMENT: &str = "PACE, key agreement";
const TOKEN: &str = "PACE, mutual authentication";
const TOKEN_LEN: usize = 8;

/// Certificate Holder Authorization Template with which a terminal asks for the references of the
/// certification authorities: id-IS and all access bits (ICAO 9303-11 §4.4.4.1).
const REQUEST_AUTHORITIES: [u8; 14] =
    [6, 9, 0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01, 0x53, 1, 0x3F];

/// What PACE leads to.
#[derive(Debug, Clone)]
pub struct PaceResult {
    /// Keys for the next command.
    pub secure_messaging: SecureMessaging,
    /// The card's ephemeral public key, the card's identifier in Terminal Authentication.
    pub card_public_key: PublicElement,
    /// The terminal's ephemeral public key: after Chip Authentication Mapping, what Terminal
    /// Authentication is bound to.
    pub terminal_public_key: PublicElement,
    /// References of the certification authorities that the card trusts for Terminal
    /// Authentication, the newest first: DO'87' and DO'88' as received.
    pub certification_authorities: Vec<Vec<u8>>,
    /// What the chip sent to prove itself, with Chip Authentication Mapping.
    pub chip_authentication_mapping: Option<ChipAuthenticationMappingEvidence>,
    /// Tries of the password left before this run, where the card told them.
    pub tries_left: Option<u8>,
}

/// The protocol: MSE:Set AT and four GENERAL AUTHENTICATE.
pub struct Pace {
    parameters: PaceParameters,
    password: PacePassword,
    mapping_secret: MappingSecret,
    agreement_secret: GroupSecret,
    resumed: bool,
    request_authorities: bool,
    register: FreshnessRegister,
    tries_left: Option<u8>,
    state: State,
}

enum State {
    Start,
    Selected,
    WaitingForNonce,
    WaitingForMapping { nonce: Nonce },
    WaitingForKey { generator: PublicElement, own: PublicElement, card_mapping: Option<Point> },
    WaitingForToken { keys: Box<SessionKeys> },
    Over,
}

struct SessionKeys {
    secret: Zeroizing<Vec<u8>>,
    card_key: PublicElement,
    own_key: PublicElement,
    card_mapping_key: Option<Point>,
    own_token: [u8; TOKEN_LEN],
    card_token: [u8; TOKEN_LEN],
}

impl Pace {
    /// Prepares the protocol; draws both ephemeral secrets.
    #[must_use]
    pub fn new(
        parameters: PaceParameters,
        password: PacePassword,
        random: &mut dyn CryptoRng,
    ) -> Self {
        let mapping = MappingSecret::random(&parameters, random);
        let agreement = GroupSecret::random(&parameters.domain, random);
        Self::with_secrets(parameters, password, mapping, agreement)
    }

    fn with_secrets(
        parameters: PaceParameters,
        password: PacePassword,
        mapping_secret: MappingSecret,
        agreement_secret: GroupSecret,
    ) -> Self {
        Self {
            parameters,
            password,
            mapping_secret,
            agreement_secret,
            resumed: false,
            request_authorities: false,
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

    /// Asks for the references of the certification authorities of Terminal Authentication
    /// (ICAO 9303-11 §4.4.4.1). A card that does not know the data object may refuse it.
    #[must_use]
    pub const fn requesting_certification_authorities(mut self) -> Self {
        self.request_authorities = true;
        self
    }

    const fn cipher(&self) -> BlockCipher {
        self.parameters.protocol.cipher
    }

    fn select_protocol(&self) -> CommandApdu {
        let mut data = encode(Tag(0x80), self.parameters.protocol.oid().as_bytes());
        data.extend(encode(Tag(0x83), &[self.password.reference()]));
        if let (true, Some(id)) = (self.parameters.name_parameters, self.parameters.parameter_id) {
            let id = id.to_be_bytes();
            let zeros = id.iter().take(3).take_while(|b| **b == 0).count();
            data.extend(encode(Tag(0x84), id.get(zeros..).unwrap_or_default()));
        }
        if self.request_authorities {
            data.extend(encode(Tag(0x7F4C), &REQUEST_AUTHORITIES));
        }
        commands::mse_set_at_mutual(data)
    }

    /// GENERAL AUTHENTICATE with one data object, ready for an answer as long as a public key.
    fn step_command(&self, tag: u32, value: &[u8], last: bool) -> CommandApdu {
        let command = commands::general_authenticate(&encode(Tag(tag), value), last);
        // Template and data object add up to eight bytes. Extended length needs no announcement
        // for this command (ICAO 9303-11 §9.3.1.2).
        let longest = self.parameters.domain.generator().to_bytes().len() + 8;
        if longest > 256 && !last { command.with_ne(Ne::MAX_EXTENDED) } else { command }
    }

    /// Step 1: decrypts the nonce; sends the own mapping data.
    fn take_nonce(&mut self, cryptogram: &[u8]) -> Result<CommandApdu, TerminalError> {
        let cipher = self.cipher();
        let mapping = self.parameters.protocol.mapping;
        mapping::check_nonce_length(mapping, cipher, cryptogram.len())?;
        let key = derive_key(cipher, self.password.secret(), KeyPurpose::Password);
        let nonce = cbc_decrypt(cipher, &key, &vec![0; cipher.block_len()], cryptogram)
            .map(Zeroizing::new)
            .map_err(|_| violation(NONCE, "the nonce cannot be decrypted"))?;
        if !self.register.is_fresh(&nonce) {
            return Err(TerminalError::NonceRepeated { step: NONCE });
        }
        self.state = State::WaitingForMapping { nonce };
        Ok(self.step_command(0x81, &self.mapping_secret.data(), false))
    }

    /// Step 2: maps the nonce to a generator; sends the own key.
    fn take_mapping(&mut self, nonce: &[u8], card: &[u8]) -> Result<CommandApdu, TerminalError> {
        let mapped = self.mapping_secret.map(&self.parameters, nonce, card, &self.register)?;
        let own = mapped
            .generator
            .raise(&self.agreement_secret)
            .map_err(|_| violation(MAPPING, "the mapped generator cannot be used"))?;
        let command = self.step_command(0x83, &encode_public_key(&own), false);
        let card_mapping = match mapped.card_key {
            Some(PublicElement::Ec(point)) => Some(point),
            _ => None,
        };
        self.state = State::WaitingForKey { generator: mapped.generator, own, card_mapping };
        Ok(command)
    }

    /// Step 3: agrees on the keys; sends the own token.
    fn take_key(
        &mut self,
        generator: &PublicElement,
        own_key: PublicElement,
        card_mapping_key: Option<Point>,
        card: &[u8],
    ) -> Result<CommandApdu, TerminalError> {
        let card_key = mapping::card_agreement_key(generator, card, &own_key, &self.register)?;
        let secret = card_key
            .shared_secret(&self.agreement_secret)
            .map_err(|_| key_fault(AGREEMENT, KeyFault::Identity))?;
        let mac_key = derive_key(self.cipher(), &secret, KeyPurpose::Mac);
        let own_token = self.token(&mac_key, &card_key)?;
        let card_token = self.token(&mac_key, &own_key)?;
        let keys =
            SessionKeys { secret, card_key, own_key, card_mapping_key, own_token, card_token };
        self.state = State::WaitingForToken { keys: Box::new(keys) };
        Ok(self.step_command(0x85, &own_token, true))
    }

    /// Step 4: checks the card's token; keeps what came along with it.
    fn take_token(
        &self,
        keys: SessionKeys,
        answer: LastAnswer<'_>,
    ) -> Result<PaceResult, TerminalError> {
        if bool::from(answer.token.ct_eq(&keys.own_token)) {
            return Err(violation(TOKEN, "the card echoes the terminal's token"));
        }
        if !bool::from(answer.token.ct_eq(&keys.card_token)) {
            return Err(TerminalError::CardNotAuthentic { step: TOKEN });
        }
        let chip_authentication_mapping = self.mapping_evidence(&keys, &answer)?;
        Ok(PaceResult {
            secure_messaging: SecureMessaging::from_secret(self.cipher(), &keys.secret),
            card_public_key: keys.card_key,
            terminal_public_key: keys.own_key,
            certification_authorities: answer.authorities,
            chip_authentication_mapping,
            tries_left: self.tries_left,
        })
    }

    /// The encrypted Chip Authentication Data: there with Chip Authentication Mapping, and with
    /// no other (ICAO 9303-11 §4.4.5).
    fn mapping_evidence(
        &self,
        keys: &SessionKeys,
        answer: &LastAnswer<'_>,
    ) -> Result<Option<ChipAuthenticationMappingEvidence>, TerminalError> {
        let expected = self.parameters.protocol.mapping == Mapping::ChipAuthentication;
        match (expected, answer.chip_authentication_data, &keys.card_mapping_key) {
            (false, None, _) => Ok(None),
            (true, Some(encrypted), Some(mapping_key)) => {
                let key = derive_key(self.cipher(), &keys.secret, KeyPurpose::Encryption);
                Ok(Some(ChipAuthenticationMappingEvidence {
                    parameter_id: self.parameters.parameter_id,
                    encrypted: encrypted.to_vec(),
                    data: chip_authentication_mapping::decrypt(self.cipher(), &key, encrypted),
                    mapping_key: mapping_key.clone(),
                }))
            }
            (true, ..) => Err(violation(TOKEN, "the Chip Authentication Data are missing")),
            (false, ..) => {
                Err(violation(TOKEN, "there are Chip Authentication Data where none belong"))
            }
        }
    }

    /// MAC over the public key data object of the other side (ICAO 9303-11 §4.4.3.4, §9.4).
    fn token(&self, mac_key: &[u8], key: &PublicElement) -> Result<[u8; TOKEN_LEN], TerminalError> {
        let tag = if self.parameters.domain.is_ec() { Tag(0x86) } else { Tag(0x84) };
        let mut content = encode(Tag(0x06), self.parameters.protocol.oid().as_bytes());
        content.extend(encode(tag, &encode_public_key(key)));
        let data = encode(Tag(0x7F49), &content);
        let mac = match self.cipher() {
            BlockCipher::Tdes => retail_mac(mac_key, &data).map(|mac| mac.to_vec()),
            aes => cmac(aes, mac_key, &data).map(|mac| mac.to_vec()),
        };
        mac.ok()
            .and_then(|mac| mac.first_chunk().copied())
            .ok_or_else(|| violation(TOKEN, "the token cannot be computed"))
    }
}

/// The data object of a step, alone in its template.
fn dynamic_data<'a>(
    step: &'static str,
    tag: u32,
    data: &'a [u8],
) -> Result<&'a [u8], TerminalError> {
    let malformed = |_| violation(step, "the dynamic authentication data is malformed");
    let template = Tlv::parse_exact(data).and_then(|t| t.expect(Tag(0x7C))).map_err(malformed)?;
    let mut children = template.children();
    let found = children.read_tag(Tag(tag)).map_err(malformed)?;
    children.finish().map_err(malformed)?;
    Ok(found.value)
}

/// The data objects of the last step.
struct LastAnswer<'a> {
    token: &'a [u8],
    authorities: Vec<Vec<u8>>,
    chip_authentication_data: Option<&'a [u8]>,
}

impl<'a> LastAnswer<'a> {
    /// DO'86' [DO'87' [DO'88']] [DO'8A'] (ICAO 9303-11 §4.4.5).
    fn parse(data: &'a [u8]) -> Result<Self, TerminalError> {
        let malformed = |_| violation(TOKEN, "the dynamic authentication data is malformed");
        let template =
            Tlv::parse_exact(data).and_then(|t| t.expect(Tag(0x7C))).map_err(malformed)?;
        let mut children = template.children();
        let token = children.read_tag(Tag(0x86)).map_err(malformed)?.value;
        let mut authorities = Vec::new();
        for tag in [0x87, 0x88] {
            if let Some(reference) = children.read_if(Tag(tag)).map_err(malformed)? {
                authorities.push(reference.value.to_vec());
            }
        }
        let encrypted = children.read_if(Tag(0x8A)).map_err(malformed)?;
        children.finish().map_err(malformed)?;
        let chip_authentication_data = encrypted.map(|object| object.value);
        Ok(Self { token, authorities, chip_authentication_data })
    }
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
        let (status, data) = (response.status, response.data.as_slice());
        let next = match std::mem::replace(&mut self.state, State::Over) {
            State::Start | State::Over => return Err(TerminalError::Closed),
            State::Selected => {
                self.tries_left = self.password.check_selection(MSE, status, self.resumed)?;
                self.state = State::WaitingForNonce;
                commands::general_authenticate(&[], false)
            }
            State::WaitingForNonce => {
                self.password.check_step(NONCE, status, false)?;
                self.take_nonce(dynamic_data(NONCE, 0x80, data)?)?
            }
            State::WaitingForMapping { nonce } => {
                self.password.check_step(MAPPING, status, false)?;
                self.take_mapping(&nonce, dynamic_data(MAPPING, 0x82, data)?)?
            }
            State::WaitingForKey { generator, own, card_mapping } => {
                self.password.check_step(AGREEMENT, status, false)?;
                let data = dynamic_data(AGREEMENT, 0x84, data)?;
                self.take_key(&generator, own, card_mapping, data)?
            }
            State::WaitingForToken { keys } => {
                self.password.check_step(TOKEN, status, true)?;
                return self.take_token(*keys, LastAnswer::parse(data)?).map(Step::Done);
            }
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
