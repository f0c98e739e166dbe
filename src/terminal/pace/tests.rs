use cancuoc_primitives::curve::{Curve, SecretScalar};
use cancuoc_primitives::group::DomainParameters;
use hex_literal::hex;
use proptest::prelude::*;

use super::testing::vectors;
use super::*;
use crate::apdu::StatusWord;
use crate::document::{Can, MrzKey, Pin};
use crate::lds::{KeyAgreement, PaceProtocol};
use crate::terminal::testing::Fixed;

mod card;

/// The vectors of ICAO 9303-11 appendix G.1, with the commands of its messages.
fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("../../../testvectors/reader-icao-9303-11-g1-pace-gm.txt");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    hex::decode(line.unwrap_or_else(|| panic!("no vector {name}"))).unwrap()
}

fn parameters(id: u8, mapping: Mapping, cipher: BlockCipher) -> PaceParameters {
    let domain = DomainParameters::standardised(id).unwrap();
    let agreement = if domain.is_ec() { KeyAgreement::Ecdh } else { KeyAgreement::Dh };
    let protocol = PaceProtocol { agreement, mapping, cipher };
    PaceParameters { protocol, domain, parameter_id: Some(id.into()), name_parameters: false }
}

fn published_parameters() -> PaceParameters {
    parameters(13, Mapping::Generic, BlockCipher::Aes128)
}

fn password() -> PacePassword {
    PacePassword::Mrz(MrzKey::from_bytes(vector("K").try_into().unwrap()))
}

fn published_terminal() -> Pace {
    let parameters = published_parameters();
    let secret = |name| GroupSecret::from_bytes(&parameters.domain, &vector(name)).unwrap();
    let mapping = MappingSecret::key(secret("SK_map_IFD"));
    let agreement = secret("SK_DH_IFD");
    Pace::with_secrets(parameters, password(), mapping, agreement)
}

fn ok(tag: u32, value: &[u8]) -> ResponseApdu {
    let data = encode(Tag(0x7C), &encode(Tag(tag), value));
    ResponseApdu { data, status: StatusWord::OK }
}

fn empty(status: u16) -> ResponseApdu {
    ResponseApdu { data: Vec::new(), status: StatusWord(status) }
}

fn published_answers() -> Vec<ResponseApdu> {
    vec![
        empty(0x9000),
        ok(0x80, &vector("z")),
        ok(0x82, &vector("PK_map_IC")),
        ok(0x84, &vector("PK_DH_IC")),
        ok(0x86, &vector("T_IC")),
    ]
}

/// Runs the published terminal against answers; the commands it sent and how it ended.
fn run(answers: &[ResponseApdu]) -> (Vec<Vec<u8>>, Result<PaceResult, TerminalError>) {
    let mut pace = published_terminal();
    let mut sent = vec![pace.start().unwrap().encode().unwrap()];
    for answer in answers {
        match pace.resume(answer) {
            Ok(Step::Send(command)) => sent.push(command.encode().unwrap()),
            Ok(Step::Done(result)) => return (sent, Ok(result)),
            Err(error) => return (sent, Err(error)),
        }
    }
    panic!("the protocol did not end");
}

/// How the published run ends when one answer is another.
fn with_answer(step: usize, answer: ResponseApdu) -> TerminalError {
    let mut answers = published_answers();
    answers[step] = answer;
    run(&answers).1.unwrap_err()
}

#[test]
fn reproduces_the_published_example() {
    let (sent, result) = run(&published_answers());
    let expected = ["C1", "C2", "C3", "C4", "C5"].map(vector);
    assert_eq!(sent, expected);
    let result = result.unwrap();
    assert_eq!(result.card_public_key.to_bytes(), vector("PK_DH_IC"));
    // A foreign implementation's next command under the same keys.
    let mut sm = result.secure_messaging;
    let select = sm.wrap(&commands::select_lds1()).unwrap();
    assert_eq!(select.encode().unwrap(), vector("C6"));
}

#[test]
fn names_the_domain_parameters_when_there_are_several() {
    let mut pace = published_terminal();
    pace.parameters.name_parameters = true;
    let command = pace.start().unwrap().encode().unwrap();
    assert_eq!(command, hex!("0022C1A412800A04007F0007020204020283010184010D"));
}

#[test]
fn refuses_a_nonce_of_another_length() {
    for length in [0, 8, 15, 17, 32] {
        let error = with_answer(1, ok(0x80, &vec![1; length]));
        assert_eq!(error, violation(NONCE, "the nonce has a wrong length"));
    }
}

#[test]
fn refuses_its_own_mapping_key_echoed() {
    let error = with_answer(2, ok(0x82, &vector("PK_map_IFD")));
    assert_eq!(error, key_fault(MAPPING, KeyFault::Reflected));
}

#[test]
fn refuses_its_own_ephemeral_key_echoed() {
    let error = with_answer(3, ok(0x84, &vector("PK_DH_IFD")));
    assert_eq!(error, key_fault(AGREEMENT, KeyFault::Reflected));
}

#[test]
fn refuses_its_own_token_echoed() {
    let error = with_answer(4, ok(0x86, &vector("T_IFD")));
    assert_eq!(error, violation(TOKEN, "the card echoes the terminal's token"));
}

#[test]
fn refuses_a_wrong_or_shortened_token() {
    let not_authentic = TerminalError::CardNotAuthentic { step: TOKEN };
    let mut token = vector("T_IC");
    assert_eq!(with_answer(4, ok(0x86, &token[..4])), not_authentic);
    assert_eq!(with_answer(4, ok(0x86, &[])), not_authentic);
    token[7] ^= 1;
    assert_eq!(with_answer(4, ok(0x86, &token)), not_authentic);
}

#[test]
fn refuses_points_off_the_curve() {
    for (step, tag, name) in [(2, 0x82, "PK_map_IC"), (3, 0x84, "PK_DH_IC")] {
        let mut point = vector(name);
        point[64] ^= 1;
        let error = with_answer(step, ok(tag, &point));
        let step = [MAPPING, AGREEMENT][step - 2];
        assert_eq!(error, key_fault(step, KeyFault::NotOnCurve));
    }
}

#[test]
fn refuses_the_point_at_infinity() {
    assert_eq!(with_answer(2, ok(0x82, &[0])), key_fault(MAPPING, KeyFault::Identity));
    assert_eq!(with_answer(3, ok(0x84, &[0])), key_fault(AGREEMENT, KeyFault::Identity));
}

#[test]
fn refuses_points_that_are_cut_off_or_compressed() {
    let fault = KeyFault::Malformed;
    let point = vector("PK_map_IC");
    assert_eq!(with_answer(2, ok(0x82, &point[..64])), key_fault(MAPPING, fault));
    let compressed = [&[2], &vector("PK_DH_IC")[1..33]].concat();
    assert_eq!(with_answer(3, ok(0x84, &compressed)), key_fault(AGREEMENT, fault));
}

#[test]
fn refuses_the_generator_as_the_card_s_key() {
    let generator = DomainParameters::standardised(13).unwrap().generator().to_bytes();
    let error = with_answer(2, ok(0x82, &generator));
    assert_eq!(error, key_fault(MAPPING, KeyFault::Generator));
    let mapped = vectors("pace-ecdh-gm")("mapped_generator");
    let error = with_answer(3, ok(0x84, &mapped));
    assert_eq!(error, key_fault(AGREEMENT, KeyFault::Generator));
}

/// How a second run ends with a card that repeats the answers from `first` on.
fn replayed(first: usize) -> TerminalError {
    let register = FreshnessRegister::default();
    for (step, name) in [(1, "s"), (2, "PK_map_IC"), (3, "PK_DH_IC")] {
        if step >= first {
            assert!(register.is_fresh(&vector(name)));
        }
    }
    let mut pace = published_terminal().remembering(register);
    pace.start().unwrap();
    published_answers().iter().find_map(|answer| pace.resume(answer).err()).unwrap()
}

#[test]
fn refuses_what_a_card_has_drawn_before() {
    assert_eq!(replayed(1), TerminalError::NonceRepeated { step: NONCE });
    assert_eq!(replayed(2), key_fault(MAPPING, KeyFault::Repeated));
    assert_eq!(replayed(3), key_fault(AGREEMENT, KeyFault::Repeated));
}

#[test]
fn refuses_the_answers_of_an_earlier_run() {
    // The same card against a terminal with other ephemeral keys: its token does not fit.
    let parameters = published_parameters();
    let secret = |n: u8| GroupSecret::from_bytes(&parameters.domain, &[n; 20]).unwrap();
    let mapping = MappingSecret::key(secret(7));
    let mut pace = Pace::with_secrets(parameters.clone(), password(), mapping, secret(11));
    pace.start().unwrap();
    let error = published_answers().iter().find_map(|answer| pace.resume(answer).err()).unwrap();
    assert_eq!(error, TerminalError::CardNotAuthentic { step: TOKEN });
}

#[test]
fn refuses_a_nonce_of_zero() {
    let key = derive_key(BlockCipher::Aes128, password().secret(), KeyPurpose::Password);
    let zero =
        cancuoc_primitives::cipher::cbc_encrypt(BlockCipher::Aes128, &key, &[0; 16], &[0; 16]);
    let error = with_answer(1, ok(0x80, &zero.unwrap()));
    assert_eq!(error, violation(NONCE, "the nonce is zero"));
}

#[test]
fn refuses_a_mapping_that_leads_to_infinity() {
    // The card chose -s/x of the terminal's mapping key, so that sG + H vanishes.
    let curve = Curve::BrainpoolP256r1;
    let s = SecretScalar::from_bytes(curve, &vector("s")).unwrap();
    let negated = {
        // -P has the ordinate p - y.
        let point = s.public_point().to_uncompressed();
        let p = curve.parameters().p;
        let mut out = point.clone();
        let mut borrow = 0i16;
        for i in (0..32).rev() {
            let d = i16::from(p[i]) - i16::from(point[33 + i]) - borrow;
            borrow = i16::from(d < 0);
            out[33 + i] = (d & 0xFF) as u8;
        }
        out
    };
    let mut pace = published_terminal();
    // With a mapping secret of one, H is the card's key itself.
    pace.mapping_secret = MappingSecret::key(SecretScalar::from_bytes(curve, &[1]).unwrap().into());
    pace.start().unwrap();
    pace.resume(&empty(0x9000)).unwrap();
    pace.resume(&ok(0x80, &vector("z"))).unwrap();
    let error = pace.resume(&ok(0x82, &negated)).unwrap_err();
    assert_eq!(error, key_fault(MAPPING, KeyFault::Identity));
}

#[test]
fn reports_a_wrong_password() {
    let error = with_answer(4, empty(0x6300));
    assert_eq!(error, TerminalError::WrongPassword { password: "MRZ", tries_left: None });
    let error = with_answer(4, empty(0x63C2));
    assert_eq!(error, TerminalError::WrongPassword { password: "MRZ", tries_left: Some(2) });
}

#[test]
fn reports_a_blocked_password() {
    assert_eq!(with_answer(0, empty(0x6983)), TerminalError::PasswordBlocked { password: "MRZ" });
}

#[test]
fn reports_the_step_that_the_card_refuses() {
    let status = StatusWord(0x6A80);
    assert_eq!(with_answer(2, empty(0x6A80)), TerminalError::Refused { step: MAPPING, status });
}

#[test]
fn refuses_chip_authentication_data_that_generic_mapping_does_not_have() {
    let content = [encode(Tag(0x86), &vector("T_IC")), encode(Tag(0x8A), &[0; 16])].concat();
    let answer = ResponseApdu { data: encode(Tag(0x7C), &content), status: StatusWord::OK };
    assert!(matches!(with_answer(4, answer), TerminalError::Protocol { step: TOKEN, .. }));
}

#[test]
fn keeps_references_of_certification_authorities_that_follow_the_token() {
    let content = [encode(Tag(0x86), &vector("T_IC")), encode(Tag(0x87), b"VNCVCA00001")].concat();
    let mut answers = published_answers();
    answers[4] = ResponseApdu { data: encode(Tag(0x7C), &content), status: StatusWord::OK };
    let result = run(&answers).1.unwrap();
    assert_eq!(result.certification_authorities, [b"VNCVCA00001"]);
}

#[test]
fn does_not_go_on_after_an_error() {
    let mut pace = published_terminal();
    pace.start().unwrap();
    pace.resume(&empty(0x6A80)).unwrap_err();
    assert_eq!(pace.resume(&empty(0x9000)).unwrap_err(), TerminalError::Closed);
}

#[test]
fn asks_for_certification_authorities_where_told() {
    let mut pace = published_terminal().requesting_certification_authorities();
    let command = pace.start().unwrap().encode().unwrap();
    let mut expected = vector("C1");
    expected[4] += 17;
    expected.extend(hex!("7F4C0E060904007F000703010201 53013F"));
    assert_eq!(command, expected);
}

#[test]
fn tells_the_tries_left_of_a_pin() {
    let parameters = published_parameters();
    let pin = PacePassword::Pin(Pin::new("1234").unwrap());
    let mut pace = Pace::new(parameters, pin, &mut Fixed::new(&(0..=255).collect::<Vec<u8>>()));
    assert!(pace.start().unwrap().data.ends_with(&hex!("830103")));
    pace.resume(&empty(0x63C2)).unwrap();
    assert_eq!(pace.tries_left, Some(2));
}

#[test]
fn draws_both_ephemeral_keys_afresh() {
    let can = PacePassword::Can(Can::new("123456").unwrap());
    let bytes: Vec<u8> = (0..=255).collect();
    let pace = Pace::new(published_parameters(), can, &mut Fixed::new(&bytes));
    let agreement = encode_public_key(&pace.agreement_secret.public_element());
    assert_ne!(pace.mapping_secret.data(), agreement);
}

#[test]
fn shows_no_secret_in_debug_output() {
    assert_eq!(format!("{:?}", published_terminal()), "Pace(MRZ, ***)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn never_panics_and_never_ends_well_without_the_password(
        step in 1usize..5, bytes in prop::collection::vec(any::<u8>(), 0..90), wrap in any::<bool>(),
    ) {
        let mut answers = published_answers();
        let tag = [0, 0x80, 0x82, 0x84, 0x86][step];
        answers[step] = if wrap { ok(tag, &bytes) } else { ResponseApdu { data: bytes, status: StatusWord::OK } };
        if answers != published_answers() {
            prop_assert!(run(&answers).1.is_err());
        }
    }
}
