//! Terminal Authentication version 1, the card's end (BSI TR-03110-1 §3.5, TR-03110-3 §B.3 and §B.11,
//! ICAO 9303-11 §7.1).

use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::Objects;
use cancuoc_card_runtime::{Command, NonVolatileMemory, StatusWord};

use crate::Session;
use crate::cv_certificate::{
    Authorization, CvCertificate, Date, PublicKey, Reference, Rights, Role,
};
use crate::store::{self, Location, protocol};
use crate::trust_points::{self, TrustPoint, TrustPoints};

/// A signature does not verify.
const FAILED: StatusWord = StatusWord(0x6300);
/// A certificate, or the trust point above it, has expired.
const EXPIRED: StatusWord = StatusWord(0x6984);

/// How far Terminal Authentication has come in this session.
#[derive(Default)]
pub struct TerminalAuthentication {
    /// Key that MSE:Set DST chose to verify the next certificate.
    issuer: Option<Reference>,
    /// The document verifier whose certificate was verified last.
    document_verifier: Option<Imported>,
    /// The terminal whose certificate was verified last.
    terminal: Option<Imported>,
    /// Whether MSE:Set AT chose the terminal's key.
    chosen: bool,
    /// Whether a terminal was authenticated: it happens once in a session.
    performed: bool,
    rights: Rights,
}

/// A temporarily imported key (BSI TR-03110-3 §A.6.2.2).
struct Imported {
    holder: Reference,
    key: PublicKey,
    /// Effective authorization: what every certificate of the chain grants.
    rights: Rights,
    /// Whether certificates signed with the key tell the right date.
    accurate: bool,
}

impl TerminalAuthentication {
    /// What the authenticated terminal may read.
    pub const fn rights(&self) -> Rights {
        self.rights
    }

    /// Secure messaging was restarted with other keys: the rights were bound to the old ones.
    pub fn restart(&mut self) {
        *self = Self { performed: self.performed, ..Self::default() };
    }
}

/// Terminal Authentication comes after Chip Authentication, under the keys that it agreed on; in the
/// master file only after PACE (ICAO 9303-11 §7.1.2).
fn check_ready(session: &Session, memory: &dyn NonVolatileMemory) -> Result<(), StatusWord> {
    if !store::has_protocol(memory, protocol::TERMINAL_AUTHENTICATION) {
        return Err(StatusWord::CONDITIONS);
    }
    let chip_authenticated = session.is_open() && session.chip_authentication_key.is_some();
    let here = session.directory.location == Location::Lds1 || session.pace_identifier.is_some();
    if chip_authenticated && here { Ok(()) } else { Err(StatusWord::SECURITY_STATUS) }
}

/// The reference in `83`, which must be all there is.
fn reference(field: &[u8]) -> Result<Reference, StatusWord> {
    let mut objects = Objects::new(field);
    let object = objects.take().ok().filter(|object| object.tag == 0x83);
    let object = object.filter(|_| objects.is_empty()).ok_or(StatusWord::WRONG_DATA)?;
    // A name that no certificate can have is a name the card does not know.
    Reference::new(object.value).map_err(|_| StatusWord::REFERENCE_NOT_FOUND)
}

/// MSE:Set DST: chooses the key that verifies the next certificate.
pub fn set_verification_key(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.terminal_authentication.issuer = None;
    check_ready(session, memory)?;
    let reference = reference(command.data)?;
    let points = TrustPoints::load(memory);
    let state = &mut session.terminal_authentication;
    Issuer::find(state, &points, &reference).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    state.issuer = Some(reference);
    Ok(Vec::new())
}

/// The key that a certificate is verified with.
enum Issuer<'a> {
    Cvca(&'a TrustPoint),
    DocumentVerifier(&'a Imported),
}

impl<'a> Issuer<'a> {
    fn find(
        state: &'a TerminalAuthentication,
        points: &'a TrustPoints,
        reference: &Reference,
    ) -> Option<Self> {
        let imported = state.document_verifier.as_ref();
        points.find(reference).map(Issuer::Cvca).or_else(|| {
            imported.filter(|key| key.holder == *reference).map(Issuer::DocumentVerifier)
        })
    }

    const fn key(&self) -> &PublicKey {
        match self {
            Self::Cvca(point) => &point.key,
            Self::DocumentVerifier(imported) => &imported.key,
        }
    }
}

/// PSO: VERIFY CERTIFICATE: verifies a certificate with the chosen key and imports its key
/// (ICAO 9303-11 §7.1.4.3.4). What was imported before stays until something takes its place.
pub fn verify_certificate(
    session: &mut Session,
    memory: &mut dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    check_ready(session, memory)?;
    let state = &mut session.terminal_authentication;
    let reference = state.issuer.as_ref().ok_or(StatusWord::CONDITIONS)?;
    let certificate = CvCertificate::read(command.data).map_err(|_| StatusWord::WRONG_DATA)?;
    if certificate.authority != *reference {
        return Err(StatusWord::WRONG_DATA);
    }
    let points = TrustPoints::load(memory);
    let today = trust_points::card_date(memory).ok_or(StatusWord::CONDITIONS)?;
    let issuer = Issuer::find(state, &points, reference).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
    issuer.key().verify(&[certificate.body], certificate.signature).map_err(|_| FAILED)?;
    // A name that stands for a trust point stays that trust point's (BSI TR-03110-3 §A.6.2).
    if points.find(&certificate.holder).is_some() {
        return Err(StatusWord::CONDITIONS);
    }
    let Authorization::InspectionSystems(role, rights) = certificate.authorization else {
        return Err(StatusWord::SECURITY_STATUS);
    };
    match (issuer, role) {
        (Issuer::Cvca(point), Role::Cvca) => {
            link(memory, &points, point, &certificate, today)?;
        }
        (Issuer::Cvca(point), Role::DomesticDocumentVerifier | Role::ForeignDocumentVerifier) => {
            if point.expiration < today {
                return Err(EXPIRED);
            }
            let imported = Imported {
                rights: point.rights.and(rights),
                accurate: role == Role::DomesticDocumentVerifier,
                ..import(&certificate, &point.key, today)?
            };
            advance(memory, &certificate, today)?;
            state.document_verifier = Some(imported);
            state.forget_terminal();
        }
        (Issuer::DocumentVerifier(issuer), Role::InspectionSystem) => {
            let rights = issuer.rights.and(rights);
            let imported = Imported { rights, ..import(&certificate, &issuer.key, today)? };
            if issuer.accurate {
                advance(memory, &certificate, today)?;
            }
            state.forget_terminal();
            state.terminal = Some(imported);
        }
        _ => return Err(StatusWord::SECURITY_STATUS),
    }
    state.issuer = None;
    Ok(Vec::new())
}

impl TerminalAuthentication {
    fn forget_terminal(&mut self) {
        self.terminal = None;
        self.chosen = false;
    }
}

/// A link certificate: its key becomes the newest trust point, even if it has expired.
///
/// It is signed with the key that was the newest before (ICAO 9303-11 §7.1.4.3.2): an older one,
/// which may have been given up for a reason, makes no trust point.
fn link(
    memory: &mut dyn NonVolatileMemory,
    points: &TrustPoints,
    issuer: &TrustPoint,
    certificate: &CvCertificate<'_>,
    today: Date,
) -> Result<(), StatusWord> {
    if points.newest() != Some(issuer) {
        return Err(StatusWord::SECURITY_STATUS);
    }
    let point =
        TrustPoint::new(certificate, Some(&issuer.key)).map_err(|_| StatusWord::WRONG_DATA)?;
    let date = today.max(certificate.effective);
    trust_points::update(memory, Some(&points.clone().with(point)), Some(date))
}

/// The key of a document verifier or terminal, which is on its issuer's curve.
fn import(
    certificate: &CvCertificate<'_>,
    issuer: &PublicKey,
    today: Date,
) -> Result<Imported, StatusWord> {
    // The effective date is not looked at: the card knows no more than that today is not earlier
    // than the date it has (BSI TR-03110-3 §2.5).
    if certificate.expiration < today {
        return Err(EXPIRED);
    }
    let public_key = &certificate.public_key;
    if public_key.has_domain_parameters() {
        return Err(StatusWord::WRONG_DATA);
    }
    let key = public_key.resolve(issuer.curve()).map_err(|_| StatusWord::WRONG_DATA)?;
    let holder = certificate.holder.clone();
    Ok(Imported { holder, key, rights: Rights::default(), accurate: false })
}

/// Moves the card's date on to the day on which the certificate was made, never back.
fn advance(
    memory: &mut dyn NonVolatileMemory,
    certificate: &CvCertificate<'_>,
    today: Date,
) -> Result<(), StatusWord> {
    let later = Some(certificate.effective).filter(|effective| *effective > today);
    trust_points::update(memory, None, later)
}

/// MSE:Set AT: chooses the terminal's key. The challenge has to come after it.
pub fn set_authentication_template(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    session.challenge = None;
    session.terminal_authentication.chosen = false;
    check_ready(session, memory)?;
    let state = &mut session.terminal_authentication;
    if state.performed {
        return Err(StatusWord::SECURITY_STATUS);
    }
    let reference = reference(command.data)?;
    if state.terminal.as_ref().is_none_or(|terminal| terminal.holder != reference) {
        return Err(StatusWord::REFERENCE_NOT_FOUND);
    }
    state.chosen = true;
    Ok(Vec::new())
}

/// EXTERNAL AUTHENTICATE: the terminal's signature over the chip's identifier, the challenge and the
/// terminal's compressed ephemeral key of Chip Authentication.
pub fn external_authenticate(
    session: &mut Session,
    memory: &dyn NonVolatileMemory,
    command: &Command<'_>,
) -> Result<Vec<u8>, StatusWord> {
    // Whatever comes of it, the challenge is used up.
    let challenge = session.challenge.take();
    if (command.p1, command.p2) != (0, 0) {
        return Err(StatusWord::WRONG_P1P2);
    }
    check_ready(session, memory)?;
    let state = &mut session.terminal_authentication;
    if state.performed {
        return Err(StatusWord::SECURITY_STATUS);
    }
    state.rights = Rights::default();
    let terminal = state.terminal.as_ref().filter(|_| state.chosen);
    let terminal = terminal.ok_or(StatusWord::CONDITIONS)?;
    let challenge = challenge.ok_or(StatusWord::CONDITIONS)?;
    let identifier = session.pace_identifier.as_deref();
    let identifier = identifier.or_else(|| memory.read(store::CHIP_IDENTIFIER));
    let identifier = identifier.ok_or(StatusWord::CONDITIONS)?;
    let ephemeral = session.chip_authentication_key.as_deref();
    let ephemeral = ephemeral.ok_or(StatusWord::SECURITY_STATUS)?;
    terminal.key.verify(&[identifier, &challenge, ephemeral], command.data).map_err(|_| FAILED)?;
    let rights = terminal.rights;
    *state = TerminalAuthentication { performed: true, rights, ..Default::default() };
    Ok(Vec::new())
}

#[cfg(test)]
mod tests;
