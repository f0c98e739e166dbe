use super::*;
use crate::apdu::tlv::{Tag, encode};
use crate::lds::sod::{LDS_SECURITY_OBJECT, LdsSecurityObject, Sod};
use crate::lds::{Com, DgNumber, ParameterForm, SignedContent, encode_dg1};
use crate::pki::{
    CertificateKind, CertificateRequest, KeyKind, RevokedCertificate, Signer, SoftwareKey,
    Validity, country_name, issue, issue_crl,
};
use crate::trust::X509;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;
use proptest::prelude::*;

mod chain;
mod evidence;
mod security_object;
mod trust;

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
        self.sod_of(&object.encode(), |_| {})
    }

    /// A security object over any content, after one change.
    fn sod_of(&self, content: &[u8], change: impl FnOnce(&mut SignedContent<'_>)) -> Vec<u8> {
        let certificate = X509::decode(&self.ds_certificate).unwrap();
        let mut content = SignedContent {
            content_type: LDS_SECURITY_OBJECT,
            content,
            digest: HashAlgorithm::Sha256,
            certificate: &self.ds_certificate,
            issuer: &certificate.issuer,
            serial: &certificate.serial,
            signing_time: Some("260601000000Z"),
            algorithm: self.ds.algorithm(),
        };
        change(&mut content);
        let signature = self.ds.sign(&content.signed_attributes(), &mut random()).unwrap();
        encode(Tag(0x77), &content.encode(&signature))
    }

    /// The good document, its security object signed after one change.
    fn document_signed(&self, change: impl FnOnce(&mut SignedContent<'_>)) -> DocumentFiles {
        let mut document = self.document();
        let object = Sod::decode(&document.files[&FileId::SOD]).unwrap().content.clone();
        document.files.insert(FileId::SOD, self.sod_of(&object, change));
        document
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

    /// The anchor, and the current revocation list, on which nothing stands.
    fn trust(&self) -> TrustStore {
        let mut store = self.anchor();
        let times = (moment("2026-06-01T00:00:00Z"), moment("2027-01-01T00:00:00Z"));
        let list = issue_crl(&self.name, &[], 1, times, &self.csca, &mut random()).unwrap();
        store.add(&list).unwrap();
        store
    }

    fn anchor(&self) -> TrustStore {
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

/// Sources whose reason codes stand as literals beside the checks they belong to.
fn sources() -> Vec<(String, String)> {
    let mut folders =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/verify"))];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "tests" && name != "evidence" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" && name != "reasons.rs" {
                sources.push((name, std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources.push(("profile.rs".into(), include_str!("../pki/profile.rs").into()));
    sources
}

#[test]
fn every_reason_code_is_listed() {
    let mut missing = std::collections::BTreeSet::new();
    for (file, source) in sources() {
        let mut codes: Vec<&str> = Vec::new();
        for call in [
            "skipped(id, \"",
            "skipped_with(id, \"",
            "failed(id, \"",
            "warned(id, \"",
            "unsupported(id, \"",
            "check(id, \"",
            "fail(\"",
            "unsupported(\"",
            "fatal(\"",
            "remark(\"",
            "Some(\"",
            "{ \"",
        ] {
            codes.extend(source.split(call).skip(1).filter_map(|rest| rest.split('"').next()));
        }
        // Codes that stand in a value of their own, not as the name of a fact or an error.
        let pieces: Vec<&str> = source.split('"').collect();
        let facts = ["Evidence::new(", ".and(", "=> "];
        let quoted = pieces.chunks_exact(2).filter_map(|pair| {
            let is_fact = facts.iter().any(|fact| pair[0].ends_with(fact));
            (!is_fact).then_some(pair[1])
        });
        let prefixes =
            ["policy_", "ds_", "dg_", "sod_", "mrz_", "signed_", "csca_", "crl_", "cam_"];
        codes.extend(quoted.filter(|text| prefixes.iter().any(|p| text.starts_with(p))));
        let is_code = |c: &&str| c.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        for code in codes.into_iter().filter(is_code).filter(|c| c.contains('_')) {
            if reasons::find(code).is_none() {
                missing.insert(format!("{code} ({file})"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn no_reason_is_listed_twice() {
    let all = reasons::REASONS.iter().flat_map(|(_, reasons)| reasons.iter());
    let mut codes: Vec<_> = all.map(|(code, _)| *code).collect();
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
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
