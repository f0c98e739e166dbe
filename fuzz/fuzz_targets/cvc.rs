//! CV certificates, requests, chains and EF.CVCA as the terminal and the certification authorities
//! read them: no panic, what was read is what was given, and a chain found is one.
#![no_main]

use cancuoc::apdu::tlv::{Tag, encode};
use cancuoc::cvc::{AuthenticatedRequest, CvCertificate, CvChain, CvDate, CvRequest, Role};
use cancuoc::terminal::terminal_authentication::decode_ef_cvca;
use cancuoc_primitives::curve::Curve;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(certificate) = CvCertificate::decode(data) {
        assert_eq!(certificate.raw(), data);
        assert!(data.ends_with(certificate.signature()));
        let again = CvCertificate::assemble(certificate.body(), certificate.signature());
        // Written anew it may be a little longer, and so too long: a generator in full.
        assert!(again.is_err() || again.unwrap().body() == certificate.body());
        let _ = certificate.verify(&certificate, Some(Curve::P256));
    }
    if let Ok(request) = CvRequest::decode(data) {
        let _ = request.verify(Some(Curve::P256));
    }
    if let Ok(framed) = AuthenticatedRequest::decode(data) {
        assert!(data.windows(framed.request().raw().len()).any(|w| w == framed.request().raw()));
        let _ = framed.request().verify(None);
    }
    if let Ok(references) = decode_ef_cvca(data) {
        let written: Vec<u8> =
            references.iter().flat_map(|name| encode(Tag(0x42), name.as_bytes())).collect();
        assert_eq!(decode_ef_cvca(&written), Ok(references));
    }
    if let Ok(certificates) = CvCertificate::decode_all(data) {
        chain(&certificates);
    }
});

fn chain(certificates: &[CvCertificate]) {
    let trusted: Vec<_> = certificates.iter().take(2).map(|c| c.authority().clone()).collect();
    let Ok(chain) = CvChain::find(certificates, &trusted) else { return };
    let path = chain.certificates();
    assert!(trusted.contains(path[0].authority()));
    assert!(path.windows(2).all(|pair| pair[1].authority() == pair[0].holder()));
    assert_eq!(path[path.len() - 1].body().authorization.role(), Role::Terminal);
    let day = CvDate::new(jiff::civil::date(2010, 4, 1)).unwrap();
    let _ = chain.verify(certificates.first(), day);
}
