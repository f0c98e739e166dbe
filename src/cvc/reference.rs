//! Names of certification authorities and holders (BSI TR-03110-3 §C.1.1, §C.1.2, table 17).

use std::fmt;

use super::CvcError;

/// A Certification Authority Reference or Certificate Holder Reference: country code (2 letters),
/// mnemonic of the holder (up to 9 characters), sequence number (5 characters).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderReference(String);

impl HolderReference {
    /// Reads the value of a data object.
    ///
    /// # Errors
    /// [`CvcError::Field`] unless it has 7 to 16 visible ASCII characters that begin with two
    /// capital letters and end with five letters or digits.
    pub fn new(value: &[u8]) -> Result<Self, CvcError> {
        let fault = |what| Err(CvcError::field("holder reference", what));
        if !(7..=16).contains(&value.len()) {
            return fault("not 7 to 16 characters");
        }
        if !value.iter().all(u8::is_ascii_graphic) {
            return fault("characters that are not visible ASCII");
        }
        let text: String = value.iter().map(|b| char::from(*b)).collect();
        let reference = Self(text);
        if !reference.country().bytes().all(|b| b.is_ascii_uppercase()) {
            return fault("the country code is not two capital letters");
        }
        if !reference.sequence_number().bytes().all(|b| b.is_ascii_alphanumeric()) {
            return fault("the sequence number is not five letters or digits");
        }
        Ok(reference)
    }

    /// Puts a reference together.
    ///
    /// # Errors
    /// [`CvcError::Field`] when a part is too long or has other characters.
    pub fn from_parts(country: &str, mnemonic: &str, sequence: &str) -> Result<Self, CvcError> {
        if country.len() != 2 || mnemonic.len() > 9 || sequence.len() != 5 {
            let what =
                "country code, mnemonic and sequence number have 2, up to 9 and 5 characters";
            return Err(CvcError::field("holder reference", what));
        }
        Self::new([country, mnemonic, sequence].concat().as_bytes())
    }

    /// The whole reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Country code, two letters.
    #[must_use]
    pub fn country(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }

    /// Mnemonic of the holder, up to nine characters.
    #[must_use]
    pub fn mnemonic(&self) -> &str {
        self.0.get(2..self.0.len() - 5).unwrap_or_default()
    }

    /// Sequence number, five characters.
    #[must_use]
    pub fn sequence_number(&self) -> &str {
        self.0.get(self.0.len() - 5..).unwrap_or_default()
    }

    /// The reference of the holder's next key: the sequence number, where it ends in digits, counted
    /// up; none when it is exhausted or has no digits at its end.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let sequence = self.sequence_number();
        let digits = sequence.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (prefix, number) = sequence.split_at(5 - digits);
        let number = number.parse::<u32>().ok()? + 1;
        let counted = format!("{prefix}{number:0digits$}");
        Self::from_parts(self.country(), self.mnemonic(), &counted).ok()
    }
}

impl fmt::Display for HolderReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HolderReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderReference({})", self.0)
    }
}
