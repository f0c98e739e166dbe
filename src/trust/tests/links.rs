//! Anchors, links, and which certificate of several is an issuer.

use super::*;

#[test]
fn a_key_that_a_trusted_key_links_to_is_trusted() {
    let (old, new) = (Authority::new("VN", "CSCA 1"), Authority::new("VN", "CSCA 2"));
    let third = Authority::new("VN", "CSCA 3");
    let (signer, later) = (new.document_signer(), third.document_signer());
    assert_eq!(basis(&store(&[&old.root()]), &signer), Err("issuer_unknown"));
    let rolled = store(&[&old.root(), &old.link(&new), &new.link(&third)]);
    assert_eq!(basis(&rolled, &signer), Ok("link"));
    assert_eq!(basis(&rolled, &later), Ok("link"));
}

#[test]
fn a_link_leads_nowhere_without_the_old_key() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let other = Authority::new("VN", "CSCA");
    let store = store(&[&other.root(), &old.link(&new)]);
    assert_eq!(basis(&store, &new.document_signer()), Err("issuer_unknown"));
    assert_eq!(distrust(&store, &new.document_signer()), Some("csca_issuer_unknown"));
}

#[test]
fn certificates_that_sign_each_other_are_not_trusted_for_it() {
    let (one, other) = (Authority::new("VN", "A"), Authority::new("VN", "B"));
    let store = store(&[&one.link(&other), &other.link(&one)]);
    assert_eq!(basis(&store, &one.document_signer()), Err("issuer_unknown"));
}

#[test]
fn a_link_into_another_country_is_not_followed() {
    let (old, new) = (Authority::new("VN", "CSCA"), Authority::new("LA", "CSCA"));
    let store = store(&[&old.root(), &old.link(&new)]);
    assert_eq!(basis(&store, &new.document_signer()), Err("issuer_not_allowed"));
}

#[test]
fn a_link_in_the_name_of_a_state_by_the_key_of_another_leads_nowhere() {
    let (state, foreign) = (Authority::new("VN", "CSCA"), Authority::new("DE", "CSCA"));
    let (root, foreign_root) = (state.root(), foreign.root());
    let next = Authority::new("VN", "CSCA");
    let store = store(&[&root, &foreign_root, &pretender(&state, foreign).link(&next)]);
    assert_eq!(basis(&store, &next.document_signer()), Err("issuer_unknown"));
}

#[test]
fn the_key_decides_between_certificates_of_the_same_name_and_key_identifier() {
    let (real, twin) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    // The twin's certificate claims the key identifier of the real one.
    let id = X509::decode(&real.root()).unwrap().subject_key_id().unwrap();
    let own = X509::decode(&twin.root()).unwrap().subject_key_id().unwrap();
    let mut claimed = twin.root();
    for _ in 0..2 {
        let at = claimed.windows(20).position(|window| window == own).unwrap();
        claimed[at..at + 20].copy_from_slice(&id);
    }
    let claimed = twin.sign_again(&claimed);
    let store = store(&[&claimed, &real.root()]);
    for authority in [&real, &twin] {
        let signer = authority.document_signer();
        let issuer = store.find_issuer(&signer).unwrap();
        assert_eq!(issuer.certificate.key, authority.key.public_key());
    }
}

#[test]
fn says_which_csca_is_wanted() {
    let (known, unknown) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = unknown.document_signer();
    let Err(IssuerFault::Unknown { country, key_id, distrust }) =
        store(&[&known.root()]).find_issuer(&signer).map(|_| ())
    else {
        panic!("the issuer is known");
    };
    // The name is that of a CSCA that is trusted, the key another: CSCAs keep their names.
    assert_eq!((country.as_str(), distrust), ("VN", None));
    assert_eq!(key_id, hex::encode(signer.authority_key_id().unwrap()));
}

#[test]
fn whoever_names_a_trusted_key_without_its_signature_lies() {
    let (real, forger) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let signer = Authority::new("VN", "DS");
    let named = real.key.public_key();
    let der = {
        let (public_key, issuer_key) = (signer.key.public_key(), named);
        let request = CertificateRequest {
            kind: CertificateKind::DocumentSigner,
            serial: &[2],
            issuer: &forger.name,
            subject: &signer.name,
            country: "VN",
            public_key: &public_key,
            parameters: ParameterForm::Named,
            issuer_key: &issuer_key,
            validity: validity(),
        };
        issue(&request, &forger.key, &mut random()).unwrap()
    };
    let signer = X509::decode(&der).unwrap();
    assert_eq!(basis(&store(&[&real.root()]), &signer), Err("issuer_forged"));
}

#[test]
fn of_several_certificates_of_a_key_the_one_counts_that_was_valid_then() {
    let authority = Authority::new("VN", "CSCA");
    let old = authority.issue(CertificateKind::CscaRoot, &authority, &[9], |request| {
        request.validity.not_before = moment("2010-01-01T00:00:00Z");
        request.validity.not_after = moment("2020-01-01T00:00:00Z");
    });
    let store = store(&[&old, &authority.root()]);
    let issuer =
        store.find_issuer(&authority.document_signer()).map(|i| i.certificate.serial.clone());
    assert_eq!(issuer, Ok(vec![1]));
}
