//! Security objects, signed lists and certificates: no panic, and nothing altered verifies.
#![no_main]

use cancuoc::lds::sod::{LDS_SECURITY_OBJECT_TYPES, LdsSecurityObject, Sod};
use cancuoc::lds::{
    CertificateParts, MASTER_LIST, SignatureAlgorithm, SignedData, decode_master_list,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(sod) = Sod::decode(data) {
        let _ = sod.security_object();
        if let Ok(signer) = sod.checked_signer(&LDS_SECURITY_OBJECT_TYPES) {
            let _ = signer.attributes.signing_timestamp();
            let _ = signer.verify_with_embedded_certificate();
        }
    }
    if let Ok(signed) = SignedData::decode("CMS", data) {
        let _ = signed.checked_signer(&[MASTER_LIST]);
    }
    if let Ok(object) = LdsSecurityObject::decode(data) {
        assert_eq!(LdsSecurityObject::decode(&object.encode()), Ok(object));
    }
    if let Ok(certificate) = CertificateParts::decode(data) {
        let _ = certificate.subject_key_identifier();
    }
    let _ = SignatureAlgorithm::from_der(data, None);
    let _ = decode_master_list(data);
});
