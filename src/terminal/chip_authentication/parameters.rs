//! Which key and variant of Chip Authentication is run (ICAO 9303-11 §6.2.3, §9.2.5, §9.2.6).

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::PublicElement;

use super::SELECTION;
use crate::lds::{
    ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo, KeyAgreement, PublicKey, SecurityInfos,
};
use crate::terminal::public_key::group_element;
use crate::terminal::strength::{cipher_strength, group_strength};
use crate::terminal::{KeyFault, TerminalError};

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

impl ChipAuthenticationParameters {
    /// Picks the strongest key and cipher from DG14: by the weaker of group and cipher, then by
    /// the group, then by the cipher, then in the order of the file. `None` where the card
    /// announces no key for Chip Authentication.
    ///
    /// # Errors
    /// [`TerminalError::Unsupported`] when no key can be decoded or has a variant announced for
    /// it; [`TerminalError::CardKey`] for a key that is the generator.
    pub fn select(infos: &SecurityInfos) -> Result<Option<Self>, TerminalError> {
        let mut best: Option<Self> = None;
        let mut fault = None;
        for key in infos.chip_authentication_keys() {
            match Self::for_key(infos, key) {
                Ok(found) if best.as_ref().is_none_or(|best| found.rank() > best.rank()) => {
                    best = Some(found);
                }
                Ok(_) => {}
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        match (best, fault) {
            (None, Some(fault)) => Err(fault),
            (best, _) => Ok(best),
        }
    }

    /// The strongest variant for a key of DG14.
    ///
    /// # Errors
    /// As [`Self::select`].
    pub fn for_key(
        infos: &SecurityInfos,
        key: &ChipAuthenticationPublicKeyInfo,
    ) -> Result<Self, TerminalError> {
        let unsupported = |what: &str| TerminalError::Unsupported { what: what.to_owned() };
        let card_key = PublicKey::from_spki_der(&key.spki).ok();
        let card_key = card_key
            .and_then(|(card_key, _)| group_element(&card_key))
            .filter(|card_key| agreement_of(card_key) == key.agreement)
            .ok_or_else(|| unsupported("this public key of Chip Authentication"))?;
        if card_key == card_key.domain_parameters().generator() {
            return Err(TerminalError::CardKey { step: SELECTION, fault: KeyFault::Generator });
        }
        let (cipher, assumed) = cipher_for(infos, key)
            .ok_or_else(|| unsupported("this variant of Chip Authentication"))?;
        Ok(Self { cipher, card_key, key_id: key.key_id.clone(), assumed })
    }

    /// How the card's key agrees on a secret.
    #[must_use]
    pub const fn agreement(&self) -> KeyAgreement {
        agreement_of(&self.card_key)
    }

    fn rank(&self) -> (usize, usize, usize) {
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

/// The strongest cipher announced for the key, and whether it had to be assumed.
fn cipher_for(
    infos: &SecurityInfos,
    key: &ChipAuthenticationPublicKeyInfo,
) -> Option<(BlockCipher, bool)> {
    if infos.chip_authentication().next().is_none() {
        return Some((BlockCipher::Tdes, true));
    }
    let fits = |info: &&ChipAuthenticationInfo| {
        info.agreement == key.agreement
            && info.version == 1
            // A key without identifier is the only one; an info may still leave it unnamed.
            && (info.key_id == key.key_id || info.key_id.is_none())
    };
    let ciphers = infos.chip_authentication().filter(fits).map(|info| info.cipher);
    ciphers.max_by_key(|cipher| cipher_strength(*cipher)).map(|cipher| (cipher, false))
}
