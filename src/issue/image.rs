//! The image of a card: everything that personalisation writes.

use cancuoc_primitives::curve::SecretScalar;
use cancuoc_primitives::group::GroupSecret;
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;
use const_oid::ObjectIdentifier;
use zeroize::Zeroizing;

use crate::cvc::CvDate;
use crate::document::{Can, Pin, Puk};

/// What goes onto one card. Holds the card's private keys.
#[derive(Clone, Default)]
pub struct CardImage {
    /// The files, in the order in which they are written.
    pub files: Vec<ImageFile>,
    /// SHA-1 of the MRZ information: the key of BAC and of PACE with the MRZ.
    pub mrz_key: Option<Zeroizing<[u8; 20]>>,
    /// The card access number: the password of PACE.
    pub can: Option<Can>,
    /// The PIN of PACE and the wrong tries that block it, 1 to 15.
    pub pin: Option<(Pin, u8)>,
    /// The PUK and the wrong tries that block it, 1 to 15.
    pub puk: Option<(Puk, u8)>,
    /// Whether BAC opens the card.
    pub bac: bool,
    /// The configurations of PACE.
    pub pace: Vec<PaceConfiguration>,
    /// Identifiers of the card's own for domain parameters: what PACEDomainParameterInfos say.
    pub domain_parameters: Vec<ExplicitDomainParameters>,
    /// The keys of Chip Authentication and PACE-CAM.
    pub chip_authentication: Vec<ChipAuthenticationKey>,
    /// The key of Active Authentication.
    pub active_authentication: Option<ActiveAuthenticationKey>,
    /// What Terminal Authentication starts from; `None` where the card has none.
    pub terminal_authentication: Option<TerminalAuthentication>,
}

/// A file and its content.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it stands.
    pub location: Location,
    /// File identifier.
    pub fid: u16,
    /// Short file identifier, 1 to 30.
    pub sfi: Option<u8>,
    /// Who may read it.
    pub access: AccessRule,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// Master file.
    MasterFile,
    /// LDS1 application.
    Lds1,
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessRule {
    /// Anybody.
    Always,
    /// After BAC or PACE.
    AfterAccessControl,
    /// After Terminal Authentication with the right to DG3.
    Dg3Right,
    /// After Terminal Authentication with the right to DG4.
    Dg4Right,
}

/// One PACEInfo (ICAO 9303-11 §9.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceConfiguration {
    /// The protocol.
    pub protocol: ObjectIdentifier,
    /// Standardised domain parameters (ICAO 9303-11 §9.5.1), or the identifier, 20h or more, of one
    /// of the image's own.
    pub domain_parameter_id: u8,
}

/// Domain parameters under an identifier of the card's own (ICAO 9303-11 §9.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplicitDomainParameters {
    /// The identifier, 20h or more.
    pub id: u8,
    /// The standardised domain parameters that they equal.
    pub domain_parameter_id: u8,
}

/// What Terminal Authentication starts from (BSI TR-03110-1 §3.5, ICAO 9303-11 §7.1).
#[derive(Clone, PartialEq, Eq)]
pub struct TerminalAuthentication {
    /// Certificates of country verifying CAs, `7F21…`, one or two, the newer last.
    pub trust_points: Vec<Vec<u8>>,
    /// The date that the card takes for today at first.
    pub date: CvDate,
    /// Document number and its check digit: names the chip after BAC.
    pub chip_identifier: Zeroizing<String>,
}

/// What a static key of the chip is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChipKeyUse {
    /// Chip Authentication.
    pub chip_authentication: bool,
    /// PACE with Chip Authentication Mapping.
    pub pace_cam: bool,
}

impl ChipKeyUse {
    /// Both.
    pub const ANY: Self = Self { chip_authentication: true, pace_cam: true };
}

/// A key of Chip Authentication or PACE-CAM.
#[derive(Clone)]
pub struct ChipAuthenticationKey {
    /// The protocol with its cipher; of a key for PACE-CAM alone only the key agreement counts.
    pub protocol: ObjectIdentifier,
    /// Key identifier, one to eight bytes.
    pub key_id: Option<Vec<u8>>,
    /// What the key is for.
    pub uses: ChipKeyUse,
    /// The private key, over standardised domain parameters.
    pub key: GroupSecret,
}

/// The key of Active Authentication.
// One per card: boxing the larger variant would save nothing.
#[derive(Clone)]
#[allow(clippy::large_enum_variant)]
pub enum ActiveAuthenticationKey {
    /// ECDSA, plain format.
    Ecdsa {
        /// The private key.
        key: SecretScalar,
        /// Hash over the challenge.
        hash: HashAlgorithm,
    },
    /// RSA by ISO/IEC 9796-2.
    Rsa {
        /// The private key.
        key: RsaPrivateKey,
        /// Hash in the signature.
        hash: HashAlgorithm,
    },
}

impl CardImage {
    /// The file with this identifier.
    #[must_use]
    pub fn file(&self, location: Location, fid: u16) -> Option<&ImageFile> {
        self.files.iter().find(|file| file.location == location && file.fid == fid)
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn total_bytes(&self) -> usize {
        self.files.iter().map(|file| file.content.len()).sum()
    }
}

/// Holds private keys and personal data: only the shape is shown.
impl core::fmt::Debug for CardImage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CardImage({} files, {} bytes, ***)", self.files.len(), self.total_bytes())
    }
}

impl core::fmt::Debug for ImageFile {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ImageFile({:04X}, {} bytes)", self.fid, self.content.len())
    }
}

/// The document number is personal: not shown.
impl core::fmt::Debug for TerminalAuthentication {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let count = self.trust_points.len();
        write!(f, "TerminalAuthentication({count} trust points, {}, ***)", self.date)
    }
}

/// Holds a private key: not shown.
impl core::fmt::Debug for ChipAuthenticationKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ChipAuthenticationKey({}, ***)", self.protocol)
    }
}

/// Holds a private key: not shown.
impl core::fmt::Debug for ActiveAuthenticationKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Ecdsa { .. } => "ActiveAuthenticationKey::Ecdsa(***)",
            Self::Rsa { .. } => "ActiveAuthenticationKey::Rsa(***)",
        })
    }
}
