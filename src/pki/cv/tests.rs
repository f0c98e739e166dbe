#![allow(clippy::unwrap_used)]

use super::*;
use crate::cvc::{CvCertificate, CvDate, CvRequest, Rights, Role};
use crate::error::ErrorCode;
use crate::pki::{KeyKind, SoftwareKey};
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use jiff::civil::{Date, date};

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn reference(text: &str) -> HolderReference {
    HolderReference::new(text.as_bytes()).unwrap()
}

fn day(date: Date) -> CvDate {
    CvDate::new(date).unwrap()
}

fn key(kind: KeyKind) -> SoftwareKey {
    SoftwareKey::generate(kind, false, &mut random()).unwrap()
}

fn p256() -> SoftwareKey {
    key(KeyKind::Ec(Curve::P256))
}

/// A year of validity.
fn terms(role: Role) -> Terms {
    Terms {
        role,
        rights: Rights::ALL,
        effective: day(date(2026, 1, 1)),
        expiration: day(date(2026, 12, 31)),
    }
}

/// A CVCA and a domestic verifier with rights for DG3 alone, in the first half of the year.
struct Pki {
    cvca_key: SoftwareKey,
    cvca: CvCertificate,
    dv_key: SoftwareKey,
    dv: CvCertificate,
}

fn dv_terms() -> Terms {
    Terms {
        rights: Rights { dg3: true, dg4: false },
        expiration: day(date(2026, 6, 30)),
        ..terms(Role::DomesticDv)
    }
}

impl Pki {
    fn new() -> Self {
        let (cvca_key, dv_key) = (p256(), p256());
        let holder = reference("VNCVCA00001");
        let cvca = self_signed(&holder, &terms(Role::Cvca), &cvca_key, &mut random()).unwrap();
        let request = ask("VNDV00001", &cvca, &dv_key);
        let authority = CvAuthority::new(&cvca, None, &cvca_key).unwrap();
        let dv = authority.issue(&request, &dv_terms(), &mut random()).unwrap();
        Self { cvca_key, cvca, dv_key, dv }
    }

    fn cvca(&self) -> CvAuthority<'_> {
        CvAuthority::new(&self.cvca, None, &self.cvca_key).unwrap()
    }

    fn dv(&self) -> CvAuthority<'_> {
        CvAuthority::new(&self.dv, Some(Curve::P256), &self.dv_key).unwrap()
    }
}

fn ask(holder: &str, authority: &CvCertificate, key: &SoftwareKey) -> CvRequest {
    request(&reference(holder), Some(authority.holder()), key, &mut random()).unwrap()
}

fn code(result: Result<CvCertificate, CvIssueError>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "issued")
}

#[test]
fn a_chain_verifies_down_to_the_terminal_and_only_the_cvca_has_domain_parameters() {
    let pki = Pki::new();
    let request = ask("VNIS00001", &pki.dv, &p256());
    let terms = Terms { role: Role::Terminal, ..dv_terms() };
    let is = pki.dv().issue(&request, &terms, &mut random()).unwrap();
    assert_eq!(pki.cvca.verify(&pki.cvca, None), Ok(()));
    assert_eq!(pki.dv.verify(&pki.cvca, None), Ok(()));
    assert_eq!(is.verify(&pki.dv, Some(Curve::P256)), Ok(()));
    let curves = [&pki.cvca, &pki.dv, &is].map(|c| c.body().public_key.curve());
    assert_eq!(curves, [Some(Curve::P256), None, None]);
    assert_eq!(is.body().authorization.bytes(), [0x01]);
}

#[test]
fn every_algorithm_of_terminal_authentication_signs_a_request_that_verifies() {
    let rsa = key(KeyKind::Rsa(2048));
    for algorithm in TaAlgorithm::all() {
        let key = match algorithm {
            TaAlgorithm::Ecdsa(_) => p256(),
            _ => rsa.clone(),
        };
        let key = key.with_algorithm(algorithm.signature_algorithm()).unwrap();
        let request = request(&reference("VNDV00001"), None, &key, &mut random()).unwrap();
        assert_eq!(request.body().public_key.algorithm, algorithm);
        assert_eq!(request.verify(None), Ok(()));
    }
}

#[test]
fn every_curve_makes_a_cvca() {
    for curve in Curve::ALL {
        let key = key(KeyKind::Ec(curve));
        let holder = reference("VNCVCA00001");
        let cvca = self_signed(&holder, &terms(Role::Cvca), &key, &mut random()).unwrap();
        assert_eq!(cvca.verify(&cvca, None), Ok(()));
        assert_eq!(cvca.body().public_key.curve(), Some(curve));
    }
}

#[test]
fn a_signer_that_gives_der_gives_certificates_with_plain_signatures() {
    let key = p256();
    assert_eq!(key.algorithm(), SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256));
    let request = request(&reference("VNDV00001"), None, &key, &mut random()).unwrap();
    assert_eq!(request.signature().len(), 64);
}

#[test]
fn refuses_rsa_with_a_hash_that_terminal_authentication_does_not_have() {
    let sha384 = SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384);
    let key = key(KeyKind::Rsa(2048)).with_algorithm(sha384).unwrap();
    let made = request(&reference("VNDV00001"), None, &key, &mut random());
    assert_eq!(made.unwrap_err(), CvIssueError::Algorithm);
}

#[test]
fn refuses_a_key_that_is_not_the_certificates() {
    let pki = Pki::new();
    let made = CvAuthority::new(&pki.cvca, None, &pki.dv_key);
    assert_eq!(made.err().map(|e| e.code()), Some("cv_key_mismatch"));
}

#[test]
fn refuses_the_right_key_with_another_hash() {
    let pki = Pki::new();
    let sha512 = SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha512);
    let key = pki.cvca_key.clone().with_algorithm(sha512).unwrap();
    let made = CvAuthority::new(&pki.cvca, None, &key);
    assert_eq!(made.err().map(|e| e.code()), Some("cv_key_mismatch"));
}

#[test]
fn a_terminal_issues_nothing() {
    let pki = Pki::new();
    let key = p256();
    let terms = Terms { role: Role::Terminal, ..dv_terms() };
    let request = ask("VNIS00001", &pki.dv, &key);
    let is = pki.dv().issue(&request, &terms, &mut random()).unwrap();
    let made = CvAuthority::new(&is, Some(Curve::P256), &key);
    assert_eq!(made.err().map(|e| e.code()), Some("cv_role_not_allowed"));
}

#[test]
fn issuers_stay_within_their_role() {
    let pki = Pki::new();
    let for_cvca = ask("VNXX00001", &pki.cvca, &p256());
    let for_dv = ask("VNXX00001", &pki.dv, &p256());
    let issue = |authority: CvAuthority<'_>, request, role| {
        code(authority.issue(request, &Terms { role, ..dv_terms() }, &mut random()))
    };
    assert_eq!(issue(pki.cvca(), &for_cvca, Role::Terminal), "cv_role_not_allowed");
    assert_eq!(issue(pki.dv(), &for_dv, Role::DomesticDv), "cv_role_not_allowed");
    assert_eq!(issue(pki.dv(), &for_dv, Role::Cvca), "cv_role_not_allowed");
}

#[test]
fn a_request_is_never_answered_with_the_certificate_of_a_cvca() {
    let pki = Pki::new();
    let request = ask("VNXX00001", &pki.cvca, &p256());
    let made = pki.cvca().issue(&request, &terms(Role::Cvca), &mut random());
    assert_eq!(code(made), "cv_role_not_allowed");
}

#[test]
fn an_issuer_gives_no_right_that_it_does_not_have() {
    let pki = Pki::new();
    let request = ask("VNIS00001", &pki.dv, &p256());
    let terms = Terms { role: Role::Terminal, rights: Rights::ALL, ..dv_terms() };
    assert_eq!(code(pki.dv().issue(&request, &terms, &mut random())), "cv_rights_exceed_issuer");
}

#[test]
fn a_domestic_verifier_is_of_the_country_of_its_cvca() {
    let pki = Pki::new();
    let request = ask("DEDV00001", &pki.cvca, &p256());
    let issue = |role| code(pki.cvca().issue(&request, &terms(role), &mut random()));
    assert_eq!(issue(Role::DomesticDv), "cv_country_differs");
    assert_eq!(issue(Role::ForeignDv), "issued");
}

#[test]
fn validity_stays_within_that_of_the_issuer() {
    let pki = Pki::new();
    let request = ask("VNIS00001", &pki.dv, &p256());
    let issue = |first, last| {
        let (effective, expiration) = (day(first), day(last));
        let terms = Terms { role: Role::Terminal, effective, expiration, ..dv_terms() };
        code(pki.dv().issue(&request, &terms, &mut random()))
    };
    let (first, last) = (date(2026, 1, 1), date(2026, 6, 30));
    assert_eq!(issue(first, last), "issued");
    assert_eq!(issue(date(2025, 12, 31), last), "cv_validity_starts_outside_issuer");
    assert_eq!(issue(date(2026, 7, 1), date(2026, 7, 2)), "cv_validity_starts_outside_issuer");
    assert_eq!(issue(first, date(2026, 7, 1)), "cv_validity_outlives_issuer");
    assert_eq!(issue(last, first), "cv_validity_reversed");
}

#[test]
fn a_cvca_is_not_valid_for_more_than_ten_years() {
    let make = |last| {
        let terms = Terms { expiration: day(last), ..terms(Role::Cvca) };
        code(self_signed(&reference("VNCVCA00001"), &terms, &p256(), &mut random()))
    };
    assert_eq!(make(date(2035, 12, 31)), "issued");
    assert_eq!(make(date(2036, 1, 2)), "cv_validity_too_long");
}

#[test]
fn the_key_in_a_request_is_of_the_kind_of_the_chain() {
    let pki = Pki::new();
    let sha512 = SignatureAlgorithm::EcdsaPlain(HashAlgorithm::Sha512);
    let others = [
        key(KeyKind::Ec(Curve::BrainpoolP256r1)),
        key(KeyKind::Rsa(2048)),
        p256().with_algorithm(sha512).unwrap(),
    ];
    for other in others {
        let request = ask("VNDV00002", &pki.cvca, &other);
        let made = pki.cvca().issue(&request, &dv_terms(), &mut random());
        assert_eq!(code(made), "cv_request_key_differs");
    }
}

#[test]
fn rsa_keys_of_a_chain_have_one_size() {
    let cvca_key = key(KeyKind::Rsa(2048));
    let holder = reference("VNCVCA00001");
    let cvca = self_signed(&holder, &terms(Role::Cvca), &cvca_key, &mut random()).unwrap();
    let authority = CvAuthority::new(&cvca, None, &cvca_key).unwrap();
    let issue = |bits| {
        let request = ask("VNDV00001", &cvca, &key(KeyKind::Rsa(bits)));
        code(authority.issue(&request, &dv_terms(), &mut random()))
    };
    assert_eq!(issue(2048), "issued");
    assert_eq!(issue(1024), "cv_request_key_differs");
}

#[test]
fn refuses_a_request_that_its_key_did_not_sign() {
    let pki = Pki::new();
    let good = ask("VNDV00002", &pki.cvca, &p256());
    let other = ask("VNDV00002", &pki.cvca, &p256());
    let forged = CvRequest::assemble(good.body(), other.signature()).unwrap();
    let made = pki.cvca().issue(&forged, &dv_terms(), &mut random());
    assert_eq!(code(made), "cvc_signature_wrong");
}

#[test]
fn refuses_a_request_to_another_authority_but_not_one_to_its_former_key() {
    let pki = Pki::new();
    let issue = |authority: &str| {
        let (holder, authority) = (reference("VNDV00002"), reference(authority));
        let request = request(&holder, Some(&authority), &p256(), &mut random()).unwrap();
        code(pki.cvca().issue(&request, &dv_terms(), &mut random()))
    };
    assert_eq!(issue("VNCVCX00001"), "cv_request_for_another");
    assert_eq!(issue("VNCVCA00000"), "issued");
}

#[test]
fn nobody_gets_the_reference_of_the_issuer() {
    let pki = Pki::new();
    let request = ask("VNCVCA00001", &pki.cvca, &p256());
    let made = pki.cvca().issue(&request, &dv_terms(), &mut random());
    assert_eq!(code(made), "cv_reference_taken");
}

#[test]
fn a_link_certificate_may_change_curve_and_hash_and_outlive_the_old_key() {
    let pki = Pki::new();
    let next = key(KeyKind::Ec(Curve::BrainpoolP512r1));
    let holder = reference("VNCVCA00002");
    let terms = Terms {
        effective: day(date(2026, 12, 1)),
        expiration: day(date(2029, 12, 1)),
        ..terms(Role::Cvca)
    };
    let link = pki.cvca().link(&next, &holder, &terms, &mut random()).unwrap();
    assert_eq!(link.verify(&pki.cvca, None), Ok(()));
    assert_eq!(link.body().public_key.curve(), Some(Curve::BrainpoolP512r1));
}

#[test]
fn a_link_certificate_is_of_the_same_holder_and_gives_no_more_rights() {
    let next = p256();
    let cvca_key = p256();
    let few = Terms { rights: Rights::default(), ..terms(Role::Cvca) };
    let holder = reference("VNCVCA00001");
    let cvca = self_signed(&holder, &few, &cvca_key, &mut random()).unwrap();
    let authority = CvAuthority::new(&cvca, None, &cvca_key).unwrap();
    let link = |holder: &str, terms: &Terms| {
        code(authority.link(&next, &reference(holder), terms, &mut random()))
    };
    assert_eq!(link("VNCVCA00002", &few), "issued");
    assert_eq!(link("VNOTHER00002", &few), "cv_holder_differs");
    assert_eq!(link("VNCVCA00002", &terms(Role::Cvca)), "cv_rights_exceed_issuer");
}

#[test]
fn the_outer_signature_of_a_request_verifies_with_its_key_and_no_other() {
    let pki = Pki::new();
    let request = ask("VNDV00002", &pki.cvca, &p256());
    let outer = authenticate(&request, &pki.dv, &pki.dv_key, &mut random()).unwrap();
    assert_eq!(outer.verify(&pki.dv, Some(Curve::P256)), Ok(()));
    assert!(outer.verify(&pki.cvca, None).is_err());
    let forged = authenticate(&request, &pki.dv, &pki.cvca_key, &mut random());
    assert_eq!(forged.err().map(|e| e.code()), Some("cv_key_mismatch"));
}

#[test]
fn names_of_files_lead_nowhere_else() {
    assert_eq!(file_stem(&reference("VN../x00001")), "VN___x00001");
    assert_eq!(file_stem(&reference("VNCVCA00001")), "VNCVCA00001");
}
