//! Card profiles: no panic, and what was accepted says the same when it is written down.
#![no_main]

use cancuoc::document::{CardProfile, PersonalNumber};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for text in [text, &format!("extends = \"icao-base\"\n{text}")] {
        let Ok(profile) = CardProfile::from_toml(text) else { continue };
        let number = PersonalNumber::new("001200000018").unwrap();
        assert!(profile.can(&number).is_ok() && profile.document_number(&number).is_ok());
        let written = toml::to_string(&profile).unwrap();
        assert_eq!(CardProfile::from_toml(&written), Ok(profile));
    }
});
