//! Certificates and revocation lists as a verifier takes them, with their profile checks.
#![no_main]

use cancuoc::pki::{ProfileKind, check_profile};
use cancuoc::trust::{Crl, X509};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = X509::decode(data) {
        let _ = check_profile(&certificate.parts(), ProfileKind::Csca);
        let _ = check_profile(&certificate.parts(), ProfileKind::DocumentSigner);
        let _ = (certificate.validity(), certificate.key_usage_period(), certificate.country());
        let _ = certificate.verify(&certificate.key);
    }
    let _ = Crl::decode(data);
});
