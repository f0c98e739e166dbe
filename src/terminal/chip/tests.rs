use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::document::{AccessKeys, Can, MrzKey};
use crate::terminal::AccessPolicy;
use crate::terminal::testing::Fixed;
use crate::transport::TransportError;
use crate::transport::replay::ReplayTransport;

/// Answers in a circle, whatever it is asked.
struct Hostile {
    answers: Vec<Vec<u8>>,
    count: usize,
}

impl CardTransport for Hostile {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, TransportError> {
        let answer = self.answers[self.count % self.answers.len()].clone();
        self.count += 1;
        Ok(answer)
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

fn plan(policy: AccessPolicy) -> AccessPlan {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&hex!("239AB9CB282DAF66231DC5A4DF6BFBAE"));
    let can = Can::new("123456").unwrap();
    let keys =
        AccessKeys { can: Some(can), mrz: Some(MrzKey::from_bytes(key)), ..AccessKeys::default() };
    AccessPlan { policy, ..AccessPlan::pace(keys) }
}

fn random() -> Fixed {
    Fixed::new(&hex!("781723860C06C2260B795240CB7049B01C19B33E32804F0B"))
}

/// EF.ATR/INFO of a card with extended length and responses of 4 096 bytes.
const ATR_INFO: [u8; 16] = hex!("4703F821C07F66080202100002021000");

fn negotiated(wanted: ExtendedLength, reader: usize, answer: &[u8]) -> Option<usize> {
    struct Limited(ReplayTransport, usize);
    impl CardTransport for Limited {
        fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
            self.0.transmit(command)
        }
        fn atr(&self) -> &[u8] {
            &[]
        }
        fn max_command_length(&self) -> usize {
            self.1
        }
        fn reset(&mut self) -> Result<(), TransportError> {
            Ok(())
        }
    }
    let replay = ReplayTransport::from_exchanges([(hex!("00B0810000").to_vec(), answer.to_vec())]);
    let mut session = Session::new(Limited(replay, reader));
    let (_, limit) = negotiate_length(&mut session, wanted).unwrap();
    assert_eq!(session.extended_length(), limit.is_some());
    limit
}

#[test]
fn takes_the_length_that_the_card_announces() {
    let answer = [&ATR_INFO[..], &[0x90, 0]].concat();
    let limit = negotiated(ExtendedLength::Announced, 65_544, &answer);
    assert_eq!(limit, Some(4_094), "4 096 bytes less the status word");
}

#[test]
fn keeps_to_short_commands_where_the_reader_has_no_others() {
    let answer = [&ATR_INFO[..], &[0x90, 0]].concat();
    assert_eq!(negotiated(ExtendedLength::Announced, 261, &answer), None);
    let assumed = ExtendedLength::Assumed { max_response: 65_538 };
    assert_eq!(negotiated(assumed, 261, &answer), None);
}

#[test]
fn keeps_to_short_commands_where_the_card_announces_no_others() {
    assert_eq!(negotiated(ExtendedLength::Announced, 65_544, &[0x6A, 0x82]), None);
    let without = hex!("4703F821809000");
    assert_eq!(negotiated(ExtendedLength::Announced, 65_544, &without), None);
}

#[test]
fn keeps_to_the_length_of_the_reader() {
    let assumed = ExtendedLength::Assumed { max_response: 65_538 };
    assert_eq!(negotiated(assumed, 2_057, &[]), Some(2_048));
    assert_eq!(negotiated(assumed, 65_544, &[]), Some(65_535));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn ends_with_any_card_after_bounded_commands(
        answers in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..120),
             prop::sample::select(vec![0x9000u16, 0x6282, 0x6700, 0x6CFF, 0x6A82, 0x6982, 0x6110])), 1..6),
        policy in prop::sample::select(vec![
            AccessPolicy::Pace, AccessPolicy::PaceOrBacWhenNotOffered, AccessPolicy::Bac]),
    ) {
        let answers = answers.into_iter().map(|(data, sw)| [&data[..], &sw.to_be_bytes()].concat());
        let mut card = Hostile { answers: answers.collect(), count: 0 };
        let options = ReadOptions::default();
        let result = read_chip(&mut card, &plan(policy), &options, &mut random(), &mut |_, _| {});
        // Nobody opens a session without the keys.
        prop_assert!(result.is_err());
        prop_assert!(card.count < 10_000, "{} commands", card.count);
    }
}
