//! The index of a trust folder: what is read can be written and read again.
#![no_main]

use cancuoc::trust::{SignatureCache, TrustIndex};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(index) = TrustIndex::from_json(data) {
        assert_eq!(TrustIndex::from_json(&index.to_json()), Ok(index));
    }
    let _ = SignatureCache::decode(data).encode();
});
