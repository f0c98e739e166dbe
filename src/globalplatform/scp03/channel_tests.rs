//! Sessions recorded from an eUICC, published by pySim (tests/unittests/test_globalplatform.py),
//! for three key lengths and three security levels.

use hex_literal::hex;

use super::*;
use crate::apdu::{Ne, StatusWord};
use crate::globalplatform::scp03::initialize;

struct Session {
    key_length: usize,
    level: SecurityLevel,
    host_challenge: [u8; 8],
    answer: &'static str,
    external_authenticate: &'static str,
    get_eid: &'static str,
    eid: &'static str,
    /// The four cases of a command APDU, in this order.
    cases: [&'static str; 4],
}

fn key_set(length: usize) -> KeySet {
    let key = |first: u8| (0..length as u8).map(|i| first + i % 16).collect::<Vec<_>>();
    let version = match length {
        16 => 0x30,
        24 => 0x31,
        _ => 0x32,
    };
    KeySet::new(version, &key(0x00), &key(0x10), &key(0x20)).unwrap()
}

fn open(session: &Session) -> Scp03Channel {
    let keys = key_set(session.key_length);
    let step = initialize(&keys, Some(session.level), &session.host_challenge);
    let step = step.answer(&response(session.answer)).unwrap();
    assert_eq!(hex::encode(step.command().encode().unwrap()), session.external_authenticate);
    step.answer(&response("")).unwrap()
}

fn response(data: &str) -> ResponseApdu {
    ResponseApdu { data: hex::decode(data).unwrap(), status: StatusWord::OK }
}

fn get_eid() -> CommandApdu {
    CommandApdu::new(0x80, 0xE2, 0x91, 0x00).with_data(hex!("BF3E035C015A")).with_ne(Ne::MAX_SHORT)
}

fn cases() -> [CommandApdu; 4] {
    [
        CommandApdu::new(0x80, 0xF2, 0x20, 0x02),
        CommandApdu::new(0x80, 0xCA, 0x00, 0x66).with_ne(Ne::MAX_SHORT),
        CommandApdu::new(0x80, 0xF2, 0x20, 0x02).with_data(hex!("4f0212345c054f9f70c5")),
        CommandApdu::new(0x80, 0xF2, 0x80, 0x02).with_data(hex!("4f00")).with_ne(Ne::MAX_SHORT),
    ]
}

fn sessions() -> Vec<Session> {
    let session = |key_length, level, host_challenge, rest: [&'static str; 8]| Session {
        key_length,
        level,
        host_challenge,
        answer: rest[0],
        external_authenticate: rest[1],
        get_eid: rest[2],
        eid: rest[3],
        cases: [rest[4], rest[5], rest[6], rest[7]],
    };
    use SecurityLevel as L;
    vec![
        session(
            16,
            L::C_MAC_R_MAC,
            hex!("b13e5f938fc108c4"),
            [
                "000000000000000000003003703eb51047495b249f66c484c1d2ef1948000002",
                "84821100107d5f5826a993ebc89eea24957fa0b3ce",
                "84e291000ebf3e035c015a558d036518a2829700",
                "bf3e125a1089882119900000000000000000000005971be68992dbbdfa",
                "84f220020863a63f8959827fb2",
                "84ca006608a0c6a4a74166f7ce00",
                "84f22002124f0212345c054f9f70c52249b50272656536",
                "84f280020a4f00e91443f6dce6b8ed00",
            ],
        ),
        session(
            16,
            L::C_DECRYPTION,
            hex!("8e1552d0513c60f3"),
            [
                "0000000000000000000030037030760cd2c47c1dd395065fe5ead8a9d7000001",
                "8482030010fd4721a14d9b07003c451d2f8ae6bb21",
                "84e2910018ca9c00f6713d79bc8baa642bdff51c3f6a4082d3bd9ad26c00",
                "bf3e125a1089882119900000000000000000000005",
                "84f2200208c9811b11f1264cf1",
                "84ca006608e10ab60b3054798800",
                "84f22002184e2908bdb48b2315a55482e9e936ca122d6ecfae7d17416e",
                "84f28002180dd10a6b6193e5340b9e77d32d5a179cd710ac2773aefb2800",
            ],
        ),
        session(
            16,
            L::FULL,
            hex!("fdf38259a1e0de44"),
            [
                "000000000000000000003003703b1aca81e821f219081cdc01c26b372d000003",
                "84823300108c36f96bcc00724a4e13ad591d7da3f0",
                "84e2910018267a85dfe4a98fca6fb0527e0dfecce4914e40401433c87f00",
                "f3ba2b1013aa6224f5e1c138d71805c569e5439b47576260b75fc021b25097cb2e68f8a0144975b9",
                "84f2200208ac6a59024bed84cc",
                "84ca006608409912ad8fb7aed000",
                "84f22002185f3dafc3ac14c381536a488bf44e06d056df9d74dbd21e5a",
                "84f280021865165105be3373347d0424d4400af2ac393f569ec779389e00",
            ],
        ),
        session(
            24,
            L::C_MAC_R_MAC,
            hex!("7396430b768b085b"),
            [
                "000000000000000000003103708cfc23522ffdbf1e5df5542cac8fd866000003",
                "84821100102145ed30b146f5db252fb7e624cec244",
                "84e291000ebf3e035c015aff42cf801d14394400",
                "bf3e125a1089882119900000000000000000000005162fbd33e04940a9",
                "84f22002084584e4f6784811ee",
                "84ca006608937776ebe190fa3000",
                "84f22002124f0212345c054f9f70c59a52bddf3040368c",
                "84f280020a4f009804b11411f7393d00",
            ],
        ),
        session(
            24,
            L::C_DECRYPTION,
            hex!("69c65da8202bf19f"),
            [
                "00000000000000000000310370b570a67be38446717729d6dd3d2ec5b1000001",
                "848203001065df4f1a356a887905466516d9e5b7c1",
                "84e2910018d2c6fb477c5d4afe4fd4d21f17eff10d3578ec1774a12a2d00",
                "bf3e125a1089882119900000000000000000000005",
                "84f2200208964e188f0b1bb697",
                "84ca006608f0820035a41d3e1800",
                "84f220021806b076ed452cd1fa84f77f5c08a146aa77a9286757dea791",
                "84f2800218d06527e39222dce091fabdb8e9b898417a67a6852d3577db00",
            ],
        ),
        session(
            24,
            L::FULL,
            hex!("9b3f2eef0e8c9374"),
            [
                "00000000000000000000310370f6bb305a15bae1a68f79fb08212fbed7000002",
                "84823300109100bc22d58b45b86a26365ce39ff3cf",
                "84e29100188f7f946c84f70d17994bc6e8791251bb1bb1bf02cf8de58900",
                "c05176c1b6f72aae50c32cbee63b0e95998928fd4dfb2be9f27ffde8c8476f5909b4805cc4039599",
                "84f2200208d5d97754b6b3d2ba",
                "84ca006608516c82b8e30adbeb00",
                "84f2200218cc247f4761e6944277a4e0d6e32e44025b1e31537e2fc668",
                "84f2800218ba22b63d509bef5d093b43e5eaed03ed23144ab2d9cb51de00",
            ],
        ),
        session(
            32,
            L::C_MAC_R_MAC,
            hex!("11666d57866c6f54"),
            [
                "0000000000000000000032037053ea8847efa7674e41498a4d66cf0dee000003",
                "84821100102f2ad190eff2fafc4908996d1cebd310",
                "84e291000ebf3e035c015af4b680372542b59d00",
                "bf3e125a10898821199000000000000000000000058012dd7f01f1c4c1",
                "84f2200208d618b7da68d5fe52",
                "84ca0066088f3e055db23ad5e500",
                "84f22002124f0212345c054f9f70c5b6e15cc42404915e",
                "84f280020a4f00aa124aa74afe7f7500",
            ],
        ),
        session(
            32,
            L::C_DECRYPTION,
            hex!("c6066990fc426e1d"),
            [
                "000000000000000000003203708682cd81bbd8919f2de3f2664581f118000001",
                "848203001077c493b632edadaf865a1e64acc07ce9",
                "84e29100183ddaa60594963befaada3525b492ede23c2ab2c1ce3afe4400",
                "bf3e125a1089882119900000000000000000000005",
                "84f2200208480ddc8e419da38d",
                "84ca0066083e9d6a6c0b2d732000",
                "84f22002183ebfef2da8b04af2a85f491f299b76973df76ff08a4031be",
                "84f2800218783fff80990f5585b1055010ea95094a26e4a8f1ef4b18e100",
            ],
        ),
        session(
            32,
            L::FULL,
            hex!("97b2055fe58599fd"),
            [
                "00000000000000000000320370a8439a22cedf045fa9f1903b2834f26e000002",
                "8482330010508a0fd959d2e547c6b33154a6be2057",
                "84e29100187a5ef717eaf1e135ae92fe54429d0e465decda65f5fe5aea00",
                "ea90dbfa648a67c5eb6abc57f8530b97d0cd5647c5e8732016b55203b078dd2ace7f8bc5d1c1cd99",
                "84f2200208bcc5c17275545d93",
                "84ca00660804806aba9d543bb600",
                "84f2200218717222491556ec81a45f49ce48be33320024801a1c4cb0e0",
                "84f2800218561f105bccd3a1642904b251ccc1228beb80a82370a8637000",
            ],
        ),
    ]
}

const EID: [u8; 21] = hex!("bf3e125a1089882119900000000000000000000005");

#[test]
fn protects_commands_as_the_recorded_sessions_did() {
    for session in sessions() {
        let mut channel = open(&session);
        let wrapped = channel.wrap(&get_eid()).unwrap();
        assert_eq!(hex::encode(wrapped.encode().unwrap()), session.get_eid);
        for (plain, expected) in cases().iter().zip(session.cases) {
            let wrapped = channel.wrap(plain).unwrap();
            assert_eq!(hex::encode(wrapped.encode().unwrap()), expected, "{:?}", session.level);
        }
    }
}

#[test]
fn opens_responses_as_the_recorded_sessions_did() {
    for session in sessions() {
        let mut channel = open(&session);
        channel.wrap(&get_eid()).unwrap();
        assert_eq!(channel.unwrap(&response(session.eid)).unwrap().data, EID);
    }
}

fn full_session() -> (Scp03Channel, ResponseApdu) {
    let sessions = sessions();
    let session = sessions.iter().find(|s| s.level == SecurityLevel::FULL).unwrap();
    let mut channel = open(session);
    channel.wrap(&get_eid()).unwrap();
    (channel, response(session.eid))
}

#[test]
fn refuses_a_response_with_any_bit_changed_and_closes() {
    let bits = full_session().1.data.len() * 8;
    for bit in 0..bits {
        let (mut channel, mut answer) = full_session();
        answer.data[bit / 8] ^= 1 << (bit % 8);
        assert!(channel.unwrap(&answer).is_err(), "bit {bit}");
        assert_eq!(channel.wrap(&get_eid()).unwrap_err(), GlobalPlatformError::ChannelClosed);
    }
}

#[test]
fn refuses_another_status_word_under_the_same_mac() {
    let (mut channel, mut answer) = full_session();
    answer.status = StatusWord(0x6200);
    assert!(channel.unwrap(&answer).is_err());
}

#[test]
fn refuses_a_success_without_mac() {
    let (mut channel, _) = full_session();
    let reason = "the MAC is missing";
    assert_eq!(
        channel.unwrap(&response("")).unwrap_err(),
        GlobalPlatformError::ResponseProtection { reason }
    );
}

#[test]
fn refuses_a_replayed_response() {
    let (mut channel, answer) = full_session();
    channel.unwrap(&answer).unwrap();
    channel.wrap(&get_eid()).unwrap();
    assert!(channel.unwrap(&answer).is_err());
}

#[test]
fn takes_an_error_without_data_and_stays_open() {
    let (mut channel, _) = full_session();
    let refusal = ResponseApdu { data: vec![], status: StatusWord(0x6A80) };
    assert_eq!(channel.unwrap(&refusal).unwrap().status, StatusWord(0x6A80));
    assert!(channel.wrap(&get_eid()).is_ok());
}

#[test]
fn refuses_an_error_with_data() {
    let (mut channel, _) = full_session();
    let refusal = ResponseApdu { data: vec![1], status: StatusWord(0x6A80) };
    assert!(channel.unwrap(&refusal).is_err());
}

#[test]
fn counts_room_and_overhead_alike() {
    for session in sessions() {
        let channel = open(&session);
        for protected in [24, 100, 255, 256, 1000, 65_535] {
            let room = channel.room(protected);
            assert!(channel.protected_length(room) <= protected);
            assert!(channel.protected_length(room + 1) > protected);
        }
    }
}

#[test]
fn refuses_a_command_that_no_apdu_can_carry() {
    let (mut channel, _) = full_session();
    let command = CommandApdu::new(0x80, 0xE2, 0, 0).with_data(vec![0; 65_530]);
    assert_eq!(
        channel.wrap(&command).unwrap_err(),
        GlobalPlatformError::CommandTooLong { length: 65_530 }
    );
}
