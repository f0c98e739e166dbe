//! Mapping of the card's nonce to a generator (ICAO 9303-11 §4.4.3.3).

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use cancuoc_primitives::modular::Modulus;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::parameters::PaceParameters;
use super::{AGREEMENT, MAPPING, NONCE, integrated_mapping, key_fault, violation};
use crate::lds::Mapping;
use crate::terminal::public_key::{decode_card_key, encode_public_key};
use crate::terminal::{FreshnessRegister, KeyFault, TerminalError};

/// What the terminal draws for the mapping.
pub(super) enum MappingSecret {
    /// An ephemeral key pair, for the Generic and the Chip Authentication Mapping.
    Key { secret: GroupSecret, public: PublicElement },
    /// The additional nonce of the Integrated Mapping, sent in clear.
    Nonce(Vec<u8>),
}

/// The generator that the nonce maps to.
pub(super) struct Mapped {
    pub(super) generator: PublicElement,
    /// The card's ephemeral key of the mapping, where it has one.
    pub(super) card_key: Option<PublicElement>,
}

impl MappingSecret {
    pub(super) fn random(parameters: &PaceParameters, random: &mut dyn CryptoRng) -> Self {
        if parameters.protocol.mapping != Mapping::Integrated {
            return Self::key(GroupSecret::random(&parameters.domain, random));
        }
        let length = integrated_mapping::additional_nonce_len(parameters.protocol.cipher);
        let mut nonce = vec![0; length];
        random.fill_bytes(&mut nonce);
        Self::Nonce(nonce)
    }

    /// A key pair; its public key is computed here and no more.
    pub(super) fn key(secret: GroupSecret) -> Self {
        let public = secret.public_element();
        Self::Key { secret, public }
    }

    /// The mapping data, DO'81'.
    pub(super) fn data(&self) -> Vec<u8> {
        match self {
            Self::Key { public, .. } => encode_public_key(public),
            Self::Nonce(nonce) => nonce.clone(),
        }
    }

    /// Maps the card's nonce with the card's mapping data, DO'82'.
    pub(super) fn map(
        &self,
        parameters: &PaceParameters,
        nonce: &[u8],
        card: &[u8],
        register: &FreshnessRegister,
    ) -> Result<Mapped, TerminalError> {
        match self {
            Self::Key { secret, public } => {
                let key = card_key(&parameters.domain, card, MAPPING, public, register)?;
                generic(&parameters.domain, secret, nonce, key)
            }
            Self::Nonce(additional) => {
                if !card.is_empty() {
                    return Err(violation(MAPPING, "the answer carries data where it must not"));
                }
                let cipher = parameters.protocol.cipher;
                integrated_mapping::map(cipher, &parameters.domain, nonce, additional)
                    .map(|generator| Mapped { generator, card_key: None })
                    .ok_or(violation(MAPPING, "the nonces map to no generator"))
            }
        }
    }
}

/// `s·G + H`, where H is what both ephemeral keys agree on (ICAO 9303-11 §4.4.3.3.1).
fn generic(
    domain: &DomainParameters,
    secret: &GroupSecret,
    nonce: &[u8],
    card_key: PublicElement,
) -> Result<Mapped, TerminalError> {
    if card_key == domain.generator() {
        return Err(key_fault(MAPPING, KeyFault::Generator));
    }
    let scalar = nonce_scalar(domain, nonce)?;
    let generator = card_key
        .raise(secret)
        .and_then(|shared| scalar.public_element().combine(&shared))
        .map_err(|_| key_fault(MAPPING, KeyFault::Identity))?;
    Ok(Mapped { generator, card_key: Some(card_key) })
}

/// A public key of the card that is in the group, not the terminal's own, and new.
fn card_key(
    domain: &DomainParameters,
    bytes: &[u8],
    step: &'static str,
    own: &PublicElement,
    register: &FreshnessRegister,
) -> Result<PublicElement, TerminalError> {
    let key = decode_card_key(domain, bytes).map_err(|fault| key_fault(step, fault))?;
    if key == *own {
        return Err(key_fault(step, KeyFault::Reflected));
    }
    if !register.is_fresh(&encode_public_key(&key)) {
        return Err(key_fault(step, KeyFault::Repeated));
    }
    Ok(key)
}

/// The card's ephemeral key over the mapped generator.
pub(super) fn card_agreement_key(
    generator: &PublicElement,
    bytes: &[u8],
    own: &PublicElement,
    register: &FreshnessRegister,
) -> Result<PublicElement, TerminalError> {
    let key = card_key(&generator.domain_parameters(), bytes, AGREEMENT, own, register)?;
    if key == *generator {
        return Err(key_fault(AGREEMENT, KeyFault::Generator));
    }
    Ok(key)
}

/// The nonce as a scalar; one that is longer than the group's order is taken modulo it.
fn nonce_scalar(domain: &DomainParameters, nonce: &[u8]) -> Result<GroupSecret, TerminalError> {
    let zero = |_| violation(NONCE, "the nonce is zero");
    let order = match domain {
        DomainParameters::Ec(curve) => Some(curve.parameters().n),
        DomainParameters::Dh(group) => group.q(),
    };
    match order.and_then(|order| Modulus::new(order).ok()) {
        Some(order) => {
            let reduced = order.reduce(nonce).map_err(|_| violation(NONCE, "the nonce is long"))?;
            GroupSecret::from_bytes(domain, &reduced.to_bytes()).map_err(zero)
        }
        None => GroupSecret::from_bytes(domain, nonce).map_err(zero),
    }
}

/// Whether the nonce is as long as the mapping asks for (ICAO 9303-11 §4.4.3.3).
///
/// For the Integrated Mapping there is one length. For the others the standard lets the card
/// choose any number of blocks: one block of 3DES is what OpenPACE takes, published profiles and
/// cards take 16 bytes, or as many as the key of a longer cipher has. More makes nothing safer.
pub(super) fn check_nonce_length(
    mapping: Mapping,
    cipher: BlockCipher,
    length: usize,
) -> Result<(), TerminalError> {
    let longest = integrated_mapping::nonce_len(cipher);
    let blocks = length > 0 && length.is_multiple_of(cipher.block_len());
    let fits = match mapping {
        Mapping::Integrated => length == longest,
        Mapping::Generic | Mapping::ChipAuthentication => blocks && length <= longest,
    };
    if fits { Ok(()) } else { Err(violation(NONCE, "the nonce has a wrong length")) }
}

/// A decrypted nonce, wiped when dropped.
pub(super) type Nonce = Zeroizing<Vec<u8>>;
