//! Traces of APDUs, as they are replayed.
#![no_main]

use cancuoc::transport::replay::ReplayTransport;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = ReplayTransport::parse(text);
    }
});
