//! Mutual authentication of SCP03 (Amendment D §5.1, §6, §7.1), as two steps that each give a
//! command and take its answer.
//!
//! ```text
//! initialize(...) -> InitializeUpdate --answer--> ExternalAuthenticate --answer--> SecureChannel
//! ```

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use cancuoc_primitives::cipher;

mod channel;

pub use channel::Scp03Channel;

use channel::SessionKeys;

use super::keys::Derivation;
use super::{GlobalPlatformError, KeySet, SecurityLevel};
use crate::apdu::{CommandApdu, ResponseApdu};

/// Bytes of a challenge, a cryptogram and a MAC in S8 mode.
pub const S8: usize = 8;
/// The same in S16 mode.
pub const S16: usize = 16;

/// The "i" parameter: options of the card's SCP03 (Amendment D, table 5-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options(u8);

impl Options {
    /// The options of an "i" parameter, where they are known here.
    ///
    /// # Errors
    /// [`GlobalPlatformError::ProtocolNotSupported`] for encryption of responses without their MAC,
    /// and reserved bits.
    pub const fn new(parameter: u8) -> Result<Self, GlobalPlatformError> {
        let reserved = parameter & 0x8E != 0;
        let encryption_without_mac = parameter & 0x60 == 0x40;
        if reserved || encryption_without_mac {
            return Err(GlobalPlatformError::ProtocolNotSupported { protocol: 0x03, parameter });
        }
        Ok(Self(parameter))
    }

    /// The parameter.
    #[must_use]
    pub const fn parameter(self) -> u8 {
        self.0
    }
    /// Bytes of challenges, cryptograms and MACs: 16 in S16 mode, else 8 (Amendment D 1.2 §4.1.6).
    #[must_use]
    pub const fn length(self) -> usize {
        if self.0 & 0x01 == 0 { S8 } else { S16 }
    }
    /// Whether the card derives its challenge from a counter.
    #[must_use]
    pub const fn pseudo_random_challenge(self) -> bool {
        self.0 & 0x10 != 0
    }
    /// Whether responses can carry a MAC.
    #[must_use]
    pub const fn response_mac(self) -> bool {
        self.0 & 0x20 != 0
    }
    /// Whether responses can be encrypted.
    #[must_use]
    pub const fn response_encryption(self) -> bool {
        self.0 & 0x60 == 0x60
    }
    /// The strongest level that these options allow.
    #[must_use]
    pub const fn strongest_level(self) -> SecurityLevel {
        match (self.response_mac(), self.response_encryption()) {
            (_, true) => SecurityLevel::FULL,
            (true, false) => SecurityLevel::C_DECRYPTION_R_MAC,
            (false, false) => SecurityLevel::C_DECRYPTION,
        }
    }

    fn check(self, level: SecurityLevel) -> Result<(), GlobalPlatformError> {
        let missing = |protection| GlobalPlatformError::ProtectionNotOffered {
            parameter: self.0,
            protection,
        };
        if level.encrypts_responses() && !self.response_encryption() {
            return Err(missing("R-ENC"));
        }
        if level.authenticates_responses() && !self.response_mac() {
            return Err(missing("R-MAC"));
        }
        Ok(())
    }
}

/// Begins a session. `level` of `None` takes the strongest that the card announces.
///
/// `host_challenge` is what went out with INITIALIZE UPDATE, fresh random bytes: 8, or 16 for a
/// card in S16 mode.
#[must_use]
pub const fn initialize<'a>(
    keys: &'a KeySet,
    level: Option<SecurityLevel>,
    host_challenge: &'a [u8],
) -> InitializeUpdate<'a> {
    InitializeUpdate { keys, level, host_challenge }
}

/// First step: INITIALIZE UPDATE was sent, its answer is to be taken.
#[derive(Debug)]
pub struct InitializeUpdate<'a> {
    keys: &'a KeySet,
    level: Option<SecurityLevel>,
    host_challenge: &'a [u8],
}

/// What the card says of itself in its answer to INITIALIZE UPDATE (Amendment D, table 7-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardAnswer {
    /// Key diversification data.
    pub diversification: [u8; 10],
    /// Version of the key set in use.
    pub key_version: u8,
    /// Options of the protocol.
    pub options: Options,
    /// Value of the sequence counter, where the challenge is derived from it.
    pub sequence_counter: Option<[u8; 3]>,
    challenge: Vec<u8>,
    cryptogram: Vec<u8>,
}

impl CardAnswer {
    /// Reads the response data.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`] or [`GlobalPlatformError::ProtocolNotSupported`].
    pub fn parse(data: &[u8]) -> Result<Self, GlobalPlatformError> {
        let malformed =
            |offset| GlobalPlatformError::Malformed { what: "INITIALIZE UPDATE", offset };
        let (diversification, rest) =
            data.split_first_chunk::<10>().ok_or(malformed(data.len()))?;
        let ([key_version, protocol, parameter], rest) =
            rest.split_first_chunk::<3>().ok_or(malformed(data.len()))?;
        if *protocol != 0x03 {
            // SCP01 and SCP02 have no "i" parameter in the answer.
            let protocol = *protocol;
            return Err(GlobalPlatformError::ProtocolNotSupported { protocol, parameter: 0 });
        }
        let options = Options::new(*parameter)?;
        let length = options.length();
        let (challenge, rest) = rest.split_at_checked(length).ok_or(malformed(data.len()))?;
        let (cryptogram, rest) = rest.split_at_checked(length).ok_or(malformed(data.len()))?;
        // The counter stands there when, and only when, the challenge comes from it.
        let sequence_counter = match (options.pseudo_random_challenge(), rest) {
            (true, [a, b, c]) => Some([*a, *b, *c]),
            (false, []) => None,
            _ => return Err(malformed(13 + 2 * length)),
        };
        Ok(Self {
            diversification: *diversification,
            key_version: *key_version,
            options,
            sequence_counter,
            challenge: challenge.to_vec(),
            cryptogram: cryptogram.to_vec(),
        })
    }

    /// Whether a card with these keys made this answer to `host_challenge`. Nothing is sent: any
    /// number of keys may be tried on one answer.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] for keys that are no AES keys.
    pub fn is_from(
        &self,
        keys: &KeySet,
        host_challenge: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        let context = [host_challenge, &self.challenge].concat();
        let session = SessionKeys::derive(keys, &context)?;
        self.is_proven(&session, &context)
    }

    fn is_proven(
        &self,
        session: &SessionKeys,
        context: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        let length = self.options.length();
        let expected = session.mac.derive(Derivation::CardCryptogram, context, length)?;
        Ok(expected.as_slice().ct_eq(&self.cryptogram).into())
    }

    /// Whether the challenge is the pseudo-random one that a card with these keys must give
    /// (Amendment D §6.2.2.1); `None` where the card announces a random one.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`] for keys that are no AES keys.
    pub fn challenge_is_derived(
        &self,
        keys: &KeySet,
        domain: &[u8],
    ) -> Result<Option<bool>, GlobalPlatformError> {
        let Some(counter) = self.sequence_counter else { return Ok(None) };
        let context = [&counter, domain].concat();
        let key = &keys.encryption;
        let expected = key.derive(Derivation::CardChallenge, &context, self.options.length())?;
        Ok(Some(expected.as_slice() == self.challenge))
    }
}

impl InitializeUpdate<'_> {
    /// Takes the answer: checks the card's cryptogram and makes the host's.
    ///
    /// # Errors
    /// [`GlobalPlatformError`]; with [`GlobalPlatformError::CardCryptogram`] the keys are wrong and
    /// must not be tried again.
    pub fn answer(
        self,
        answer: &ResponseApdu,
    ) -> Result<ExternalAuthenticate, GlobalPlatformError> {
        if !answer.status.is_ok() {
            let status = answer.status;
            return Err(GlobalPlatformError::Refused { command: "INITIALIZE UPDATE", status });
        }
        let card = CardAnswer::parse(&answer.data)?;
        let asked = self.keys.version;
        if asked != 0 && card.key_version != asked {
            let answered = card.key_version;
            return Err(GlobalPlatformError::KeyVersion { asked, answered });
        }
        let level = self.level.unwrap_or(card.options.strongest_level());
        card.options.check(level)?;
        let length = card.options.length();
        if self.host_challenge.len() != length {
            // A card in one mode that took the challenge of the other.
            let what = "INITIALIZE UPDATE";
            return Err(GlobalPlatformError::Malformed { what, offset: 12 });
        }
        let context = [self.host_challenge, &card.challenge].concat();
        let session = SessionKeys::derive(self.keys, &context)?;
        if !card.is_proven(&session, &context)? {
            return Err(GlobalPlatformError::CardCryptogram);
        }
        let host_cryptogram = session.mac.derive(Derivation::HostCryptogram, &context, length)?;
        ExternalAuthenticate::new(session, level, card, &host_cryptogram)
    }
}

/// Second step: EXTERNAL AUTHENTICATE.
#[derive(Debug)]
pub struct ExternalAuthenticate {
    session: SessionKeys,
    level: SecurityLevel,
    card: CardAnswer,
    command: CommandApdu,
    mac_chaining_value: Zeroizing<[u8; 16]>,
}

impl ExternalAuthenticate {
    fn new(
        session: SessionKeys,
        level: SecurityLevel,
        card: CardAnswer,
        host_cryptogram: &[u8],
    ) -> Result<Self, GlobalPlatformError> {
        let mut command = CommandApdu::new(0x84, 0x82, level.byte(), 0x00);
        // The first MAC chaining value of a session is zero (Amendment D §6.2.3).
        let mut input = vec![0u8; 16];
        input.extend(command.header());
        // Lc: the cryptogram and the MAC.
        let length = card.options.length();
        input.push(2 * length as u8);
        input.extend_from_slice(host_cryptogram);
        let mac = cipher::cmac(session.mac.cipher(), session.mac.bytes(), &input)?;
        command.data = [host_cryptogram, &mac[..length]].concat();
        let mac_chaining_value = Zeroizing::new(mac);
        Ok(Self { session, level, card, command, mac_chaining_value })
    }

    /// The command to send, once.
    #[must_use]
    pub const fn command(&self) -> &CommandApdu {
        &self.command
    }

    /// What the card said of itself.
    #[must_use]
    pub const fn card(&self) -> &CardAnswer {
        &self.card
    }

    /// Takes the answer: the session is open.
    ///
    /// # Errors
    /// [`GlobalPlatformError::AuthenticationRefused`]: do not try again.
    pub fn answer(self, answer: &ResponseApdu) -> Result<Scp03Channel, GlobalPlatformError> {
        if !answer.status.is_ok() {
            return Err(GlobalPlatformError::AuthenticationRefused { status: answer.status });
        }
        // The specification gives this response no data and no MAC (Amendment D §7.1.2.4).
        if !answer.data.is_empty() {
            let reason = "EXTERNAL AUTHENTICATE answered with data";
            return Err(GlobalPlatformError::ResponseProtection { reason });
        }
        Ok(Scp03Channel::new(self.session, self.level, self.card, self.mac_chaining_value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::apdu::StatusWord;
    use crate::globalplatform::command::initialize_update;
    use hex_literal::hex;

    fn keys() -> KeySet {
        KeySet::new(
            0x30,
            &hex!("000102030405060708090a0b0c0d0e0f"),
            &hex!("101112131415161718191a1b1c1d1e1f"),
            &hex!("202122232425262728292a2b2c2d2e2f"),
        )
        .unwrap()
    }

    /// What a card with these keys answers, its challenge random (i=00).
    pub(crate) fn answer_of(keys: &KeySet, host_challenge: &[u8], kdd: [u8; 10]) -> Vec<u8> {
        answer_with(keys, 0x00, host_challenge, kdd)
    }

    fn answer_with(keys: &KeySet, options: u8, host_challenge: &[u8], kdd: [u8; 10]) -> Vec<u8> {
        let length = Options::new(options).unwrap().length();
        let challenge = vec![0xC5; length];
        let context = [host_challenge, &challenge].concat();
        let session = SessionKeys::derive(keys, &context).unwrap();
        let cryptogram = session.mac.derive(Derivation::CardCryptogram, &context, length).unwrap();
        [&kdd[..], &[keys.version, 3, options], &challenge, &cryptogram].concat()
    }

    fn ok(data: &[u8]) -> ResponseApdu {
        ResponseApdu { data: data.to_vec(), status: StatusWord::OK }
    }

    // pySim, SCP03_Test_AES128_33: recorded from an eUICC.
    const CHALLENGE: [u8; 8] = hex!("fdf38259a1e0de44");
    const ANSWER: [u8; 32] =
        hex!("000000000000000000003003703b1aca81e821f219081cdc01c26b372d000003");

    #[test]
    fn authenticates_as_the_recorded_session_did() {
        let keys = keys();
        let sent = initialize_update(keys.version, &CHALLENGE).encode().unwrap();
        assert_eq!(sent, hex!("8050300008fdf38259a1e0de4400"));
        let step = initialize(&keys, None, &CHALLENGE).answer(&ok(&ANSWER)).unwrap();
        let sent = step.command().encode().unwrap();
        assert_eq!(sent, hex!("84823300108c36f96bcc00724a4e13ad591d7da3f0"));
        assert_eq!(step.card().sequence_counter, Some([0, 0, 3]));
        assert_eq!(step.answer(&ok(&[])).unwrap().level(), SecurityLevel::FULL);
    }

    #[test]
    fn refuses_a_card_that_holds_other_keys() {
        let other = KeySet::test_keys().unwrap();
        let error = initialize(&other, None, &CHALLENGE).answer(&ok(&ANSWER)).unwrap_err();
        assert_eq!(error, GlobalPlatformError::CardCryptogram);
    }

    #[test]
    fn refuses_the_answer_to_another_challenge() {
        let keys = keys();
        let error = initialize(&keys, None, &[7; 8]).answer(&ok(&ANSWER)).unwrap_err();
        assert_eq!(error, GlobalPlatformError::CardCryptogram);
    }

    #[test]
    fn refuses_another_key_version_than_asked_for() {
        let mut keys = keys();
        keys.version = 0x31;
        let error = initialize(&keys, None, &CHALLENGE).answer(&ok(&ANSWER)).unwrap_err();
        assert_eq!(error, GlobalPlatformError::KeyVersion { asked: 0x31, answered: 0x30 });
    }

    #[test]
    fn refuses_scp02_and_reserved_options() {
        let mut scp02 = ANSWER;
        scp02[11] = 2;
        for (parameter, refused) in [
            (0x00, false),
            (0x10, false),
            (0x20, false),
            (0x30, false),
            (0x60, false),
            (0x70, false),
            (0x01, false),
            (0x71, false),
        ]
        .into_iter()
        .chain([
            (0x02, true),
            (0x08, true),
            (0x40, true),
            (0x41, true),
            (0x50, true),
            (0x80, true),
        ]) {
            assert_eq!(Options::new(parameter).is_err(), refused, "i={parameter:02X}");
        }
        let error = CardAnswer::parse(&scp02).unwrap_err();
        assert_eq!(error, GlobalPlatformError::ProtocolNotSupported { protocol: 2, parameter: 0 });
    }

    #[test]
    fn wants_the_sequence_counter_exactly_with_pseudo_random_challenges() {
        assert!(CardAnswer::parse(&ANSWER[..29]).is_err());
        let mut random = ANSWER;
        random[12] = 0x60;
        assert!(CardAnswer::parse(&random).is_err());
        assert_eq!(CardAnswer::parse(&random[..29]).unwrap().sequence_counter, None);
    }

    #[test]
    fn speaks_s16_with_a_card_that_does() {
        let keys = keys();
        let challenge = [0x77; S16];
        let answer = answer_with(&keys, 0x01, &challenge, [0; 10]);
        assert_eq!(answer.len(), 10 + 3 + 2 * S16);
        let step = initialize(&keys, None, &challenge).answer(&ok(&answer)).unwrap();
        // Header, Lc 32, cryptogram and MAC of 16 bytes each.
        assert_eq!(step.command().encode().unwrap()[..5], hex!("8482030020"));
        assert_eq!(step.command().data.len(), 2 * S16);
        let mut channel = step.answer(&ok(&[])).unwrap();
        let wrapped = channel.wrap(&CommandApdu::new(0x80, 0xF2, 0x80, 0x02)).unwrap();
        assert_eq!(wrapped.data.len(), S16);
        assert_eq!(channel.room(255), (255 - S16) / 16 * 16 - 1);
    }

    #[test]
    fn refuses_an_answer_in_another_mode_than_the_challenge() {
        let keys = keys();
        for (options, challenge) in [(0x01, &[7; 8][..]), (0x00, &[7; 16])] {
            let answer = answer_with(&keys, options, challenge, [0; 10]);
            assert_eq!(
                initialize(&keys, None, challenge).answer(&ok(&answer)).unwrap_err(),
                GlobalPlatformError::Malformed { what: "INITIALIZE UPDATE", offset: 12 }
            );
        }
    }

    #[test]
    fn never_asks_for_protection_that_the_card_does_not_offer() {
        let mut answer = ANSWER;
        answer[12] = 0x30;
        let keys = keys();
        let step = initialize(&keys, Some(SecurityLevel::FULL), &CHALLENGE);
        assert_eq!(
            step.answer(&ok(&answer)).unwrap_err(),
            GlobalPlatformError::ProtectionNotOffered { parameter: 0x30, protection: "R-ENC" }
        );
    }

    #[test]
    fn stops_when_the_card_refuses_the_host() {
        let keys = keys();
        let step = initialize(&keys, None, &CHALLENGE).answer(&ok(&ANSWER)).unwrap();
        let refusal = ResponseApdu { data: vec![], status: StatusWord(0x6300) };
        assert_eq!(
            step.answer(&refusal).unwrap_err(),
            GlobalPlatformError::AuthenticationRefused { status: StatusWord(0x6300) }
        );
    }

    #[test]
    fn derives_the_challenge_that_the_recorded_card_sent() {
        // Amendment D §6.2.2.1: Key-ENC, sequence counter and AID of the application invoked
        // (the ISD-R of an eUICC, SGP.02 §2.2.3).
        let aid = hex!("A0000005591010FFFFFFFF8900000100");
        let context = [&[0, 0, 3][..], &aid].concat();
        let derived = keys().encryption.derive(Derivation::CardChallenge, &context, 8).unwrap();
        assert_eq!(derived.as_slice(), &ANSWER[13..21]);
    }

    proptest::proptest! {
        #[test]
        fn reads_any_answer_without_panic(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = CardAnswer::parse(&data);
        }
    }
}
