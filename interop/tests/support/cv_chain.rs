//! CV certificates of ours, from the CVCA down to a terminal.
#![allow(clippy::unwrap_used)]

use cancuoc::cvc::{CvCertificate, CvDate, HolderReference, Rights, Role, TaAlgorithm};
use cancuoc::pki::cv::{CvAuthority, Terms, request, self_signed};
use cancuoc::pki::{KeyKind, SoftwareKey};
use jiff::ToSpan;
use jiff::civil::Date;

use super::random;

pub const CVCA: &str = "VNCVCA00001";
pub const DV: &str = "VNDV00001";
pub const IS: &str = "VNGATE00001";

pub fn key(kind: KeyKind, algorithm: TaAlgorithm) -> SoftwareKey {
    let key = SoftwareKey::generate(kind, false, &mut random()).unwrap();
    key.with_algorithm(algorithm.signature_algorithm()).unwrap()
}

pub fn reference(text: &str) -> HolderReference {
    HolderReference::new(text.as_bytes()).unwrap()
}

pub fn today() -> Date {
    jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date()
}

/// Valid today and for a month: OpenPACE looks at the clock.
pub fn terms(role: Role, rights: Rights) -> Terms {
    let day = |date| CvDate::new(date).unwrap();
    let expiration = day(today().checked_add(30.days()).unwrap());
    Terms { role, rights, effective: day(today()), expiration }
}

/// A chain whose terminal has these rights.
pub struct Chain {
    pub cvca: CvCertificate,
    pub dv: CvCertificate,
    pub is: CvCertificate,
    pub is_key: SoftwareKey,
}

impl Chain {
    pub fn new(kind: KeyKind, algorithm: TaAlgorithm, rights: Rights) -> Self {
        let [cvca_key, dv_key, is_key] = [(); 3].map(|()| key(kind, algorithm));
        let root = terms(Role::Cvca, Rights::ALL);
        let cvca = self_signed(&reference(CVCA), &root, &cvca_key, &mut random()).unwrap();
        let certify = |holder, key: &SoftwareKey, issuer, issuer_key, role, rights| {
            let asked = request(&reference(holder), None, key, &mut random()).unwrap();
            let authority =
                CvAuthority::new(issuer, cvca.body().public_key.curve(), issuer_key).unwrap();
            authority.issue(&asked, &terms(role, rights), &mut random()).unwrap()
        };
        let dv = certify(DV, &dv_key, &cvca, &cvca_key, Role::DomesticDv, Rights::ALL);
        let is = certify(IS, &is_key, &dv, &dv_key, Role::Terminal, rights);
        Self { cvca, dv, is, is_key }
    }
}
