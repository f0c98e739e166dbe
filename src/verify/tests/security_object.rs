//! What was signed: the security object, and the data groups that it binds.

use const_oid::ObjectIdentifier;

use super::*;
use crate::lds::SignatureAlgorithm;

#[test]
fn n13_the_listed_old_types_of_security_objects_are_taken_and_no_others() {
    let issuer = Issuer::new();
    let found = |oid: &str| {
        let oid = ObjectIdentifier::new_unwrap(oid);
        failures(&issuer.document_signed(|content| content.content_type = oid), &issuer.trust())
    };
    for legacy in ["2.23.136.1.1.1", "1.2.528.1.1006.1.20.1", "1.3.27.1.1.1"] {
        assert_eq!(found(legacy), [], "{legacy}");
    }
    for other in ["1.2.840.113549.1.7.1", "2.23.136.1.1.2"] {
        assert_eq!(found(other), [("pa.sod_structure", "sod_content_type")], "{other}");
    }
}

#[test]
fn n17_one_signature_with_two_hash_functions_is_forged() {
    let issuer = Issuer::new();
    let document = issuer.document_signed(|content| content.digest = HashAlgorithm::Sha384);
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.sod_signature", "digest_algorithm_mismatch")]);
}

#[test]
fn n17_an_rsa_algorithm_over_a_key_of_a_curve_is_forged() {
    let issuer = Issuer::new();
    let rsa = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256);
    let document = issuer.document_signed(|content| content.algorithm = rsa);
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.sod_signature", "signature_key_mismatch")]);
}

/// The good document with the object identifier of its signature algorithm replaced.
fn with_algorithm(issuer: &Issuer, oid: &str) -> DocumentFiles {
    let mut document = issuer.document();
    let (from, to) = (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), oid);
    let to = ObjectIdentifier::new_unwrap(to);
    assert_eq!(from.as_bytes().len(), to.as_bytes().len());
    let sod = document.files.get_mut(&FileId::SOD).unwrap();
    let length = from.as_bytes().len();
    // The last one in the file is the signer's.
    let at = sod.windows(length).rposition(|w| w == from.as_bytes()).unwrap();
    sod[at..at + length].copy_from_slice(to.as_bytes());
    document
}

#[test]
fn an_algorithm_that_is_unknown_here_is_no_forgery() {
    let issuer = Issuer::new();
    let report = report(&with_algorithm(&issuer, "1.2.840.10045.4.3.9"), &issuer.trust());
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    let check = report.checks.iter().find(|c| c.id == CheckId::PaSodSignature).unwrap();
    let found = (check.status_name(), check.code);
    assert_eq!(found, ("unsupported", "signature_algorithm_unsupported"));
}

#[test]
fn n18_hashes_of_md5_are_forged() {
    let issuer = Issuer::new();
    let object = LdsSecurityObject {
        version: 0,
        hash_algorithm: ObjectIdentifier::new_unwrap("1.2.840.113549.2.5"),
        hashes: vec![(1, vec![0; 16])],
        lds_version: None,
    };
    let document = issuer.document_with(encode_dg1(MRZ), &object);
    assert_eq!(failures(&document, &issuer.trust()), [("pa.sod_structure", "algorithm_broken")]);
}

#[test]
fn n20_a_changed_data_group_is_forged() {
    let issuer = Issuer::new();
    let mut document = issuer.document();
    let dg1 = document.files.get_mut(&file(1)).unwrap();
    let last = dg1.len() - 16;
    dg1[last] = b'X';
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.hashes", "dg_hash_mismatch")]);
}

#[test]
fn n22_a_data_group_that_the_security_object_does_not_list_is_forged() {
    let issuer = Issuer::new();
    let mut document = issuer.document();
    document.files.insert(file(11), vec![0x6B, 0]);
    assert_eq!(failures(&document, &issuer.trust()), [("pa.hashes", "dg_not_in_sod")]);
}

#[test]
fn n24_a_com_that_hides_or_invents_a_group_is_forged() {
    let issuer = Issuer::new();
    for (tags, code) in [(vec![], "com_hides_data_group"), (vec![0x61, 0x6F], "com_lists_unsigned")]
    {
        let mut document = issuer.document();
        let com = Com { lds_version: "0107".into(), unicode_version: "040000".into(), tags };
        document.files.insert(FileId::COM, com.encode());
        assert_eq!(failures(&document, &issuer.trust()), [("consistency.com_sod", code)]);
    }
}

#[test]
fn n26_a_group_listed_twice_or_out_of_range_is_forged() {
    let issuer = Issuer::new();
    let dg1 = encode_dg1(MRZ);
    let hash = HashAlgorithm::Sha256.digest(&dg1);
    for (hashes, code) in [
        (vec![(1, hash.clone()), (1, hash.clone())], "dg_number_repeated"),
        (vec![(1, hash.clone()), (17, hash.clone())], "dg_number_invalid"),
        (vec![(1, hash[..31].to_vec())], "dg_hash_length"),
    ] {
        let object = LdsSecurityObject {
            version: 0,
            hash_algorithm: HashAlgorithm::Sha256.oid(),
            hashes,
            lds_version: None,
        };
        let document = issuer.document_with(dg1.clone(), &object);
        assert_eq!(failures(&document, &issuer.trust()), [("pa.sod_structure", code)]);
    }
}

fn object(hashes: Vec<(u32, Vec<u8>)>) -> LdsSecurityObject {
    LdsSecurityObject {
        version: 0,
        hash_algorithm: HashAlgorithm::Sha256.oid(),
        hashes,
        lds_version: None,
    }
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    HashAlgorithm::Sha256.digest(bytes)
}

#[test]
fn a_security_object_that_does_not_sign_the_mrz_is_of_no_document() {
    let issuer = Issuer::new();
    let document = issuer.document_with(encode_dg1(MRZ), &object(vec![(14, hash(b"x"))]));
    assert_eq!(failures(&document, &issuer.trust())[0], ("pa.sod_structure", "dg1_not_signed"));
}

/// A document that signs another data group, which the chip does not give.
fn with_group(number: u8) -> (Issuer, DocumentFiles) {
    let issuer = Issuer::new();
    let dg1 = encode_dg1(MRZ);
    let hashes = vec![(1, hash(&dg1)), (number.into(), hash(b"other"))];
    let mut document = issuer.document_with(dg1, &object(hashes));
    let tags = [1, number].map(|n| DgNumber::new(n).unwrap().tag().0 as u8).to_vec();
    let com = Com { lds_version: "0107".into(), unicode_version: "040000".into(), tags };
    document.files.insert(FileId::COM, com.encode());
    (issuer, document)
}

#[test]
fn n23_a_signed_data_group_that_is_missing_or_withheld_is_forged() {
    let (issuer, document) = with_group(14);
    assert_eq!(failures(&document, &issuer.trust()), [("pa.hashes", "dg_missing")]);
    let mut withheld = document.clone();
    withheld.protected.push(file(14));
    assert_eq!(failures(&withheld, &issuer.trust()), [("pa.hashes", "dg_denied")]);
    let mut torn = document;
    torn.unreadable.insert(file(14), "length past the end".to_owned());
    assert_eq!(failures(&torn, &issuer.trust()), [("pa.hashes", "dg_unreadable")]);
}

#[test]
fn n23_fingerprints_may_be_withheld() {
    let (issuer, mut document) = with_group(3);
    document.protected.push(file(3));
    assert_eq!(failures(&document, &issuer.trust()), []);
}

#[test]
fn n25_an_index_of_other_versions_than_were_signed_is_forged() {
    let issuer = Issuer::new();
    for (lds, unicode, expected) in [
        ("0107", "040000", &[][..]),
        ("0108", "040000", &[("consistency.com_sod", "lds_version_mismatch")]),
        ("0107", "050000", &[("consistency.com_sod", "lds_version_mismatch")]),
    ] {
        let dg1 = encode_dg1(MRZ);
        let signed = LdsSecurityObject {
            version: 1,
            lds_version: Some((lds.into(), unicode.into())),
            ..object(vec![(1, hash(&dg1))])
        };
        let document = issuer.document_with(dg1, &signed);
        assert_eq!(failures(&document, &issuer.trust()), expected);
    }
}

#[test]
fn n27_bytes_after_a_file_are_told_and_not_hashed() {
    let issuer = Issuer::new();
    let mut document = issuer.document();
    for id in [file(1), FileId::SOD] {
        let longer = [document.files[&id].clone(), vec![0; 5]].concat();
        document.insert(id, longer);
    }
    let report = report(&document, &issuer.trust());
    for (id, name) in [(CheckId::PaHashes, "EF.DG1"), (CheckId::PaSodStructure, "EF.SOD")] {
        let check = report.checks.iter().find(|c| c.id == id).unwrap();
        assert_eq!((check.status_name(), check.code), ("passed", "trailing_bytes"));
        assert_eq!(check.detail()["trailing"][name], 5);
    }
}

#[test]
fn integrity_alone_is_never_genuine_and_says_so() {
    let issuer = Issuer::new();
    let policy = Policy::builtin("integrity-only").unwrap();
    let report = report_under(&issuer.document(), &issuer.trust(), policy);
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    assert_eq!(report.wanting(), [vec![]]);
}
