//! What a verifier accepts: protocols, curves, key sizes and hashes, as data.
//!
//! Some policies are built in (`profiles/policies/*.toml`); any may be replaced by a file. A key that a
//! file leaves out has its value from `strict`, so that leaving out never weakens anything.

mod builtin;
mod notation;
mod rules;
#[cfg(test)]
mod tests;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use serde::Deserialize;
use thiserror::Error;

use crate::error::ErrorCode;
use crate::lds::{KeyAgreement, Mapping};

pub use rules::Refusal;

/// The schema a policy names.
pub const SCHEMA: &str = "cancuoc.policy/1";
/// The largest policy read, in bytes.
const MAX_LENGTH: usize = 64 * 1024;
/// The range in which a smallest key may be, in bits.
const KEY_BITS: core::ops::RangeInclusive<u16> = 1024..=16_384;

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// No built-in policy has this name.
    #[error("no built-in policy is called {name:?} (there are: {})", Policy::NAMES.join(", "))]
    Unknown {
        /// The name asked for, cut short.
        name: String,
    },
    /// Not TOML, or not the keys of a policy.
    #[error("policy: {message}")]
    Malformed {
        /// What and where, from the TOML reader.
        message: String,
    },
    /// A value that contradicts another or that cannot be.
    #[error("policy, {field}: {reason}")]
    Invalid {
        /// The key, as a TOML path.
        field: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl ErrorCode for PolicyError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "policy_unknown",
            Self::Malformed { .. } => "policy_malformed",
            Self::Invalid { .. } => "policy_invalid",
        }
    }
}

/// What a verifier accepts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name: letters, digits and hyphens.
    pub name: String,
    /// What people call it, in English.
    pub title_en: String,
    /// The same in Vietnamese.
    pub title_vi: String,
    /// How the card may be opened.
    pub access: AccessRules,
    /// What the issuer signed.
    pub passive_authentication: PassiveAuthenticationRules,
    /// Chip Authentication, and the static key of PACE-CAM.
    pub chip_authentication: ChipAuthenticationRules,
    /// Active Authentication.
    pub active_authentication: ActiveAuthenticationRules,
    /// Terminal Authentication.
    pub terminal_authentication: TerminalAuthenticationRules,
    /// Evidence files.
    pub evidence: EvidenceRules,
    /// What "genuine" takes.
    pub verdict: VerdictRules,
    /// All its keys as TOML, those too that came from `strict`.
    #[serde(skip)]
    text: String,
}

/// How the card may be opened (ICAO 9303-11 §4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRules {
    /// BAC, where it is asked for and the card offers no PACE.
    pub bac: bool,
    /// Mappings of PACE.
    #[serde(deserialize_with = "notation::list")]
    pub pace_mappings: Vec<Mapping>,
    /// Key agreements of PACE.
    #[serde(deserialize_with = "notation::list")]
    pub pace_key_agreements: Vec<KeyAgreement>,
    /// Ciphers of PACE.
    #[serde(deserialize_with = "notation::list")]
    pub pace_ciphers: Vec<BlockCipher>,
    /// Curves of PACE over ECDH.
    #[serde(deserialize_with = "notation::list")]
    pub curves: Vec<Curve>,
    /// Bits of the smallest prime of PACE over DH.
    pub minimum_dh_bits: u16,
}

/// Signatures and hashes of what the issuer signed (ICAO 9303-12 §4.4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassiveAuthenticationRules {
    /// Hashes in signatures of EF.SOD and EF.CardSecurity.
    #[serde(deserialize_with = "notation::list")]
    pub signature_hashes: Vec<HashAlgorithm>,
    /// Hashes in signatures of document signer certificates.
    #[serde(deserialize_with = "notation::list")]
    pub certificate_hashes: Vec<HashAlgorithm>,
    /// Hashes of data groups.
    #[serde(deserialize_with = "notation::list")]
    pub data_group_hashes: Vec<HashAlgorithm>,
    /// Curves of the keys of document signers and country signing CAs.
    #[serde(deserialize_with = "notation::list")]
    pub curves: Vec<Curve>,
    /// Bits of their smallest RSA key.
    pub minimum_rsa_bits: u16,
    /// Whether a card is inconclusive without a current revocation list.
    pub revocation_list_required: bool,
}

/// Chip Authentication (ICAO 9303-11 §6.2) and the static key of PACE-CAM.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChipAuthenticationRules {
    /// Key agreements.
    #[serde(deserialize_with = "notation::list")]
    pub key_agreements: Vec<KeyAgreement>,
    /// Ciphers.
    #[serde(deserialize_with = "notation::list")]
    pub ciphers: Vec<BlockCipher>,
    /// Curves.
    #[serde(deserialize_with = "notation::list")]
    pub curves: Vec<Curve>,
    /// Bits of the smallest prime.
    pub minimum_dh_bits: u16,
}

/// Active Authentication (ICAO 9303-11 §6.1).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveAuthenticationRules {
    /// Signature algorithms.
    #[serde(deserialize_with = "notation::list")]
    pub algorithms: Vec<ActiveAuthenticationAlgorithm>,
    /// Hashes in the signature.
    #[serde(deserialize_with = "notation::list")]
    pub hashes: Vec<HashAlgorithm>,
    /// Curves of ECDSA.
    #[serde(deserialize_with = "notation::list")]
    pub curves: Vec<Curve>,
    /// Bits of the smallest RSA key.
    pub minimum_rsa_bits: u16,
}

/// Terminal Authentication (ICAO 9303-11 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalAuthenticationRules {
    /// Whether a card is inconclusive that has not accepted the terminal's certificates.
    pub required: bool,
}

/// Evidence files that are verified again by a policy that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRules {
    /// Whether a file that no known checkpoint signed proves neither Chip Authentication nor
    /// PACE-CAM, which whoever has it could have made up.
    pub signature_required: bool,
}

/// What "genuine" takes besides Passive Authentication up to an anchor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRules {
    /// Proofs that the chip is no copy, one of which is needed. With none the policy looks at
    /// integrity alone, and no card is genuine by it.
    #[serde(deserialize_with = "notation::list_or_none")]
    pub chip_proofs: Vec<ChipProof>,
    /// Proofs that are needed each.
    #[serde(deserialize_with = "notation::list_or_none")]
    pub required_chip_proofs: Vec<ChipProof>,
    /// What an expired document is.
    pub expired_document: ExpiredDocument,
}

/// Signature algorithm of Active Authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveAuthenticationAlgorithm {
    /// ECDSA in plain format.
    Ecdsa,
    /// RSA with message recovery, ISO/IEC 9796-2 scheme 1.
    Rsa,
}

/// A proof that the chip is no copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChipProof {
    /// Chip Authentication.
    ChipAuthentication,
    /// PACE with Chip Authentication Mapping.
    PaceCam,
    /// Active Authentication.
    ActiveAuthentication,
}

/// What an expired document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredDocument {
    /// A failed check.
    Failed,
    /// A check that passes and says it.
    Warning,
}

impl Policy {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn from_toml(source: &str) -> Result<Self, PolicyError> {
        if source.len() > MAX_LENGTH {
            let message = format!("larger than {MAX_LENGTH} bytes");
            return Err(PolicyError::Malformed { message });
        }
        let policy = builtin::read(source)?;
        policy.check()?;
        Ok(policy)
    }

    /// The whole policy as TOML: whoever reads it later gets the same, whatever `strict` is then.
    #[must_use]
    pub fn to_toml(&self) -> &str {
        &self.text
    }

    fn check(&self) -> Result<(), PolicyError> {
        let invalid = |field, reason| Err(PolicyError::Invalid { field, reason });
        if self.schema != SCHEMA {
            return invalid("schema", "is not cancuoc.policy/1");
        }
        let sign = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if self.name.is_empty() || self.name.len() > 40 || !self.name.bytes().all(sign) {
            return invalid("name", "must be 1 to 40 letters, digits and hyphens");
        }
        let sizes = [
            ("access.minimum_dh_bits", self.access.minimum_dh_bits),
            ("chip_authentication.minimum_dh_bits", self.chip_authentication.minimum_dh_bits),
            ("active_authentication.minimum_rsa_bits", self.active_authentication.minimum_rsa_bits),
            (
                "passive_authentication.minimum_rsa_bits",
                self.passive_authentication.minimum_rsa_bits,
            ),
        ];
        for (field, bits) in sizes {
            if !KEY_BITS.contains(&bits) {
                return invalid(field, "must be from 1024 to 16384");
            }
        }
        let VerdictRules { chip_proofs, required_chip_proofs, .. } = &self.verdict;
        if required_chip_proofs.iter().any(|proof| !chip_proofs.contains(proof)) {
            let reason = "names a proof that verdict.chip_proofs does not accept";
            return invalid("verdict.required_chip_proofs", reason);
        }
        Ok(())
    }
}
