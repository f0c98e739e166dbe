//! The files of the LDS: no panic, and what is written reads back.
#![no_main]

use cancuoc::apdu::tlv::Tag;
use cancuoc::lds::{
    AtrInfo, BiometricTemplate, CardSecurity, Com, Dg2, Dir, SecurityInfos, decode_dg1,
    decode_dg15, encode_dg1, security_infos_of_dg14,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(com) = Com::decode(data) {
        assert_eq!(Com::decode(&com.encode()), Ok(com));
    }
    if let Ok(dir) = Dir::decode(data) {
        assert_eq!(Dir::decode(&dir.encode()), Ok(dir));
    }
    if let Ok(infos) = SecurityInfos::decode("EF.CardAccess", data) {
        assert_eq!(SecurityInfos::decode("EF.CardAccess", &infos.encode()), Ok(infos));
    }
    if let Ok(mrz) = decode_dg1(data) {
        assert_eq!(decode_dg1(&encode_dg1(mrz)), Ok(mrz));
    }
    if let Ok(dg2) = Dg2::decode(data) {
        assert_eq!(Dg2::decode(&dg2.encode()), Ok(dg2));
    }
    let _ = BiometricTemplate::decode_file("EF.DG3", Tag(0x63), data);
    let _ = AtrInfo::decode(data);
    let _ = CardSecurity::decode(data);
    let _ = security_infos_of_dg14(data);
    let _ = decode_dg15(data);
});
