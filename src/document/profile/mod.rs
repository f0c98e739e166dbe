//! Card profiles: what is special about a generation of cards, as data.
//!
//! Two are built in (`profiles/*.toml`); any may be replaced by a file. A profile is checked when it
//! is read, so that a mistake in it shows before a card is touched.

mod check;
pub(crate) mod notation;

use std::sync::OnceLock;

use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::access::{AccessError, Can, DocumentNumber, PersonalNumber};
use super::dg13::Dg13Layout;
use crate::error::ErrorCode;

/// The schema a profile names.
pub const SCHEMA: &str = "cancuoc.profile/1";
/// The largest profile read, in bytes.
const MAX_LENGTH: usize = 256 * 1024;

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProfileError {
    /// No built-in profile has this name.
    #[error("no built-in card profile is called {name:?} (there are: {})", CardProfile::NAMES.join(", "))]
    Unknown {
        /// The name asked for, cut short.
        name: String,
    },
    /// Not TOML, or not the fields of a profile.
    #[error("card profile: {message}")]
    Malformed {
        /// What and where, from the TOML reader.
        message: String,
    },
    /// A value that contradicts another or that cannot be.
    #[error("card profile, {field}: {reason}")]
    Invalid {
        /// The field, as a TOML path.
        field: &'static str,
        /// Why.
        reason: String,
    },
}

impl ErrorCode for ProfileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "profile_unknown",
            Self::Malformed { .. } => "profile_malformed",
            Self::Invalid { .. } => "profile_invalid",
        }
    }
}

/// One generation of cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardProfile {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name: letters, digits and hyphens.
    pub name: String,
    /// What people call the card, in English.
    pub title_en: String,
    /// The same in Vietnamese.
    pub title_vi: String,
    /// What the MRZ says of every card.
    pub mrz: MrzProfile,
    /// How passwords come from the personal number.
    pub passwords: PasswordProfile,
    /// Logical data structure.
    pub lds: LdsProfile,
    /// Document security object.
    pub sod: SodProfile,
    /// What EF.ATR/INFO announces.
    pub atr_info: AtrInfoProfile,
    /// Access protocols.
    pub access: AccessProfile,
    /// Chip Authentication; left out when the card has none.
    pub chip_authentication: Option<ChipAuthenticationProfile>,
    /// Active Authentication; left out when the card has none.
    pub active_authentication: Option<ActiveAuthenticationProfile>,
    /// Every file the card may have.
    pub files: Vec<FileProfile>,
    /// Numbering of DG13.
    pub dg13: Dg13Layout,
    /// The text of the QR code.
    pub qr: QrProfile,
}

/// Constant fields of the MRZ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MrzProfile {
    /// Document code, one or two characters.
    pub document_code: String,
    /// Issuing State, three letters.
    pub issuing_state: String,
    /// Nationality where the record gives none.
    pub nationality: String,
}

/// How passwords come from the personal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordProfile {
    /// The CAN is this many of its last digits.
    pub can_digits: usize,
    /// The document number is this many of its last digits.
    pub document_number_digits: usize,
}

/// Logical data structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LdsProfile {
    /// LDS version, four digits: `0107`, `0108`.
    pub version: String,
    /// Unicode version, six digits.
    pub unicode_version: String,
    /// Data groups in the order of the tag list of EF.COM.
    pub data_groups: Vec<u8>,
}

/// Document security object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SodProfile {
    /// Hash over the data groups.
    pub hash: HashName,
    /// LDS security object version, 0 or 1.
    pub version: u8,
}

/// What EF.ATR/INFO announces (ISO/IEC 7816-4 §12.7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtrInfoProfile {
    /// Card capabilities, three software function bytes.
    #[serde(with = "notation::hex_bytes")]
    pub card_capabilities: Vec<u8>,
    /// Most bytes of a command APDU.
    pub max_command_length: u32,
    /// Most bytes of a response APDU.
    pub max_response_length: u32,
}

/// Access protocols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessProfile {
    /// Whether Basic Access Control opens the card.
    pub bac: bool,
    /// PACE configurations.
    #[serde(default)]
    pub pace: Vec<PaceProfile>,
    /// Version of Terminal Authentication announced; left out when there is none.
    pub terminal_authentication: Option<u8>,
}

/// One PACEInfo (ICAO 9303-11 §9.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaceProfile {
    /// Object identifier of the protocol.
    #[serde(with = "notation::oid_text")]
    pub protocol: ObjectIdentifier,
    /// Version, 2.
    pub version: u8,
    /// Standardised domain parameters (ICAO 9303-11 §9.5.1).
    pub parameter: u8,
}

/// Chip Authentication (ICAO 9303-11 §6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipAuthenticationProfile {
    /// Object identifier of the protocol with its cipher.
    #[serde(with = "notation::oid_text")]
    pub protocol: ObjectIdentifier,
    /// Version, 1.
    pub version: u8,
    /// Curve of the key.
    pub curve: CurveName,
    /// Key identifier, left out where there is one key only.
    pub key_id: Option<u8>,
}

/// Active Authentication (ICAO 9303-11 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActiveAuthenticationProfile {
    /// ECDSA in plain format.
    Ecdsa {
        /// Curve of the key.
        curve: CurveName,
        /// Hash.
        hash: HashName,
    },
    /// RSA by ISO/IEC 9796-2.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
        /// Hash.
        hash: HashName,
    },
}

/// A file of the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileProfile {
    /// Name in ICAO 9303-10: `EF.DG13`.
    pub name: String,
    /// Where.
    pub location: FileLocation,
    /// File identifier.
    #[serde(with = "notation::hex_u16")]
    pub fid: u16,
    /// Short file identifier, if it has one.
    #[serde(default, with = "notation::hex_u8_option")]
    pub sfi: Option<u8>,
    /// Who may read it.
    pub access: FileAccess,
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileLocation {
    /// Master file.
    Mf,
    /// LDS1 application.
    Lds1,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileAccess {
    /// Anybody.
    Always,
    /// After BAC or PACE.
    AfterAccessControl,
    /// After Terminal Authentication with the right to DG3.
    Dg3Right,
    /// After Terminal Authentication with the right to DG4.
    Dg4Right,
}

/// The text of the QR code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QrProfile {
    /// Field names by position.
    pub fields: Vec<String>,
    /// Whether more fields may follow.
    pub more_fields: bool,
}

/// A hash algorithm by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum HashName {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl From<HashName> for HashAlgorithm {
    fn from(name: HashName) -> Self {
        match name {
            HashName::Sha1 => Self::Sha1,
            HashName::Sha224 => Self::Sha224,
            HashName::Sha256 => Self::Sha256,
            HashName::Sha384 => Self::Sha384,
            HashName::Sha512 => Self::Sha512,
        }
    }
}

/// An elliptic curve by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum CurveName {
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
    #[serde(rename = "P-521")]
    P521,
    #[serde(rename = "brainpoolP256r1")]
    BrainpoolP256r1,
    #[serde(rename = "brainpoolP384r1")]
    BrainpoolP384r1,
    #[serde(rename = "brainpoolP512r1")]
    BrainpoolP512r1,
}

impl From<CurveName> for Curve {
    fn from(name: CurveName) -> Self {
        match name {
            CurveName::P256 => Self::P256,
            CurveName::P384 => Self::P384,
            CurveName::P521 => Self::P521,
            CurveName::BrainpoolP256r1 => Self::BrainpoolP256r1,
            CurveName::BrainpoolP384r1 => Self::BrainpoolP384r1,
            CurveName::BrainpoolP512r1 => Self::BrainpoolP512r1,
        }
    }
}

impl CardProfile {
    /// The names of the built-in profiles.
    pub const NAMES: [&'static str; 2] = ["can-cuoc-2021", "can-cuoc-2024"];

    /// A built-in profile.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`].
    pub fn builtin(name: &str) -> Result<&'static Self, ProfileError> {
        static BUILT_IN: OnceLock<Vec<CardProfile>> = OnceLock::new();
        let profiles = BUILT_IN.get_or_init(|| {
            let sources = [
                include_str!("../../../profiles/can-cuoc-2021.toml"),
                include_str!("../../../profiles/can-cuoc-2024.toml"),
            ];
            // A built-in profile that does not parse is caught by a test below.
            sources.into_iter().filter_map(|source| Self::from_toml(source).ok()).collect()
        });
        let unknown = || ProfileError::Unknown { name: name.chars().take(40).collect() };
        profiles.iter().find(|profile| profile.name == name).ok_or_else(unknown)
    }

    /// The card of 2021.
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used)]
    pub fn can_cuoc_2021() -> &'static Self {
        Self::builtin("can-cuoc-2021").expect("the tests read the built-in profiles")
    }

    /// The card of 2024.
    #[must_use]
    #[allow(clippy::missing_panics_doc, clippy::expect_used)]
    pub fn can_cuoc_2024() -> &'static Self {
        Self::builtin("can-cuoc-2024").expect("the tests read the built-in profiles")
    }

    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn from_toml(source: &str) -> Result<Self, ProfileError> {
        if source.len() > MAX_LENGTH {
            let message = format!("larger than {MAX_LENGTH} bytes");
            return Err(ProfileError::Malformed { message });
        }
        let profile: Self = toml::from_str(source).map_err(|error| {
            // One line: the position is in the span, the message may be several.
            let message = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            ProfileError::Malformed { message }
        })?;
        profile.check()?;
        Ok(profile)
    }

    /// The file that holds a data group.
    #[must_use]
    pub fn data_group_file(&self, number: u8) -> Option<&FileProfile> {
        let fid = 0x0100 | u16::from(number);
        self.files.iter().find(|f| f.location == FileLocation::Lds1 && f.fid == fid)
    }

    /// The file with this name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&FileProfile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The CAN of a card with this number.
    ///
    /// # Errors
    /// [`AccessError`] cannot happen with a checked profile.
    pub fn can(&self, number: &PersonalNumber) -> Result<Can, AccessError> {
        number.can_of_length(self.passwords.can_digits)
    }

    /// The document number in MRZ and BAC of a card with this personal number.
    ///
    /// # Errors
    /// [`AccessError`] cannot happen with a checked profile.
    pub fn document_number(&self, number: &PersonalNumber) -> Result<DocumentNumber, AccessError> {
        number.document_number_of_length(self.passwords.document_number_digits)
    }
}

#[cfg(test)]
mod tests;
