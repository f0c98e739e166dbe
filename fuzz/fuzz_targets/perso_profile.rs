//! What operators bring: perso profiles, derivations, CAP files, the count of failed attempts.
#![no_main]

use cancuoc::globalplatform::attempts::Attempts;
use cancuoc::globalplatform::cap::CapFile;
use cancuoc::globalplatform::diversification::Diversification;
use cancuoc::globalplatform::perso::PersoProfile;
use cancuoc::issue::CardImage;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(cap) = CapFile::parse(data) {
        assert!((5..=16).contains(&cap.package.len()));
    }
    if let Ok(attempts) = Attempts::parse(data) {
        assert_eq!(Attempts::parse(&attempts.encode()), Ok(attempts));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = Diversification::parse(text);
    if let Ok(profile) = PersoProfile::parse(text) {
        let _ = profile.plan(&CardImage::default());
    }
});
