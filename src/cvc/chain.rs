//! Chains from what a card trusts to a terminal (BSI TR-03110-3 §C.3, ICAO 9303-11 §7.1.4.3.4).

use cancuoc_primitives::curve::Curve;

use super::{CvCertificate, CvDate, CvcError, HolderReference, Rights, Role};

/// Most certificates of a chain: links of several generations, document verifier, terminal.
const MAX_CHAIN: usize = 16;

/// Certificates in the order in which a card is shown them: each issued by the one before, the
/// first by a trust point of the card, the last one the terminal's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CvChain {
    certificates: Vec<CvCertificate>,
}

/// What a chain gives the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveAuthorization {
    /// Whether the document verifier is of the CVCA's own country.
    pub domestic: bool,
    /// The rights that every certificate of the chain has.
    pub rights: Rights,
}

impl CvChain {
    /// Finds the shortest path from one of the trust points to a terminal's certificate; any order,
    /// and certificates that are not needed, are fine.
    ///
    /// # Errors
    /// [`CvcError::NoPath`] naming what is missing and what the card trusts.
    pub fn find(
        certificates: &[CvCertificate],
        trusted: &[HolderReference],
    ) -> Result<Self, CvcError> {
        let is_terminal = |c: &&CvCertificate| c.body().authorization.role() == Role::Terminal;
        let terminals = certificates.iter().filter(is_terminal);
        let paths = terminals.map(|terminal| Self::path_to(terminal, certificates, trusted));
        let mut broken = None;
        let mut best: Option<Vec<CvCertificate>> = None;
        for path in paths {
            match path {
                Ok(path) if best.as_ref().is_none_or(|b| path.len() < b.len()) => best = Some(path),
                Ok(_) => {}
                Err(missing) => broken = broken.or(Some(missing)),
            }
        }
        let no_path = || CvcError::NoPath {
            wanted: broken.map_or("nothing".to_owned(), |missing| missing.to_string()),
            trusted: trusted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        best.map(|certificates| Self { certificates }).ok_or_else(no_path)
    }

    /// Goes from the terminal up; gives the issuer that is missing otherwise.
    fn path_to(
        terminal: &CvCertificate,
        certificates: &[CvCertificate],
        trusted: &[HolderReference],
    ) -> Result<Vec<CvCertificate>, HolderReference> {
        let mut path = vec![terminal.clone()];
        while let Some(top) = path.last() {
            let wanted = top.authority().clone();
            if trusted.contains(&wanted) {
                path.reverse();
                return Ok(path);
            }
            // A self-signed certificate leads nowhere; a loop ends at the limit.
            let issuer = certificates
                .iter()
                .find(|c| *c.holder() == wanted && !c.body().is_self_signed())
                .filter(|_| path.len() < MAX_CHAIN);
            match issuer {
                Some(issuer) => path.push(issuer.clone()),
                None => return Err(wanted),
            }
        }
        Err(terminal.authority().clone())
    }

    /// The certificates in the order in which they are shown.
    #[must_use]
    pub fn certificates(&self) -> &[CvCertificate] {
        &self.certificates
    }

    /// The terminal's certificate: the last one.
    #[must_use]
    pub fn terminal(&self) -> Option<&CvCertificate> {
        self.certificates.last()
    }

    /// Checks what can be checked before a card is asked: each certificate verifies with the one
    /// before, the first with the trust point's certificate where that is at hand, and all are valid
    /// on the day.
    ///
    /// # Errors
    /// The first fault on the way down.
    pub fn verify(
        &self,
        trust_point: Option<&CvCertificate>,
        day: CvDate,
    ) -> Result<EffectiveAuthorization, CvcError> {
        let mut issuer = trust_point;
        let mut curve: Option<Curve> = trust_point.and_then(|c| c.body().public_key.curve());
        let mut effective = EffectiveAuthorization { domestic: true, rights: Rights::ALL };
        if let Some(point) = trust_point {
            effective.rights = point.body().authorization.rights();
        }
        for certificate in &self.certificates {
            if let Some(issuer) = issuer {
                certificate.verify(issuer, curve)?;
            }
            certificate.check_validity(day)?;
            let authorization = &certificate.body().authorization;
            effective.domestic &= authorization.role() != Role::ForeignDv;
            // A link certificate replaces the trust point, its rights included.
            effective.rights = match authorization.role() {
                Role::Cvca => authorization.rights(),
                _ => effective.rights.and(authorization.rights()),
            };
            curve = certificate.body().public_key.curve().or(curve);
            issuer = Some(certificate);
        }
        Ok(effective)
    }
}
