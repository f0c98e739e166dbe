//! CV certificates as the card reads them: whatever comes, no panic, and the body is in the bytes.
#![no_main]

use cancuoc_applet_emrtd::cv_certificate::{CvCertificate, PublicKey};
use cancuoc_primitives::curve::Curve;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for read in [CvCertificate::read(data), CvCertificate::read_whole(data)] {
        let Ok(certificate) = read else { continue };
        assert!(data.windows(certificate.body.len()).any(|part| part == certificate.body));
        let Ok(key) = certificate.public_key.resolve(Some(Curve::P256)) else { continue };
        let _ = key.verify(&[certificate.body], certificate.signature);
        let mut record = Vec::new();
        key.store(&mut record);
        assert_eq!(PublicKey::load(&record), Some(key));
    }
    let _ = PublicKey::load(data);
});
