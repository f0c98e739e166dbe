use super::*;
use crate::lds::sod::{LdsSecurityObject, SodContent};
use crate::lds::{Com, DgNumber, ParameterForm, encode_dg1};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, RevokedCertificate, Signer, SoftwareKey,
    Validity, country_name, issue, issue_crl,
};
use crate::trust::X509;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use proptest::prelude::*;

const MRZ: &[u8] =
    b"IDVNM2000000185001200000018<<60001018F4001016VNM<<<<<<<<<<<0NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

fn random() -> rand_core::UnwrapErr<getrandom::SysRng> {
    rand_core::UnwrapErr(getrandom::SysRng)
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    moment("2026-11-23T12:00:00Z")
}

/// An issuer whose documents verify; a test changes one thing.
struct Issuer {
    csca: SoftwareKey,
    csca_certificate: Vec<u8>,
    ds: SoftwareKey,
    ds_certificate: Vec<u8>,
    name: Vec<u8>,
}

impl Issuer {
    fn new() -> Self {
        Self::with(KeyKind::Ec(Curve::P256), "VN", |_| {})
    }

    fn with(kind: KeyKind, country: &str, change: impl Fn(&mut CertificateRequest<'_>)) -> Self {
        let csca = SoftwareKey::generate(kind, false, &mut random()).unwrap();
        let ds = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
        let name = country_name(country, "Specimen", "CSCA");
        let validity = Validity {
            not_before: moment("2026-01-01T00:00:00Z"),
            not_after: moment("2046-01-01T00:00:00Z"),
            key_not_after: moment("2031-01-01T00:00:00Z"),
        };
        let (csca_key, ds_key) = (csca.public_key(), ds.public_key());
        let request = CertificateRequest {
            kind: CertificateKind::CscaRoot,
            serial: &[1],
            issuer: &name,
            subject: &name,
            country,
            public_key: &csca_key,
            parameters: ParameterForm::Explicit,
            issuer_key: &csca_key,
            validity,
        };
        let csca_certificate = issue(&request, &csca, &mut random()).unwrap();
        let subject = country_name(country, "Specimen", "DS");
        let mut request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            subject: &subject,
            public_key: &ds_key,
            parameters: ParameterForm::Named,
            ..request
        };
        change(&mut request);
        let ds_certificate = issue(&request, &csca, &mut random()).unwrap();
        Self { csca, csca_certificate, ds, ds_certificate, name }
    }

    fn sod(&self, object: &LdsSecurityObject) -> Vec<u8> {
        let certificate = X509::decode(&self.ds_certificate).unwrap();
        let content = SodContent {
            object,
            digest: HashAlgorithm::Sha256,
            certificate: &self.ds_certificate,
            issuer: &certificate.issuer,
            serial: &certificate.serial,
            signing_time: "260601000000Z",
            algorithm: self.ds.algorithm(),
        };
        let signature = self.ds.sign(&content.signed_attributes(), &mut random()).unwrap();
        content.encode(&signature)
    }

    fn document(&self) -> DocumentFiles {
        let dg1 = encode_dg1(MRZ);
        let object = LdsSecurityObject {
            version: 0,
            hash_algorithm: HashAlgorithm::Sha256.oid(),
            hashes: vec![(1, HashAlgorithm::Sha256.digest(&dg1))],
            lds_version: None,
        };
        self.document_with(dg1, &object)
    }

    fn document_with(&self, dg1: Vec<u8>, object: &LdsSecurityObject) -> DocumentFiles {
        let com =
            Com { lds_version: "0107".into(), unicode_version: "040000".into(), tags: vec![0x61] };
        let mut document = DocumentFiles::default();
        document.files.insert(file(1), dg1);
        document.files.insert(FileId::COM, com.encode());
        document.files.insert(FileId::SOD, self.sod(object));
        document
    }

    fn trust(&self) -> TrustStore {
        let mut store = TrustStore::default();
        store.add(&self.csca_certificate).unwrap();
        store
    }
}

fn file(number: u8) -> FileId {
    DgNumber::new(number).unwrap().file()
}

fn report(document: &DocumentFiles, trust: &TrustStore) -> Report {
    report_under(document, trust, Policy::strict())
}

fn report_under(document: &DocumentFiles, trust: &TrustStore, policy: &Policy) -> Report {
    let expected = Expected::default();
    let inspection = Inspection { trust, now: now(), expected: &expected, policy };
    inspect(document, &ChipEvidence::default(), &inspection)
}

/// Identifiers and codes of the failed checks.
fn failures(document: &DocumentFiles, trust: &TrustStore) -> Vec<(&'static str, &'static str)> {
    let report = report(document, trust);
    report.checks.iter().filter(|c| c.has_failed()).map(|c| (c.id.as_str(), c.code)).collect()
}

#[test]
fn the_good_twin_passes_but_files_alone_never_make_a_card_genuine() {
    let issuer = Issuer::new();
    let report = report(&issuer.document(), &issuer.trust());
    assert_eq!(report.verdict().as_str(), "inconclusive");
    let passed = |name| report.checks.iter().any(|c| c.id.as_str() == name && c.has_passed());
    for name in
        ["pa.sod_structure", "pa.sod_signature", "pa.ds_certificate", "pa.chain", "pa.hashes"]
    {
        assert!(passed(name), "{name}");
    }
}

#[test]
fn n02_signer_of_a_ca_with_the_same_name_is_forged() {
    let (real, fake) = (Issuer::new(), Issuer::new());
    let found = failures(&fake.document(), &real.trust());
    assert_eq!(found, [("pa.chain", "csca_signature_invalid")]);
}

#[test]
fn n01_unknown_issuer_is_inconclusive_and_says_which_csca_is_wanted() {
    let issuer = Issuer::new();
    let report = report(&issuer.document(), &TrustStore::default());
    assert_eq!(report.verdict(), Verdict::Inconclusive);
    let chain = report.checks.iter().find(|c| c.id == CheckId::PaChain).unwrap();
    assert_eq!((chain.code, &chain.detail()["country"]), ("csca_unknown", &"VN".into()));
    assert!(chain.detail()["authority_key_id"].is_string());
}

#[test]
fn n03_another_countrys_signature_on_a_vietnamese_card_is_forged() {
    let foreign = Issuer::with(KeyKind::Ec(Curve::P256), "ZW", |_| {});
    let found = failures(&foreign.document(), &foreign.trust());
    assert_eq!(found, [("pa.chain", "issuing_state_mismatch")]);
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
    for (from, until, code) in [
        ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "ds_expired_at_signing"),
        ("2026-09-01T00:00:00Z", "2036-03-01T00:00:00Z", "ds_not_yet_valid"),
    ] {
        let issuer = Issuer::with(KeyKind::Ec(Curve::P256), "VN", |request| {
            request.validity.not_before = moment(from);
            request.validity.not_after = moment(until);
        });
        let found = failures(&issuer.document(), &issuer.trust());
        assert_eq!(found, [("pa.ds_certificate", code)]);
    }
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
        let mut trust = issuer.trust();
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
fn n08_a_csca_on_brainpool_p512_with_explicit_parameters_is_taken() {
    let issuer = Issuer::with(KeyKind::Ec(Curve::BrainpoolP512r1), "VN", |_| {});
    assert_eq!(failures(&issuer.document(), &issuer.trust()), []);
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

fn with_mrz(issuer: &Issuer, mrz: &[u8]) -> DocumentFiles {
    let dg1 = encode_dg1(mrz);
    let object = LdsSecurityObject {
        version: 0,
        hash_algorithm: HashAlgorithm::Sha256.oid(),
        hashes: vec![(1, HashAlgorithm::Sha256.digest(&dg1))],
        lds_version: None,
    };
    issuer.document_with(dg1, &object)
}

const EXPIRED: &[u8] =
    b"IDVNM2000000185001200000018<<60001018F2001012VNM<<<<<<<<<<<4NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";
const NEVER_EXPIRES: &[u8] =
    b"IDVNM0550000114001055000011<<55501018M9912315VNM<<<<<<<<<<<2TRAN<<VAN<MAU<<<<<<<<<<<<<<<<<";

#[test]
fn n46_an_expired_document_fails_under_the_strict_policy() {
    let issuer = Issuer::new();
    let found = failures(&with_mrz(&issuer, EXPIRED), &issuer.trust());
    assert_eq!(found, [("document.validity", "document_expired")]);
}

#[test]
fn n46_an_expired_document_is_a_warning_under_the_standard_policy() {
    let issuer = Issuer::new();
    let document = with_mrz(&issuer, EXPIRED);
    let report = report_under(&document, &issuer.trust(), Policy::standard());
    assert!(!report.checks.iter().any(Check::has_failed));
    let check = report.checks.iter().find(|c| c.id == CheckId::DocumentValidity).unwrap();
    assert!(check.is_warning());
    assert_eq!((check.status_name(), check.code), ("passed", "document_expired"));
}

#[test]
fn n46_the_expiry_991231_never_comes() {
    let issuer = Issuer::new();
    assert_eq!(failures(&with_mrz(&issuer, NEVER_EXPIRES), &issuer.trust()), []);
}

fn specimen(folder: &str) -> DocumentFiles {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testvectors");
    let read = |folder: &str, name: &str| std::fs::read(root.join(folder).join(name)).unwrap();
    let new = "bsi-tr03105-5";
    let mut document = DocumentFiles::default();
    document.files.insert(FileId::COM, read(folder, "EF_COM.bin"));
    document.files.insert(FileId::SOD, read(folder, "EF_SOD.bin"));
    for (number, source) in [(1, folder), (2, new), (3, new), (14, folder)] {
        document.files.insert(file(number), read(source, &format!("Datagroup{number}.bin")));
    }
    if folder == new {
        document.files.insert(file(4), read(new, "Datagroup4.bin"));
    }
    document
}

/// Strict but for what the lines say.
fn policy(lines: &str) -> Policy {
    let own =
        "schema = \"cancuoc.policy/1\"\nname = \"own\"\ntitle_en = \"Own\"\ntitle_vi = \"Riêng\"";
    Policy::from_toml(&format!("{own}\n{lines}")).unwrap()
}

#[test]
fn the_specimens_of_the_bsi_have_right_signatures_and_hashes() {
    let sha_1_too = policy(
        "[passive_authentication]\nsignature_hashes = [\"SHA-1\", \"SHA-256\"]\n\
         data_group_hashes = [\"SHA-1\", \"SHA-256\"]",
    );
    for folder in ["bsi-tr03105-5", "bsi-2008"] {
        let report = report_under(&specimen(folder), &TrustStore::default(), &sha_1_too);
        for id in [CheckId::PaSodStructure, CheckId::PaSodSignature, CheckId::PaHashes] {
            let check = report.checks.iter().find(|c| c.id == id).unwrap();
            assert!(check.has_passed(), "{folder}: {check:?}");
        }
    }
}

#[test]
fn n18_the_sha_1_signature_of_2008_is_refused() {
    for policy in [Policy::strict(), Policy::standard()] {
        let report = report_under(&specimen("bsi-2008"), &TrustStore::default(), policy);
        let check = report.checks.iter().find(|c| c.id == CheckId::PaSodSignature).unwrap();
        assert_eq!((check.status_name(), check.code), ("failed", "policy_signature_hash"));
        assert_eq!(check.detail()["refused"], "SHA-1");
    }
}

#[test]
fn the_specimens_dg15_is_unsigned() {
    let mut document = specimen("bsi-tr03105-5");
    document.files.insert(file(15), vec![0x6F, 0]);
    let found = failures(&document, &TrustStore::default());
    assert!(found.contains(&("pa.hashes", "dg_not_in_sod")), "{found:?}");
}

#[test]
fn every_reason_code_has_its_sentence() {
    // The codes stand as literals beside the checks they belong to.
    let sources = [
        include_str!("chip.rs"),
        include_str!("chip/active_authentication.rs"),
        include_str!("chip/chip_authentication.rs"),
        include_str!("chip/mapping.rs"),
        include_str!("consistency.rs"),
        include_str!("consistency/security_infos.rs"),
        include_str!("policy/rules.rs"),
        include_str!("passive_authentication.rs"),
        include_str!("passive_authentication/chain.rs"),
        include_str!("passive_authentication/signature.rs"),
        include_str!("../pki/profile.rs"),
    ];
    let catalogue = include_str!("../../i18n/verify.toml");
    let errors =
        [include_str!("../../i18n/lds.toml"), include_str!("../../i18n/terminal.toml")].concat();
    // Codes that stand in a value of their own.
    let codes = |source: &'static str| {
        let quoted = source.split('"').skip(1).step_by(2);
        quoted.filter(|text| text.starts_with("policy_")).collect::<Vec<_>>()
    };
    let mut missing = std::collections::BTreeSet::new();
    for source in sources {
        for code in codes(source) {
            if !catalogue.contains(&format!("[\"check.{code}\"]")) {
                missing.insert(code);
            }
        }
        for call in [
            "skipped(id, \"",
            "fail(\"",
            "facts(\"",
            "fatal(\"",
            "remark(\"",
            "failed(id, \"",
            "unsupported(\"",
            "skipped_with(id, \"",
            "warned(id, \"",
            "unsupported(id, \"",
            "=> \"",
        ] {
            for code in source.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                let known = catalogue.contains(&format!("[\"check.{code}\"]"))
                    || errors.contains(&format!("[\"error.{code}\"]"));
                if !known {
                    missing.insert(code);
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

fn hostile_sod() -> &'static [u8] {
    include_bytes!("../../testvectors/bsi-tr03105-5/EF_SOD.bin")
}

proptest! {
    #[test]
    fn no_changed_security_object_panics_or_is_genuine(
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..6),
    ) {
        let mut sod = hostile_sod().to_vec();
        for (position, value) in changes {
            let length = sod.len();
            sod[position % length] = value;
        }
        let mut document = DocumentFiles::default();
        document.files.insert(FileId::SOD, sod);
        let report = report(&document, &TrustStore::default());
        prop_assert_ne!(report.verdict(), Verdict::Genuine);
    }
}
