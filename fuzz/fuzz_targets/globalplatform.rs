//! What a card answers to the host: SCP03, production data, keys, registry, answer to reset.
#![no_main]

use cancuoc::globalplatform::card_data::{CardRecognitionData, Cplc, KeyInformation};
use cancuoc::globalplatform::limits::announces_extended_length;
use cancuoc::globalplatform::{scp02, scp03};
use cancuoc::globalplatform::status::RegistryEntry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = scp02::CardAnswer::parse(data);
    let _ = scp03::CardAnswer::parse(data);
    let _ = Cplc::parse(data);
    let _ = CardRecognitionData::parse(data);
    let _ = KeyInformation::parse(data);
    let _ = announces_extended_length(data);
    if let Ok(entries) = RegistryEntry::parse_all(data) {
        for entry in entries {
            assert!(!entry.application_state().is_empty());
        }
    }
});
