//! Deviation lists and defect lists, out of the content that is signed.
#![no_main]

use cancuoc::trust::{DocumentFacts, X509, decode_defect_list, decode_deviation_list};

const ROOT: &[u8] = include_bytes!("../../testvectors/roots/nl-root.cer");

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let certificate = X509::decode(ROOT).unwrap();
    let facts = DocumentFacts { document_number: Some("X1"), ..DocumentFacts::default() };
    for defects in [decode_defect_list(data), decode_deviation_list(data)].into_iter().flatten() {
        for defect in defects {
            let _ = defect.concerned.concerns(&certificate, &facts);
            assert!(defect.concerned.number_count() <= data.len());
        }
    }
});
