use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::apdu::StatusWord;
use crate::document::{Can, MrzKey};
use crate::lds::SecurityInfoKind;
use crate::terminal::testing::Fixed;

/// The vectors of ICAO 9303-11 appendix G.1.
fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("../../../testvectors/reader-icao-9303-11-g1-pace-gm.txt");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    hex::decode(line.unwrap_or_else(|| panic!("no vector {name}"))).unwrap()
}

const PARAMETERS: PaceParameters = PaceParameters {
    protocol: PaceProtocol {
        agreement: KeyAgreement::Ecdh,
        mapping: Mapping::Generic,
        cipher: BlockCipher::Aes128,
    },
    curve: Curve::BrainpoolP256r1,
    name_parameters: false,
};

fn password() -> PacePassword {
    PacePassword::Mrz(MrzKey::from_bytes(vector("K").try_into().unwrap()))
}

fn published_terminal() -> Pace {
    let secret = |name| SecretScalar::from_bytes(PARAMETERS.curve, &vector(name)).unwrap();
    Pace::with_secrets(PARAMETERS, password(), secret("SK_map_IFD"), secret("SK_DH_IFD"))
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
    assert_eq!(result.card_public_key.as_bytes(), vector("PK_DH_IC"));
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
        assert_eq!(error, violation(NONCE, "the nonce is not 16 bytes long"));
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
    let mut point = vector("PK_map_IC");
    point[64] ^= 1;
    let fault = KeyFault::NotOnCurve;
    assert_eq!(with_answer(2, ok(0x82, &point)), key_fault(MAPPING, fault));
    assert_eq!(with_answer(2, ok(0x82, &[0])), key_fault(MAPPING, fault));
    let compressed = [&[2], &vector("PK_DH_IC")[1..33]].concat();
    assert_eq!(with_answer(3, ok(0x84, &compressed)), key_fault(AGREEMENT, fault));
}

#[test]
fn refuses_a_mapping_that_leads_to_infinity() {
    // The card chose -s/x of the terminal's mapping key, so that sG + H vanishes.
    let s = SecretScalar::from_bytes(PARAMETERS.curve, &vector("s")).unwrap();
    let negated = {
        // -P has the ordinate p - y.
        let point = s.public_point().to_uncompressed();
        let p = PARAMETERS.curve.parameters().p;
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
    pace.mapping_secret = SecretScalar::from_bytes(PARAMETERS.curve, &[1]).unwrap();
    pace.start().unwrap();
    pace.resume(&empty(0x9000)).unwrap();
    pace.resume(&ok(0x80, &vector("z"))).unwrap();
    let error = pace.resume(&ok(0x82, &negated)).unwrap_err();
    let detail = "the mapped generator is the point at infinity";
    assert_eq!(error, violation(MAPPING, detail));
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
fn accepts_references_of_certification_authorities_after_the_token() {
    let content = [encode(Tag(0x86), &vector("T_IC")), encode(Tag(0x87), b"VNCVCA00001")].concat();
    let mut answers = published_answers();
    answers[4] = ResponseApdu { data: encode(Tag(0x7C), &content), status: StatusWord::OK };
    assert!(run(&answers).1.is_ok());
}

#[test]
fn does_not_go_on_after_an_error() {
    let mut pace = published_terminal();
    pace.start().unwrap();
    pace.resume(&empty(0x6A80)).unwrap_err();
    assert_eq!(pace.resume(&empty(0x9000)).unwrap_err(), TerminalError::Closed);
}

fn info(mapping: Mapping, cipher: BlockCipher, parameter_id: Option<u32>) -> SecurityInfoKind {
    let protocol = PaceProtocol { agreement: KeyAgreement::Ecdh, mapping, cipher };
    SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id })
}

#[test]
fn picks_the_strongest_variant_it_has() {
    let infos = SecurityInfos::from_kinds([
        info(Mapping::Generic, BlockCipher::Tdes, Some(12)),
        info(Mapping::Integrated, BlockCipher::Aes256, Some(12)),
        info(Mapping::Generic, BlockCipher::Aes128, Some(12)),
        info(Mapping::Generic, BlockCipher::Aes128, Some(13)),
    ]);
    let found = PaceParameters::select(&infos).unwrap();
    assert_eq!(found.protocol.cipher, BlockCipher::Aes128);
    assert!(found.name_parameters);
}

#[test]
fn reads_the_variant_of_the_card_access_seen_on_cards() {
    let bytes = hex!(
        "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d"
    );
    let infos = SecurityInfos::decode("EF.CardAccess", &bytes).unwrap();
    assert_eq!(PaceParameters::select(&infos).unwrap(), PARAMETERS);
}

#[test]
fn says_which_variant_it_does_not_have() {
    let infos =
        SecurityInfos::from_kinds([info(Mapping::Integrated, BlockCipher::Aes128, Some(13))]);
    let what = "PACE with ECDH-IM".to_owned();
    assert_eq!(PaceParameters::select(&infos), Err(TerminalError::Unsupported { what }));
    let infos = SecurityInfos::from_kinds([info(Mapping::Generic, BlockCipher::Aes128, Some(200))]);
    assert!(matches!(PaceParameters::select(&infos), Err(TerminalError::Unsupported { .. })));
}

/// The card's side of Generic Mapping in as few lines as the standard needs: enough to run every
/// curve and cipher through the terminal.
fn card_answers(pace: &mut Pace, card: [SecretScalar; 2]) -> Result<PaceResult, TerminalError> {
    use cancuoc_primitives::cipher::cbc_encrypt;
    let value = |command: &CommandApdu| {
        let template = Tlv::parse_exact(&command.data).unwrap();
        template.children().read().unwrap().value.to_vec()
    };
    let next = |step| match step {
        Step::Send(command) => command,
        Step::Done(_) => panic!("too early"),
    };
    let PaceParameters { curve, protocol, .. } = pace.parameters;
    let cipher = protocol.cipher;
    let key = derive_key(cipher, pace.password.secret(), KeyPurpose::Password);
    let nonce = [0x5A; 16];
    let z = cbc_encrypt(cipher, &key, &vec![0; cipher.block_len()], &nonce).unwrap();
    pace.start()?;
    pace.resume(&empty(0x9000))?;
    let theirs = value(&next(pace.resume(&ok(0x80, &z))?));
    let shared = Point::from_uncompressed(curve, &theirs).unwrap().multiply(&card[0]).unwrap();
    let nonce = SecretScalar::from_bytes(curve, &nonce).unwrap();
    let mapped = nonce.public_point().add(&shared).unwrap();
    let theirs = value(&next(pace.resume(&ok(0x82, card[0].public_point().as_bytes()))?));
    let own = mapped.multiply(&card[1]).unwrap();
    let theirs = Point::from_uncompressed(curve, &theirs).unwrap();
    let secret = theirs.multiply(&card[1]).unwrap().x_coordinate();
    let token = value(&next(pace.resume(&ok(0x84, own.as_bytes()))?));
    let mac_key = derive_key(cipher, &secret, KeyPurpose::Mac);
    assert_eq!(token, pace.token(&mac_key, &own).unwrap());
    let answer = ok(0x86, &pace.token(&mac_key, &theirs).unwrap());
    match pace.resume(&answer)? {
        Step::Done(result) => Ok(result),
        Step::Send(_) => panic!("too long"),
    }
}

#[test]
fn runs_on_every_curve_with_every_cipher() {
    use BlockCipher::{Aes128, Aes192, Aes256, Tdes};
    for curve in Curve::ALL {
        for cipher in [Tdes, Aes128, Aes192, Aes256] {
            let protocol = PaceProtocol { cipher, ..PARAMETERS.protocol };
            let parameters = PaceParameters { protocol, curve, name_parameters: false };
            let can = PacePassword::Can(Can::new("123456").unwrap());
            let secret = |n: u8| SecretScalar::from_bytes(curve, &[n; 20]).unwrap();
            let mut pace = Pace::with_secrets(parameters, can, secret(7), secret(11));
            let result = card_answers(&mut pace, [secret(3), secret(5)]).unwrap();
            assert_eq!(result.secure_messaging.cipher(), cipher, "{}", curve.name());
        }
    }
}

#[test]
fn draws_both_ephemeral_keys_afresh() {
    let can = PacePassword::Can(Can::new("123456").unwrap());
    let bytes: Vec<u8> = (0..=255).collect();
    let pace = Pace::new(PARAMETERS, can, &mut Fixed::new(&bytes));
    assert_ne!(pace.mapping_secret.to_bytes(), pace.agreement_secret.to_bytes());
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
