//! Active Authentication, the card's end (ICAO 9303-11 §6.1).

use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, CryptoRng, Environment, StatusWord};
use cancuoc_primitives::ecdsa;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;

use crate::Session;
use crate::personalize;
use crate::store::{self, protocol};

/// INTERNAL AUTHENTICATE over the terminal's eight bytes.
pub fn internal_authenticate(
    session: &Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    let enabled = store::has_protocol(environment.memory, protocol::ACTIVE_AUTHENTICATION);
    if !enabled {
        return Err(StatusWord::CONDITIONS);
    }
    if !session.is_open() {
        return Err(StatusWord::SECURITY_STATUS);
    }
    if command.data.len() != 8 {
        return Err(StatusWord::WRONG_LENGTH);
    }
    let record = store::secret(environment.memory, store::ACTIVE_AUTHENTICATION);
    let record = record.ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let (kind, key) = record.split_first().ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let hash = personalize::hash(key).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    let signature = if *kind == personalize::RSA {
        personalize::rsa_key(key)
            .and_then(|key| sign_rsa(&key, hash, command.data, environment.random))
    } else {
        personalize::scalar(key).and_then(|key| {
            let digest = hash.digest(command.data);
            let signature = ecdsa::sign_prehashed(&key, &digest, environment.random).ok()?;
            signature.to_plain(key.curve()).ok()
        })
    };
    signature.ok_or(StatusWord::MEMORY_FAILURE)
}

/// Trailer of ISO/IEC 9796-2: one byte for SHA-1, two with the hash function's number for others.
const fn trailer(hash: HashAlgorithm) -> &'static [u8] {
    match hash {
        HashAlgorithm::Sha1 => &[0xBC],
        HashAlgorithm::Sha224 => &[0x38, 0xCC],
        HashAlgorithm::Sha256 => &[0x34, 0xCC],
        HashAlgorithm::Sha384 => &[0x36, 0xCC],
        HashAlgorithm::Sha512 => &[0x35, 0xCC],
    }
}

/// ISO/IEC 9796-2 digital signature scheme 1 with partial recovery: 6A || M1 || H(M1 || M2) ||
/// trailer, where M1 is random and M2 the terminal's challenge.
fn sign_rsa(
    key: &RsaPrivateKey,
    hash: HashAlgorithm,
    challenge: &[u8],
    random: &mut dyn CryptoRng,
) -> Option<Vec<u8>> {
    let length = key.public_key().modulus().len();
    let trailer = trailer(hash);
    let mut recoverable = vec![0; length.checked_sub(1 + hash.output_len() + trailer.len())?];
    random.fill_bytes(&mut recoverable);
    let digest = hash.digest_parts(&[&recoverable, challenge]);
    let message = [&[0x6A], &recoverable[..], &digest, trailer].concat();
    key.raw(&message, random).ok()
}
