//! Project Wycheproof's vectors: key agreement and signatures on every curve that it has, RSA
//! signatures of every size and hash that this project takes.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;

use cancuoc::lds::{PublicKey, SignatureAlgorithm};
use cancuoc_primitives::curve::{Curve, Point, SecretScalar};
use cancuoc_primitives::group::{DomainParameters, GroupSecret, PublicElement};
use cancuoc_primitives::hash::HashAlgorithm;
use wycheproof::{EllipticCurve, HashFunction, TestResult};

const fn curve(name: EllipticCurve) -> Option<Curve> {
    Some(match name {
        EllipticCurve::Secp192r1 => Curve::P192,
        EllipticCurve::Secp224r1 => Curve::P224,
        EllipticCurve::Secp256r1 => Curve::P256,
        EllipticCurve::Secp384r1 => Curve::P384,
        EllipticCurve::Secp521r1 => Curve::P521,
        EllipticCurve::Brainpool224r1 => Curve::BrainpoolP224r1,
        EllipticCurve::Brainpool256r1 => Curve::BrainpoolP256r1,
        EllipticCurve::Brainpool320r1 => Curve::BrainpoolP320r1,
        EllipticCurve::Brainpool384r1 => Curve::BrainpoolP384r1,
        EllipticCurve::Brainpool512r1 => Curve::BrainpoolP512r1,
        _ => return None,
    })
}

const fn hash(name: HashFunction) -> Option<HashAlgorithm> {
    Some(match name {
        HashFunction::Sha1 => HashAlgorithm::Sha1,
        HashFunction::Sha2_224 => HashAlgorithm::Sha224,
        HashFunction::Sha2_256 => HashAlgorithm::Sha256,
        HashFunction::Sha2_384 => HashAlgorithm::Sha384,
        HashFunction::Sha2_512 => HashAlgorithm::Sha512,
        _ => return None,
    })
}

/// Compares what came out with what must: a vector that is merely acceptable may go either way.
fn judge(expected: TestResult, accepted: bool, what: &str) {
    match expected {
        TestResult::Valid => assert!(accepted, "refused: {what}"),
        TestResult::Invalid => assert!(!accepted, "accepted: {what}"),
        TestResult::Acceptable => {}
    }
}

/// Every name in `wanted` was tested with at least so many vectors.
fn assert_covers(counts: &BTreeMap<String, usize>, wanted: &[&str], least: usize) {
    for name in wanted {
        let count = counts.get(*name).copied().unwrap_or_default();
        assert!(count >= least, "{name}: only {count} vectors");
    }
}

/// The point of a vector: an encoded point, or a SubjectPublicKeyInfo.
fn public_point(curve: Curve, bytes: &[u8], as_point: bool) -> Option<Point> {
    if as_point {
        return Point::from_uncompressed(curve, bytes).ok();
    }
    match PublicKey::from_spki_der(bytes).ok()?.0 {
        PublicKey::Ec(point) if point.curve() == curve => Some(point),
        _ => None,
    }
}

#[test]
fn key_agreement_on_every_curve() {
    use wycheproof::ecdh::{EcdhEncoding, TestFlag, TestName, TestSet};
    let mut counts = BTreeMap::new();
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in set.test_groups {
            let Some(curve) = curve(group.curve) else { continue };
            let parameters = DomainParameters::from(curve);
            for test in group.tests {
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                let secret = SecretScalar::from_bytes(curve, &test.private_key);
                let as_point = group.encoding == EcdhEncoding::EcPoint;
                let point = public_point(curve, &test.public_key, as_point);
                let shared = secret.ok().zip(point).and_then(|(secret, point)| {
                    let element = PublicElement::Ec(point);
                    assert_eq!(element.domain_parameters(), parameters);
                    element.shared_secret(&GroupSecret::Ec(secret)).ok()
                });
                if let Some(shared) = &shared {
                    // A key that is taken must lead to the right secret, whatever is thought of it.
                    assert_eq!(shared.as_slice(), test.shared_secret.as_slice(), "{what}");
                }
                // The cofactor is optional (RFC 3279 §2.3.5); all else was compared with the curve.
                if !test.flags.contains(&TestFlag::NoCofactor) {
                    judge(test.result, shared.is_some(), &what);
                }
                *counts.entry(curve.name().to_owned()).or_default() += 1;
            }
        }
    }
    let all = Curve::ALL.map(Curve::name);
    let wanted: Vec<_> =
        all.into_iter().filter(|n| !matches!(*n, "P-192" | "brainpoolP192r1")).collect();
    assert_covers(&counts, &wanted, 200);
}

#[test]
fn ecdsa_on_every_curve() {
    use wycheproof::ecdsa::{TestGroupTypeId, TestName, TestSet};
    let mut counts = BTreeMap::new();
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in set.test_groups {
            let (Some(curve), Some(hash)) = (curve(group.key.curve), hash(group.hash)) else {
                continue;
            };
            let algorithm = match group.test_type {
                TestGroupTypeId::Ecdsa => SignatureAlgorithm::Ecdsa(hash),
                TestGroupTypeId::EcdsaP1363 => SignatureAlgorithm::EcdsaPlain(hash),
                TestGroupTypeId::EcdsaBitcoin => continue,
            };
            let (key, _) = PublicKey::from_spki_der(&group.der).unwrap();
            for test in group.tests {
                let accepted = algorithm.verify(&key, &test.msg, &test.sig).is_ok();
                judge(test.result, accepted, &format!("{name:?} {}: {}", test.tc_id, test.comment));
                *counts.entry(curve.name().to_owned()).or_default() += 1;
            }
        }
    }
    let all = Curve::ALL.map(Curve::name);
    let wanted: Vec<_> = all.into_iter().filter(|n| *n != "brainpoolP192r1").collect();
    assert_covers(&counts, &wanted, 200);
}

#[test]
fn rsa_pkcs1_signatures() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut counts = BTreeMap::new();
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in set.test_groups {
            let Some(hash) = hash(group.hash) else { continue };
            if !(1024..=4096).contains(&group.key_size) {
                continue;
            }
            let (key, _) = PublicKey::from_spki_der(&group.der).unwrap();
            let algorithm = SignatureAlgorithm::RsaPkcs1(hash);
            for test in group.tests {
                let accepted = algorithm.verify(&key, &test.msg, &test.sig).is_ok();
                judge(test.result, accepted, &format!("{name:?} {}: {}", test.tc_id, test.comment));
                *counts.entry(group.key_size.to_string()).or_default() += 1;
            }
        }
    }
    assert_covers(&counts, &["2048", "3072", "4096"], 200);
}

#[test]
fn rsa_pss_signatures() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut counts = BTreeMap::new();
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in set.test_groups {
            let Some(hash) = hash(group.hash) else { continue };
            // The mask generation function with another hash is refused when a key is read.
            if group.mgf_hash != Some(group.hash) || !(1024..=4096).contains(&group.key_size) {
                continue;
            }
            let Ok((key, _)) = PublicKey::from_spki_der(&group.der) else { continue };
            let algorithm = SignatureAlgorithm::RsaPss { hash, salt_len: group.salt_size };
            for test in group.tests {
                let accepted = algorithm.verify(&key, &test.msg, &test.sig).is_ok();
                judge(test.result, accepted, &format!("{name:?} {}: {}", test.tc_id, test.comment));
                *counts.entry(group.key_size.to_string()).or_default() += 1;
            }
        }
    }
    assert_covers(&counts, &["2048", "3072", "4096"], 50);
}
