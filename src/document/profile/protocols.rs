//! What a profile says of protocols and their keys.

use cancuoc_primitives::curve::Curve;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

use super::{HashName, notation};

/// Access protocols.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessProfile {
    /// Whether Basic Access Control opens the card.
    pub bac: bool,
    /// PACE configurations.
    #[serde(default)]
    pub pace: Vec<PaceProfile>,
    /// Domain parameters that the card gives by all their numbers, for `pace` to name.
    #[serde(default)]
    pub domain_parameters: Vec<DomainParameterProfile>,
    /// Version of Terminal Authentication announced; left out when there is none.
    pub terminal_authentication: Option<u8>,
    /// Certificates of country verifying CAs that the card trusts, in hexadecimal (`7F21…`), at
    /// most two, the newer last. A record may give others.
    #[serde(default, with = "notation::hex_list")]
    pub trust_points: Vec<Vec<u8>>,
}

/// One PACEInfo (ICAO 9303-11 §9.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaceProfile {
    /// Object identifier of the protocol: dotted, or `id-PACE-ECDH-GM-AES-CBC-CMAC-128`.
    #[serde(with = "notation::protocol")]
    pub protocol: ObjectIdentifier,
    /// Version, 2.
    #[serde(default = "notation::two")]
    pub version: u8,
    /// Standardised domain parameters, 0 to 2 and 8 to 18 (ICAO 9303-11 §9.5.1), or the identifier
    /// of one of the `domain_parameters`, 32 or more.
    pub parameter: u8,
}

/// One PACEDomainParameterInfo (ICAO 9303-11 §9.2.2): standardised parameters given explicitly
/// under an identifier of the card's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainParameterProfile {
    /// The identifier, 32 to 127.
    pub id: u8,
    /// Object identifier of the mapping: dotted, or `id-PACE-ECDH-GM`.
    #[serde(with = "notation::protocol")]
    pub protocol: ObjectIdentifier,
    /// The standardised parameters that they equal, 0 to 2 and 8 to 18.
    pub parameter: u8,
}

/// A key of Chip Authentication (ICAO 9303-11 §6.2) or of PACE-CAM (§4.4.3.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipAuthenticationProfile {
    /// Object identifier of the protocol with its cipher: dotted, or
    /// `id-CA-ECDH-AES-CBC-CMAC-128`. Of a key for PACE-CAM alone only the key agreement counts.
    #[serde(with = "notation::protocol")]
    pub protocol: ObjectIdentifier,
    /// Version, 1.
    #[serde(default = "notation::one")]
    pub version: u8,
    /// Curve of the key; or `parameter`.
    #[serde(default, with = "notation::curve_option")]
    pub curve: Option<Curve>,
    /// Standardised domain parameters of the key, 0 to 2 and 8 to 18; or `curve`.
    pub parameter: Option<u8>,
    /// Key identifier, 0 to 127, left out where there is one key only.
    pub key_id: Option<u8>,
    /// Whether a ChipAuthenticationInfo announces the protocol. Without one readers take 3DES
    /// (ICAO 9303-11 §9.2.5).
    #[serde(default = "notation::yes")]
    pub info: bool,
    /// What the key is for; both where nothing is said.
    #[serde(default = "KeyUse::both", rename = "use")]
    pub uses: Vec<KeyUse>,
}

/// What a static key of the chip is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUse {
    /// Chip Authentication; the key stands in DG14.
    ChipAuthentication,
    /// PACE with Chip Authentication Mapping; the key stands in EF.CardSecurity.
    PaceCam,
}

impl KeyUse {
    fn both() -> Vec<Self> {
        vec![Self::ChipAuthentication, Self::PaceCam]
    }
}

impl ChipAuthenticationProfile {
    /// Standardised domain parameters of the key, from either way to name them; `None` where
    /// neither or both are given, which a checked profile never has.
    #[must_use]
    pub fn domain_parameter_id(&self) -> Option<u8> {
        match (self.curve, self.parameter) {
            (Some(curve), None) => Some(curve.domain_parameter_id()),
            (None, parameter) => parameter,
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether the key is for that.
    #[must_use]
    pub fn is_for(&self, wanted: KeyUse) -> bool {
        self.uses.contains(&wanted)
    }
}

/// Active Authentication (ICAO 9303-11 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum ActiveAuthenticationProfile {
    /// ECDSA in plain format.
    Ecdsa {
        /// Curve of the key.
        #[serde(with = "notation::curve")]
        curve: Curve,
        /// Hash.
        hash: HashName,
    },
    /// RSA by ISO/IEC 9796-2.
    Rsa {
        /// Bits of the modulus, 1024 to 4096.
        bits: usize,
        /// Hash.
        hash: HashName,
    },
}
