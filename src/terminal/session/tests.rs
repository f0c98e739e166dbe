use std::collections::VecDeque;

use super::*;
use crate::transport::TransportError;
use cancuoc_primitives::cipher::BlockCipher;
use hex_literal::hex;

/// Answers from a list and remembers what it was sent.
#[derive(Default)]
struct Scripted {
    answers: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl CardTransport for Scripted {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.sent.push(command.to_vec());
        self.answers.pop_front().ok_or(TransportError::CardRemoved)
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

fn session(answers: &[&[u8]]) -> Session<Scripted> {
    let answers = answers.iter().map(|a| a.to_vec()).collect();
    Session::new(Scripted { answers, sent: Vec::new() })
}

#[test]
fn fetches_the_rest_with_get_response() {
    let mut session = session(&[&[1, 2, 0x61, 2], &[3, 4, 0x90, 0]]);
    let response = session.transmit(&commands::get_challenge()).unwrap();
    assert_eq!(response.data, [1, 2, 3, 4]);
    assert_eq!(session.transport.sent[1], hex!("00C0000002"));
    assert_eq!(session.counters().apdus, 2);
}

#[test]
fn gives_up_on_a_card_that_promises_data_without_end() {
    let mut session = session(&[&[0x61, 2], &[0x61, 2], &[0x61, 2]]);
    let error = session.transmit(&commands::get_challenge()).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
    assert_eq!(session.transmit(&commands::get_challenge()), Err(TerminalError::Closed));
}

#[test]
fn gives_up_on_a_response_without_end() {
    let chunk = [&[7u8; 256][..], &[0x61, 0]].concat();
    let mut session = session(&[&chunk[..]; 300]);
    let error = session.transmit(&commands::get_challenge()).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
    assert!(session.counters().apdus <= 258);
}

#[test]
fn gives_up_on_a_card_that_gives_a_byte_at_a_time_without_end() {
    let mut session = session(&[&[7, 0x61, 0x10][..]; 2_000]);
    let error = session.transmit(&commands::get_challenge()).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
    assert!(session.counters().apdus < 300);
}

#[test]
fn repeats_a_command_once_with_the_length_that_the_card_wants() {
    let mut session = session(&[&[0x6C, 4], &[1, 2, 3, 4, 0x90, 0]]);
    let response = session.transmit(&commands::read_binary(0, Ne::MAX_SHORT)).unwrap();
    assert_eq!(response.data, [1, 2, 3, 4]);
    assert_eq!(session.transport.sent[1], hex!("00B0000004"));
}

#[test]
fn does_not_repeat_a_command_a_second_time() {
    let mut session = session(&[&[0x6C, 4], &[0x6C, 5], &[0x90, 0]]);
    let response = session.transmit(&commands::read_binary(0, Ne::MAX_SHORT)).unwrap();
    assert_eq!(response.status.0, 0x6C05);
    assert_eq!(session.counters().apdus, 2);
}

#[test]
fn chains_a_command_that_does_not_fit_into_a_short_one() {
    let mut session = session(&[&[0x90, 0], &[9, 0x90, 0]]);
    let command = CommandApdu::new(0, 0x86, 0, 0).with_data(vec![5; 300]).with_ne(Ne::MAX_SHORT);
    assert_eq!(session.transmit(&command).unwrap().data, [9]);
    let [first, second] = &session.transport.sent[..] else { panic!("two commands") };
    assert_eq!((&first[..5], first.len()), (&hex!("10860000FF")[..], 5 + 255));
    assert_eq!((&second[..5], second.len()), (&hex!("008600002D")[..], 5 + 45 + 1));
}

#[test]
fn ends_a_chain_that_the_card_refuses() {
    let mut session = session(&[&[0x68, 0x84]]);
    let command = CommandApdu::new(0, 0x86, 0, 0).with_data(vec![5; 300]);
    assert_eq!(session.transmit(&command).unwrap().status.0, 0x6884);
    assert_eq!(session.counters().apdus, 1);
}

#[test]
fn sends_a_long_command_whole_where_extended_length_is_allowed() {
    let mut session = session(&[&[0x90, 0]]);
    session.allow_extended_length(true);
    let command = CommandApdu::new(0, 0x86, 0, 0).with_data(vec![5; 300]);
    session.transmit(&command).unwrap();
    assert_eq!(session.transport.sent[0][..7], hex!("0086000000012C"));
}

#[test]
fn closes_when_a_plain_answer_comes_under_secure_messaging() {
    let mut session = session(&[&[1, 2, 0x90, 0], &[0x90, 0]]);
    session.start_secure_messaging(SecureMessaging::from_secret(BlockCipher::Aes128, b"k"));
    let read = commands::read_binary(0, Ne::new(4));
    assert_eq!(session.transmit(&read), Err(TerminalError::SecureMessaging));
    assert_eq!(session.transmit(&read), Err(TerminalError::Closed));
    assert_eq!(session.counters().apdus, 1);
    assert!(session.key_confirmation().is_none());
}

#[test]
fn closes_when_the_card_is_torn_out() {
    let mut session = session(&[]);
    let error = session.transmit(&commands::get_challenge()).unwrap_err();
    assert_eq!(error, TerminalError::Transport(TransportError::CardRemoved));
    assert_eq!(session.transmit(&commands::get_challenge()), Err(TerminalError::Closed));
}

#[test]
fn counts_bytes_in_both_directions() {
    let mut session = session(&[&[1, 2, 3, 4, 5, 6, 7, 8, 0x90, 0]]);
    session.transmit(&commands::get_challenge()).unwrap();
    let counters = session.counters();
    assert_eq!((counters.sent_bytes, counters.received_bytes), (5, 10));
}

#[test]
fn knows_the_room_of_a_short_protected_command() {
    assert_eq!((max_protected_data(8), max_protected_data(16)), (231, 223));
}
