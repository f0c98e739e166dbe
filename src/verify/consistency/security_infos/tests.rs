#![allow(clippy::unwrap_used)]

use cancuoc_primitives::cipher::BlockCipher;
use cancuoc_primitives::curve::{Curve, Point};

use super::*;
use crate::lds::{
    ChipAuthenticationPublicKeyInfo, KeyAgreement, Mapping, PaceInfo, PaceProtocol, ParameterForm,
    PublicKey, SignedData, encode_dg14,
};
use crate::verify::AccessOutcome;

use BlockCipher::{Aes128, Aes256, Tdes};

const BRAINPOOL_P256R1: u32 = 13;
const P224: u32 = 10;

fn pace_over(cipher: BlockCipher, parameter_id: u32) -> SecurityInfoKind {
    let (agreement, mapping) = (KeyAgreement::Ecdh, Mapping::Generic);
    let protocol = PaceProtocol { agreement, mapping, cipher };
    SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(parameter_id) })
}

fn pace(cipher: BlockCipher) -> SecurityInfoKind {
    pace_over(cipher, BRAINPOOL_P256R1)
}

fn opened_by(pace: Option<PaceParameters>, downgraded: bool) -> ChipEvidence {
    let (cipher, password) = ("AES-128".to_owned(), "CAN".to_owned());
    let access = AccessOutcome { pace, cipher, password, downgraded };
    ChipEvidence { access: Some(access), ..ChipEvidence::default() }
}

fn compare_with(
    access: Option<Vec<SecurityInfoKind>>,
    signed: Vec<SecurityInfoKind>,
    bac: bool,
) -> (&'static str, &'static str) {
    let access = access.map(SecurityInfos::from_kinds);
    let parameters = access.as_ref().and_then(|infos| PaceParameters::select(infos).ok());
    let chip = opened_by(parameters.filter(|_| !bac), bac);
    let access = access.map(|infos| infos.encode());
    let dg14 = encode_dg14(&SecurityInfos::from_kinds(signed));
    let check = card_access_dg14(access.as_deref(), Some(&dg14), &chip);
    (check.status_name(), check.code)
}

#[test]
fn passes_when_the_offer_is_the_one_that_was_signed() {
    assert_eq!(compare_with(Some(vec![pace(Aes128)]), vec![pace(Aes128)], false), ("passed", "ok"));
}

#[test]
fn passes_in_any_order() {
    let infos = SecurityInfos::from_kinds([pace(Aes128), pace(Aes256)]);
    let mut other = infos.clone();
    other.infos.reverse();
    assert_ne!(infos.encode(), other.encode());
    let chip = opened_by(PaceParameters::select(&infos).ok(), false);
    let check = card_access_dg14(Some(&other.encode()), Some(&encode_dg14(&infos)), &chip);
    assert!(check.has_passed());
}

#[test]
fn fails_when_the_card_offers_what_nobody_signed() {
    let result = compare_with(Some(vec![pace(Tdes), pace(Aes128)]), vec![pace(Aes128)], false);
    assert_eq!(result, ("failed", "card_access_not_signed"));
}

#[test]
fn fails_as_a_downgrade_when_the_card_hides_the_strongest_variant() {
    let result = compare_with(Some(vec![pace(Aes128)]), vec![pace(Aes128), pace(Aes256)], false);
    assert_eq!(result, ("failed", "card_access_weaker_than_signed"));
}

#[test]
fn fails_as_a_downgrade_when_the_card_offers_a_weaker_curve() {
    let result = compare_with(Some(vec![pace_over(Aes128, P224)]), vec![pace(Aes128)], false);
    assert_eq!(result, ("failed", "card_access_weaker_than_signed"));
}

#[test]
fn fails_when_the_card_hides_a_weaker_variant() {
    let result = compare_with(Some(vec![pace(Aes256)]), vec![pace(Aes128), pace(Aes256)], false);
    assert_eq!(result, ("failed", "card_access_hides_pace"));
}

#[test]
fn fails_when_a_protocol_has_other_parameters_than_were_signed() {
    let result = compare_with(Some(vec![pace_over(Aes128, 17)]), vec![pace(Aes128)], false);
    assert_eq!(result, ("failed", "card_access_changed"));
}

#[test]
fn fails_when_card_access_was_suppressed_to_have_bac_used() {
    assert_eq!(compare_with(None, vec![pace(Aes128)], true), ("failed", "pace_dropped_to_bac"));
}

#[test]
fn fails_when_pace_was_taken_out_of_card_access_to_have_bac_used() {
    let result = compare_with(Some(vec![]), vec![pace(Aes128)], true);
    assert_eq!(result, ("failed", "pace_dropped_to_bac"));
}

#[test]
fn passes_a_card_without_pace_that_was_signed_without_pace() {
    assert_eq!(compare_with(None, vec![], true), ("passed", "ok"));
}

#[test]
fn skips_what_was_not_read() {
    let dg14 = encode_dg14(&SecurityInfos::from_kinds([pace(Aes128)]));
    let saved = ChipEvidence::default();
    assert_eq!(card_access_dg14(None, Some(&dg14), &saved).code, "file_not_read");
}

/// A static key: the generator, or the inverse of it.
fn key(id: Option<u8>, inverse: bool) -> SecurityInfoKind {
    key_in_form(id, inverse, ParameterForm::Named)
}

fn key_in_form(id: Option<u8>, inverse: bool, form: ParameterForm) -> SecurityInfoKind {
    let generator = Point::generator(Curve::BrainpoolP256r1);
    let mut scalar = Curve::BrainpoolP256r1.parameters().n.to_vec();
    *scalar.last_mut().unwrap() -= 1;
    let scalar =
        cancuoc_primitives::curve::SecretScalar::from_bytes(Curve::BrainpoolP256r1, &scalar);
    let point = if inverse { scalar.unwrap().public_point() } else { generator };
    SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
        agreement: KeyAgreement::Ecdh,
        spki: PublicKey::Ec(point).to_spki_der(form),
        key_id: id.map(|id| vec![id]),
    })
}

fn card_security_check(
    in_card_security: Vec<SecurityInfoKind>,
    in_card_access: Vec<SecurityInfoKind>,
    in_dg14: Vec<SecurityInfoKind>,
) -> (&'static str, &'static str) {
    let infos = SecurityInfos::from_kinds(in_card_security);
    let signed_data = SignedData {
        content_type: crate::lds::SECURITY_OBJECT,
        content: infos.encode(),
        certificates: Vec::new(),
        signers: Vec::new(),
    };
    let file = CardSecurity { signed_data, infos };
    let access = SecurityInfos::from_kinds(in_card_access).encode();
    let dg14 = encode_dg14(&SecurityInfos::from_kinds(in_dg14));
    let check = card_security(Some(&file), Some(&access), Some(&dg14));
    (check.status_name(), check.code)
}

#[test]
fn passes_card_security_that_agrees_with_the_other_files() {
    let (own, open) = (vec![pace(Aes128), key(None, false)], vec![pace(Aes128)]);
    assert_eq!(card_security_check(own.clone(), open, own), ("passed", "ok"));
}

#[test]
fn passes_card_security_with_a_key_of_its_own_identifier() {
    let own = vec![pace(Aes128), key(Some(13), true)];
    let dg14 = vec![pace(Aes128), key(Some(1), false)];
    assert_eq!(card_security_check(own, vec![pace(Aes128)], dg14), ("passed", "ok"));
}

#[test]
fn passes_one_key_whose_curve_is_named_in_card_security_and_written_out_in_dg14() {
    let own = vec![pace(Aes128), key_in_form(Some(13), true, ParameterForm::Named)];
    let dg14 = vec![pace(Aes128), key_in_form(Some(13), true, ParameterForm::Explicit)];
    assert_eq!(card_security_check(own, vec![pace(Aes128)], dg14), ("passed", "ok"));
}

#[test]
fn fails_when_card_security_has_another_key_under_the_same_identifier() {
    for id in [None, Some(1)] {
        for form in [ParameterForm::Named, ParameterForm::Explicit] {
            let own = vec![pace(Aes128), key(id, true)];
            let dg14 = vec![pace(Aes128), key_in_form(id, false, form)];
            let result = card_security_check(own, vec![pace(Aes128)], dg14);
            assert_eq!(result, ("failed", "card_security_key_differs"));
        }
    }
}

#[test]
fn fails_when_card_access_is_weaker_than_card_security() {
    let signed = vec![pace(Aes256), pace(Aes128)];
    let result = card_security_check(signed.clone(), vec![pace(Aes128)], signed);
    assert_eq!(result, ("failed", "card_access_weaker_than_signed"));
}

#[test]
fn fails_when_card_security_and_dg14_name_other_variants_of_pace() {
    let both = vec![pace(Aes256), pace(Aes128)];
    let result = card_security_check(both.clone(), both, vec![pace(Aes256)]);
    assert_eq!(result, ("failed", "card_security_differs_from_dg14"));
}

#[test]
fn skips_card_security_that_was_not_read() {
    assert_eq!(card_security(None, None, None).code, "file_not_read");
}
