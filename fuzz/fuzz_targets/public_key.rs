//! Public keys and domain parameters, of chips in DG14 and of PACE in EF.CardAccess: no panic, and
//! what is written reads back.
#![no_main]

use cancuoc::lds::{
    PublicKey, SecurityInfos, decode_domain_parameters, encode_domain_parameters,
    security_infos_of_dg14,
};
use cancuoc::terminal::chip_authentication::ChipAuthenticationParameters;
use cancuoc::terminal::pace::PaceParameters;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok((parameters, form)) = decode_domain_parameters(data) {
        let written = encode_domain_parameters(&parameters, form);
        assert_eq!(decode_domain_parameters(&written), Ok((parameters, form)));
    }
    if let Ok((key, form)) = PublicKey::from_spki_der(data) {
        // A key of a prime field is written without the order of its generator.
        let (again, _) = PublicKey::from_spki_der(&key.to_spki_der(form)).unwrap();
        assert_eq!(again.key_bytes(), key.key_bytes());
    }
    if let Ok(infos) = SecurityInfos::decode("EF.CardAccess", data) {
        let _ = PaceParameters::select(&infos);
    }
    if let Ok(infos) = security_infos_of_dg14(data) {
        let _ = ChipAuthenticationParameters::select(&infos);
    }
});
