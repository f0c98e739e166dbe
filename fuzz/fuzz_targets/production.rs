//! What the production line parses: facts of steps, names, addresses of journals, site.toml.
#![no_main]

use std::path::Path;

use cancuoc::production::journal::{ChipSerial, Facts, Location, RecordId};
use cancuoc::production::site::Site;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(facts) = Facts::from_json(text) {
        let json = facts.to_json().expect("what was read can be kept");
        assert_eq!(Facts::from_json(&json), Ok(facts));
    }
    if let Ok(id) = RecordId::new(text) {
        assert!(id.as_str().is_ascii());
    }
    let _ = ChipSerial::new(text);
    let _ = text.parse::<Location>();
    if let Ok(site) = Site::from_toml(text, Path::new("x")) {
        assert!((10..=86_400).contains(&site.lease.as_secs()));
    }
});
