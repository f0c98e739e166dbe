//! Which keys a card holds, found out from its answer to one INITIALIZE UPDATE.
//!
//! The card proves its keys first, so that any number of keys, derivations and protocols can be
//! tried on its answer without the card knowing: no EXTERNAL AUTHENTICATE is sent and no try burnt.

use super::diversification::{CardData, Diversification};
use super::{GlobalPlatformError, KeySet, StaticKey};
use super::{scp02, scp03};
use zeroize::Zeroizing;

/// What a card answered to INITIALIZE UPDATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InitializeAnswer {
    /// SCP02.
    Scp02(scp02::CardAnswer),
    /// SCP03.
    Scp03(scp03::CardAnswer),
}

impl InitializeAnswer {
    /// Reads the response data of either protocol.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Malformed`] or [`GlobalPlatformError::ProtocolNotSupported`].
    pub fn parse(data: &[u8]) -> Result<Self, GlobalPlatformError> {
        match data.get(11) {
            Some(0x02) => scp02::CardAnswer::parse(data).map(Self::Scp02),
            _ => scp03::CardAnswer::parse(data).map(Self::Scp03),
        }
    }

    /// Key diversification data.
    #[must_use]
    pub const fn diversification(&self) -> &[u8; 10] {
        match self {
            Self::Scp02(answer) => &answer.diversification,
            Self::Scp03(answer) => &answer.diversification,
        }
    }

    /// Version of the key set that the card answered with.
    #[must_use]
    pub const fn key_version(&self) -> u8 {
        match self {
            Self::Scp02(answer) => answer.key_version,
            Self::Scp03(answer) => answer.key_version,
        }
    }

    /// Number of the protocol.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        match self {
            Self::Scp02(_) => 2,
            Self::Scp03(_) => 3,
        }
    }

    /// Whether a card with these keys gave this answer; keys for the other protocol did not.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`], never for keys made by [`KeySet`].
    pub fn is_from(
        &self,
        keys: &KeySet,
        host_challenge: &[u8],
    ) -> Result<bool, GlobalPlatformError> {
        match self {
            Self::Scp02(answer) if keys.is_triple_des() => answer.is_from(keys, host_challenge),
            Self::Scp03(answer) if !keys.is_triple_des() => answer.is_from(keys, host_challenge),
            _ => Ok(false),
        }
    }

    /// Whether the challenge is the pseudo-random one of a card with these keys; `None` where it
    /// need not be, or the keys are for the other protocol.
    ///
    /// # Errors
    /// [`GlobalPlatformError::Cipher`], never for keys made by [`KeySet`].
    pub fn challenge_is_derived(
        &self,
        keys: &KeySet,
        domain: &[u8],
    ) -> Result<Option<bool>, GlobalPlatformError> {
        match self {
            Self::Scp02(answer) if keys.is_triple_des() => {
                answer.challenge_is_derived(keys, domain).map(Some)
            }
            Self::Scp03(answer) if !keys.is_triple_des() => {
                answer.challenge_is_derived(keys, domain)
            }
            _ => Ok(None),
        }
    }

    /// Puts bytes into the kind of keys that this protocol speaks with.
    fn key_set(&self, [enc, mac, dek]: [&[u8]; 3]) -> Result<KeySet, GlobalPlatformError> {
        match self {
            Self::Scp02(_) => KeySet::new_triple_des(self.key_version(), enc, mac, dek),
            Self::Scp03(_) => KeySet::new(self.key_version(), enc, mac, dek),
        }
    }
}

/// The first of several key sets that the card proved to hold.
///
/// # Errors
/// [`GlobalPlatformError::Cipher`], never for keys made by [`KeySet`].
pub fn which(
    answer: &InitializeAnswer,
    host_challenge: &[u8],
    candidates: &[&KeySet],
) -> Result<Option<usize>, GlobalPlatformError> {
    for (index, keys) in candidates.iter().enumerate() {
        if answer.is_from(keys, host_challenge)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Keys that may be in a card, or may be what its keys were derived from. Which cipher they are for
/// is not known: 16 bytes are an AES key and a triple DES key.
#[derive(Clone)]
pub struct Suspect {
    /// What people call them.
    pub name: String,
    keys: [Zeroizing<Vec<u8>>; 3],
}

impl core::fmt::Debug for Suspect {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Suspect({}, ***)", self.name)
    }
}

impl Suspect {
    /// Takes the keys of a set.
    #[must_use]
    pub fn new(name: impl Into<String>, keys: &KeySet) -> Self {
        let bytes = |key: &StaticKey| Zeroizing::new(key.bytes().to_vec());
        let keys = [&keys.encryption, &keys.mac, &keys.data_encryption].map(bytes);
        Self { name: name.into(), keys }
    }
}

/// Keys and a derivation that explain the card's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Name of the keys.
    pub suspect: String,
    /// The derivation; `None` where the keys are the card's own.
    pub derivation: Option<String>,
    /// The cipher that the master keys were used with: `AES` or `3DES`; `None` without derivation.
    pub master_cipher: Option<&'static str>,
    /// Whether the card's challenge is the pseudo-random one; `None` where it need not be.
    pub challenge_is_derived: Option<bool>,
}

/// Tries every suspect as it is and as master keys of every derivation.
///
/// # Errors
/// [`GlobalPlatformError::Cipher`], never for keys made by [`KeySet`]. Derivations that do not fit
/// a key, and bytes that are no key of the protocol, are passed over.
pub fn diagnose(
    answer: &InitializeAnswer,
    host_challenge: &[u8],
    card: &CardData<'_>,
    suspects: &[Suspect],
    derivations: &[Diversification],
    domain: &[u8],
) -> Result<Vec<Explanation>, GlobalPlatformError> {
    let mut found = Vec::new();
    let mut check =
        |suspect: &Suspect, derivation: Option<(&Diversification, &'static str)>, keys: &KeySet| {
            if answer.is_from(keys, host_challenge)? {
                found.push(Explanation {
                    suspect: suspect.name.clone(),
                    derivation: derivation.map(|(derivation, _)| derivation.name().to_owned()),
                    master_cipher: derivation.map(|(_, cipher)| cipher),
                    challenge_is_derived: answer.challenge_is_derived(keys, domain)?,
                });
            }
            Ok::<_, GlobalPlatformError>(())
        };
    for suspect in suspects {
        let [enc, mac, dek] = &suspect.keys;
        if let Ok(keys) = answer.key_set([enc, mac, dek]) {
            check(suspect, None, &keys)?;
        }
        for derivation in derivations {
            for (cipher, keys) in derived(suspect, derivation, card) {
                let bytes = [&keys.encryption, &keys.mac, &keys.data_encryption];
                if let Ok(keys) = answer.key_set(bytes.map(StaticKey::bytes)) {
                    check(suspect, Some((derivation, cipher)), &keys)?;
                }
            }
        }
    }
    Ok(found)
}

/// The keys of a card by one derivation, with the master keys as AES keys and as triple DES keys.
fn derived(
    suspect: &Suspect,
    derivation: &Diversification,
    card: &CardData<'_>,
) -> Vec<(&'static str, KeySet)> {
    let [enc, mac, dek] = &suspect.keys;
    let ways = [
        ("AES", KeySet::new(0, enc, mac, dek)),
        ("3DES", KeySet::new_triple_des(0, enc, mac, dek)),
    ];
    let derive = |masters: KeySet| derivation.derive_set(&masters, card).ok();
    ways.into_iter().filter_map(|(name, set)| Some((name, derive(set.ok()?)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globalplatform::ISSUER_SECURITY_DOMAIN;
    use hex_literal::hex;
    use proptest::prelude::*;

    // The library GlobalPlatform of K. Ohme, src/scp02Test.c: recorded from a card with 40…4F.
    const SCP02: [u8; 28] = hex!("000074746E6E6E6262620102069FAA2A0591E73367DD78794D04315E");
    const SCP02_CHALLENGE: [u8; 8] = hex!("D5AD539A60CA5E72");
    // The same, src/scp03Test.c: version 00, the same key.
    const SCP03: [u8; 32] =
        hex!("00010203040506070809000370A5874C57119B976BF94879E36F29E039000001");
    const SCP03_CHALLENGE: [u8; 8] = hex!("2C8130E574247B1B");

    fn suspects() -> Vec<Suspect> {
        let other = KeySet::new(1, &[1; 16], &[2; 16], &[3; 16]).unwrap();
        let test = KeySet::test_keys().unwrap();
        vec![Suspect::new("other", &other), Suspect::new("test", &test)]
    }

    #[test]
    fn names_the_keys_of_recorded_cards_of_either_protocol() {
        for (answer, challenge, protocol) in
            [(&SCP02[..], SCP02_CHALLENGE, 2), (&SCP03[..], SCP03_CHALLENGE, 3)]
        {
            let answer = InitializeAnswer::parse(answer).unwrap();
            assert_eq!(answer.protocol(), protocol);
            let card =
                CardData { diversification: Some(answer.diversification()), ..CardData::default() };
            let usual = Diversification::usual();
            let found =
                diagnose(&answer, &challenge, &card, &suspects(), &usual, &ISSUER_SECURITY_DOMAIN);
            let found = found.unwrap();
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].suspect.as_str(), &found[0].derivation), ("test", &None));
        }
    }

    #[test]
    fn names_the_derivation_of_a_card_with_diversified_keys() {
        let kdd = hex!("A1A2A3A4A5A6A7A8A9AA");
        let card = CardData { diversification: Some(&kdd), ..CardData::default() };
        let test = KeySet::test_keys().unwrap().encryption;
        for derivation in Diversification::usual() {
            let tdes = StaticKey::triple_des(test.bytes()).unwrap();
            let (master, cipher) =
                if derivation.name() == "kdf3" { (&test, "AES") } else { (&tdes, "3DES") };
            let keys = derivation.derive(master, &card, 0x21).unwrap();
            let bytes = [&keys.encryption, &keys.mac, &keys.data_encryption].map(StaticKey::bytes);
            let aes = KeySet::new(0x21, bytes[0], bytes[1], bytes[2]).unwrap();
            let answer = crate::globalplatform::scp03::tests::answer_of(&aes, &[5; 8], kdd);
            let answer = InitializeAnswer::parse(&answer).unwrap();
            let found =
                diagnose(&answer, &[5; 8], &card, &suspects(), &Diversification::usual(), &[]);
            let expected = Explanation {
                suspect: "test".to_owned(),
                derivation: Some(derivation.name().to_owned()),
                master_cipher: Some(cipher),
                challenge_is_derived: None,
            };
            assert_eq!(found.unwrap(), [expected]);
            assert_eq!(answer.key_version(), 0x21);
        }
    }

    #[test]
    fn names_nothing_for_a_card_with_other_keys() {
        let answer = InitializeAnswer::parse(&SCP02).unwrap();
        let card = CardData::default();
        let found = diagnose(&answer, &[0; 8], &card, &suspects(), &Diversification::usual(), &[]);
        assert_eq!(found.unwrap(), []);
    }

    #[test]
    fn picks_the_first_key_set_that_the_card_proved() {
        let answer = InitializeAnswer::parse(&SCP03).unwrap();
        let transport = KeySet::test_keys().unwrap();
        let production = KeySet::new(0x31, &[1; 16], &[2; 16], &[3; 16]).unwrap();
        let old_then_new = which(&answer, &SCP03_CHALLENGE, &[&transport, &production]).unwrap();
        assert_eq!(old_then_new, Some(0));
        let triple_des = KeySet::parse("3des:test", 0).unwrap();
        let only_last = [&triple_des, &production, &transport];
        assert_eq!(which(&answer, &SCP03_CHALLENGE, &only_last).unwrap(), Some(2));
        assert_eq!(which(&answer, &SCP03_CHALLENGE, &[&production]).unwrap(), None);
    }

    proptest! {
        #[test]
        fn reads_any_answer_without_panic(data in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = InitializeAnswer::parse(&data);
        }
    }
}
