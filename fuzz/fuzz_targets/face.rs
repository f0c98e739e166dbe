//! Face records and pictures: no panic, bounded memory, records come back byte for byte.
#![no_main]

use cancuoc::biometrics::{FaceRecord, decode, dimensions};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(record) = FaceRecord::decode(data) {
        assert_eq!(record.encode(), data);
    }
    if let Ok(picture) = decode(data) {
        assert_eq!(dimensions(data).ok(), Some(picture.dimensions()));
    }
});
