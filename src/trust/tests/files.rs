//! The files of a folder, and directories in them.

use super::*;

#[test]
fn a_certificate_in_a_directory_is_nobodys_word() {
    let authority = Authority::new("VN", "CSCA");
    let entry = ldif("cACertificate;binary", &[&authority.root()]);
    let signer = authority.document_signer();
    assert_eq!(distrust(&store(&[&entry]), &signer), Some("csca_not_vouched"));
    assert_eq!(basis(&store(&[&entry, &authority.root()]), &signer), Ok("anchor"));
}

#[test]
fn a_directory_of_broken_entries_alone_is_refused() {
    let directory = ldif("certificateRevocationList;binary", &[b"broken", b"too"]);
    let error = contents(&directory).unwrap_err();
    assert!(matches!(&error, TrustError::Entry { number: 1, .. }), "{error}");
    assert_eq!(contents(b"dn: c=VN\ncn: x\n").unwrap_err(), TrustError::Unknown);
}

#[test]
fn a_broken_entry_of_a_directory_is_named_and_the_others_count() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&Authority::new("VN", "CSCA").root()], EARLY);
    let mut directory = ldif("pkdMasterListContent", &[&list]);
    directory.extend_from_slice(b"\ndn: cn=broken,c=XX\nuserCertificate;binary:: MAEC\n");
    directory.extend_from_slice(b"\ndn: cn=away,c=XX\nuserCertificate;binary:< http://x/\n");
    let mut store = store(&[&lister.root()]);
    store.add_file("pkd.ldif".as_ref(), &directory).unwrap();
    assert_eq!(list_state(&store, 0), Ok(()));
    let found: Vec<_> = store
        .problems
        .iter()
        .map(|(path, problem)| match problem {
            TrustError::Entry { number, name, problem } => {
                (path.to_str().unwrap(), *number, name.as_str(), problem.code())
            }
            other => panic!("{other}"),
        })
        .collect();
    let expected = [
        ("pkd.ldif", 2, "cn=broken,c=XX", "trust_file_malformed"),
        ("pkd.ldif", 3, "cn=away,c=XX", "ldif_value_elsewhere"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn so_many_broken_entries_are_counted_after_a_while() {
    let entry = "dn: c=XX\nuserCertificate;binary:: MAEC\n\n".repeat(1_003);
    let good = ldif("cACertificate;binary", &[&Authority::new("VN", "CSCA").root()]);
    let contents = contents(&[entry.as_bytes(), &good].concat()).unwrap();
    assert_eq!((contents.objects.len(), contents.problems.len()), (1, 1_001));
    assert_eq!(contents.problems.last(), Some(&TrustError::FurtherEntries(3)));
}

#[test]
fn a_directory_brings_master_lists_revocation_lists_and_signers() {
    let (lister, other) = (Authority::new("DE", "CSCA"), Authority::new("VN", "CSCA"));
    let list = Lister::new(&lister).list(&[&other.root()], EARLY);
    let signer = other.document_signer();
    let store = store(&[
        &lister.root(),
        &ldif("pkdMasterListContent", &[&list]),
        &ldif("userCertificate;binary", &[&signer.der]),
        &ldif("certificateRevocationList;binary", &[&other.crl(&[], (EARLY, LATE))]),
    ]);
    let issuer = store.find_issuer(&signer).unwrap();
    assert_eq!(issuer.basis, Basis::MasterList { list: 0 });
    let (issuer, serial) = (signer.issuer.clone(), signer.serial.clone());
    let by_serial = SignerIdentifier::IssuerAndSerial { issuer, serial };
    assert_eq!(store.signer_certificates(&by_serial), [signer.der.as_slice()]);
    let by_key = SignerIdentifier::SubjectKeyIdentifier(signer.subject_key_id().unwrap());
    assert_eq!(store.signer_certificates(&by_key), [signer.der.as_slice()]);
    let issuer = store.find_issuer(&signer).unwrap();
    let (status, _) = store.revocation(&signer, issuer.certificate);
    let next_update = Some(moment(LATE));
    assert_eq!(status, RevocationStatus::NotListed { next_update, is_partial: false });
}

#[test]
fn takes_several_certificates_of_a_pem_file() {
    let (one, other) = (Authority::new("VN", "A"), Authority::new("LA", "B"));
    let text = [one.root(), other.root()].map(|root| to_pem("CERTIFICATE", &root)).concat();
    let store = store(&[text.as_bytes()]);
    assert_eq!(basis(&store, &one.document_signer()), Ok("anchor"));
    assert_eq!(basis(&store, &other.document_signer()), Ok("anchor"));
    assert_eq!(store.files()[0].holds, [("csca_certificate", 2)]);
}

#[test]
fn takes_a_list_in_indefinite_lengths() {
    let lister = Authority::new("DE", "CSCA");
    let list = Lister::new(&lister).list(&[&lister.root()], EARLY);
    // ContentInfo, [0] and SignedData opened and closed without their lengths.
    let oid_end = list.windows(9).position(|w| w == [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 7, 2]);
    let oid = &list[oid_end.unwrap() - 2..oid_end.unwrap() + 9];
    let signed = crate::lds::Element::parse("list", &list).unwrap();
    let explicit = signed.children().all(2).unwrap()[1];
    let signed_data = explicit.children().any().unwrap();
    let ber =
        [&[0x30, 0x80][..], oid, &[0xA0, 0x80, 0x30, 0x80], signed_data.value(), &[0; 6]].concat();
    assert_eq!(list_state(&store(&[&lister.root(), &ber]), 0), Ok(()));
    assert_eq!(contents(&ber).unwrap().objects[0].content.kind(), "master_list");
}

#[test]
fn reads_a_folder_and_names_what_it_cannot_use() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("VN", "CSCA");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("csca.CER", &authority.root());
    write("broken.cer", &authority.root()[..100]);
    write("notes.txt", b"not read");
    write(".hidden.cer", b"not read");
    write("text.crl", b"hello");
    let store = TrustStore::load(folder.path()).unwrap();
    assert_eq!(basis(&store, &authority.document_signer()), Ok("anchor"));
    let problems: Vec<_> = store
        .problems
        .iter()
        .map(|(path, problem)| (path.file_name().unwrap().to_str().unwrap(), problem.code()))
        .collect();
    let expected = [("broken.cer", "trust_file_malformed"), ("text.crl", "trust_file_unknown")];
    assert_eq!(problems, expected);
}

#[test]
fn a_file_that_was_changed_after_it_was_added_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let (added, other) = (Authority::new("VN", "CSCA"), Authority::new("VN", "CSCA"));
    let root = added.root();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let trusts = |authority: &Authority| {
        let store = TrustStore::load(folder.path()).unwrap();
        let problem = store.problems.first().map(|(_, problem)| problem.code());
        (basis(&store, &authority.document_signer()).is_ok(), problem)
    };
    write("csca.cer", &other.root());
    assert_eq!(trusts(&other), (true, None), "a folder that is filled by hand has no index");
    let mut index = TrustIndex::default();
    let provenance = Provenance {
        sha256: hex::encode(HashAlgorithm::Sha256.digest(&root)),
        added: "2026-11-23T12:00:00Z".to_owned(),
        source: "csca.cer".to_owned(),
        note: None,
        anchor: true,
    };
    index.files.insert("csca.cer".to_owned(), provenance);
    write(TrustIndex::FILE, &index.to_json());
    assert_eq!(trusts(&other), (false, Some("trust_file_changed")));
    write("csca.cer", &root);
    assert_eq!(trusts(&added), (true, None));
    write("more.cer", &other.root());
    assert_eq!(trusts(&other), (true, None), "what is in no index was put there by hand");
    write(TrustIndex::FILE, b"{");
    assert!(TrustStore::load(folder.path()).is_err(), "nobody knows what was added");
}
