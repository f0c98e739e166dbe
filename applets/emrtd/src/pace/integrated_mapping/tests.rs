use super::*;
use crate::testing::value;
use cancuoc_primitives::dh::DhGroup;
use proptest::prelude::*;

const ECDH: &str = include_str!("../../../../../testvectors/icao-9303-11/pace-ecdh-im.txt");
const DH: &str = include_str!("../../../../../testvectors/icao-9303-11/pace-dh-im.txt");

const CIPHERS: [BlockCipher; 4] =
    [BlockCipher::Tdes, BlockCipher::Aes128, BlockCipher::Aes192, BlockCipher::Aes256];

#[test]
fn gives_the_pseudo_random_numbers_of_the_worked_examples() {
    for (example, bits) in [(ECDH, 256), (DH, 1024)] {
        let (nonce, terminal) = (value(example, "nonce"), value(example, "additional_nonce"));
        let number = pseudo_random(BlockCipher::Aes128, &nonce, &terminal, bits).unwrap();
        assert_eq!(*number, value(example, "pseudo_random"));
    }
}

#[test]
fn reduces_to_the_field_element_of_the_worked_example() {
    let field = Modulus::new(Curve::BrainpoolP256r1.parameters().p).unwrap();
    let reduced = field.reduce(&value(ECDH, "pseudo_random")).unwrap();
    assert_eq!(*reduced.to_bytes(), value(ECDH, "reduced"));
}

#[test]
fn the_number_is_long_enough_and_no_longer_than_needed() {
    for cipher in CIPHERS {
        let block = nonce_len(cipher);
        for bits in [192, 224, 256, 320, 384, 512, 521, 1024, 2048] {
            let nonce = alloc::vec![1; block];
            let terminal = alloc::vec![2; cipher.key_len()];
            let number = pseudo_random(cipher, &nonce, &terminal, bits).unwrap();
            assert!(number.len() * 8 >= bits + 64);
            assert!((number.len() - block) * 8 < bits + 64);
        }
    }
}

#[test]
fn nonces_have_as_many_bytes_as_a_key_rounded_up_to_blocks() {
    assert_eq!(CIPHERS.map(nonce_len), [16, 16, 32, 32]);
}

#[test]
fn a_key_of_aes_192_is_the_first_24_bytes_of_the_output() {
    let output = encrypt(BlockCipher::Aes192, &[3; 24], &C0_256).unwrap();
    let key = next_key(BlockCipher::Aes192, &[3; 24], &C0_256).unwrap();
    assert_eq!((output.len(), &key[..]), (32, &output[..24]));
}

#[test]
fn refuses_a_terminals_nonce_of_another_length() {
    for cipher in CIPHERS {
        let nonce = alloc::vec![1; nonce_len(cipher)];
        let curve = DomainParameters::Ec(Curve::P256);
        let right = alloc::vec![2; cipher.key_len()];
        assert!(map(&curve, cipher, &nonce, &right).is_some());
        assert!(map(&curve, cipher, &nonce, &right[1..]).is_none());
        assert!(map(&curve, cipher, &nonce, &[&right[..], &[0]].concat()).is_none());
    }
}

#[test]
fn has_an_image_in_every_group_but_p_224() {
    for id in DomainParameters::STANDARDISED {
        let parameters = DomainParameters::standardised(id).unwrap();
        if parameters == DomainParameters::Ec(Curve::P224) {
            continue;
        }
        for cipher in CIPHERS {
            let nonce = alloc::vec![5; nonce_len(cipher)];
            let terminal = alloc::vec![6; cipher.key_len()];
            let element = map(&parameters, cipher, &nonce, &terminal).unwrap();
            assert_eq!(element.domain_parameters(), parameters);
        }
    }
}

#[test]
fn encodes_no_point_where_the_formula_has_no_inverse() {
    let field = Modulus::new(Curve::P256.parameters().p).unwrap();
    for number in [field.small(0), field.small(1), field.small(1).neg()] {
        assert!(encode_point(Curve::P256, &field, &number).is_none());
    }
    assert!(encode_point(Curve::P256, &field, &field.small(2)).is_some());
}

#[test]
fn the_power_is_the_one_of_the_specification() {
    // 2^64 - 189 is a prime that is 3 modulo 4.
    let p = u64::MAX - 188;
    assert_eq!(p % 4, 3);
    let field = Modulus::new(&p.to_be_bytes()).unwrap();
    let number = field.small(12345);
    let exponent = p - 1 - (p / 4 + 1);
    assert_eq!(inverse_root(&number, &p.to_be_bytes()), number.pow(&exponent.to_be_bytes()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// About half of the numbers take the first of the two points, half the second.
    #[test]
    fn every_number_is_encoded_as_a_point(
        number in prop::collection::vec(any::<u8>(), 40),
        index in 0usize..11,
    ) {
        let curve = Curve::ALL[index];
        prop_assume!(curve != Curve::P224);
        let field = Modulus::new(curve.parameters().p).unwrap();
        let number = field.reduce(&number).unwrap();
        prop_assert_eq!(encode_point(curve, &field, &number).unwrap().curve(), curve);
    }

    #[test]
    fn every_pair_of_nonces_gives_a_number_of_the_subgroup(
        nonce in any::<[u8; 16]>(), terminal in any::<[u8; 16]>(),
    ) {
        let group = DomainParameters::Dh(DhGroup::standardised(0).unwrap());
        let element = map(&group, BlockCipher::Aes128, &nonce, &terminal).unwrap();
        // Decoding checks the order.
        prop_assert!(PublicElement::decode(&group, &element.to_bytes()).is_ok());
    }
}
