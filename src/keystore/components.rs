//! Keys that come in components, each known to one custodian alone: the key is their exclusive or.

use cancuoc_primitives::cipher::BlockCipher;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{KeyStoreError, SoftwareMasterKey};

/// Most components of a key.
pub const MOST_COMPONENTS: usize = 9;

/// One component, as long as the key. Wiped when dropped.
pub struct Component(SoftwareMasterKey);

impl Component {
    /// Reads a component in hexadecimal, white space ignored. `number` counts from 1, for errors.
    ///
    /// # Errors
    /// [`KeyStoreError::Component`], without any of its digits.
    pub fn parse(cipher: BlockCipher, number: usize, text: &str) -> Result<Self, KeyStoreError> {
        let wrong = |what| KeyStoreError::Component { number, what };
        let mut digits = Zeroizing::new(String::with_capacity(text.len()));
        digits.extend(text.chars().filter(|c| !c.is_whitespace()));
        if digits.len() != 2 * cipher.key_len() {
            return Err(wrong("has another length than the key"));
        }
        let mut bytes = Zeroizing::new(vec![0; cipher.key_len()]);
        hex::decode_to_slice(digits.as_bytes(), &mut bytes)
            .map_err(|_| wrong("is not hexadecimal"))?;
        // Such a component adds nothing: somebody would know the key without it.
        if is_constant(&bytes) {
            return Err(wrong("consists of one byte over and over"));
        }
        Ok(Self(SoftwareMasterKey::new(cipher, &bytes)?))
    }

    /// The component as a key, for its check value.
    #[must_use]
    pub const fn as_key(&self) -> &SoftwareMasterKey {
        &self.0
    }
}

/// Puts a key together: 3DES keys with odd parity, as tokens want them.
///
/// # Errors
/// [`KeyStoreError::Component`] for fewer than two components, more than [`MOST_COMPONENTS`], one
/// given twice; [`KeyStoreError::WeakKey`] for a key that nobody draws at random.
pub fn assemble(
    cipher: BlockCipher,
    components: &[Component],
) -> Result<SoftwareMasterKey, KeyStoreError> {
    let number = components.len();
    if !(2..=MOST_COMPONENTS).contains(&number) {
        let what = "two to nine components make a key";
        return Err(KeyStoreError::Component { number, what });
    }
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    for (number, component) in (1..).zip(components) {
        let bytes = component.0.bytes();
        let twice = components.iter().take(number - 1).any(|c| same(c.0.bytes(), bytes));
        if twice {
            return Err(KeyStoreError::Component { number, what: "was given before" });
        }
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to ^= *from);
    }
    if cipher == BlockCipher::Tdes {
        key.iter_mut().for_each(|byte| *byte = odd_parity(*byte));
        let (first, second) = key.split_at(8);
        if same(first, second) {
            return Err(KeyStoreError::WeakKey("is a single DES key twice"));
        }
    }
    if is_constant(&key) {
        return Err(KeyStoreError::WeakKey("consists of one byte over and over"));
    }
    SoftwareMasterKey::new(cipher, &key)
}

fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

fn is_constant(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair.first() == pair.last())
}

/// The byte with its lowest bit such that the number of ones is odd (FIPS 46-3).
const fn odd_parity(byte: u8) -> u8 {
    let upper = byte & 0xFE;
    upper | ((upper.count_ones() + 1) % 2) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keystore::{CheckValueMethod, MasterKey};
    use proptest::prelude::*;

    fn parts(cipher: BlockCipher, texts: &[&str]) -> Vec<Component> {
        let parse = |(number, text): (usize, &&str)| Component::parse(cipher, number, text);
        (1..).zip(texts).map(|pair| parse(pair).unwrap()).collect()
    }

    #[test]
    fn puts_the_key_of_the_public_test_cards_together() {
        // 404142…4F with the check value that every GlobalPlatform host knows.
        let (a, b) = ("00112233445566778899AABBCCDDEEFF", "4050607000102030 C0D0E0F08090A0B0");
        let key = assemble(BlockCipher::Tdes, &parts(BlockCipher::Tdes, &[a, b])).unwrap();
        assert_eq!(key.bytes(), hex::decode("404043434545464649494A4A4C4C4F4F").unwrap());
        assert_eq!(key.check_value(CheckValueMethod::Zeros).unwrap().to_string(), "8BAF47");
    }

    #[test]
    fn refuses_components_that_protect_nothing() {
        let aes = BlockCipher::Aes128;
        let good = "00112233445566778899AABBCCDDEEFF";
        assert!(assemble(aes, &parts(aes, &[good])).is_err());
        assert!(assemble(aes, &parts(aes, &[good, good])).is_err());
        for wrong in [&"00".repeat(16)[..], &"5A".repeat(16), "0011", "", &"zz".repeat(16)] {
            let error = Component::parse(aes, 2, wrong).err().unwrap();
            assert!(matches!(error, KeyStoreError::Component { number: 2, .. }), "{error}");
        }
    }

    #[test]
    fn refuses_an_assembled_key_that_is_weak() {
        let tdes = BlockCipher::Tdes;
        let (a, b) = ("00112233445566778899AABBCCDDEEFF", "01326754CDFEAB98 89BAEFDC45762310");
        let twice = assemble(tdes, &parts(tdes, &[a, b])).unwrap_err();
        assert!(matches!(twice, KeyStoreError::WeakKey(_)), "{twice}");
    }

    proptest! {
        #[test]
        fn takes_any_text(text in ".{0,80}") {
            for cipher in [BlockCipher::Tdes, BlockCipher::Aes192] {
                if let Ok(component) = Component::parse(cipher, 1, &text) {
                    prop_assert_eq!(component.0.bytes().len(), cipher.key_len());
                }
            }
        }

        #[test]
        fn the_order_of_components_does_not_matter(
            keys in prop::collection::vec(prop::array::uniform32(any::<u8>()), 2..5),
        ) {
            let aes = BlockCipher::Aes256;
            let texts: Vec<String> = keys.iter().map(hex::encode).collect();
            let read = |texts: &[String]| -> Option<Vec<Component>> {
                texts.iter().map(|text| Component::parse(aes, 1, text).ok()).collect()
            };
            let backwards: Vec<String> = texts.iter().rev().cloned().collect();
            let (Some(one), Some(other)) = (read(&texts), read(&backwards)) else { return Ok(()) };
            let key = |components: &[Component]| {
                assemble(aes, components).ok().map(|key| key.bytes().to_vec())
            };
            prop_assert_eq!(key(&one), key(&other));
        }
    }
}
