//! Synthetic authorities of Terminal Authentication, and terminals with their certificates.
#![allow(dead_code)] // each test binary uses a part

use std::sync::Arc;

use cancuoc::cvc::{CvCertificate, CvDate, HolderReference, Rights, Role};
use cancuoc::lds::SignatureAlgorithm;
use cancuoc::pki::cv::{CvAuthority, Terms, request, self_signed};
use cancuoc::pki::{KeyKind, Signer, SoftwareKey};
use cancuoc::terminal::terminal_authentication::TerminalCredentials;
use cancuoc_primitives::curve::Curve;
use cancuoc_primitives::hash::HashAlgorithm;

use crate::cards::random;

/// A key that signs with one algorithm.
pub type Key = Arc<dyn Signer + Send + Sync>;

/// A new key on a curve.
pub fn ec_key(curve: Curve, hash: HashAlgorithm) -> Key {
    let key = SoftwareKey::generate(KeyKind::Ec(curve), false, &mut random()).unwrap();
    Arc::new(key.with_algorithm(SignatureAlgorithm::EcdsaPlain(hash)).unwrap())
}

/// A date from six digits, YYMMDD.
pub fn day(digits: &str) -> CvDate {
    let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    CvDate::decode(&digits).unwrap()
}

/// The day by the clock of terminals, where cards have a date of their own too.
const TODAY: &str = "260601";

/// All rights, valid from 1 January 2026 to 31 December 2028.
pub fn terms(role: Role) -> Terms {
    Terms { role, rights: Rights::ALL, effective: day("260101"), expiration: day("281231") }
}

/// Somebody with a certificate and its key.
#[derive(Clone)]
pub struct Holder {
    pub certificate: CvCertificate,
    pub key: Key,
    /// The curve of the CVCA above.
    pub curve: Option<Curve>,
}

impl Holder {
    /// A CVCA that signs itself.
    pub fn cvca(name: &str, key: &Key) -> Self {
        Self::cvca_on(name, key, &terms(Role::Cvca))
    }

    /// The same on these terms.
    pub fn cvca_on(name: &str, key: &Key, terms: &Terms) -> Self {
        let name = HolderReference::new(name.as_bytes()).unwrap();
        let certificate = self_signed(&name, terms, &**key, &mut random()).unwrap();
        let curve = certificate.body().public_key.curve();
        Self { certificate, key: key.clone(), curve }
    }

    fn authority(&self) -> CvAuthority<'_> {
        CvAuthority::new(&self.certificate, self.curve, &*self.key).unwrap()
    }

    /// Certifies a key.
    pub fn issue(&self, name: &str, key: &Key, terms: &Terms) -> Self {
        let name = HolderReference::new(name.as_bytes()).unwrap();
        let asked = request(&name, Some(self.reference()), &**key, &mut random()).unwrap();
        let certificate = self.authority().issue(&asked, terms, &mut random()).unwrap();
        Self { certificate, key: key.clone(), curve: self.curve }
    }

    /// Certifies its own next key: a link certificate.
    pub fn link(&self, name: &str, key: &Key, terms: &Terms) -> Self {
        let name = HolderReference::new(name.as_bytes()).unwrap();
        let link = self.authority().link(&**key, &name, terms, &mut random()).unwrap();
        let curve = link.body().public_key.curve();
        Self { certificate: link, key: key.clone(), curve }
    }

    pub fn reference(&self) -> &HolderReference {
        self.certificate.holder()
    }
}

/// A CVCA, its document verifier and a terminal of that.
#[derive(Clone)]
pub struct Chain {
    pub cvca: Holder,
    pub dv: Holder,
    pub terminal: Holder,
    /// The day by the terminal's clock.
    pub today: CvDate,
}

impl Chain {
    /// With all rights; each holder with a key of its own from `key`.
    pub fn new(key: impl FnMut() -> Key) -> Self {
        Self::with(key, &terms(Role::DomesticDv), &terms(Role::Terminal))
    }

    /// The same on these terms for document verifier and terminal.
    pub fn with(mut key: impl FnMut() -> Key, dv: &Terms, terminal: &Terms) -> Self {
        let cvca = Holder::cvca("VNCVCA00001", &key());
        let dv = cvca.issue("VNDV00001", &key(), dv);
        let terminal = dv.issue("VNGATE00001", &key(), terminal);
        Self { cvca, dv, terminal, today: day(TODAY) }
    }

    /// With all rights, valid today: for cards whose date is today's.
    pub fn of_today(mut key: impl FnMut() -> Key) -> Self {
        let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
        let [today, tomorrow] =
            [today, today.tomorrow().unwrap()].map(|date| CvDate::new(date).unwrap());
        let of_today = |role| Terms { effective: today, expiration: tomorrow, ..terms(role) };
        let cvca = Holder::cvca_on("VNCVCA00001", &key(), &of_today(Role::Cvca));
        let dv = cvca.issue("VNDV00001", &key(), &of_today(Role::DomesticDv));
        let terminal = dv.issue("VNGATE00001", &key(), &of_today(Role::Terminal));
        Self { cvca, dv, terminal, today }
    }

    /// What the terminal shows and signs with.
    pub fn credentials(&self) -> TerminalCredentials {
        credentials_on(self.today, [&self.dv, &self.terminal])
    }
}

/// The certificates of these, and the key of the last.
pub fn credentials<'a>(holders: impl IntoIterator<Item = &'a Holder>) -> TerminalCredentials {
    credentials_on(day(TODAY), holders)
}

fn credentials_on<'a>(
    today: CvDate,
    holders: impl IntoIterator<Item = &'a Holder>,
) -> TerminalCredentials {
    let holders: Vec<&Holder> = holders.into_iter().collect();
    let certificates = holders.iter().map(|holder| holder.certificate.clone()).collect();
    let key = holders.last().unwrap().key.clone();
    TerminalCredentials::new(certificates, key, today)
}
