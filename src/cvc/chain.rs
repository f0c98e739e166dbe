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
    /// [`CvcError::NoPath`] naming what is missing and what the card trusts,
    /// [`CvcError::NoTerminal`].
    pub fn find(
        certificates: &[CvCertificate],
        trusted: &[HolderReference],
    ) -> Result<Self, CvcError> {
        if let Some(certificates) = shortest_path(certificates, trusted) {
            return Ok(Self { certificates });
        }
        let wanted = missing_issuer(certificates).ok_or(CvcError::NoTerminal)?.clone();
        let trusted = trusted.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Err(CvcError::NoPath { wanted, trusted })
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

fn is_terminal(certificate: &CvCertificate) -> bool {
    certificate.body().authorization.role() == Role::Terminal
}

/// From the trust points down, a generation at a time: the first terminal found is the nearest. Each
/// certificate is taken once, so that circles end; a self-signed one leads nowhere.
fn shortest_path(
    certificates: &[CvCertificate],
    trusted: &[HolderReference],
) -> Option<Vec<CvCertificate>> {
    // A certificate and where its issuer stands in this list.
    let mut reached: Vec<(&CvCertificate, Option<usize>)> = Vec::new();
    let mut left: Vec<&CvCertificate> =
        certificates.iter().filter(|c| !c.body().is_self_signed()).collect();
    let mut issuers: Vec<(&HolderReference, Option<usize>)> =
        trusted.iter().map(|name| (name, None)).collect();
    for _ in 0..MAX_CHAIN {
        let mut next = Vec::new();
        for (name, issuer) in issuers {
            let issued;
            (issued, left) = left.into_iter().partition::<Vec<_>, _>(|c| c.authority() == name);
            for certificate in issued {
                reached.push((certificate, issuer));
                if is_terminal(certificate) {
                    return Some(path_to_last(&reached));
                }
                next.push((certificate.holder(), Some(reached.len() - 1)));
            }
        }
        issuers = next;
    }
    None
}

/// The certificates from a trust point to the last one reached.
fn path_to_last(reached: &[(&CvCertificate, Option<usize>)]) -> Vec<CvCertificate> {
    let mut path = Vec::new();
    let mut place = reached.len().checked_sub(1);
    while let Some((certificate, issuer)) = place.and_then(|place| reached.get(place)) {
        path.push((*certificate).clone());
        place = *issuer;
    }
    path.reverse();
    path
}

/// The issuer at which the way up from the first terminal breaks off; none without a terminal.
fn missing_issuer(certificates: &[CvCertificate]) -> Option<&HolderReference> {
    let mut wanted = certificates.iter().find(|c| is_terminal(c))?.authority();
    for _ in 0..MAX_CHAIN {
        let issuer =
            certificates.iter().find(|c| c.holder() == wanted && !c.body().is_self_signed());
        match issuer {
            Some(issuer) => wanted = issuer.authority(),
            None => break,
        }
    }
    Some(wanted)
}
