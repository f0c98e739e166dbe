//! The key pairs of a card: made for it alone, and tried before they are used.
//!
//! Cards were issued elsewhere with keys that did not fit, or with the same key twice; a pair that
//! fails its trial never reaches a data group.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::SecretScalar;
use cancuoc_primitives::ecdsa::{sign_prehashed, verify_prehashed};
use cancuoc_primitives::group::{DomainParameters, GroupSecret};
use cancuoc_primitives::hash::HashAlgorithm;
use cancuoc_primitives::rsa::RsaPrivateKey;

use super::PrepareError;
use crate::document::profile::{ActiveAuthenticationProfile, ChipAuthenticationProfile, KeyUse};
use crate::issue::image::{ActiveAuthenticationKey, ChipAuthenticationKey, ChipKeyUse};

/// Makes the key of Chip Authentication and agrees on a secret with it, from both sides.
pub(super) fn chip_authentication(
    profile: &ChipAuthenticationProfile,
    random: &mut dyn CryptoRng,
) -> Result<ChipAuthenticationKey, PrepareError> {
    let parameters = profile.domain_parameter_id().and_then(DomainParameters::standardised);
    let parameters = parameters
        .ok_or(PrepareError::Profile { what: "chip_authentication has no group for its key" })?;
    let key = GroupSecret::random(&parameters, random);
    let ephemeral = GroupSecret::random(&parameters, random);
    let terminal = key.public_element().shared_secret(&ephemeral);
    let chip = ephemeral.public_element().shared_secret(&key);
    match (terminal, chip) {
        (Ok(terminal), Ok(chip)) if terminal == chip => Ok(ChipAuthenticationKey {
            protocol: profile.protocol,
            key_id: profile.key_id.map(|id| vec![id]),
            uses: ChipKeyUse {
                chip_authentication: profile.is_for(KeyUse::ChipAuthentication),
                pace_cam: profile.is_for(KeyUse::PaceCam),
            },
            key,
        }),
        _ => Err(PrepareError::KeyTrial { key: "Chip Authentication" }),
    }
}

/// Makes the key of Active Authentication and verifies a signature of it.
pub(super) fn active_authentication(
    profile: ActiveAuthenticationProfile,
    random: &mut dyn CryptoRng,
) -> Result<ActiveAuthenticationKey, PrepareError> {
    let failed = || PrepareError::KeyTrial { key: "Active Authentication" };
    match profile {
        ActiveAuthenticationProfile::Ecdsa { curve, hash } => {
            let key = SecretScalar::random(curve, random);
            let hash = HashAlgorithm::from(hash);
            let digest = hash.digest(b"trial");
            let signature = sign_prehashed(&key, &digest, random).map_err(|_| failed())?;
            verify_prehashed(&key.public_point(), &digest, &signature).map_err(|_| failed())?;
            Ok(ActiveAuthenticationKey::Ecdsa { key, hash })
        }
        ActiveAuthenticationProfile::Rsa { bits, hash } => {
            let key = RsaPrivateKey::generate(bits, random).map_err(|_| failed())?;
            // Any number below the modulus: 6A first, as ISO/IEC 9796-2 has it.
            let mut message = vec![0x55; bits.div_ceil(8)];
            if let Some(first) = message.first_mut() {
                *first = 0x6A;
            }
            let signature = key.raw(&message, random).map_err(|_| failed())?;
            let recovered = key.public_key().raw(&signature).map_err(|_| failed())?;
            if recovered != message || key.public_key().weakness().is_some() {
                return Err(failed());
            }
            Ok(ActiveAuthenticationKey::Rsa { key, hash: hash.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::system_random;
    use super::*;
    use crate::document::CardProfile;
    use crate::document::profile::HashName;

    #[test]
    fn makes_another_chip_authentication_key_each_time() {
        let profile = CardProfile::can_cuoc_2021().chip_authentication[0].clone();
        let mut random = system_random();
        let keys = [(); 2].map(|()| chip_authentication(&profile, &mut random).unwrap());
        assert_eq!(keys[0].key.domain_parameters().id(), Some(13));
        assert_ne!(*keys[0].key.to_bytes(), *keys[1].key.to_bytes());
    }

    #[test]
    fn makes_active_authentication_keys_of_both_kinds() {
        let mut random = system_random();
        let ecdsa = CardProfile::can_cuoc_2021().active_authentication.unwrap();
        let key = active_authentication(ecdsa, &mut random).unwrap();
        assert!(matches!(key, ActiveAuthenticationKey::Ecdsa { hash: HashAlgorithm::Sha256, .. }));
        let rsa = ActiveAuthenticationProfile::Rsa { bits: 1024, hash: HashName::Sha1 };
        let key = active_authentication(rsa, &mut random).unwrap();
        assert!(
            matches!(key, ActiveAuthenticationKey::Rsa { key, .. } if key.public_key().bits() == 1024)
        );
    }

    #[test]
    fn refuses_an_rsa_key_of_a_size_that_no_card_has() {
        let rsa = ActiveAuthenticationProfile::Rsa { bits: 512, hash: HashName::Sha1 };
        let error = active_authentication(rsa, &mut system_random()).unwrap_err();
        assert!(matches!(error, PrepareError::KeyTrial { .. }));
    }
}
