//! Sessions and keys that others published.

use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::apdu::{Ne, StatusWord};
use crate::globalplatform::command;

const DEFAULT: [u8; 16] = hex!("404142434445464748494A4B4C4D4E4F");

fn default_keys() -> KeySet {
    KeySet::new_triple_des(0, &DEFAULT, &DEFAULT, &DEFAULT).unwrap()
}

// pySim, tests/unittests/test_globalplatform.py: ck_3des_70, SCP02_Auth_Test.
fn pysim_keys() -> KeySet {
    KeySet::new_triple_des(
        0x20,
        &hex!("100102030405060708090a0b0c0d0e0f"),
        &hex!("101102030405060708090a0b0c0d0e0f"),
        &hex!("102102030405060708090a0b0c0d0e0f"),
    )
    .unwrap()
}
const PYSIM_CHALLENGE: [u8; 8] = hex!("40A62C37FA6304F8");
const PYSIM_ANSWER: [u8; 28] = hex!("00000000000000000000700200016B4524ABEE7CF32EA3838BC148F3");

fn ok(data: &[u8]) -> ResponseApdu {
    ResponseApdu { data: data.to_vec(), status: StatusWord::OK }
}

fn open(
    keys: &KeySet,
    level: SecurityLevel,
    challenge: [u8; 8],
    answer: &[u8],
    sent: &[u8],
) -> Scp02Channel {
    let step = initialize(keys, Some(level), Options::I15, &challenge);
    let step = step.answer(&ok(answer)).unwrap();
    assert_eq!(step.command().encode().unwrap(), sent);
    step.answer(&ok(&[])).unwrap()
}

#[test]
fn authenticates_and_protects_as_the_published_session() {
    let mut keys = pysim_keys();
    let command = command::initialize_update(keys.version, &PYSIM_CHALLENGE);
    assert_eq!(command.encode().unwrap(), hex!("805020000840A62C37FA6304F800"));
    // The published answer names another version than was asked for.
    keys.version = 0;
    let sent = hex!("8482010010BA6961667737C5BCEBECE14C7D6A4376");
    let mut channel = open(&keys, SecurityLevel::C_MAC, PYSIM_CHALLENGE, &PYSIM_ANSWER, &sent);
    for (plain, expected) in [
        (CommandApdu::new(0x80, 0xF2, 0x20, 0x02), "84F220020814DB34FA4341DCA8"),
        (
            CommandApdu::new(0x80, 0xCA, 0x00, 0x66).with_ne(Ne::MAX_SHORT),
            "84CA00660855ED7C5FF069512B00",
        ),
        (
            CommandApdu::new(0x80, 0xF2, 0x20, 0x02).with_data(hex!("4f0212345c054f9f70c5")),
            "84F22002124F0212345C054F9F70C58FC1B380C4228AF8",
        ),
        (
            CommandApdu::new(0x80, 0xF2, 0x80, 0x02).with_data(hex!("4f00")).with_ne(Ne::MAX_SHORT),
            "84F280020A4F003B95F09317DE6A4E00",
        ),
    ] {
        let wrapped = channel.wrap(&plain).unwrap().encode().unwrap();
        assert_eq!(hex::encode_upper(wrapped), expected);
    }
}

// The library GlobalPlatform of K. Ohme, src/scp02Test.c: two sessions recorded from a card.
#[test]
fn asks_for_the_registry_as_the_recorded_host() {
    let answer = hex!("000074746E6E6E6262620102069FAA2A0591E73367DD78794D04315E");
    let sent = hex!("84820100107C799B3C771DBAE6BEF49310977617BA");
    let challenge = hex!("D5AD539A60CA5E72");
    let mut channel = open(&default_keys(), SecurityLevel::C_MAC, challenge, &answer, &sent);
    let command = command::get_status(command::Registry::LoadFiles, false);
    let wrapped = channel.wrap(&command).unwrap().encode().unwrap();
    assert_eq!(wrapped, hex!("84F220020A4F00BB6E71C0EFCFCF0D00"));
    assert_eq!(channel.card().key_version, 1);
    assert_eq!(channel.card().sequence_counter, [0x06, 0x9F]);
}

#[test]
fn encrypts_commands_as_the_recorded_host() {
    let answer = hex!("000074746E6E6E626262010206A15086BBEE58F467149061DA4B6EAE");
    let sent = hex!("848203001005814C116071EB67D8BA9D9879454564");
    let challenge = hex!("EBAA9E53C696281B");
    let mut channel = open(&default_keys(), SecurityLevel::C_DECRYPTION, challenge, &answer, &sent);
    let delete = |data: &[u8]| {
        CommandApdu::new(0x80, 0xE4, 0x00, 0x80).with_data(data).with_ne(Ne::MAX_SHORT)
    };
    let first = channel.wrap(&delete(&hex!("4F08D0D1D2D3D4D50101"))).unwrap();
    let expected = hex!("84E4008018BC146FA0403BE4BAD3BC089E4ABD8674DA7EFEA21047B85800");
    assert_eq!(first.encode().unwrap(), expected);
    let second = channel.wrap(&delete(&hex!("4F07D0D1D2D3D4D501"))).unwrap();
    let expected = hex!("84E4008018C2748C1669FAFC0E20C5253680388A4A49C9A6038D77B45700");
    assert_eq!(second.encode().unwrap(), expected);
}

#[test]
fn derives_the_session_keys_that_others_derive() {
    // openjavacard-tools, SCP02DerivationTest.java.
    let keys = default_keys();
    for (counter, encryption, mac, data) in [
        (
            hex!("0000"),
            hex!("010b0371d78377b801f2d62afc671d95"),
            hex!("d1c28c601652a4770d67ad82d2d2e1c4"),
            hex!("e11987ee331b417a5d67d760692f89d4"),
        ),
        (
            hex!("007F"),
            hex!("f463d35410fd6ed925c7b07b333cfaf9"),
            hex!("161c8aa468e658c45ae3eca8387dfb19"),
            hex!("369a67c04590b93101ca413613db706a"),
        ),
        (
            hex!("FFFF"),
            hex!("e75adaaf916de18a01ab9acc6ef84b8b"),
            hex!("66f6b778a1fafccc9de6c253233be33d"),
            hex!("3c750e0f60899ffc8f0d26d860ae6c95"),
        ),
    ] {
        let derive = |of: Use, key| hex::encode(of.derive(key, counter).unwrap().bytes());
        assert_eq!(derive(Use::Encryption, &keys.encryption), hex::encode(encryption));
        assert_eq!(derive(Use::CommandMac, &keys.mac), hex::encode(mac));
        assert_eq!(derive(Use::DataEncryption, &keys.data_encryption), hex::encode(data));
    }
}

#[test]
fn sends_keys_under_the_session_key_as_another_host_does() {
    // GlobalPlatformPro, TestPlaintextKeys.java: the key 40…4F under S-DEK of counter 0000.
    let session = SessionKeys::derive(&default_keys(), [0, 0]).unwrap();
    let encrypted = session.data_encryption().encrypt_sensitive(&DEFAULT).unwrap();
    assert_eq!(encrypted, hex!("EFBEE6C6D99D7B70BDE9D7E927F020AF"));
}

#[test]
fn chains_macs_as_another_host_does() {
    // openjavacard-tools, SCP02WrapperTest.java: static keys in the place of session keys.
    let card = CardAnswer::parse(&PYSIM_ANSWER).unwrap();
    let keys = SessionKeys::from_static(&default_keys());
    let mut channel = Scp02Channel::new(keys, SecurityLevel::C_MAC, Options::I15, card);
    let plain = |length: u8| {
        CommandApdu::new(0x10, 0x20, 0, 0x30).with_data((1..=length).collect::<Vec<_>>())
    };
    for (length, expected) in [
        (5, "142000300d0102030405fb4034e025786ab1"),
        (5, "142000300d01020304050a3bebcf697d0829"),
        (8, "142000301001020304050607081bebeae51e869dac"),
        (8, "1420003010010203040506070840f75851a11470c5"),
    ] {
        let wrapped = channel.wrap(&plain(length)).unwrap().encode().unwrap();
        assert_eq!(hex::encode(wrapped), expected);
    }
}

#[test]
fn refuses_a_card_that_holds_other_keys() {
    let step = initialize(&default_keys(), None, Options::I15, &PYSIM_CHALLENGE)
        .answer(&ok(&PYSIM_ANSWER));
    assert_eq!(step.unwrap_err(), GlobalPlatformError::CardCryptogram);
    let card = CardAnswer::parse(&PYSIM_ANSWER).unwrap();
    assert!(card.is_from(&pysim_keys(), &PYSIM_CHALLENGE).unwrap());
    assert!(!card.is_from(&default_keys(), &PYSIM_CHALLENGE).unwrap());
    assert!(!card.is_from(&pysim_keys(), &[0; 8]).unwrap());
}

#[test]
fn recognises_the_well_known_challenge() {
    let domain = crate::globalplatform::ISSUER_SECURITY_DOMAIN;
    let keys = default_keys();
    let mut answer = PYSIM_ANSWER;
    let mac =
        Use::CommandMac.derive(&keys.mac, [0, 1]).unwrap().retail_mac(&[0; 8], &domain).unwrap();
    answer[14..20].copy_from_slice(&mac[..6]);
    assert!(CardAnswer::parse(&answer).unwrap().challenge_is_derived(&keys, &domain).unwrap());
    let random = CardAnswer::parse(&PYSIM_ANSWER).unwrap();
    assert!(!random.challenge_is_derived(&keys, &domain).unwrap());
}

#[test]
fn refuses_options_that_are_weaker_or_unknown() {
    for (parameter, refused) in [
        (0x15, false),
        (0x35, false),
        (0x55, false),
        (0x75, false),
        (0x04, true),
        (0x05, true),
        (0x0A, true),
        (0x14, true),
        (0x1A, true),
        (0x95, true),
    ] {
        assert_eq!(Options::new(parameter).is_err(), refused, "i={parameter:02X}");
    }
    let keys = default_keys();
    let step = initialize(&keys, Some(SecurityLevel::FULL), Options::I15, &[0; 8]);
    let expected =
        GlobalPlatformError::ProtectionNotOffered { parameter: 0x15, protection: "R-ENC" };
    assert_eq!(step.answer(&ok(&PYSIM_ANSWER)).unwrap_err(), expected);
}

#[test]
fn refuses_scp03_and_wrong_lengths() {
    let mut scp03 = PYSIM_ANSWER;
    scp03[11] = 3;
    scp03[12] = 0x70;
    assert_eq!(
        CardAnswer::parse(&scp03).unwrap_err(),
        GlobalPlatformError::ProtocolNotSupported { protocol: 3, parameter: 0x70 }
    );
    assert!(CardAnswer::parse(&PYSIM_ANSWER[..27]).is_err());
    assert!(CardAnswer::parse(&[&PYSIM_ANSWER[..], &[0]].concat()).is_err());
}

#[test]
fn stops_when_the_card_refuses_the_host() {
    let mut keys = pysim_keys();
    keys.version = 0x70;
    let step = initialize(&keys, None, Options::I15, &PYSIM_CHALLENGE).answer(&ok(&PYSIM_ANSWER));
    let refusal = ResponseApdu { data: vec![], status: StatusWord(0x6300) };
    assert_eq!(
        step.unwrap().answer(&refusal).unwrap_err(),
        GlobalPlatformError::AuthenticationRefused { status: StatusWord(0x6300) }
    );
}

proptest! {
    #[test]
    fn reads_any_answer_without_panic(data in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = CardAnswer::parse(&data);
    }

    #[test]
    fn what_fits_the_room_goes_into_a_short_command(protected in 16usize..600, encrypted: bool) {
        let level = if encrypted { SecurityLevel::C_DECRYPTION } else { SecurityLevel::C_MAC };
        let card = CardAnswer::parse(&PYSIM_ANSWER).unwrap();
        let keys = SessionKeys::derive(&default_keys(), [0, 0]).unwrap();
        let mut channel = Scp02Channel::new(keys, level, Options::I15, card);
        let room = channel.room(protected);
        let command = CommandApdu::new(0x80, 0xE2, 0, 0).with_data(vec![7; room]);
        let wrapped = channel.wrap(&command).unwrap();
        prop_assert!(wrapped.data.len() <= protected.min(255));
        let command = CommandApdu::new(0x80, 0xE2, 0, 0).with_data(vec![7; room + 1]);
        let wrapped = channel.wrap(&command);
        prop_assert!(wrapped.is_err() || wrapped.unwrap().data.len() > protected);
    }
}
