//! Terminal Authentication: certificates and terminals that the card does not let in.

use std::sync::Arc;

use cancuoc::cvc::{CvcError, HolderReference, Rights, Role};
use cancuoc::lds::PublicKey;
use cancuoc::lds::SignatureAlgorithm;
use cancuoc::pki::cv::Terms;
use cancuoc::pki::{Signer, SignerError};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::chip_authentication::{
    ChipAuthenticationEvidence, ChipAuthenticationParameters,
};
use cancuoc::terminal::public_key::compress_public_key;
use cancuoc::terminal::terminal_authentication::{
    TerminalAuthenticationOutcome, TerminalBinding, TerminalCredentials, authenticate_terminal,
};
use cancuoc::terminal::{FileRead, Session, TerminalError, commands};
use cancuoc_primitives::CryptoRng;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;

use crate::authorities::{Chain, Holder, Key, credentials, day, ec_key, terms};
use crate::cards::random;
use crate::chips::{DOCUMENT_NUMBER, EacCard, content, open_by_bac, prove_chip, read};

fn key() -> Key {
    ec_key(Curve::P256, HashAlgorithm::Sha256)
}

/// A session after Chip Authentication, with what Terminal Authentication is bound to.
struct Opened<'a> {
    session: Session<&'a mut SoftCard>,
    binding: TerminalBinding,
}

fn open(card: &mut EacCard) -> Opened<'_> {
    let parameters = ChipAuthenticationParameters::select(&card.infos).unwrap().unwrap();
    let mut session = open_by_bac(&mut card.card).unwrap();
    let evidence = prove_chip(&mut session, parameters).unwrap();
    Opened { session, binding: binding(&evidence) }
}

fn binding(evidence: &ChipAuthenticationEvidence) -> TerminalBinding {
    TerminalBinding {
        chip_identifier: DOCUMENT_NUMBER.as_bytes().to_vec(),
        terminal_key: compress_public_key(&evidence.terminal_public_key()),
    }
}

impl Opened<'_> {
    fn authenticate(
        &mut self,
        credentials: &TerminalCredentials,
        trusted: &Holder,
    ) -> Result<TerminalAuthenticationOutcome, TerminalError> {
        let trusted = [trusted.reference().clone()];
        let binding = self.binding.clone();
        authenticate_terminal(&mut self.session, credentials, &trusted, binding, &mut random())
    }

    /// Which of DG3 and DG4 come out, as they were written.
    fn readable(&mut self) -> Rights {
        let mut is_readable =
            |number: u8| match read(&mut self.session, 0x0100 | u16::from(number)).unwrap() {
                FileRead::Content { bytes, .. } => bytes == content(number),
                FileRead::Denied(status) => {
                    assert_eq!(status.0, 0x6982);
                    false
                }
                other => panic!("{other:?}"),
            };
        Rights { dg3: is_readable(3), dg4: is_readable(4) }
    }
}

const NONE: Rights = Rights { dg3: false, dg4: false };

/// A terminal that shows these to a card is not let in; the error.
fn refused(card: &mut EacCard, credentials: &TerminalCredentials, cvca: &Holder) -> TerminalError {
    let mut opened = open(card);
    assert_eq!(opened.readable(), NONE);
    let error = opened.authenticate(credentials, cvca).unwrap_err();
    assert_eq!(opened.readable(), NONE, "{error}");
    error
}

fn status_of(error: &TerminalError) -> u16 {
    match error {
        TerminalError::Refused { status, .. }
        | TerminalError::CertificateRefused { status, .. } => status.0,
        other => panic!("{other}"),
    }
}

#[test]
fn a_terminal_reads_what_it_has_the_right_to_and_nothing_else() {
    for dg3 in [false, true] {
        for dg4 in [false, true] {
            let rights = Rights { dg3, dg4 };
            let terminal = Terms { rights, ..terms(Role::Terminal) };
            let chain = Chain::with(key, &terms(Role::DomesticDv), &terminal);
            let mut card = EacCard::trusting(&chain.cvca);
            let mut opened = open(&mut card);
            let outcome = opened.authenticate(&chain.credentials(), &chain.cvca).unwrap();
            assert_eq!((outcome.rights, opened.readable()), (rights, rights));
        }
    }
}

#[test]
fn an_expired_certificate_is_refused_and_named() {
    // The card's date is 1 March 2026.
    let over = |role| Terms { expiration: day("260228"), ..terms(role) };
    let chain = Chain::with(key, &terms(Role::DomesticDv), &over(Role::Terminal));
    let mut card = EacCard::trusting(&chain.cvca);
    let error = refused(&mut card, &chain.credentials(), &chain.cvca);
    let expired =
        CvcError::Expired { holder: chain.terminal.reference().clone(), until: day("260228") };
    assert_eq!(error, TerminalError::Certificates(expired));
    let chain = Chain::with(key, &over(Role::DomesticDv), &over(Role::Terminal));
    let mut card = EacCard::trusting(&chain.cvca);
    let error = refused(&mut card, &chain.credentials(), &chain.cvca);
    let expired = CvcError::Expired { holder: chain.dv.reference().clone(), until: day("260228") };
    assert_eq!(error, TerminalError::Certificates(expired));
}

#[test]
fn the_reader_shows_no_certificate_that_is_not_valid_yet() {
    // Its date would become the card's, for which others then had expired.
    let later = |role| Terms { effective: day("270101"), ..terms(role) };
    let chain = Chain::with(key, &terms(Role::DomesticDv), &later(Role::Terminal));
    let mut card = EacCard::trusting(&chain.cvca);
    let error = refused(&mut card, &chain.credentials(), &chain.cvca);
    let early =
        CvcError::NotYetValid { holder: chain.terminal.reference().clone(), from: day("270101") };
    assert_eq!(error, TerminalError::Certificates(early));
    assert_eq!(card.card.summary().trust.unwrap().date, [2, 6, 0, 3, 0, 1]);
}

#[test]
fn a_name_that_the_card_does_not_know_is_refused() {
    let (chain, other) = (Chain::new(key), Holder::cvca("VNOTHER00001", &key()));
    let mut card = EacCard::trusting(&other);
    // The reader finds no way from what the card trusts and sends nothing.
    let mut opened = open(&mut card);
    let before = opened.session.counters().apdus;
    let error = opened.authenticate(&chain.credentials(), &other).unwrap_err();
    assert!(matches!(error, TerminalError::Certificates(CvcError::NoPath { .. })), "{error}");
    assert_eq!(opened.session.counters().apdus, before);
    // Told that the card trusts the chain's CVCA, it hears that the card does not.
    let error = refused(&mut card, &chain.credentials(), &chain.cvca);
    assert_eq!(status_of(&error), 0x6A88);
}

#[test]
fn certificates_of_a_false_authority_of_the_same_name_are_refused() {
    let (genuine, forged) = (Chain::new(key), Chain::new(key));
    let mut card = EacCard::trusting(&genuine.cvca);
    let error = refused(&mut card, &forged.credentials(), &genuine.cvca);
    assert_eq!(status_of(&error), 0x6300);
    // A false terminal under the genuine verifier.
    let mixed = credentials([&genuine.dv, &forged.terminal]);
    let error = refused(&mut card, &mixed, &genuine.cvca);
    let holder = forged.terminal.reference().clone();
    let refusal = matches!(&error, TerminalError::CertificateRefused { holder: h, status }
        if *h == holder && status.0 == 0x6300);
    assert!(refusal, "{error}");
}

/// Says that it has one key and signs with another.
struct Liar {
    says: Key,
    signs: Key,
}

impl Signer for Liar {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.says.algorithm()
    }
    fn public_key(&self) -> PublicKey {
        self.says.public_key()
    }
    fn sign(&self, message: &[u8], random: &mut dyn CryptoRng) -> Result<Vec<u8>, SignerError> {
        self.signs.sign(message, random)
    }
}

#[test]
fn a_terminal_without_its_key_is_refused() {
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    // Honest about it: the reader sends nothing.
    let other = Holder { key: key(), ..chain.terminal.clone() };
    let error = refused(&mut card, &credentials([&chain.dv, &other]), &chain.cvca);
    assert_eq!(error, TerminalError::TerminalKeyMismatch);
    // Not honest: the card finds out.
    let liar = Liar { says: chain.terminal.key.clone(), signs: key() };
    let other = Holder { key: Arc::new(liar), ..chain.terminal.clone() };
    let error = refused(&mut card, &credentials([&chain.dv, &other]), &chain.cvca);
    assert_eq!(status_of(&error), 0x6300);
}

#[test]
fn a_signature_bound_to_another_session_is_refused() {
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    let earlier = open(&mut card).binding;
    let mut opened = open(&mut card);
    let binding = TerminalBinding { terminal_key: earlier.terminal_key, ..opened.binding.clone() };
    let here = std::mem::replace(&mut opened.binding, binding);
    let error = opened.authenticate(&chain.credentials(), &chain.cvca).unwrap_err();
    assert_eq!((status_of(&error), opened.readable()), (0x6300, NONE));
    let binding = TerminalBinding { chip_identifier: b"2000000193".to_vec(), ..here.clone() };
    opened.binding = binding;
    let error = opened.authenticate(&chain.credentials(), &chain.cvca).unwrap_err();
    assert_eq!((status_of(&error), opened.readable()), (0x6300, NONE));
    opened.binding = here;
    opened.authenticate(&chain.credentials(), &chain.cvca).unwrap();
    assert_eq!(opened.readable(), Rights::ALL);
}

#[test]
fn rights_end_with_the_session() {
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    let mut opened = open(&mut card);
    opened.authenticate(&chain.credentials(), &chain.cvca).unwrap();
    assert_eq!(opened.readable(), Rights::ALL);
    let mut keys = opened.session.secure_messaging().unwrap().clone();
    // Protection dropped in mid-session.
    let select = hex::decode("00A4020C020103").unwrap();
    assert_eq!(card.card.process(&select), [0x69, 0x87]);
    assert_eq!(card.card.process(&select), [0x69, 0x82]);
    let protected = keys.wrap(&commands::select_lds1()).unwrap().encode().unwrap();
    assert_eq!(card.card.process(&protected), [0x69, 0x88]);
    assert_eq!(open(&mut card).readable(), NONE);
}

#[test]
fn chip_authentication_once_more_takes_the_rights_away() {
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    let parameters = ChipAuthenticationParameters::select(&card.infos).unwrap().unwrap();
    let mut opened = open(&mut card);
    opened.authenticate(&chain.credentials(), &chain.cvca).unwrap();
    prove_chip(&mut opened.session, parameters).unwrap();
    assert_eq!(opened.readable(), NONE);
}

#[test]
fn a_link_certificate_takes_the_card_to_the_next_trust_point() {
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    let link_terms = Terms { effective: day("260401"), ..terms(Role::Cvca) };
    let next = ec_key(Curve::BrainpoolP384r1, HashAlgorithm::Sha384);
    let link = chain.cvca.link("VNCVCA00002", &next, &link_terms);
    let new = || ec_key(Curve::BrainpoolP384r1, HashAlgorithm::Sha384);
    let after = |role| Terms { effective: day("260501"), ..terms(role) };
    let dv = link.issue("VNDV00002", &new(), &after(Role::DomesticDv));
    let terminal = dv.issue("VNGATE00002", &new(), &after(Role::Terminal));
    let shown = credentials([&link, &dv, &terminal]);
    let mut opened = open(&mut card);
    let outcome = opened.authenticate(&shown, &chain.cvca).unwrap();
    assert_eq!(outcome.chain.len(), 3);
    assert_eq!(opened.readable(), Rights::ALL);
    let trust = card.card.summary().trust.unwrap();
    assert_eq!(trust.references, [&b"VNCVCA00002"[..], b"VNCVCA00001"]);
    assert_eq!(trust.date, [2, 6, 0, 5, 0, 1]);
    // From now on without the link; the older trust point still verifies its own.
    let mut opened = open(&mut card);
    opened.authenticate(&credentials([&dv, &terminal]), &link).unwrap();
    let mut opened = open(&mut card);
    opened.authenticate(&chain.credentials(), &chain.cvca).unwrap();
    // A link by the older one is not taken any more.
    let evil = chain.cvca.link("VNCVCA00003", &key(), &link_terms);
    let dv = evil.issue("VNDV00003", &key(), &after(Role::DomesticDv));
    let terminal = dv.issue("VNGATE00003", &key(), &after(Role::Terminal));
    let error = refused(&mut card, &credentials([&evil, &dv, &terminal]), &chain.cvca);
    assert_eq!(status_of(&error), 0x6982);
}

#[test]
fn roles_do_not_stand_in_for_each_other() {
    // A terminal's key as a verifier's: the reader cannot be made to issue it, so the name of a
    // terminal is told as the card's trust point.
    let chain = Chain::new(key);
    let mut card = EacCard::trusting(&chain.cvca);
    let mut opened = open(&mut card);
    let dv = [HolderReference::new(b"VNDV00001").unwrap()];
    let binding = opened.binding.clone();
    let shown = credentials([&chain.terminal]);
    let error = authenticate_terminal(&mut opened.session, &shown, &dv, binding, &mut random())
        .unwrap_err();
    assert_eq!((status_of(&error), opened.readable()), (0x6A88, NONE));
}
