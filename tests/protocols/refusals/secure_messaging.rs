//! Secure messaging: replayed, reordered and dropped.

use cancuoc::apdu::{Ne, ResponseApdu};
use cancuoc::lds::ShortFileId;
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::{Session, TerminalError, commands};

use super::between::{Between, Passing};
use crate::cards::personalised;
use crate::chips::{bac_image, open_by_bac, read_com};

fn card() -> SoftCard {
    personalised(&bac_image())
}

fn read_command() -> cancuoc::apdu::CommandApdu {
    commands::read_binary_short(ShortFileId::new(0x1E).unwrap(), Ne::new(16))
}

/// A protected command of a session, as it went to the card and was answered there.
fn sent(session: &mut Session<&mut SoftCard>) -> Vec<u8> {
    let mut keys = session.secure_messaging().unwrap().clone();
    let command = keys.wrap(&read_command()).unwrap().encode().unwrap();
    assert!(session.transmit(&read_command()).unwrap().status.is_ok());
    command
}

#[test]
fn the_card_refuses_a_command_sent_twice_and_ends_the_session() {
    let mut card = card();
    let mut session = open_by_bac(&mut card).unwrap();
    let command = sent(&mut session);
    let mut keys = session.secure_messaging().unwrap().clone();
    drop(session);
    assert_eq!(card.process(&command), [0x69, 0x88]);
    let next = keys.wrap(&read_command()).unwrap().encode().unwrap();
    assert_eq!(card.process(&next), [0x69, 0x88]);
}

#[test]
fn the_card_refuses_a_command_of_an_earlier_session() {
    let mut card = card();
    let command = sent(&mut open_by_bac(&mut card).unwrap());
    drop(open_by_bac(&mut card).unwrap());
    assert_eq!(card.process(&command), [0x69, 0x88]);
}

#[test]
fn the_card_refuses_a_command_before_its_turn() {
    let mut card = card();
    let session = open_by_bac(&mut card).unwrap();
    let mut keys = session.secure_messaging().unwrap().clone();
    drop(session);
    let _skipped = keys.wrap(&read_command()).unwrap();
    let next = keys.wrap(&read_command()).unwrap().encode().unwrap();
    assert_eq!(card.process(&next), [0x69, 0x88]);
}

#[test]
fn the_card_ends_a_session_in_which_protection_is_dropped() {
    let mut card = card();
    // A command that needs nothing, one that needs a session, one that is none, one of another class.
    for plain in ["00B09E0000", "0084000008", "00A4020C02011E", "00FF0000", "80CA00C100"] {
        let session = open_by_bac(&mut card).unwrap();
        let mut keys = session.secure_messaging().unwrap().clone();
        drop(session);
        let answer = card.process(&hex::decode(plain).unwrap());
        assert_eq!(answer, [0x69, 0x87], "{plain}");
        let protected = keys.wrap(&read_command()).unwrap().encode().unwrap();
        assert_eq!(card.process(&protected), [0x69, 0x88], "after {plain}");
        assert_eq!(card.process(&hex::decode("00B09E0000").unwrap()), [0x69, 0x82]);
    }
}

#[test]
fn the_card_carries_out_no_command_of_another_class_however_it_is_protected() {
    let mut card = card();
    let session = open_by_bac(&mut card).unwrap();
    let mut keys = session.secure_messaging().unwrap().clone();
    drop(session);
    let proprietary = cancuoc::apdu::CommandApdu { cla: 0x80, ..read_command() };
    let answer = card.process(&keys.wrap(&proprietary).unwrap().encode().unwrap());
    let answer = keys.unwrap(&ResponseApdu::parse(&answer).unwrap()).unwrap();
    assert_eq!((answer.status.0, answer.data.len()), (0x6E00, 0));
}

#[test]
fn a_plain_select_ends_the_session() {
    let mut card = card();
    let session = open_by_bac(&mut card).unwrap();
    let mut keys = session.secure_messaging().unwrap().clone();
    drop(session);
    let select = commands::select_lds1().encode().unwrap();
    assert_eq!(card.process(&select), [0x90, 0x00]);
    let protected = keys.wrap(&read_command()).unwrap().encode().unwrap();
    assert_eq!(card.process(&protected), [0x69, 0x88]);
    assert_eq!(card.process(&hex::decode("00B09E0000").unwrap()), [0x69, 0x82]);
}

/// Opens the card and reads EF.COM with the response to the next command after it changed.
fn read_changed(change: impl Fn(&[Vec<u8>], &mut Vec<u8>)) -> TerminalError {
    let mut card = card();
    let mut responses: Vec<Vec<u8>> = Vec::new();
    let mut armed = false;
    let mut session = open_by_bac(Between {
        card: &mut card,
        change: |passing: Passing<'_>| {
            if let Passing::Response(command, response) = passing {
                let protected_read = command[..2] == [0x0C, 0xB0];
                if protected_read && armed {
                    change(&responses, response);
                }
                armed = protected_read;
                responses.push(response.clone());
            }
        },
    })
    .unwrap();
    read_com(&mut session).unwrap();
    let error = session.transmit(&read_command()).unwrap_err();
    assert_eq!(session.transmit(&read_command()).unwrap_err(), TerminalError::Closed);
    error
}

#[test]
fn the_reader_refuses_answers_that_are_old_plain_or_missing() {
    let error = read_changed(|earlier, response| response.clone_from(earlier.last().unwrap()));
    assert_eq!(error, TerminalError::SecureMessaging, "the answer before");
    let error = read_changed(|_, response| *response = vec![0x60, 0x02, 0x5C, 0x00, 0x90, 0x00]);
    assert_eq!(error, TerminalError::SecureMessaging, "data without protection");
    for status in [[0x90, 0x00], [0x69, 0x82], [0x69, 0x88]] {
        let error = read_changed(|_, response| *response = status.to_vec());
        assert_eq!(error, TerminalError::SecureMessaging, "{status:02X?} alone");
    }
    let error = read_changed(|_, response| {
        let at = response.len() - 2;
        response[at..].copy_from_slice(&[0x62, 0x82]);
    });
    assert_eq!(error, TerminalError::SecureMessaging, "another status word outside");
}

#[test]
fn a_recorded_run_of_bac_opens_nothing() {
    let mut card = card();
    let mut recorded = Vec::new();
    drop(
        open_by_bac(Between {
            card: &mut card,
            change: |passing: Passing<'_>| {
                if let Passing::Command(command) = passing {
                    recorded.push(command.clone());
                }
            },
        })
        .unwrap(),
    );
    card.power_on();
    let answers: Vec<_> = recorded.iter().map(|command| card.process(command)).collect();
    // SELECT, GET CHALLENGE, EXTERNAL AUTHENTICATE.
    assert_eq!((answers[0].as_slice(), answers[1].len()), (&[0x90, 0x00][..], 10));
    assert_eq!(answers[2], [0x63, 0x00]);
    // Once more to the same challenge: it is used up.
    assert_eq!(card.process(&recorded[2]), [0x69, 0x85]);
    assert_eq!(card.process(&hex::decode("00B09E0000").unwrap()), [0x69, 0x82]);
}
