//! Chip Authentication version 1 over elliptic curves, the card's end (ICAO 9303-11 §6.2, BSI
//! TR-03110-1 §3.4).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::{self, Objects};
use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Point, SecretScalar};
use zeroize::Zeroizing;

use crate::Session;
use crate::pace::dynamic_data;
use crate::personalize::scalar;
use crate::secure_messaging::SecureMessaging;
use crate::store::{self, protocol};

/// id-CA-ECDH, after which comes the arc of the cipher (ICAO 9303-11 §9.2.5).
const CA_ECDH: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02];

/// What MSE:Set AT chose: the cipher and the key's identifier.
pub struct Selected {
    cipher: BlockCipher,
    key_id: Option<Vec<u8>>,
}

/// Cipher of a protocol's object identifier.
pub fn cipher_of(oid: &[u8]) -> Option<BlockCipher> {
    match oid.strip_prefix(&CA_ECDH)? {
        [1] => Some(BlockCipher::Tdes),
        [2] => Some(BlockCipher::Aes128),
        [3] => Some(BlockCipher::Aes192),
        [4] => Some(BlockCipher::Aes256),
        _ => None,
    }
}

fn offers(memory: &dyn NonVolatileMemory, cipher: BlockCipher) -> bool {
    let mut objects = Objects::new(memory.read(store::PROTOCOLS).unwrap_or_default());
    while let Ok(object) = objects.take() {
        if object.tag == 0x82 && cipher_of(object.value) == Some(cipher) {
            return true;
        }
    }
    false
}

fn check_open(session: &Session, memory: &dyn NonVolatileMemory) -> Result<(), StatusWord> {
    if session.is_open() && store::has_protocol(memory, protocol::CHIP_AUTHENTICATION) {
        Ok(())
    } else {
        Err(StatusWord::CONDITIONS)
    }
}

/// MSE:Set KAT: 3DES, the terminal's key in the same command (BSI TR-03110-3 §B.2).
pub fn set_key_agreement(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    check_open(session, memory)?;
    if !offers(memory, BlockCipher::Tdes) {
        return Err(StatusWord::CONDITIONS);
    }
    let public = tlv::find(command.data, 0x91).ok_or(StatusWord::WRONG_DATA)?;
    let key = private_key(memory, tlv::find(command.data, 0x84))?;
    agree(session, BlockCipher::Tdes, &key, public)?;
    Ok(Vec::new())
}

/// MSE:Set AT: chooses protocol and key.
pub fn set_authentication(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.chip_authentication = None;
    check_open(session, memory)?;
    let cipher = tlv::find(command.data, 0x80).and_then(cipher_of);
    let cipher = cipher.filter(|c| offers(memory, *c)).ok_or(StatusWord::WRONG_DATA)?;
    let key_id = tlv::find(command.data, 0x84);
    private_key(memory, key_id)?;
    session.chip_authentication = Some(Selected { cipher, key_id: key_id.map(Vec::from) });
    Ok(Vec::new())
}

/// GENERAL AUTHENTICATE with the terminal's key.
pub fn general_authenticate(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let selected = session.chip_authentication.take().ok_or(StatusWord::CONDITIONS)?;
    check_open(session, memory)?;
    let data = dynamic_data(command.data).ok_or(StatusWord::WRONG_DATA)?;
    let public = tlv::find(data, 0x80).ok_or(StatusWord::WRONG_DATA)?;
    let key = private_key(memory, selected.key_id.as_deref())?;
    agree(session, selected.cipher, &key, public)?;
    Ok(tlv::object(0x7C, &[]))
}

/// The key with the identifier; without one, the only key there is.
fn private_key(
    memory: &dyn NonVolatileMemory,
    key_id: Option<&[u8]>,
) -> Result<SecretScalar, StatusWord> {
    let slots = 0..store::MAX_CHIP_AUTHENTICATION;
    let mut keys =
        slots.filter_map(|slot| store::secret(memory, store::CHIP_AUTHENTICATION + slot));
    let found: Option<Zeroizing<Vec<u8>>> = match key_id {
        Some(id) => keys.find(|key| tlv::find(key, 0x82) == Some(id)),
        None => keys.next().filter(|_| keys.next().is_none()),
    };
    found.and_then(|key| scalar(&key)).ok_or(StatusWord::REFERENCE_NOT_FOUND)
}

/// Agrees on new session keys, which take over after this command's response.
fn agree(
    session: &mut Session,
    cipher: BlockCipher,
    key: &SecretScalar,
    public: &[u8],
) -> Result<(), StatusWord> {
    let public =
        Point::from_uncompressed(key.curve(), public).map_err(|_| StatusWord::WRONG_DATA)?;
    let shared = public.multiply(key).map_err(|_| StatusWord::WRONG_DATA)?;
    let secret = Zeroizing::new(shared.x_coordinate());
    session.next_secure_messaging = Some(SecureMessaging::new(cipher, &secret));
    session.chip_authentication_key = Some(public.x_coordinate());
    Ok(())
}
