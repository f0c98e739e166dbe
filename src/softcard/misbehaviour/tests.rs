use cancuoc_primitives::rsa::RsaPrivateKey;
use rand_core::UnwrapErr;

use super::*;
use crate::apdu::tlv::{Reader, Tag};
use crate::apdu::{Ne, ResponseApdu};
use crate::document::{AccessKeys, MrzKey};
use crate::globalplatform::image::tests::image;
use crate::softcard::{BlankOptions, RamMemory, SoftCard, personalised};
use crate::terminal::Session;
use crate::terminal::secure_messaging::SecureMessaging;
use crate::terminal::{AccessPlan, AccessPolicy, commands, open_card};
use crate::transport::{CardTransport, TransportError};

/// READ BINARY of DG1 by its short identifier.
const READ_DG1: When = When::ins(0xB0).p1(0x81);

fn random() -> UnwrapErr<getrandom::SysRng> {
    UnwrapErr(getrandom::SysRng)
}

fn memory(misbehaviour: &Misbehaviour) -> RamMemory {
    let options = BlankOptions::test([0, 0, 0, 9]);
    personalised(&image(), &options, misbehaviour, &mut random()).unwrap()
}

/// A card that does one thing wrong.
fn card(when: When, act: Act) -> SoftCard {
    let memory = memory(&Misbehaviour::of(when, act));
    SoftCard::power_up(Box::new(memory), Box::new(random()))
}

/// A card that protects DG1 wrongly, opened by BAC, with the terminal's end of the session.
fn opened(act: Act) -> (SoftCard, SecureMessaging) {
    let mut card = card(READ_DG1, act);
    let keys = AccessKeys { mrz: Some(MrzKey::from_bytes([7; 20])), ..AccessKeys::default() };
    let plan = AccessPlan { policy: AccessPolicy::Bac, ..AccessPlan::pace(keys) };
    let mut session = Session::new(&mut card);
    open_card(&mut session, &plan, &mut random()).unwrap();
    let messaging = session.secure_messaging().unwrap().clone();
    (card, messaging)
}

/// The response to READ BINARY of DG1 under secure messaging.
fn read(card: &mut SoftCard, messaging: &mut SecureMessaging) -> ResponseApdu {
    let dg1 = crate::lds::FileId(0x0101);
    let command = commands::read_binary_short(dg1.short().unwrap(), Ne::new(40));
    let wrapped = messaging.wrap(&command).unwrap();
    ResponseApdu::parse(&card.process(&wrapped.encode().unwrap())).unwrap()
}

/// Tags of the data objects of a response, and whether the last is a MAC over those before it.
fn objects(wrong: WrongProtection) -> (Vec<u32>, bool, ResponseApdu) {
    let (mut card, mut messaging) = opened(Act::Protect(wrong));
    let response = read(&mut card, &mut messaging);
    let mut reader = Reader::new(&response.data);
    let (mut tags, mut before, mut mac) = (Vec::new(), 0, Vec::new());
    while let Some(object) = reader.read_optional().unwrap() {
        if object.tag == Tag(0x8E) {
            before = object.offset;
            mac = object.value.to_vec();
        }
        tags.push(object.tag.0);
    }
    let right = messaging.mac_for_tests(&response.data[..before]);
    (tags, !mac.is_empty() && right.starts_with(&mac), response)
}

#[test]
fn where_a_mac_is_said_it_is_right_over_what_is_sent() {
    for (wrong, tags) in [
        (WrongProtection::StatusFirst, &[0x99, 0x87, 0x8E][..]),
        (WrongProtection::CryptogramTwice, &[0x87, 0x87, 0x99, 0x8E]),
        (WrongProtection::NoIndicator, &[0x87, 0x99, 0x8E]),
        (WrongProtection::NoPadding, &[0x87, 0x99, 0x8E]),
        (WrongProtection::NoStatus, &[0x87, 0x8E]),
        (WrongProtection::StatusOutside(0x6282), &[0x87, 0x99, 0x8E]),
        (WrongProtection::ShortMac(7), &[0x87, 0x99, 0x8E]),
        (WrongProtection::AfterMac, &[0x87, 0x99, 0x8E, 0x99]),
    ] {
        let (found, right, _) = objects(wrong.clone());
        assert_eq!((&found[..], right), (tags, true), "{wrong:?}");
    }
}

#[test]
fn a_wrong_mac_and_one_under_an_old_counter_are_wrong() {
    for wrong in [WrongProtection::WrongMac, WrongProtection::CounterBehind] {
        let (tags, right, _) = objects(wrong.clone());
        assert_eq!((&tags[..], right), (&[0x87, 0x99, 0x8E][..], false), "{wrong:?}");
    }
    assert_eq!(objects(WrongProtection::NoMac).0, [0x87, 0x99]);
}

#[test]
fn status_and_short_mac_are_as_said() {
    let (_, _, response) = objects(WrongProtection::StatusOutside(0x6282));
    assert_eq!(response.status.0, 0x6282);
    let (_, _, response) = objects(WrongProtection::ShortMac(7));
    assert!(response.data[..response.data.len() - 7].ends_with(&[0x8E, 7]));
}

#[test]
fn what_is_not_protected_is_plain() {
    let dg1 = image().files[1].content[..40].to_vec();
    for (wrong, data) in [(WrongProtection::Plain, dg1), (WrongProtection::PlainStatus, Vec::new())]
    {
        let (mut card, mut messaging) = opened(Act::Protect(wrong));
        let response = read(&mut card, &mut messaging);
        assert_eq!((response.status.0, response.data), (0x9000, data));
    }
}

#[test]
fn the_response_before_is_played_again() {
    let (mut card, mut messaging) = opened(Act::Protect(WrongProtection::Replay));
    // The first one is honest: there was no read before, only SELECT.
    let select = messaging.wrap(&commands::select_file(crate::lds::FileId(0x0102))).unwrap();
    let former = card.process(&select.encode().unwrap());
    messaging.step_for_tests();
    let response = read(&mut card, &mut messaging);
    assert_eq!([&response.data[..], &[0x90, 0x00]].concat(), former);
}

#[test]
fn an_honest_card_stays_honest_at_other_commands() {
    let wrong = Act::Protect(WrongProtection::WrongMac);
    let (mut card, mut messaging) = opened(wrong);
    let command =
        commands::read_binary_short(crate::lds::FileId(0x0102).short().unwrap(), Ne::new(9));
    let wrapped = messaging.wrap(&command).unwrap();
    let response = card.process(&wrapped.encode().unwrap());
    let plain = messaging.unwrap(&ResponseApdu::parse(&response).unwrap()).unwrap();
    assert_eq!(plain.data, image().files[2].content[..9]);
}

#[test]
fn a_rule_waits_and_ends_as_it_says_and_begins_anew_with_power() {
    let answer = WrongContent::Answer { data: vec![7], status: 0x9000 };
    let when = When::ins(0x84).once_after(1);
    let mut card = card(when, Act::Respond(answer));
    for _ in 0..2 {
        let challenge = [0x00, 0x84, 0, 0, 8];
        let lengths: Vec<usize> = (0..3).map(|_| card.process(&challenge).len()).collect();
        assert_eq!(lengths, [10, 3, 10]);
        card.power_on();
    }
}

#[test]
fn echoes_and_flips_data_objects_of_dynamic_authentication_data() {
    let spoiled = |wrong, sent: &[u8], answer: &[u8]| {
        let mut player =
            session::Player::new(&Misbehaviour::of(When::ins(0x86), Act::Respond(wrong)));
        let command = cancuoc_card_runtime::Command {
            cla: 0x10,
            ins: 0x86,
            p1: 0,
            p2: 0,
            data: sent,
            ne: Some(256),
            extended: false,
        };
        let mut response = cancuoc_card_runtime::Response::ok(answer.to_vec());
        cancuoc_applet_emrtd::misbehaviour::Misbehaviour::respond(
            &mut player,
            &command,
            &mut response,
        );
        response.data
    };
    let echo = WrongContent::Echo { from: 0x81, to: 0x82 };
    let echoed = spoiled(echo, &[0x7C, 4, 0x81, 2, 4, 9], &[0x7C, 3, 0x82, 1, 8]);
    assert_eq!(echoed, [0x7C, 4, 0x82, 2, 4, 9]);
    let flip = WrongContent::Flip { tag: 0x86 };
    let flipped = spoiled(flip, &[], &[0x7C, 8, 0x86, 2, 4, 9, 0x8A, 2, 3, 3]);
    assert_eq!(flipped, [0x7C, 8, 0x86, 2, 4, 8, 0x8A, 2, 3, 3]);
}

#[test]
fn recoverable_signatures_follow_the_recipe() {
    let key = RsaPrivateKey::generate(1024, &mut random()).unwrap();
    let numbers = key.components().unwrap();
    let recipe = Recoverable {
        modulus: numbers.n.to_vec(),
        exponent: numbers.e.to_vec(),
        private_exponent: numbers.d.to_vec(),
        primes: [numbers.p.to_vec(), numbers.q.to_vec()],
        header: 0x4A,
        hash: "SHA-256".to_owned(),
        trailer: vec![0x99, 0xCC],
    };
    let sign = Act::Respond(WrongContent::Recoverable(Box::new(recipe)));
    let mut card = card(When::ins(0x88), sign);
    let signature = card.process(&[0x00, 0x88, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0]);
    let opened = key.public_key().raw(&signature[..128]).unwrap();
    assert_eq!((opened[0], &opened[126..]), (0x4A, &[0x99, 0xCC][..]));
    let digest = cancuoc_primitives::hash::HashAlgorithm::Sha256
        .digest_parts(&[&opened[1..94], &[1, 2, 3, 4, 5, 6, 7, 8]]);
    assert_eq!(opened[94..126], digest);
}

#[test]
fn a_card_that_is_gone_stays_away_until_it_is_put_back() {
    let mut card = card(When::ins(0xA4).once_after(1), Act::Link(LinkFault::Gone));
    let select = [0x00, 0xA4, 0x00, 0x0C];
    assert!(card.transmit(&select).is_ok());
    for _ in 0..2 {
        assert_eq!(card.transmit(&select), Err(TransportError::CardRemoved));
    }
    card.reset().unwrap();
    assert!(card.transmit(&select).is_ok());
}

#[test]
fn an_endless_response_never_ends() {
    let mut card = card(When::ins(0xB0), Act::Link(LinkFault::EndlessResponse));
    for command in [[0x00, 0xB0, 0x9C, 0, 0], [0x00, 0xC0, 0, 0, 16], [0x00, 0xC0, 0, 0, 16]] {
        let answer = card.transmit(&command).unwrap();
        assert_eq!(answer[16..], [0x61, 0x10]);
    }
}

#[test]
fn it_is_kept_with_the_card_and_no_command_reaches_it() {
    let misbehaviour = Misbehaviour::of(READ_DG1, Act::NextKeys(WrongKeys::Former));
    let memory = memory(&misbehaviour);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.card");
    SoftCard::write(&path, &memory).unwrap();
    let card = SoftCard::open(&path).unwrap();
    assert_eq!(card.misbehaviour(), misbehaviour);
    assert_eq!(card.misbehaviour().names(), ["next_keys former"]);
    // The applications' own records are those of an honest card.
    let honest = super::tests::memory(&Misbehaviour::default());
    let others = |memory: &RamMemory| {
        memory
            .records()
            .iter()
            .filter(|(key, _)| **key != RECORD)
            .map(|(k, v)| (*k, v.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(others(&memory), others(&honest));
    assert!(cancuoc_card_runtime::NonVolatileMemory::read(&honest, RECORD).is_none());
}

#[test]
fn a_record_that_cannot_be_read_is_no_card() {
    let mut memory = memory(&Misbehaviour::default());
    let write = Write::Put { key: RECORD, value: b"{}" };
    NonVolatileMemory::apply(&mut memory, &[write]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.card");
    SoftCard::write(&path, &memory).unwrap();
    assert!(matches!(SoftCard::open(&path), Err(crate::softcard::SoftCardError::Malformed { .. })));
}

proptest::proptest! {
    #[test]
    fn no_record_makes_a_card_panic(
        act in proptest::sample::select(vec![
            r#"{"respond":{"longer_by":NUMBER}}"#,
            r#"{"respond":{"at_a_time":NUMBER}}"#,
            r#"{"respond":{"echo":{"from":7,"to":9}}}"#,
            r#"{"protect":{"short_mac":NUMBER}}"#,
            r#"{"protect":"replay"}"#,
            r#"{"link":"endless_response"}"#,
        ]),
        number in proptest::num::u64::ANY,
        skip in proptest::num::u32::ANY,
        junk in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
    ) {
        let act = act.replace("NUMBER", &number.to_string());
        let when = format!(r#"{{"ins":132,"p1":null,"p2":null,"skip":{},"times":1}}"#, skip % 3);
        let record = format!(r#"{{"rules":[{{"when":{when},"act":{act}}}]}}"#);
        for record in [record.as_bytes(), &junk] {
            let mut memory = memory(&Misbehaviour::default());
            NonVolatileMemory::apply(&mut memory, &[Write::Put { key: RECORD, value: record }]).unwrap();
            let mut card = SoftCard::power_up(Box::new(memory), Box::new(random()));
            for _ in 0..3 {
                let _ = card.transmit(&[0x00, 0x84, 0, 0, 8]);
            }
        }
    }
}
