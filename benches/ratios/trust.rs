//! A trust folder with the German master list of May 2026 and its anchor: the first time, when all
//! signatures are verified, against the next, when those that verified are remembered.

use std::path::Path;

use cancuoc::trust::{SignatureCache, TrustStore};

use super::{median, ms};

const LIST: &[u8] = include_bytes!("../../testvectors/masterlist-de-2026-05-28.ml");
const ROOT: &[u8] = include_bytes!("../../testvectors/roots/de-csca07.cer");

/// Reads the folder and verifies everything; how many certificates are trusted.
fn survey(folder: &Path, memory: Option<&SignatureCache>) -> usize {
    let store = TrustStore::load(folder).unwrap();
    store.survey(memory).certificates.iter().filter(|found| found.trust.is_ok()).count()
}

pub fn measure(folder: &Path) {
    std::fs::write(folder.join("de.ml"), LIST).unwrap();
    std::fs::write(folder.join("de.cer"), ROOT).unwrap();
    let load = median(9, || drop(TrustStore::load(folder).unwrap()));
    let first = median(5, || {
        survey(folder, None);
    });
    let memory = SignatureCache::default();
    let trusted = survey(folder, Some(&memory));
    let written = memory.encode();
    let next = median(9, || {
        assert_eq!(survey(folder, Some(&SignatureCache::decode(&written))), trusted);
    });
    println!("trust folder, German master list, {trusted} certificates trusted");
    println!("  loading it                       {:8.1} ms", ms(load));
    println!("  first time, everything verified  {:8.1} ms", ms(first));
    println!("  next time, signatures remembered {:8.1} ms", ms(next));
    println!("  first : next                     {:8.1}", ms(first) / ms(next));
}
