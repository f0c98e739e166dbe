//! Master lists: which count, and what one that counts vouches for.

use super::*;

#[test]
fn every_certificate_of_the_german_list_verifies_or_has_its_reason() {
    let store = store(&[GERMAN_ROOT, GERMAN]);
    let survey = store.survey(None);
    assert!(survey.lists[0].state.is_ok());
    assert_eq!((survey.lists[0].certificates, survey.lists[0].malformed.len()), (588, 0));
    let expected = BTreeMap::from([
        ("anchor", 1),
        ("csca_issuer_unknown", 12),
        ("issuer_and_subject_country_differ", 2),
        ("master_list", 565),
        ("not_a_ca", 8),
    ]);
    assert_eq!(outcomes(&survey), expected);
    let vietnamese: Vec<_> = survey.certificates.iter().filter(|c| c.country == "VN").collect();
    let [vietnamese] = &vietnamese[..] else { panic!("{vietnamese:?}") };
    let certificate = vietnamese.certificate.unwrap();
    assert_eq!(certificate.key.description(), "brainpoolP512r1");
    assert_eq!(certificate.parameters, ParameterForm::Explicit);
    assert_eq!(vietnamese.trust, Ok(Basis::MasterList { list: 0 }));
}

#[test]
fn every_certificate_of_the_dutch_list_verifies() {
    let store = store(&[DUTCH_ROOT, DUTCH]);
    let survey = store.survey(None);
    assert_eq!(outcomes(&survey), BTreeMap::from([("anchor", 1), ("master_list", 410)]));
}

#[test]
fn a_list_is_refused_as_a_whole_without_its_own_anchor() {
    let store = store(&[DUTCH_ROOT, GERMAN]);
    assert_eq!(list_state(&store, 0), Err("list_signer_unknown"));
    let survey = store.survey(None);
    assert_eq!(outcomes(&survey).get("master_list"), None);
    let fault = survey.lists[0].state.as_ref().unwrap_err().to_string();
    assert!(fault.contains("DE") && fault.contains("e8a62993"), "{fault}");
}

#[test]
fn a_cache_changes_no_outcome_and_saves_the_signatures_of_the_list() {
    let store = store(&[DUTCH_ROOT, DUTCH]);
    let first = SignatureCache::default();
    let cold = outcomes(&store.survey(Some(&first)));
    let second = SignatureCache::decode(&first.encode());
    assert_eq!(outcomes(&store.survey(Some(&second))), cold);
    assert_eq!(second.encode(), first.encode());
    assert!(first.encode().len() > 400 * 32);
}

#[test]
fn a_list_in_the_name_of_a_state_by_the_key_of_another_is_refused() {
    let (state, foreign) = (Authority::new("DE", "CSCA"), Authority::new("FR", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let list = Lister::new(&pretender(&state, foreign)).list(&[&root], EARLY);
    let store = store(&[&root, &foreign_root, &list]);
    assert_eq!(list_state(&store, 0), Err("list_signer_forged"));
}

#[test]
fn a_master_list_vouches_for_what_it_holds() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let list = Lister::new(&lister).list(&[&other.root()], EARLY);
    let signer = other.document_signer();
    assert_eq!(basis(&store(&[&lister.root(), &list]), &signer), Ok("master_list"));
    let without = store(&[&list]);
    assert_eq!(basis(&without, &signer), Err("issuer_unknown"));
    assert_eq!(distrust(&without, &signer), Some("csca_list_refused"));
}

#[test]
fn what_a_master_list_brings_in_vouches_for_no_further_list() {
    let (first, second) = (Authority::new("DE", "CSCA"), Authority::new("FR", "CSCA"));
    let third = Authority::new("VN", "CSCA");
    let list = Lister::new(&first).list(&[&second.root()], EARLY);
    let next = Lister::new(&second).list(&[&third.root()], EARLY);
    let store = store(&[&first.root(), &list, &next]);
    assert_eq!(
        (list_state(&store, 0), list_state(&store, 1)),
        (Ok(()), Err("list_signer_unknown"))
    );
    assert_eq!(basis(&store, &third.document_signer()), Err("issuer_unknown"));
}

#[test]
fn the_signer_of_a_list_may_stand_under_a_key_that_was_linked_to() {
    let (old, new) = (Authority::new("DE", "CSCA"), Authority::new("DE", "CSCA"));
    let (other, link) = (Authority::new("VN", "CSCA"), old.link(&new));
    // The link stands in the list itself, as States do it: only its signature counts.
    let list = Lister::new(&new).list(&[&other.root(), &new.root(), &link], EARLY);
    let store = store(&[&old.root(), &list]);
    assert_eq!(list_state(&store, 0), Ok(()));
    assert_eq!(basis(&store, &other.document_signer()), Ok("master_list"));
}

#[test]
fn a_list_with_anything_altered_is_refused() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let root = other.root();
    let list = Lister::new(&lister).list(&[&root], EARLY);
    let mut altered = list.clone();
    let at = list.windows(root.len()).position(|window| window == root).unwrap();
    altered[at + root.len() - 1] ^= 1;
    let store = store(&[&lister.root(), &altered]);
    assert_eq!(list_state(&store, 0), Err("cms_message_digest_differs"));
    assert_eq!(basis(&store, &other.document_signer()), Err("issuer_unknown"));
}

#[test]
fn a_list_counts_only_under_the_certificate_of_a_list_signer() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Lister::of_kind(&lister, CertificateKind::DocumentSigner);
    let list = signer.list(&[&other.root()], EARLY);
    assert_eq!(list_state(&store(&[&lister.root(), &list]), 0), Err("list_signer_profile"));
}

#[test]
fn a_country_signing_ca_that_is_trusted_may_sign_a_list_itself() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let root = lister.root();
    let signer = ListSigner { key: &lister.key, certificate: &root, issuer: &[] };
    let list = issue_master_list(&[&other.root()], signer, moment(EARLY), &mut random()).unwrap();
    assert_eq!(list_state(&store(&[&root, &list]), 0), Ok(()));
    assert_eq!(list_state(&store(&[&list]), 0), Err("list_signer_unknown"));
}

#[test]
fn a_list_is_judged_by_the_time_it_was_signed_at() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], "2032-01-01T00:00:00Z");
    assert_eq!(list_state(&store(&[&lister.root(), &list]), 0), Err("list_signer_not_valid"));
}

#[test]
fn of_two_lists_of_a_state_the_newer_counts() {
    let (lister, gone) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Lister::new(&lister);
    let old = signer.list(&[&gone.root(), &lister.root()], EARLY);
    let new = signer.list(&[&lister.root()], LATE);
    let both = store(&[&lister.root(), &old, &new]);
    assert_eq!((list_state(&both, 0), list_state(&both, 1)), (Err("list_superseded"), Ok(())));
    assert_eq!(basis(&both, &gone.document_signer()), Err("issuer_unknown"));
    // A newer list that does not count itself takes nothing away.
    let forger = Authority::new("DE", "CSCA");
    let forged = Lister::new(&forger).list(&[], LATE);
    let store = store(&[&lister.root(), &old, &forged]);
    assert_eq!(list_state(&store, 0), Ok(()));
    assert_eq!(basis(&store, &gone.document_signer()), Ok("master_list"));
}

#[test]
fn a_certificate_whose_own_signature_is_wrong_is_not_trusted_though_a_list_holds_it() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let mut root = other.root();
    *root.last_mut().unwrap() ^= 1;
    let store = store(&[&lister.root(), &Lister::new(&lister).list(&[&root], EARLY)]);
    let signer = other.document_signer();
    assert_eq!(distrust(&store, &signer), Some("csca_self_signature_invalid"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_altered_list_is_accepted(place in any::<prop::sample::Index>(), bits in 1..=255u8) {
        static PARTS: std::sync::OnceLock<(Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
        let (root, list) = PARTS.get_or_init(|| {
            let lister = Authority::new("DE", "CSCA");
            (lister.root(), Lister::new(&lister).list(&[&Authority::new("VN", "X").root()], EARLY))
        });
        let mut altered = list.clone();
        let place = place.index(altered.len());
        altered[place] ^= bits;
        let mut store = TrustStore::default();
        store.add(root).unwrap();
        if store.add(&altered).is_ok() {
            for list in &store.survey(None).lists {
                // What is not signed, such as the version of CMS, may differ; what counts may not.
                if list.state.is_ok() {
                    let original = SignedList::decode("list", &PARTS.get().unwrap().1).unwrap();
                    prop_assert_eq!(list.list.content(), original.content());
                    prop_assert_eq!(list.list.content_type(), MASTER_LIST);
                }
            }
        }
    }
}
