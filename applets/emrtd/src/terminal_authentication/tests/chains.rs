//! Certificates that the card must refuse, and those it must not.

use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::rsa::RsaPrivateKey;

use super::*;
use crate::testing::{Certificate, Random};

/// A card in a session after Chip Authentication.
fn open_card(pki: &Pki) -> Card {
    let mut card = Card::personalised(pki);
    card.open();
    card
}

#[test]
fn refuses_a_name_that_it_does_not_know() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    assert_eq!(card.set_dst("VNCVCATEST00002"), 0x6A88);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88, "not presented yet");
    assert_eq!(card.verify(&pki.document_verifier().sign(&pki.cvca)), 0x6985, "no key chosen");
    assert_eq!(card.send(0x22, 0x81, 0xB6, &[0x84, 1, 1], None).status.0, 0x6A80);
}

#[test]
fn a_refused_choice_undoes_the_one_before() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    assert_eq!(card.set_dst(pki.cvca_name), OK);
    assert_eq!(card.set_dst("VNCVCATEST00002"), 0x6A88);
    assert_eq!(card.verify(&pki.document_verifier().sign(&pki.cvca)), 0x6985);
}

#[test]
fn refuses_a_certificate_of_another_issuer_than_the_chosen() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    assert_eq!(card.set_dst(pki.cvca_name), OK);
    let other = Certificate { authority: "VNCVCATEST00002", ..pki.document_verifier() };
    assert_eq!(card.verify(&other.sign(&pki.cvca)), 0x6A80);
}

#[test]
fn refuses_a_signature_with_another_key() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    let stranger = Key::ec(Curve::P256, 3, 77);
    assert_eq!(card.present(&pki.document_verifier(), &stranger), 0x6300);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    assert_eq!(card.present(&pki.terminal(), &stranger), 0x6300);
    assert_eq!(card.present(&pki.terminal(), &pki.cvca), 0x6300);
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88);
}

#[test]
fn refuses_a_changed_certificate() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    let mut certificate = pki.document_verifier().sign(&pki.cvca);
    // The role of a CVCA in the place of the document verifier's.
    let position = certificate.windows(3).position(|w| w == [0x53, 1, 0x83]).unwrap() + 2;
    certificate[position] = 0xC3;
    assert_eq!(card.set_dst(pki.cvca_name), OK);
    assert_eq!(card.verify(&certificate), 0x6300);
    assert_eq!(card.verify(&certificate[..certificate.len() - 1]), 0x6A80);
    assert_eq!(card.verify(&[]), 0x6A80);
}

#[test]
fn the_chosen_key_stays_after_a_failure_and_is_gone_after_a_success() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    assert_eq!(card.set_dst(pki.cvca_name), OK);
    assert_eq!(card.verify(&[0x7F, 0x4E, 0]), 0x6A80);
    let certificate = pki.document_verifier().sign(&pki.cvca);
    assert_eq!(card.verify(&certificate), OK);
    assert_eq!(card.verify(&certificate), 0x6985);
}

#[test]
fn a_chain_has_its_links_in_their_order() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    // The terminal's certificate by the CVCA itself.
    let short_cut = Certificate { authority: pki.cvca_name, ..pki.terminal() };
    assert_eq!(card.present(&short_cut, &pki.cvca), 0x6982);
    assert_eq!(card.present(&pki.terminal(), &pki.document_verifier), 0x6A88);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    // A document verifier that makes document verifiers, or a CVCA.
    for role in [DOMESTIC, FOREIGN, testing::CVCA] {
        let below = Certificate { authorization: role | DG3 | DG4, ..pki.terminal() };
        assert_eq!(card.present(&below, &pki.document_verifier), 0x6982);
    }
    assert_eq!(card.ef_cvca()[..2], [0x42, 15]);
    assert_eq!(card.ef_cvca()[17..], [0; 19], "no trust point came of it");
    // A terminal that makes terminals.
    assert_eq!(card.present(&pki.terminal(), &pki.document_verifier), OK);
    let below =
        Certificate { authority: pki.terminal_name, holder: "VNISTEST00002", ..pki.terminal() };
    assert_eq!(card.present(&below, &pki.terminal), 0x6A88);
}

#[test]
fn chains_of_two_document_verifiers_are_not_mixed() {
    let pki = Pki::new();
    let other = Pki {
        document_verifier: Key::ec(Curve::P256, 3, 20),
        document_verifier_name: "VNDVTEST00002",
        document_verifier_rights: DG3,
        ..Pki::new()
    };
    let mut card = open_card(&pki);
    card.present_chain(&pki);
    let again = Certificate { effective: "260401", ..other.document_verifier() };
    assert_eq!(card.present(&again, &pki.cvca), OK);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88, "the newer took its place");
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88, "its terminal went with it");
    assert_eq!(card.present(&other.terminal(), &other.document_verifier), OK);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    assert_eq!(card.prove(&pki.terminal), OK);
    assert_eq!((card.select(DG3_FILE), card.select(DG4_FILE)), (OK, 0x6982));
}

#[test]
fn refuses_certificates_for_other_terminals() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    let terminals = AUTHENTICATION_TERMINAL;
    let other = Certificate { terminals, ..pki.document_verifier() };
    assert_eq!(card.present(&other, &pki.cvca), 0x6982);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    let other = Certificate { terminals, ..pki.terminal() };
    assert_eq!(card.present(&other, &pki.document_verifier), 0x6982);
}

#[test]
fn refuses_domain_parameters_below_the_cvca() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    let own = Certificate { parameters: true, ..pki.document_verifier() };
    assert_eq!(card.present(&own, &pki.cvca), 0x6A80);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    let own = Certificate { parameters: true, ..pki.terminal() };
    assert_eq!(card.present(&own, &pki.document_verifier), 0x6A80);
}

#[test]
fn refuses_a_key_on_another_curve_than_the_cvca() {
    let mut pki = Pki::new();
    pki.document_verifier = Key::ec(Curve::BrainpoolP256r1, 3, 2);
    let mut card = open_card(&pki);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), 0x6A80);
}

#[test]
fn refuses_expired_certificates_from_the_day_after_the_last() {
    let pki = Pki::new();
    let of_verifier =
        |expiration| Certificate { effective: "260101", expiration, ..pki.document_verifier() };
    // The card's date is 2026-02-01.
    assert_eq!(open_card(&pki).present(&of_verifier("260131"), &pki.cvca), 0x6984);
    assert_eq!(open_card(&pki).present(&of_verifier("260201"), &pki.cvca), OK);
    let mut card = open_card(&pki);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    // Its date is 2026-03-01 now.
    let terminal = |expiration| Certificate { effective: "260101", expiration, ..pki.terminal() };
    assert_eq!(card.present(&terminal("260228"), &pki.document_verifier), 0x6984);
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88);
    assert_eq!(card.present(&terminal("260301"), &pki.document_verifier), OK);
}

#[test]
fn a_forged_certificate_does_not_move_the_date() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    let forged =
        Certificate { effective: "270101", expiration: "271231", ..pki.document_verifier() };
    assert_eq!(card.present(&forged, &pki.terminal), 0x6300);
    assert_eq!(card.date(), b"260201");
}

#[test]
fn runs_with_rsa_keys_and_with_every_curve() {
    let rsa = RsaPrivateKey::generate(1280, &mut Random(5)).unwrap();
    let mut keys: Vec<[Key; 3]> =
        (1..=6).map(|arc| [arc; 3].map(|arc| Key::rsa(arc, &rsa))).collect();
    keys.extend(Curve::ALL.map(|curve| [1, 2, 3].map(|seed| Key::ec(curve, 5, seed))));
    for [cvca, document_verifier, terminal] in keys {
        let pki = Pki { cvca, document_verifier, terminal, ..Pki::new() };
        let mut card = open_card(&pki);
        assert_eq!(card.authenticate(&pki), OK);
        assert_eq!(card.select(DG4_FILE), OK);
    }
}
