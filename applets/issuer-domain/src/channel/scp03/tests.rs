use alloc::format;

use super::*;
use crate::Session;
use crate::keys::KeyType;
use crate::testing::{Fixed, Memory, key_set, value};
use crate::{Channels, Provisioning};

const VECTORS: &str = include_str!("../../../../../testvectors/globalplatform/scp03.txt");

/// A domain with random card challenges, so that a published one can be given to it.
fn session(keys: &str, name: &str) -> (Session, Vec<u8>) {
    let key = |part| value(VECTORS, &format!("{keys}.{part}"));
    let initialize = value(VECTORS, &format!("{name}.initialize"));
    let response = value(VECTORS, &format!("{name}.initialize_response"));
    let parts = [key("key_enc"), key("key_mac"), key("key_dek")];
    let keys = key_set(initialize[2], KeyType::Aes, parts.each_ref().map(Vec::as_slice));
    let channels = Channels { scp02: None, scp03: Some(0x60) };
    let mut memory = Memory::default();
    let provisioning = Provisioning { keys, channels, max_failed_tries: 3, cplc: [0; 42] };
    crate::provision(&mut memory, &provisioning).unwrap();
    let mut random = Fixed(response[13..21].to_vec());
    let mut environment = Environment { memory: &mut memory, random: &mut random };
    let mut session = Session::default();
    let command = Command::parse(&initialize).unwrap();
    let answer = crate::channel::initialize(&mut session, &mut environment, &command).unwrap();
    assert_eq!(answer[13..], response[13..29], "card challenge and cryptogram");
    let proof = value(VECTORS, &format!("{name}.external_authenticate"));
    let command = Command::parse(&proof).unwrap();
    crate::channel::external_authenticate(&mut session, &mut environment, &command).unwrap();
    (session, response)
}

#[test]
fn sessions_of_a_real_card_are_those_of_this_one() {
    for keys in ["AES128", "AES192", "AES256"] {
        for level in ["11", "03", "33"] {
            let name = format!("{keys}_{level}");
            let (session, _) = session(keys, &name);
            let mut channel = session.channel.unwrap();
            for number in 0..=4 {
                let plain = value(VECTORS, &format!("plain_{number}"));
                let wrapped = value(VECTORS, &format!("{name}.wrapped_{number}"));
                let plain = Command::parse(&plain).unwrap();
                let command = Command::parse(&wrapped).unwrap();
                let data = channel.unwrap(&command).unwrap();
                assert_eq!(&data[..], plain.data, "{name} {number}");
                if number == 0 {
                    let response = Response::ok(value(VECTORS, "response_0"));
                    let expected = value(VECTORS, &format!("{name}.protected_0"));
                    assert_eq!(channel.wrap(&plain, response).data, expected, "{name}");
                }
            }
        }
    }
}

#[test]
fn pseudo_random_challenges_are_those_of_a_real_card() {
    let domain = value(VECTORS, "domain");
    for keys in ["AES128", "AES192", "AES256"] {
        let key = value(VECTORS, &format!("{keys}.key_enc"));
        let cipher = BlockCipher::aes(key.len()).unwrap();
        for level in ["11", "03", "33"] {
            let response = value(VECTORS, &format!("{keys}_{level}.initialize_response"));
            let sequence = *response.last_chunk::<3>().unwrap();
            let challenge = pseudo_random(cipher, &key, 8, sequence, &domain).unwrap();
            assert_eq!(challenge[..], response[13..21], "{keys} {level}");
        }
    }
}
