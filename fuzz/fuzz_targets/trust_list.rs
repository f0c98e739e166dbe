//! Whatever a file of a trust folder may be: certificates, revocation lists, lists under a signature. Of
//! what comes in here nothing is trusted: no file brings its own anchor into a store that has one.
#![no_main]

use std::sync::LazyLock;

use cancuoc::lds::definite_lengths;
use cancuoc::trust::{SignedList, TrustStore, contents};

const ROOT: &[u8] = include_bytes!("../../testvectors/roots/nl-root.cer");
/// The only list known here that was signed under that root.
static LIST: LazyLock<SignedList> = LazyLock::new(|| {
    let bytes = include_bytes!("../../testvectors/masterlist-nl-2026-07-22.ml");
    SignedList::decode("list", bytes).unwrap()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(definite) = definite_lengths("list", data) {
        assert!(definite_lengths("list", &definite).is_ok(), "what comes out is definite");
    }
    if contents(data).is_err() {
        return;
    }
    let mut store = TrustStore::default();
    store.add(ROOT).unwrap();
    let _ = store.add(data);
    let survey = store.survey(None);
    for list in &survey.lists {
        let known = list.list.content() == LIST.content();
        assert!(known || list.state.is_err(), "only the root's State can sign a list that counts");
    }
    for certificate in survey.certificates.iter().filter_map(|c| c.certificate.ok()) {
        let _ = store.find_issuer(certificate);
    }
});
