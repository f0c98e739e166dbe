use super::*;
use cancuoc_card_runtime::StatusWord;
use hex_literal::hex;

/// ICAO 9303-11 appendix D.4.
fn example() -> SecureMessaging {
    SecureMessaging::from_keys(
        BlockCipher::Tdes,
        &hex!("979EC13B1CBFE9DCD01AB0FED307EAE5"),
        &hex!("F1CB1F1FB5ADF208806B89DC579DC1F8"),
        &hex!("887022120C06C226"),
    )
}

const SELECT_COM: [u8; 27] = hex!("0CA4020C 15 8709016375432908C044F6 8E08BF8B92D635FF24F8 00");

#[test]
fn the_worked_example_is_unwrapped_and_answered() {
    let mut messaging = example();
    let select = Command::parse(&SELECT_COM).unwrap();
    let plain = messaging.unwrap(&select).unwrap();
    assert_eq!(plain.command().data, hex!("011E"));
    assert_eq!(plain.command().cla, 0);
    let answer = messaging.wrap(&Response::ok(Vec::new()), false).into_bytes();
    assert_eq!(answer, hex!("990290008E08FA855A5D4C50A8ED9000"));

    let read = hex!("0CB00000 0D 9701048E08ED6705417E96BA55 00");
    let read = Command::parse(&read).unwrap();
    assert_eq!(messaging.unwrap(&read).unwrap().command().ne, Some(4));
    let answer = messaging.wrap(&Response::ok(hex!("60145F01").to_vec()), false).into_bytes();
    assert_eq!(answer, hex!("8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"));
}

#[test]
fn every_changed_bit_of_a_command_is_refused() {
    for bit in 0..SELECT_COM.len() * 8 {
        let mut bytes = SELECT_COM;
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Neither Le nor the length of the data are under the MAC.
        if bit / 8 == 4 || bit / 8 == 26 {
            continue;
        }
        let command = Command::parse(&bytes).unwrap();
        assert!(example().unwrap(&command).is_err(), "bit {bit}");
    }
}

#[test]
fn a_replayed_command_is_refused() {
    let mut messaging = example();
    let select = Command::parse(&SELECT_COM).unwrap();
    assert!(messaging.unwrap(&select).is_ok());
    messaging.wrap(&Response::ok(Vec::new()), false);
    assert_eq!(messaging.unwrap(&select).err(), Some(SmError::Incorrect));
}

#[test]
fn a_command_without_mac_misses_a_data_object() {
    let bytes = hex!("0CB00000 03 970104 00");
    let command = Command::parse(&bytes).unwrap();
    assert_eq!(example().unwrap(&command).err(), Some(SmError::Missing));
}

#[test]
fn errors_are_protected_too() {
    let mut messaging = example();
    messaging.unwrap(&Command::parse(&SELECT_COM).unwrap()).unwrap();
    let answer = messaging.wrap(&StatusWord::NOT_FOUND.into(), false);
    assert_eq!(answer.data[..4], hex!("99026A82"));
    assert_eq!(answer.status, StatusWord::NOT_FOUND);
}

#[test]
fn short_responses_have_room_for_the_bytes_of_the_bound() {
    assert_eq!(example().room(256), 231);
    assert_eq!(SecureMessaging::new(BlockCipher::Aes128, b"secret").room(256), 223);
}

/// The length of Le belongs to the command; that the protected one is extended says nothing of it.
#[test]
fn the_form_of_le_is_that_of_its_data_object() {
    let mac = hex!("8E080102030405060708");
    for (le, form) in
        [(&hex!("970100")[..], Some(false)), (&hex!("97020100"), Some(true)), (&[], None)]
    {
        let data = [le, &mac].concat();
        let command = Command {
            cla: 0x0C,
            ins: 0xB0,
            p1: 0,
            p2: 0,
            data: &data,
            ne: Some(65_536),
            extended: true,
        };
        let objects = ProtectedObjects::read(&command).unwrap();
        assert_eq!(objects.extended_le, form);
    }
}
