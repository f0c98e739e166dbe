use super::*;
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use hex_literal::hex;
use proptest::prelude::*;

/// EF.CardAccess as seen on cards.
const CARD_ACCESS: [u8; 54] = hex!(
    "3134300d060804007f0007020202020101300f060a04007f000702020302020201013012060a04007f0007020204020202010202010d"
);
const SOD: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/EF_SOD.bin");
const SOD_2008: &[u8] = include_bytes!("../../testvectors/bsi-2008/EF_SOD.bin");
const DG2: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup2.bin");
const DG2_39794: &[u8] =
    include_bytes!("../../testvectors/iso39794/dg2-icao-profile-all-fields.bin");
const DG3: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup3.bin");
const DG4: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup4.bin");
const DG14: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup14.bin");
const DG14_2008: &[u8] = include_bytes!("../../testvectors/bsi-2008/Datagroup14.bin");
const DG15: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup15.bin");
const DG1: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/Datagroup1.bin");
const COM: &[u8] = include_bytes!("../../testvectors/bsi-tr03105-5/EF_COM.bin");

#[test]
fn reads_the_card_access_seen_on_cards() {
    use cancuoc_primitives::cipher::BlockCipher;
    let infos = SecurityInfos::decode("EF.CardAccess", &CARD_ACCESS).unwrap();
    assert_eq!(infos.encode(), CARD_ACCESS);
    let pace: Vec<_> = infos.pace().collect();
    assert_eq!(pace.len(), 1);
    assert_eq!(pace[0].parameter_id, Some(13));
    assert_eq!(pace[0].protocol.mapping, Mapping::Generic);
    assert_eq!(pace[0].protocol.cipher, BlockCipher::Aes128);
    assert_eq!(infos.chip_authentication().count(), 1);
}

#[test]
fn writes_the_card_access_seen_on_cards() {
    use cancuoc_primitives::cipher::BlockCipher;
    let protocol = PaceProtocol {
        agreement: KeyAgreement::Ecdh,
        mapping: Mapping::Generic,
        cipher: BlockCipher::Aes128,
    };
    let infos = SecurityInfos::from_kinds([
        SecurityInfoKind::Pace(PaceInfo { protocol, version: 2, parameter_id: Some(13) }),
        SecurityInfoKind::ChipAuthentication(ChipAuthenticationInfo {
            agreement: KeyAgreement::Ecdh,
            cipher: BlockCipher::Aes128,
            version: 1,
            key_id: None,
        }),
        SecurityInfoKind::TerminalAuthentication { version: 1 },
    ]);
    assert_eq!(infos.encode(), CARD_ACCESS);
}

#[test]
fn specimen_files_come_back_byte_for_byte() {
    assert_eq!(Com::decode(COM).unwrap().encode(), COM);
    assert_eq!(encode_dg1(decode_dg1(DG1).unwrap()), DG1);
    assert_eq!(Dg2::decode(DG2).unwrap().encode(), DG2);
    for dg14 in [DG14, DG14_2008] {
        assert_eq!(encode_dg14(&security_infos_of_dg14(dg14).unwrap()), dg14);
    }
}

#[test]
fn fingers_and_irises_come_back_byte_for_byte() {
    for (name, tag, bytes, count) in
        [("EF.DG3", 0x63, DG3, 2), ("EF.DG4", 0x76, DG4, 2), ("EF.DG2", 0x75, DG2_39794, 1)]
    {
        let tag = crate::apdu::tlv::Tag(tag);
        let templates = BiometricTemplate::decode_file(name, tag, bytes).unwrap();
        assert_eq!(templates.len(), count);
        assert_eq!(BiometricTemplate::encode_file(tag, &templates), bytes);
    }
}

#[test]
fn refuses_a_count_of_255_templates() {
    let mut bytes = DG2.to_vec();
    let count = bytes.windows(3).position(|w| w == [2, 1, 1]).unwrap() + 2;
    bytes[count] = 0x7F;
    let error = Dg2::decode(&bytes).unwrap_err();
    assert!(error.to_string().contains("not the one announced"), "{error}");
}

#[test]
fn the_specimen_portrait_is_a_picture() {
    let dg2 = Dg2::decode(DG2).unwrap();
    let record = crate::biometrics::FaceRecord::decode(&dg2.templates[0].data).unwrap();
    assert_eq!(record.encode(), dg2.templates[0].data);
    let picture = crate::biometrics::decode(&record.images[0].data).unwrap();
    // The specimen's record announces another size than its picture has.
    assert_eq!(picture.dimensions(), (413, 531));
}

#[test]
fn specimen_keys_are_read() {
    assert!(decode_dg15(DG15).is_ok());
    let infos = security_infos_of_dg14(DG14).unwrap();
    let key = infos.chip_authentication_keys().next().unwrap();
    let (key, form) = PublicKey::from_spki_der(&key.spki).unwrap();
    assert_eq!(PublicKey::from_spki_der(&key.to_spki_der(form)).unwrap(), (key, form));
}

#[test]
fn the_specimen_security_objects_are_read() {
    for (sod, hash, groups) in [
        (SOD, const_oid::db::rfc5912::ID_SHA_256, vec![1, 2, 3, 14, 4]),
        (SOD_2008, const_oid::db::rfc5912::ID_SHA_1, vec![1, 2, 3, 14]),
    ] {
        let sod = Sod::decode(sod).unwrap();
        let object = sod.security_object().unwrap();
        assert_eq!(object.hash_algorithm, hash);
        assert_eq!(object.hashes.iter().map(|(n, _)| *n).collect::<Vec<_>>(), groups);
        assert_eq!(sod.signers.len(), 1);
        let attributes = sod.signers[0].attributes().unwrap().unwrap();
        assert_eq!(attributes.message_digests.len(), 1);
    }
}

use super::sod::{LdsSecurityObject, Sod};

#[test]
fn a_security_object_of_version_1_comes_back() {
    let object = LdsSecurityObject {
        version: 1,
        hash_algorithm: const_oid::db::rfc5912::ID_SHA_256,
        hashes: vec![(1, vec![7; 32]), (13, vec![8; 32])],
        lds_version: Some(("0108".into(), "040000".into())),
    };
    assert_eq!(LdsSecurityObject::decode(&object.encode()), Ok(object));
}

#[test]
fn refuses_a_com_with_trailing_bytes() {
    let mut bytes = COM.to_vec();
    bytes.push(0);
    assert!(matches!(Com::decode(&bytes), Err(LdsError::Tlv { .. })));
}

#[test]
fn atr_info_and_dir_come_back() {
    let info = AtrInfo {
        card_capabilities: vec![0xF8, 0x21, 0xC0],
        max_command_length: Some(65_544),
        max_response_length: Some(65_538),
    };
    assert_eq!(AtrInfo::decode(&info.encode()), Ok(info.clone()));
    assert!(info.extended_length());
    let dir = Dir { applications: vec![LDS1_AID.to_vec()] };
    assert_eq!(Dir::decode(&dir.encode()), Ok(dir));
}

#[test]
fn signature_algorithms_come_back() {
    use cancuoc_primitives::hash::HashAlgorithm;
    for hash in HashAlgorithm::ALL {
        for algorithm in [
            SignatureAlgorithm::Ecdsa(hash),
            SignatureAlgorithm::EcdsaPlain(hash),
            SignatureAlgorithm::RsaPkcs1(hash),
            SignatureAlgorithm::RsaPss { hash, salt_len: 32 },
        ] {
            assert_eq!(SignatureAlgorithm::from_der(&algorithm.to_der(), None), Ok(algorithm));
        }
    }
}

#[test]
fn an_rsa_key_under_an_ecdsa_algorithm_is_refused() {
    use cancuoc_primitives::hash::HashAlgorithm;
    let key = decode_dg15(DG15).unwrap();
    let algorithm = match key {
        PublicKey::Rsa(_) => SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256),
        PublicKey::Ec(_) => SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256),
        PublicKey::Dh(_) => panic!("certificates have no such keys"),
    };
    assert_eq!(algorithm.verify(&key, b"", &[0; 128]), Err(SignatureFault::KeyMismatch));
}

#[test]
fn keeps_security_infos_of_any_structure() {
    let unknown = write::sequence(&[
        &write::oid(&const_oid::ObjectIdentifier::new_unwrap("1.2.3.4")),
        &write::integer(1),
        &write::integer(2),
        &write::integer(3),
    ]);
    let bytes = write::set_of(vec![unknown, CARD_ACCESS[2..17].to_vec()]);
    let infos = SecurityInfos::decode("EF.CardAccess", &bytes).unwrap();
    assert_eq!(infos.encode(), bytes);
    assert!(infos.infos.iter().any(|info| info.kind == SecurityInfoKind::Other));
}

#[test]
fn refuses_more_keys_of_chip_authentication_than_any_chip_has() {
    let key = |id: u8| {
        SecurityInfoKind::ChipAuthenticationPublicKey(ChipAuthenticationPublicKeyInfo {
            agreement: KeyAgreement::Ecdh,
            spki: vec![0x30, 0],
            key_id: Some(vec![id]),
        })
    };
    let read = |keys: u8| {
        let bytes = SecurityInfos::from_kinds((0..keys).map(key)).encode();
        SecurityInfos::decode("EF.DG14", &bytes)
    };
    assert_eq!(read(8).unwrap().chip_authentication_keys().count(), 8);
    assert!(matches!(read(9), Err(LdsError::Invalid { file: "EF.DG14", .. })));
}

#[test]
fn explicit_parameters_of_pace_come_back() {
    let parameters = write::sequence(&[&write::oid(&oids::ID_PK), &write::sequence(&[])]);
    let kind = SecurityInfoKind::PaceDomainParameters(PaceDomainParameterInfo {
        agreement: KeyAgreement::Ecdh,
        mapping: Mapping::Generic,
        parameters,
        parameter_id: Some(32),
    });
    let infos = SecurityInfos::from_kinds([kind.clone()]);
    assert_eq!(infos.infos[0].oid.to_string(), "0.4.0.127.0.7.2.2.4.2");
    let read = SecurityInfos::decode("EF.DG14", &infos.encode()).unwrap();
    assert_eq!(read.infos[0].kind, kind);
}

/// Flips bytes of a good file: readers of hostile files must give an error or a value, no panic.
fn mutate(bytes: &[u8], changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (position, value) in changes {
        let length = bytes.len();
        bytes[position % length] = *value;
    }
    bytes.truncate(bytes.len() - cut % bytes.len());
    bytes
}

proptest! {
    #[test]
    fn every_listing_of_data_groups_comes_back(
        tags in prop::collection::vec(any::<u8>(), 0..40),
        lds in "[0-9]{4}",
        unicode in "[0-9]{6}",
    ) {
        let com = Com { lds_version: lds, unicode_version: unicode, tags };
        prop_assert_eq!(Com::decode(&com.encode()), Ok(com));
    }

    #[test]
    fn every_list_of_hashes_comes_back(
        hashes in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 0..65)), 0..20),
        version in 0u32..3,
        lds_version in prop::option::of(("[0-9]{4}", "[0-9]{6}")),
    ) {
        let hash_algorithm = const_oid::db::rfc5912::ID_SHA_512;
        let object = LdsSecurityObject { version, hash_algorithm, hashes, lds_version };
        prop_assert_eq!(LdsSecurityObject::decode(&object.encode()), Ok(object));
    }

    #[test]
    fn every_set_of_templates_comes_back(
        blocks in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..400), any::<bool>()), 0..9),
    ) {
        let template = |(data, constructed)| BiometricTemplate {
            constructed, ..BiometricTemplate::face(data)
        };
        let dg2 = Dg2 { templates: blocks.into_iter().map(template).collect() };
        prop_assert_eq!(Dg2::decode(&dg2.encode()), Ok(dg2));
    }

    #[test]
    fn reading_mutated_files_never_panics(
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..8),
        cut in 0usize..40,
    ) {
        let _ = Sod::decode(&mutate(SOD, &changes, cut)).map(|s| {
            let _ = s.security_object();
            s.signers.iter().for_each(|i| { let _ = i.attributes(); });
        });
        let _ = SecurityInfos::decode("EF.CardAccess", &mutate(&CARD_ACCESS, &changes, cut));
        let _ = security_infos_of_dg14(&mutate(DG14, &changes, cut));
        let _ = decode_dg15(&mutate(DG15, &changes, cut));
        let _ = Com::decode(&mutate(COM, &changes, cut));
        let _ = decode_dg1(&mutate(DG1, &changes, cut));
        let _ = Dg2::decode(&mutate(&DG2[..200], &changes, cut));
        let _ = AtrInfo::decode(&mutate(COM, &changes, cut));
        let _ = Dir::decode(&mutate(COM, &changes, cut));
    }
}

#[test]
fn reads_back_diffie_hellman_keys_in_both_forms() {
    for id in 0..=2 {
        let parameters = DomainParameters::standardised(id).unwrap();
        let secret = GroupSecret::from_bytes(&parameters, &[0, 5]).unwrap();
        let PublicElement::Dh(value) = secret.public_element() else { panic!("a prime field") };
        let key = PublicKey::Dh(value);
        for form in [ParameterForm::Named, ParameterForm::Explicit] {
            let spki = key.to_spki_der(form);
            assert_eq!(PublicKey::from_spki_der(&spki), Ok((key.clone(), form)));
        }
    }
}

#[test]
fn refuses_a_diffie_hellman_key_outside_of_its_group() {
    let parameters = DomainParameters::standardised(0).unwrap();
    let algorithm = encode_domain_parameters(&parameters, ParameterForm::Explicit);
    // 1 is neutral; 5 is below the prime, but not in the subgroup.
    for number in [1, 5] {
        let key = write::bits(&write::integer(number));
        let spki = write::sequence(&[&algorithm, &key]);
        let error = PublicKey::from_spki_der(&spki).unwrap_err();
        assert!(matches!(error, PublicKeyError::Number(_)), "{number}: {error}");
    }
}

#[test]
fn reads_diffie_hellman_keys_that_openssl_writes() {
    let make = |algorithm: &str, option: &str| {
        let command = format!(
            "openssl genpkey -algorithm {algorithm} -pkeyopt {option} | \
             openssl pkey -pubout -outform DER"
        );
        let key = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        assert!(key.status.success(), "{}", String::from_utf8_lossy(&key.stderr));
        PublicKey::from_spki_der(&key.stdout).unwrap()
    };
    for (option, name) in [("1", "MODP-1024-160"), ("2", "MODP-2048-224"), ("3", "MODP-2048-256")] {
        let option = format!("dh_rfc5114:{option}");
        let (key, form) = make("DHX", &option);
        assert_eq!((key.description(), form), (format!("DH {name}"), ParameterForm::Explicit));
    }
    // dhKeyAgreement, with a safe prime.
    let (key, _) = make("DH", "group:ffdhe2048");
    assert!(matches!(key, PublicKey::Dh(value) if value.group().bits() == 2048));
}
