//! MRZ of DG1 and as people type it.
#![no_main]

use cancuoc::document::Mrz;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let typed = std::str::from_utf8(data).ok().and_then(|text| Mrz::parse_text(text).ok());
    for mrz in Mrz::parse(data).ok().into_iter().chain(typed) {
        let _ = (mrz.faults(), mrz.names(), mrz.personal_number(), mrz.key());
    }
});
