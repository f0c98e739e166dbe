//! Certificates: of a CVCA by itself, its links, and those that CVCA and DV issue.

use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;

use super::{CvIssueError, Signer, algorithm_of, is_same_holder, public_key_of, sign};
use crate::cvc::{
    CertificateBody, Chat, CvCertificate, CvDate, CvPublicKey, CvRequest, HolderReference, Rights,
    Role, TaAlgorithm, TerminalType,
};
use crate::lds::PublicKey;

/// Most days for which a CVCA's certificate is valid: ten years. What certificate policies allow
/// is less, mostly three years.
pub const MAX_CVCA_DAYS: i32 = 3653;

/// What a certificate grants, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Role of the holder.
    pub role: Role,
    /// Its rights.
    pub rights: Rights,
    /// First day of validity.
    pub effective: CvDate,
    /// Last day of validity.
    pub expiration: CvDate,
}

impl Terms {
    /// The dates in order, and of a CVCA not too far apart.
    fn check_dates(&self) -> Result<(), CvIssueError> {
        let (first, last) = (self.effective, self.expiration);
        if last < first {
            return Err(CvIssueError::DatesReversed { first, last });
        }
        let days = (last.date() - first.date()).get_days().saturating_add(1);
        if self.role == Role::Cvca && days > MAX_CVCA_DAYS {
            return Err(CvIssueError::TooLong { days, max: MAX_CVCA_DAYS });
        }
        Ok(())
    }

    fn body(
        &self,
        authority: &HolderReference,
        holder: &HolderReference,
        public_key: CvPublicKey,
    ) -> CertificateBody {
        CertificateBody {
            authority: authority.clone(),
            public_key,
            holder: holder.clone(),
            authorization: Chat::inspection_system(self.role, self.rights),
            effective: self.effective,
            expiration: self.expiration,
            extensions: None,
        }
    }
}

/// Makes the certificate of a CVCA that signs itself, domain parameters included. The role in the
/// terms is taken as CVCA.
///
/// # Errors
/// [`CvIssueError`]: dates, algorithm, signer.
pub fn self_signed(
    holder: &HolderReference,
    terms: &Terms,
    signer: &dyn Signer,
    random: &mut dyn CryptoRng,
) -> Result<CvCertificate, CvIssueError> {
    let terms = Terms { role: Role::Cvca, ..*terms };
    terms.check_dates()?;
    let body = terms.body(holder, holder, public_key_of(signer, true)?);
    let signature = sign(signer, &body.encode(), random)?;
    Ok(CvCertificate::assemble(&body, &signature)?)
}

/// A CVCA or document verifier with its key.
#[derive(Clone, Copy)]
pub struct CvAuthority<'a> {
    certificate: &'a CvCertificate,
    curve: Option<Curve>,
    signer: &'a dyn Signer,
}

impl<'a> CvAuthority<'a> {
    /// Takes a certificate and its key. `inherited` is the curve of the CVCA, for a document
    /// verifier, whose certificate has no domain parameters.
    ///
    /// # Errors
    /// [`CvIssueError::KeyMismatch`] for another key or algorithm; [`CvIssueError::Role`] for a
    /// terminal's certificate or one that is not of an inspection system's chain.
    pub fn new(
        certificate: &'a CvCertificate,
        inherited: Option<Curve>,
        signer: &'a dyn Signer,
    ) -> Result<Self, CvIssueError> {
        let body = certificate.body();
        let role = body.authorization.role();
        if role == Role::Terminal
            || body.authorization.terminal_type != TerminalType::InspectionSystem
        {
            let issuer = certificate.holder().clone();
            return Err(CvIssueError::Role { issuer, role: Role::Terminal });
        }
        let same_key = certificate.public_key(inherited)? == signer.public_key();
        if !same_key || algorithm_of(signer)? != body.public_key.algorithm {
            return Err(CvIssueError::KeyMismatch(certificate.holder().clone()));
        }
        Ok(Self { certificate, curve: body.public_key.curve().or(inherited), signer })
    }

    /// The certificate of the authority.
    #[must_use]
    pub const fn certificate(&self) -> &'a CvCertificate {
        self.certificate
    }

    fn reference(&self) -> HolderReference {
        self.certificate.holder().clone()
    }

    /// Answers a request with a certificate, without domain parameters: the chain inherits them
    /// from the CVCA. The request's own signature is verified; who sent it is the caller's to know.
    ///
    /// # Errors
    /// [`CvIssueError`]: whatever the authority may not certify, and what is wrong with the request.
    pub fn issue(
        &self,
        request: &CvRequest,
        terms: &Terms,
        random: &mut dyn CryptoRng,
    ) -> Result<CvCertificate, CvIssueError> {
        if terms.role == Role::Cvca {
            // A further CVCA key comes by a link alone.
            return Err(CvIssueError::Role { issuer: self.reference(), role: Role::Cvca });
        }
        request.verify(self.curve)?;
        self.check_request(request)?;
        self.check_terms(&request.body().holder, terms)?;
        let last = self.certificate.body().expiration;
        if terms.expiration > last {
            let last_asked = terms.expiration;
            return Err(CvIssueError::OutlivesIssuer {
                last: last_asked,
                issuer: self.reference(),
                until: last,
            });
        }
        let key = request.body().public_key.without_parameters();
        self.certify(&request.body().holder, key, terms, random)
    }

    /// Certifies the CVCA's next key by the current one: a link certificate, domain parameters
    /// included. It may be valid for longer than the current certificate.
    ///
    /// # Errors
    /// [`CvIssueError`]: another holder, dates, rights, signer.
    pub fn link(
        &self,
        next: &dyn Signer,
        holder: &HolderReference,
        terms: &Terms,
        random: &mut dyn CryptoRng,
    ) -> Result<CvCertificate, CvIssueError> {
        let terms = Terms { role: Role::Cvca, ..*terms };
        if !is_same_holder(holder, self.certificate.holder()) {
            return Err(CvIssueError::Holder { holder: holder.clone(), issuer: self.reference() });
        }
        self.check_terms(holder, &terms)?;
        self.certify(holder, public_key_of(next, true)?, &terms, random)
    }

    fn certify(
        &self,
        holder: &HolderReference,
        key: CvPublicKey,
        terms: &Terms,
        random: &mut dyn CryptoRng,
    ) -> Result<CvCertificate, CvIssueError> {
        let body = terms.body(self.certificate.holder(), holder, key);
        let signature = sign(self.signer, &body.encode(), random)?;
        let certificate = CvCertificate::assemble(&body, &signature)?;
        certificate.verify(self.certificate, self.curve)?;
        Ok(certificate)
    }

    /// The request is for this authority and its key is of the kind of the chain
    /// (BSI TR-03110-3 §A.6.4: one algorithm, one set of domain parameters, one key size).
    fn check_request(&self, request: &CvRequest) -> Result<(), CvIssueError> {
        let asked = request.body().authority.as_ref();
        if let Some(asked) = asked.filter(|a| !is_same_holder(a, self.certificate.holder())) {
            let (asked, issuer) = (asked.clone(), self.reference());
            return Err(CvIssueError::RequestForAnother { asked, issuer });
        }
        let own = &self.certificate.body().public_key;
        let theirs = &request.body().public_key;
        let found = kind(theirs, self.curve, &request.body().holder)?;
        let wanted = kind(own, self.curve, self.certificate.holder())?;
        if found == wanted {
            return Ok(());
        }
        Err(CvIssueError::RequestKey { found, issuer: self.reference(), wanted })
    }

    fn check_terms(&self, holder: &HolderReference, terms: &Terms) -> Result<(), CvIssueError> {
        let own = self.certificate.body();
        let role = own.authorization.role();
        if !role.may_issue(terms.role) {
            return Err(CvIssueError::Role { issuer: self.reference(), role: terms.role });
        }
        if holder == self.certificate.holder() {
            return Err(CvIssueError::OwnReference(holder.clone()));
        }
        let domestic = terms.role == Role::DomesticDv;
        if domestic && holder.country() != self.certificate.holder().country() {
            return Err(CvIssueError::Country { holder: holder.clone(), issuer: self.reference() });
        }
        if !own.authorization.rights().covers(terms.rights) {
            return Err(CvIssueError::Rights(self.reference()));
        }
        terms.check_dates()?;
        if !(own.effective..=own.expiration).contains(&terms.effective) {
            return Err(CvIssueError::StartOutsideIssuer {
                first: terms.effective,
                issuer: self.reference(),
                from: own.effective,
                until: own.expiration,
            });
        }
        Ok(())
    }
}

/// Algorithm, curve and size of a key, for people.
fn kind(
    key: &CvPublicKey,
    inherited: Option<Curve>,
    holder: &HolderReference,
) -> Result<String, CvIssueError> {
    let algorithm: TaAlgorithm = key.algorithm;
    let description = match key.resolve(inherited, holder)? {
        PublicKey::Rsa(key) => format!("{} bits", key.bits()),
        other => other.description(),
    };
    Ok(format!("{}, {description}", algorithm.name()))
}
