#![allow(clippy::unwrap_used)]

use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::civil::date;

use super::*;
use crate::cvc::{CertificateBody, Chat, CvPublicKey, Role, TaAlgorithm};
use crate::lds::encode_dg1;
use crate::pki::{KeyKind, SoftwareKey};

const CURVE: Curve = Curve::BrainpoolP256r1;

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn name(text: &str) -> HolderReference {
    HolderReference::new(text.as_bytes()).unwrap()
}

fn day(year: i16) -> CvDate {
    CvDate::new(date(year, 6, 1)).unwrap()
}

fn key() -> SoftwareKey {
    let key = SoftwareKey::generate(KeyKind::Ec(CURVE), false, &mut random()).unwrap();
    key.with_algorithm(SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256)).unwrap()
}

fn certify(
    (issuer, issuer_key): (&str, &SoftwareKey),
    (holder, holder_key): (&str, &SoftwareKey),
    role: Role,
    rights: Rights,
) -> CvCertificate {
    let algorithm = TaAlgorithm::Ecdsa(HashAlgorithm::Sha256);
    let public = holder_key.public_key();
    let body = CertificateBody {
        authority: name(issuer),
        public_key: CvPublicKey::new(algorithm, &public, role == Role::Cvca).unwrap(),
        holder: name(holder),
        authorization: Chat::inspection_system(role, rights),
        effective: day(2026),
        expiration: day(2027),
        extensions: None,
    };
    let signature = issuer_key.sign(&body.encode(), &mut random()).unwrap();
    CvCertificate::assemble(&body, &signature).unwrap()
}

const TRUSTED: &str = "VNCVCA00001";

fn credentials(rights: Rights, today: CvDate) -> (TerminalCredentials, SoftwareKey) {
    let (cvca, dv, terminal) = (key(), key(), key());
    let certificates = vec![
        certify(("VNDV00001", &dv), ("VNIS00001", &terminal), Role::Terminal, rights),
        certify((TRUSTED, &cvca), ("VNDV00001", &dv), Role::DomesticDv, Rights::ALL),
    ];
    (TerminalCredentials::new(certificates, Arc::new(terminal.clone()), today), terminal)
}

fn binding() -> TerminalBinding {
    TerminalBinding { chip_identifier: vec![1; 32], terminal_key: vec![2; 32] }
}

fn ok(data: &[u8]) -> ResponseApdu {
    ResponseApdu { data: data.to_vec(), status: StatusWord(0x9000) }
}

fn refused(status: u16) -> ResponseApdu {
    ResponseApdu { data: Vec::new(), status: StatusWord(status) }
}

/// Runs the protocol with the same answer to everything but GET CHALLENGE; gives the commands.
fn run(
    credentials: &TerminalCredentials,
    answer: impl Fn(usize) -> ResponseApdu,
) -> (Vec<CommandApdu>, Result<TerminalAuthenticationOutcome, TerminalError>) {
    let mut random = random();
    let mut protocol =
        TerminalAuthentication::new(credentials, &[name(TRUSTED)], binding(), &mut random).unwrap();
    let mut sent = vec![protocol.start().unwrap()];
    loop {
        match protocol.resume(&answer(sent.len())) {
            Ok(Step::Send(command)) => sent.push(command),
            Ok(Step::Done(outcome)) => return (sent, Ok(outcome)),
            Err(error) => return (sent, Err(error)),
        }
    }
}

fn accept(number: usize) -> ResponseApdu {
    if number == 6 { ok(&[7; 8]) } else { ok(&[]) }
}

#[test]
fn shows_the_chain_and_signs_challenge_and_keys() {
    let rights = Rights { dg3: true, dg4: false };
    let (credentials, key) = credentials(rights, day(2026));
    let (sent, outcome) = run(&credentials, accept);
    let outcome = outcome.unwrap();
    assert_eq!(outcome.rights, rights);
    assert_eq!(outcome.trust_point, name(TRUSTED));
    assert_eq!(outcome.chain, [name("VNDV00001"), name("VNIS00001")]);
    let headers: Vec<_> = sent.iter().map(|c| c.encode().unwrap()[..4].to_vec()).collect();
    let dst = [0x00, 0x22, 0x81, 0xB6].to_vec();
    let pso = [0x00, 0x2A, 0x00, 0xBE].to_vec();
    assert_eq!(headers[..4], [dst.clone(), pso.clone(), dst, pso]);
    assert_eq!(headers[4..], [[0, 0x22, 0x81, 0xA4], [0, 0x84, 0, 0], [0, 0x82, 0, 0]]);
    let message = [&[1; 32][..], &[7; 8], &[2; 32]].concat();
    let algorithm = SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha256);
    algorithm.verify(&key.public_key(), &message, &sent[6].data).unwrap();
}

#[test]
fn names_the_step_that_the_card_refuses() {
    let (credentials, _) = credentials(Rights::ALL, day(2026));
    for (number, step) in [(1, DST), (5, AT), (6, CHALLENGE), (7, AUTHENTICATE)] {
        let answer = |n: usize| if n == number { refused(0x6A88) } else { accept(n) };
        let error = run(&credentials, answer).1.unwrap_err();
        assert_eq!(error, TerminalError::Refused { step, status: StatusWord(0x6A88) });
    }
}

#[test]
fn names_the_certificate_that_the_card_refuses() {
    let (credentials, _) = credentials(Rights::ALL, day(2026));
    let answer = |n: usize| if n == 4 { refused(0x6300) } else { accept(n) };
    let error = run(&credentials, answer).1.unwrap_err();
    let holder = name("VNIS00001");
    assert_eq!(error, TerminalError::CertificateRefused { holder, status: StatusWord(0x6300) });
}

#[test]
fn explains_a_refusal_by_the_dates_of_the_certificate() {
    let (credentials, _) = credentials(Rights::ALL, day(2028));
    let answer = |n: usize| if n == 2 { refused(0x6984) } else { accept(n) };
    let error = run(&credentials, answer).1.unwrap_err();
    assert!(matches!(error, TerminalError::Certificates(CvcError::Expired { .. })));
}

#[test]
fn shows_no_certificate_of_a_later_day_than_tomorrow() {
    for (first, shown) in [(date(2026, 5, 31), true), (date(2026, 5, 30), false)] {
        let (credentials, _) = credentials(Rights::ALL, CvDate::new(first).unwrap());
        let mut random = random();
        let trusted = [name(TRUSTED)];
        let made = TerminalAuthentication::new(&credentials, &trusted, binding(), &mut random);
        let early = CvcError::NotYetValid { holder: name("VNDV00001"), from: day(2026) };
        assert_eq!(made.err(), (!shown).then_some(TerminalError::Certificates(early)));
    }
}

#[test]
fn refuses_a_challenge_of_another_length() {
    let (credentials, _) = credentials(Rights::ALL, day(2026));
    for length in [0, 7, 9, 16] {
        let answer = |n: usize| if n == 6 { ok(&vec![7; length]) } else { ok(&[]) };
        let error = run(&credentials, answer).1.unwrap_err();
        assert!(matches!(error, TerminalError::Protocol { step: CHALLENGE, .. }));
    }
}

#[test]
fn refuses_a_key_that_is_not_the_certificates() {
    let (credentials, _) = credentials(Rights::ALL, day(2026));
    let other = TerminalCredentials { signer: Arc::new(key()), ..credentials };
    let mut random = random();
    let error = TerminalAuthentication::new(&other, &[name(TRUSTED)], binding(), &mut random);
    assert_eq!(error.unwrap_err(), TerminalError::TerminalKeyMismatch);
}

#[test]
fn names_what_the_card_trusts_where_the_chain_does_not_reach_it() {
    let (credentials, _) = credentials(Rights::ALL, day(2026));
    let mut random = random();
    let trusted = [name("VNCVCA00009")];
    let error = TerminalAuthentication::new(&credentials, &trusted, binding(), &mut random);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("VNCVCA00009") && error.contains(TRUSTED), "{error}");
}

#[test]
fn a_signer_that_gives_der_signs_in_plain_format() {
    let (credentials, key) = credentials(Rights::ALL, day(2026));
    let der = key.with_algorithm(SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256)).unwrap();
    let credentials = TerminalCredentials { signer: Arc::new(der), ..credentials };
    let (sent, outcome) = run(&credentials, accept);
    outcome.unwrap();
    assert_eq!(sent[6].data.len(), 64);
}

#[test]
fn reads_the_references_of_ef_cvca() {
    let mut file = encode(Tag(0x42), b"VNCVCA00002");
    file.extend(encode(Tag(0x42), b"VNCVCA00001"));
    file.resize(36, 0);
    assert_eq!(decode_ef_cvca(&file).unwrap(), [name("VNCVCA00002"), name("VNCVCA00001")]);
    assert_eq!(decode_ef_cvca(&file[..13]).unwrap(), [name("VNCVCA00002")]);
    assert_eq!(decode_ef_cvca(&[0; 36]).unwrap(), []);
    assert!(decode_ef_cvca(&[0x42, 0x20, 0x41]).is_err());
    assert!(decode_ef_cvca(&[0x43, 1, 1]).is_err());
}

#[test]
fn takes_the_document_number_with_its_check_digit() {
    let td1 = "I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<";
    let td3 =
        "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    // A number longer than its field: the rest and the check digit are in the optional data.
    let long = "I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2STEVENSON<<PETER<JOHN<<<<<<<<<";
    let number = |mrz: &str| document_number_of_dg1(&encode_dg1(mrz.as_bytes())).unwrap();
    assert_eq!(number(td1), b"D231458907");
    assert_eq!(number(td3), b"L898902C36");
    assert_eq!(number(long), b"D231458907349");
    assert_eq!(document_number_of_dg1(b"nonsense"), None);
}

proptest::proptest! {
    #[test]
    fn any_ef_cvca_is_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
        let _ = decode_ef_cvca(&bytes);
    }

    #[test]
    fn every_list_of_references_comes_back_whatever_the_padding(
        numbers in proptest::collection::vec(0u32..100_000, 0..4), padding in 0usize..40,
    ) {
        let names: Vec<_> = numbers.iter().map(|n| name(&format!("VNCVCA{n:05}"))).collect();
        let mut file: Vec<u8> =
            names.iter().flat_map(|name| encode(Tag(0x42), name.as_bytes())).collect();
        file.resize(file.len() + padding, 0);
        proptest::prop_assert_eq!(decode_ef_cvca(&file).unwrap(), names);
    }
}
