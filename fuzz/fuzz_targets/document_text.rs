//! Texts that come from people and scanners: QR text, names, numbers, dates.
#![no_main]

use cancuoc::document::name::MrzName;
use cancuoc::document::{Can, DocumentNumber, PartialDate, PersonalNumber, QrText};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(qr) = QrText::parse(text) {
        let _ = (qr.faults(), qr.birth(), qr.issue());
    }
    if let Ok(name) = MrzName::from_full_name(text) {
        assert!(name.td1().len() <= 30);
    }
    let _ = (Can::new(text), DocumentNumber::new(text), PersonalNumber::new(text));
    let _ = (PartialDate::parse_slashed(text), PartialDate::parse_iso(text));
});
