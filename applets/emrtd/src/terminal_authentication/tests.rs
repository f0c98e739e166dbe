use alloc::vec::Vec;

use super::*;
use crate::testing::{self, AUTHENTICATION_TERMINAL, DG3, DG4, DOMESTIC, FOREIGN, Key};

mod card;
mod chains;
mod updates;

use card::{Card, DOCUMENT_NUMBER, EPHEMERAL, Pki};

const OK: u16 = 0x9000;
const DG3_FILE: u16 = 0x0103;
const DG4_FILE: u16 = 0x0104;

#[test]
fn a_terminal_with_both_rights_reads_both_data_groups() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    assert_eq!(card.select(DG3_FILE), 0x6982);
    assert_eq!(card.authenticate(&pki), OK);
    assert_eq!((card.select(DG3_FILE), card.select(DG4_FILE)), (OK, OK));
    assert_eq!(card.read_binary(0x83).data, [0xD3; 8]);
    assert_eq!(card.read_binary(0x84).data, [0xD4; 8]);
}

#[test]
fn a_terminal_with_one_right_reads_one_data_group_however_it_asks() {
    for (right, own, other) in [(DG3, DG3_FILE, DG4_FILE), (DG4, DG4_FILE, DG3_FILE)] {
        let pki = Pki { terminal_rights: right, ..Pki::new() };
        let mut card = Card::personalised(&pki);
        card.open();
        assert_eq!(card.authenticate(&pki), OK);
        assert_eq!((card.select(own), card.select(other)), (OK, 0x6982));
        let short = |file: u16| 0x80 | (file & 0x1F) as u8;
        assert_eq!(card.read_binary(short(own)).status.0, OK);
        assert_eq!(card.read_binary(short(other)).status.0, 0x6982);
        assert_eq!(card.read_binary_odd(own).status.0, OK);
        assert_eq!(card.read_binary_odd(other).status.0, 0x6982);
        assert!(card.read_binary_odd(other).data.is_empty());
    }
}

#[test]
fn a_right_comes_from_every_certificate_of_the_chain() {
    let both = DG3 | DG4;
    for (cvca, document_verifier, terminal, effective) in [
        (both, both, both, both),
        (DG3, both, both, DG3),
        (both, DG4, both, DG4),
        (both, both, 0, 0),
        (DG3, DG4, both, 0),
        (0, both, both, 0),
    ] {
        let pki = Pki {
            cvca_rights: cvca,
            document_verifier_rights: document_verifier,
            terminal_rights: terminal,
            ..Pki::new()
        };
        let mut card = Card::personalised(&pki);
        card.open();
        assert_eq!(card.authenticate(&pki), OK);
        assert_eq!(card.select(DG3_FILE) == OK, effective & DG3 != 0);
        assert_eq!(card.select(DG4_FILE) == OK, effective & DG4 != 0);
    }
}

#[test]
fn document_verifiers_and_other_terminals_have_no_rights() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.document_verifier_name), 0x6A88);
    assert_eq!((card.select(DG3_FILE), card.select(DG4_FILE)), (0x6982, 0x6982));
}

#[test]
fn before_chip_authentication_every_step_is_refused() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    card.session().chip_authentication_key = None;
    assert_eq!(card.set_dst(pki.cvca_name), 0x6982);
    assert_eq!(card.verify(&pki.document_verifier().sign(&pki.cvca)), 0x6982);
    assert_eq!(card.set_at(pki.terminal_name), 0x6982);
    let challenge = card.challenge();
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&signature), 0x6982);
}

#[test]
fn outside_secure_messaging_every_step_is_refused() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    assert_eq!(card.select_application(), OK);
    assert_eq!(card.set_dst(pki.cvca_name), 0x6982);
    assert_eq!(card.verify(&pki.document_verifier().sign(&pki.cvca)), 0x6982);
    assert_eq!(card.set_at(pki.terminal_name), 0x6982);
}

#[test]
fn without_the_flag_every_step_is_refused() {
    let pki = Pki::new();
    let mut card = Card::personalised_with(&pki, 0x01 | 0x04);
    card.open();
    assert_eq!(card.set_dst(pki.cvca_name), 0x6985);
    assert_eq!(card.verify(&pki.document_verifier().sign(&pki.cvca)), 0x6985);
    assert_eq!(card.set_at(pki.terminal_name), 0x6985);
    assert_eq!(card.external_authenticate(&[0; 64]), 0x6985);
}

#[test]
fn in_the_master_file_it_takes_pace() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.session().directory.location = Location::MasterFile;
    assert_eq!(card.set_dst(pki.cvca_name), 0x6982);
    card.session().pace_identifier = Some([9; 32].to_vec());
    assert_eq!(card.set_dst(pki.cvca_name), OK);
}

#[test]
fn only_the_presented_terminal_can_be_chosen() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88, "nothing presented yet");
    card.present_chain(&pki);
    for wrong in ["VNISTEST00002", pki.document_verifier_name, pki.cvca_name, "", "VN"] {
        assert_eq!(card.set_at(wrong), 0x6A88, "{wrong}");
    }
    assert_eq!(card.send(0x22, 0x81, 0xA4, &[], None).status.0, 0x6A80);
    assert_eq!(card.send(0x22, 0x81, 0xA4, &[0x84, 1, 1], None).status.0, 0x6A80);
    assert_eq!(card.set_at(pki.terminal_name), OK);
}

#[test]
fn the_signature_covers_identifier_challenge_and_ephemeral_key() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    for wrong in 0..4 {
        let mut challenge = card.challenge();
        let mut identifier = DOCUMENT_NUMBER.to_vec();
        let mut ephemeral = EPHEMERAL.to_vec();
        match wrong {
            0 => identifier[0] ^= 1,
            1 => challenge[7] ^= 1,
            2 => ephemeral[31] ^= 1,
            _ => ephemeral.clear(),
        }
        let signature = pki.terminal.sign(&[&identifier[..], &challenge, &ephemeral].concat());
        assert_eq!(card.external_authenticate(&signature), 0x6300, "{wrong}");
        assert_eq!(card.select(DG3_FILE), 0x6982);
    }
    assert_eq!(card.prove(&pki.terminal), OK, "a failure is no end");
}

#[test]
fn after_pace_the_chip_is_named_by_its_ephemeral_key() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.session().pace_identifier = Some([9; 32].to_vec());
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    assert_eq!(card.prove(&pki.terminal), 0x6300, "the document number is for BAC");
    let challenge = card.challenge();
    let signature = pki.terminal.sign(&[&[9; 32][..], &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&signature), OK);
}

#[test]
fn refuses_a_signature_with_another_key_or_of_another_length() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    assert_eq!(card.prove(&pki.document_verifier), 0x6300);
    card.challenge();
    assert_eq!(card.external_authenticate(&[0; 64]), 0x6300);
    card.challenge();
    assert_eq!(card.external_authenticate(&[]), 0x6300);
    assert_eq!(card.select(DG3_FILE), 0x6982);
}

#[test]
fn a_challenge_is_good_for_one_use() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    let challenge = card.challenge();
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&[1; 64]), 0x6300);
    assert_eq!(card.external_authenticate(&signature), 0x6985, "the challenge is used up");
    card.challenge();
    assert_eq!(card.external_authenticate(&signature), 0x6300, "a replayed signature");
}

#[test]
fn the_challenge_comes_after_the_choice_of_the_key() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    let challenge = card.challenge();
    assert_eq!(card.set_at(pki.terminal_name), OK);
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&signature), 0x6985);
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.prove(&pki.terminal), 0x6985, "no key chosen");
}

#[test]
fn a_challenge_from_before_secure_messaging_is_of_no_use() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    let challenge = card.challenge();
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&signature), 0x6985);
}

#[test]
fn a_second_authentication_in_the_session_is_refused_and_takes_nothing_away() {
    let pki = Pki { terminal_rights: DG3, ..Pki::new() };
    let mut card = Card::personalised(&pki);
    card.open();
    assert_eq!(card.authenticate(&pki), OK);
    let stronger = Pki::new();
    card.present_chain(&stronger);
    assert_eq!(card.set_at(pki.terminal_name), 0x6982);
    assert_eq!(card.prove(&pki.terminal), 0x6982);
    assert_eq!((card.select(DG3_FILE), card.select(DG4_FILE)), (OK, 0x6982));
}

#[test]
fn rights_end_when_secure_messaging_is_dropped() {
    let pki = Pki::new();
    for plain in [
        &[0x00, 0xB0, 0x83, 0x00, 0x04][..],
        &[0x00, 0x84, 0x00, 0x00, 0x08],
        // Protected, but without its check value.
        &[0x0C, 0xB0, 0x83, 0x00, 0x03, 0x97, 0x01, 0x04, 0x00],
    ] {
        let mut card = Card::personalised(&pki);
        card.open();
        assert_eq!(card.authenticate(&pki), OK);
        let answer = card.process(plain);
        assert!(matches!(answer.status.0, 0x6987 | 0x6988) && answer.data.is_empty());
        assert!(!card.session().is_open());
        assert_eq!((card.select(DG3_FILE), card.select(DG4_FILE)), (0x6982, 0x6982));
        assert_eq!(card.read_binary(0x83).status.0, 0x6982);
        card.open();
        assert_eq!(card.select(DG3_FILE), 0x6982, "a new session begins without rights");
        assert_eq!(card.authenticate(&pki), OK);
    }
}

#[test]
fn secure_messaging_dropped_midway_leaves_nothing_imported() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    let challenge = card.challenge();
    let _ = card.process(&[0x00, 0xB0, 0x81, 0x00, 0x04]);
    card.open();
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &EPHEMERAL].concat());
    assert_eq!(card.external_authenticate(&signature), 0x6985);
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88);
}

#[test]
fn rights_end_when_chip_authentication_changes_the_keys() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open_by_chip_authentication(3);
    assert_eq!(card.authenticate(&pki), OK);
    assert_eq!(card.select(DG3_FILE), OK);
    card.chip_authentication(4);
    assert_eq!(card.select(DG3_FILE), 0x6982);
    assert_eq!(card.read_binary(0x83).status.0, 0x6982);
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), 0x6982, "once in a session");
}

#[test]
fn after_chip_authentication_again_the_newest_key_counts() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open_by_chip_authentication(3);
    card.present_chain(&pki);
    let old = card.ephemeral.clone();
    card.chip_authentication(4);
    assert_eq!(card.set_at(pki.terminal_name), 0x6A88, "what was presented is forgotten");
    card.present_chain(&pki);
    assert_eq!(card.set_at(pki.terminal_name), OK);
    let challenge = card.challenge();
    let signature = pki.terminal.sign(&[DOCUMENT_NUMBER, &challenge, &old].concat());
    assert_eq!(card.external_authenticate(&signature), 0x6300);
    assert_eq!(card.prove(&pki.terminal), OK);
}

#[test]
fn runs_under_secure_messaging_with_chained_certificates() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open_by_chip_authentication(3);
    card.chained = true;
    assert_eq!(card.authenticate(&pki), OK);
    assert_eq!(card.read_binary(0x84).data, [0xD4; 8]);
}

#[test]
fn an_interrupted_chain_of_commands_imports_nothing() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open_by_chip_authentication(3);
    assert_eq!(card.set_dst(pki.cvca_name), OK);
    let certificate = pki.document_verifier().sign(&pki.cvca);
    let (first, second) = certificate.split_at(100);
    assert_eq!(card.send_class([0x10, 0x2A, 0x00, 0xBE], first, None).status.0, OK);
    assert_eq!(card.send(0x84, 0, 0, &[], Some(8)).status.0, 0x6883);
    assert_eq!(card.send(0x2A, 0x00, 0xBE, second, None).status.0, 0x6A80);
    assert_eq!(card.set_dst(pki.document_verifier_name), 0x6A88);
}

#[test]
fn reads_as_before_what_needs_no_right() {
    let pki = Pki::new();
    let mut card = Card::personalised(&pki);
    card.open();
    assert_eq!(card.select(0x0101), OK);
    assert_eq!(card.authenticate(&pki), OK);
    assert_eq!(card.select(0x0101), OK);
}

proptest::proptest! {
    #[test]
    fn no_sequence_of_commands_gives_a_right(
        commands in proptest::collection::vec(
            (
                proptest::sample::select(alloc::vec![
                    (0x22, 0x81, 0xB6), (0x2A, 0x00, 0xBE), (0x22, 0x81, 0xA4), (0x84, 0, 0),
                    (0x82, 0, 0), (0xA4, 0x02, 0x0C),
                ]),
                0usize..8,
                proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            ),
            1..12,
        )
    ) {
        let pki = Pki::new();
        let mut card = Card::personalised(&pki);
        card.open();
        let names = [pki.cvca_name, pki.document_verifier_name, pki.terminal_name];
        for ((ins, p1, p2), kind, bytes) in &commands {
            let data: Vec<u8> = match kind {
                0..=2 => cancuoc_card_runtime::tlv::object(0x83, names[*kind].as_bytes()),
                3 => pki.document_verifier().sign(&pki.cvca),
                4 => pki.terminal().sign(&pki.document_verifier),
                5 => alloc::vec![0x01, 0x03],
                6 => Vec::new(),
                _ => bytes.clone(),
            };
            let _ = card.send(*ins, *p1, *p2, &data, Some(256));
        }
        proptest::prop_assert_eq!(card.select(DG3_FILE), 0x6982);
        proptest::prop_assert_eq!(card.select(DG4_FILE), 0x6982);
    }
}
