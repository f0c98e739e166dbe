//! Basic Access Control, terminal side (ICAO 9303-11 §4.3).

use cancuoc_primitives::cipher::{BlockCipher, cbc_decrypt, cbc_encrypt, retail_mac};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::key_derivation::{KeyPurpose, derive_key};
use super::protocol::{Protocol, Step};
use super::secure_messaging::SecureMessaging;
use super::{FreshnessRegister, TerminalError, commands};
use crate::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::document::MrzKey;

const CIPHER: BlockCipher = BlockCipher::Tdes;
const GET_CHALLENGE: &str = "GET CHALLENGE of BAC";
const AUTHENTICATE: &str = "EXTERNAL AUTHENTICATE of BAC";

/// The protocol: GET CHALLENGE, EXTERNAL AUTHENTICATE. The application is selected before.
pub struct Bac {
    encryption_key: Zeroizing<Vec<u8>>,
    mac_key: Zeroizing<Vec<u8>>,
    terminal_nonce: [u8; 8],
    terminal_key: Zeroizing<[u8; 16]>,
    card_nonce: Option<[u8; 8]>,
    register: FreshnessRegister,
}

impl Bac {
    /// Prepares the protocol with the key of the MRZ.
    #[must_use]
    pub fn new(key: &MrzKey, random: &mut dyn CryptoRng) -> Self {
        let mut terminal_nonce = [0; 8];
        random.fill_bytes(&mut terminal_nonce);
        let mut terminal_key = Zeroizing::new([0; 16]);
        random.fill_bytes(&mut *terminal_key);
        let seed = key.bac_seed();
        Self {
            encryption_key: derive_key(CIPHER, &*seed, KeyPurpose::Encryption),
            mac_key: derive_key(CIPHER, &*seed, KeyPurpose::Mac),
            terminal_nonce,
            terminal_key,
            card_nonce: None,
            register: FreshnessRegister::default(),
        }
    }

    /// Refuses challenges that cards have sent before.
    #[must_use]
    pub fn remembering(mut self, register: FreshnessRegister) -> Self {
        self.register = register;
        self
    }

    /// `E_IFD || M_IFD` over `RND.IFD || RND.IC || K.IFD`.
    fn authenticate(&mut self, card_nonce: [u8; 8]) -> Result<CommandApdu, TerminalError> {
        self.card_nonce = Some(card_nonce);
        let plain = [&self.terminal_nonce[..], &card_nonce, &*self.terminal_key].concat();
        let plain = Zeroizing::new(plain);
        let mut out = cbc_encrypt(CIPHER, &self.encryption_key, &[0; 8], &plain)
            .map_err(|_| violation(AUTHENTICATE, "key length"))?;
        let mac =
            retail_mac(&self.mac_key, &out).map_err(|_| violation(AUTHENTICATE, "key length"))?;
        out.extend(mac);
        Ok(commands::external_authenticate(out))
    }

    /// Checks `E_IC || M_IC` over `RND.IC || RND.IFD || K.IC` and derives the session keys.
    fn finish(&self, card_nonce: [u8; 8], answer: &[u8]) -> Result<SecureMessaging, TerminalError> {
        let unproven = TerminalError::CardNotAuthentic { step: AUTHENTICATE };
        let malformed = || violation(AUTHENTICATE, "the answer is not 40 bytes long");
        let (cryptogram, mac) = answer.split_at_checked(32).ok_or_else(malformed)?;
        if mac.len() != 8 {
            return Err(malformed());
        }
        let expected = retail_mac(&self.mac_key, cryptogram).map_err(|_| malformed())?;
        if !bool::from(expected.ct_eq(mac)) {
            return Err(unproven);
        }
        let plain = cbc_decrypt(CIPHER, &self.encryption_key, &[0; 8], cryptogram)
            .map(Zeroizing::new)
            .map_err(|_| malformed())?;
        let (nonces, card_key) = plain.split_at_checked(16).ok_or_else(malformed)?;
        let expected = [card_nonce, self.terminal_nonce].concat();
        if !bool::from(expected.ct_eq(nonces)) {
            return Err(unproven);
        }
        let seed: Vec<u8> = self.terminal_key.iter().zip(card_key).map(|(a, b)| a ^ b).collect();
        let seed = Zeroizing::new(seed);
        let counter = counter(card_nonce, self.terminal_nonce);
        Ok(SecureMessaging::from_secret(CIPHER, &seed).with_counter(counter))
    }
}

/// The last four bytes of both nonces (ICAO 9303-11 §9.8.6.3).
fn counter(card: [u8; 8], terminal: [u8; 8]) -> u64 {
    let low = |nonce| u64::from_be_bytes(nonce) & 0xFFFF_FFFF;
    low(card) << 32 | low(terminal)
}

const fn violation(step: &'static str, detail: &'static str) -> TerminalError {
    TerminalError::Protocol { step, detail }
}

impl Protocol for Bac {
    type Output = SecureMessaging;

    fn start(&mut self) -> Result<CommandApdu, TerminalError> {
        Ok(commands::get_challenge())
    }

    fn resume(&mut self, response: &ResponseApdu) -> Result<Step<SecureMessaging>, TerminalError> {
        let Some(card_nonce) = self.card_nonce else {
            if !response.status.is_ok() {
                let status = response.status;
                return Err(TerminalError::Refused { step: GET_CHALLENGE, status });
            }
            let nonce = <[u8; 8]>::try_from(&response.data[..])
                .map_err(|_| violation(GET_CHALLENGE, "the challenge is not 8 bytes long"))?;
            if !self.register.is_fresh(&nonce) {
                return Err(TerminalError::NonceRepeated { step: GET_CHALLENGE });
            }
            return self.authenticate(nonce).map(Step::Send);
        };
        match response.status {
            StatusWord::OK => self.finish(card_nonce, &response.data).map(Step::Done),
            StatusWord::BLOCKED => Err(TerminalError::PasswordBlocked { password: "MRZ" }),
            // Cards tell a wrong key by 6300, 63Cx, 6982, 6985 or 6988: the standard leaves it open.
            status => match status.0 {
                0x6300 | 0x63C0..=0x63CF | 0x6982 | 0x6985 | 0x6988 => {
                    let tries_left = status.tries_left();
                    Err(TerminalError::WrongPassword { password: "MRZ", tries_left })
                }
                _ => Err(TerminalError::Refused { step: AUTHENTICATE, status }),
            },
        }
    }
}

impl std::fmt::Debug for Bac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bac(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apdu::Ne;
    use crate::terminal::testing::Fixed;
    use hex_literal::hex;
    use proptest::prelude::*;

    const CHALLENGE: [u8; 10] = hex!("4608F919887022129000");
    const ANSWER: [u8; 42] = hex!(
        "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D74499000"
    );

    /// The terminal of ICAO 9303-11 appendix D.3.
    fn terminal() -> Bac {
        let mut key = [0; 20];
        key[..16].copy_from_slice(&hex!("239AB9CB282DAF66231DC5A4DF6BFBAE"));
        let nonces = hex!("781723860C06C2260B795240CB7049B01C19B33E32804F0B");
        Bac::new(&MrzKey::from_bytes(key), &mut Fixed::new(&nonces))
    }

    fn parse(bytes: &[u8]) -> ResponseApdu {
        ResponseApdu::parse(bytes).unwrap()
    }

    fn second_answer(answer: &[u8]) -> Result<Step<SecureMessaging>, TerminalError> {
        let mut bac = terminal();
        bac.start().unwrap();
        bac.resume(&parse(&CHALLENGE)).unwrap();
        bac.resume(&parse(answer))
    }

    #[test]
    fn reproduces_the_published_example() {
        let mut bac = terminal();
        assert_eq!(bac.start().unwrap().encode().unwrap(), hex!("0084000008"));
        let Step::Send(command) = bac.resume(&parse(&CHALLENGE)).unwrap() else { panic!() };
        assert_eq!(
            command.encode().unwrap(),
            hex!("008200002872C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F2"
                 "5F1448EEA8AD90A728")
        );
        let Step::Done(mut sm) = bac.resume(&parse(&ANSWER)).unwrap() else { panic!() };
        // The first command of appendix D.4 holds keys and counter to account.
        let select = CommandApdu::new(0, 0xA4, 2, 0x0C).with_data([1, 0x1E]);
        assert_eq!(
            sm.wrap(&select).unwrap().encode().unwrap(),
            hex!("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800")
        );
        assert_eq!(sm.cipher(), BlockCipher::Tdes);
        let _ = sm.wrap(&CommandApdu::new(0, 0xB0, 0, 0).with_ne(Ne::new(4)));
    }

    #[test]
    fn refuses_a_challenge_that_has_come_before() {
        let register = FreshnessRegister::default();
        assert!(register.is_fresh(&CHALLENGE[..8]));
        let mut bac = terminal().remembering(register);
        bac.start().unwrap();
        let error = bac.resume(&parse(&CHALLENGE)).unwrap_err();
        assert_eq!(error, TerminalError::NonceRepeated { step: GET_CHALLENGE });
    }

    #[test]
    fn refuses_a_wrong_mac_of_the_card() {
        let mut answer = ANSWER;
        answer[39] ^= 1;
        let error = second_answer(&answer).unwrap_err();
        assert_eq!(error, TerminalError::CardNotAuthentic { step: AUTHENTICATE });
    }

    #[test]
    fn refuses_another_nonce_than_its_own() {
        // A card that knows the keys but answers to another terminal's nonce.
        let bac = terminal();
        let plain = [&hex!("4608F91988702212")[..], &[0; 8], &[7; 16]].concat();
        let mut answer = cbc_encrypt(CIPHER, &bac.encryption_key, &[0; 8], &plain).unwrap();
        answer.extend(retail_mac(&bac.mac_key, &answer).unwrap());
        answer.extend([0x90, 0]);
        let error = second_answer(&answer).unwrap_err();
        assert_eq!(error, TerminalError::CardNotAuthentic { step: AUTHENTICATE });
    }

    #[test]
    fn reports_a_wrong_key() {
        let error = second_answer(&[0x63, 0]).unwrap_err();
        let expected = TerminalError::WrongPassword { password: "MRZ", tries_left: None };
        assert_eq!(error, expected);
    }

    #[test]
    fn refuses_a_challenge_of_another_length() {
        let mut bac = terminal();
        bac.start().unwrap();
        let error = bac.resume(&parse(&[1, 2, 3, 0x90, 0])).unwrap_err();
        assert!(matches!(error, TerminalError::Protocol { step: GET_CHALLENGE, .. }), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics_and_never_ends_well_without_the_keys(
            first in prop::collection::vec(any::<u8>(), 2..20),
            second in prop::collection::vec(any::<u8>(), 2..60),
        ) {
            let mut bac = terminal();
            bac.start().unwrap();
            if bac.resume(&parse(&first)).is_ok() {
                prop_assert!(bac.resume(&parse(&second)).is_err());
            }
        }
    }
}
