//! Card profiles: what is special about a generation of cards, as data.
//!
//! Some are built in (`profiles/*.toml`); any may be replaced by a file, and a file may build on one
//! of them with `extends`. A profile is checked when it is read, so that a mistake in it shows
//! before a card is touched.

mod builtin;
mod check;
mod integrated_documents;
pub(crate) mod notation;
mod protocols;

use cancuoc_primitives::hash::HashAlgorithm;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::access::{AccessError, Can, DocumentNumber, PersonalNumber};
use super::dg13::Dg13Layout;
use crate::error::ErrorCode;

pub use integrated_documents::{DocumentKind, IntegratedDocumentsProfile};
pub use protocols::{
    AccessProfile, ActiveAuthenticationProfile, ChipAuthenticationProfile, DomainParameterProfile,
    KeyUse, PaceProfile,
};

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
    /// Keys of Chip Authentication and PACE-CAM: one table, or an array of them; left out when the
    /// card has none.
    #[serde(default, deserialize_with = "notation::one_or_many")]
    pub chip_authentication: Vec<ChipAuthenticationProfile>,
    /// Active Authentication; left out when the card has none.
    pub active_authentication: Option<ActiveAuthenticationProfile>,
    /// The application for integrated documents; left out when the card has none.
    pub integrated_documents: Option<IntegratedDocumentsProfile>,
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

/// The passwords of a card; CAN and document number come from the personal number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordProfile {
    /// The CAN is this many of its last digits.
    pub can_digits: usize,
    /// The document number is this many of its last digits.
    pub document_number_digits: usize,
    /// The PIN of PACE; left out when the card has none.
    pub pin: Option<SecretProfile>,
    /// The PUK, which unblocks the PIN; left out when the card has none.
    pub puk: Option<SecretProfile>,
}

/// A password that only the holder knows: the record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretProfile {
    /// Its digits: 4 to 12 of a PIN, 4 to 16 of a PUK.
    pub digits: usize,
    /// Wrong tries until it is blocked, 1 to 15.
    pub tries: u8,
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
    /// Whether the signature carries its time as a signed attribute.
    #[serde(default = "notation::yes")]
    pub signing_time: bool,
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

impl CardProfile {
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
        let profile = builtin::read(source)?;
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
