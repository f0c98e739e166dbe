//! PACE, the card's end (ICAO 9303-11 §4.4, BSI TR-03110-3 §B.11): the commands, and how far the
//! protocol has come.

mod authentication_token;
mod chip_authentication_mapping;
mod generic_mapping;
mod integrated_mapping;
mod variant;

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, CryptoRng, Environment, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use variant::{Mapping, Variant, explains_explicit};

use crate::key_derivation::{AUTHENTICATION, ENCRYPTION, PASSWORD, derive};
use crate::passwords::Password;
use crate::secure_messaging::SecureMessaging;
use crate::store::{self, protocol};
use crate::trust_points::TrustPoints;
use crate::{Session, chip_keys, ephemeral_key};

/// Authentication failed.
const FAILED: StatusWord = StatusWord(0x6300);
/// Bytes of the chip's nonce, where the mapping does not ask for more.
const NONCE_LEN: usize = 16;
/// id-IS, the terminals of Terminal Authentication version 1 (ICAO 9303-10 §3.13).
const INSPECTION_SYSTEM: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x03, 0x01, 0x02, 0x01];

/// How far PACE has come, if it was begun. Any fault starts it over.
#[derive(Default)]
pub struct PaceState(Option<Run>);

/// One execution of the protocol.
struct Run {
    variant: Variant,
    password: Password,
    /// Whether the terminal asked for the trust points of Terminal Authentication.
    wants_references: bool,
    step: Step,
}

enum Step {
    /// MSE:Set AT chose variant and password.
    Chosen,
    /// The encrypted nonce went out.
    Nonce(Zeroizing<Vec<u8>>),
    /// The generator is mapped.
    Mapped(Mapped),
    /// Ephemeral keys are exchanged.
    Agreed(Mapped, Agreed),
}

struct Mapped {
    generator: PublicElement,
    /// The card's secret of the mapping, where there is one.
    secret: Option<GroupSecret>,
}

struct Agreed {
    terminal: PublicElement,
    card: PublicElement,
    secret: Zeroizing<Vec<u8>>,
}

/// MSE:Set AT for PACE (ICAO 9303-11 §4.4.4.1). Data objects that are not known are skipped.
pub fn set_authentication_template(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let memory = &*environment.memory;
    session.pace = PaceState::default();
    session.chip_authentication = None;
    // Once more only within a session of PACE: a suspended PIN needs one opened with the CAN.
    let here = !session.is_open() || session.opened_by.is_some();
    if !store::has_protocol(memory, protocol::PACE) || !here {
        return Err(StatusWord::CONDITIONS);
    }
    let variant = choose(memory, command.data)?;
    let password = match tlv::find(command.data, 0x83) {
        Some([reference]) => Password::from_reference(*reference),
        _ => None,
    };
    let password = password.filter(|password| password.secret(memory).is_some());
    let password = password.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let wants_references = match tlv::find(command.data, 0x7F4C) {
        Some(template) if tlv::find(template, 0x06) == Some(&INSPECTION_SYSTEM) => true,
        // No other terminals have trust points here.
        Some(_) => return Err(StatusWord::REFERENCE_NOT_FOUND),
        None => false,
    };
    session.pace = PaceState(Some(Run { variant, password, wants_references, step: Step::Chosen }));
    password.warning(memory).map_or(Ok(Vec::new()), Err)
}

/// The variant that object identifier and parameter reference name without doubt.
fn choose(memory: &dyn NonVolatileMemory, data: &[u8]) -> Result<Variant, StatusWord> {
    let oid = tlv::find(data, 0x80).ok_or(StatusWord::WRONG_DATA)?;
    let parameter = tlv::find(data, 0x84);
    let protocols = memory.read(store::PROTOCOLS).unwrap_or_default();
    let mut objects = Objects::new(protocols);
    let mut offered = Vec::new();
    while let Ok(object) = objects.take() {
        offered.push(object);
    }
    let named = |value: &&[u8]| value.split_last().is_some_and(|(_, own)| own == oid);
    let mut values = offered.iter().filter(|o| o.tag == 0x81).map(|o| o.value).filter(named);
    let (found, others) = match parameter {
        None => (values.next(), values.next().is_some()),
        Some(id) => {
            // A mechanism that the card has not at all is another fault than missing parameters.
            let mut known = values.peekable();
            known.peek().ok_or(StatusWord::WRONG_DATA)?;
            let found = known.find(|value| value.last().is_some_and(|own| [*own] == *id));
            (Some(found.ok_or(StatusWord::REFERENCE_NOT_FOUND)?), false)
        }
    };
    found
        .filter(|_| !others)
        .and_then(|value| Variant::read(value, protocols))
        .ok_or(StatusWord::WRONG_DATA)
}

/// GENERAL AUTHENTICATE, steps 1 to 4 of PACE (ICAO 9303-11 §4.4.4.2, §4.4.5).
pub fn general_authenticate(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    // The state is taken: whatever goes wrong below starts PACE over.
    let run = session.pace.0.take().ok_or(StatusWord::CONDITIONS)?;
    let last = matches!(run.step, Step::Agreed(..));
    if last != (command.cla & 0x10 == 0) {
        return Err(StatusWord::CONDITIONS);
    }
    let data = only(command.data, 0x7C).ok_or(StatusWord::WRONG_DATA)?;
    run.password.check_usable(environment.memory, session.opened_by)?;
    let Run { variant, password, wants_references, step } = run;
    let (step, answer) = match step {
        Step::Chosen if !data.is_empty() => return Err(StatusWord::WRONG_DATA),
        Step::Chosen => {
            let nonce = fresh_nonce(session, &variant, environment.random)?;
            let secret = password.secret(environment.memory);
            let encrypted = encrypt_nonce(&variant, &secret.ok_or(FAILED)?, &nonce)?;
            (Step::Nonce(nonce), tlv::object(0x80, &encrypted))
        }
        Step::Nonce(nonce) => map(&variant, &nonce, data, environment.random)?,
        Step::Mapped(mapped) => {
            let terminal = public_key(&variant.parameters, data, 0x83)?;
            let secret = GroupSecret::random(&variant.parameters, environment.random);
            let agreed = agree(&mapped.generator, terminal, &secret)?;
            let answer = tlv::object(0x84, &ephemeral_key::encode(&agreed.card));
            (Step::Agreed(mapped, agreed), answer)
        }
        Step::Agreed(mapped, agreed) => {
            let token = only(data, 0x85).ok_or(StatusWord::WRONG_DATA)?;
            password.take_try(environment.memory)?;
            let own = confirm(&variant, &agreed, token)
                .ok_or_else(|| password.failed(environment.memory))?;
            let mut answer = tlv::object(0x86, &own);
            if wants_references {
                put_references(&mut answer, environment.memory);
            }
            if variant.mapping == Mapping::ChipAuthentication {
                let proof = prove(&variant, environment.memory, &mapped, &agreed).ok_or(FAILED)?;
                tlv::put(&mut answer, 0x8A, &proof);
            }
            password.reset(environment.memory)?;
            open(session, &variant, password, &agreed);
            return Ok(tlv::object(0x7C, &answer));
        }
    };
    session.pace = PaceState(Some(Run { variant, password, wants_references, step }));
    Ok(tlv::object(0x7C, &answer))
}

/// Value of the only data object in a field.
pub fn only(field: &[u8], tag: u16) -> Option<&[u8]> {
    let mut objects = Objects::new(field);
    let object = objects.take().ok()?;
    (object.tag == tag && objects.is_empty()).then_some(object.value)
}

/// The public key in a data object, checked: on the curve or in the subgroup, and not neutral.
fn public_key(
    parameters: &DomainParameters,
    data: &[u8],
    tag: u16,
) -> Result<PublicElement, StatusWord> {
    let bytes = only(data, tag).ok_or(StatusWord::WRONG_DATA)?;
    PublicElement::decode(parameters, bytes).map_err(|_| StatusWord::WRONG_DATA)
}

/// A nonce that is not the one before: random numbers that repeat would end all secrecy.
fn fresh_nonce(
    session: &mut Session,
    variant: &Variant,
    random: &mut dyn CryptoRng,
) -> Result<Zeroizing<Vec<u8>>, StatusWord> {
    let length = match variant.mapping {
        Mapping::Integrated => integrated_mapping::nonce_len(variant.cipher),
        Mapping::Generic | Mapping::ChipAuthentication => NONCE_LEN,
    };
    let mut nonce = Zeroizing::new(alloc::vec![0; length]);
    random.fill_bytes(&mut nonce);
    let digest = HashAlgorithm::Sha256.digest(&nonce);
    if session.last_nonce.as_ref() == Some(&digest) {
        return Err(StatusWord::MEMORY_FAILURE);
    }
    session.last_nonce = Some(digest);
    Ok(nonce)
}

fn encrypt_nonce(variant: &Variant, secret: &[u8], nonce: &[u8]) -> Result<Vec<u8>, StatusWord> {
    let key = derive(variant.cipher, secret, PASSWORD);
    let zeros = [0; 16];
    let iv = zeros.get(..variant.cipher.block_len()).unwrap_or_default();
    cipher::cbc_encrypt(variant.cipher, &key, iv, nonce).map_err(|_| FAILED)
}

/// Step 2: both sides' contributions make another generator.
fn map(
    variant: &Variant,
    nonce: &[u8],
    data: &[u8],
    random: &mut dyn CryptoRng,
) -> Result<(Step, Vec<u8>), StatusWord> {
    if variant.mapping == Mapping::Integrated {
        let terminal = only(data, 0x81).filter(|t| t.len() == variant.cipher.key_len());
        let terminal = terminal.ok_or(StatusWord::WRONG_DATA)?;
        let generator =
            integrated_mapping::map(&variant.parameters, variant.cipher, nonce, terminal)
                .ok_or(FAILED)?;
        let mapped = Mapped { generator, secret: None };
        return Ok((Step::Mapped(mapped), tlv::object(0x82, &[])));
    }
    let terminal = public_key(&variant.parameters, data, 0x81)?;
    let secret = GroupSecret::random(&variant.parameters, random);
    let own = secret.public_element();
    // A terminal that sends our own key back knows nothing.
    if own == terminal {
        return Err(FAILED);
    }
    let generator =
        generic_mapping::map(&variant.parameters, nonce, &terminal, &secret).map_err(|_| FAILED)?;
    let answer = tlv::object(0x82, &ephemeral_key::encode(&own));
    Ok((Step::Mapped(Mapped { generator, secret: Some(secret) }), answer))
}

/// Step 3: the key agreement over the mapped generator.
fn agree(
    generator: &PublicElement,
    terminal: PublicElement,
    secret: &GroupSecret,
) -> Result<Agreed, StatusWord> {
    let card = generator.raise(secret).map_err(|_| FAILED)?;
    // The two public keys must differ (ICAO 9303-11 §4.4.1 step 3 d).
    if card == terminal {
        return Err(FAILED);
    }
    let secret = terminal.shared_secret(secret).map_err(|_| FAILED)?;
    Ok(Agreed { terminal, card, secret })
}

/// Checks the terminal's token and gives the card's.
fn confirm(
    variant: &Variant,
    agreed: &Agreed,
    token: &[u8],
) -> Option<[u8; authentication_token::LEN]> {
    let key = derive(variant.cipher, &agreed.secret, AUTHENTICATION);
    let expected = authentication_token::compute(variant, &key, &agreed.card).ok()?;
    if !bool::from(expected[..].ct_eq(token)) {
        return None;
    }
    authentication_token::compute(variant, &key, &agreed.terminal).ok()
}

/// Names of the trust points of Terminal Authentication, the newest first (ICAO 9303-11 §4.4.5).
fn put_references(answer: &mut Vec<u8>, memory: &dyn NonVolatileMemory) {
    if !store::has_protocol(memory, protocol::TERMINAL_AUTHENTICATION) {
        return;
    }
    for (tag, reference) in [0x87, 0x88].into_iter().zip(TrustPoints::load(memory).references()) {
        tlv::put(answer, tag, reference.as_bytes());
    }
}

/// Encrypted Chip Authentication Data.
fn prove(
    variant: &Variant,
    memory: &dyn NonVolatileMemory,
    mapped: &Mapped,
    agreed: &Agreed,
) -> Option<Vec<u8>> {
    let static_key = chip_keys::for_mapping(memory, &variant.parameters)?;
    let Some(GroupSecret::Ec(mapping)) = &mapped.secret else { return None };
    let data = chip_authentication_mapping::chip_authentication_data(&static_key, mapping)?;
    let key = derive(variant.cipher, &agreed.secret, ENCRYPTION);
    chip_authentication_mapping::encrypt(variant.cipher, &key, &data)
}

/// A new session begins after this response, and nothing of the one before it goes on.
fn open(session: &mut Session, variant: &Variant, password: Password, agreed: &Agreed) {
    session.restart();
    session.opened_by = Some(password);
    session.pace_identifier = Some(ephemeral_key::compress(&agreed.card));
    // Chip Authentication Mapping authenticates the chip, so the terminal's key counts as one of
    // Chip Authentication (ICAO 9303-11 §7.1.2).
    if variant.mapping == Mapping::ChipAuthentication {
        session.chip_authentication_key = Some(ephemeral_key::compress(&agreed.terminal));
    }
    session.next_secure_messaging = Some(SecureMessaging::new(variant.cipher, &agreed.secret));
}

#[cfg(test)]
mod tests;
