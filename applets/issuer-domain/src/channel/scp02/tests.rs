use alloc::format;

use super::*;
use crate::Session;
use crate::keys::KeyType;
use crate::testing::{Fixed, Memory, key_set, value};
use crate::{Channels, Provisioning};

const VECTORS: &str = include_str!("../../../../../testvectors/globalplatform/scp02.txt");

/// The keys of a published session, in a version, with the counter of that session.
fn keys_and_memory(name: &str, version: u8, counter: u32) -> (KeySet, Memory) {
    let key = |part| value(VECTORS, &format!("{name}.{part}"));
    let parts = [key("key_enc"), key("key_mac"), key("key_dek")];
    let keys = key_set(version, KeyType::Tdes, parts.each_ref().map(Vec::as_slice));
    let channels = Channels { scp02: Some(0x15), scp03: None };
    let mut memory = Memory::default();
    let provisioning =
        Provisioning { keys: keys.clone(), channels, max_failed_tries: 3, cplc: [0; 42] };
    crate::provision(&mut memory, &provisioning).unwrap();
    let (record, counter) = keys::counter_record(version, counter);
    memory.records.insert(record, counter.to_vec());
    (keys, memory)
}

#[test]
fn a_session_of_a_real_card_is_that_of_this_one() {
    let (_, mut memory) = keys_and_memory("osmocom", 0x70, 1);
    let response = value(VECTORS, "osmocom.initialize_response");
    let mut random = Fixed(response[14..20].to_vec());
    let mut environment = Environment { memory: &mut memory, random: &mut random };
    let mut session = Session::default();
    let challenge = value(VECTORS, "osmocom.host_challenge");
    let initialize = [&[0x80, 0x50, 0x70, 0, 8][..], &challenge, &[0]].concat();
    let command = Command::parse(&initialize).unwrap();
    let answer = crate::channel::initialize(&mut session, &mut environment, &command).unwrap();
    assert_eq!(answer, response);
    let proof = value(VECTORS, "osmocom.external_authenticate");
    let command = Command::parse(&proof).unwrap();
    crate::channel::external_authenticate(&mut session, &mut environment, &command).unwrap();
    let mut channel = session.channel.unwrap();
    for number in 1..=4 {
        let plain = value(VECTORS, &format!("osmocom.plain_{number}"));
        let wrapped = value(VECTORS, &format!("osmocom.wrapped_{number}"));
        let data = channel.unwrap(&Command::parse(&wrapped).unwrap()).unwrap();
        assert_eq!(&data[..], Command::parse(&plain).unwrap().data, "{number}");
    }
    assert_eq!(keys::sequence_counter(&memory, 0x70), 2, "counted once the host is authentic");
}

#[test]
fn the_pseudo_random_challenge_is_that_of_a_real_card() {
    let (keys, mut memory) = keys_and_memory("exchange", 0x7F, 0x11);
    let response = value(VECTORS, "exchange.initialize_response");
    let mut random = Fixed(response[14..20].to_vec());
    let mut environment = Environment { memory: &mut memory, random: &mut random };
    let challenge = value(VECTORS, "exchange.host_challenge");
    let begun = begin(&mut environment, &keys, 0x15, &challenge).unwrap();
    assert_eq!(begun.answer[2..], response[12..], "counter, challenge and cryptogram");
    let Protocol::Scp02(channel) = &begun.protocol else { panic!("SCP02") };
    let domain = value(VECTORS, "exchange.domain");
    assert_eq!(pseudo_random(channel, &domain).unwrap()[..], response[14..20]);
}
