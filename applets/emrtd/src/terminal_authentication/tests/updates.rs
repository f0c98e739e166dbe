//! What certificates change on the card: its date, its trust points, EF.CVCA.

use cancuoc_card_runtime::tlv::object;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::rsa::RsaPrivateKey;

use super::*;
use crate::testing::{Certificate, Random, whole};

const FIRST: &str = "VNCVCATEST00001";
const SECOND: &str = "VNCVCATEST00002";
const THIRD: &str = "VNCVCATEST00003";

fn open_card(pki: &Pki) -> Card {
    let mut card = Card::personalised(pki);
    card.open();
    card
}

fn link<'a>(pki: &'a Pki, authority: &'a str, holder: &'a str, key: &'a Key) -> Certificate<'a> {
    let (effective, expiration) = ("280601", "310531");
    Certificate { authority, holder, key, effective, expiration, ..pki.cvca() }
}

/// EF.CVCA with the names.
fn file(names: &[&str]) -> Vec<u8> {
    let mut content: Vec<u8> =
        names.iter().flat_map(|name| object(0x42, name.as_bytes())).collect();
    content.resize(36, 0);
    content
}

#[test]
fn document_verifiers_and_domestic_terminals_move_the_date_on() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    assert_eq!(card.date(), b"260201");
    // Made after the date that the card has: it is the card's date that is behind.
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), OK);
    assert_eq!(card.date(), b"260301");
    assert_eq!(card.present(&pki.terminal(), &pki.document_verifier), OK);
    assert_eq!(card.date(), b"260401");
}

#[test]
fn a_foreign_terminal_is_let_in_without_moving_the_date() {
    let pki = Pki { document_verifier_role: FOREIGN, ..Pki::new() };
    let mut card = open_card(&pki);
    assert_eq!(card.authenticate(&pki), OK);
    assert_eq!(card.date(), b"260301", "as the CVCA has it, not the foreign document verifier");
}

#[test]
fn the_date_never_goes_back() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    card.present_chain(&pki);
    let older =
        Certificate { effective: "260102", expiration: "260930", ..pki.document_verifier() };
    assert_eq!(card.present(&older, &pki.cvca), OK);
    assert_eq!(card.date(), b"260401");
}

#[test]
fn the_date_outlasts_the_session() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    card.present_chain(&pki);
    card.application = crate::Emrtd::default();
    card.open();
    // Valid to 2026-03-31, which is past by now.
    let expired = Certificate { expiration: "260331", ..pki.document_verifier() };
    assert_eq!(card.present(&expired, &pki.cvca), 0x6984);
}

#[test]
fn a_link_certificate_brings_the_next_trust_point() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    let mut card = open_card(&pki);
    assert_eq!(card.ef_cvca(), file(&[FIRST]));
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    assert_eq!(card.ef_cvca(), file(&[SECOND, FIRST]));
    assert_eq!(card.date(), b"280601");
    assert_eq!(card.read_binary(0x9C).data, file(&[SECOND, FIRST]));
    // After a reset, under the new one.
    card.application = crate::Emrtd::default();
    card.open();
    let document_verifier = Certificate {
        authority: SECOND,
        effective: "280701",
        expiration: "280930",
        ..pki.document_verifier()
    };
    assert_eq!(card.present(&document_verifier, &next), OK);
    let terminal = Certificate { effective: "280701", expiration: "280731", ..pki.terminal() };
    assert_eq!(card.present(&terminal, &pki.document_verifier), OK);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    assert_eq!(card.prove(&pki.terminal), OK);
    assert_eq!(card.select(DG3_FILE), OK);
}

#[test]
fn the_older_trust_point_verifies_until_it_expires() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    let mut card = open_card(&pki);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    let dates =
        |effective, expiration| Certificate { effective, expiration, ..pki.document_verifier() };
    assert_eq!(card.present(&dates("281231", "290228"), &pki.cvca), OK);
    assert_eq!(card.date(), b"281231");
    let newer = Certificate { authority: SECOND, ..dates("290101", "290331") };
    assert_eq!(card.present(&newer, &next), OK);
    assert_eq!(card.present(&dates("281231", "290228"), &pki.cvca), 0x6984);
}

#[test]
fn an_expired_trust_point_verifies_link_certificates_alone() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    let mut card = Card::personalised(&pki);
    card.personalize(0x0502, &[2, 9, 0, 1, 0, 1]);
    card.open();
    let document_verifier =
        Certificate { effective: "290101", expiration: "290331", ..pki.document_verifier() };
    assert_eq!(card.present(&document_verifier, &pki.cvca), 0x6984);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    assert_eq!(card.date(), b"290101", "an older link certificate does not turn the date back");
}

#[test]
fn an_expired_link_certificate_is_accepted() {
    let pki = Pki::new();
    let (second, third) = (Key::ec(Curve::P256, 3, 40), Key::ec(Curve::P256, 3, 41));
    let mut card = Card::personalised(&pki);
    card.personalize(0x0502, &[3, 2, 0, 1, 0, 1]);
    card.open();
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &second), &pki.cvca), OK);
    let third = Certificate {
        effective: "310101",
        expiration: "331231",
        ..link(&pki, SECOND, THIRD, &third)
    };
    assert_eq!(card.present(&third, &second), OK);
    assert_eq!(card.ef_cvca(), file(&[THIRD, SECOND]));
}

#[test]
fn of_three_trust_points_the_oldest_goes() {
    let pki = Pki::new();
    let (second, third) = (Key::ec(Curve::P256, 3, 40), Key::ec(Curve::P256, 3, 41));
    let mut card = open_card(&pki);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &second), &pki.cvca), OK);
    assert_eq!(card.present(&link(&pki, SECOND, THIRD, &third), &second), OK);
    assert_eq!(card.ef_cvca(), file(&[THIRD, SECOND]));
    assert_eq!(card.set_dst(FIRST), 0x6A88);
}

#[test]
fn an_older_trust_point_makes_no_new_one() {
    let pki = Pki::new();
    let second = Key::ec(Curve::P256, 3, 40);
    let mut card = open_card(&pki);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &second), &pki.cvca), OK);
    let before = card.memory.records.clone();
    let stranger = Key::ec(Curve::P256, 3, 50);
    assert_eq!(card.present(&link(&pki, FIRST, THIRD, &stranger), &pki.cvca), 0x6982);
    assert_eq!(card.memory.records, before);
}

#[test]
fn a_name_that_is_taken_is_not_given_to_another_key() {
    let pki = Pki::new();
    let (second, other) = (Key::ec(Curve::P256, 3, 40), Key::ec(Curve::P256, 3, 41));
    let mut card = open_card(&pki);
    assert_eq!(card.present(&pki.cvca(), &pki.cvca), 0x6985, "the trust point itself");
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &second), &pki.cvca), OK);
    let before = card.memory.records.clone();
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &other), &pki.cvca), 0x6985);
    let named = Certificate {
        holder: SECOND,
        effective: "280601",
        expiration: "280930",
        ..pki.document_verifier()
    };
    assert_eq!(card.present(&named, &pki.cvca), 0x6985);
    assert_eq!(card.memory.records, before);
}

#[test]
fn a_link_certificate_may_leave_the_curve_to_its_predecessor_or_bring_another_key() {
    let pki = Pki::new();
    let rsa = RsaPrivateKey::generate(1024, &mut Random(5)).unwrap();
    for (parameters, second) in [
        (false, Key::ec(Curve::P256, 3, 40)),
        (true, Key::ec(Curve::BrainpoolP384r1, 4, 41)),
        (true, Key::rsa(4, &rsa)),
    ] {
        let mut card = open_card(&pki);
        let certificate = Certificate { parameters, ..link(&pki, FIRST, SECOND, &second) };
        assert_eq!(card.present(&certificate, &pki.cvca), OK);
        let third = Key::ec(Curve::P384, 4, 42);
        assert_eq!(card.present(&link(&pki, SECOND, THIRD, &third), &second), OK);
    }
    let other = Key::ec(Curve::BrainpoolP256r1, 3, 41);
    let without = Certificate { parameters: false, ..link(&pki, FIRST, SECOND, &other) };
    let mut card = open_card(&pki);
    assert_eq!(card.present(&without, &pki.cvca), 0x6A80);
    assert_eq!(card.ef_cvca(), file(&[FIRST]));
}

#[test]
fn the_power_goes_while_a_link_certificate_is_taken_over() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    let mut card = open_card(&pki);
    let before = card.memory.records.clone();
    card.memory.writes_left = Some(0);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), 0x6581);
    assert_eq!(card.memory.records, before);
    card.memory.writes_left = None;
    card.application = crate::Emrtd::default();
    card.open();
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    assert_eq!(card.ef_cvca(), file(&[SECOND, FIRST]));
}

#[test]
fn trust_point_file_and_date_change_in_one_step() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    let mut card = open_card(&pki);
    card.memory.writes_left = Some(1);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    assert_eq!((card.ef_cvca(), card.date()), (&file(&[SECOND, FIRST])[..], b"280601".to_vec()));
}

#[test]
fn a_document_verifier_is_not_imported_when_the_date_cannot_be_written() {
    let pki = Pki::new();
    let mut card = open_card(&pki);
    card.memory.writes_left = Some(0);
    assert_eq!(card.present(&pki.document_verifier(), &pki.cvca), 0x6581);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88);
    assert_eq!(card.date(), b"260201");
}

#[test]
fn personalisation_takes_two_trust_points_the_second_the_newer() {
    let pki = Pki::new();
    let second = Key::ec(Curve::P256, 3, 40);
    let mut card = Card::blank(0x15);
    card.personalize(0x0501, &whole(&pki.cvca().sign(&pki.cvca)));
    card.personalize(0x0501, &whole(&link(&pki, FIRST, SECOND, &second).sign(&pki.cvca)));
    assert_eq!(card.ef_cvca(), file(&[SECOND, FIRST]));
    // Personalisation begun again: the same names keep their places.
    card.personalize(0x0501, &whole(&pki.cvca().sign(&pki.cvca)));
    assert_eq!(card.ef_cvca(), file(&[SECOND, FIRST]));
}

#[test]
fn personalisation_refuses_trust_points_that_are_none() {
    let pki = Pki::new();
    let mut card = Card::blank(0x15);
    let stranger = Key::ec(Curve::P256, 3, 77);
    let right = pki.cvca().sign(&pki.cvca);
    for wrong in [
        whole(&pki.cvca().sign(&stranger)),
        whole(&pki.document_verifier().sign(&pki.cvca)),
        whole(&Certificate { parameters: false, ..pki.cvca() }.sign(&pki.cvca)),
        whole(&Certificate { terminals: AUTHENTICATION_TERMINAL, ..pki.cvca() }.sign(&pki.cvca)),
        right.clone(),
        Vec::new(),
    ] {
        assert_eq!(card.try_personalize(0x0501, &wrong), 0x6A80);
    }
    card.personalize(0x0501, &whole(&right));
    // Its predecessor is on the card, so the signature can be checked.
    let forged = link(&pki, FIRST, SECOND, &stranger).sign(&stranger);
    assert_eq!(card.try_personalize(0x0501, &whole(&forged)), 0x6A80);
}

#[test]
fn personalisation_takes_the_trust_point_of_the_worked_example() {
    let example =
        include_str!("../../../../../testvectors/bsi-tr03110/eac-terminal-authentication-ecdh.txt");
    let mut card = Card::blank(0x15);
    card.personalize(0x0501, &testing::value(example, "cvca_certificate"));
    assert_eq!(card.ef_cvca(), file(&["DECVCAAT00001"]));
}

#[test]
fn personalisation_refuses_a_date_or_chip_identifier_that_is_none() {
    let mut card = Card::blank(0x15);
    for wrong in [&b"260201"[..], &[2, 6, 0, 2, 3, 0], &[2, 6, 0, 2], &[]] {
        assert_eq!(card.try_personalize(0x0502, wrong), 0x6A80);
    }
    for wrong in [&b""[..], b"1", b"07900012A", b"079000123 4", &[b'1'; 33]] {
        assert_eq!(card.try_personalize(0x0503, wrong), 0x6A80);
    }
}

#[test]
fn the_card_opens_only_with_all_that_terminal_authentication_needs() {
    let pki = Pki::new();
    for missing in 0..4 {
        let mut card = Card::blank(0x15);
        if missing != 0 {
            card.personalize(0x0501, &whole(&pki.cvca().sign(&pki.cvca)));
        }
        if missing != 1 {
            card.personalize(0x0502, &[2, 6, 0, 2, 0, 1]);
        }
        if missing != 2 {
            card.personalize(0x0503, DOCUMENT_NUMBER);
        }
        let expected = if missing == 3 { OK } else { 0x6985 };
        assert_eq!(card.try_personalize(0x0F01, &[]), expected, "{missing}");
    }
}

#[test]
fn ef_cvca_is_right_though_its_content_comes_after_the_trust_points() {
    let pki = Pki::new();
    let mut card = Card::blank(0x15);
    card.personalize(0x0501, &whole(&pki.cvca().sign(&pki.cvca)));
    card.personalize(0x0502, &[2, 6, 0, 2, 0, 1]);
    card.personalize(0x0503, DOCUMENT_NUMBER);
    card.personalize(0x0102, &[&[1, 1, 0x1C, 0, 0, 0][..], &[0xEE; 36]].concat());
    card.personalize(0x0F01, &[]);
    assert_eq!(card.ef_cvca(), file(&[FIRST]));
}

#[test]
fn the_summary_names_trust_points_and_date() {
    let pki = Pki::new();
    let next = Key::ec(Curve::P256, 3, 40);
    assert_eq!(crate::trust_summary(&Card::blank(0x15).memory), None);
    let mut card = open_card(&pki);
    assert_eq!(card.present(&link(&pki, FIRST, SECOND, &next), &pki.cvca), OK);
    let summary = crate::trust_summary(&card.memory).unwrap();
    assert_eq!(summary.references, [SECOND.as_bytes(), FIRST.as_bytes()]);
    assert_eq!(summary.date, [2, 8, 0, 6, 0, 1]);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(40))]

    #[test]
    fn whatever_is_presented_the_date_grows_and_the_file_names_the_trust_points(
        steps in proptest::collection::vec((0u8..4, 10u8..60, 0u8..30), 1..10)
    ) {
        let pki = Pki::new();
        let mut card = open_card(&pki);
        // Names and seeds of the trust points that there were, the newest last.
        let mut names = alloc::vec![alloc::string::String::from(FIRST)];
        let mut key = Key::ec(Curve::P256, 3, 1);
        for (kind, from, years) in steps {
            let (before, newest) = (card.date(), names.last().cloned().unwrap_or_default());
            let effective = alloc::format!("{from:02}0115");
            let expiration = alloc::format!("{:02}0115", from + years);
            let dates = |certificate| Certificate {
                authority: &newest,
                effective: &effective,
                expiration: &expiration,
                ..certificate
            };
            match kind {
                0 => {
                    let next = alloc::format!("VNCVCATEST1{:04}", names.len());
                    let next_key = Key::ec(Curve::P256, 3, 100 + names.len() as u64);
                    let link = Certificate { holder: &next, key: &next_key, ..dates(pki.cvca()) };
                    proptest::prop_assert_eq!(card.present(&link, &key), OK);
                    names.push(next);
                    key = next_key;
                }
                1 => {
                    let _ = card.present(&dates(pki.document_verifier()), &key);
                }
                2 => {
                    let terminal =
                        Certificate { authority: pki.document_verifier_name, ..dates(pki.terminal()) };
                    let _ = card.present(&terminal, &pki.document_verifier);
                }
                _ => {
                    // Nobody's signature.
                    let stranger = Key::ec(Curve::P256, 3, 77);
                    let status = card.present(&dates(pki.document_verifier()), &stranger);
                    proptest::prop_assert_eq!(status, 0x6300);
                    proptest::prop_assert_eq!(card.date(), before.clone());
                }
            }
            proptest::prop_assert!(card.date() >= before);
            let newest_first: Vec<&str> =
                names.iter().rev().take(2).map(|name: &alloc::string::String| name.as_str()).collect();
            proptest::prop_assert_eq!(card.ef_cvca(), file(&newest_first));
        }
    }
}
