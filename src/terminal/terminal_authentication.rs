//! Terminal Authentication version 1, terminal side (ICAO 9303-11 §7.1, BSI TR-03110-1 §3.5).
//!
//! The terminal shows its chain of CV certificates, and signs the card's challenge together with
//! the ephemeral key of Chip Authentication: the right to DG3 and DG4 belongs to that session.

use std::sync::Arc;

use cancuoc_primitives::ecdsa::EcdsaSignature;
use rand_core::CryptoRng;

use super::protocol::{Protocol, Step};
use super::session::Session;
use super::{TerminalError, commands};
use crate::apdu::tlv::{Tag, encode};
use crate::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::cvc::{CvCertificate, CvChain, CvDate, CvcError, HolderReference, Rights};
use crate::document::Mrz;
use crate::document::mrz::check_digit;
use crate::lds::{PublicKey, SignatureAlgorithm, decode_dg1};
use crate::pki::Signer;
use crate::transport::CardTransport;

const DST: &str = "MSE:Set DST of Terminal Authentication";
const AT: &str = "MSE:Set AT of Terminal Authentication";
const CHALLENGE: &str = "GET CHALLENGE of Terminal Authentication";
const AUTHENTICATE: &str = "EXTERNAL AUTHENTICATE of Terminal Authentication";
const CHALLENGE_LEN: usize = 8;

/// What a terminal shows and signs with.
#[derive(Clone)]
pub struct TerminalCredentials {
    certificates: Vec<CvCertificate>,
    signer: Arc<dyn Signer + Send + Sync>,
    today: CvDate,
}

impl TerminalCredentials {
    /// Takes the certificates in any order, links and a CVCA's own among them or not; the key of
    /// the terminal's certificate; and the day: no certificate is shown before its first, and by
    /// its last a refusal is explained.
    #[must_use]
    pub fn new(
        certificates: Vec<CvCertificate>,
        signer: Arc<dyn Signer + Send + Sync>,
        today: CvDate,
    ) -> Self {
        Self { certificates, signer, today }
    }

    /// The chain from what the card trusts, with the key checked against its end.
    fn chain(&self, trusted: &[HolderReference]) -> Result<CvChain, TerminalError> {
        let chain = CvChain::find(&self.certificates, trusted)?;
        let curve = match self.signer.public_key() {
            PublicKey::Ec(point) => Some(point.curve()),
            _ => None,
        };
        let terminal = chain.terminal().ok_or(TerminalError::TerminalKeyMismatch)?;
        // The chain inherits its domain parameters, so the key's own curve is the measure.
        let certified = terminal.public_key(curve).ok();
        let own_algorithm = terminal.body().public_key.algorithm.signature_algorithm();
        let same_algorithm = match (self.signer.algorithm(), own_algorithm) {
            (SignatureAlgorithm::Ecdsa(own), SignatureAlgorithm::EcdsaPlain(hash)) => own == hash,
            (own, certified) => own == certified,
        };
        if certified != Some(self.signer.public_key()) || !same_algorithm {
            return Err(TerminalError::TerminalKeyMismatch);
        }
        self.check_not_early(&chain)?;
        Ok(chain)
    }

    /// No certificate of a day to come is shown: the card would take that day for today, and lock
    /// out terminals whose certificates end before it. Tomorrow is let pass, for somewhere it has
    /// begun.
    fn check_not_early(&self, chain: &CvChain) -> Result<(), CvcError> {
        let tomorrow = self.today.date().tomorrow().ok().and_then(|day| CvDate::new(day).ok());
        let latest = tomorrow.unwrap_or(self.today);
        chain.certificates().iter().try_for_each(|certificate| {
            let fault = certificate.check_validity(latest).err();
            match fault.filter(|fault| matches!(fault, CvcError::NotYetValid { .. })) {
                Some(early) => Err(early),
                None => Ok(()),
            }
        })
    }

    /// Signs; ECDSA in plain format whatever the signer gives.
    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, TerminalError> {
        let signature = self.signer.sign(message, random)?;
        match (self.signer.algorithm(), self.signer.public_key()) {
            (SignatureAlgorithm::Ecdsa(_), PublicKey::Ec(point)) => {
                EcdsaSignature::from_der(&signature)
                    .and_then(|signature| signature.to_plain(point.curve()))
                    .map_err(|_| TerminalError::TerminalKeyMismatch)
            }
            _ => Ok(signature),
        }
    }
}

impl std::fmt::Debug for TerminalCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TerminalCredentials({:?}, ***)", self.certificates)
    }
}

/// What the signature binds the terminal to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalBinding {
    /// The chip's identifier: after PACE the compressed ephemeral key that the card used there,
    /// after BAC the document number with its check digit.
    pub chip_identifier: Vec<u8>,
    /// The terminal's compressed ephemeral key of Chip Authentication.
    pub terminal_key: Vec<u8>,
}

/// What Terminal Authentication led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalAuthenticationOutcome {
    /// Holders of the certificates shown, from the card's trust point down to the terminal.
    pub chain: Vec<HolderReference>,
    /// The trust point that the chain began at.
    pub trust_point: HolderReference,
    /// The rights that the chain gives.
    pub rights: Rights,
}

/// The protocol: for each certificate MSE:Set DST and PSO: VERIFY CERTIFICATE, then MSE:Set AT, GET
/// CHALLENGE and EXTERNAL AUTHENTICATE.
pub struct TerminalAuthentication<'a> {
    credentials: &'a TerminalCredentials,
    chain: CvChain,
    binding: TerminalBinding,
    random: &'a mut dyn CryptoRng,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// The issuer of the certificate with this number is named.
    Named(usize),
    /// The certificate with this number is shown.
    Shown(usize),
    KeyChosen,
    Challenged,
    Signed,
    Over,
}

impl<'a> TerminalAuthentication<'a> {
    /// Prepares the protocol for a card that trusts these.
    ///
    /// # Errors
    /// [`TerminalError::Certificates`] when no chain begins at one of them or one of its
    /// certificates is not valid yet, [`TerminalError::TerminalKeyMismatch`].
    pub fn new(
        credentials: &'a TerminalCredentials,
        trusted: &[HolderReference],
        binding: TerminalBinding,
        random: &'a mut dyn CryptoRng,
    ) -> Result<Self, TerminalError> {
        let chain = credentials.chain(trusted)?;
        Ok(Self { credentials, chain, binding, random, state: State::Start })
    }

    fn certificate(&self, number: usize) -> Result<&CvCertificate, TerminalError> {
        self.chain.certificates().get(number).ok_or(TerminalError::Closed)
    }

    /// Names the issuer of the next certificate, or the terminal's key after the last one.
    fn next_certificate(&mut self, number: usize) -> Result<CommandApdu, TerminalError> {
        if let Ok(certificate) = self.certificate(number) {
            let command = commands::mse_set_dst(reference(certificate.authority()));
            self.state = State::Named(number);
            return Ok(command);
        }
        let terminal = self.chain.terminal().ok_or(TerminalError::Closed)?;
        let command = commands::mse_set_at_external(reference(terminal.holder()));
        self.state = State::KeyChosen;
        Ok(command)
    }

    /// A refused certificate is explained by its dates where they say why.
    fn check_shown(&self, number: usize, status: StatusWord) -> Result<(), TerminalError> {
        if status.is_ok() {
            return Ok(());
        }
        let certificate = self.certificate(number)?;
        certificate.check_validity(self.credentials.today)?;
        let holder = certificate.holder().clone();
        Err(TerminalError::CertificateRefused { holder, status })
    }

    fn sign(&mut self, challenge: &[u8]) -> Result<CommandApdu, TerminalError> {
        if challenge.len() != CHALLENGE_LEN {
            let detail = "the challenge is not eight bytes long";
            return Err(TerminalError::Protocol { step: CHALLENGE, detail });
        }
        let TerminalBinding { chip_identifier, terminal_key } = &self.binding;
        let message = [chip_identifier, challenge, terminal_key].concat();
        let signature = self.credentials.sign(&message, self.random)?;
        self.state = State::Signed;
        Ok(commands::external_authenticate_terminal(signature))
    }

    fn outcome(&self) -> Result<TerminalAuthenticationOutcome, TerminalError> {
        let certificates = self.chain.certificates();
        let first = certificates.first().ok_or(TerminalError::Closed)?;
        let rights = certificates.iter().map(|c| c.body().authorization.rights());
        Ok(TerminalAuthenticationOutcome {
            chain: certificates.iter().map(|c| c.holder().clone()).collect(),
            trust_point: first.authority().clone(),
            rights: rights.fold(Rights::ALL, Rights::and),
        })
    }
}

fn reference(holder: &HolderReference) -> Vec<u8> {
    encode(Tag(0x83), holder.as_bytes())
}

fn check(step: &'static str, status: StatusWord) -> Result<(), TerminalError> {
    if status.is_ok() { Ok(()) } else { Err(TerminalError::Refused { step, status }) }
}

impl Protocol for TerminalAuthentication<'_> {
    type Output = TerminalAuthenticationOutcome;

    fn start(&mut self) -> Result<CommandApdu, TerminalError> {
        self.next_certificate(0)
    }

    fn resume(&mut self, response: &ResponseApdu) -> Result<Step<Self::Output>, TerminalError> {
        let status = response.status;
        let state = std::mem::replace(&mut self.state, State::Over);
        match state {
            State::Start | State::Over => Err(TerminalError::Closed),
            State::Named(number) => {
                check(DST, status)?;
                let value = self.certificate(number)?.value().to_vec();
                self.state = State::Shown(number);
                Ok(Step::Send(commands::verify_certificate(value)))
            }
            State::Shown(number) => {
                self.check_shown(number, status)?;
                self.next_certificate(number + 1).map(Step::Send)
            }
            State::KeyChosen => {
                check(AT, status)?;
                self.state = State::Challenged;
                Ok(Step::Send(commands::get_challenge()))
            }
            State::Challenged => {
                check(CHALLENGE, status)?;
                self.sign(&response.data).map(Step::Send)
            }
            State::Signed => {
                check(AUTHENTICATE, status)?;
                self.outcome().map(Step::Done)
            }
        }
    }
}

impl std::fmt::Debug for TerminalAuthentication<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TerminalAuthentication({:?}, {:?})", self.chain, self.state)
    }
}

/// References of the certification authorities in EF.CVCA: one or two `42`, then zeros
/// (BSI TR-03110-3 §A.3).
///
/// # Errors
/// [`CvcError`].
pub fn decode_ef_cvca(bytes: &[u8]) -> Result<Vec<HolderReference>, CvcError> {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let mut reader = crate::apdu::tlv::Reader::new(bytes.get(..end).unwrap_or_default());
    let mut references = Vec::new();
    while let Some(reference) = reader.read_optional()? {
        references.push(HolderReference::new(reference.expect(Tag(0x42))?.value)?);
    }
    Ok(references)
}

/// The chip's identifier after BAC: the document number of DG1 and its check digit, as they stand
/// in the MRZ; none where DG1 is no MRZ.
///
/// Of a number that is longer than its field the part in the optional data counts too (ICAO
/// 9303-11 §7.1.2, §9.7.3).
#[must_use]
pub fn document_number_of_dg1(dg1: &[u8]) -> Option<Vec<u8>> {
    let mrz = Mrz::parse(decode_dg1(dg1).ok()?).ok()?;
    let number = mrz.document_number().padded();
    let digit = check_digit(number.as_bytes())?;
    Some([number.as_bytes(), &[digit]].concat())
}

/// Runs Terminal Authentication in a session in which Chip Authentication has run.
///
/// # Errors
/// [`TerminalError`]; a refusal leaves the session as it was.
pub fn authenticate_terminal<T: CardTransport>(
    session: &mut Session<T>,
    credentials: &TerminalCredentials,
    trusted: &[HolderReference],
    binding: TerminalBinding,
    random: &mut dyn CryptoRng,
) -> Result<TerminalAuthenticationOutcome, TerminalError> {
    let mut protocol = TerminalAuthentication::new(credentials, trusted, binding, random)?;
    session.run_chained(&mut protocol)
}

#[cfg(test)]
mod tests;
