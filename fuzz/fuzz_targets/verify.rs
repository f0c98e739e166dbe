//! The inspection of a document whose files are all hostile: whatever they hold, files alone are
//! never genuine.
#![no_main]

use cancuoc::lds::{DgNumber, FileId};
use cancuoc::trust::TrustStore;
use cancuoc::verify::{ChipEvidence, DocumentFiles, Expected, Inspection, Policy, Verdict, inspect};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut document = DocumentFiles::default();
    let files = DgNumber::all().map(DgNumber::file).chain([FileId::COM, FileId::SOD]);
    let mut rest = data;
    for file in files {
        let [high, low, tail @ ..] = rest else { break };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (content, next) = tail.split_at(length);
        if !content.is_empty() {
            document.files.insert(file, content.to_vec());
        }
        rest = next;
    }
    let (trust, expected) = (TrustStore::default(), Expected::default());
    let (now, policy) = (jiff::Timestamp::UNIX_EPOCH, Policy::strict());
    let inspection = Inspection { trust: &trust, now, expected: &expected, policy };
    let report = inspect(&document, &ChipEvidence::default(), &inspection);
    assert_ne!(report.verdict(), Verdict::Genuine);
});
