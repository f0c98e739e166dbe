//! Evidence files from anybody: no panic, and without anchors none is genuine.
#![no_main]

use cancuoc::trust::TrustStore;
use cancuoc::verify::evidence::signature::EvidenceFile;
use cancuoc::verify::evidence::{PassiveEvidence, ReplayOptions, replay};
use cancuoc::verify::{SignerCache, Verdict};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let passive = PassiveEvidence::decode(data);
    let Ok(file) = EvidenceFile::decode(data) else { return };
    let line = file.record.encode();
    let again = line.map(|line| EvidenceFile::decode(&line));
    assert!(matches!(again, Ok(Ok(_))), "what is read can be written and read again");
    let trust = TrustStore::default();
    let options = ReplayOptions { now: None, policy: None, known_signers: &[], passive: false };
    let signers = SignerCache::new(&trust);
    let Ok(passive) = passive else {
        panic!("read as a whole, but not for Passive Authentication alone");
    };
    let alone = passive.replay(&options, &signers).report;
    let whole = replay(&file, &ReplayOptions { passive: true, ..options }, &signers).report;
    assert_eq!(alone.checks, whole.checks, "both ways of reading find the same");
    let replay = replay(&file, &options, &signers);
    assert_ne!(replay.report.verdict(), Verdict::Genuine);
});
