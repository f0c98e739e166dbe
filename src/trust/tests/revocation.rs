//! Revocation lists and lists of defects.

use super::*;

#[test]
fn a_revoked_signer_of_lists_counts_no_more() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], EARLY);
    let crl = lister.crl(&[&[3]], (EARLY, LATE));
    assert_eq!(list_state(&store(&[&lister.root(), &list, &crl]), 0), Err("list_signer_revoked"));
    let forged = Authority::new("DE", "CSCA").crl(&[&[3]], (EARLY, LATE));
    assert_eq!(list_state(&store(&[&lister.root(), &list, &forged]), 0), Ok(()));
}

#[test]
fn a_revocation_list_of_the_newest_key_speaks_for_all_keys_of_the_name() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = old.document_signer();
    let store = store(&[&old.root(), &old.link(&new), &new.crl(&[&[2]], (EARLY, LATE))]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, lists) = store.revocation(&signer, issuer.certificate);
    assert!(matches!(status, RevocationStatus::Revoked { .. }), "{status:?}");
    assert_eq!(lists.len(), 1);
}

#[test]
fn a_revocation_stays_and_only_a_current_list_clears() {
    let authority = Authority::new("VN", "CSCA");
    let signer = authority.document_signer();
    let old = authority.crl(&[&[2]], ("2026-01-02T00:00:00Z", EARLY));
    let new = authority.crl(&[], (EARLY, LATE));
    let status = |parts: &[&[u8]]| {
        let store = store(&[&[authority.root().as_slice()], parts].concat());
        let issuer = store.find_issuer(&signer).unwrap();
        match store.revocation(&signer, issuer.certificate).0 {
            RevocationStatus::NoList => "none".to_owned(),
            RevocationStatus::NotVerified => "not verified".to_owned(),
            RevocationStatus::Revoked { .. } => "revoked".to_owned(),
            RevocationStatus::NotListed { next_update, .. } => next_update.unwrap().to_string(),
        }
    };
    assert_eq!(status(&[]), "none");
    assert_eq!(status(&[&old, &new]), "revoked");
    assert_eq!(status(&[&new]), LATE);
    let forged = Authority::new("VN", "CSCA").crl(&[&[2]], (EARLY, LATE));
    assert_eq!(status(&[&forged]), "not verified");
}

#[test]
fn a_revocation_list_in_the_name_of_a_state_by_the_key_of_another_says_nothing() {
    let (state, foreign) = (Authority::new("VN", "CSCA"), Authority::new("DE", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let signer = state.document_signer();
    let crl = pretender(&state, foreign).crl(&[&[2]], (EARLY, LATE));
    let store = store(&[&root, &foreign_root, &crl]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, _) = store.revocation(&signer, issuer.certificate);
    assert_eq!(status, RevocationStatus::NotVerified);
}

#[test]
fn a_ca_that_its_own_ca_revoked_is_not_trusted() {
    let authority = Authority::new("VN", "CSCA");
    let crl = authority.crl(&[&[1]], (EARLY, LATE));
    let signer = authority.document_signer();
    assert_eq!(distrust(&store(&[&authority.root(), &crl]), &signer), Some("csca_revoked"));
}

#[test]
fn a_link_from_a_key_that_was_revoked_leads_nowhere() {
    // Both keys have the name, as CSCAs keep theirs; the new one revokes the old.
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let thief = Authority::new("VN", "CSCA");
    let root = old.issue(CertificateKind::CscaRoot, &old, &[5], |_| {});
    let parts = [&root[..], &new.root(), &old.link(&thief)];
    assert_eq!(basis(&store(&parts), &thief.document_signer()), Ok("link"));
    let crl = new.crl(&[&[5]], (EARLY, LATE));
    let revoked = store(&[&parts[..], &[&crl]].concat());
    assert_eq!(basis(&revoked, &thief.document_signer()), Err("issuer_unknown"));
    assert_eq!(basis(&revoked, &new.document_signer()), Ok("anchor"));
}

#[test]
fn a_list_whose_signer_a_revoked_csca_issued_counts_no_more() {
    let (old, new) = (Authority::new("DE", "CSCA"), Authority::new("DE", "CSCA"));
    let root = old.issue(CertificateKind::CscaRoot, &old, &[5], |_| {});
    let other = Authority::new("VN", "CSCA");
    let list = Lister::new(&old).list(&[&other.root()], EARLY);
    let parts = [&root[..], &new.root(), &list];
    assert_eq!(list_state(&store(&parts), 0), Ok(()));
    let crl = new.crl(&[&[5]], (EARLY, LATE));
    let revoked = store(&[&parts[..], &[&crl]].concat());
    assert_eq!(list_state(&revoked, 0), Err("list_signer_unknown"));
    assert_eq!(basis(&revoked, &other.document_signer()), Err("issuer_unknown"));
}

fn revoked_by_list(signer: &X509) -> Vec<u8> {
    let oid = const_oid::ObjectIdentifier::new_unwrap("0.4.0.127.0.7.3.1.5.1.1");
    let concerned = Concerned {
        issuer_and_serial: Some((signer.issuer.clone(), signer.serial.clone())),
        ..Concerned::default()
    };
    let defect = KnownDefect {
        concerned,
        kind: DefectKind::CertificateRevoked,
        oid,
        numbers: vec![3],
        description: None,
    };
    encode_defect_list(HashAlgorithm::Sha256, &[defect])
}

#[test]
fn a_defect_list_counts_under_a_trusted_signer_and_for_the_documents_it_names() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = other.document_signer();
    let list_signer = Lister::of_kind(&lister, CertificateKind::DeviationListSigner);
    let content = revoked_by_list(&signer);
    let time = moment(EARLY);
    let list = issue_signed_list(DEFECT_LIST, &content, list_signer.signer(), time, &mut random())
        .unwrap();
    let facts = DocumentFacts::default();
    let kinds = |store: &TrustStore, signer: &X509| {
        store.defects(signer, &facts).iter().map(|defect| defect.kind).collect::<Vec<_>>()
    };
    let trusted = store(&[&lister.root(), &list]);
    assert_eq!(kinds(&trusted, &signer), [DefectKind::CertificateRevoked]);
    assert_eq!(kinds(&trusted, &other.issue_other()), []);
    assert_eq!(kinds(&store(&[&list]), &signer), []);
}

impl Authority {
    /// A document signer with another serial number.
    fn issue_other(&self) -> X509 {
        let signer = Self::new(self.country, "DS");
        X509::decode(&self.issue(CertificateKind::DocumentSigner, &signer, &[4], |_| {})).unwrap()
    }
}
