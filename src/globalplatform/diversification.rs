//! The keys of one card, derived from master keys: the usual schemes, and one's own as a template.
//!
//! A template is a function and the data that it works on, written as a line of text:
//!
//! ```text
//! ecb: kdd[0..2] kdd[4..8] F0 key kdd[0..2] kdd[4..8] 0F key        VISA2
//! cmac: counter 000000 key 00 kdd                                   SCP03's own derivation
//! ```
//!
//! `ecb` encrypts the data under the master key, block by block; the result is the key. `cmac` is
//! the key derivation function in counter mode with AES-CMAC of NIST SP 800-108, the one that SCP03
//! uses for its sessions. Parts of the data: bytes in hexadecimal; `kdd`, the ten bytes of key
//! diversification data in the answer to INITIALIZE UPDATE; `cplc`, the 42 bytes of production
//! data; `iin` and `cin`, the issuer's and the card's number; each of these may be cut by a range;
//! `key`, a byte 01 for Key-ENC, 02 for Key-MAC, 03 for Key-DEK; `bits`, two bytes with the length
//! of the key in bits; and, for `cmac`, once, `counter`.

use core::ops::Range;

use cancuoc_primitives::cipher::{self, BlockCipher};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{GlobalPlatformError, KeySet, StaticKey};
use crate::error::ErrorCode;

/// The most parts of a template.
const MAX_PARTS: usize = 64;
/// The longest text of a template, in bytes.
const MAX_TEXT: usize = 1024;

/// A key that diversifies: in a token or in memory, it encrypts and authenticates and is not seen.
pub trait MasterKey {
    /// The cipher that it is a key of.
    fn cipher(&self) -> BlockCipher;

    /// AES-CMAC of a message, 16 bytes.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    fn cmac(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterKeyError>;

    /// Encrypts whole blocks one by one.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    fn encrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterKeyError>;
}

/// What the keeper of a master key said.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct MasterKeyError {
    /// Stable code.
    pub code: &'static str,
    /// What happened.
    pub message: String,
}

impl From<cipher::CipherError> for MasterKeyError {
    fn from(error: cipher::CipherError) -> Self {
        Self { code: "gp_key_length", message: error.to_string() }
    }
}

impl MasterKey for StaticKey {
    fn cipher(&self) -> BlockCipher {
        self.cipher()
    }

    fn cmac(&self, message: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        let mac = Zeroizing::new(cipher::cmac(self.cipher(), self.bytes(), message)?);
        Ok(Zeroizing::new(mac.to_vec()))
    }

    fn encrypt_ecb(&self, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        Ok(Zeroizing::new(cipher::ecb_encrypt(self.cipher(), self.bytes(), data)?))
    }
}

/// Why keys were not derived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DiversificationError {
    /// A template that cannot be read.
    #[error("template, part {part}: {reason}")]
    Template {
        /// Number of the part, from 1; 0 for the function.
        part: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// The card does not give a number that the template asks for.
    #[error("the template asks for {what}, which this card does not give so long")]
    DataMissing {
        /// `kdd`, `cplc`, `iin` or `cin`.
        what: &'static str,
    },
    /// The function of the template does not work with this master key, or gives no whole key.
    #[error("{reason}")]
    MasterKeyUnfit {
        /// Why.
        reason: &'static str,
    },
    /// The keeper of the master key failed.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The bytes derived are no key.
    #[error(transparent)]
    Key(#[from] GlobalPlatformError),
}

impl ErrorCode for DiversificationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Template { .. } => "diversification_template",
            Self::DataMissing { .. } => "diversification_data",
            Self::MasterKeyUnfit { .. } => "diversification_master_key",
            Self::MasterKey(error) => error.code,
            Self::Key(error) => error.code(),
        }
    }
}

/// What tells one card from another.
#[derive(Debug, Clone, Copy, Default)]
pub struct CardData<'a> {
    /// Key diversification data, ten bytes, from the answer to INITIALIZE UPDATE.
    pub diversification: Option<&'a [u8]>,
    /// Production data, 42 bytes.
    pub production: Option<&'a [u8]>,
    /// Issuer identification number (GET DATA 42).
    pub issuer_number: Option<&'a [u8]>,
    /// Card image number (GET DATA 45).
    pub card_number: Option<&'a [u8]>,
}

/// What the data goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Ecb,
    Cmac,
}

/// A number of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Diversification,
    Production,
    IssuerNumber,
    CardNumber,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Diversification => "kdd",
            Self::Production => "cplc",
            Self::IssuerNumber => "iin",
            Self::CardNumber => "cin",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Diversification, Self::Production, Self::IssuerNumber, Self::CardNumber]
            .into_iter()
            .find(|source| source.name() == name)
    }

    const fn of<'a>(self, card: &CardData<'a>) -> Option<&'a [u8]> {
        match self {
            Self::Diversification => card.diversification,
            Self::Production => card.production,
            Self::IssuerNumber => card.issuer_number,
            Self::CardNumber => card.card_number,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Bytes(Vec<u8>),
    Number(Source, Option<Range<usize>>),
    Key,
    Bits,
    Counter,
}

/// Which key of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Encryption = 1,
    Mac = 2,
    DataEncryption = 3,
}

/// A way to derive the keys of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversification {
    name: String,
    function: Function,
    parts: Vec<Part>,
}

/// The usual schemes: name and template.
const SCHEMES: [(&str, &str); 4] = [
    // GPC Amendment D §4.1.5 with the purpose of the key as label and the diversification data as
    // context, as cards with SCP03 are delivered.
    ("kdf3", "cmac: counter 000000 key 00 kdd"),
    // EMV Card Personalization Specification 1.1 §4.1.3.
    ("emv", "ecb: kdd[4..10] F0 key kdd[4..10] 0F key"),
    ("visa2", "ecb: kdd[0..2] kdd[4..8] F0 key kdd[0..2] kdd[4..8] 0F key"),
    // The older form of the same.
    ("visa", "ecb: kdd[0..4] kdd[8..10] F0 key kdd[0..4] kdd[8..10] 0F key"),
];

impl Diversification {
    /// The usual schemes.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        SCHEMES.iter().filter_map(|(name, _)| Self::parse(name).ok()).collect()
    }

    /// Reads the name of a usual scheme or a template.
    ///
    /// # Errors
    /// [`DiversificationError::Template`].
    pub fn parse(text: &str) -> Result<Self, DiversificationError> {
        let text = text.trim();
        let scheme = SCHEMES.iter().find(|(name, _)| *name == text);
        let template = scheme.map_or(text, |(_, template)| template);
        let wrong = |part, reason| DiversificationError::Template { part, reason };
        if template.len() > MAX_TEXT {
            return Err(wrong(0, "it is too long"));
        }
        let (function, data) = template
            .split_once(':')
            .ok_or_else(|| wrong(0, "neither the name of a scheme nor ecb: or cmac: and data"))?;
        let function = match function.trim() {
            "ecb" => Function::Ecb,
            "cmac" => Function::Cmac,
            _ => return Err(wrong(0, "the function is neither ecb nor cmac")),
        };
        let mut parts = Vec::new();
        for (index, word) in data.split_whitespace().enumerate() {
            if index == MAX_PARTS {
                return Err(wrong(index + 1, "too many parts"));
            }
            parts.push(parse_part(word).map_err(|reason| wrong(index + 1, reason))?);
        }
        let counters = parts.iter().filter(|part| **part == Part::Counter).count();
        match (function, counters) {
            _ if !parts.contains(&Part::Key) => {
                Err(wrong(0, "without key, all three keys would be the same"))
            }
            (Function::Ecb, 0) | (Function::Cmac, 1) => {
                Ok(Self { name: text.to_owned(), function, parts })
            }
            (Function::Ecb, _) => Err(wrong(0, "ecb has no counter")),
            (Function::Cmac, _) => Err(wrong(0, "cmac needs counter exactly once")),
        }
    }

    /// Name of the scheme, or the template itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key set of a card, of the same cipher as the master key.
    ///
    /// # Errors
    /// [`DiversificationError`].
    pub fn derive(
        &self,
        master: &dyn MasterKey,
        card: &CardData<'_>,
        version: u8,
    ) -> Result<KeySet, DiversificationError> {
        let key = |role| self.key(master, card, role);
        let keys = [key(Role::Encryption)?, key(Role::Mac)?, key(Role::DataEncryption)?];
        let [enc, mac, dek] = &keys;
        let make = match master.cipher() {
            BlockCipher::Tdes => KeySet::new_triple_des,
            _ => KeySet::new,
        };
        Ok(make(version, enc, mac, dek)?)
    }

    /// The key set of a card, each key of it from its own master key.
    ///
    /// # Errors
    /// [`DiversificationError`].
    pub fn derive_set(
        &self,
        masters: &KeySet,
        card: &CardData<'_>,
    ) -> Result<KeySet, DiversificationError> {
        let version = masters.version;
        let derive = |master: &StaticKey| self.derive(master, card, version);
        Ok(KeySet {
            version,
            encryption: derive(&masters.encryption)?.encryption,
            mac: derive(&masters.mac)?.mac,
            data_encryption: derive(&masters.data_encryption)?.data_encryption,
        })
    }

    fn key(
        &self,
        master: &dyn MasterKey,
        card: &CardData<'_>,
        role: Role,
    ) -> Result<Zeroizing<Vec<u8>>, DiversificationError> {
        let unfit = |reason| DiversificationError::MasterKeyUnfit { reason };
        let length = master.cipher().key_len();
        match self.function {
            Function::Ecb => {
                let data = self.data(card, role, length, 0)?;
                if data.len() != length {
                    return Err(unfit("ecb needs as many bytes of data as the key has"));
                }
                Ok(master.encrypt_ecb(&data)?)
            }
            Function::Cmac => {
                if master.cipher() == BlockCipher::Tdes {
                    return Err(unfit("cmac needs an AES master key"));
                }
                let mut key = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(16)));
                for counter in 1..=length.div_ceil(16) {
                    let data = self.data(card, role, length, counter as u8)?;
                    key.extend_from_slice(&master.cmac(&data)?);
                }
                key.truncate(length);
                Ok(key)
            }
        }
    }

    fn data(
        &self,
        card: &CardData<'_>,
        role: Role,
        length: usize,
        counter: u8,
    ) -> Result<Vec<u8>, DiversificationError> {
        let mut data = Vec::new();
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => data.extend_from_slice(bytes),
                Part::Key => data.push(role as u8),
                Part::Bits => data.extend((length as u16 * 8).to_be_bytes()),
                Part::Counter => data.push(counter),
                Part::Number(source, range) => {
                    let missing = DiversificationError::DataMissing { what: source.name() };
                    let number = source.of(card).ok_or_else(|| missing.clone())?;
                    let range = range.clone().unwrap_or(0..number.len());
                    data.extend_from_slice(number.get(range).ok_or(missing)?);
                }
            }
        }
        Ok(data)
    }
}

fn parse_part(word: &str) -> Result<Part, &'static str> {
    match word {
        "key" => return Ok(Part::Key),
        "bits" => return Ok(Part::Bits),
        "counter" => return Ok(Part::Counter),
        _ => {}
    }
    let (name, range) = match word.split_once('[') {
        Some((name, range)) => (name, Some(parse_range(range)?)),
        None => (word, None),
    };
    if let Some(source) = Source::from_name(name) {
        return Ok(Part::Number(source, range));
    }
    match (hex::decode(word), range) {
        (Ok(bytes), None) => Ok(Part::Bytes(bytes)),
        _ => Err("neither bytes in hexadecimal nor kdd, cplc, iin, cin, key, bits or counter"),
    }
}

fn parse_range(text: &str) -> Result<Range<usize>, &'static str> {
    let wrong = "a range is written [FROM..TO], TO is the first byte left out";
    let (from, to) =
        text.strip_suffix(']').and_then(|range| range.split_once("..")).ok_or(wrong)?;
    let number = |text: &str| text.parse::<u8>().map(usize::from).map_err(|_| wrong);
    let (from, to) = (number(from)?, number(to)?);
    if from < to { Ok(from..to) } else { Err("the range is empty") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    const KDD: [u8; 10] = hex!("00010203040506070809");
    const MASTER: [u8; 32] =
        hex!("404142434445464748494A4B4C4D4E4F505152535455565758595A5B5C5D5E5F");

    fn card() -> CardData<'static> {
        CardData { diversification: Some(&KDD), ..CardData::default() }
    }

    fn check_values(scheme: &str, master: &StaticKey) -> [String; 3] {
        let keys = Diversification::parse(scheme).unwrap().derive(master, &card(), 1).unwrap();
        [&keys.encryption, &keys.mac, &keys.data_encryption]
            .map(|key| hex::encode_upper(key.check_value().unwrap()))
    }

    // GlobalPlatformPro, TestPlaintextKeys.java: check values of diversified keys.
    #[test]
    fn diversifies_triple_des_keys_as_another_host_does() {
        let master = StaticKey::triple_des(&MASTER[..16]).unwrap();
        assert_eq!(check_values("emv", &master), ["C33013", "6F4CA6", "BB8179"]);
        assert_eq!(check_values("visa2", &master), ["2BE598", "58DA38", "3C328E"]);
    }

    #[test]
    fn diversifies_aes_keys_as_another_host_does() {
        for (length, expected) in [
            (16, ["E79C05", "D1BD77", "3FDE8C"]),
            (24, ["1DE8EA", "47C00C", "C04D76"]),
            (32, ["2972D2", "036F94", "5D57B8"]),
        ] {
            let master = StaticKey::new(&MASTER[..length]).unwrap();
            assert_eq!(check_values("kdf3", &master), expected, "{length}");
        }
    }

    #[test]
    fn gives_the_key_of_the_published_example() {
        // GlobalPlatformPro, TestSCP03.java.
        let master = hex!("8C72C72CF908411653018807950D82FBAD947562F0828A0B10B8B9606ABF3BCD");
        let kdd = hex!("D9B1DE5D0362DEDCE4FB");
        let card = CardData { diversification: Some(&kdd), ..CardData::default() };
        let scheme = Diversification::parse("kdf3").unwrap();
        let keys = scheme.derive(&StaticKey::new(&master).unwrap(), &card, 1).unwrap();
        let expected = hex!("9AAC5D0B3601F89438A0D9D0B6B256CFB47E6462DFA5228D3420C4AC7C224781");
        assert_eq!(keys.encryption.bytes(), expected);
    }

    #[test]
    fn writes_the_two_forms_of_visa2_over_other_bytes() {
        let data = |scheme| {
            let scheme = Diversification::parse(scheme).unwrap();
            hex::encode(scheme.data(&card(), Role::Mac, 16, 0).unwrap())
        };
        assert_eq!(data("visa2"), "000104050607f002000104050607".to_owned() + "0f02");
        assert_eq!(data("visa"), "000102030809f002000102030809".to_owned() + "0f02");
        assert_eq!(data("emv"), "040506070809f002040506070809".to_owned() + "0f02");
    }

    #[test]
    fn takes_a_template_of_ones_own() {
        let template = "cmac: counter A0A1 key 00 iin cin[1..3] cplc[10..18] bits";
        let scheme = Diversification::parse(template).unwrap();
        let production: Vec<u8> = (0..42).collect();
        let mut card = CardData {
            production: Some(&production),
            issuer_number: Some(&[0x11, 0x22]),
            card_number: Some(&[1, 2, 3]),
            ..CardData::default()
        };
        let data = scheme.data(&card, Role::DataEncryption, 32, 2).unwrap();
        // Counter, label, key, separator; then iin, cin, cplc, and 256 bits.
        assert_eq!(data, hex!("02 A0A1 03 00 1122 0203 0A0B0C0D0E0F1011 0100"));
        card.card_number = Some(&[1, 2]);
        let error = scheme.data(&card, Role::Mac, 32, 1).unwrap_err();
        assert_eq!(error, DiversificationError::DataMissing { what: "cin" });
    }

    #[test]
    fn refuses_templates_that_cannot_be_meant() {
        for (text, part) in [
            ("", 0),
            ("visa3", 0),
            ("des: key", 0),
            ("ecb: kdd", 0),
            ("ecb: counter key", 0),
            ("cmac: key kdd", 0),
            ("cmac: counter counter key", 0),
            ("ecb: key kdd[4..4]", 2),
            ("ecb: key kdd[4..300]", 2),
            ("ecb: key kdd[4-6]", 2),
            ("ecb: key F", 2),
            ("ecb: key uid", 2),
            ("ecb: key F0[0..1]", 2),
        ] {
            match Diversification::parse(text).unwrap_err() {
                DiversificationError::Template { part: found, .. } => {
                    assert_eq!(found, part, "{text}")
                }
                other => panic!("{text}: {other}"),
            }
        }
    }

    #[test]
    fn refuses_a_master_key_that_the_function_is_not_for() {
        let derive = |scheme: &str, master: &StaticKey| {
            Diversification::parse(scheme).unwrap().derive(master, &card(), 1).map(drop)
        };
        let tdes = StaticKey::triple_des(&MASTER[..16]).unwrap();
        assert!(matches!(
            derive("kdf3", &tdes).unwrap_err(),
            DiversificationError::MasterKeyUnfit { .. }
        ));
        // 16 bytes of data give no key of 32 bytes.
        let aes = StaticKey::new(&MASTER).unwrap();
        assert!(matches!(
            derive("visa2", &aes).unwrap_err(),
            DiversificationError::MasterKeyUnfit { .. }
        ));
    }

    proptest! {
        #[test]
        fn reads_any_template_without_panic(text in "\\PC{0,60}", words in prop::collection::vec(
            prop::sample::select(vec!["ecb:", "cmac:", "kdd", "kdd[0..9]", "cplc[40..50]", "key", "counter", "00FF", "bits", "["]), 0..12)) {
            let _ = Diversification::parse(&text);
            if let Ok(scheme) = Diversification::parse(&words.join(" ")) {
                let _ = scheme.derive(&StaticKey::new(&MASTER).unwrap(), &card(), 0);
            }
        }
    }
}
