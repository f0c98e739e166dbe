//! Basic Access Control, the card's end (ICAO 9303-11 §4.3).

use alloc::vec::Vec;

use cancuoc_card_runtime::{Command, CryptoRng, Environment, StatusWord};
use cancuoc_primitives::cipher::{self, BlockCipher};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::Session;
use crate::key_derivation::{AUTHENTICATION, ENCRYPTION, derive};
use crate::secure_messaging::SecureMessaging;
use crate::store::{self, Location, protocol};

/// What every failed authentication is answered with, whatever was wrong: no warning tells more.
const FAILED: StatusWord = StatusWord(0x6300);
const TDES: BlockCipher = BlockCipher::Tdes;

/// GET CHALLENGE: eight random bytes for one use, never those of the time before.
pub fn get_challenge(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if (command.p1, command.p2) != (0, 0) {
        return Err(StatusWord::WRONG_P1P2);
    }
    if !command.data.is_empty() || command.ne.is_none_or(|ne| ne < 8) {
        return Err(StatusWord::WRONG_LENGTH);
    }
    let mut challenge = [0; 8];
    environment.random.fill_bytes(&mut challenge);
    // Random numbers that repeat would let what a terminal proved before be used again.
    if session.last_challenge.replace(challenge) == Some(challenge) {
        session.challenge = None;
        return Err(StatusWord::MEMORY_FAILURE);
    }
    session.challenge = Some(challenge);
    Ok(challenge.to_vec())
}

/// EXTERNAL AUTHENTICATE with mutual authentication.
pub fn external_authenticate(
    session: &mut Session,
    environment: &mut Environment<'_>,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    if (command.p1, command.p2) != (0, 0) {
        return Err(StatusWord::WRONG_P1P2);
    }
    let challenge = session.challenge.take();
    let enabled = store::has_protocol(environment.memory, protocol::BAC);
    if !enabled || session.directory.location != Location::Lds1 || session.is_open() {
        return Err(StatusWord::CONDITIONS);
    }
    let message: &[u8; 40] = command.data.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
    let challenge = challenge.ok_or(StatusWord::CONDITIONS)?;
    let seed = store::secret(environment.memory, store::MRZ_KEY);
    let seed = seed.as_ref().and_then(|k| k.first_chunk::<16>()).ok_or(StatusWord::CONDITIONS)?;
    let keys = [derive(TDES, seed, ENCRYPTION), derive(TDES, seed, AUTHENTICATION)];
    let (answer, messaging) =
        authenticate(&keys, message, &challenge, environment.random).ok_or(FAILED)?;
    session.next_secure_messaging = Some(messaging);
    Ok(answer)
}

/// Checks E_IFD || M_IFD and answers E_IC || M_IC; nothing when anything is wrong.
fn authenticate(
    [encryption, authentication]: &[Zeroizing<Vec<u8>>; 2],
    message: &[u8; 40],
    challenge: &[u8; 8],
    random: &mut dyn CryptoRng,
) -> Option<(Vec<u8>, SecureMessaging)> {
    let (cryptogram, mac) = message.split_first_chunk::<32>()?;
    let expected = cipher::retail_mac(authentication, cryptogram).ok()?;
    let plain = Zeroizing::new(cipher::cbc_decrypt(TDES, encryption, &[0; 8], cryptogram).ok()?);
    let (rnd_ifd, rest) = plain.split_first_chunk::<8>()?;
    let (rnd_ic, k_ifd) = rest.split_first_chunk::<8>()?;
    // Both are looked at before the answer, so that time does not tell which was wrong.
    let right = expected.ct_eq(mac) & rnd_ic.ct_eq(challenge);
    if !bool::from(right) {
        return None;
    }
    let mut k_ic = Zeroizing::new([0; 16]);
    random.fill_bytes(&mut *k_ic);
    let answer = Zeroizing::new([&rnd_ic[..], rnd_ifd, &*k_ic].concat());
    let mut answer = cipher::cbc_encrypt(TDES, encryption, &[0; 8], &answer).ok()?;
    answer.extend(cipher::retail_mac(authentication, &answer).ok()?);
    let seed: Zeroizing<Vec<u8>> =
        Zeroizing::new(k_ifd.iter().zip(k_ic.iter()).map(|(a, b)| a ^ b).collect());
    let counter = [&rnd_ic[4..], &rnd_ifd[4..]].concat();
    Some((answer, SecureMessaging::with_counter(TDES, &seed, counter)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;

    struct Fixed(&'static [u8]);
    impl rand_core::TryRng for Fixed {
        type Error = core::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }
        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            out.copy_from_slice(&self.0[..out.len()]);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Fixed {}

    // ICAO 9303-11 appendix D.3.
    const SEED: [u8; 16] = hex!("239AB9CB282DAF66231DC5A4DF6BFBAE");
    const CHALLENGE: [u8; 8] = hex!("4608F91988702212");
    const MESSAGE: [u8; 40] =
        hex!("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7");
    const K_IC: [u8; 16] = hex!("0B4F80323EB3191CB04970CB4052790B");

    fn keys() -> [Zeroizing<Vec<u8>>; 2] {
        [derive(TDES, &SEED, ENCRYPTION), derive(TDES, &SEED, AUTHENTICATION)]
    }

    #[test]
    fn answers_as_the_worked_example() {
        let answer = authenticate(&keys(), &MESSAGE, &CHALLENGE, &mut Fixed(&K_IC));
        assert_eq!(
            answer.map(|(answer, _)| answer),
            Some(
                hex!("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
                    .to_vec()
            )
        );
    }

    #[test]
    fn refuses_every_changed_byte_and_another_challenge() {
        for position in 0..40 {
            let mut message = MESSAGE;
            message[position] ^= 1;
            assert!(authenticate(&keys(), &message, &CHALLENGE, &mut Fixed(&K_IC)).is_none());
        }
        assert!(authenticate(&keys(), &MESSAGE, &[0; 8], &mut Fixed(&K_IC)).is_none());
    }
}
