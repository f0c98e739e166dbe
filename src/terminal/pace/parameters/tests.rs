use BlockCipher::{Aes128, Aes192, Aes256, Tdes};
use cancuoc_primitives::cipher::BlockCipher;
use hex_literal::hex;

use super::*;
use crate::lds::{
    PaceDomainParameterInfo, ParameterForm, SecurityInfoKind, encode_domain_parameters,
};

fn info(
    agreement: KeyAgreement,
    mapping: Mapping,
    cipher: BlockCipher,
    parameter_id: Option<u32>,
) -> SecurityInfoKind {
    let protocol = PaceProtocol { agreement, mapping, cipher };
    SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id })
}

fn ecdh(mapping: Mapping, cipher: BlockCipher, id: u32) -> SecurityInfoKind {
    info(KeyAgreement::Ecdh, mapping, cipher, Some(id))
}

fn dh(mapping: Mapping, cipher: BlockCipher, id: u32) -> SecurityInfoKind {
    info(KeyAgreement::Dh, mapping, cipher, Some(id))
}

fn select(kinds: impl IntoIterator<Item = SecurityInfoKind>) -> PaceParameters {
    PaceParameters::select(&SecurityInfos::from_kinds(kinds)).unwrap()
}

#[test]
fn picks_by_the_weaker_of_group_and_cipher() {
    // AES-256 does not help a weak group, nor a strong group 3DES.
    let found = select([
        ecdh(Mapping::Generic, Aes256, 8),
        ecdh(Mapping::Generic, Tdes, 17),
        ecdh(Mapping::Generic, Aes128, 13),
    ]);
    assert_eq!((found.protocol.cipher, found.domain.id()), (Aes128, Some(13)));
}

#[test]
fn picks_the_stronger_group_and_then_the_stronger_cipher() {
    let found = select([
        ecdh(Mapping::Generic, Aes128, 12),
        ecdh(Mapping::Generic, Aes128, 16),
        ecdh(Mapping::Generic, Aes192, 16),
    ]);
    assert_eq!((found.protocol.cipher, found.domain.id()), (Aes192, Some(16)));
    assert!(found.name_parameters);
}

#[test]
fn prefers_chip_authentication_then_generic_then_integrated_mapping() {
    let all = [
        ecdh(Mapping::Integrated, Aes128, 13),
        ecdh(Mapping::Generic, Aes128, 13),
        ecdh(Mapping::ChipAuthentication, Aes128, 13),
    ];
    assert_eq!(select(all.clone()).protocol.mapping, Mapping::ChipAuthentication);
    assert_eq!(select(all[..2].to_vec()).protocol.mapping, Mapping::Generic);
    assert_eq!(select(all[..1].to_vec()).protocol.mapping, Mapping::Integrated);
    assert!(!select(all).name_parameters, "there is one set of domain parameters");
}

#[test]
fn prefers_a_curve_to_a_prime_field_of_the_same_strength() {
    let found = select([dh(Mapping::Generic, Aes128, 2), ecdh(Mapping::Generic, Aes128, 11)]);
    assert!(found.domain.is_ec());
    let found = select([dh(Mapping::Generic, Aes128, 2), ecdh(Mapping::Generic, Aes128, 8)]);
    assert!(!found.domain.is_ec());
}

#[test]
fn has_every_standardised_group() {
    for id in DomainParameters::STANDARDISED {
        let domain = DomainParameters::standardised(id).unwrap();
        let kind = if domain.is_ec() { ecdh } else { dh };
        let found = select([kind(Mapping::Generic, Aes128, id.into())]);
        assert_eq!((found.domain, found.parameter_id), (domain, Some(id.into())));
    }
}

#[test]
fn reads_the_variant_of_the_card_access_seen_on_cards() {
    let bytes = hex!(
        "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d"
    );
    let infos = SecurityInfos::decode("EF.CardAccess", &bytes).unwrap();
    let found = PaceParameters::select(&infos).unwrap();
    assert_eq!(found.domain.name(), "brainpoolP256r1");
    assert_eq!(found.protocol.mapping, Mapping::Generic);
}

fn own_parameters(id: u8, parameter_id: Option<u32>) -> SecurityInfoKind {
    let domain = DomainParameters::standardised(id).unwrap();
    SecurityInfoKind::PaceDomainParameters(PaceDomainParameterInfo {
        agreement: if domain.is_ec() { KeyAgreement::Ecdh } else { KeyAgreement::Dh },
        mapping: Mapping::Generic,
        parameters: encode_domain_parameters(&domain, ParameterForm::Explicit),
        parameter_id,
    })
}

#[test]
fn takes_the_only_explicit_parameters_where_neither_has_an_identifier() {
    let unnamed = info(KeyAgreement::Ecdh, Mapping::Generic, Aes128, None);
    let found = select([unnamed.clone(), own_parameters(13, None)]);
    assert_eq!(found.domain.id(), Some(13));
    let infos =
        SecurityInfos::from_kinds([unnamed, own_parameters(13, None), own_parameters(12, None)]);
    assert!(PaceParameters::select(&infos).is_err(), "which of them is not said");
}

#[test]
fn never_takes_explicit_parameters_for_a_standardised_identifier() {
    let found = select([ecdh(Mapping::Generic, Aes128, 13), own_parameters(8, Some(13))]);
    assert_eq!(found.domain.id(), Some(13));
}

#[test]
fn refuses_explicit_parameters_that_are_not_known_to_be_secure() {
    // The group of RFC 3526 §2: a safe prime of 1536 bits with generator 2, which is sound, but
    // not one of the standard.
    let p = hex!(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
        "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF"
    );
    let group = cancuoc_primitives::dh::DhGroup::explicit(&p, &[2], None).unwrap();
    let info = SecurityInfoKind::PaceDomainParameters(PaceDomainParameterInfo {
        agreement: KeyAgreement::Dh,
        mapping: Mapping::Generic,
        parameters: encode_domain_parameters(&DomainParameters::Dh(group), ParameterForm::Explicit),
        parameter_id: Some(0x41),
    });
    let infos = SecurityInfos::from_kinds([dh(Mapping::Generic, Aes128, 0x41), info]);
    let what = "PACE with these domain parameters".to_owned();
    assert_eq!(PaceParameters::select(&infos), Err(TerminalError::Unsupported { what }));
}

fn refused(kind: SecurityInfoKind) -> String {
    match PaceParameters::select(&SecurityInfos::from_kinds([kind])) {
        Err(TerminalError::Unsupported { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn says_which_variant_it_does_not_have() {
    let what = refused(ecdh(Mapping::Integrated, Aes128, 10));
    assert_eq!(what, "Integrated Mapping over P-224");
    assert_eq!(refused(ecdh(Mapping::Generic, Aes128, 0)), "PACE with ECDH over MODP-1024-160");
    assert_eq!(refused(dh(Mapping::Generic, Aes128, 13)), "PACE with DH over brainpoolP256r1");
    for id in [3, 7, 19, 31, 200, 256] {
        let what = refused(ecdh(Mapping::Generic, Aes128, id));
        assert_eq!(what, "PACE with these domain parameters");
    }
    let SecurityInfoKind::Pace(info) = ecdh(Mapping::Generic, Aes128, 13) else { panic!() };
    let first = SecurityInfoKind::Pace(PaceInfo { version: 1, ..info });
    assert_eq!(refused(first), "PACE version 1");
}

#[test]
fn takes_what_a_filter_lets_through() {
    let infos = SecurityInfos::from_kinds([
        ecdh(Mapping::Generic, Aes256, 17),
        ecdh(Mapping::Generic, Aes128, 13),
    ]);
    let filter = PaceFilter::new(|_, domain| match domain.id() {
        Some(13) => Ok(()),
        _ => Err(format!("{} is not on the list", domain.name())),
    });
    let found = PaceParameters::select_with(&infos, &|i, d| filter.check(i, d)).unwrap();
    assert_eq!(found.domain.id(), Some(13));
    let reason = "brainpoolP512r1 is not on the list".to_owned();
    let infos = SecurityInfos::from_kinds([ecdh(Mapping::Generic, Aes256, 17)]);
    let error = PaceParameters::select_with(&infos, &|i, d| filter.check(i, d)).unwrap_err();
    assert_eq!(error, TerminalError::PaceForbidden { reason });
}

#[test]
fn names_no_variant_where_none_is_announced() {
    let error = PaceParameters::select(&SecurityInfos::default()).unwrap_err();
    assert!(matches!(error, TerminalError::PaceNotOffered { .. }));
}

/// A PACEDomainParameterInfo with all numbers of a standardised group.
fn explicit(protocol: &str, id: u32, group: u8) -> SecurityInfoKind {
    let group = DomainParameters::standardised(group).unwrap();
    let parameters =
        crate::lds::encode_domain_parameters(&group, crate::lds::ParameterForm::Explicit);
    let protocol = const_oid::ObjectIdentifier::new_unwrap(protocol);
    let info = crate::lds::PaceDomainParameterInfo::new(&protocol, parameters, Some(id));
    SecurityInfoKind::PaceDomainParameters(info.unwrap())
}

#[test]
fn takes_explicit_domain_parameters_that_equal_standardised_ones() {
    let found = select([
        ecdh(Mapping::Generic, Aes128, 32),
        explicit("0.4.0.127.0.7.2.2.4.2", 32, 16),
        explicit("0.4.0.127.0.7.2.2.4.2", 33, 12),
    ]);
    assert_eq!((found.domain.id(), found.parameter_id), (Some(16), Some(32)));
    let found =
        select([dh(Mapping::Generic, Aes128, 40), explicit("0.4.0.127.0.7.2.2.4.1", 40, 1)]);
    assert_eq!(found.domain.id(), Some(1));
}

#[test]
fn takes_no_explicit_domain_parameters_that_are_ambiguous_or_of_the_other_kind() {
    let pace = || ecdh(Mapping::Generic, Aes128, 32);
    let (curve, prime) = ("0.4.0.127.0.7.2.2.4.2", "0.4.0.127.0.7.2.2.4.1");
    for infos in [
        vec![pace(), explicit(curve, 32, 16), explicit(curve, 32, 12)],
        vec![pace(), explicit(prime, 32, 2)],
        vec![pace(), explicit(curve, 33, 16)],
    ] {
        let error = PaceParameters::select(&SecurityInfos::from_kinds(infos)).unwrap_err();
        assert!(matches!(error, TerminalError::Unsupported { .. }), "{error}");
    }
}
