//! PIN and PUK: tries that are counted, and what is left when they are used up.

use cancuoc::document::{AccessKeys, Can, MrzKey, Pin, Puk};
use cancuoc::issue::{CardImage, PaceConfiguration};
use cancuoc::lds::{KeyAgreement, Mapping, PaceInfo, PaceProtocol, SecurityInfoKind};
use cancuoc::softcard::{FileMemory, PowerCut, SoftCard};
use cancuoc::terminal::{AccessPlan, PinRecovery, Session, TerminalError, open_card};
use cancuoc::transport::CardTransport;
use cancuoc_primitives::cipher::BlockCipher;

use crate::cards::{personalised, personalised_file, random};
use crate::chips::{bac_image, card_access, keys};

/// A card with every password: three tries of the PIN, four of the PUK.
fn image() -> CardImage {
    let agreement = KeyAgreement::Ecdh;
    let (mapping, cipher) = (Mapping::Generic, BlockCipher::Aes128);
    let protocol = PaceProtocol { agreement, mapping, cipher };
    let info = SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(12) });
    let mut image = bac_image();
    image.files.push(card_access([info]));
    let AccessKeys { can, pin, puk, .. } = keys();
    CardImage {
        can,
        pin: pin.map(|pin| (pin, 3)),
        puk: puk.map(|puk| (puk, 4)),
        pace: vec![PaceConfiguration { protocol: protocol.oid(), domain_parameter_id: 12 }],
        ..image
    }
}

fn nothing() -> AccessKeys {
    AccessKeys::default()
}

fn pin(digits: &str) -> AccessKeys {
    AccessKeys { pin: Some(Pin::new(digits).unwrap()), ..nothing() }
}

fn right_pin() -> AccessKeys {
    AccessKeys { pin: keys().pin, ..nothing() }
}

fn puk(digits: &str) -> AccessKeys {
    AccessKeys { puk: Some(Puk::new(digits).unwrap()), ..nothing() }
}

type Opened = Result<(Option<u8>, Option<PinRecovery>), TerminalError>;

/// Resets the card and opens it: the tries there were, and what had to be done first.
fn open(card: &mut impl CardTransport, keys: AccessKeys) -> Opened {
    card.reset().unwrap();
    let outcome = open_card(&mut Session::new(card), &AccessPlan::pace(keys), &mut random())?;
    Ok((outcome.tries_left, outcome.recovery))
}

fn wrong(password: &'static str, left: u8) -> Opened {
    Err(TerminalError::WrongPassword { password, tries_left: Some(left) })
}

const BLOCKED: Opened = Err(TerminalError::PasswordBlocked { password: "PIN" });
const SUSPENDED: Opened = Err(TerminalError::PasswordSuspended { password: "PIN" });

#[test]
fn a_pin_is_suspended_resumed_blocked_and_unblocked() {
    let mut card = personalised(&image());
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 2));
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 1));
    // Suspended: the right PIN does not help, whatever the reader wants.
    assert_eq!(open(&mut card, right_pin()), SUSPENDED);
    let with_can = |pin: AccessKeys| AccessKeys { can: keys().can, ..pin };
    assert_eq!(open(&mut card, with_can(pin("000000"))), BLOCKED);
    assert_eq!(open(&mut card, with_can(right_pin())), BLOCKED);
    let with_puk = AccessKeys { puk: keys().puk, ..right_pin() };
    assert_eq!(open(&mut card, with_puk), Ok((None, Some(PinRecovery::Unblocked))));
    // A success gives all tries back.
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 2));
    assert_eq!(open(&mut card, right_pin()), Ok((Some(2), None)));
    assert_eq!(open(&mut card, right_pin()), Ok((None, None)));
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 2));
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 1));
    assert_eq!(open(&mut card, with_can(right_pin())), Ok((Some(1), Some(PinRecovery::Resumed))));
    assert_eq!(open(&mut card, right_pin()), Ok((None, None)));
}

#[test]
fn the_mrz_does_not_resume_a_pin() {
    let mut card = personalised(&image());
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 2));
    assert_eq!(open(&mut card, pin("000000")), wrong("PIN", 1));
    let with_mrz = AccessKeys { mrz: keys().mrz, ..right_pin() };
    assert_eq!(open(&mut card, with_mrz), SUSPENDED);
}

#[test]
fn a_puk_is_blocked_for_good_and_the_other_passwords_still_open_the_card() {
    let mut card = personalised(&image());
    for left in [3, 2, 1] {
        assert_eq!(open(&mut card, puk("0000000000")), wrong("PUK", left));
    }
    let blocked: Opened = Err(TerminalError::PasswordBlocked { password: "PUK" });
    assert_eq!(open(&mut card, puk("0000000000")), blocked);
    assert_eq!(open(&mut card, AccessKeys { puk: keys().puk, ..nothing() }), blocked);
    for keys in [AccessKeys { pin: None, puk: None, ..keys() }, right_pin()] {
        assert_eq!(open(&mut card, keys), Ok((None, None)));
    }
}

#[test]
fn what_is_printed_on_the_card_never_blocks() {
    let mut card = personalised(&image());
    for _ in 0..20 {
        let can = Some(Can::new("999999").unwrap());
        let error = open(&mut card, AccessKeys { can, ..nothing() }).unwrap_err();
        assert_eq!(error, TerminalError::WrongPassword { password: "CAN", tries_left: None });
        let mrz = Some(MrzKey::from_bytes([1; 20]));
        let error = open(&mut card, AccessKeys { mrz, ..nothing() }).unwrap_err();
        assert_eq!(error, TerminalError::WrongPassword { password: "MRZ", tries_left: None });
    }
    for keys in
        [AccessKeys { can: keys().can, ..nothing() }, AccessKeys { mrz: keys().mrz, ..nothing() }]
    {
        assert_eq!(open(&mut card, keys), Ok((None, None)));
    }
}

#[test]
fn a_card_whose_power_goes_before_it_has_counted_tells_right_and_wrong_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.card");
    personalised_file(&path, &image());
    let open_with_power_for = |writes: usize, keys: AccessKeys| {
        let memory = PowerCut::after(FileMemory::open(&path).unwrap(), writes);
        let mut card = SoftCard::power_up(Box::new(memory), Box::new(random()));
        open(&mut card, keys)
    };
    for keys in [right_pin(), pin("000000")] {
        let error = open_with_power_for(0, keys).unwrap_err();
        let failed = matches!(error, TerminalError::Refused { status, .. } if status.0 == 0x6581);
        assert!(failed, "{error}");
    }
    // Counted, but the success is not: the try is gone, and there is no session.
    let error = open_with_power_for(1, right_pin()).unwrap_err();
    let failed = matches!(error, TerminalError::Refused { status, .. } if status.0 == 0x6581);
    assert!(failed, "{error}");
    assert_eq!(open_with_power_for(2, right_pin()), Ok((Some(2), None)));
    assert_eq!(open_with_power_for(2, right_pin()), Ok((None, None)));
}
