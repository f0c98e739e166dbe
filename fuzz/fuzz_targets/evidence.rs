//! Evidence files from anybody: no panic, and without anchors none is genuine.
#![no_main]

use cancuoc::trust::TrustStore;
use cancuoc::verify::evidence::signature::EvidenceFile;
use cancuoc::verify::evidence::{ReplayOptions, replay};
use cancuoc::verify::{SignerCache, Verdict};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(file) = EvidenceFile::decode(data) else { return };
    let line = file.record.encode();
    let again = line.map(|line| EvidenceFile::decode(&line));
    assert!(matches!(again, Ok(Ok(_))), "what is read can be written and read again");
    let trust = TrustStore::default();
    let options = ReplayOptions { now: None, policy: None, known_signers: &[], passive: false };
    let replay = replay(&file, &options, &SignerCache::new(&trust));
    assert_ne!(replay.report.verdict(), Verdict::Genuine);
});
