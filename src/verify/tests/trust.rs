//! What the store knows besides anchors: signers of the directory, lists of defects, and which CSCA is
//! wanted whatever the store is made of.

use super::chain::outcome;
use super::evidence::signing_chip;
use super::*;
use crate::lds::{MASTER_LIST, encode_master_list};
use crate::pki::{ListSigner, issue_signed_list};
use crate::trust::{Concerned, DEFECT_LIST, DefectKind, KnownDefect, X509, encode_defect_list};
use const_oid::ObjectIdentifier;

/// An authority of lists, with its certificate and the one of its signer.
struct Lister {
    issuer: Issuer,
    key: SoftwareKey,
    certificate: Vec<u8>,
}

impl Lister {
    fn new(kind: CertificateKind) -> Self {
        let issuer = Issuer::with(KeyKind::Ec(Curve::P256), "DE", |_| {});
        let key = SoftwareKey::generate(KeyKind::Ec(Curve::P256), false, &mut random()).unwrap();
        let request = CertificateRequest {
            kind,
            serial: &[8],
            issuer: &issuer.name,
            subject: &country_name("DE", "Specimen", "Lists"),
            country: "DE",
            public_key: &key.public_key(),
            parameters: ParameterForm::Named,
            issuer_key: &issuer.csca.public_key(),
            validity: Validity {
                not_before: moment("2026-01-01T00:00:00Z"),
                not_after: moment("2030-01-01T00:00:00Z"),
                key_not_after: moment("2030-01-01T00:00:00Z"),
            },
        };
        let certificate = issue(&request, &issuer.csca, &mut random()).unwrap();
        Self { issuer, key, certificate }
    }

    fn list(&self, content_type: ObjectIdentifier, content: &[u8]) -> Vec<u8> {
        let signer = ListSigner {
            key: &self.key,
            certificate: &self.certificate,
            issuer: &self.issuer.csca_certificate,
        };
        let time = moment("2026-06-01T00:00:00Z");
        issue_signed_list(content_type, content, signer, time, &mut random()).unwrap()
    }

    /// A list of one defect of the documents of a signer.
    fn defect(&self, signer: &[u8], oid: &str, kind: DefectKind) -> Vec<u8> {
        let signer = X509::decode(signer).unwrap();
        let concerned = Concerned {
            issuer_and_serial: Some((signer.issuer, signer.serial)),
            ..Concerned::default()
        };
        let oid = ObjectIdentifier::new_unwrap(oid);
        let defect = KnownDefect { concerned, kind, oid, numbers: vec![3], description: None };
        self.list(DEFECT_LIST, &encode_defect_list(HashAlgorithm::Sha256, &[defect]))
    }
}

fn trusting(issuer: &Issuer, lister: &Lister, list: &[u8]) -> TrustStore {
    let mut trust = issuer.trust();
    trust.add(&lister.issuer.csca_certificate).unwrap();
    trust.add(list).unwrap();
    trust
}

#[test]
fn a_security_object_without_certificate_is_verified_by_the_one_of_the_store() {
    let issuer = Issuer::new();
    let document = issuer.document_signed(|content| content.certificate = &[]);
    let found = failures(&document, &issuer.trust());
    assert_eq!(found, [("pa.sod_signature", "ds_certificate_not_found")]);
    let mut trust = issuer.trust();
    trust.add(&issuer.ds_certificate).unwrap();
    let report = report(&document, &trust);
    assert_eq!(outcome(&report, CheckId::PaSodSignature), ("passed", "ok"));
    assert_eq!(outcome(&report, CheckId::PaChain), ("passed", "ok"));
}

#[test]
fn a_signer_that_a_defect_list_calls_revoked_is_not_to_be_trusted() {
    let (issuer, lister) = (Issuer::new(), Lister::new(CertificateKind::DeviationListSigner));
    let (oid, kind) = ("0.4.0.127.0.7.3.1.5.1.1", DefectKind::CertificateRevoked);
    let list = lister.defect(&issuer.ds_certificate, oid, kind);
    let found = failures(&issuer.document(), &trusting(&issuer, &lister, &list));
    assert_eq!(found, [("pa.revocation", "ds_revoked_by_defect_list")]);
    // A list from nobody who is trusted revokes nobody.
    let mut trust = issuer.trust();
    trust.add(&list).unwrap();
    assert_eq!(failures(&issuer.document(), &trust), []);
}

#[test]
fn other_defects_are_told_beside_the_certificate() {
    let (issuer, lister) = (Issuer::new(), Lister::new(CertificateKind::DeviationListSigner));
    let (oid, kind) = ("0.4.0.127.0.7.3.1.5.2.3", DefectKind::ComSodDiscrepancy);
    let list = lister.defect(&issuer.ds_certificate, oid, kind);
    let report = report(&issuer.document(), &trusting(&issuer, &lister, &list));
    let check = report.checks.iter().find(|c| c.id == CheckId::PaDsCertificate).unwrap();
    assert!(check.has_passed());
    assert_eq!(check.detail()["known_defects"], serde_json::json!(["com_sod_discrepancy"]));
}

#[test]
fn a_proof_by_keys_that_are_known_to_be_compromised_is_none() {
    let (issuer, lister) = (Issuer::new(), Lister::new(CertificateKind::DeviationListSigner));
    let (document, chip) = signing_chip(&issuer);
    let expected = Expected::default();
    let verdict = |trust: &TrustStore| {
        let policy = Policy::strict();
        let inspection = Inspection { trust, now: now(), expected: &expected, policy };
        let report = inspect(&document, &chip, &inspection);
        let check = report.checks.iter().find(|c| c.id == CheckId::ChipAa).unwrap();
        (check.status_name(), check.code, report.verdict() == Verdict::Genuine)
    };
    let (status, code, _) = verdict(&issuer.trust());
    assert_eq!((status, code), ("passed", "ok"));
    let (oid, kind) = ("0.4.0.127.0.7.3.1.5.1.4", DefectKind::ActiveAuthenticationKeyCompromised);
    let list = lister.defect(&issuer.ds_certificate, oid, kind);
    let trust = trusting(&issuer, &lister, &list);
    assert_eq!(verdict(&trust), ("skipped", "chip_key_compromised", false));
}

#[test]
fn says_which_csca_is_wanted_whatever_the_store_is_made_of() {
    let (issuer, lister) = (Issuer::new(), Lister::new(CertificateKind::MasterListSigner));
    let list = lister.list(MASTER_LIST, &encode_master_list(&[&lister.issuer.csca_certificate]));
    let refused = lister.list(MASTER_LIST, &encode_master_list(&[&issuer.csca_certificate]));
    let mut with_list = TrustStore::default();
    with_list.add(&lister.issuer.csca_certificate).unwrap();
    with_list.add(&list).unwrap();
    let mut with_refused_list = TrustStore::default();
    with_refused_list.add(&refused).unwrap();
    let mut with_another_key = TrustStore::default();
    with_another_key.add(&Issuer::new().csca_certificate).unwrap();
    let stores = [
        (TrustStore::default(), None),
        (with_list, None),
        (with_refused_list, Some("csca_list_refused")),
        (with_another_key, None),
    ];
    let signer = X509::decode(&issuer.ds_certificate).unwrap();
    let wanted = hex::encode(signer.authority_key_id().unwrap());
    for (trust, distrust) in stores {
        let report = report(&issuer.document(), &trust);
        assert_eq!(report.verdict(), Verdict::Inconclusive);
        assert_eq!(outcome(&report, CheckId::PaChain), ("skipped", "csca_unknown"));
        let check = report.checks.iter().find(|c| c.id == CheckId::PaChain).unwrap();
        assert_eq!(check.detail()["country"], "VN");
        assert_eq!(check.detail()["authority_key_id"], wanted.as_str());
        assert_eq!(check.detail()["distrust"], serde_json::json!(distrust));
    }
}

#[test]
fn a_csca_of_a_master_list_makes_a_chain() {
    let (issuer, lister) = (Issuer::new(), Lister::new(CertificateKind::MasterListSigner));
    let list = lister.list(MASTER_LIST, &encode_master_list(&[&issuer.csca_certificate]));
    let mut trust = TrustStore::default();
    trust.add(&lister.issuer.csca_certificate).unwrap();
    trust.add(&list).unwrap();
    let report = report(&issuer.document(), &trust);
    let check = report.checks.iter().find(|c| c.id == CheckId::PaChain).unwrap();
    assert!(check.has_passed());
    assert_eq!(check.detail()["trusted_by"], "master_list");
}
