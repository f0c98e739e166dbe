//! The worked examples of ICAO 9303-11, and a card in as few lines as the standard needs: enough
//! to run every mapping, group and cipher through the terminal.

use cancuoc_primitives::cipher::{cbc_encrypt, encrypt_block, pad};
use cancuoc_primitives::modular::Modulus;

use super::*;
use crate::lds::PublicKey;

/// Runs a terminal against answers; the values it sent and how it ended.
fn run(
    pace: &mut Pace,
    answers: &[ResponseApdu],
) -> (Vec<Vec<u8>>, Result<PaceResult, TerminalError>) {
    let mut sent = vec![];
    pace.start().unwrap();
    for answer in answers {
        match pace.resume(answer) {
            Ok(Step::Send(command)) => sent.push(value(&command)),
            Ok(Step::Done(result)) => return (sent, Ok(result)),
            Err(error) => return (sent, Err(error)),
        }
    }
    panic!("the protocol did not end");
}

/// The value in the template of a command; empty where there is none.
fn value(command: &CommandApdu) -> Vec<u8> {
    let template = Tlv::parse_exact(&command.data).unwrap();
    template.children().read_optional().unwrap().map(|o| o.value.to_vec()).unwrap_or_default()
}

/// A password whose hash input is given: the worked examples give the MRZ's hash, or a CAN.
fn published_password(bytes: Vec<u8>) -> PacePassword {
    match <[u8; 20]>::try_from(bytes.as_slice()) {
        Ok(hash) => PacePassword::Mrz(MrzKey::from_bytes(hash)),
        Err(_) => PacePassword::Can(Can::new(std::str::from_utf8(&bytes).unwrap()).unwrap()),
    }
}

/// Repeats a worked example from the terminal's secrets and the card's messages.
fn repeat(example: &str, id: u8, mapping: Mapping) -> PaceResult {
    let vector = vectors(example);
    let parameters = parameters(id, mapping, BlockCipher::Aes128);
    let secret = |name| GroupSecret::from_bytes(&parameters.domain, &vector(name)).unwrap();
    let (mapping_secret, mapping_data, card_data) = match mapping {
        Mapping::Integrated => {
            let nonce = vector("additional_nonce");
            (MappingSecret::Nonce(nonce.clone()), nonce, vec![])
        }
        _ => (
            MappingSecret::key(secret("terminal_mapping_secret")),
            vector("terminal_mapping_public"),
            vector("chip_mapping_public"),
        ),
    };
    let password = published_password(vector("password"));
    let agreement = secret("terminal_secret");
    let mut pace = Pace::with_secrets(parameters.clone(), password, mapping_secret, agreement);
    let mut last = encode(Tag(0x86), &vector("chip_token"));
    if mapping == Mapping::ChipAuthentication {
        last.extend(encode(Tag(0x8A), &vector("encrypted_chip_authentication_data")));
    }
    let answers = [
        empty(0x9000),
        ok(0x80, &vector("encrypted_nonce")),
        ok(0x82, &card_data),
        ok(0x84, &vector("chip_public")),
        ResponseApdu { data: encode(Tag(0x7C), &last), status: StatusWord::OK },
    ];
    let (sent, result) = run(&mut pace, &answers);
    let expected = [vec![], mapping_data, vector("terminal_public"), vector("terminal_token")];
    assert_eq!(sent, expected);
    let result = result.unwrap();
    let keys = result.secure_messaging.keys_for_tests();
    assert_eq!(keys.0, vector("session_encryption_key"));
    assert_eq!(keys.1, vector("session_mac_key"));
    result
}

#[test]
fn reproduces_the_published_examples_of_generic_mapping() {
    repeat("pace-ecdh-gm", 13, Mapping::Generic);
    repeat("pace-dh-gm", 0, Mapping::Generic);
}

#[test]
fn reproduces_the_published_examples_of_integrated_mapping() {
    repeat("pace-ecdh-im", 13, Mapping::Integrated);
    repeat("pace-dh-im", 0, Mapping::Integrated);
}

#[test]
fn reproduces_the_published_example_of_chip_authentication_mapping() {
    let result = repeat("pace-ecdh-cam", 13, Mapping::ChipAuthentication);
    let key = vectors("pace-ecdh-cam")("chip_static_public");
    let key = PublicKey::Ec(Point::from_uncompressed(Curve::BrainpoolP256r1, &key).unwrap());
    let evidence = result.chip_authentication_mapping.unwrap();
    assert_eq!(evidence.parameter_id, Some(13));
    assert_eq!(verify_cam(&evidence, &key), Ok(()));
}

/// Secrets of the card; all different, all small.
struct Card {
    mapping: GroupSecret,
    agreement: GroupSecret,
    fixed: GroupSecret,
}

impl Card {
    fn new(domain: &DomainParameters) -> Self {
        let secret = |n: u8| GroupSecret::from_bytes(domain, &[n; 19]).unwrap();
        Self { mapping: secret(3), agreement: secret(5), fixed: secret(13) }
    }

    /// `SK^-1 · SK_map` modulo the order.
    fn authentication_data(&self, domain: &DomainParameters) -> Vec<u8> {
        let DomainParameters::Ec(curve) = domain else { panic!() };
        let order = Modulus::new(curve.parameters().n).unwrap();
        let number = |secret: &GroupSecret| order.reduce(&secret.to_bytes()).unwrap();
        number(&self.fixed).invert().unwrap().mul(&number(&self.mapping)).to_bytes().to_vec()
    }
}

fn next(step: Step<PaceResult>) -> CommandApdu {
    match step {
        Step::Send(command) => command,
        Step::Done(_) => panic!("too early"),
    }
}

/// Runs a card of the parameters against the terminal.
fn run_with_card(pace: &mut Pace) -> Result<PaceResult, TerminalError> {
    let PaceParameters { domain, protocol, .. } = pace.parameters.clone();
    let (cipher, card) = (protocol.cipher, Card::new(&domain));
    let key = derive_key(cipher, pace.password.secret(), KeyPurpose::Password);
    let length = match (protocol.mapping, cipher) {
        (Mapping::Integrated, BlockCipher::Aes192 | BlockCipher::Aes256) => 32,
        _ => 16,
    };
    let nonce = vec![0x5A; length];
    let z = cbc_encrypt(cipher, &key, &vec![0; cipher.block_len()], &nonce).unwrap();
    pace.start()?;
    pace.resume(&empty(0x9000))?;
    let theirs = value(&next(pace.resume(&ok(0x80, &z))?));
    let (generator, answer) = if protocol.mapping == Mapping::Integrated {
        let mapped = integrated_mapping::map(cipher, &domain, &nonce, &theirs).unwrap();
        (mapped, vec![])
    } else {
        let theirs = PublicElement::decode(&domain, &theirs).unwrap();
        let shared = theirs.raise(&card.mapping).unwrap();
        let nonce = GroupSecret::from_bytes(&domain, &nonce).unwrap();
        let mapped = nonce.public_element().combine(&shared).unwrap();
        (mapped, encode_public_key(&card.mapping.public_element()))
    };
    let command = next(pace.resume(&ok(0x82, &answer))?);
    let theirs = PublicElement::decode(&domain, &value(&command)).unwrap();
    let own = generator.raise(&card.agreement).unwrap();
    let secret = theirs.shared_secret(&card.agreement).unwrap();
    // What the answer needs was asked for.
    assert!(command.ne.unwrap().get() >= encode_public_key(&own).len() + 8);
    let token = value(&next(pace.resume(&ok(0x84, &encode_public_key(&own)))?));
    let mac_key = derive_key(cipher, &secret, KeyPurpose::Mac);
    assert_eq!(token, pace.token(&mac_key, &own).unwrap());
    let mut last = encode(Tag(0x86), &pace.token(&mac_key, &theirs).unwrap());
    if protocol.mapping == Mapping::ChipAuthentication {
        let key = derive_key(cipher, &secret, KeyPurpose::Encryption);
        let iv = encrypt_block(cipher, &key, &[0xFF; 16]).unwrap();
        let data = pad(&card.authentication_data(&domain), 16);
        last.extend(encode(Tag(0x8A), &cbc_encrypt(cipher, &key, &iv, &data).unwrap()));
    }
    let answer = ResponseApdu { data: encode(Tag(0x7C), &last), status: StatusWord::OK };
    match pace.resume(&answer)? {
        Step::Done(result) => Ok(result),
        Step::Send(_) => panic!("too long"),
    }
}

#[test]
fn runs_with_every_mapping_group_and_cipher() {
    use BlockCipher::{Aes128, Aes192, Aes256, Tdes};
    for id in DomainParameters::STANDARDISED {
        for mapping in [Mapping::Generic, Mapping::Integrated, Mapping::ChipAuthentication] {
            for cipher in [Tdes, Aes128, Aes192, Aes256] {
                let parameters = parameters(id, mapping, cipher);
                let cam = mapping == Mapping::ChipAuthentication;
                let defined = !cam || (cipher != Tdes && parameters.domain.is_ec());
                if !defined || (mapping == Mapping::Integrated && id == 10) {
                    continue;
                }
                let (domain, bytes) = (parameters.domain.clone(), (0..=255).collect::<Vec<u8>>());
                let can = PacePassword::Can(Can::new("123456").unwrap());
                let mut pace = Pace::new(parameters, can, &mut Fixed::new(&bytes));
                let result = run_with_card(&mut pace).unwrap();
                assert_eq!(result.secure_messaging.cipher(), cipher);
                let proven = result.chip_authentication_mapping.map(|evidence| {
                    let PublicElement::Ec(key) = Card::new(&domain).fixed.public_element() else {
                        panic!()
                    };
                    verify_cam(&evidence, &PublicKey::Ec(key))
                });
                assert_eq!(proven, cam.then_some(Ok(())), "{} {mapping:?}", domain.name());
            }
        }
    }
}

/// The terminal of Chip Authentication Mapping with the last answer replaced.
fn cam_with_last_answer(content: &[u8]) -> Result<PaceResult, TerminalError> {
    let vector = vectors("pace-ecdh-cam");
    let parameters = parameters(13, Mapping::ChipAuthentication, BlockCipher::Aes128);
    let secret = |name| GroupSecret::from_bytes(&parameters.domain, &vector(name)).unwrap();
    let mapping = MappingSecret::key(secret("terminal_mapping_secret"));
    let password = published_password(vector("password"));
    let agreement = secret("terminal_secret");
    let mut pace = Pace::with_secrets(parameters.clone(), password, mapping, agreement);
    let answers = [
        empty(0x9000),
        ok(0x80, &vector("encrypted_nonce")),
        ok(0x82, &vector("chip_mapping_public")),
        ok(0x84, &vector("chip_public")),
        ResponseApdu { data: encode(Tag(0x7C), content), status: StatusWord::OK },
    ];
    run(&mut pace, &answers).1
}

#[test]
fn refuses_chip_authentication_mapping_without_its_data() {
    let token = encode(Tag(0x86), &vectors("pace-ecdh-cam")("chip_token"));
    let error = cam_with_last_answer(&token).unwrap_err();
    assert_eq!(error, violation(TOKEN, "the Chip Authentication Data are missing"));
}

#[test]
fn keeps_chip_authentication_data_that_cannot_be_decrypted_as_evidence() {
    let token = encode(Tag(0x86), &vectors("pace-ecdh-cam")("chip_token"));
    let content = [token, encode(Tag(0x8A), &[7; 31])].concat();
    let result = cam_with_last_answer(&content).unwrap();
    let evidence = result.chip_authentication_mapping.unwrap();
    assert_eq!((evidence.data.is_none(), evidence.encrypted.len()), (true, 31));
}

#[test]
fn refuses_data_in_the_answer_to_the_additional_nonce() {
    let parameters = parameters(13, Mapping::Integrated, BlockCipher::Aes128);
    let can = PacePassword::Can(Can::new("123456").unwrap());
    let mut pace = Pace::new(parameters, can, &mut Fixed::new(&[1, 2, 3]));
    let answers = [empty(0x9000), ok(0x80, &[9; 16]), ok(0x82, &[1])];
    let error = run(&mut pace, &answers).1.unwrap_err();
    assert_eq!(error, violation(MAPPING, "the answer carries data where it must not"));
}

#[test]
fn asks_for_a_nonce_as_long_as_the_key_in_integrated_mapping() {
    let parameters = parameters(13, Mapping::Integrated, BlockCipher::Aes256);
    let can = PacePassword::Can(Can::new("123456").unwrap());
    let mut pace = Pace::new(parameters, can, &mut Fixed::new(&[1, 2, 3]));
    let answers = [empty(0x9000), ok(0x80, &[9; 16])];
    let error = run(&mut pace, &answers).1.unwrap_err();
    assert_eq!(error, violation(NONCE, "the nonce has a wrong length"));
}

#[test]
fn takes_a_nonce_of_whole_blocks_up_to_the_length_of_integrated_mapping() {
    for (cipher, taken) in [
        (BlockCipher::Tdes, &[8, 16][..]),
        (BlockCipher::Aes128, &[16]),
        (BlockCipher::Aes192, &[16, 32]),
        (BlockCipher::Aes256, &[16, 32]),
    ] {
        for length in 0..50 {
            let checked = mapping::check_nonce_length(Mapping::Generic, cipher, length);
            assert_eq!(checked.is_ok(), taken.contains(&length), "{} {length}", cipher.name());
        }
    }
}

#[test]
fn refuses_numbers_outside_of_the_subgroup() {
    let parameters = parameters(0, Mapping::Generic, BlockCipher::Aes128);
    let can = PacePassword::Can(Can::new("123456").unwrap());
    for (number, fault) in [(vec![2], KeyFault::SmallSubgroup), (vec![1], KeyFault::Identity)] {
        let random: Vec<u8> = (1..=255).collect();
        let mut pace = Pace::new(parameters.clone(), can.clone(), &mut Fixed::new(&random));
        let answers = [empty(0x9000), ok(0x80, &[9; 16]), ok(0x82, &number)];
        assert_eq!(run(&mut pace, &answers).1.unwrap_err(), key_fault(MAPPING, fault));
    }
}

#[test]
fn takes_a_nonce_longer_than_the_group_s_order_modulo_it() {
    let parameters = parameters(8, Mapping::Generic, BlockCipher::Aes256);
    let can = PacePassword::Can(Can::new("123456").unwrap());
    let random: Vec<u8> = (1..=255).collect();
    let mut pace = Pace::new(parameters.clone(), can, &mut Fixed::new(&random));
    let card = Card::new(&parameters.domain).mapping.public_element();
    pace.start().unwrap();
    pace.resume(&empty(0x9000)).unwrap();
    pace.resume(&ok(0x80, &[0xEE; 32])).unwrap();
    assert!(pace.resume(&ok(0x82, &encode_public_key(&card))).is_ok());
}
