use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::group::DomainParameters;
use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::apdu::StatusWord;
use crate::lds::{
    ChipAuthenticationPublicKeyInfo, KeyAgreement, ParameterForm, PublicKey, SecurityInfoKind,
    SecurityInfos, security_infos_of_dg14,
};
use crate::terminal::testing::Fixed;

fn secret(n: u8) -> GroupSecret {
    GroupSecret::from_bytes(&DomainParameters::Ec(Curve::P256), &[n; 32]).unwrap()
}

fn parameters(cipher: BlockCipher, key_id: Option<Vec<u8>>) -> ChipAuthenticationParameters {
    let card_key = secret(3).public_element();
    ChipAuthenticationParameters { cipher, card_key, key_id, assumed: false }
}

fn protocol(cipher: BlockCipher, key_id: Option<Vec<u8>>) -> ChipAuthentication {
    let bytes: Vec<u8> = (1..=64).collect();
    ChipAuthentication::new(parameters(cipher, key_id), &mut Fixed::new(&bytes))
}

fn answer(status: u16, data: &[u8]) -> ResponseApdu {
    ResponseApdu { data: data.to_vec(), status: StatusWord(status) }
}

fn done(step: Step<PendingChipAuthentication>) -> PendingChipAuthentication {
    match step {
        Step::Done(pending) => pending,
        Step::Send(command) => panic!("sent {command:?}"),
    }
}

#[test]
fn sends_key_and_key_identifier_in_one_command_for_3des() {
    let mut ca = protocol(BlockCipher::Tdes, Some(vec![0x2A]));
    let command = ca.start().unwrap();
    assert_eq!(command.header(), hex!("002241A6"));
    let key = encode_public_key(&ca.ephemeral.public_element());
    let expected = [&hex!("9141")[..], &key[..], &hex!("84012A")].concat();
    assert_eq!((command.data, command.ne), (expected, None));
    done(ca.resume(&answer(0x9000, &[])).unwrap());
}

#[test]
fn selects_the_protocol_and_then_sends_the_key_for_aes() {
    let mut ca = protocol(BlockCipher::Aes128, None);
    let command = ca.start().unwrap().encode().unwrap();
    assert_eq!(command, hex!("002241A40C800A04007F00070202030202"));
    let Step::Send(command) = ca.resume(&answer(0x9000, &[])).unwrap() else { panic!() };
    assert_eq!(command.header(), hex!("00860000"));
    let key = encode_public_key(&ca.ephemeral.public_element());
    assert_eq!(command.data, [&hex!("7C438041")[..], &key[..]].concat());
    done(ca.resume(&answer(0x9000, &hex!("7C00"))).unwrap());
}

#[test]
fn sends_the_key_identifier_with_the_protocol() {
    let command = protocol(BlockCipher::Aes256, Some(vec![0xC3])).start().unwrap();
    assert_eq!(command.data, hex!("800A04007F000702020302048401C3"));
}

#[test]
fn reports_the_step_that_the_card_refuses() {
    let mut ca = protocol(BlockCipher::Aes128, None);
    ca.start().unwrap();
    let error = ca.resume(&answer(0x6A88, &[])).unwrap_err();
    assert_eq!(error, TerminalError::Refused { step: AT, status: StatusWord(0x6A88) });
    assert_eq!(ca.resume(&answer(0x9000, &[])).unwrap_err(), TerminalError::Closed);
}

#[test]
fn refuses_data_in_the_last_answer() {
    let mut ca = protocol(BlockCipher::Aes128, None);
    ca.start().unwrap();
    ca.resume(&answer(0x9000, &[])).unwrap();
    let error = ca.resume(&answer(0x9000, &hex!("7C03800101"))).unwrap_err();
    assert!(matches!(error, TerminalError::Protocol { step: AUTHENTICATE, .. }));
}

#[test]
fn both_sides_derive_the_same_keys() {
    let mut ca = protocol(BlockCipher::Aes256, None);
    ca.start().unwrap();
    ca.resume(&answer(0x9000, &[])).unwrap();
    let ephemeral = ca.ephemeral.public_element();
    let pending = done(ca.resume(&answer(0x9000, &[])).unwrap());
    let card = ephemeral.shared_secret(&secret(3)).unwrap();
    let mut card = SecureMessaging::from_secret(BlockCipher::Aes256, &card);
    let command = commands::select_lds1();
    assert_eq!(
        pending.session_keys().unwrap().wrap(&command).unwrap(),
        card.wrap(&command).unwrap()
    );
}

fn dh_secret(n: u8) -> GroupSecret {
    GroupSecret::from_bytes(&DomainParameters::standardised(2).unwrap(), &[n; 32]).unwrap()
}

fn dh_parameters(cipher: BlockCipher) -> ChipAuthenticationParameters {
    let card_key = dh_secret(3).public_element();
    ChipAuthenticationParameters { cipher, card_key, key_id: None, assumed: false }
}

#[test]
fn agrees_over_a_prime_field_too() {
    let bytes: Vec<u8> = (1..=64).collect();
    let parameters = dh_parameters(BlockCipher::Aes128);
    let mut ca = ChipAuthentication::new(parameters, &mut Fixed::new(&bytes));
    let command = ca.start().unwrap().encode().unwrap();
    assert_eq!(command, hex!("002241A40C800A04007F00070202030102"));
    let Step::Send(command) = ca.resume(&answer(0x9000, &[])).unwrap() else { panic!() };
    assert_eq!(command.data[..8], hex!("7C82010480820100"));
    let pending = done(ca.resume(&answer(0x9000, &hex!("7C00"))).unwrap());
    let secret = pending.terminal_public_key().shared_secret(&dh_secret(3)).unwrap();
    let mut card = SecureMessaging::from_secret(BlockCipher::Aes128, &secret);
    let command = commands::select_lds1();
    assert_eq!(
        pending.session_keys().unwrap().wrap(&command).unwrap(),
        card.wrap(&command).unwrap()
    );
}

#[test]
fn picks_a_key_over_a_prime_field() {
    let PublicElement::Dh(value) = dh_secret(3).public_element() else { panic!() };
    let key = SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: KeyAgreement::Dh,
        spki: PublicKey::Dh(value).to_spki_der(ParameterForm::Explicit),
        key_id: None,
    });
    let info = SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
        agreement: KeyAgreement::Dh,
        cipher: BlockCipher::Aes256,
        version: 1,
        key_id: None,
    });
    let found = ChipAuthenticationParameters::select(&SecurityInfos::from_kinds([key, info]));
    let found = found.unwrap().unwrap();
    assert_eq!((found.cipher, found.agreement()), (BlockCipher::Aes256, KeyAgreement::Dh));
    assert_eq!(found.card_key, dh_secret(3).public_element());
}

/// A card that answers commands by their P2 and instruction, and remembers them.
struct Scripted {
    sent: Vec<Vec<u8>>,
    kat: u16,
}

impl CardTransport for Scripted {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, crate::transport::TransportError> {
        self.sent.push(command.to_vec());
        let status = if command[1] == 0x22 && command[3] == 0xA6 { self.kat } else { 0x9000 };
        Ok(status.to_be_bytes().to_vec())
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), crate::transport::TransportError> {
        Ok(())
    }
}

fn sent_for(parameters: ChipAuthenticationParameters, kat: u16, extended: bool) -> Vec<Vec<u8>> {
    let mut session = Session::new(Scripted { sent: Vec::new(), kat });
    session.allow_extended_length(extended);
    let bytes: Vec<u8> = (1..=64).collect();
    authenticate_chip(&mut session, parameters, &mut Fixed::new(&bytes)).unwrap();
    session.into_transport().sent
}

#[test]
fn tries_3des_by_set_at_where_the_card_refuses_set_kat() {
    let sent = sent_for(parameters(BlockCipher::Tdes, None), 0x6D00, false);
    let headers: Vec<&[u8]> = sent.iter().map(|command| &command[..4]).collect();
    let expected: [&[u8]; 3] = [&hex!("002241A6"), &hex!("002241A4"), &hex!("00860000")];
    assert_eq!(headers, expected);
    assert_eq!(sent[1][5..], hex!("800A04007F00070202030201"));
    assert_eq!(sent_for(parameters(BlockCipher::Tdes, None), 0x9000, false).len(), 1);
}

#[test]
fn draws_another_key_for_the_second_try() {
    let sent = sent_for(parameters(BlockCipher::Tdes, None), 0x6A80, false);
    assert_ne!(sent[0][7..72], sent[2][9..74]);
}

#[test]
fn chains_a_long_key_where_extended_length_is_not_allowed() {
    let sent = sent_for(dh_parameters(BlockCipher::Aes128), 0x9000, false);
    let classes: Vec<u8> = sent.iter().map(|command| command[0]).collect();
    assert_eq!(classes, [0, 0x10, 0]);
    let sent = sent_for(dh_parameters(BlockCipher::Aes128), 0x9000, true);
    assert_eq!((sent.len(), sent[1].len()), (2, 4 + 3 + 264 + 2));
}

#[test]
fn refuses_a_static_key_that_is_the_generator() {
    let one = GroupSecret::from_bytes(&DomainParameters::Ec(Curve::P256), &[1]).unwrap();
    let PublicElement::Ec(point) = one.public_element() else { panic!() };
    let key = SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: KeyAgreement::Ecdh,
        spki: PublicKey::Ec(point).to_spki_der(ParameterForm::Named),
        key_id: None,
    });
    let error = ChipAuthenticationParameters::select(&SecurityInfos::from_kinds([key]));
    let fault = KeyFault::Generator;
    assert_eq!(error, Err(TerminalError::CardKey { step: SELECTION, fault }));
}

#[test]
fn takes_no_variant_of_another_kind_for_a_key() {
    let mut infos = kinds(&[], &[(3, None)]).infos;
    infos.extend(
        SecurityInfos::from_kinds([SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
            agreement: KeyAgreement::Dh,
            cipher: BlockCipher::Aes128,
            version: 1,
            key_id: None,
        })])
        .infos,
    );
    let error = ChipAuthenticationParameters::select(&SecurityInfos { infos });
    assert!(matches!(error, Err(TerminalError::Unsupported { .. })));
}

#[test]
fn keeps_the_old_keys_where_the_card_refuses() {
    let old = SecureMessaging::from_secret(BlockCipher::Aes128, b"old secret");
    struct Refusing(SecureMessaging);
    impl CardTransport for Refusing {
        fn transmit(
            &mut self,
            command: &[u8],
        ) -> Result<Vec<u8>, crate::transport::TransportError> {
            let ins = self.0.open_for_tests(command).ins;
            Ok(self.0.seal_for_tests(&[], if ins == 0x86 { 0x6A80 } else { 0x9000 }))
        }
        fn atr(&self) -> &[u8] {
            &[]
        }
        fn reset(&mut self) -> Result<(), crate::transport::TransportError> {
            Ok(())
        }
    }
    let mut session = Session::new(Refusing(old.clone()));
    session.start_secure_messaging(old);
    let random: Vec<u8> = (1..=64).collect();
    let parameters = parameters(BlockCipher::Aes128, None);
    let error = authenticate_chip(&mut session, parameters, &mut Fixed::new(&random)).unwrap_err();
    assert!(matches!(error, TerminalError::Refused { step: AUTHENTICATE, .. }));
    assert!(session.transmit(&commands::select_lds1()).is_ok());
}

fn kinds(infos: &[(BlockCipher, Option<u8>)], keys: &[(u8, Option<u8>)]) -> SecurityInfos {
    let info = |(cipher, id): &(BlockCipher, Option<u8>)| {
        SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
            agreement: KeyAgreement::Ecdh,
            cipher: *cipher,
            version: 1,
            key_id: id.map(|id| vec![id]),
        })
    };
    let key = |(n, id): &(u8, Option<u8>)| {
        let PublicElement::Ec(point) = secret(*n).public_element() else { panic!() };
        let key = PublicKey::Ec(point);
        SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: key.to_spki_der(ParameterForm::Named),
            key_id: id.map(|id| vec![id]),
        })
    };
    SecurityInfos::from_kinds(infos.iter().map(info).chain(keys.iter().map(key)))
}

#[test]
fn picks_the_key_that_the_strongest_cipher_names() {
    use BlockCipher::{Aes128, Aes256};
    let infos = kinds(&[(Aes128, Some(1)), (Aes256, Some(2))], &[(3, Some(1)), (5, Some(2))]);
    let found = ChipAuthenticationParameters::select(&infos).unwrap().unwrap();
    assert_eq!((found.cipher, found.key_id.as_deref()), (Aes256, Some(&[2][..])));
    assert_eq!(found.card_key, secret(5).public_element());
}

#[test]
fn prefers_what_a_policy_accepts_and_takes_the_rest_where_it_accepts_nothing() {
    use BlockCipher::{Aes128, Aes256};
    let infos = kinds(
        &[(Aes256, Some(1)), (Aes128, Some(2)), (Aes128, Some(1))],
        &[(3, Some(1)), (5, Some(2))],
    );
    let accepting = |accepted: &[BlockCipher], id: u8| {
        let accepted = accepted.to_vec();
        let preference = ChipAuthenticationPreference::new(move |variant| {
            accepted.contains(&variant.cipher) && variant.key_id == Some(vec![id])
        });
        let found = preference.select(&infos).unwrap().unwrap();
        (found.cipher, found.key_id.unwrap())
    };
    assert_eq!(accepting(&[Aes128], 2), (Aes128, vec![2]));
    assert_eq!(accepting(&[Aes128], 1), (Aes128, vec![1]));
    assert_eq!(accepting(&[], 1), (Aes256, vec![1]));
}

#[test]
fn assumes_3des_for_a_key_without_chip_authentication_info() {
    let infos = kinds(&[], &[(3, None)]);
    let found = ChipAuthenticationParameters::select(&infos).unwrap().unwrap();
    assert_eq!((found.cipher, found.assumed), (BlockCipher::Tdes, true));
}

#[test]
fn finds_nothing_where_there_is_no_key() {
    let infos = kinds(&[(BlockCipher::Aes128, None)], &[]);
    assert_eq!(ChipAuthenticationParameters::select(&infos), Ok(None));
}

#[test]
fn finds_the_key_of_the_bsi_reference_data_set() {
    let dg14 = include_bytes!("../../../testvectors/bsi-tr03105-5/Datagroup14.bin");
    let infos = security_infos_of_dg14(dg14).unwrap();
    let found = ChipAuthenticationParameters::select(&infos).unwrap();
    assert!(found.is_some_and(|found| found.card_key.domain_parameters().bits() >= 224));
}

/// A card at the end of Chip Authentication that answers the next command under some keys.
/// The flag tells whether they are the right ones.
struct Card(SecureMessaging, bool);

impl CardTransport for Card {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, crate::transport::TransportError> {
        if self.1 {
            self.0.open_for_tests(command);
        } else {
            self.0.step_for_tests();
        }
        Ok(self.0.seal_for_tests(&[], 0x9000))
    }
    fn atr(&self) -> &[u8] {
        &[]
    }
    fn reset(&mut self) -> Result<(), crate::transport::TransportError> {
        Ok(())
    }
}

fn pending() -> PendingChipAuthentication {
    let ephemeral = secret(9);
    PendingChipAuthentication { parameters: parameters(BlockCipher::Aes128, None), ephemeral }
}

#[test]
fn takes_the_first_answer_under_the_new_keys_as_proof() {
    let pending = pending();
    let mut session = Session::new(Card(pending.session_keys().unwrap(), true));
    session.start_secure_messaging(pending.session_keys().unwrap());
    assert!(pending.clone().confirm(&session).is_none());
    session.transmit(&commands::select_lds1()).unwrap();
    let evidence = pending.confirm(&session).unwrap();
    assert!(evidence.proves_possession_of(&secret(3).public_element()));
    assert!(!evidence.proves_possession_of(&secret(5).public_element()));
}

#[test]
fn takes_no_proof_from_a_card_that_keeps_the_old_keys() {
    let pending = pending();
    let old = SecureMessaging::from_secret(BlockCipher::Aes128, b"old secret");
    let mut session = Session::new(Card(old, false));
    session.start_secure_messaging(pending.session_keys().unwrap());
    let error = session.transmit(&commands::select_lds1()).unwrap_err();
    assert_eq!(error, TerminalError::SecureMessaging);
    assert!(pending.confirm(&session).is_none());
}

proptest! {
    #[test]
    fn never_panics_on_any_answers(
        answers in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..12)), 1..4),
        tdes in any::<bool>(),
    ) {
        let cipher = if tdes { BlockCipher::Tdes } else { BlockCipher::Aes128 };
        let mut ca = protocol(cipher, None);
        ca.start().unwrap();
        for (status, data) in answers {
            if !matches!(ca.resume(&answer(status, &data)), Ok(Step::Send(_))) {
                break;
            }
        }
    }
}

#[test]
fn agrees_on_the_secrets_of_the_published_examples() {
    for example in [
        include_str!("../../../testvectors/bsi-tr03110/eac-chip-authentication-ecdh.txt"),
        include_str!("../../../testvectors/bsi-tr03110/eac-chip-authentication-dh.txt"),
    ] {
        let value = |name: &str| {
            let line = example.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            hex::decode(line.unwrap()).unwrap()
        };
        let domain = DomainParameters::standardised(value("domain_parameter_id")[0]).unwrap();
        let chip = PublicElement::decode(&domain, &value("chip_public")).unwrap();
        let terminal = GroupSecret::from_bytes(&domain, &value("terminal_secret")).unwrap();
        assert_eq!(encode_public_key(&terminal.public_element()), value("terminal_public"));
        let keys = session_keys(BlockCipher::Aes128, &chip, &terminal).unwrap();
        let published = SecureMessaging::from_secret(BlockCipher::Aes128, &value("shared_secret"));
        assert_eq!(keys.keys_for_tests(), published.keys_for_tests());
    }
}
