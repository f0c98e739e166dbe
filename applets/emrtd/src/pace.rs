//! PACE with Generic Mapping over elliptic curves, the card's end (ICAO 9303-11 §4.4).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, CryptoRng, Environment, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher};
use cancuoc_primitives::curve::{Curve, Point, SecretScalar};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Session;
use crate::key_derivation::{AUTHENTICATION, PASSWORD, derive};
use crate::secure_messaging::SecureMessaging;
use crate::store::{self, protocol};

/// id-PACE-ECDH-GM, after which comes the arc of the cipher (ICAO 9303-11 §9.2.1).
const ECDH_GM: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02];
/// Authentication failed.
const FAILED: StatusWord = StatusWord(0x6300);

/// A PACE variant that the card offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant {
    cipher: BlockCipher,
    curve: Curve,
}

impl Variant {
    /// From a personalised value: object identifier, then the domain parameter identifier.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (id, oid) = value.split_last()?;
        Some(Self { cipher: cipher_of(oid)?, curve: Curve::from_domain_parameter_id(*id)? })
    }
}

fn cipher_of(oid: &[u8]) -> Option<BlockCipher> {
    match oid.strip_prefix(&ECDH_GM)? {
        [1] => Some(BlockCipher::Tdes),
        [2] => Some(BlockCipher::Aes128),
        [3] => Some(BlockCipher::Aes192),
        [4] => Some(BlockCipher::Aes256),
        _ => None,
    }
}

fn oid_of(cipher: BlockCipher) -> Vec<u8> {
    let arc = match cipher {
        BlockCipher::Tdes => 1,
        BlockCipher::Aes128 => 2,
        BlockCipher::Aes192 => 3,
        BlockCipher::Aes256 => 4,
    };
    [&ECDH_GM[..], &[arc]].concat()
}

/// How far PACE has come. Any fault starts it over.
#[derive(Default)]
pub enum PaceState {
    /// Nothing chosen.
    #[default]
    Idle,
    /// MSE:Set AT chose variant and password.
    Chosen(Variant, Zeroizing<Vec<u8>>),
    /// The encrypted nonce went out.
    Nonce(Variant, Zeroizing<[u8; 16]>),
    /// The generator is mapped.
    Mapped(Variant, Point),
    /// Ephemeral keys are exchanged.
    Agreed {
        /// Variant.
        variant: Variant,
        /// The terminal's ephemeral key.
        terminal: Point,
        /// The card's ephemeral key.
        card: Point,
        /// Shared secret.
        secret: Zeroizing<Vec<u8>>,
    },
}

/// MSE:Set AT for PACE (ICAO 9303-11 §4.4.4.1).
pub fn set_authentication_template(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let memory = &*environment.memory;
    session.pace = PaceState::Idle;
    session.chip_authentication = None;
    if !store::has_protocol(memory, protocol::PACE) || session.is_open() {
        return Err(StatusWord::CONDITIONS);
    }
    let variant = choose(memory, command.data)?;
    let password = match tlv::find(command.data, 0x83) {
        Some([1]) => store::secret(memory, store::MRZ_KEY),
        Some([2]) => store::secret(memory, store::CAN),
        _ => None,
    };
    let password = password.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    session.pace = PaceState::Chosen(variant, password);
    Ok(Vec::new())
}

/// The variant that object identifier and parameter reference name without doubt.
fn choose(memory: &dyn NonVolatileMemory, data: &[u8]) -> Result<Variant, StatusWord> {
    let cipher = tlv::find(data, 0x80).and_then(cipher_of).ok_or(StatusWord::WRONG_DATA)?;
    let parameter = tlv::find(data, 0x84);
    let protocols = memory.read(store::PROTOCOLS).unwrap_or_default();
    let mut objects = Objects::new(protocols);
    let mut found = Vec::new();
    while let Ok(object) = objects.take() {
        let variant = Variant::read(object.value).filter(|_| object.tag == 0x81);
        found.extend(variant.filter(|variant| {
            let id = variant.curve.domain_parameter_id();
            variant.cipher == cipher && parameter.is_none_or(|p| p == [id])
        }));
    }
    match found[..] {
        [variant] => Ok(variant),
        [] if parameter.is_some() => Err(StatusWord::REFERENCE_NOT_FOUND),
        _ => Err(StatusWord::WRONG_DATA),
    }
}

/// GENERAL AUTHENTICATE, steps 1 to 4 of PACE (ICAO 9303-11 §4.4.4.2).
pub fn general_authenticate(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    // The state is taken: whatever goes wrong below starts PACE over.
    let state = core::mem::take(&mut session.pace);
    let last = matches!(state, PaceState::Agreed { .. });
    if last != (command.cla & 0x10 == 0) {
        return Err(StatusWord::CONDITIONS);
    }
    let data = dynamic_data(command.data).ok_or(StatusWord::WRONG_DATA)?;
    let (next, answer) = match state {
        PaceState::Idle => return Err(StatusWord::CONDITIONS),
        PaceState::Chosen(variant, password) => {
            if !data.is_empty() {
                return Err(StatusWord::WRONG_DATA);
            }
            nonce(variant, &password, environment.random)?
        }
        PaceState::Nonce(variant, nonce) => {
            let key = point(variant.curve, data, 0x81)?;
            map(variant, &nonce, &key, environment.random)?
        }
        PaceState::Mapped(variant, generator) => {
            let key = point(variant.curve, data, 0x83)?;
            agree(variant, &generator, key, environment.random)?
        }
        PaceState::Agreed { variant, terminal, card, secret } => {
            let token = tlv::find(data, 0x85).ok_or(StatusWord::WRONG_DATA)?;
            let own = confirm(variant, &terminal, &card, &secret, token)?;
            session.next_secure_messaging = Some(SecureMessaging::new(variant.cipher, &secret));
            session.pace_identifier = Some(card.x_coordinate());
            (PaceState::Idle, tlv::object(0x86, &own))
        }
    };
    session.pace = next;
    Ok(tlv::object(0x7C, &answer))
}

/// Value of the dynamic authentication data `7C`, which must be all there is.
pub fn dynamic_data(field: &[u8]) -> Option<&[u8]> {
    let mut objects = Objects::new(field);
    let object = objects.take().ok()?;
    (object.tag == 0x7C && objects.is_empty()).then_some(object.value)
}

fn point(curve: Curve, data: &[u8], tag: u16) -> Result<Point, StatusWord> {
    let bytes = tlv::find(data, tag).ok_or(StatusWord::WRONG_DATA)?;
    Point::from_uncompressed(curve, bytes).map_err(|_| FAILED)
}

fn nonce(
    variant: Variant,
    password: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<(PaceState, Vec<u8>), StatusWord> {
    let mut nonce = Zeroizing::new([0; 16]);
    random.fill_bytes(&mut *nonce);
    let key = derive(variant.cipher, password, PASSWORD);
    let iv = [0; 16];
    let iv = iv.get(..variant.cipher.block_len()).unwrap_or_default();
    let encrypted = cipher::cbc_encrypt(variant.cipher, &key, iv, &*nonce).map_err(|_| FAILED)?;
    Ok((PaceState::Nonce(variant, nonce), tlv::object(0x80, &encrypted)))
}

/// Generic Mapping: the nonce times the generator, plus a shared point (ICAO 9303-11 §4.4.3.3.1).
fn map(
    variant: Variant,
    nonce: &[u8; 16],
    terminal: &Point,
    random: &mut dyn CryptoRng,
) -> Result<(PaceState, Vec<u8>), StatusWord> {
    let secret = SecretScalar::random(variant.curve, random);
    let own = secret.public_point();
    if own == *terminal {
        return Err(FAILED);
    }
    let shared = terminal.multiply(&secret).map_err(|_| FAILED)?;
    let nonce = SecretScalar::from_bytes(variant.curve, nonce).map_err(|_| FAILED)?;
    let generator = nonce.public_point().add(&shared).map_err(|_| FAILED)?;
    let answer = tlv::object(0x82, own.as_bytes());
    Ok((PaceState::Mapped(variant, generator), answer))
}

fn agree(
    variant: Variant,
    generator: &Point,
    terminal: Point,
    random: &mut dyn CryptoRng,
) -> Result<(PaceState, Vec<u8>), StatusWord> {
    let secret = SecretScalar::random(variant.curve, random);
    let card = generator.multiply(&secret).map_err(|_| FAILED)?;
    // A terminal that sends our own key back knows nothing (ICAO 9303-11 §4.4.3.2).
    if card == terminal {
        return Err(FAILED);
    }
    let shared = terminal.multiply(&secret).map_err(|_| FAILED)?;
    let secret = Zeroizing::new(shared.x_coordinate());
    let answer = tlv::object(0x84, card.as_bytes());
    Ok((PaceState::Agreed { variant, terminal, card, secret }, answer))
}

/// Checks the terminal's token and gives the card's.
fn confirm(
    variant: Variant,
    terminal: &Point,
    card: &Point,
    secret: &[u8],
    token: &[u8],
) -> Result<[u8; 8], StatusWord> {
    let key = derive(variant.cipher, secret, AUTHENTICATION);
    let expected = authentication_token(variant, &key, card)?;
    if !bool::from(expected[..].ct_eq(token)) {
        return Err(FAILED);
    }
    authentication_token(variant, &key, terminal)
}

/// MAC over the other side's ephemeral key (ICAO 9303-11 §4.4.3.4).
fn authentication_token(
    variant: Variant,
    key: &[u8],
    public: &Point,
) -> Result<[u8; 8], StatusWord> {
    let mut input = tlv::object(0x06, &oid_of(variant.cipher));
    tlv::put(&mut input, 0x86, public.as_bytes());
    let input = tlv::object(0x7F49, &input);
    let mac = match variant.cipher {
        BlockCipher::Tdes => cipher::retail_mac(key, &input),
        aes => cipher::cmac(aes, key, &input).map(|[first @ .., _, _, _, _, _, _, _, _]| first),
    };
    mac.map_err(|_| FAILED)
}

#[cfg(test)]
mod tests;
