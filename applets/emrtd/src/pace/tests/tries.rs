//! The tries of PIN and PUK, at the step in which the terminal's token is looked at.

use crate::pace::*;
use crate::passwords;
use crate::testing::{Memory, Random, value};
use cancuoc_card_runtime::tlv::object;

const EXAMPLE: &str = include_str!("../../../../../testvectors/icao-9303-11/pace-ecdh-gm.txt");
const MOST: u8 = 3;

/// A card with a PIN of three tries.
fn card() -> Memory {
    let mut memory = Memory::default();
    let pin = [object(0x81, b"135790"), object(0x82, &[MOST])].concat();
    passwords::personalize(&mut memory, Password::Pin, &pin).unwrap();
    memory
}

fn tries(memory: &Memory) -> u8 {
    memory.read(store::PIN_TRIES).unwrap()[0]
}

/// The last step of a run with the PIN that has come so far, in a session that `opened_by` opened.
/// The keys are those of the worked example.
fn last_step(
    memory: &mut Memory,
    opened_by: Option<Password>,
    token: &[u8],
) -> (Result<Vec<u8>, StatusWord>, Session) {
    let variant = [value(EXAMPLE, "oid"), value(EXAMPLE, "domain_parameter_id")].concat();
    let variant = Variant::read(&variant, &[]).unwrap();
    let element = |name| PublicElement::decode(&variant.parameters, &value(EXAMPLE, name)).unwrap();
    let secret = value(EXAMPLE, "chip_secret");
    let secret = GroupSecret::from_bytes(&variant.parameters, &secret).unwrap();
    let generator = element("mapped_generator");
    let agreed = agree(&generator, element("terminal_public"), &secret).unwrap();
    let step = Step::Agreed(Mapped { generator, secret: None }, agreed);
    let run = Run { variant, password: Password::Pin, wants_references: false, step };
    let mut session = Session { opened_by, pace: PaceState(Some(run)), ..Session::default() };
    let data = object(0x7C, &object(0x85, token));
    let command =
        Command { cla: 0, ins: 0x86, p1: 0, p2: 0, data: &data, ne: Some(256), extended: false };
    let environment = &mut Environment { memory, random: &mut Random(1) };
    (general_authenticate(&mut session, environment, &command), session)
}

fn right() -> Vec<u8> {
    value(EXAMPLE, "terminal_token")
}

const WRONG: [u8; 8] = [0; 8];

#[test]
fn a_right_pin_gives_all_tries_back() {
    let mut memory = card();
    assert_eq!(last_step(&mut memory, None, &WRONG).0, Err(StatusWord(0x63C2)));
    let (answer, session) = last_step(&mut memory, None, &right());
    assert!(answer.is_ok() && session.next_secure_messaging.is_some());
    assert_eq!((session.opened_by, tries(&memory)), (Some(Password::Pin), MOST));
}

#[test]
fn the_last_try_needs_a_session_that_the_can_opened() {
    let mut memory = card();
    for left in [0x63C2, 0x63C1] {
        assert_eq!(last_step(&mut memory, None, &WRONG).0, Err(StatusWord(left)));
    }
    for opened_by in [None, Some(Password::Mrz), Some(Password::Puk)] {
        let (answer, _) = last_step(&mut memory, opened_by, &right());
        assert_eq!((answer, tries(&memory)), (Err(StatusWord::CONDITIONS), 1));
    }
    let can = Some(Password::Can);
    assert_eq!(last_step(&mut memory, can, &WRONG).0, Err(StatusWord(0x63C0)));
    assert_eq!(last_step(&mut memory, can, &right()).0, Err(StatusWord::BLOCKED));
}

#[test]
fn a_token_is_not_looked_at_before_the_try_is_stored() {
    for token in [&right()[..], &WRONG] {
        let mut memory = card();
        memory.writes_left = Some(0);
        let (answer, session) = last_step(&mut memory, None, token);
        assert_eq!(answer, Err(StatusWord::MEMORY_FAILURE));
        assert!(session.next_secure_messaging.is_none());
        assert_eq!(tries(&memory), MOST);
    }
}

#[test]
fn a_power_cut_gives_no_try_back() {
    for token in [&right()[..], &WRONG] {
        let mut memory = card();
        memory.writes_left = Some(1);
        let (answer, session) = last_step(&mut memory, None, token);
        assert!(answer.is_err() && session.next_secure_messaging.is_none());
        assert_eq!(tries(&memory), MOST - 1);
    }
}
