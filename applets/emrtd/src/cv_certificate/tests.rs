use alloc::vec;
use alloc::vec::Vec;

use cancuoc_card_runtime::tlv::object;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::rsa::RsaPrivateKey;
use hex_literal::hex;
use proptest::prelude::*;

use super::*;
use crate::testing::{
    self, AUTHENTICATION_TERMINAL, Certificate, DG3, DG4, INSPECTION_SYSTEM, Key, Random, whole,
};

const EXAMPLE: &str =
    include_str!("../../../../testvectors/bsi-tr03110/eac-terminal-authentication-ecdh.txt");
const RSA_DOCUMENT_VERIFIER: &[u8] =
    include_bytes!("../../../../testvectors/cvc/dv_cert_19.cvcert");
const RSA_TERMINAL: &[u8] = include_bytes!("../../../../testvectors/cvc/at_cert_19a.cvcert");

fn certificate(key: &Key) -> Certificate<'_> {
    Certificate {
        authority: "VNCVCATEST00001",
        holder: "VNCVCATEST00001",
        key,
        parameters: true,
        authorization: testing::CVCA | DG3 | DG4,
        terminals: INSPECTION_SYSTEM,
        effective: "260101",
        expiration: "290101",
        extensions: &[],
    }
}

fn key() -> Key {
    Key::ec(Curve::P256, 3, 1)
}

#[test]
fn verifies_the_chain_of_the_worked_example() {
    let bytes = |name| testing::value(EXAMPLE, name);
    let cvca = bytes("cvca_certificate");
    let document_verifier = bytes("document_verifier_certificate");
    let terminal = bytes("terminal_certificate");
    let cvca = CvCertificate::read_whole(&cvca).unwrap();
    assert_eq!(cvca.holder.as_bytes(), b"DECVCAAT00001");
    assert_eq!(
        cvca.authorization,
        Authorization::InspectionSystems(Role::Cvca, Rights::new(DG3 | DG4))
    );
    assert_eq!(cvca.effective.digits(), &[1, 0, 0, 9, 3, 0]);
    assert_eq!(cvca.expiration.digits(), &[1, 1, 0, 9, 2, 5]);
    let key = cvca.public_key.resolve(None).unwrap();
    assert_eq!(key.curve(), Some(Curve::BrainpoolP512r1));
    assert_eq!(key.verify(&[cvca.body], cvca.signature), Ok(()));

    let document_verifier = CvCertificate::read_whole(&document_verifier).unwrap();
    assert_eq!(document_verifier.authority, cvca.holder);
    assert_eq!(document_verifier.authorization, Authorization::OtherTerminals);
    assert_eq!(key.verify(&[document_verifier.body], document_verifier.signature), Ok(()));
    let key = document_verifier.public_key.resolve(key.curve()).unwrap();

    let terminal = CvCertificate::read_whole(&terminal).unwrap();
    assert_eq!(terminal.authority, document_verifier.holder);
    assert_eq!(key.verify(&[terminal.body], terminal.signature), Ok(()));
    let key = terminal.public_key.resolve(key.curve()).unwrap();

    let compressed = |name| bytes(name)[1..33].to_vec();
    let message = [
        compressed("chip_pace_public_key"),
        bytes("challenge"),
        compressed("terminal_chip_authentication_public_key"),
    ];
    let message = [&message[0][..], &message[1], &message[2]];
    assert_eq!(key.verify(&message, &bytes("terminal_signature")), Ok(()));
}

#[test]
fn verifies_a_published_certificate_under_an_rsa_key() {
    let document_verifier = CvCertificate::read_whole(RSA_DOCUMENT_VERIFIER).unwrap();
    let terminal = CvCertificate::read_whole(RSA_TERMINAL).unwrap();
    assert_eq!(terminal.authority, document_verifier.holder);
    let key = document_verifier.public_key.resolve(None).unwrap();
    assert_eq!(key.verify(&[terminal.body], terminal.signature), Ok(()));
    let mut changed = terminal.body.to_vec();
    changed[20] ^= 1;
    assert!(key.verify(&[&changed], terminal.signature).is_err());
}

#[test]
fn verifies_signatures_of_every_algorithm() {
    let rsa = RsaPrivateKey::generate(1280, &mut Random(5)).unwrap();
    let ec = (1..=5).map(|arc| Key::ec(Curve::BrainpoolP320r1, arc, 7));
    let keys: Vec<Key> = ec.chain((1..=6).map(|arc| Key::rsa(arc, &rsa))).collect();
    assert_eq!(keys.len(), 11);
    for key in &keys {
        let bytes = certificate(key).sign(key);
        let read = CvCertificate::read(&bytes).unwrap();
        let public = read.public_key.resolve(None).unwrap();
        assert_eq!(public.verify(&[read.body], read.signature), Ok(()));
        assert!(public.verify(&[read.body, b"x"], read.signature).is_err());
        // What the card keeps of the key is the same key.
        let mut record = Vec::new();
        public.store(&mut record);
        assert_eq!(PublicKey::load(&record), Some(public));
    }
}

#[test]
fn an_algorithm_is_not_taken_for_another() {
    let rsa = RsaPrivateKey::generate(1024, &mut Random(5)).unwrap();
    let (pkcs1v15, pss) = (Key::rsa(2, &rsa), Key::rsa(4, &rsa));
    let bytes = certificate(&pkcs1v15).sign(&pss);
    let read = CvCertificate::read(&bytes).unwrap();
    let public = read.public_key.resolve(None).unwrap();
    assert!(public.verify(&[read.body], read.signature).is_err());
}

#[test]
fn knows_every_curve_by_its_parameters() {
    for curve in Curve::ALL {
        let key = Key::ec(curve, 3, 1);
        let object = key.public_key(true);
        let read = PublicKeyObject::read(&object).unwrap().resolve(None).unwrap();
        assert_eq!(read.curve(), Some(curve));
    }
}

#[test]
fn refuses_parameters_that_differ_from_a_known_curve() {
    let parts = parts(&key().public_key(true));
    let resolve = |parts: &[Vec<u8>]| {
        PublicKeyObject::read(&parts.concat())?.resolve(Some(Curve::P256)).map(drop)
    };
    assert_eq!(resolve(&parts), Ok(()));
    // p, a, b, abscissa and ordinate of the generator, order, cofactor.
    for (part, from_end) in [(1, 1), (2, 1), (3, 1), (4, 33), (4, 1), (5, 1), (7, 1)] {
        let mut parts = parts.clone();
        let position = parts[part].len() - from_end;
        parts[part][position] ^= 2;
        assert_eq!(resolve(&parts), Err(Malformed), "part {part}");
    }
}

/// The data objects of a field.
fn parts(field: &[u8]) -> Vec<Vec<u8>> {
    let mut objects = Objects::new(field);
    core::iter::from_fn(|| objects.take().ok()).map(|object| object.raw.to_vec()).collect()
}

#[test]
fn refuses_a_key_without_parameters_when_there_are_none_to_inherit() {
    let object = key().public_key(false);
    let read = PublicKeyObject::read(&object).unwrap();
    assert!(!read.has_domain_parameters());
    assert!(read.resolve(None).is_err());
    assert!(read.resolve(Some(Curve::BrainpoolP256r1)).is_err(), "not on that curve");
    assert!(read.resolve(Some(Curve::P256)).is_ok());
}

#[test]
fn refuses_domain_parameters_in_part_or_out_of_order() {
    let mut parts = parts(&key().public_key(true));
    assert_eq!(parts.len(), 8);
    for missing in 0..7 {
        let mut parts = parts.clone();
        parts.remove(missing);
        assert!(PublicKeyObject::read(&parts.concat()).is_err(), "without part {missing}");
    }
    let without_cofactor = parts[..7].concat();
    assert!(PublicKeyObject::read(&without_cofactor).unwrap().resolve(None).is_ok());
    parts.swap(1, 2);
    assert!(PublicKeyObject::read(&parts.concat()).is_err());
}

#[test]
fn refuses_points_off_the_curve_compressed_or_infinite() {
    let resolve = |point: &[u8]| {
        let mut value = object(0x06, &hex!("04007F00070202020203"));
        value.extend(object(0x86, point));
        PublicKeyObject::read(&value)?.resolve(Some(Curve::P256)).map(drop)
    };
    let right = key().public_key(false);
    let right = &right[14..];
    assert_eq!(resolve(right), Ok(()));
    let mut off = right.to_vec();
    off[64] ^= 1;
    let compressed = [&[2], &right[1..33]].concat();
    for wrong in [&off[..], &compressed, &[0], &[], &right[..64]] {
        assert_eq!(resolve(wrong), Err(Malformed));
    }
}

#[test]
fn refuses_rsa_keys_out_of_bounds() {
    let rsa = RsaPrivateKey::generate(1024, &mut Random(5)).unwrap().public_key();
    let resolve = |modulus: &[u8], exponent: &[u8]| {
        let parts = [
            object(0x06, &hex!("04007F00070202020102")),
            object(0x81, modulus),
            object(0x82, exponent),
        ];
        PublicKeyObject::read(&parts.concat())?.resolve(None).map(drop)
    };
    let modulus = rsa.modulus();
    assert_eq!(resolve(&modulus, &[1, 0, 1]), Ok(()));
    let zero_first = [&[0], &modulus[..]].concat();
    assert!(resolve(&zero_first, &[1, 0, 1]).is_err(), "leading zero");
    assert!(resolve(&modulus[..64], &[1, 0, 1]).is_err(), "512 bits");
    assert!(resolve(&vec![0xFF; 513], &[1, 0, 1]).is_err(), "more than 4096 bits");
    assert!(resolve(&modulus, &[1, 0, 0, 0, 1]).is_err(), "exponent of five bytes");
    assert!(resolve(&modulus, &[1]).is_err(), "exponent 1");
    assert!(resolve(&modulus, &[1, 0, 0]).is_err(), "even exponent");
    assert!(resolve(&modulus, &[]).is_err(), "no exponent");
}

#[test]
fn tolerates_extensions_and_nothing_else_after_the_dates() {
    let key = key();
    let read = |extensions: &[u8]| {
        let bytes = Certificate { extensions, ..certificate(&key) }.sign(&key);
        CvCertificate::read(&bytes).map(drop)
    };
    assert_eq!(read(&hex!("65 0F 73 0D 06 08 04007F0007030103 80 01 AA")), Ok(()));
    assert_eq!(read(&hex!("65 02 0102")), Ok(()), "what is in them is nobody's business");
    assert_eq!(read(&hex!("66 02 0102")), Err(Malformed));
    assert_eq!(read(&hex!("65 00 65 00")), Err(Malformed));
    assert_eq!(read(&hex!("65 81 02 0102")), Err(Malformed), "length not in the fewest bytes");
}

#[test]
fn refuses_a_missing_doubled_or_moved_data_object() {
    let key = key();
    let bytes = certificate(&key).sign(&key);
    let mut outer = Objects::new(&bytes);
    let body = outer.take().unwrap();
    let signature = outer.take().unwrap().raw;
    let parts = parts(body.value);
    let read = |parts: &[Vec<u8>]| {
        let bytes = [&object(0x7F4E, &parts.concat())[..], signature].concat();
        CvCertificate::read(&bytes).map(drop)
    };
    assert_eq!((parts.len(), read(&parts)), (7, Ok(())));
    for index in 0..parts.len() {
        let mut missing = parts.clone();
        missing.remove(index);
        assert_eq!(read(&missing), Err(Malformed), "without part {index}");
        let mut doubled = parts.clone();
        doubled.insert(index, parts[index].clone());
        assert_eq!(read(&doubled), Err(Malformed), "part {index} twice");
        let mut moved = parts.clone();
        moved.swap(index, (index + 1) % parts.len());
        assert_eq!(read(&moved), Err(Malformed), "part {index} moved");
    }
}

#[test]
fn refuses_lengths_that_are_not_in_the_fewest_bytes_and_bytes_besides() {
    let key = key();
    let bytes = certificate(&key).sign(&key);
    let mut objects = Objects::new(&bytes);
    let (body, signature) = (objects.take().unwrap(), objects.take().unwrap());
    let long = [&hex!("5F37 82 0040")[..], signature.value].concat();
    assert!(CvCertificate::read(&[body.raw, &long].concat()).is_err());
    assert!(CvCertificate::read(&[&bytes[..], &[0]].concat()).is_err());
    assert!(CvCertificate::read_whole(&[&whole(&bytes)[..], &[0]].concat()).is_err());
    assert!(CvCertificate::read(&whole(&bytes)).is_err(), "the command has no 7F21");
    assert!(CvCertificate::read_whole(&whole(&bytes)).is_ok());
    assert!(CvCertificate::read(&[body.raw, &object(0x5F37, &[])].concat()).is_err());
}

#[test]
fn refuses_references_that_no_certificate_may_have() {
    for right in [&b"VNTEST0"[..], b"VN12345678900001", b"VN\xD0T\x20T00001"] {
        assert_eq!(Reference::new(right).map(|r| r.as_bytes().to_vec()), Ok(right.to_vec()));
    }
    for wrong in [&b""[..], b"VN0001", b"VN123456789000012", b"VNTEST\x0000001", b"VNTEST\x8100001"]
    {
        assert_eq!(Reference::new(wrong), Err(Malformed));
    }
}

#[test]
fn refuses_a_certificate_that_is_valid_on_no_day() {
    let key = key();
    let dates = |effective, expiration| {
        let bytes = Certificate { effective, expiration, ..certificate(&key) }.sign(&key);
        CvCertificate::read(&bytes).map(drop)
    };
    assert_eq!(dates("260101", "260101"), Ok(()));
    assert_eq!(dates("260102", "260101"), Err(Malformed));
    assert_eq!(dates("260230", "261231"), Err(Malformed));
}

#[test]
fn reads_role_and_rights_without_the_reserved_bits() {
    let key = key();
    let authorization = |authorization, terminals| {
        let bytes = Certificate { authorization, terminals, ..certificate(&key) }.sign(&key);
        CvCertificate::read(&bytes).unwrap().authorization
    };
    for (bits, role, rights) in [
        (0xC3, Role::Cvca, 3),
        (0x82, Role::DomesticDocumentVerifier, 2),
        (0x41, Role::ForeignDocumentVerifier, 1),
        (0x3D, Role::InspectionSystem, 1),
    ] {
        assert_eq!(
            authorization(bits, INSPECTION_SYSTEM),
            Authorization::InspectionSystems(role, Rights::new(rights))
        );
    }
    assert_eq!(authorization(0xC3, AUTHENTICATION_TERMINAL), Authorization::OtherTerminals);
}

#[test]
fn no_changed_bit_of_a_certificate_verifies() {
    let key = key();
    let bytes = certificate(&key).sign(&key);
    let original = CvCertificate::read(&bytes).unwrap();
    let public = original.public_key.resolve(None).unwrap();
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(read) = CvCertificate::read(&changed) {
            assert!(public.verify(&[read.body], read.signature).is_err(), "bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = CvCertificate::read(&bytes);
        let _ = CvCertificate::read_whole(&bytes);
        let _ = PublicKeyObject::read(&bytes).map(|key| key.resolve(Some(Curve::P256)));
        let _ = PublicKey::load(&bytes);
    }

    #[test]
    fn never_panics_on_a_changed_certificate(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = testing::value(EXAMPLE, "cvca_certificate");
        for (position, value) in &changes {
            let position = position.index(bytes.len());
            bytes[position] = *value;
        }
        if let Ok(read) = CvCertificate::read_whole(&bytes) {
            let _ = read.public_key.resolve(None);
        }
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(CvCertificate::read_whole(&bytes).is_err());
    }
}
