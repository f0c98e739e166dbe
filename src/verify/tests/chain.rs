//! Who signed: document signer, country signing CA, revocation.

use super::evidence::signing_chip;
use super::*;

/// Status and code of a check.
pub(super) fn outcome(report: &Report, id: CheckId) -> (&'static str, &'static str) {
    let check = report.checks.iter().find(|c| c.id == id).unwrap();
    (check.status_name(), check.code)
}

/// An issuer that claims the name of another and the key identifier of `claimed`.
fn impostor(real: &Issuer, claimed: &SoftwareKey) -> Issuer {
    let mut fake = Issuer::new();
    let (claimed, ds_key) = (claimed.public_key(), fake.ds.public_key());
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[2],
        issuer: &real.name,
        subject: &country_name("VN", "Specimen", "DS"),
        country: "VN",
        public_key: &ds_key,
        parameters: ParameterForm::Named,
        issuer_key: &claimed,
        validity: validity("2026-01-01T00:00:00Z", "2046-01-01T00:00:00Z"),
    };
    fake.ds_certificate = issue(&request, &fake.csca, &mut random()).unwrap();
    fake
}

fn validity(from: &str, until: &str) -> Validity {
    Validity {
        not_before: moment(from),
        not_after: moment(until),
        key_not_after: moment("2031-01-01T00:00:00Z"),
    }
}

#[test]
fn n01_unknown_issuer_is_inconclusive_and_says_which_csca_is_wanted() {
    let issuer = Issuer::new();
    let report = report(&issuer.document(), &TrustStore::default());
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    let chain = report.checks.iter().find(|c| c.id == CheckId::PaChain).unwrap();
    assert_eq!((chain.code, &chain.detail()["country"]), ("csca_unknown", &"VN".into()));
    assert!(chain.detail()["authority_key_id"].is_string());
    assert!(report.wanting().contains(&vec![CheckId::PaChain]));
}

#[test]
fn n01_a_signer_that_signed_its_own_certificate_is_of_no_known_issuer() {
    let mut issuer = Issuer::new();
    let key = issuer.ds.public_key();
    let name = country_name("VN", "Specimen", "DS");
    let request = CertificateRequest {
        kind: CertificateKind::DocumentSigner,
        serial: &[2],
        issuer: &name,
        subject: &name,
        country: "VN",
        public_key: &key,
        parameters: ParameterForm::Named,
        issuer_key: &key,
        validity: validity("2026-01-01T00:00:00Z", "2046-01-01T00:00:00Z"),
    };
    issuer.ds_certificate = issue(&request, &issuer.ds, &mut random()).unwrap();
    let report = report(&issuer.document(), &issuer.trust());
    assert_eq!(outcome(&report, CheckId::PaChain), ("skipped", "csca_unknown"));
    assert_eq!(report.verdict(), Verdict::Inconclusive);
}

#[test]
fn n02_signer_of_a_ca_with_the_same_name_and_key_identifier_is_forged() {
    let real = Issuer::new();
    let fake = impostor(&real, &real.csca);
    assert_eq!(failures(&fake.document(), &real.trust()), [("pa.chain", "csca_signature_invalid")]);
}

#[test]
fn a_new_key_of_a_csca_under_its_old_name_is_unknown_and_not_forged() {
    let real = Issuer::new();
    let newer = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let rolled_over = impostor(&real, &newer);
    let report = report(&rolled_over.document(), &real.trust());
    assert_eq!(outcome(&report, CheckId::PaChain), ("skipped", "csca_unknown"));
}

#[test]
fn n10_of_two_cas_with_the_same_name_the_one_whose_key_fits_counts() {
    let (real, other) = (Issuer::new(), Issuer::new());
    let mut trust = other.trust();
    trust.add(&real.csca_certificate).unwrap();
    assert_eq!(failures(&real.document(), &trust), []);
    assert_eq!(outcome(&report(&real.document(), &trust), CheckId::PaChain).0, "passed");
}

#[test]
fn n10_a_ca_whose_name_is_written_otherwise_is_found_by_its_key() {
    let issuer = Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
        // The same words, but one of them as PrintableString.
        let name = request.issuer.to_vec();
        let at = name.windows(4).position(|w| w == b"CSCA").unwrap();
        let mut other = name;
        other[at - 2] = 0x13;
        request.issuer = Vec::leak(other);
    });
    assert_eq!(failures(&issuer.document(), &issuer.trust()), []);
    let report = report(&issuer.document(), &issuer.trust());
    assert_eq!(outcome(&report, CheckId::PaChain).0, "passed");
}

#[test]
fn n03_another_countrys_signature_on_a_vietnamese_card_is_forged() {
    let foreign = Issuer::with(KeyKind::Ec(Curve::P256), "ZW", |_| {});
    let found = failures(&foreign.document(), &foreign.trust());
    assert_eq!(found, [("pa.chain", "issuing_state_mismatch")]);
}

/// A certificate that `issuer` makes for `key`.
fn certificate(
    issuer: &SoftwareKey,
    issuer_name: &[u8],
    subject: &[u8],
    key: &SoftwareKey,
    kind: CertificateKind,
) -> Vec<u8> {
    let (issuer_key, public_key) = (issuer.public_key(), key.public_key());
    let request = CertificateRequest {
        kind,
        serial: &[9],
        issuer: issuer_name,
        subject,
        country: "VN",
        public_key: &public_key,
        parameters: ParameterForm::Named,
        issuer_key: &issuer_key,
        validity: validity("2026-01-01T00:00:00Z", "2046-01-01T00:00:00Z"),
    };
    issue(&request, issuer, &mut random()).unwrap()
}

/// A document whose signer was certified by somebody between it and the anchor, both certificates
/// in the security object.
fn with_intermediate(kind: CertificateKind) -> (Issuer, DocumentFiles) {
    let mut issuer = Issuer::new();
    let between = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
    let name = country_name("VN", "Specimen", "Between");
    let middle = certificate(&issuer.csca, &issuer.name, &name, &between, kind);
    let subject = country_name("VN", "Specimen", "DS");
    let ds = CertificateKind::DocumentSigner;
    issuer.ds_certificate = certificate(&between, &name, &subject, &issuer.ds, ds);
    let both = [issuer.ds_certificate.clone(), middle].concat();
    let document = issuer.document_signed(|content| content.certificate = Vec::leak(both));
    (issuer, document)
}

#[test]
fn n04_a_signer_that_a_document_signer_certified_is_forged() {
    let (issuer, document) = with_intermediate(CertificateKind::DocumentSigner);
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.chain", "key_usage_without_cert_sign")]);
}

#[test]
fn n04_a_ca_between_the_signer_and_the_anchor_is_forged() {
    let (issuer, document) = with_intermediate(CertificateKind::CscaLink);
    assert_eq!(failures(&document, &issuer.trust()), [("pa.chain", "path_too_long")]);
    let unknown = report(&document, &TrustStore::default());
    assert_eq!(outcome(&unknown, CheckId::PaChain), ("skipped", "csca_unknown"));
}

#[test]
fn n05_a_ca_certificate_as_document_signer_is_forged() {
    let issuer = Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
        request.kind = CertificateKind::CscaLink;
    });
    let found = failures(&issuer.document(), &issuer.trust());
    assert_eq!(found, [("pa.ds_certificate", "key_usage_without_digital_signature")]);
}

#[test]
fn n06_signing_outside_the_validity_is_forged() {
    for (from, until, key_until, code) in [
        ("2026-01-01", "2026-03-01", "2031-01-01", "ds_expired_at_signing"),
        ("2026-09-01", "2036-03-01", "2031-01-01", "ds_not_yet_valid"),
        ("2026-01-01", "2036-03-01", "2026-05-31", "outside_key_usage_period"),
    ] {
        let at = |day: &str| moment(&format!("{day}T00:00:00Z"));
        let issuer = Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
            request.validity = Validity {
                not_before: at(from),
                not_after: at(until),
                key_not_after: at(key_until),
            };
        });
        let found = failures(&issuer.document(), &issuer.trust());
        assert_eq!(found, [("pa.ds_certificate", code)]);
    }
}

#[test]
fn n06_a_signature_of_the_day_after_tomorrow_is_forged_and_one_of_this_evening_is_not() {
    let issuer = Issuer::new();
    let signed = |time| issuer.document_signed(|content| content.signing_time = Some(time));
    let found = failures(&signed("261125000000Z"), &issuer.trust());
    assert_eq!(found, [("pa.ds_certificate", "signed_in_the_future")]);
    assert_eq!(failures(&signed("261123200000Z"), &issuer.trust()), []);
}

#[test]
fn n06_without_signing_time_the_certificate_must_be_valid_now_whatever_its_key_may_do() {
    let until = |not_after: &str, key: &str| {
        Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
            request.validity.not_after = moment(not_after);
            request.validity.key_not_after = moment(key);
        })
    };
    let unsigned_time = |issuer: &Issuer| issuer.document_signed(|c| c.signing_time = None);
    // The private key was retired long ago, as it is with every card that is some years old.
    let old = until("2036-03-01T00:00:00Z", "2026-03-01T00:00:00Z");
    assert_eq!(failures(&unsigned_time(&old), &old.trust()), []);
    let expired = until("2026-11-01T00:00:00Z", "2026-03-01T00:00:00Z");
    let found = failures(&unsigned_time(&expired), &expired.trust());
    assert_eq!(found, [("pa.ds_certificate", "ds_expired")]);
    let standard = report_under(&unsigned_time(&expired), &expired.trust(), Policy::standard());
    assert_eq!(outcome(&standard, CheckId::PaDsCertificate), ("passed", "ds_expired"));
}

#[test]
fn n07_a_revoked_signer_is_forged_and_an_old_list_is_said() {
    let issuer = Issuer::new();
    let revoked = RevokedCertificate { serial: vec![2], since: moment("2026-06-01T00:00:00Z") };
    let list = |revoked: &[RevokedCertificate], next| {
        let times = (moment("2026-06-01T00:00:00Z"), moment(next));
        issue_crl(&issuer.name, revoked, 1, times, &issuer.csca, &mut random()).unwrap()
    };
    let with = |crl: &[u8]| {
        let mut trust = issuer.anchor();
        trust.add(crl).unwrap();
        report(&issuer.document(), &trust)
    };
    let code = |report: &Report| {
        let check = report.checks.iter().find(|c| c.id == CheckId::PaRevocation).unwrap();
        (check.status_name(), check.code)
    };
    assert_eq!(code(&with(&list(&[revoked], "2027-01-01T00:00:00Z"))), ("failed", "ds_revoked"));
    assert_eq!(code(&with(&list(&[], "2027-01-01T00:00:00Z"))), ("passed", "ok"));
    assert_eq!(code(&with(&list(&[], "2026-07-01T00:00:00Z"))), ("skipped", "crl_expired"));
}

#[test]
fn n07_a_list_that_the_ca_did_not_sign_counts_for_nothing() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let revoked = RevokedCertificate { serial: vec![2], since: moment("2026-06-01T00:00:00Z") };
    let times = (moment("2026-06-01T00:00:00Z"), moment("2027-01-01T00:00:00Z"));
    let list = issue_crl(&issuer.name, &[revoked], 1, times, &other.csca, &mut random()).unwrap();
    let mut trust = issuer.anchor();
    trust.add(&list).unwrap();
    let report = report(&issuer.document(), &trust);
    assert_eq!(outcome(&report, CheckId::PaRevocation), ("skipped", "crl_signature_invalid"));
}

#[test]
fn n07_a_missing_old_or_false_list_leaves_it_open_under_strict_and_warns_under_standard() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let (document, chip) = signing_chip(&issuer);
    let list = |next, key: &SoftwareKey| {
        let times = (moment("2026-06-01T00:00:00Z"), moment(next));
        issue_crl(&issuer.name, &[], 1, times, key, &mut random()).unwrap()
    };
    let (current, old) = ("2027-01-01T00:00:00Z", "2026-07-01T00:00:00Z");
    for (list, code) in [
        (None, "crl_missing"),
        (Some(list(old, &issuer.csca)), "crl_expired"),
        (Some(list(current, &other.csca)), "crl_signature_invalid"),
        (Some(list(current, &issuer.csca)), "ok"),
    ] {
        let mut trust = issuer.anchor();
        list.iter().for_each(|list| trust.add(list).unwrap());
        let expected = Expected::default();
        let judged = |policy| {
            let inspection = Inspection { trust: &trust, now: now(), expected: &expected, policy };
            inspect(&document, &chip, &inspection)
        };
        let (strict, standard) = (judged(Policy::strict()), judged(Policy::standard()));
        assert_eq!(outcome(&strict, CheckId::PaRevocation).1, code);
        let warned: Vec<_> = standard.warnings().map(|check| check.code).collect();
        if code == "ok" {
            assert_eq!((strict.verdict(), warned.len()), (Verdict::Genuine, 0));
        } else {
            assert_eq!(strict.wanting(), [[CheckId::PaRevocation]], "{code}");
            assert_eq!((strict.verdict(), warned), (Verdict::Inconclusive, vec![code]));
        }
        assert_eq!(standard.verdict(), Verdict::Genuine, "{code}");
    }
}

#[test]
fn n08_a_csca_on_brainpool_p512_with_explicit_parameters_is_taken() {
    let issuer = Issuer::with(KeyKind::Ec(Curve::BrainpoolP512r1), "VN", |_| {});
    assert_eq!(failures(&issuer.document(), &issuer.trust()), []);
}

/// The good document with one byte of its signer's certificate changed: where `what` ends.
fn with_changed_certificate(issuer: &Issuer, what: &[u8]) -> DocumentFiles {
    let mut changed = issuer.ds_certificate.clone();
    let at = changed.windows(what.len()).position(|w| w == what).unwrap() + what.len() - 1;
    changed[at] ^= 1;
    issuer.document_signed(|content| content.certificate = Vec::leak(changed))
}

#[test]
fn n16_a_signer_whose_rsa_exponent_is_even_or_key_is_short_is_forged() {
    let mut issuer = Issuer::new();
    issuer.ds = SoftwareKey::generate(KeyKind::Rsa(2048), false, &mut random()).unwrap();
    let subject = country_name("VN", "Specimen", "DS");
    let kind = CertificateKind::DocumentSigner;
    issuer.ds_certificate = certificate(&issuer.csca, &issuer.name, &subject, &issuer.ds, kind);
    assert_eq!(failures(&issuer.document(), &issuer.trust()), []);
    let document = with_changed_certificate(&issuer, &[2, 3, 1, 0, 1]);
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.sod_signature", "rsa_key_invalid")]);
}

#[test]
fn n19_a_signer_whose_key_is_no_point_of_its_curve_is_forged() {
    let issuer = Issuer::new();
    let point = issuer.ds.public_key().key_bytes();
    let found = failures(&with_changed_certificate(&issuer, &point), &issuer.trust());
    assert_eq!(found, [("pa.sod_signature", "public_key_point_invalid")]);
}

#[test]
fn what_is_known_of_a_signer_is_the_same_from_the_cache() {
    let (issuer, other) = (Issuer::new(), Issuer::new());
    let (trust, expected) = (issuer.trust(), Expected::default());
    let policy = Policy::strict();
    let inspection = Inspection { trust: &trust, now: now(), expected: &expected, policy };
    let signers = SignerCache::new(&trust);
    for document in [issuer.document(), other.document(), issuer.document(), other.document()] {
        let cached = inspect_cached(&document, &ChipEvidence::default(), &inspection, &signers);
        assert_eq!(cached.checks, report(&document, &trust).checks);
    }
    // The cache of another trust store does not count.
    let stranger = TrustStore::default();
    let inspection = Inspection { trust: &stranger, ..inspection };
    let report =
        inspect_cached(&issuer.document(), &ChipEvidence::default(), &inspection, &signers);
    assert_eq!(outcome(&report, CheckId::PaChain), ("skipped", "csca_unknown"));
}
