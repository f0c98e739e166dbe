//! LDIF as a directory gives it out.
#![no_main]

use cancuoc::trust::ldif;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(values) = ldif::read(data) {
        let decoded: usize = values.iter().filter_map(|value| value.bytes.as_ref().ok()).map(Vec::len).sum();
        assert!(decoded <= data.len(), "Base64 is longer than what it says");
    }
    let _ = ldif::is_ldif(data);
});
