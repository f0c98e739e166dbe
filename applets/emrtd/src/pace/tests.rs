mod tries;

use super::*;
use crate::testing::value;
use cancuoc_primitives::curve::SecretScalar;

const ECDH_GM: &str = include_str!("../../../../testvectors/icao-9303-11/pace-ecdh-gm.txt");
const DH_GM: &str = include_str!("../../../../testvectors/icao-9303-11/pace-dh-gm.txt");
const ECDH_IM: &str = include_str!("../../../../testvectors/icao-9303-11/pace-ecdh-im.txt");
const DH_IM: &str = include_str!("../../../../testvectors/icao-9303-11/pace-dh-im.txt");
const ECDH_CAM: &str = include_str!("../../../../testvectors/icao-9303-11/pace-ecdh-cam.txt");
const ALL: [&str; 5] = [ECDH_GM, DH_GM, ECDH_IM, DH_IM, ECDH_CAM];

fn variant(example: &str) -> Variant {
    let value = [value(example, "oid"), value(example, "domain_parameter_id")].concat();
    Variant::read(&value, &[]).unwrap()
}

fn element(example: &str, name: &str) -> PublicElement {
    PublicElement::decode(&variant(example).parameters, &value(example, name)).unwrap()
}

fn secret(example: &str, name: &str) -> GroupSecret {
    GroupSecret::from_bytes(&variant(example).parameters, &value(example, name)).unwrap()
}

fn agreed(example: &str) -> Agreed {
    let generator = element(example, "mapped_generator");
    let terminal = element(example, "terminal_public");
    agree(&generator, terminal, &secret(example, "chip_secret")).unwrap()
}

#[test]
fn encrypts_the_nonce_of_every_worked_example() {
    for example in ALL {
        let password = value(example, "password");
        let encrypted = encrypt_nonce(&variant(example), &password, &value(example, "nonce"));
        assert_eq!(encrypted.unwrap(), value(example, "encrypted_nonce"));
    }
}

#[test]
fn maps_the_generator_of_the_worked_examples_of_generic_mapping() {
    for example in [ECDH_GM, DH_GM, ECDH_CAM] {
        let parameters = variant(example).parameters;
        let secret = secret(example, "chip_mapping_secret");
        assert_eq!(secret.public_element(), element(example, "chip_mapping_public"));
        let terminal = element(example, "terminal_mapping_public");
        let nonce = value(example, "nonce");
        let generator = generic_mapping::map(&parameters, &nonce, &terminal, &secret).unwrap();
        assert_eq!(generator, element(example, "mapped_generator"));
    }
}

#[test]
fn maps_the_generator_of_the_worked_examples_of_integrated_mapping() {
    for example in [ECDH_IM, DH_IM] {
        let variant = variant(example);
        let (nonce, terminal) = (value(example, "nonce"), value(example, "additional_nonce"));
        let generator =
            integrated_mapping::map(&variant.parameters, variant.cipher, &nonce, &terminal);
        assert_eq!(generator, Some(element(example, "mapped_generator")));
    }
}

#[test]
fn agrees_on_the_secret_of_the_worked_examples() {
    for example in [ECDH_GM, DH_GM, ECDH_IM, DH_IM] {
        let agreed = agreed(example);
        assert_eq!(agreed.card, element(example, "chip_public"));
        assert_eq!(*agreed.secret, value(example, "shared_secret"));
    }
}

#[test]
fn derives_the_session_keys_and_tokens_of_the_worked_examples() {
    for example in [ECDH_GM, DH_GM, ECDH_IM, DH_IM] {
        let (variant, agreed) = (variant(example), agreed(example));
        let key = |purpose| derive(variant.cipher, &agreed.secret, purpose);
        assert_eq!(*key(ENCRYPTION), value(example, "session_encryption_key"));
        assert_eq!(*key(AUTHENTICATION), value(example, "session_mac_key"));
        let own = confirm(&variant, &agreed, &value(example, "terminal_token"));
        assert_eq!(own.unwrap(), *value(example, "chip_token"));
    }
}

#[test]
fn computes_the_tokens_of_the_worked_example_of_chip_authentication_mapping() {
    let token = |public| {
        let key = value(ECDH_CAM, "session_mac_key");
        let public = element(ECDH_CAM, public);
        authentication_token::compute(&variant(ECDH_CAM), &key, &public).unwrap()
    };
    assert_eq!(token("chip_public")[..], value(ECDH_CAM, "terminal_token"));
    assert_eq!(token("terminal_public")[..], value(ECDH_CAM, "chip_token"));
}

#[test]
fn encrypts_the_chip_authentication_data_of_the_worked_example() {
    let scalar = |name| -> SecretScalar {
        let GroupSecret::Ec(scalar) = secret(ECDH_CAM, name) else { panic!() };
        scalar
    };
    let (own, mapping) = (scalar("chip_static_secret"), scalar("chip_mapping_secret"));
    assert_eq!(own.public_point().to_uncompressed(), value(ECDH_CAM, "chip_static_public"));
    let data = chip_authentication_mapping::chip_authentication_data(&own, &mapping).unwrap();
    assert_eq!(*data, value(ECDH_CAM, "chip_authentication_data"));
    let key = value(ECDH_CAM, "session_encryption_key");
    let encrypted = chip_authentication_mapping::encrypt(variant(ECDH_CAM).cipher, &key, &data);
    assert_eq!(encrypted.unwrap(), value(ECDH_CAM, "encrypted_chip_authentication_data"));
}

#[test]
fn refuses_a_wrong_token_in_each_bit() {
    let (variant, agreed) = (variant(ECDH_GM), agreed(ECDH_GM));
    let right = value(ECDH_GM, "terminal_token");
    for bit in 0..64 {
        let mut token = right.clone();
        token[bit / 8] ^= 1 << (bit % 8);
        assert!(confirm(&variant, &agreed, &token).is_none());
    }
    assert!(confirm(&variant, &agreed, &right[..7]).is_none());
    assert!(confirm(&variant, &agreed, &[&right[..], &[0]].concat()).is_none());
}

#[test]
fn refuses_its_own_ephemeral_key_sent_back() {
    for example in [ECDH_GM, DH_GM] {
        let (generator, secret) =
            (element(example, "mapped_generator"), secret(example, "chip_secret"));
        let own = generator.raise(&secret).unwrap();
        assert_eq!(agree(&generator, own, &secret).err(), Some(FAILED));
    }
}

#[test]
fn a_public_value_with_leading_zeros_has_the_same_token_as_without() {
    let parameters = DomainParameters::standardised(0).unwrap();
    let short = (1u16..)
        .map(|n| GroupSecret::from_bytes(&parameters, &n.to_be_bytes()).unwrap().public_element())
        .find(|key| key.to_bytes()[0] == 0)
        .unwrap();
    let padded = PublicElement::decode(&parameters, &short.to_bytes()).unwrap();
    let stripped = PublicElement::decode(&parameters, &ephemeral_key::encode(&short)).unwrap();
    let token = |key| authentication_token::compute(&variant(DH_GM), &[7; 16], key).unwrap();
    assert_eq!(token(&padded), token(&stripped));
    // The data object has the unsigned integer, BSI TR-03110-3 §D.2.1.1.
    let mut input = tlv::object(0x06, &variant(DH_GM).oid);
    tlv::put(&mut input, 0x84, &ephemeral_key::encode(&short));
    let input = tlv::object(0x7F49, &input);
    let mac = cipher::cmac(variant(DH_GM).cipher, &[7; 16], &input).unwrap();
    assert_eq!(token(&short), mac[..8]);
}
