//! Which variant of PACE is run: what the card announces, what this terminal has, what a policy
//! allows (ICAO 9303-11 §4.4.3, §9.2.1, §9.2.2, §9.5.1).

use std::sync::Arc;

use cancuoc_primitives::group::DomainParameters;

use super::integrated_mapping;
use crate::lds::{
    KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfos, decode_domain_parameters,
};
use crate::terminal::TerminalError;
use crate::terminal::strength::{cipher_strength, group_strength};

/// Says whether a variant of PACE may be used, and if not, why: a policy.
#[derive(Clone)]
pub struct PaceFilter(Arc<Judge>);

type Judge = dyn Fn(&PaceInfo, &DomainParameters) -> Result<(), String> + Send + Sync;

impl PaceFilter {
    /// Makes a filter of a function that gives the reason for a refusal.
    #[must_use]
    pub fn new(
        judge: impl Fn(&PaceInfo, &DomainParameters) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(judge))
    }

    /// Judges a variant.
    ///
    /// # Errors
    /// The reason why it must not be used.
    pub fn check(&self, info: &PaceInfo, domain: &DomainParameters) -> Result<(), String> {
        (self.0)(info, domain)
    }
}

impl std::fmt::Debug for PaceFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PaceFilter(..)")
    }
}

/// The variant of PACE to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceParameters {
    /// Key agreement, mapping and cipher.
    pub protocol: PaceProtocol,
    /// Domain parameters.
    pub domain: DomainParameters,
    /// Their identifier as the card announces it; for Chip Authentication Mapping the identifier
    /// of the static key too.
    pub parameter_id: Option<u32>,
    /// The card has more than one set of domain parameters, so that the command must name one.
    pub name_parameters: bool,
}

impl PaceParameters {
    /// The variant that a PACEInfo describes; `infos` may have its explicit domain parameters.
    ///
    /// # Errors
    /// [`TerminalError::Unsupported`] for other versions than 2, for identifiers without domain
    /// parameters or of the other kind, for explicit parameters that equal no standardised ones
    /// (ICAO 9303-11 §9.2.2 forbids parameters that are not known to be secure), and for
    /// Integrated Mapping on a curve that it is not defined for.
    pub fn from_info(infos: &SecurityInfos, info: &PaceInfo) -> Result<Self, TerminalError> {
        let PaceProtocol { agreement, mapping, .. } = info.protocol;
        let unsupported = |what: String| Err(TerminalError::Unsupported { what });
        if info.version != 2 {
            return unsupported(format!("PACE version {}", info.version));
        }
        let Some(domain) = domain_parameters(infos, info) else {
            return unsupported("PACE with these domain parameters".to_owned());
        };
        if domain.is_ec() != (agreement == KeyAgreement::Ecdh) {
            return unsupported(format!("PACE with {} over {}", agreement.name(), domain.name()));
        }
        if mapping == Mapping::Integrated && !integrated_mapping::is_defined(&domain) {
            return unsupported(format!("Integrated Mapping over {}", domain.name()));
        }
        let parameter_id = info.parameter_id;
        Ok(Self { protocol: info.protocol, domain, parameter_id, name_parameters: false })
    }

    /// Picks the strongest variant that the card announces and this terminal has.
    ///
    /// # Errors
    /// As [`Self::select_with`].
    pub fn select(infos: &SecurityInfos) -> Result<Self, TerminalError> {
        Self::select_with(infos, &|_, _| Ok(()))
    }

    /// Picks the strongest variant that the card announces, this terminal has and `allowed` lets
    /// through.
    ///
    /// The order, each rule deciding where those before it find no difference:
    /// 1. the strength of its weaker part, group or cipher: half the bits of a curve; 80 bits for
    ///    a prime of 1024, 112 of 2048, 128 of 3072 and more; 112 for 3DES, else the key's bits;
    /// 2. the strength of the group;
    /// 3. the strength of the cipher;
    /// 4. Chip Authentication Mapping, which also proves that the chip is no copy; Generic
    ///    Mapping, which chips have used the longest; Integrated Mapping;
    /// 5. a curve before a prime field, which is slower;
    /// 6. the order of the file.
    ///
    /// # Errors
    /// [`TerminalError::PaceNotOffered`] when the card announces none;
    /// [`TerminalError::PaceForbidden`] with the first reason when `allowed` refuses all that this
    /// terminal has; [`TerminalError::Unsupported`] for the first when it has none.
    pub fn select_with(
        infos: &SecurityInfos,
        allowed: &dyn Fn(&PaceInfo, &DomainParameters) -> Result<(), String>,
    ) -> Result<Self, TerminalError> {
        let mut sets: Vec<Option<u32>> = infos.pace().map(|info| info.parameter_id).collect();
        sets.sort_unstable();
        sets.dedup();
        let (mut forbidden, mut unsupported) = (None, None);
        let mut best: Option<Self> = None;
        for info in infos.pace() {
            let found = match Self::from_info(infos, info) {
                Ok(found) => found,
                Err(fault) => {
                    unsupported = unsupported.or(Some(fault));
                    continue;
                }
            };
            if let Err(reason) = allowed(info, &found.domain) {
                forbidden = forbidden.or(Some(TerminalError::PaceForbidden { reason }));
            } else if best.as_ref().is_none_or(|best| found.rank() > best.rank()) {
                best = Some(Self { name_parameters: sets.len() > 1, ..found });
            }
        }
        let none = TerminalError::PaceNotOffered { detail: "EF.CardAccess announces none" };
        best.ok_or_else(|| forbidden.or(unsupported).unwrap_or(none))
    }

    /// The order of [`Self::select_with`], as far as it does not follow from the file: the stronger
    /// has the greater rank.
    #[must_use]
    pub fn rank(&self) -> (usize, usize, usize, usize, bool) {
        let (group, cipher) = (group_strength(&self.domain), cipher_strength(self.protocol.cipher));
        let mapping = match self.protocol.mapping {
            Mapping::ChipAuthentication => 2,
            Mapping::Generic => 1,
            Mapping::Integrated => 0,
        };
        (group.min(cipher), group, cipher, mapping, self.domain.is_ec())
    }
}

/// The domain parameters that a PACEInfo names: standardised ones by their identifier, or those
/// of the PACEDomainParameterInfo with the same identifier (or with none, where there is one).
fn domain_parameters(infos: &SecurityInfos, info: &PaceInfo) -> Option<DomainParameters> {
    if let Some(id @ 0..32) = info.parameter_id {
        return DomainParameters::standardised(u8::try_from(id).ok()?);
    }
    let mut explicit = infos.pace_domain_parameters().filter(|explicit| {
        explicit.agreement == info.protocol.agreement && explicit.parameter_id == info.parameter_id
    });
    let found = explicit.next()?;
    if explicit.any(|other| other.parameters != found.parameters) {
        return None; // two that contradict each other
    }
    let (domain, _) = decode_domain_parameters(&found.parameters).ok()?;
    domain.id().is_some().then_some(domain)
}

#[cfg(test)]
mod tests;
