//! Which key and variant of Chip Authentication is run (ICAO 9303-11 §6.2.3, §9.2.5, §9.2.6).

use std::sync::Arc;

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::PublicElement;

use super::SELECTION;
use crate::lds::{
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, KeyAgreement, PublicKey, SecurityInfos,
};
use crate::terminal::public_key::group_element;
use crate::terminal::strength::{cipher_strength, group_strength};
use crate::terminal::{KeyFault, TerminalError};

/// Strength of the weaker part, of the group, of the cipher.
type Rank = (usize, usize, usize);

/// The key and variant of Chip Authentication to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipAuthenticationParameters {
    /// Cipher of the new session.
    pub cipher: BlockCipher,
    /// The card's static public key, from DG14.
    pub card_key: PublicElement,
    /// Which of the card's keys, where DG14 names it.
    pub key_id: Option<Vec<u8>>,
    /// DG14 has a key but no ChipAuthenticationInfo: 3DES is assumed, as the first passports with
    /// Chip Authentication have it.
    pub assumed: bool,
}

/// Says which variants of Chip Authentication go before all others: those that a policy accepts.
#[derive(Clone)]
pub struct ChipAuthenticationPreference(Arc<Judge>);

type Judge = dyn Fn(&ChipAuthenticationParameters) -> bool + Send + Sync;

impl ChipAuthenticationPreference {
    /// Makes a preference of a function.
    #[must_use]
    pub fn new(
        prefers: impl Fn(&ChipAuthenticationParameters) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(prefers))
    }

    /// Picks key and cipher, as [`ChipAuthenticationParameters::select`] does among those that are
    /// preferred; among the others where none is: judging what ran comes later.
    ///
    /// # Errors
    /// As [`ChipAuthenticationParameters::select`].
    pub fn select(
        &self,
        infos: &SecurityInfos,
    ) -> Result<Option<ChipAuthenticationParameters>, TerminalError> {
        ChipAuthenticationParameters::select_by(infos, |variant| (self.0)(variant))
    }
}

impl std::fmt::Debug for ChipAuthenticationPreference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChipAuthenticationPreference(..)")
    }
}

impl ChipAuthenticationParameters {
    /// Picks the strongest key and cipher from DG14: by the weaker of group and cipher, then by
    /// the group, then by the cipher, then in the order of the file. `None` where the card
    /// announces no key for Chip Authentication.
    ///
    /// # Errors
    /// [`TerminalError::Unsupported`] when no key can be decoded or has a variant announced for
    /// it; [`TerminalError::CardKey`] for a key that is the generator.
    pub fn select(infos: &SecurityInfos) -> Result<Option<Self>, TerminalError> {
        Self::select_by(infos, |_| true)
    }

    fn select_by(
        infos: &SecurityInfos,
        prefers: impl Fn(&Self) -> bool,
    ) -> Result<Option<Self>, TerminalError> {
        let mut best: Option<((bool, Rank), Self)> = None;
        let mut fault = None;
        for key in infos.chip_authentication_keys() {
            match Self::of_key(infos, key) {
                Ok(variants) => {
                    for found in variants {
                        let rank = (prefers(&found), found.rank());
                        if best.as_ref().is_none_or(|(best, _)| rank > *best) {
                            best = Some((rank, found));
                        }
                    }
                }
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        match (best, fault) {
            (None, Some(fault)) => Err(fault),
            (best, _) => Ok(best.map(|(_, best)| best)),
        }
    }

    /// The variants for a key of DG14, one at least.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn of_key(
        infos: &SecurityInfos,
        key: &ChipAuthenticationPublicKeyInfo,
    ) -> Result<Vec<Self>, TerminalError> {
        let unsupported = |what: &str| TerminalError::Unsupported { what: what.to_owned() };
        let card_key = PublicKey::from_spki_der(&key.spki).ok();
        let card_key = card_key
            .and_then(|(card_key, _)| group_element(&card_key))
            .filter(|card_key| agreement_of(card_key) == key.agreement)
            .ok_or_else(|| unsupported("this public key of Chip Authentication"))?;
        if card_key == card_key.domain_parameters().generator() {
            return Err(TerminalError::CardKey { step: SELECTION, fault: KeyFault::Generator });
        }
        let (ciphers, assumed) = ciphers_for(infos, key);
        if ciphers.is_empty() {
            return Err(unsupported("this variant of Chip Authentication"));
        }
        let variant = |cipher| {
            let (card_key, key_id) = (card_key.clone(), key.key_id.clone());
            Self { cipher, card_key, key_id, assumed }
        };
        Ok(ciphers.into_iter().map(variant).collect())
    }

    /// How the card's key agrees on a secret.
    #[must_use]
    pub const fn agreement(&self) -> KeyAgreement {
        agreement_of(&self.card_key)
    }

    fn rank(&self) -> Rank {
        let group = group_strength(&self.card_key.domain_parameters());
        let cipher = cipher_strength(self.cipher);
        (group.min(cipher), group, cipher)
    }
}

const fn agreement_of(key: &PublicElement) -> KeyAgreement {
    match key {
        PublicElement::Ec(_) => KeyAgreement::Ecdh,
        PublicElement::Dh(_) => KeyAgreement::Dh,
    }
}

/// The ciphers announced for the key, and whether one had to be assumed.
fn ciphers_for(
    infos: &SecurityInfos,
    key: &ChipAuthenticationPublicKeyInfo,
) -> (Vec<BlockCipher>, bool) {
    if infos.chip_authentication().next().is_none() {
        return (vec![BlockCipher::Tdes], true);
    }
    let fits = |info: &&ChipAuthenticationInfo| {
        info.agreement == key.agreement
            && info.version == 1
            // A key without identifier is the only one; an info may still leave it unnamed.
            && (info.key_id == key.key_id || info.key_id.is_none())
    };
    (infos.chip_authentication().filter(fits).map(|info| info.cipher).collect(), false)
}
