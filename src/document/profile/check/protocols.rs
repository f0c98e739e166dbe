//! Protocols, domain parameters and keys of a profile must fit each other.

use crate::document::profile::ActiveAuthenticationProfile;
use crate::document::profile::{CardProfile, ChipAuthenticationProfile, KeyUse, ProfileError};
use crate::lds::oids::ID_PACE;
use crate::lds::{ChipAuthenticationInfo, KeyAgreement, Mapping, PaceProtocol};
use cancuoc_primitives::cipher::BlockCipher;

/// Most keys of Chip Authentication that a card keeps.
const MAX_KEYS: usize = 8;
/// Most certificates of country verifying CAs that a card trusts.
const MAX_TRUST_POINTS: usize = 2;

/// Domain parameters whose prime is 1 modulo 4: Integrated Mapping encodes points for 3 modulo 4
/// alone (ICAO 9303-11 appendix B.2).
const P224: u8 = 10;

type Fault = (&'static str, String);

/// The key agreement of standardised domain parameters (ICAO 9303-11 §9.5.1).
const fn agreement(parameter: u8) -> Option<KeyAgreement> {
    match parameter {
        0..=2 => Some(KeyAgreement::Dh),
        8..=18 => Some(KeyAgreement::Ecdh),
        _ => None,
    }
}

impl CardProfile {
    pub(super) fn check_protocols(&self) -> Result<(), ProfileError> {
        self.check_domain_parameters()
            .and_then(|()| self.check_pace())
            .and_then(|()| self.check_chip_authentication())
            .and_then(|()| self.check_active_authentication())
            .and_then(|()| self.check_terminal_authentication())
            .map_err(|(field, reason)| ProfileError::Invalid { field, reason })
    }

    /// The standardised parameters that the parameter of a PACEInfo stands for.
    fn standardised(&self, parameter: u8) -> Option<u8> {
        let explicit = self.access.domain_parameters.iter().find(|own| own.id == parameter);
        explicit
            .map_or(Some(parameter), |own| Some(own.parameter))
            .filter(|id| agreement(*id).is_some())
    }

    fn check_domain_parameters(&self) -> Result<(), Fault> {
        let invalid = |reason: String| Err(("access.domain_parameters", reason));
        for (index, own) in self.access.domain_parameters.iter().enumerate() {
            let id = own.id;
            if !(0x20..=0x7F).contains(&id) {
                return invalid(format!("identifier {id} is not 32 to 127"));
            }
            if self.access.domain_parameters.iter().take(index).any(|other| other.id == id) {
                return invalid(format!("identifier {id} stands twice"));
            }
            let variant = own.protocol.as_bytes().strip_prefix(ID_PACE.as_bytes());
            let of_protocol = match variant {
                Some([1 | 3]) => KeyAgreement::Dh,
                Some([2 | 4 | 6]) => KeyAgreement::Ecdh,
                _ => return invalid(format!("{} is no mapping of PACE", own.protocol)),
            };
            if agreement(own.parameter) != Some(of_protocol) {
                return invalid(format!("parameter {} does not fit the protocol", own.parameter));
            }
            if !self.access.pace.iter().any(|pace| pace.parameter == id) {
                return invalid(format!("no PACE configuration names identifier {id}"));
            }
        }
        Ok(())
    }

    fn check_pace(&self) -> Result<(), Fault> {
        let invalid = |reason: String| Err(("access.pace", reason));
        for (index, pace) in self.access.pace.iter().enumerate() {
            let Some(protocol) = PaceProtocol::from_oid(&pace.protocol) else {
                return invalid(format!("{} is no PACE protocol", pace.protocol));
            };
            if pace.version != 2 {
                return invalid("the version of PACE is 2".to_owned());
            }
            let Some(standardised) = self.standardised(pace.parameter) else {
                return invalid(format!(
                    "parameter {} is neither standardised (0 to 2, 8 to 18) nor one of access.domain_parameters",
                    pace.parameter
                ));
            };
            if agreement(standardised) != Some(protocol.agreement) {
                return invalid(format!("parameter {} does not fit the protocol", pace.parameter));
            }
            if protocol.mapping == Mapping::Integrated && standardised == P224 {
                return invalid("Integrated Mapping is not defined over P-224".to_owned());
            }
            if self.access.pace.iter().take(index).any(|other| other == pace) {
                return invalid(format!("{} stands twice", pace.protocol));
            }
            if protocol.mapping != Mapping::ChipAuthentication {
                continue;
            }
            let fits = |key: &&ChipAuthenticationProfile| {
                key.is_for(KeyUse::PaceCam) && key.domain_parameter_id() == Some(standardised)
            };
            let mut keys = self.chip_authentication.iter().filter(fits);
            let reason = match (keys.next(), keys.next()) {
                (None, _) => "no key for PACE-CAM over",
                (Some(_), Some(_)) => "more than one key for PACE-CAM over",
                // The parameter identifier of the PACEInfo names the key too (ICAO 9303-11 §9.2.1).
                (Some(key), None) if key.key_id != Some(pace.parameter) => {
                    "the key_id of the key for PACE-CAM is not"
                }
                (Some(_), None) => "",
            };
            if !reason.is_empty() {
                return invalid(format!("{reason} parameter {}", pace.parameter));
            }
            if self.file("EF.CardSecurity").is_none() {
                return invalid("PACE-CAM needs EF.CardSecurity".to_owned());
            }
        }
        Ok(())
    }

    fn check_chip_authentication(&self) -> Result<(), Fault> {
        let invalid = |reason: String| Err(("chip_authentication", reason));
        let keys = &self.chip_authentication;
        if keys.len() > MAX_KEYS {
            return invalid(format!("at most {MAX_KEYS} keys"));
        }
        for (index, key) in keys.iter().enumerate() {
            let Some(protocol) = ChipAuthenticationInfo::protocol_from_oid(&key.protocol) else {
                return invalid(format!("{} is no Chip Authentication", key.protocol));
            };
            let Some(parameter) = key.domain_parameter_id() else {
                return invalid("each key has either a curve or a parameter".to_owned());
            };
            if agreement(parameter) != Some(protocol.0) {
                return invalid(format!("parameter {parameter} does not fit the protocol"));
            }
            if key.version != 1 {
                return invalid("the version of Chip Authentication is 1".to_owned());
            }
            if key.uses.is_empty() {
                return invalid("a key without use".to_owned());
            }
            if !key.info && protocol.1 != BlockCipher::Tdes {
                return invalid(
                    "a protocol that is not announced must be one with 3DES".to_owned(),
                );
            }
            if key.key_id.is_some_and(|id| id > 0x7F) {
                return invalid("a key identifier is 0 to 127".to_owned());
            }
            if keys.len() > 1 && key.key_id.is_none() {
                return invalid("several keys need a key_id each".to_owned());
            }
            if keys.iter().take(index).any(|other| other.key_id == key.key_id) {
                return invalid("two keys have the same key_id".to_owned());
            }
        }
        Ok(())
    }

    fn check_active_authentication(&self) -> Result<(), Fault> {
        match self.active_authentication {
            Some(ActiveAuthenticationProfile::Rsa { bits, .. })
                if !(1024..=4096).contains(&bits) || bits % 8 != 0 =>
            {
                Err(("active_authentication", "bits are 1024 to 4096, whole bytes".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_terminal_authentication(&self) -> Result<(), Fault> {
        let version = self.access.terminal_authentication;
        if version.is_some_and(|version| !(1..=2).contains(&version)) {
            return Err(("access.terminal_authentication", "version 1 or 2".to_owned()));
        }
        let points = &self.access.trust_points;
        if points.len() > MAX_TRUST_POINTS {
            return Err(("access.trust_points", format!("at most {MAX_TRUST_POINTS}")));
        }
        if !points.is_empty() && version != Some(1) {
            let reason = "need terminal_authentication = 1".to_owned();
            return Err(("access.trust_points", reason));
        }
        Ok(())
    }
}
