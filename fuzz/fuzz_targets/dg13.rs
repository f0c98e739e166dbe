//! The national data group: decoding, findings, and encoding that reads back.
#![no_main]

use cancuoc::document::{CardProfile, Dg13};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(dg13) = Dg13::decode(data) else { return };
    assert_eq!(dg13.as_bytes(), data);
    let layout = &CardProfile::can_cuoc_2021().dg13;
    let _ = (dg13.findings(layout), dg13.view(layout).parents());
    let encoded = dg13.encode();
    let again = Dg13::decode(&encoded).expect("what is encoded decodes");
    assert_eq!(again.encode(), encoded);
});
