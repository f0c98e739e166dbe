use hex_literal::hex;

use super::*;
use crate::document::{Can, MrzKey, Pin, Puk};
use crate::terminal::testing::Fixed;
use crate::transport::TransportError;
use crate::transport::replay::ReplayTransport;

const CARD_ACCESS: [u8; 54] = hex!(
    "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d"
);

fn mrz_key() -> MrzKey {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&hex!("239AB9CB282DAF66231DC5A4DF6BFBAE"));
    MrzKey::from_bytes(key)
}

fn plan(policy: AccessPolicy) -> AccessPlan {
    let can = Can::new("123456").unwrap();
    let keys = AccessKeys { can: Some(can), mrz: Some(mrz_key()), ..AccessKeys::default() };
    AccessPlan { policy, ..AccessPlan::pace(keys) }
}

fn random() -> Fixed {
    Fixed::new(&hex!("781723860C06C2260B795240CB7049B01C19B33E32804F0B"))
}

const SELECT_MF: &[u8] = &hex!("00A4000C023F00");
const SELECT_CARD_ACCESS: &[u8] = &hex!("00A4020C02011C");
const READ_CARD_ACCESS: &[u8] = &hex!("00B09C0000");
const SELECT_LDS1: &[u8] = &hex!("00A4040C07A0000002471001");
const NOT_FOUND: &[u8] = &[0x6A, 0x82];
const OK: &[u8] = &[0x90, 0];

fn replay(exchanges: &[(&[u8], &[u8])]) -> Session<ReplayTransport> {
    let owned = exchanges.iter().map(|(c, r)| (c.to_vec(), r.to_vec()));
    Session::new(ReplayTransport::from_exchanges(owned))
}

/// BAC of ICAO 9303-11 appendix D.3, after SELECT.
const BAC: [(&[u8], &[u8]); 3] = [
    (SELECT_LDS1, OK),
    (&hex!("0084000008"), &hex!("4608F919887022129000")),
    (
        &hex!(
            "008200002872C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A728"
        ),
        &hex!(
            "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D74499000"
        ),
    ),
];

const NO_CARD_ACCESS: [(&[u8], &[u8]); 3] =
    [(READ_CARD_ACCESS, NOT_FOUND), (SELECT_MF, &[0x6D, 0]), (SELECT_CARD_ACCESS, NOT_FOUND)];

#[test]
fn opens_with_bac_in_three_commands_when_told_to() {
    let mut session = replay(&BAC);
    let outcome = open_card(&mut session, &plan(AccessPolicy::Bac), &mut random()).unwrap();
    assert_eq!((outcome.protocol, outcome.cipher, outcome.downgraded), ("BAC", "3DES", false));
    let counters = session.counters();
    assert_eq!((counters.apdus, counters.sent_bytes + counters.received_bytes), (3, 117));
}

#[test]
fn does_not_fall_back_to_bac_when_card_access_is_suppressed() {
    let mut session = replay(&NO_CARD_ACCESS);
    let error = open_card(&mut session, &plan(AccessPolicy::Pace), &mut random()).unwrap_err();
    let detail = "there is no EF.CardAccess";
    assert_eq!(error, TerminalError::PaceNotOffered { detail });
    assert!(session.into_transport().is_finished());
}

#[test]
fn records_the_downgrade_where_the_plan_allows_it() {
    let mut session = replay(&[&NO_CARD_ACCESS[..], &BAC].concat());
    let plan = plan(AccessPolicy::PaceOrBacWhenNotOffered);
    let outcome = open_card(&mut session, &plan, &mut random()).unwrap();
    assert_eq!((outcome.protocol, outcome.downgraded), ("BAC", true));
}

#[test]
fn does_not_fall_back_to_bac_when_pace_is_refused() {
    let card_access = [&CARD_ACCESS[..], OK].concat();
    let mse: &[u8] = &hex!("0022C1A40F800A04007F00070202040202830102");
    let mut session = replay(&[(READ_CARD_ACCESS, &card_access), (mse, &[0x6A, 0x80])]);
    let plan = plan(AccessPolicy::PaceOrBacWhenNotOffered);
    let error = open_card(&mut session, &plan, &mut random()).unwrap_err();
    assert!(matches!(error, TerminalError::Refused { .. }), "{error}");
    assert!(session.into_transport().is_finished());
}

#[test]
fn asks_once_more_without_the_trust_points_where_the_card_refuses_the_question() {
    let card_access = [&CARD_ACCESS[..], OK].concat();
    let asking: &[u8] =
        &hex!("0022C1A420800A04007F00070202040202830102 7F4C0E060904007F000703010201 53013F");
    let without: &[u8] = &hex!("0022C1A40F800A04007F00070202040202830102");
    let nonce: &[u8] = &hex!("10860000027C0000");
    let mut session = replay(&[
        (READ_CARD_ACCESS, &card_access),
        (asking, &[0x6A, 0x80]),
        (without, OK),
        (nonce, &[0x6F, 0]),
    ]);
    let mut plan = plan(AccessPolicy::Pace);
    plan.pace.request_certification_authorities = true;
    let error = open_card(&mut session, &plan, &mut random()).unwrap_err();
    assert!(matches!(error, TerminalError::Refused { .. }), "{error}");
    assert!(session.into_transport().is_finished());
}

#[test]
fn does_not_fall_back_to_bac_when_card_access_is_malformed() {
    let broken: &[u8] = &hex!("3104300206009000");
    let mut session = replay(&[(READ_CARD_ACCESS, broken)]);
    let plan = plan(AccessPolicy::PaceOrBacWhenNotOffered);
    assert!(open_card(&mut session, &plan, &mut random()).is_err());
}

#[test]
fn prefers_the_can_and_takes_the_mrz_when_told() {
    let mut plan = plan(AccessPolicy::Pace);
    assert_eq!(plan.pace_password().unwrap().name(), "CAN");
    plan.prefer_mrz = true;
    assert_eq!(plan.pace_password().unwrap().name(), "MRZ");
    plan.keys.mrz = None;
    assert_eq!(plan.pace_password().unwrap().name(), "CAN");
}

fn pin_plan(can: bool, puk: bool) -> AccessPlan {
    let keys = AccessKeys {
        can: can.then(|| Can::new("123456").unwrap()),
        mrz: None,
        pin: Some(Pin::new("4321").unwrap()),
        puk: puk.then(|| Puk::new("12345678").unwrap()),
    };
    AccessPlan::pace(keys)
}

/// How opening goes on when the card answers `status` to MSE:Set AT with the PIN, and the command
/// after it, if there is one, with 6A80.
fn after_pin(plan: &AccessPlan, status: [u8; 2], next: Option<u8>) -> TerminalError {
    let card_access = [&CARD_ACCESS[..], OK].concat();
    let mse = |reference: u8| {
        let mut command = hex!("0022C1A40F800A04007F00070202040202830100").to_vec();
        *command.last_mut().unwrap() = reference;
        command
    };
    let mut exchanges = vec![(READ_CARD_ACCESS.to_vec(), card_access), (mse(3), status.to_vec())];
    exchanges.extend(next.map(|reference| (mse(reference), vec![0x6A, 0x80])));
    let mut session = Session::new(ReplayTransport::from_exchanges(exchanges));
    let error = open_card(&mut session, plan, &mut random()).unwrap_err();
    assert!(session.into_transport().is_finished());
    error
}

#[test]
fn prefers_a_pin_over_a_puk_and_a_puk_over_what_is_printed() {
    let mut plan = pin_plan(true, true);
    assert_eq!(plan.pace_password().unwrap().name(), "PIN");
    plan.keys.pin = None;
    assert_eq!(plan.pace_password().unwrap().name(), "PUK");
    plan.keys.puk = None;
    assert_eq!(plan.pace_password().unwrap().name(), "CAN");
}

#[test]
fn does_not_use_the_last_try_of_a_pin_without_the_can() {
    let suspended = TerminalError::PasswordSuspended { password: "PIN" };
    assert_eq!(after_pin(&pin_plan(false, true), [0x63, 0xC1], None), suspended);
}

#[test]
fn resumes_a_suspended_pin_with_the_can() {
    let error = after_pin(&pin_plan(true, true), [0x63, 0xC1], Some(2));
    assert!(matches!(error, TerminalError::Refused { .. }), "{error}");
}

#[test]
fn reports_a_blocked_pin_where_there_is_no_puk() {
    let blocked = TerminalError::PasswordBlocked { password: "PIN" };
    assert_eq!(after_pin(&pin_plan(true, false), [0x63, 0xC0], None), blocked);
}

#[test]
fn unblocks_a_blocked_pin_with_the_puk() {
    let error = after_pin(&pin_plan(true, true), [0x69, 0x83], Some(4));
    assert!(matches!(error, TerminalError::Refused { .. }), "{error}");
}

#[test]
fn sends_nothing_without_a_password() {
    let plan = AccessPlan::pace(AccessKeys::default());
    let error = open_card(&mut replay(&[]), &plan, &mut random()).unwrap_err();
    assert_eq!(error.to_string(), "access by PACE needs the CAN or MRZ");
}

#[test]
fn reads_card_access_by_identifier_where_the_short_one_fails() {
    let read: &[u8] = &hex!("00B0000000");
    let card_access = [&CARD_ACCESS[..], OK].concat();
    let mut session = replay(&[
        (READ_CARD_ACCESS, &[0x6A, 0x86]),
        (SELECT_MF, &[0x6D, 0]),
        (SELECT_CARD_ACCESS, OK),
        (read, &card_access),
    ]);
    assert_eq!(read_card_access(&mut session).unwrap().unwrap(), CARD_ACCESS);
}

#[test]
fn reads_card_access_in_one_command() {
    let card_access = [&CARD_ACCESS[..], &[0x62, 0x82]].concat();
    let mut session = replay(&[(READ_CARD_ACCESS, &card_access)]);
    assert_eq!(read_card_access(&mut session).unwrap().unwrap(), CARD_ACCESS);
}

#[test]
fn ends_on_a_card_that_gives_no_rest_of_card_access() {
    let start: &[u8] = &hex!("318201003000009000");
    let rest: &[u8] = &hex!("00B00007FD");
    let mut session = replay(&[(READ_CARD_ACCESS, start), (rest, OK)]);
    let error = read_card_access(&mut session).unwrap_err();
    assert!(matches!(error, TerminalError::Limit { .. }), "{error}");
}

#[test]
fn tells_a_torn_out_card_from_a_refusal() {
    let mut session = replay(&[]);
    let error = read_card_access(&mut session).unwrap_err();
    assert!(matches!(error, TerminalError::Transport(TransportError::Replay { .. })));
}
