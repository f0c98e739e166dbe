#![allow(clippy::unwrap_used)]

use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::test_random::Counter;

fn group(id: u8) -> DhGroup {
    DhGroup::standardised(id).unwrap()
}

/// The published examples of the group are computed, in the tests of PACE, from
/// `testvectors/icao-9303-11`.
#[test]
fn the_standardised_groups_are_what_they_claim() {
    for id in 0..3 {
        let group = group(id);
        assert!(prime(group.p()) && prime(group.q().unwrap()));
        check_order(group.p(), group.q().unwrap()).unwrap();
        check_element(group.modulus(), &group.generator().value, group.q()).unwrap();
    }
    assert_eq!([0, 1, 2].map(|id| group(id).bits()), [1024, 2048, 2048]);
    assert_eq!([0, 1, 2].map(|id| group(id).q().unwrap().len()), [20, 28, 32]);
}

#[test]
fn a_number_to_the_power_of_the_cofactor_is_in_the_subgroup() {
    for id in 0..3 {
        let group = group(id);
        let number = group.modulus().small(2).pow(&group.cofactor().unwrap());
        DhPublic::from_residue(&group, number).unwrap();
    }
}

#[test]
fn recognises_a_standardised_group_by_its_values() {
    let known = group(2);
    let padded = [&[0, 0], known.p()].concat();
    let found = DhGroup::explicit(&padded, known.g(), known.q()).unwrap();
    assert_eq!((found.domain_parameter_id(), found.name()), (Some(2), "MODP-2048-256"));
    let without_order = DhGroup::explicit(known.p(), known.g(), None).unwrap();
    assert_eq!(without_order, known);
}

#[test]
fn takes_a_group_of_its_own_with_another_generator() {
    let known = group(0);
    let squared = known.generator().multiply(&known.generator()).unwrap().to_bytes();
    let own = DhGroup::explicit(known.p(), &squared, known.q()).unwrap();
    assert_eq!((own.domain_parameter_id(), own.name()), (None, "DH"));
}

#[test]
fn finds_the_order_of_a_safe_prime() {
    // RFC 2409 §6.2, the second Oakley group; 2 generates the subgroup of order (p-1)/2.
    let p = hex!(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
        "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
        "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF"
    );
    let group = DhGroup::explicit(&p, &[2], None).unwrap();
    assert_eq!(group.q().unwrap().len(), 128);
}

#[test]
fn refuses_a_modulus_that_is_not_prime() {
    let known = group(0);
    let mut p = known.p().to_vec();
    p[100] ^= 1;
    assert_eq!(DhGroup::explicit(&p, known.g(), None).unwrap_err(), DhError::NotPrime);
}

#[test]
fn refuses_a_small_modulus() {
    assert_eq!(DhGroup::explicit(&hex!("FFFFFFFFFFFFFFC5"), &[2], None), Err(DhError::Size));
}

#[test]
fn refuses_an_order_that_does_not_divide() {
    let (known, other) = (group(0), group(2));
    assert_eq!(DhGroup::explicit(known.p(), known.g(), other.q()), Err(DhError::Order));
}

#[test]
fn refuses_a_small_order() {
    let known = group(0);
    assert_eq!(DhGroup::explicit(known.p(), known.g(), Some(&[2])), Err(DhError::Order));
}

#[test]
fn refuses_generators_that_generate_nothing() {
    let known = group(0);
    let most = less_one(known.p());
    for g in [&[][..], &[1], &[2], &most, known.p()] {
        let refused = DhGroup::explicit(known.p(), g, known.q());
        assert_eq!(refused, Err(DhError::Generator));
    }
}

#[test]
fn refuses_public_values_out_of_range() {
    for id in 0..3 {
        let group = group(id);
        let most = less_one(group.p());
        let long = [&[0], group.p()].concat();
        for value in [&[][..], &[0], &[1], &most, group.p(), &long] {
            assert_eq!(DhPublic::decode(&group, value), Err(DhError::PublicRange));
        }
    }
}

#[test]
fn refuses_public_values_outside_of_the_subgroup() {
    assert_eq!(DhPublic::decode(&group(0), &[2]), Err(DhError::Subgroup));
}

#[test]
fn takes_public_values_with_missing_zeros() {
    let group = group(0);
    let random = &mut Counter::default();
    // A public value that starts with a zero byte comes up once in 256 draws.
    let value = core::iter::repeat_with(|| DhSecret::random(&group, random).public_value())
        .find(|value| value.to_bytes()[0] == 0)
        .unwrap();
    let bytes = value.to_bytes();
    assert_eq!(DhPublic::decode(&group, &bytes[1..]).unwrap(), value);
    assert_eq!(DhPublic::decode(&group, &bytes).unwrap(), value);
}

#[test]
fn refuses_secrets_out_of_range() {
    let group = group(0);
    for secret in [&[][..], &[0; 20], group.p()] {
        assert_eq!(DhSecret::from_bytes(&group, secret).unwrap_err(), DhError::SecretRange);
    }
}

#[test]
fn a_secret_keeps_the_length_of_the_order() {
    let group = group(0);
    assert_eq!(DhSecret::from_bytes(&group, &[5]).unwrap().to_bytes().len(), 20);
    // The worked example of Integrated Mapping has secrets as long as the prime.
    assert_eq!(DhSecret::from_bytes(&group, &[5; 100]).unwrap().to_bytes().len(), 128);
}

#[test]
fn a_secret_shows_nothing_in_debug() {
    let secret = DhSecret::from_bytes(&group(0), &[0xAB; 20]).unwrap();
    assert_eq!(alloc::format!("{secret:?}"), "DhSecret(MODP-1024-160, ***)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_number_is_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let group = group(0);
        if let Ok(value) = DhPublic::decode(&group, &bytes) {
            let again = value.to_bytes();
            prop_assert_eq!(strip(&again), strip(&bytes));
        }
        let _ = DhSecret::from_bytes(&group, &bytes);
    }
}
