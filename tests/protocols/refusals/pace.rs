//! PACE with a message changed on its way: neither end opens a session.

use std::cell::RefCell;

use cancuoc::document::AccessKeys;
use cancuoc::issue::{CardImage, PaceConfiguration};
use cancuoc::lds::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfoKind};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::{AccessPlan, KeyFault, Session, TerminalError, open_card};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::DomainParameters;

use super::between::{
    Between, Passing, data_of, replace_in_command, replace_in_response, value_of,
};
use crate::cards::{personalised, random};
use crate::chips::{bac_image, card_access, keys};

const CURVE: u8 = 13;
const PRIME_FIELD: u8 = 0;

const NONCE: u32 = 0x80;
const TERMINAL_MAPPING: u32 = 0x81;
const CARD_MAPPING: u32 = 0x82;
const TERMINAL_KEY: u32 = 0x83;
const CARD_KEY: u32 = 0x84;
const TERMINAL_TOKEN: u32 = 0x85;
const CARD_TOKEN: u32 = 0x86;

fn card(domain_parameter_id: u8, mapping: Mapping) -> SoftCard {
    let elliptic = DomainParameters::standardised(domain_parameter_id).unwrap().is_ec();
    let agreement = if elliptic { KeyAgreement::Ecdh } else { KeyAgreement::Dh };
    let protocol = PaceProtocol { agreement, mapping, cipher: BlockCipher::Aes128 };
    let parameter_id = Some(u32::from(domain_parameter_id));
    let info = SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id });
    let mut image = bac_image();
    image.files.push(card_access([info]));
    let AccessKeys { can, .. } = keys();
    let pace = vec![PaceConfiguration { protocol: protocol.oid(), domain_parameter_id }];
    personalised(&CardImage { can, pace, ..image })
}

/// Runs PACE by the CAN through somebody who changes what passes.
fn run(card: &mut SoftCard, change: impl FnMut(Passing<'_>)) -> Result<(), TerminalError> {
    card.power_on();
    let AccessKeys { can, .. } = keys();
    let plan = AccessPlan::pace(AccessKeys { can, ..AccessKeys::default() });
    let mut session = Session::new(Between { card, change });
    open_card(&mut session, &plan, &mut random()).map(drop)
}

/// The card has no session and no PACE in progress; protected and open reading are refused.
fn assert_closed(card: &mut SoftCard, what: &str) {
    // SELECT under secure messaging with whatever MAC.
    let protected = hex_literal::hex!("0CA4040C0A8E08010203040506070800");
    assert_eq!(card.process(&protected), [0x69, 0x88], "{what}");
    let step = hex_literal::hex!("10860000027C0000");
    assert_eq!(card.process(&step), [0x69, 0x85], "{what}");
    let select = hex_literal::hex!("00A4040C07A0000002471001");
    assert_eq!(card.process(&select), [0x90, 0x00], "{what}");
    let read_com = hex_literal::hex!("00B09E0000");
    assert_eq!(card.process(&read_com), [0x69, 0x82], "{what}");
}

/// What somebody makes of a public key.
fn bad_points(key: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let half = key.len() / 2;
    let mut off_curve = key.to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    let odd = key.last().unwrap() & 1;
    vec![
        ("cut off", key[..key.len() - 1].to_vec()),
        ("too long", [key, &[0]].concat()),
        ("empty", Vec::new()),
        ("off the curve", off_curve),
        ("infinity", vec![0]),
        ("infinity as zeros", [&[4][..], &vec![0; 2 * half]].concat()),
        ("compressed", [&[2 + odd][..], &key[1..=half]].concat()),
        ("hybrid", [&[6 + odd][..], &key[1..]].concat()),
        ("without its head", key[1..].to_vec()),
        ("only x", key[..=half].to_vec()),
    ]
}

/// The same in a prime field: nothing in it but what no honest key is.
fn bad_numbers() -> Vec<(&'static str, Vec<u8>)> {
    let Some(DomainParameters::Dh(group)) = DomainParameters::standardised(PRIME_FIELD) else {
        panic!("a prime field")
    };
    let modulus = group.p().to_vec();
    let mut minus_one = modulus.clone();
    *minus_one.last_mut().unwrap() -= 1;
    vec![
        ("empty", Vec::new()),
        ("zero", vec![0]),
        ("one", vec![1]),
        ("of order two", minus_one),
        // Two has not the order of the subgroup.
        ("outside of the subgroup", vec![2]),
        ("the modulus", modulus),
        ("above the modulus", vec![0xFF; 128]),
    ]
}

/// Replaces a key of the terminal on its way to the card, or of the card on its way back.
fn replace(tag: u32, value: &[u8]) -> impl FnMut(Passing<'_>) {
    move |passing| match passing {
        Passing::Command(command) if value_of(data_of(command), tag).is_some() => {
            replace_in_command(command, tag, value);
        }
        Passing::Response(_, response)
            if value_of(&response[..response.len() - 2], tag).is_some() =>
        {
            replace_in_response(response, tag, value);
        }
        _ => {}
    }
}

/// A key as it passes in an undisturbed run.
fn key_that_passes(card: &mut SoftCard, tag: u32) -> Vec<u8> {
    let seen = RefCell::new(Vec::new());
    run(card, |passing| {
        let value = match passing {
            Passing::Command(command) => value_of(data_of(command), tag),
            Passing::Response(_, response) => value_of(&response[..response.len() - 2], tag),
        };
        if let Some(value) = value {
            *seen.borrow_mut() = value;
        }
    })
    .unwrap();
    seen.into_inner()
}

fn assert_card_refuses(card: &mut SoftCard, tag: u32, bad: Vec<(&str, Vec<u8>)>) {
    for (name, value) in bad {
        let what = format!("{tag:X} {name}");
        let error = run(card, replace(tag, &value)).unwrap_err();
        assert!(matches!(error, TerminalError::Refused { .. }), "{what}: {error}");
        assert_closed(card, &what);
    }
}

#[test]
fn the_card_refuses_points_that_are_none() {
    let mut card = card(CURVE, Mapping::Generic);
    for tag in [TERMINAL_MAPPING, TERMINAL_KEY] {
        let key = key_that_passes(&mut card, tag);
        assert_card_refuses(&mut card, tag, bad_points(&key));
    }
}

#[test]
fn the_card_refuses_numbers_outside_of_the_group() {
    let mut card = card(PRIME_FIELD, Mapping::Generic);
    for tag in [TERMINAL_MAPPING, TERMINAL_KEY] {
        assert_card_refuses(&mut card, tag, bad_numbers());
    }
}

#[test]
fn the_reader_refuses_points_that_are_none() {
    let mut card = card(CURVE, Mapping::Generic);
    for tag in [CARD_MAPPING, CARD_KEY] {
        let key = key_that_passes(&mut card, tag);
        for (name, point) in bad_points(&key) {
            let what = format!("{tag:X} {name}");
            let error = run(&mut card, replace(tag, &point)).unwrap_err();
            let expected = match name {
                "off the curve" | "infinity as zeros" => KeyFault::NotOnCurve,
                "infinity" => KeyFault::Identity,
                _ => KeyFault::Malformed,
            };
            let refused =
                matches!(error, TerminalError::CardKey { fault, .. } if fault == expected);
            assert!(refused, "{what}: {error}");
        }
    }
}

#[test]
fn the_reader_refuses_numbers_outside_of_the_group() {
    let mut card = card(PRIME_FIELD, Mapping::Generic);
    for tag in [CARD_MAPPING, CARD_KEY] {
        for (name, number) in bad_numbers() {
            let error = run(&mut card, replace(tag, &number)).unwrap_err();
            let refused = matches!(error, TerminalError::CardKey { .. });
            assert!(refused, "{tag:X} {name}: {error}");
        }
    }
}

#[test]
fn the_reader_refuses_its_own_keys_and_token_sent_back() {
    let mut card = card(CURVE, Mapping::Generic);
    let sent = [(TERMINAL_MAPPING, CARD_MAPPING), (TERMINAL_KEY, CARD_KEY)];
    for (own, answer) in sent {
        let error = run(&mut card, reflect(own, answer)).unwrap_err();
        let reflected = matches!(error, TerminalError::CardKey { fault: KeyFault::Reflected, .. });
        assert!(reflected, "{own:X}: {error}");
    }
    let error = run(&mut card, reflect(TERMINAL_TOKEN, CARD_TOKEN)).unwrap_err();
    assert!(matches!(error, TerminalError::Protocol { .. }), "{error}");
}

fn reflect(own: u32, answer: u32) -> impl FnMut(Passing<'_>) {
    let mut sent = Vec::new();
    move |passing| match passing {
        Passing::Command(command) => {
            if let Some(value) = value_of(data_of(command), own) {
                sent = value;
            }
        }
        Passing::Response(_, response) => {
            if value_of(&response[..response.len() - 2], answer).is_some() {
                replace_in_response(response, answer, &sent);
            }
        }
    }
}

#[test]
fn the_card_refuses_a_key_of_its_own_sent_back() {
    // Its key of the mapping as the terminal's key of the agreement: in the group, but its secret
    // is nobody's between, so the token cannot be right.
    let mut card = card(CURVE, Mapping::Generic);
    let mut own = Vec::new();
    let error = run(&mut card, |passing| match passing {
        Passing::Response(_, response) => {
            if let Some(key) = value_of(&response[..response.len() - 2], CARD_MAPPING) {
                own = key;
            }
        }
        Passing::Command(command) => {
            if value_of(data_of(command), TERMINAL_KEY).is_some() {
                replace_in_command(command, TERMINAL_KEY, &own);
            }
        }
    });
    assert!(matches!(error.unwrap_err(), TerminalError::WrongPassword { .. }));
    assert_closed(&mut card, "a key sent back");
}

#[test]
fn a_wrong_nonce_opens_nothing() {
    for mapping in [Mapping::Generic, Mapping::Integrated] {
        let mut card = card(CURVE, mapping);
        let change = |passing: Passing<'_>| {
            if let Passing::Response(_, response) = passing
                && let Some(mut nonce) = value_of(&response[..response.len() - 2], NONCE)
            {
                nonce[0] ^= 1;
                replace_in_response(response, NONCE, &nonce);
            }
        };
        let error = run(&mut card, change).unwrap_err();
        assert!(matches!(error, TerminalError::WrongPassword { .. }), "{error}");
        assert_closed(&mut card, mapping.name());
    }
}

#[test]
fn the_reader_refuses_a_nonce_of_another_length() {
    let mut card = card(CURVE, Mapping::Generic);
    for length in [0, 8, 15, 17, 32, 48] {
        let error = run(&mut card, replace(NONCE, &vec![0x5A; length])).unwrap_err();
        assert!(matches!(error, TerminalError::Protocol { .. }), "{length}: {error}");
    }
}

#[test]
fn the_card_refuses_an_additional_nonce_of_another_length() {
    let mut card = card(CURVE, Mapping::Integrated);
    let nonces = [0, 8, 15, 17, 24, 32].map(|length| ("additional nonce", vec![0x5A; length]));
    assert_card_refuses(&mut card, TERMINAL_MAPPING, nonces.to_vec());
}

#[test]
fn a_wrong_token_opens_nothing_on_either_side() {
    let mut card = card(CURVE, Mapping::Generic);
    let token = key_that_passes(&mut card, TERMINAL_TOKEN);
    for bad in [&token[..], &token[..7], &[0; 8], &[]] {
        let error = run(&mut card, replace(TERMINAL_TOKEN, bad)).unwrap_err();
        assert!(matches!(error, TerminalError::WrongPassword { .. }), "{bad:02X?}: {error}");
        assert_closed(&mut card, "a wrong token of the terminal");
    }
    let token = key_that_passes(&mut card, CARD_TOKEN);
    for bad in [&token[..], &token[..7], &[0; 8], &[]] {
        let error = run(&mut card, replace(CARD_TOKEN, bad)).unwrap_err();
        assert!(matches!(error, TerminalError::CardNotAuthentic { .. }), "{bad:02X?}: {error}");
    }
}

#[test]
fn a_recorded_run_of_a_terminal_opens_nothing() {
    let mut card = card(CURVE, Mapping::Generic);
    let recorded = RefCell::new(Vec::new());
    run(&mut card, |passing| {
        if let Passing::Command(command) = passing {
            recorded.borrow_mut().push(command.clone());
        }
    })
    .unwrap();
    card.power_on();
    let answers: Vec<_> = recorded.borrow().iter().map(|command| card.process(command)).collect();
    // EF.CardAccess, MSE:Set AT, nonce, mapping, key, token, SELECT under secure messaging.
    let status = |answer: &Vec<u8>| [answer[answer.len() - 2], answer[answer.len() - 1]];
    let statuses: Vec<_> = answers.iter().map(status).collect();
    assert_eq!(statuses[..5], [[0x90, 0x00]; 5]);
    assert_eq!(statuses[5..], [[0x63, 0x00], [0x69, 0x88]]);
    assert_closed(&mut card, "a recorded run");
}

#[test]
fn the_card_takes_the_steps_in_their_order_only() {
    let mut card = card(CURVE, Mapping::Generic);
    let recorded = RefCell::new(Vec::new());
    run(&mut card, |passing| {
        if let Passing::Command(command) = passing {
            recorded.borrow_mut().push(command.clone());
        }
    })
    .unwrap();
    let recorded = recorded.into_inner();
    // After each number of right steps, each step that is not the next one.
    for done in 1..6 {
        for wrong in (2..6).filter(|step| *step != done) {
            card.power_on();
            recorded[1..done].iter().for_each(|command| drop(card.process(command)));
            let answer = card.process(&recorded[wrong]);
            assert_ne!(answer[answer.len() - 2], 0x90, "step {wrong} after {done}");
            assert_closed(&mut card, "a step out of order");
        }
    }
}
