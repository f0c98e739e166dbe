//! What is remembered of signatures: it saves work, and makes nobody trusted.

use cancuoc_primitives::rsa::RsaPublicKey;

use super::*;
use crate::lds::{PublicKey, SignatureFault};
use crate::trust::cache::Claims;

/// A memory with these claims.
fn memory(claims: &[[u8; 32]]) -> SignatureCache {
    let empty = SignatureCache::default().encode();
    SignatureCache::decode(&[&empty[..], claims.as_flattened()].concat())
}

/// A claim on every certificate and every key of a store.
fn all_claims(certificates: &[&[u8]], claim: fn(Claims) -> [u8; 32]) -> Vec<[u8; 32]> {
    let decoded: Vec<X509> = certificates.iter().map(|der| X509::decode(der).unwrap()).collect();
    let pairs = decoded.iter().flat_map(|one| decoded.iter().map(move |other| (one, other)));
    pairs.map(|(one, other)| claim(Claims::on(one, other))).collect()
}

#[test]
fn a_key_that_did_not_verify_a_certificate_is_remembered() {
    let (trusted, unknown) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let (root, link) = (trusted.root(), unknown.link(&Authority::new("VN", "CSCA 2")));
    let store = store(&[&root, &link]);
    let first = SignatureCache::default();
    let cold = outcomes(&store.survey(Some(&first)));
    assert_eq!(cold, BTreeMap::from([("anchor", 1), ("csca_issuer_unknown", 1)]));
    let claims = Claims::on(&X509::decode(&link).unwrap(), &X509::decode(&root).unwrap());
    let written = first.encode();
    assert!(written.windows(32).any(|entry| entry == claims.failed));
    let second = SignatureCache::decode(&written);
    assert_eq!(outcomes(&store.survey(Some(&second))), cold);
    assert_eq!(second.encode(), written);
}

#[test]
fn a_memory_of_failures_that_lies_takes_trust_away_alone() {
    let (old, new) = (Authority::new("VN", "CSCA 1"), Authority::new("VN", "CSCA 2"));
    let (foreign, stranger) = (Authority::new("LA", "CSCA"), Authority::new("VN", "CSCA"));
    let (root, link, other) = (old.root(), old.link(&new), foreign.root());
    let forged = stranger.link(&Authority::new("VN", "CSCA 3"));
    let list = Lister::new(&old).list(&[&other, &forged], EARLY);
    let store = store(&[&root, &link, &list]);
    let trusted = |survey: &Survey<'_>| -> Vec<bool> {
        survey.certificates.iter().map(|found| found.trust.is_ok()).collect()
    };
    let truth = trusted(&store.survey(None));
    let lies = memory(&all_claims(&[&root, &link, &other, &forged], |claims| claims.failed));
    let with_lies = trusted(&store.survey(Some(&lies)));
    assert_eq!(truth.iter().filter(|trusted| **trusted).count(), 3);
    assert_eq!(with_lies.iter().filter(|trusted| **trusted).count(), 1, "the anchor");
    assert!(truth.iter().zip(&with_lies).all(|(truth, told)| *truth || !told));
}

#[test]
fn no_verification_of_a_document_believes_a_memory_that_its_store_was_asked_with() {
    let (root, stranger) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let third = Authority::new("VN", "CSCA 3");
    let forged = stranger.link(&third);
    let list = Lister::new(&root).list(&[&forged], EARLY);
    let anchor = root.root();
    let store = store(&[&anchor, &list]);
    let lies = memory(&all_claims(&[&anchor, &forged], |claims| claims.verified));
    let told = store.survey(Some(&lies));
    let of_forged = told.certificates.iter().find(|c| c.certificate.is_ok_and(|c| c.der == forged));
    assert!(of_forged.unwrap().trust.is_ok(), "the lie is believed by the survey");
    assert_eq!(basis(&store, &third.document_signer()), Err("issuer_unknown"));
    assert_eq!(basis(&store, &root.document_signer()), Ok("anchor"));
    let failures = memory(&all_claims(&[&anchor, &forged], |claims| claims.failed));
    let _ = store.survey(Some(&failures));
    assert_eq!(basis(&store, &root.document_signer()), Ok("anchor"));
}

#[test]
fn an_algorithm_fits_the_keys_that_it_can_verify_with() {
    use crate::lds::SignatureAlgorithm::{Ecdsa, EcdsaPlain, RsaPkcs1, RsaPss};
    let hash = HashAlgorithm::Sha256;
    let rsa = RsaPublicKey::new(&[0xC5; 256], &[1, 0, 1]).unwrap();
    for key in [Authority::new("VN", "CSCA").key.public_key(), PublicKey::Rsa(rsa)] {
        for algorithm in
            [Ecdsa(hash), EcdsaPlain(hash), RsaPkcs1(hash), RsaPss { hash, salt_len: 32 }]
        {
            let found = algorithm.verify(&key, b"message", b"no signature");
            assert_eq!(algorithm.fits(&key), found != Err(SignatureFault::KeyMismatch));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_memory(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let written = SignatureCache::decode(&bytes).encode();
        prop_assert_eq!(written, SignatureCache::default().encode());
    }
}
