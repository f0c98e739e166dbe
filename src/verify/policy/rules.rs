//! Judging by a policy: each refusal has a reason code of its own.

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::DomainParameters;
use cancuoc_primitives::hash::HashAlgorithm;

use super::{ActiveAuthenticationAlgorithm, ChipProof, ExpiredDocument, Policy};
use crate::lds::{KeyAgreement, PaceProtocol, PublicKey};
use crate::verify::{Check, CheckId, Requirements};

/// Something that a policy does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable reason code.
    pub code: &'static str,
    /// What was found: `SHA-1`, `RSA-1024`.
    pub found: String,
}

type Judgement = Result<(), Refusal>;

fn accept(accepted: bool, code: &'static str, found: impl Into<String>) -> Judgement {
    if accepted { Ok(()) } else { Err(Refusal { code, found: found.into() }) }
}

const fn agreement(parameters: &DomainParameters) -> KeyAgreement {
    if parameters.is_ec() { KeyAgreement::Ecdh } else { KeyAgreement::Dh }
}

fn domain_parameters(
    parameters: &DomainParameters,
    curves: &[Curve],
    minimum_dh_bits: u16,
    code: &'static str,
) -> Judgement {
    match parameters {
        DomainParameters::Ec(curve) => accept(curves.contains(curve), code, curve.name()),
        DomainParameters::Dh(group) => {
            let found = format!("{} ({} bits)", group.name(), group.bits());
            accept(group.bits() >= usize::from(minimum_dh_bits), code, found)
        }
    }
}

fn signature_key(
    key: &PublicKey,
    curves: &[Curve],
    minimum_rsa_bits: u16,
    code: &'static str,
) -> Judgement {
    let accepted = match key {
        PublicKey::Ec(point) => curves.contains(&point.curve()),
        PublicKey::Rsa(key) => key.bits() >= usize::from(minimum_rsa_bits),
        // A key of key agreement signs nothing.
        PublicKey::Dh(_) => false,
    };
    accept(accepted, code, key.description())
}

impl Policy {
    /// A variant of PACE with its domain parameters.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn pace(&self, protocol: PaceProtocol, parameters: &DomainParameters) -> Judgement {
        let rules = &self.access;
        let PaceProtocol { agreement, mapping, cipher } = protocol;
        accept(rules.pace_mappings.contains(&mapping), "policy_pace_mapping", mapping.name())?;
        let agreed = rules.pace_key_agreements.contains(&agreement);
        accept(agreed, "policy_pace_key_agreement", agreement.name())?;
        accept(rules.pace_ciphers.contains(&cipher), "policy_pace_cipher", cipher.name())?;
        let code = "policy_pace_domain_parameters";
        domain_parameters(parameters, &rules.curves, rules.minimum_dh_bits, code)
    }

    /// BAC.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn bac(&self) -> Judgement {
        accept(self.access.bac, "policy_bac", "BAC")
    }

    /// The hash in the signature of EF.SOD or EF.CardSecurity.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn signature_hash(&self, hash: HashAlgorithm) -> Judgement {
        let hashes = &self.passive_authentication.signature_hashes;
        accept(hashes.contains(&hash), "policy_signature_hash", hash.name())
    }

    /// The hash in the signature of a document signer's certificate.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn certificate_hash(&self, hash: HashAlgorithm) -> Judgement {
        let hashes = &self.passive_authentication.certificate_hashes;
        accept(hashes.contains(&hash), "policy_certificate_hash", hash.name())
    }

    /// The hash of the data groups.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn data_group_hash(&self, hash: HashAlgorithm) -> Judgement {
        let hashes = &self.passive_authentication.data_group_hashes;
        accept(hashes.contains(&hash), "policy_data_group_hash", hash.name())
    }

    /// The key of a document signer.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn document_signer_key(&self, key: &PublicKey) -> Judgement {
        let rules = &self.passive_authentication;
        signature_key(key, &rules.curves, rules.minimum_rsa_bits, "policy_ds_key")
    }

    /// The key of a country signing CA.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn country_signing_key(&self, key: &PublicKey) -> Judgement {
        let rules = &self.passive_authentication;
        signature_key(key, &rules.curves, rules.minimum_rsa_bits, "policy_csca_key")
    }

    /// A variant of Chip Authentication with the domain parameters of the key.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn chip_authentication(
        &self,
        cipher: BlockCipher,
        parameters: &DomainParameters,
    ) -> Judgement {
        let rules = &self.chip_authentication;
        let agreement = agreement(parameters);
        let agreed = rules.key_agreements.contains(&agreement);
        accept(agreed, "policy_ca_key_agreement", agreement.name())?;
        accept(rules.ciphers.contains(&cipher), "policy_ca_cipher", cipher.name())?;
        self.static_key(parameters)
    }

    /// The domain parameters of a static key of the chip.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn static_key(&self, parameters: &DomainParameters) -> Judgement {
        let rules = &self.chip_authentication;
        let code = "policy_ca_domain_parameters";
        domain_parameters(parameters, &rules.curves, rules.minimum_dh_bits, code)
    }

    /// A signature of Active Authentication.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn active_authentication(&self, key: &PublicKey, hash: HashAlgorithm) -> Judgement {
        let rules = &self.active_authentication;
        let algorithm = match key {
            PublicKey::Ec(_) => Some(ActiveAuthenticationAlgorithm::Ecdsa),
            PublicKey::Rsa(_) => Some(ActiveAuthenticationAlgorithm::Rsa),
            PublicKey::Dh(_) => None,
        };
        let known = algorithm.is_some_and(|algorithm| rules.algorithms.contains(&algorithm));
        accept(known, "policy_aa_algorithm", key.description())?;
        accept(rules.hashes.contains(&hash), "policy_aa_hash", hash.name())?;
        signature_key(key, &rules.curves, rules.minimum_rsa_bits, "policy_aa_key")
    }

    /// Whether an expired document is only warned of.
    #[must_use]
    pub fn tolerates_expiry(&self) -> bool {
        self.verdict.expired_document == ExpiredDocument::Warning
    }

    /// What "genuine" takes.
    #[must_use]
    pub fn requirements(&self) -> Requirements {
        let ids = |proofs: &[ChipProof]| proofs.iter().map(|p| p.check()).collect::<Vec<_>>();
        let mut all = ids(&self.verdict.required_chip_proofs);
        if self.passive_authentication.revocation_list_required {
            all.push(CheckId::PaRevocation);
        }
        if self.terminal_authentication.required {
            all.push(CheckId::TerminalTa);
        }
        Requirements { one_of: ids(&self.verdict.chip_proofs), all }
    }
}

impl ChipProof {
    /// The check that it is.
    #[must_use]
    pub const fn check(self) -> CheckId {
        match self {
            Self::ChipAuthentication => CheckId::ChipCa,
            Self::PaceCam => CheckId::ChipPaceCam,
            Self::ActiveAuthentication => CheckId::ChipAa,
        }
    }
}

impl Check {
    /// The check, failed by the first refusal if it had passed: what is broken anyway keeps its
    /// own reason.
    #[must_use]
    pub(in crate::verify) fn under(self, judgement: Judgement) -> Self {
        match (judgement, self.has_passed()) {
            (Err(Refusal { code, found }), true) => {
                let mut detail = self.detail().clone();
                detail.insert("refused".to_owned(), found.into());
                Self::failed_with(self.id, code, detail)
            }
            _ => self,
        }
    }
}
