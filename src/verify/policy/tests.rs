#![allow(clippy::unwrap_used)]

use super::*;

/// A policy that changes only what the lines say.
fn changed(lines: &str) -> Result<Policy, PolicyError> {
    Policy::from_toml(&format!(
        "schema = \"cancuoc.policy/1\"\nname = \"own\"\ntitle_en = \"Own\"\ntitle_vi = \"Riêng\"\n{lines}"
    ))
}

fn malformed(lines: &str) -> String {
    match changed(lines).unwrap_err() {
        PolicyError::Malformed { message } => message,
        other => other.to_string(),
    }
}

#[test]
fn the_built_in_policies_are_read_and_have_their_names() {
    for name in Policy::NAMES {
        assert_eq!(Policy::builtin(name).unwrap().name, name);
    }
    assert_eq!(Policy::NAMES[0], "strict");
}

#[test]
fn names_the_built_in_policies_when_asked_for_another() {
    let error = Policy::builtin("lax").unwrap_err();
    assert_eq!(error.code(), "policy_unknown");
    assert!(error.to_string().contains("strict, standard, integrity-only"), "{error}");
}

#[test]
fn what_a_file_leaves_out_is_as_in_the_strict_policy() {
    let own = changed("[verdict]\nexpired_document = \"warning\"").unwrap();
    let verdict = VerdictRules {
        expired_document: ExpiredDocument::Warning,
        ..Policy::strict().verdict.clone()
    };
    assert_eq!(own.verdict, verdict);
    assert_eq!(own.access, Policy::strict().access);
    assert_eq!(own.passive_authentication, Policy::strict().passive_authentication);
}

#[test]
fn a_file_must_say_of_itself_what_it_is() {
    for line in ["schema", "name", "title_en", "title_vi"] {
        let source = include_str!("../../../profiles/policies/standard.toml");
        let without: Vec<_> =
            source.lines().filter(|l| !l.starts_with(&format!("{line} ="))).collect();
        let error = Policy::from_toml(&without.join("\n")).unwrap_err();
        assert!(error.to_string().contains(line), "{error}");
    }
}

#[test]
fn refuses_keys_that_no_policy_has() {
    assert!(malformed("[access]\nbacc = true").contains("bacc"));
    assert!(malformed("[acces]\nbac = true").contains("acces"));
}

#[test]
fn refuses_names_that_mean_nothing() {
    assert!(malformed("[access]\npace_ciphers = [\"AES-512\"]").contains("AES-512"));
    assert!(malformed("[access]\ncurves = [\"p-256\"]").contains("p-256"));
    assert!(malformed("[verdict]\nexpired_document = \"ignored\"").contains("ignored"));
}

#[test]
fn refuses_a_name_twice() {
    assert!(malformed("[access]\npace_mappings = [\"GM\", \"GM\"]").contains("GM stands twice"));
}

#[test]
fn refuses_a_list_that_accepts_nothing() {
    assert!(malformed("[access]\npace_mappings = []").contains("empty"));
}

#[test]
fn refuses_key_sizes_that_are_none() {
    let error = changed("[access]\nminimum_dh_bits = 512").unwrap_err();
    assert_eq!(error.code(), "policy_invalid");
    assert!(error.to_string().contains("access.minimum_dh_bits"), "{error}");
}

#[test]
fn refuses_to_require_a_proof_that_it_does_not_accept() {
    let lines = "[verdict]\nchip_proofs = [\"AA\"]\nrequired_chip_proofs = [\"CA\"]";
    assert_eq!(changed(lines).unwrap_err().code(), "policy_invalid");
}

#[test]
fn refuses_another_schema() {
    let source = include_str!("../../../profiles/policies/strict.toml")
        .replace("cancuoc.policy/1", "cancuoc.policy/2");
    assert_eq!(Policy::from_toml(&source).unwrap_err().code(), "policy_invalid");
}

#[test]
fn refuses_more_than_a_policy_can_be() {
    let source = format!("#{}", "x".repeat(MAX_LENGTH));
    assert_eq!(Policy::from_toml(&source).unwrap_err().code(), "policy_malformed");
}

#[test]
fn the_policy_for_integrity_alone_takes_every_algorithm_and_no_proof() {
    let policy = Policy::builtin("integrity-only").unwrap();
    assert!(policy.requirements().one_of.is_empty());
    assert!(policy.tolerates_expiry());
    for hash in HashAlgorithm::ALL {
        assert_eq!(policy.signature_hash(hash), Ok(()));
        assert_eq!(policy.certificate_hash(hash), Ok(()));
        assert_eq!(policy.data_group_hash(hash), Ok(()));
    }
    assert_eq!(policy.passive_authentication.curves, Curve::ALL);
    assert_eq!(policy.passive_authentication.minimum_rsa_bits, 1024);
}

mod judging {
    use cancuoc_primitives::curve::SecretScalar;
    use cancuoc_primitives::group::DomainParameters;
    use cancuoc_primitives::rsa::RsaPublicKey;

    use super::*;
    use crate::lds::{PaceProtocol, PublicKey};

    fn code<T>(judgement: Result<T, Refusal>) -> Option<&'static str> {
        judgement.err().map(|refusal| refusal.code)
    }

    fn pace(
        agreement: KeyAgreement,
        mapping: Mapping,
        cipher: BlockCipher,
        id: u8,
    ) -> (Option<&'static str>, Option<&'static str>) {
        let protocol = PaceProtocol { agreement, mapping, cipher };
        let parameters = DomainParameters::standardised(id).unwrap();
        let judge = |policy: &Policy| code(policy.pace(protocol, &parameters));
        (judge(Policy::strict()), judge(Policy::standard()))
    }

    const GM: Mapping = Mapping::Generic;
    use BlockCipher::{Aes128, Aes256, Tdes};
    use KeyAgreement::{Dh, Ecdh};

    #[test]
    fn accepts_the_pace_of_identity_cards() {
        assert_eq!(pace(Ecdh, GM, Aes128, 13), (None, None));
    }

    #[test]
    fn accepts_every_mapping_and_prime_fields_of_2048_bits() {
        assert_eq!(pace(Ecdh, Mapping::ChipAuthentication, Aes256, 17), (None, None));
        assert_eq!(pace(Dh, Mapping::Integrated, Aes128, 1), (None, None));
        assert_eq!(pace(Dh, GM, Aes128, 2), (None, None));
    }

    #[test]
    fn refuses_3des_when_strict() {
        assert_eq!(pace(Ecdh, GM, Tdes, 13), (Some("policy_pace_cipher"), None));
    }

    #[test]
    fn refuses_curves_of_192_bits_when_strict() {
        for id in [8, 9] {
            let refused = Some("policy_pace_domain_parameters");
            assert_eq!(pace(Ecdh, GM, Aes128, id), (refused, None));
        }
    }

    #[test]
    fn refuses_a_prime_of_1024_bits_when_strict() {
        let refused = Some("policy_pace_domain_parameters");
        assert_eq!(pace(Dh, GM, Aes128, 0), (refused, None));
    }

    #[test]
    fn refuses_mappings_and_key_agreements_that_are_not_listed() {
        let own = changed("[access]\npace_mappings = [\"CAM\"]\npace_key_agreements = [\"DH\"]");
        let own = own.unwrap();
        let judge = |mapping| {
            let protocol = PaceProtocol { agreement: Ecdh, mapping, cipher: Aes128 };
            code(own.pace(protocol, &DomainParameters::standardised(13).unwrap()))
        };
        assert_eq!(judge(GM), Some("policy_pace_mapping"));
        assert_eq!(judge(Mapping::ChipAuthentication), Some("policy_pace_key_agreement"));
    }

    #[test]
    fn refuses_bac_when_strict() {
        assert_eq!(code(Policy::strict().bac()), Some("policy_bac"));
        assert_eq!(code(Policy::standard().bac()), None);
    }

    #[test]
    fn refuses_sha_1_in_what_the_issuer_signs() {
        for policy in [Policy::strict(), Policy::standard()] {
            let sha_1 = HashAlgorithm::Sha1;
            assert_eq!(code(policy.signature_hash(sha_1)), Some("policy_signature_hash"));
            assert_eq!(code(policy.certificate_hash(sha_1)), Some("policy_certificate_hash"));
            assert_eq!(code(policy.data_group_hash(sha_1)), Some("policy_data_group_hash"));
            assert_eq!(code(policy.data_group_hash(HashAlgorithm::Sha256)), None);
        }
    }

    fn rsa(bits: usize) -> PublicKey {
        let mut modulus = vec![0xFF; bits / 8];
        modulus[0] = 0x80;
        PublicKey::Rsa(RsaPublicKey::new(&modulus, &[1, 0, 1]).unwrap())
    }

    fn ec(curve: Curve) -> PublicKey {
        let mut one = vec![0; curve.order_len()];
        *one.last_mut().unwrap() = 1;
        PublicKey::Ec(SecretScalar::from_bytes(curve, &one).unwrap().public_point())
    }

    #[test]
    fn refuses_short_keys_of_issuers() {
        let policy = Policy::strict();
        assert_eq!(code(policy.document_signer_key(&rsa(1024))), Some("policy_ds_key"));
        assert_eq!(code(policy.document_signer_key(&rsa(2048))), None);
        assert_eq!(code(policy.country_signing_key(&ec(Curve::P192))), Some("policy_csca_key"));
        assert_eq!(code(policy.country_signing_key(&ec(Curve::P224))), None);
    }

    #[test]
    fn refuses_weak_chip_authentication_when_strict() {
        let (strict, standard) = (Policy::strict(), Policy::standard());
        let parameters = |id| DomainParameters::standardised(id).unwrap();
        let judge =
            |policy: &Policy, cipher, id| code(policy.chip_authentication(cipher, &parameters(id)));
        assert_eq!(judge(strict, Aes128, 13), None);
        assert_eq!(judge(strict, Tdes, 13), Some("policy_ca_cipher"));
        assert_eq!(judge(strict, Aes128, 8), Some("policy_ca_domain_parameters"));
        assert_eq!(judge(strict, Aes128, 0), Some("policy_ca_domain_parameters"));
        assert_eq!(judge(standard, Tdes, 0), None);
        let own = changed("[chip_authentication]\nkey_agreements = [\"ECDH\"]").unwrap();
        assert_eq!(judge(&own, Aes128, 2), Some("policy_ca_key_agreement"));
    }

    #[test]
    fn refuses_weak_active_authentication_when_strict() {
        use HashAlgorithm::{Sha1, Sha256};
        let (strict, standard) = (Policy::strict(), Policy::standard());
        assert_eq!(code(strict.active_authentication(&rsa(2048), Sha256)), None);
        let hash = Some("policy_aa_hash");
        assert_eq!(code(strict.active_authentication(&rsa(2048), Sha1)), hash);
        let key = Some("policy_aa_key");
        assert_eq!(code(strict.active_authentication(&rsa(1024), Sha256)), key);
        assert_eq!(code(strict.active_authentication(&ec(Curve::P192), Sha256)), key);
        assert_eq!(code(standard.active_authentication(&rsa(1024), Sha1)), None);
        let own = changed("[active_authentication]\nalgorithms = [\"ECDSA\"]").unwrap();
        let algorithm = Some("policy_aa_algorithm");
        assert_eq!(code(own.active_authentication(&rsa(2048), Sha256)), algorithm);
    }
}

proptest::proptest! {
    #[test]
    fn never_panics_on_any_text(source in "\\PC{0,200}") {
        let _ = Policy::from_toml(&source);
    }

    #[test]
    fn never_panics_on_any_line_in_a_section(
        section in "(access|verdict|chip_authentication|active_authentication)",
        line in "[a-z_]{1,20} = (true|[0-9]{1,7}|\"[A-Z0-9-]{0,8}\"|\\[\\])",
    ) {
        let _ = changed(&format!("[{section}]\n{line}"));
    }
}
