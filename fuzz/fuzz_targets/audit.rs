//! Audit entries, anchors, approvals and lists of people from anybody: no panic, and what is read is
//! canonical.
#![no_main]

use std::io::Cursor;

use cancuoc::production::audit::{Anchors, Lines, SealedEntry, StationKeys, Verdict, Verifier};
use cancuoc::production::roles::{ApprovalFile, People, PeopleHistory};
use cancuoc::production::vault;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (keys, anchors) = (StationKeys::default(), Anchors::default());
    let mut verifier = Verifier::new(&keys, &anchors);
    for line in Lines::new(Cursor::new(data)).flatten() {
        verifier.line(line);
    }
    assert_ne!(verifier.finish().verdict(true), Verdict::Intact, "nobody's key signed it");
    if let Ok((sealed, entry)) = SealedEntry::decode_line(data) {
        assert_eq!(entry.encode().as_ref(), Ok(&sealed.bytes));
    }
    if let Ok(anchors) = Anchors::decode(data) {
        assert_eq!(Anchors::decode(anchors.encode().as_bytes()), Ok(anchors));
    }
    if let Ok(file) = ApprovalFile::decode(data) {
        assert_eq!(ApprovalFile::decode(&file.encode()), Ok(file));
    }
    if let Ok(people) = People::decode(data) {
        assert_eq!(people.encode(), data);
    }
    if let Ok(history) = PeopleHistory::decode(data, None) {
        assert_eq!(history.encode(), data);
    }
    let _ = vault::site_key_of(data);
});
