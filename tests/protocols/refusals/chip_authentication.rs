//! Chip Authentication: keys that are none, and the end of the old session keys.

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::lds::{ChipAuthenticationInfo, KeyAgreement};
use cancuoc::softcard::SoftCard;
use cancuoc::terminal::chip_authentication::ChipAuthenticationParameters;
use cancuoc::terminal::public_key::encode_public_key;
use cancuoc::terminal::{Session, TerminalError, commands};
use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};

use crate::cards::{personalised, random};
use crate::chips::{agreement, bac_image, chip_key, open_by_bac, prove_chip, read_com};

const CURVE: u8 = 13;
const PRIME_FIELD: u8 = 0;

/// A card with a key for AES-128 and one for 3DES, and their public keys.
fn card(id: u8) -> (SoftCard, [PublicElement; 2]) {
    let parameters = DomainParameters::standardised(id).unwrap();
    let keys = [(); 2].map(|()| GroupSecret::random(&parameters, &mut random()));
    let mut image = bac_image();
    image.chip_authentication = vec![
        chip_key(&keys[0], BlockCipher::Aes128, Some(1)),
        chip_key(&keys[1], BlockCipher::Tdes, Some(2)),
    ];
    (personalised(&image), [keys[0].public_element(), keys[1].public_element()])
}

/// What no key of a terminal is.
fn bad_keys(id: u8, chip: &PublicElement) -> Vec<(&'static str, Vec<u8>)> {
    let own = encode_public_key(chip);
    let mut changed = own.clone();
    *changed.last_mut().unwrap() ^= 1;
    let mut keys = vec![
        ("cut off", own[..own.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("outside of the group", changed),
        ("the chip's own", own),
    ];
    match DomainParameters::standardised(id).unwrap() {
        DomainParameters::Ec(_) => {
            keys.extend([("infinity", vec![0]), ("zeros", [&[4][..], &[0; 64]].concat())])
        }
        DomainParameters::Dh(group) => {
            let mut minus_one = group.p().to_vec();
            *minus_one.last_mut().unwrap() -= 1;
            keys.extend([("zero", vec![0]), ("one", vec![1]), ("of order two", minus_one)]);
        }
    }
    keys
}

/// GENERAL AUTHENTICATE after MSE:Set AT; MSE:Set KAT.
fn send(
    session: &mut Session<&mut SoftCard>,
    kat: bool,
    agreement: KeyAgreement,
    key: &[u8],
) -> u16 {
    if kat {
        let data = [encode(Tag(0x91), key), encode(Tag(0x84), &[2])].concat();
        return session.transmit(&commands::mse_set_kat(data)).unwrap().status.0;
    }
    let oid = ChipAuthenticationInfo::protocol_oid(agreement, BlockCipher::Aes128);
    let data = [encode(Tag(0x80), oid.as_bytes()), encode(Tag(0x84), &[1])].concat();
    let selected = session.transmit(&commands::mse_set_at_internal(data)).unwrap();
    assert!(selected.status.is_ok());
    let command = commands::general_authenticate(&encode(Tag(0x80), key), true);
    session.transmit(&command).unwrap().status.0
}

#[test]
fn the_card_refuses_keys_that_are_none_and_the_old_session_goes_on() {
    for id in [CURVE, PRIME_FIELD] {
        let (mut card, chip) = card(id);
        let agreement = agreement(&chip[0].domain_parameters());
        let mut session = open_by_bac(&mut card).unwrap();
        for kat in [false, true] {
            for (name, key) in bad_keys(id, &chip[usize::from(kat)]) {
                let status = send(&mut session, kat, agreement, &key);
                assert_eq!(status, 0x6A80, "{name} over {id}, KAT {kat}");
                read_com(&mut session).unwrap();
            }
        }
    }
}

#[test]
fn the_card_refuses_a_key_or_protocol_that_it_does_not_have() {
    let (mut card, _) = card(CURVE);
    let mut session = open_by_bac(&mut card).unwrap();
    let set_at = |agreement, cipher, id: u8| {
        let oid = ChipAuthenticationInfo::protocol_oid(agreement, cipher);
        let data = [encode(Tag(0x80), oid.as_bytes()), encode(Tag(0x84), &[id])].concat();
        commands::mse_set_at_internal(data)
    };
    for (agreement, cipher, id, expected) in [
        (KeyAgreement::Ecdh, BlockCipher::Aes128, 9, 0x6A88),
        (KeyAgreement::Ecdh, BlockCipher::Aes256, 1, 0x6A80),
        (KeyAgreement::Dh, BlockCipher::Aes128, 1, 0x6A80),
    ] {
        let status = session.transmit(&set_at(agreement, cipher, id)).unwrap().status.0;
        assert_eq!(status, expected, "{} {id}", cipher.name());
        // Nothing is chosen, so there is nothing to go on with.
        let step = commands::general_authenticate(&encode(Tag(0x80), &[4; 65]), true);
        assert_eq!(session.transmit(&step).unwrap().status.0, 0x6985);
    }
    read_com(&mut session).unwrap();
}

fn parameters(key: &PublicElement) -> ChipAuthenticationParameters {
    let (cipher, card_key) = (BlockCipher::Aes128, key.clone());
    ChipAuthenticationParameters { cipher, card_key, key_id: Some(vec![1]), assumed: false }
}

#[test]
fn the_old_keys_no_longer_work_after_chip_authentication() {
    let (mut card, [chip, _]) = card(CURVE);
    let mut session = open_by_bac(&mut card).unwrap();
    let mut old = session.secure_messaging().unwrap().clone();
    prove_chip(&mut session, parameters(&chip)).unwrap();
    let mut new = session.secure_messaging().unwrap().clone();
    drop(session);
    // MSE:Set AT and GENERAL AUTHENTICATE went under the old keys, EF.COM was the next command.
    for later in 0..8 {
        let mut old = old.clone();
        let mut command = old.wrap(&commands::select_lds1()).unwrap();
        for _ in 0..later {
            command = old.wrap(&commands::select_lds1()).unwrap();
        }
        let answer = card.process(&command.encode().unwrap());
        assert_eq!(answer, [0x69, 0x88], "{later} commands later");
        // And with that the session is over, for whoever has the new keys too.
        let command = new.wrap(&commands::select_lds1()).unwrap().encode().unwrap();
        assert_eq!(card.process(&command), [0x69, 0x88]);
        let mut again = open_by_bac(&mut card).unwrap();
        old = again.secure_messaging().unwrap().clone();
        prove_chip(&mut again, parameters(&chip)).unwrap();
        new = again.secure_messaging().unwrap().clone();
    }
    let _ = old.wrap(&commands::select_lds1());
}

#[test]
fn the_reader_takes_no_answer_from_a_chip_without_the_key() {
    let (mut card, _) = card(CURVE);
    let another =
        GroupSecret::random(&DomainParameters::standardised(CURVE).unwrap(), &mut random());
    let mut session = open_by_bac(&mut card).unwrap();
    let refused = prove_chip(&mut session, parameters(&another.public_element())).unwrap_err();
    assert!(refused.contains("SecureMessaging"), "{refused}");
    assert_eq!(
        session.transmit(&commands::select_lds1()).unwrap_err(),
        TerminalError::Closed,
        "nothing more is sent"
    );
}

#[test]
fn the_card_answers_no_chip_authentication_outside_of_a_session() {
    let (mut card, _) = card(CURVE);
    let oid = ChipAuthenticationInfo::protocol_oid(KeyAgreement::Ecdh, BlockCipher::Aes128);
    let data = encode(Tag(0x80), oid.as_bytes());
    let command = commands::mse_set_at_internal(data).encode().unwrap();
    card.process(&commands::select_lds1().encode().unwrap());
    assert_eq!(card.process(&command), [0x69, 0x85]);
}
