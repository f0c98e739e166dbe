//! Records of holders, and card profiles: no record with an error is ever accepted.
#![no_main]

use cancuoc::document::CardProfile;
use cancuoc::issue::{LoadError, Loader, Severity, review};

struct Picture;

impl Loader for Picture {
    fn load(&self, _: &str, _: usize) -> Result<Vec<u8>, LoadError> {
        Ok(include_bytes!("../tiny.jpg").to_vec())
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let review = review(data, &Picture, today());
    let errors = review.findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(review.record.is_none(), errors);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = CardProfile::from_toml(text);
    }
});

fn today() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 23)
}
